"""Compares a search over dropout rates with the published one."""

import collections

import numpy as np

from benchmarks import reporting
from kdropout._files import replacing

RATES = (0.005, 0.01, 0.05, 0.1)
# Published: MC validation error by rate, mean over 20 splits; and the chosen rates.
# github.com/yaringal/DropoutUncertaintyExps, UCI_Datasets/*/results.
PUBLISHED = {
    "energy": (0.562, 0.624, 1.088, 1.566),
    "yacht": (0.780, 0.863, 1.440, 2.281),
    "wine": (0.671, 0.650, 0.628, 0.629),
    "concrete": (4.829, 4.984, 5.347, 5.871),
}
CHOSEN = {
    "energy": {0.005: 20},
    "yacht": {0.005: 14},
    "wine": {0.1: 12, 0.05: 8},
    "concrete": {0.005: 18},
}


def with_earlier(rows):
    """The rows, and those of other sets and splits from an earlier run, in order."""
    made = {(row["set"], row["split"]) for row in rows}
    for row in reporting.read_csv("uci_rates"):
        numbers = {key: float(row[key]) for key in row if key != "set"}
        row |= numbers | {key: int(row[key]) for key in ("split", "chosen")}
        if (row["set"], row["split"]) not in made:
            rows = [*rows, row]
    order = list(PUBLISHED)
    return sorted(rows, key=lambda r: (order.index(r["set"]), r["split"], r["rate"]))


def published_error(name):
    """Dict from rate to the published mean error."""
    return dict(zip(RATES, PUBLISHED[name], strict=True))


def not_reproduced(rows):
    """The sets in which other rates are better, or were chosen more often."""
    return [name for name in sets_of(rows) if not is_reproduced(rows, name)]


def sets_of(rows):
    """The sets with at least two splits, which a standard error needs."""
    counts = collections.Counter(row["set"] for row in rows)
    return [name for name in PUBLISHED if counts[name] >= 2 * len(RATES)]


def means(rows, name, column):
    """Mean over the splits, and its standard error, for each rate."""
    values = np.array([[r[column] for r in rows if r["set"] == name]])
    values = values.reshape(-1, len(RATES))
    return values.mean(0), values.std(0, ddof=1) / np.sqrt(len(values))


def choices(rows, name):
    """A `collections.Counter` of the rates that the searches chose."""
    chosen = [r["rate"] for r in rows if r["set"] == name and r["chosen"]]
    return collections.Counter(chosen)


def is_reproduced(rows, name):
    """True if the rates that the published search chose are the best here."""
    best = [RATES[np.argmin(means(rows, name, c)[0])] for c in ("rmse", "mc_rmse")]
    counts = choices(rows, name)
    most = [rate for rate in counts if counts[rate] == max(counts.values())]
    return set(best) | set(most) <= set(CHOSEN[name])


def table(rows):
    """A table in Markdown: the errors for each rate, and the chosen rates."""
    lines = [
        f"| set | error | {' | '.join(map(str, RATES))} | chosen |",
        f"|---|---|{'---|' * len(RATES)}---|",
    ]
    for name in sets_of(rows):
        published = [f"{value:.3f}" for value in PUBLISHED[name]]
        lines.append(line(name, "published, MC", published, CHOSEN[name]))
        for column, label in (("mc_rmse", "MC"), ("rmse", "dropout off")):
            pairs = zip(*means(rows, name, column), strict=True)
            cells = [f"{mean:.3f} +- {error:.3f}" for mean, error in pairs]
            counts = choices(rows, name) if column == "rmse" else {}
            lines.append(line(name, label, cells, counts))
    return "\n".join(lines)


def line(name, label, cells, counts):
    """A line of the table."""
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    chosen = ", ".join(f"{rate:g} x{count}" for rate, count in ordered)
    return f"| {name} | {label} | {' | '.join(cells)} | {chosen} |"


def write_page(rows):
    """Write the table with an explanation, and return the path."""
    counts = collections.Counter(row["set"] for row in rows)
    splits = " to ".join(str(n // len(RATES)) for n in sorted({*counts.values()}))
    text = (
        "# A published search over dropout rates, repeated\n\n"
        "The table has the root mean squared error of the validation data, in the unit "
        f"of the target, for each rate: the mean over {splits} of the 20 standard "
        "splits +- its standard error, most of which is the spread between splits. The "
        "published errors are means over 20 splits. The last column has the rates that "
        "the searches chose, and the number of splits. The searches choose by their "
        "score, with dropout off.\n\n"
        f"{table(rows)}\n\n"
        "`python -m benchmarks.uci_rates --data-dir ...` makes this page. Every split "
        f"is in [uci_rates.csv](uci_rates.csv).\n\n{reporting.environment()}\n"
    )
    path = reporting.RESULTS / "uci_rates.md"
    with replacing(path) as temporary:
        temporary.write_text(text)
    return path
