"""Does the controller hold the gap, and how does that change the error?"""

from benchmarks.studies import figures, findings, label_noise, learned_rates, trainings
from benchmarks.studies.trainings import Training

NAME = "controller"
SEEDS = 10
TARGETS = {0.3: (0.2, 0.4, 0.8, 1.5), 0.0: (0.03, 0.2)}
run = trainings.run


def jobs(seeds):
    found = []
    for noise, targets in TARGETS.items():
        task = {"noise": noise, "updates": label_noise.UPDATES}
        for method in label_noise.CONSTANT:
            for seed in (*learned_rates.CHOICE, *range(seeds)):
                found.append(Training(method, label_noise.SAMPLES, seed, **task))
        for target in targets:
            for seed in range(seeds):
                method = f"controller {target}"
                found.append(Training(method, label_noise.SAMPLES, seed, **task))
    return found


def tables(rows):
    lines = []
    for noise, targets in TARGETS.items():
        constant = label_noise.CONSTANT
        best = learned_rates.best_constant(rows, constant, noise=noise)
        reference = learned_rates.judged(rows, "test_error", noise=noise, method=best)
        methods = [*label_noise.CONSTANT, *(f"controller {t}" for t in targets)]
        count = len(methods) - 1
        for method in methods:
            numbers = {
                name: learned_rates.judged(rows, name, noise=noise, method=method)
                for name in ("clean_gap", "naive_gap", "test_error")
            }
            difference = findings.difference(numbers["test_error"], reference, count)
            lines.append(
                [
                    f"{noise:.0%}",
                    f"{method}, the best" if method == best else method,
                    findings.mean(numbers["clean_gap"], 3),
                    findings.mean(numbers["naive_gap"], 3),
                    findings.mean(numbers["test_error"]),
                    "" if method == best else difference,
                ]
            )
    header = ["wrong labels", "rates", "clean gap, nats", "naive gap, nats"]
    header += ["test error, %", "against the best constant, points"]
    return findings.table(header, lines)


def draw(rows):
    figure, (gaps, rates, errors) = figures.panels(3, 5.6, 2.6, rows=3)
    noise = max(TARGETS)
    for number, target in enumerate(TARGETS[noise]):
        for row in findings.pick(rows, noise=noise, method=f"controller {target}"):
            style = {"color": figures.COLORS[number], "linewidth": 0.8}
            label = f"{target:g}" if row["seed"] == 0 else None
            for axis, name in ((gaps, "gap_by_epoch"), (rates, "rate_by_epoch")):
                values = [float(text) for text in row[name].split()]
                axis.plot(range(1, len(values) + 1), values, label=label, **style)
        gaps.axhline(target, color=figures.COLORS[number], linestyle=":")
    epoch = "epoch of 100 updates"
    figures.finish(gaps, "Clean gap for four targets (dotted)", epoch, "nats")
    figures.finish(rates, "Rate that the controller sets", epoch, "rate")
    for number, (kind, methods) in enumerate(
        (
            ("constant", label_noise.CONSTANT),
            ("controller", [f"controller {target}" for target in TARGETS[noise]]),
        )
    ):
        found = [row for row in rows if row["noise"] == noise]
        found = [row for row in found if row["method"] in methods]
        errors.scatter(
            [row["clean_gap"] for row in found],
            [row["test_error"] for row in found],
            s=18,
            color=figures.COLORS[number],
            marker=figures.MARKERS[number],
            label=kind,
        )
    errors.set_ylim(bottom=0)
    figures.finish(errors, "Error over gap, a mark per training", "nats", "error (%)")
    return figure
