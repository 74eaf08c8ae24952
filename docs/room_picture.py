"""Draws the packages of kdropout as rooms, with the imports between them.

    python docs/room_picture.py

The script needs the extra `plot` and writes internals/rooms.png. It fails if imports
form a circle, or if `ROOMS` does not list a room.
"""

import ast
import pathlib

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("kdropout", "kdropout_dashboard")
OUTPUT = ROOT / "docs" / "internals" / "rooms.png"

# Column, question and content of each room. The imports determine the row.
WHAT, HOW, WHERE, USE = "what is dropped", "how decided", "where seen", "built on top"
ROOMS = {
    "noise": (0.25, WHAT, "random numbers,\none file per backend"),
    "_block_mask": (0.55, WHAT, "the geometry\nof DropBlock"),
    "_replay": (-0.55, WHAT, "repeated and\ntransformed calls"),
    "layers": (1.1, WHAT, "one small class\nper mask"),
    "_keras_classes": (2.2, WHAT, "Keras class,\nour class"),
    "schedules": (1.8, HOW, "functions\nof the step"),
    "rate_rules": (1.8, HOW, "number, schedule,\ngradient"),
    "inspection": (1.5, WHERE, "finds the layers:\nrates, summary"),
    "callbacks": (0.0, WHERE, "gap, controller,\nloggers"),
    "_event_log": (-1.65, WHERE, "writes what\nTensorBoard reads"),
    "kdropout_dashboard": (-1.65, WHERE, "the tab in TensorBoard,\nwithout Keras"),
    "surgery": (2.7, USE, "convert, insert,\nstrip"),
    "inference": (0.3, USE, "mc_predict"),
    "testing": (-0.2, USE, "check_layer,\nthe contract"),
    "tuning": (2.0, USE, "searches, jobs,\nreports"),
    "demo": (0.5, USE, "the training\nof kdropout demo"),
    "cli": (1.25, USE, "the command line"),
}
COLORS = {WHAT: "#cfe3f5", HOW: "#fbe0b8", WHERE: "#cfeadb", USE: "#e6e6e6"}
WIDTH, HEIGHT = 0.98, 0.62  # of a room; columns and rows are 1 apart
ROW = 1.12


def main():
    imports = read_imports()
    helpers = find_helpers(imports)
    rooms = {
        room: others - helpers
        for room, others in imports.items()
        if room not in helpers and room != "__init__"
    }
    if rooms.keys() != ROOMS.keys():
        raise ValueError(
            f"ROOMS differs from the packages in: {rooms.keys() ^ ROOMS.keys()}"
        )
    draw(rooms, sorted(helpers - {"version"}))


def read_imports():
    """Dict from each room to the set of rooms that it imports."""
    rooms = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            inside = path.relative_to(ROOT / package).parts[0]
            room = inside.removesuffix(".py") if package == "kdropout" else package
            imported = rooms.setdefault(room, set())
            for node in ast.walk(ast.parse(path.read_text())):
                imported.update(_rooms_of(node))
            imported.discard(room)
    return rooms


def _rooms_of(node):
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return
    for name in names:
        parts = name.split(".")
        if parts[0] in PACKAGES:
            yield parts[1] if parts[0] == "kdropout" else parts[0]


def find_helpers(imports):
    """Small modules for all rooms, which import nothing or only modules like that."""
    modules = {
        room: others
        for room, others in imports.items()
        if (ROOT / "kdropout" / f"{room}.py").is_file()
    }
    leaves = {room for room, others in modules.items() if not others}
    return leaves | {
        room
        for room, others in modules.items()
        if room.startswith("_") and room != "__init__" and others <= leaves
    }


def levels(rooms):
    """Dict from room to its row: one above the highest that it imports.

    A room that imports nothing stands just below the lowest that imports it.
    """
    rows, waiting = {}, dict(rooms)
    while waiting:
        ready = [room for room, others in waiting.items() if others <= rows.keys()]
        if not ready:
            raise ValueError(f"Imports go in a circle: {sorted(waiting)}")
        for room in ready:
            rows[room] = 1 + max((rows[r] for r in waiting.pop(room)), default=-1)
    for room in rows:
        users = [rows[user] for user, others in rooms.items() if room in others]
        if not rooms[room] and users:
            rows[room] = min(users) - 1
    return rows


def below(rooms, room):
    """All rooms that a room imports, directly or through others."""
    reached = set(rooms[room])
    for other in rooms[room]:
        reached |= below(rooms, other)
    return reached


def direct(rooms):
    """The imports that no longer chain of imports replaces."""
    for room, others in rooms.items():
        for other in others:
            if not any(other in below(rooms, between) for between in others):
                yield room, other


def draw(rooms, helpers):
    rows = levels(rooms)
    place = {room: (ROOMS[room][0], ROW * row) for room, row in rows.items()}
    highest = max(y for _, y in place.values())
    figure = Figure(figsize=(9.5, 8.6), layout="constrained")
    axis = figure.subplots()
    for room, other in direct(rooms):
        (x, y), (to_x, to_y) = place[room], place[other]
        arrow = FancyArrowPatch(
            (x, y - HEIGHT / 2),
            (to_x, to_y + HEIGHT / 2),
            arrowstyle="-|>",
            mutation_scale=12,
            color="#666666",
            shrinkA=0,
            shrinkB=1,
            zorder=1,
        )
        axis.add_patch(arrow)
    for room, (x, y) in place.items():
        _, question, text = ROOMS[room]
        corner = (x - WIDTH / 2, y - HEIGHT / 2)
        axis.add_patch(_box(corner, WIDTH, COLORS[question]))
        axis.text(x, y + 0.17, room, ha="center", va="center", weight="bold", size=9)
        axis.text(x, y - 0.1, text, ha="center", va="center", size=7.5)
    columns = [x for x, _ in place.values()]
    left, right = min(columns) - WIDTH / 2, max(columns) + WIDTH / 2
    bottom = -ROW
    axis.add_patch(_box((left, bottom - 0.2), right - left, "white", 0.4))
    text = "used by any, import nothing else of kdropout: " + ", ".join(helpers)
    axis.text((left + right) / 2, bottom, text, ha="center", va="center", size=7.5)
    for number, (question, color) in enumerate(COLORS.items()):
        y = highest - 0.3 * number
        axis.add_patch(_box((left, y - 0.09), 0.2, color, 0.18))
        axis.text(left + 0.3, y, question, va="center", size=9)
    axis.set(xlim=(left - 0.1, right + 0.1), ylim=(bottom - 0.3, highest + 0.45))
    axis.set_axis_off()
    figure.set_facecolor("white")
    OUTPUT.parent.mkdir(exist_ok=True)
    FigureCanvasAgg(figure).print_png(str(OUTPUT), metadata={"Software": None})


def _box(corner, width, color, height=HEIGHT):
    style = "round,pad=0,rounding_size=0.06"
    return FancyBboxPatch(
        corner, width, height, style, facecolor=color, edgecolor="#555555", zorder=2
    )


if __name__ == "__main__":
    main()
