"""Are rates learned by gradient as good as the best constant rate?"""

import numpy as np

from benchmarks.studies import figures, findings, label_noise, trainings
from benchmarks.studies.trainings import Training

NAME = "learned_rates"
SEEDS = 10
# These seeds choose the best constant rate, and others judge it.
CHOICE = range(100, 105)
# Training images, share of wrong labels, updates.
TASKS = (
    (1000, 0.0, 1500),
    (label_noise.SAMPLES, 0.3, label_noise.UPDATES),
)
# Constant rates at the places of ConcreteDropout: the inputs of both hidden layers.
OF_INPUTS = {
    rate: f"constant {rate}/{rate}/0" for rate in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
}
# Rates of the hidden units, of these and the inputs, and of the inputs of both layers.
CONSTANT = (*label_noise.CONSTANT, "constant 0.2/0.5", *OF_INPUTS.values())
LEARNED = ("learned", "concrete", "standout")
run = trainings.run


def jobs(seeds):
    return [
        Training(method, samples, seed, noise=noise, updates=updates)
        for samples, noise, updates in TASKS
        for methods, chosen in (
            (CONSTANT, [*CHOICE, *range(seeds)]),
            (LEARNED, range(seeds)),
        )
        for method in methods
        for seed in chosen
    ]


def best_constant(rows, methods=CONSTANT, **task):
    """The method with the least mean test error on the seeds that choose."""
    means = {
        method: np.mean(
            [
                row["test_error"]
                for row in findings.pick(rows, method=method, **task)
                if row["seed"] in CHOICE
            ]
        )
        for method in methods
    }
    return min(means, key=means.get)


def judged(rows, name, **fields):
    """Array of a number, without the seeds that choose."""
    found = findings.pick(rows, **fields)
    return np.array([row[name] for row in found if row["seed"] not in CHOICE])


def tables(rows):
    return (
        _comparison(rows)
        + "\n\nThe test error of constant rates for the inputs of both layers, "
        "in %:\n\n" + _of_inputs(rows)
    )


def _comparison(rows):
    lines = []
    for samples, noise, _ in TASKS:
        task = {"samples": samples, "noise": noise}
        best = best_constant(rows, **task)
        reference = judged(rows, "test_error", **task, method=best)
        for method in ("none", best, *LEARNED):
            errors = judged(rows, "test_error", **task, method=method)
            ends = [row["rates"] for row in findings.pick(rows, **task, method=method)]
            lines.append(
                [
                    samples,
                    f"{noise:.0%}",
                    f"{method}, the best" if method == best else method,
                    findings.mean(errors),
                    findings.difference(errors, reference, len(LEARNED) + 1)
                    if method != best
                    else "",
                    _mean_rates(ends),
                ]
            )
    header = ["images", "wrong labels", "rates", "test error, %"]
    header += ["against the best constant, points", "rates at the end"]
    return findings.table(header, lines)


def _of_inputs(rows):
    lines = []
    for samples, noise, _ in TASKS:
        task = {"samples": samples, "noise": noise}
        errors = [
            findings.mean(judged(rows, "test_error", **task, method=method))
            for method in OF_INPUTS.values()
        ]
        lines.append([samples, f"{noise:.0%}", *errors])
    return findings.table(["images", "wrong labels", *map(str, OF_INPUTS)], lines)


def _mean_rates(texts):
    rates = [[float(word) for word in str(text).split()] for text in texts]
    return ", ".join(f"{rate:.2f}" for rate in np.mean(rates, axis=0)) or "none"


def draw(rows):
    figure, axes = figures.panels(len(TASKS))
    for axis, (samples, noise, _) in zip(axes, TASKS, strict=True):
        task = {"samples": samples, "noise": noise}
        best = best_constant(rows, **task)
        methods = ("none", *LEARNED)
        errors = [judged(rows, "test_error", **task, method=m) for m in methods]
        reference = judged(rows, "test_error", **task, method=best)
        figures.differences(axis, methods, errors, reference, len(methods))
        title = figures.task(samples, noise)
        figures.finish(axis, title, f"points of test error,\nagainst {best}")
    return figure
