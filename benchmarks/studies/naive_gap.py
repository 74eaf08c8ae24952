"""How far is the gap that everyone reads off from the gap that there is?"""

from benchmarks.studies import figures, findings, label_noise, rate_sweep, trainings
from benchmarks.studies.trainings import Training

NAME = "naive_gap"
SEEDS = 10
run = trainings.run


def jobs(seeds):
    noisy = [
        Training(method, label_noise.SAMPLES, seed, noise=0.3, updates=2400)
        for method in label_noise.CONSTANT
        for seed in range(seeds)
    ]
    return [*rate_sweep.jobs(seeds), *noisy]


TASKS = ((rate_sweep.SAMPLES, 0.0), (label_noise.SAMPLES, 0.3))


def methods_of(noise):
    """The rates that were tried, as methods."""
    if noise:
        return label_noise.CONSTANT
    return tuple(map(rate_sweep.of_rate, rate_sweep.RATES))


def tables(rows):
    lines = []
    for samples, noise in TASKS:
        methods = methods_of(noise)
        for method in methods:
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
                    _plain(naive, clean, len(methods)),
                    f"{sum(naive <= 0)} of {len(naive)}",
                ]
            )
    header = ["images", "wrong labels", "rate", "clean gap, nats", "naive gap, nats"]
    header += ["naive minus clean", "naive at 0 or below"]
    return findings.table(header, lines)


def _plain(naive, clean, count):
    """The difference; a gap is neither better nor worse for being hidden."""
    text = findings.difference(naive, clean, count, 3)
    return text.removesuffix(" better").removesuffix(" worse")


def draw(rows):
    figure, axes = figures.panels(2)
    for axis, (samples, noise) in zip(axes, TASKS, strict=True):
        methods = methods_of(noise)
        rates = [0.0 if m == "none" else float(m.split()[1]) for m in methods]
        for number, name in enumerate(("clean_gap", "naive_gap")):
            groups = [
                findings.column(rows, name, samples=samples, noise=noise, method=method)
                for method in methods
            ]
            figures.line(axis, rates, groups, number, name.replace("_", " "))
        axis.axhline(0.0, color="0.6", linewidth=0.8)
        title = f"MNIST, {samples:,} images, {noise:.0%} wrong labels"
        figures.finish(axis, title, "rate", "gap of the loss (nats)")
    return figure
