"""The data of a search for the page."""

import os

from kdropout_dashboard import plain
from kdropout_dashboard.plain import unchanged, version_of
from kdropout_dashboard.tags import SEARCH, TRIAL


def search(source, run, version=""):
    """Return the dimensions, trials and marginals of a search, or None if unknown.

    If nothing has changed since `version`, it only returns that.
    """
    written = source.described([SEARCH, TRIAL])
    if SEARCH not in written.get(run, {}):
        return None
    trials = {
        name: tags[TRIAL]
        for name, tags in written.items()
        if TRIAL in tags and _parent(name) == run
    }
    current = version_of({run: written[run][SEARCH]}, trials)
    if current == version:
        return unchanged(version)
    content = source.descriptions([SEARCH], [run]).get(run, {}).get(SEARCH, {})
    found = source.descriptions([TRIAL], list(trials)) if trials else {}
    described = {name: by_tag[TRIAL] for name, by_tag in found.items() if by_tag}
    dimensions, objectives = _dimensions(content), _objectives(content)
    return {
        "version": current,
        "run": run,
        "objective": plain.text(content.get("objective")),
        "direction": _direction(content),
        "objectives": objectives,
        "dimensions": dimensions,
        "trials": [
            _trial(name, described[name], dimensions, objectives)
            for name in sorted(described, key=plain.natural)
            if described[name]
        ],
        "marginals": _marginals(content, dimensions),
        "importance": _importance(content, dimensions),
        "problem": plain.text(content.get("problem")),
        "noise": _noise(content),
        "written_at": max(time for _, time in [written[run][SEARCH], *trials.values()]),
    }


def _parent(run):
    """The parent of a run. It is "." for runs directly in the log folder."""
    return "" if run == "." else os.path.dirname(run) or "."


def _direction(content):
    direction = content.get("direction")
    return direction if direction in ("min", "max") else "min"


def _objectives(content):
    """The several objectives of a search, or an empty list."""
    objectives = {
        name: {"name": name, "direction": _direction(objective)}
        for objective in plain.dicts(content.get("objectives"))
        if (name := plain.text(objective.get("name")))
    }
    return list(objectives.values())


def _dimensions(content):
    dimensions = {
        name: {
            "name": name,
            "layers": plain.texts(dimension.get("layers")),
            "kind": plain.text(dimension.get("kind")),
            "low": plain.number(dimension.get("low")),
            "high": plain.number(dimension.get("high")),
            "levels": plain.texts(dimension.get("levels")),
        }
        for dimension in plain.dicts(content.get("dimensions"))
        if (name := plain.text(dimension.get("name")))
    }
    return list(dimensions.values())


def _trial(run, content, dimensions, objectives):
    values = content.get("values")
    values = values if isinstance(values, dict) else {}
    epochs = plain.number(content.get("epochs"))
    reason = plain.text(content.get("reason"))
    rung = plain.number(content.get("rung"))
    trial = {
        "id": plain.text(content.get("trial_id")) or os.path.basename(run),
        "values": [_coordinate(values.get(d["name"]), d) for d in dimensions],
        "score": plain.number(content.get("score")),
        "status": plain.text(content.get("status")),
        "epochs": None if epochs is None else int(epochs),
    }
    if rung:
        trial["rung"] = int(rung)
    if objectives:
        measured = content.get("objectives")
        measured = measured if isinstance(measured, dict) else {}
        trial["objectives"] = [
            plain.number(measured.get(o["name"])) for o in objectives
        ]
    return trial | {"reason": reason} if reason else trial


def _coordinate(value, dimension):
    """The position of a value on its axis: the number, or the index of its level."""
    levels = dimension["levels"]
    if not levels:
        return plain.number(value)
    level = value if isinstance(value, str) else str(value)
    return levels.index(level) if level in levels else None


def _importance(content, dimensions):
    """The importance of known dimensions."""
    names = {dimension["name"] for dimension in dimensions}
    return [
        {"name": name, "mean": mean, "std": std}
        for entry in plain.dicts(content.get("importance"))
        if (name := plain.text(entry.get("name"))) in names
        and (mean := plain.number(entry.get("mean"))) is not None
        and (std := plain.number(entry.get("std"))) is not None
    ]


def _noise(content):
    """The standard error of a score, or None if it was not measured."""
    noise = plain.number(content.get("noise"))
    return None if noise is None or noise < 0 else noise


def _marginals(content, dimensions):
    """The complete curves of known dimensions."""
    names = {dimension["name"] for dimension in dimensions}
    marginals = []
    for marginal in plain.dicts(content.get("marginals")):
        name = plain.text(marginal.get("name"))
        curves = {
            key: plain.numbers(marginal.get(key)) for key in ("grid", "mean", "spread")
        }
        if name in names and len({len(curve) for curve in curves.values()}) == 1:
            marginals.append({"name": name} | curves)
    return marginals
