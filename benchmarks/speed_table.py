"""Makes the table and the picture of the speed of kdropout from the results.

    python -m benchmarks.speed_table

Reads the results of `layer_cost`, `training_step`, `live_rate`, `trials`, `mc_predict`,
`callback_cost` and `import_time`, if their files exist. Writes results/speed.md, with a
claim in each row, and results/speed.png, with the claims against Keras's dropout.
"""

import argparse
from dataclasses import dataclass

from benchmarks import layer_cost, live_rate, mc_predict, reporting, speed_picture
from benchmarks.layer_cost_picture import BACKENDS
from kdropout._files import replacing

STEPS = f"{live_rate.STEPS * live_rate.ROUNDS:,} training steps"
MODELS = {"mlp": "MLP", "convnet": "convnet", "transformer": "transformer block"}
NETS = {"mlp": "MLP", "convnet": "convnet"}
PLACES = {"head": "before the last layer", "every block": "in every block"}
CALLBACKS = "OverfittingGap + RateLogger"
KERAS_DROPOUT = "Keras's dropout"
FOOTNOTE = [
    "A share below 0 means that the step took less time than without dropout layers.",
    "The CSV files beside this one have the spread, the machine and the versions.",
]


@dataclass
class Claim:
    """The time of kdropout against that of something else.

    Args:
        what: Text, what is measured.
        against: Text, what it is compared with.
        unit: Unit of the times, or None where only their ratio is known.
        times: Dict from backend to the time of kdropout and the other time.
    """

    what: str
    against: str
    unit: str | None
    times: dict

    def ratio(self, backend):
        """The time of kdropout over the other time; None if one is not known."""
        ours, other = self.times.get(backend, (0.0, 0.0))
        return ours / other if other > 0 else None


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    claims = []
    for make in (layers, steps, live_rates, trials, predictions, callbacks, imports):
        found = [claim for claim in make() if claim.times]
        if not found:
            print(f"left out, because it is not measured: {make.__name__}")
        claims += found
    print(write_table(claims, reporting.RESULTS / "speed.md"))
    compared = [claim for claim in claims if claim.against == KERAS_DROPOUT]
    if compared:
        print(speed_picture.draw(compared, reporting.RESULTS / "speed.png"))


def layers():
    for one_pass in ("forward", "forward + backward"):
        wanted = {"pass": one_pass, "dtype": "float32", "mask": "per unit"}
        rows = select("layer_cost", size=str(layer_cost.SIZE), **wanted)
        # TensorFlow compiles with XLA only on request.
        rows = [r for r in rows if r["backend"] != "tensorflow" or not r["compiler"]]
        times = paired(rows, "min_ms", "what", "kdropout", "keras")
        yield Claim(f"Dropout layer, {one_pass}", KERAS_DROPOUT, "ms", times)


def steps():
    for model, name in MODELS.items():
        rows = select("training_step", model=model)
        added = paired(rows, "added_ms", "arm", "kdropout", "keras")
        yield Claim(f"Added to a training step, {name}", KERAS_DROPOUT, "ms", added)
    for model, name in MODELS.items():
        rows = select("training_step", model=model)
        times = paired(rows, "min_ms", "arm", "kdropout at 0", "none")
        yield Claim(
            f"Training step at rate 0, {name}", "no dropout layers", "ms", times
        )


def live_rates():
    rows = select("live_rate")
    rows = [{**row, "arm": f"{row['package']} {row['rate']}"} for row in rows]
    constant = "a constant rate", "kdropout constant"
    again = f"Keras, compiled again every {live_rate.STEPS}", "keras recompiled"
    for rate, what, (against, other) in (
        ("set", "a rate set before each", constant),
        ("schedule", "a schedule", constant),
        ("set", "a rate set before each", again),
    ):
        times = paired(rows, "all_s", "arm", f"kdropout {rate}", other)
        yield Claim(f"{STEPS}, {what}", against, "s", times)


def trials():
    for net, name in NETS.items():
        rows = select("trials", net=net)
        rates = columns(rows, "kdropout_per_minute", "keras_tuner_per_minute")
        times = {b: (60 / ours, 60 / other) for b, (ours, other) in rates.items()}
        yield Claim(f"Trial of a search, {name}", "KerasTuner", "s", times)


def predictions():
    for place, name in PLACES.items():
        what = f"{mc_predict.SAMPLES} Monte-Carlo samples, dropout {name}"
        rows = select("mc_predict", dropout=place)
        for against, loop in (("a", "loop"), ("a compiled", "compiled_loop")):
            times = columns(rows, "mc_predict_ms", f"{loop}_ms")
            yield Claim(what, f"{against} loop of calls", "ms", times)


def callbacks():
    for row in select("callback_cost", what=f"{CALLBACKS} / epoch"):
        times = {"tensorflow": (float(row["ratio_median"]), 1.0)}
        yield Claim(f"`{CALLBACKS}`", "an epoch", None, times)


def imports():
    rows = select("import_time")
    times = columns(rows, "kdropout_median_ms", "keras_median_ms")
    yield Claim("`import kdropout`", "`import keras`", "ms", times)


def select(name, **wanted):
    """The rows of `results/<name>.csv` with these values; [] without a file."""
    rows = reporting.read_csv(name)
    return [row for row in rows if wanted.items() <= row.items()]


def columns(rows, ours, other):
    """Dict from backend to the numbers in two columns of its row."""
    return {row["backend"]: (float(row[ours]), float(row[other])) for row in rows}


def paired(rows, column, key, ours, other):
    """Dict from backend to the numbers of a column in the rows `ours` and `other`."""
    numbers = {(row["backend"], row[key]): float(row[column]) for row in rows}
    return {
        backend: (numbers[backend, ours], numbers[backend, other])
        for backend in BACKENDS
        if (backend, ours) in numbers
    }


def write_table(claims, path):
    """Write a row for each claim, a column for each backend; return the path."""
    lines = [
        "| time of kdropout | compared with | " + " | ".join(BACKENDS.values()) + " |"
    ]
    lines.append("|---" * (2 + len(BACKENDS)) + "|")
    for claim in claims:
        cells = [claim.what, claim.against, *(cell(claim, b) for b in BACKENDS)]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", *FOOTNOTE]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def cell(claim, backend):
    """Both times, and the ratio in bold."""
    if backend not in claim.times:
        return ""
    ratio = claim.ratio(backend)
    words = "not measurable" if ratio is None else f"**{percent(ratio)}**"
    if claim.unit is None:
        return words
    ours, other = map(number, claim.times[backend])
    return f"{words} ({ours} of {other} {claim.unit})"


def percent(ratio):
    return f"{100 * ratio:.{0 if abs(ratio) >= 0.1 else 1}f} %"


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
