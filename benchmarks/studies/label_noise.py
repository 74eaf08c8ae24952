"""Which rate, and which way to decide it, is best if labels are wrong?"""

from benchmarks import reporting
from benchmarks.studies import figures, findings, methods, trainings
from benchmarks.studies.trainings import Training

NAME = "label_noise"
SEEDS = 10
SAMPLES, UPDATES = 5000, 2400
NOISES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
CONSTANT = tuple(map(methods.constant, (0.0, 0.3, 0.5, 0.7, 0.8, 0.9)))
OTHERS = ("rising 0.8", "annealed 0.8", "controller 0.4", "learned")
run = trainings.run


def jobs(seeds):
    return [
        Training(method, SAMPLES, seed, noise=noise, updates=UPDATES)
        for noise in NOISES
        for method in (*CONSTANT, *others())
        for seed in range(seeds)
    ]


def others():
    """The other methods, with the rates that a search for each layer found at 30 %."""
    for row in reporting.read_csv("studies/layer_search"):
        if row["noise"] == "0.3":
            return (*OTHERS, "constant " + row["rates"].replace(" ", "/"))
    raise RuntimeError("The study 'layer_search' must run first: it finds the rates.")


def tables(rows):
    every, lines = (*CONSTANT, *others()), []
    for noise in NOISES:
        errors = [
            findings.column(rows, "test_error", noise=noise, method=method)
            for method in every
        ]
        lines.append([f"{noise:.0%}", *map(findings.mean, errors)])
    return (
        findings.table(["wrong labels", *every], lines)
        + "\n\nThe second table has the points of test error against the constant rate "
        "that the validation error of each seed chooses:\n\n" + _against_chosen(rows)
    )


def _against_chosen(rows):
    compared, lines = others(), []
    for noise in NOISES:
        chosen = chosen_constant(rows, noise)
        differences = [
            findings.difference(
                findings.column(rows, "test_error", noise=noise, method=method),
                chosen,
                len(compared),
            )
            for method in compared
        ]
        lines.append([f"{noise:.0%}", findings.mean(chosen), *differences])
    return findings.table(["wrong labels", "chosen constant, %", *compared], lines)


def chosen_constant(rows, noise):
    """Test errors, each of the constant rate with the least validation error."""
    return findings.chosen_errors(rows, CONSTANT, noise=noise)


def draw(rows):
    figure, (constant, compared) = figures.panels(2, 5.4, 3.9, rows=2)
    rates = list(map(methods.rate_of, CONSTANT))
    for number, noise in enumerate(NOISES):
        groups = [
            findings.column(rows, "test_error", noise=noise, method=method)
            for method in CONSTANT
        ]
        figures.line(constant, rates, groups, number, f"{noise:.0%}")
    constant.set_yscale("log")
    constant.minorticks_off()
    constant.set_yticks((5, 10, 20, 40), (5, 10, 20, 40))
    constant.set_ylim(top=60)
    figures.finish(
        constant, "Constant rates, by share of wrong labels", "rate", "test error (%)"
    )
    chosen = {noise: chosen_constant(rows, noise) for noise in NOISES}
    for number, method in enumerate((*others(), "constant 0.7")):
        groups = [
            findings.column(rows, "test_error", noise=noise, method=method) - errors
            for noise, errors in chosen.items()
        ]
        figures.line(compared, [100 * n for n in NOISES], groups, number, method)
    compared.axhline(0.0, color="0.6", linewidth=0.8)
    compared.set_yscale("symlog", linthresh=2)
    compared.minorticks_off()
    ticks = (-2, -1, 0, 1, 2, 5, 10, 20)
    compared.set_yticks(ticks, ticks)
    compared.set_ylim(-4, 200)  # room for the legend
    figures.finish(
        compared,
        "Against the constant rate chosen by validation",
        "wrong labels (%)",
        "points of test error",
    )
    return figure
