"""How far is the gap in the training curves from the true gap?"""

from benchmarks.studies import (
    figures,
    findings,
    label_noise,
    methods,
    rate_sweep,
    trainings,
)
from benchmarks.studies.trainings import Training

NAME = "naive_gap"
SEEDS = 10
TASKS = ((rate_sweep.SAMPLES, 0.0), (label_noise.SAMPLES, 0.3))
run = trainings.run


def jobs(seeds):
    noisy = [
        Training(
            method, label_noise.SAMPLES, seed, noise=0.3, updates=label_noise.UPDATES
        )
        for method in label_noise.CONSTANT
        for seed in range(seeds)
    ]
    return [*rate_sweep.jobs(seeds), *noisy]


def methods_of(noise):
    """The methods that were tried."""
    if noise:
        return label_noise.CONSTANT
    return tuple(map(methods.constant, rate_sweep.RATES))


def tables(rows):
    lines = []
    for samples, noise in TASKS:
        tried = methods_of(noise)
        for method in tried:
            clean, naive = (
                findings.column(rows, name, samples=samples, noise=noise, method=method)
                for name in ("clean_gap", "naive_gap")
            )
            lines.append(
                [
                    samples,
                    f"{noise:.0%}",
                    method,
                    findings.mean(clean, 3),
                    findings.mean(naive, 3),
                    _plain(naive, clean, len(tried)),
                    f"{sum(naive <= 0)} of {len(naive)}",
                ]
            )
    header = ["images", "wrong labels", "rate", "clean gap, nats", "naive gap, nats"]
    header += ["naive minus clean", "naive at 0 or below"]
    return findings.table(header, lines)


def _plain(naive, clean, count):
    """The difference without a verdict: no gap is better or worse than another."""
    text = findings.difference(naive, clean, count, 3)
    return text.removesuffix(" better").removesuffix(" worse")


def draw(rows):
    figure, axes = figures.panels(2)
    for axis, (samples, noise) in zip(axes, TASKS, strict=True):
        tried = methods_of(noise)
        rates = list(map(methods.rate_of, tried))
        for number, name in enumerate(("clean_gap", "naive_gap")):
            groups = [
                findings.column(rows, name, samples=samples, noise=noise, method=method)
                for method in tried
            ]
            figures.line(axis, rates, groups, number, name.replace("_", " "))
        axis.axhline(0.0, color="0.6", linewidth=0.8)
        figures.finish(
            axis, figures.task(samples, noise), "rate", "gap of the loss (nats)"
        )
    return figure
