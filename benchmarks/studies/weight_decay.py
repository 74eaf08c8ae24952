"""How much of dropout does weight decay replace, and the other way round?"""

import numpy as np

from benchmarks.studies import figures, findings, learned_rates, trainings
from benchmarks.studies.trainings import Training

NAME = "weight_decay"
SEEDS = 10
DECAYS = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
METHODS = ("none", "constant 0.5")
TASKS = learned_rates.TASKS
run = trainings.run


def jobs(seeds):
    return [
        Training(
            method, samples, seed, noise=noise, updates=updates, weight_decay=decay
        )
        for samples, noise, updates in TASKS
        for decay in DECAYS
        for method in METHODS
        for seed in range(seeds)
    ]


def tables(rows):
    lines = []
    for samples, noise, _ in TASKS:
        task = {"samples": samples, "noise": noise}
        for decay in DECAYS:
            arms = [
                findings.column(
                    rows, "test_error", **task, method=method, weight_decay=decay
                )
                for method in METHODS
            ]
            lines.append([samples, f"{noise:.0%}", decay, *map(findings.mean, arms)])
            lines[-1].append(findings.difference(arms[1], arms[0], len(DECAYS)))
    header = ["images", "wrong labels", "weight decay", "no dropout, %"]
    header += ["dropout 0.5, %", "difference, points"]
    chosen = [_chosen(rows, task) for task in TASKS]
    return findings.table(header, lines) + "\n\n" + "\n".join(chosen)


def _chosen(rows, task):
    """A line: the errors with either of the two and with both, by validation."""
    samples, noise, _ = task
    decays = [{"method": "none", "weight_decay": decay} for decay in DECAYS]
    both = [{"method": "constant 0.5", "weight_decay": decay} for decay in DECAYS]
    fields = {"samples": samples, "noise": noise}
    errors = [
        np.array([r["test_error"] for r in found])
        for found in (
            findings.best_by_validation(rows, decays, **fields),
            findings.pick(rows, **fields, **both[0]),
            findings.best_by_validation(rows, both, **fields),
        )
    ]
    return (
        f"- With {samples:,} images, {noise:.0%} wrong labels and the decay that the "
        "validation error of each seed chooses, the test error is "
        f"{findings.mean(errors[0])} % with decay only, {findings.mean(errors[1])} % "
        f"with dropout only, and {findings.mean(errors[2])} % with both. Both against "
        f"decay only: {findings.difference(errors[2], errors[0], 3)}. Both against "
        f"dropout only: {findings.difference(errors[2], errors[1], 3)}. Dropout "
        f"against decay: {findings.difference(errors[1], errors[0], 3)}."
    )


def draw(rows):
    figure, axes = figures.panels(2)
    for axis, (samples, noise, _) in zip(axes, TASKS, strict=True):
        for number, method in enumerate(METHODS):
            groups = [
                findings.column(
                    rows,
                    "test_error",
                    samples=samples,
                    noise=noise,
                    method=method,
                    weight_decay=decay,
                )
                for decay in DECAYS
            ]
            label = ("no dropout", "dropout 0.5")[number]
            figures.line(axis, range(len(DECAYS)), groups, number, label)
        axis.set_xticks(range(len(DECAYS)), DECAYS)
        figures.finish(
            axis, figures.task(samples, noise), "weight decay", "test error (%)"
        )
    return figure
