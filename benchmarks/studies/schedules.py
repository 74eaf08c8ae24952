"""Is a rate that moves better than one that stays?"""

from benchmarks.studies import figures, findings, trainings
from benchmarks.studies.trainings import Training

NAME = "schedules"
SEEDS = 10
SETS = ("mnist", "fashion_mnist")
SAMPLES = (1000, 5000)
RATES = "0.2/0.5"
KINDS = ("constant", "curriculum", "annealed", "early", "late")
METHODS = ("none", *(f"{kind} {RATES}" for kind in KINDS))
run = trainings.run


def jobs(seeds):
    return [
        Training(method, samples, seed, data=data)
        for data in SETS
        for samples in SAMPLES
        for method in METHODS
        for seed in range(seeds)
    ]


def tables(rows):
    lines = []
    for data in SETS:
        for samples in SAMPLES:
            errors = {
                method: findings.column(
                    rows, "test_error", data=data, samples=samples, method=method
                )
                for method in METHODS
            }
            for method, values in errors.items():
                against = [
                    findings.difference(values, errors[other], 2 * len(KINDS) - 1)
                    if method not in ("none", other)
                    else ""
                    for other in METHODS[:2]
                ]
                lines.append(
                    [trainings.TITLES[data], samples, method, findings.mean(values)]
                )
                lines[-1] += against
    header = ["data", "images", "rates", "test error, %"]
    header += ["against no dropout, points", "against constant, points"]
    return findings.table(header, lines)


def draw(rows):
    figure, axes = figures.panels(4, 4.6, 3.0, rows=2)
    places = [(data, samples) for data in SETS for samples in SAMPLES]
    for axis, (data, samples) in zip(axes, places, strict=True):
        none, *others = (
            findings.column(
                rows, "test_error", data=data, samples=samples, method=method
            )
            for method in METHODS
        )
        figures.differences(axis, KINDS, others, none, 2 * len(KINDS) - 1)
        title = f"{trainings.TITLES[data]}, {samples:,} images"
        figures.finish(axis, title, "points of test error, against no dropout")
    return figure
