"""Rows, lines and pictures of studies that search for rates and confirm what they find.

They compare no dropout, the best single rate and the rates found, on new seeds.
"""

import tempfile

import keras

from benchmarks.studies import figures, findings
from kdropout import tuning

ARMS = ("none", "uniform", "found")


def run(error, **settings):
    """A dict of the rates that a search found, and the results of confirming them.

    Args:
        error: Linear function from a score to the error that the study shows.
        **settings: Settings of a `kdropout.tuning.Job` with `confirm["top"]` of 1.
    """
    keras.utils.clear_session()
    with tempfile.TemporaryDirectory() as folder:
        job = tuning.Job(**settings, output=folder)
        return _row(tuning.run_job(job, verbose=0), error)


def _row(report, error):
    confirmation = report.confirmation
    (found,), (uniform,) = confirmation.search, confirmation.uniform
    result = {
        "rates": " ".join(f"{r:.2f}" for r in confirmation.candidates[found].values()),
        "uniform": uniform,
    }
    labels = {"none": "no dropout", "uniform": uniform, "found": found}
    for name, label in labels.items():
        scores = confirmation.scores_of(label).values()
        result[f"errors_{name}"] = " ".join(f"{error(score):.4g}" for score in scores)
    scale = abs(error(1.0) - error(0.0))
    gains = {(c.label, c.reference): c.gain for c in confirmation.comparisons}
    for pair in (("found", "none"), ("found", "uniform"), ("uniform", "none")):
        gain = gains[tuple(labels[name] for name in pair)]
        result["gain_" + "_".join(pair)] = round(scale * gain.mean, 3)
        result["half_width_" + "_".join(pair)] = round(scale * gain.half_width, 3)
    return result


def cells(row, digits=2):
    """The rates, the errors of the arms, and the gains over one rate and over none."""
    none, uniform, found = (findings.mean(errors(row, arm), digits) for arm in ARMS)
    rate = row["uniform"].removeprefix("uniform ")
    gains = [_gain(row, pair, digits) for pair in ("found_uniform", "found_none")]
    return [row["rates"].replace(" ", ", "), none, f"{uniform} ({rate})", found, *gains]


def errors(row, arm):
    """List of the errors of an arm, one for each seed."""
    return [float(word) for word in row[f"errors_{arm}"].split()]


def draw(rows, title, xlabels):
    """A figure with a panel for each row; `title` is a function of the row."""
    # One below the other, because the labels of the lines need half of the width.
    figure, axes = figures.panels(len(rows), 5.6, 1.7, rows=len(rows))
    for axis, row, xlabel in zip(axes, rows, xlabels, strict=True):
        labels = ("a single rate", "a rate for each")
        groups = [errors(row, arm) for arm in ("uniform", "found")]
        figures.differences(axis, labels, groups, errors(row, "none"), 3)
        figures.finish(axis, title(row), xlabel)
    return figure


def _gain(row, pair, digits):
    gain, width = row[f"gain_{pair}"], row[f"half_width_{pair}"]
    verdict = " better" if gain > width else " worse" if gain < -width else ""
    numbers = (f"{x:+.{digits}f}" for x in (gain, gain - width, gain + width))
    return "{} ({} to {})".format(*numbers) + verdict
