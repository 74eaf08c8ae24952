"""Writes the results as a table on the screen and in a file."""

import csv

import numpy as np

from kdropout import _statistics
from kdropout._files import replacing
from kdropout.demo.training import ARMS, BASELINE

# The gaps at the end are noisy from epoch to epoch.
LAST_EPOCHS = 5

# The usual choice without a search. It is therefore the second reference.
REFERENCE = "fixed"

HEADER = [
    ("", "test error", "difference", "", "clean", "naive", "final"),
    ("rate", "%", "points", "", "gap", "gap", "rates"),
]


def fits_of(fits, arm):
    """The trainings of an arm, in the order of their seeds."""
    return sorted((f for f in fits if f.arm is arm), key=lambda fit: fit.seed)


def errors_of(fits, arm):
    """Test errors in percent, in the order of the seeds."""
    return np.array([100.0 * fit.test_error for fit in fits_of(fits, arm)])


def final(fit, name):
    """Mean of an entry of the history over the last epochs."""
    return float(np.mean(fit.history[name][-LAST_EPOCHS:]))


def table(fits):
    """The results of all arms, as text."""
    rows = [*HEADER, *(_row(fits, arm) for arm in ARMS)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    lines.insert(len(HEADER), "-" * max(map(len, lines)))
    num_seeds = len(fits_of(fits, BASELINE))
    return "\n".join([*lines, "", _legend(num_seeds), _against_reference(fits)])


def _row(fits, arm):
    of_arm, errors = fits_of(fits, arm), errors_of(fits, arm)
    difference, verdict = "", ""
    if arm is not BASELINE:
        paired = _statistics.paired(errors, errors_of(fits, BASELINE))
        difference, verdict = _signed(paired), paired.verdict
    ends = np.mean([list(fit.rates.values()) for fit in of_arm], axis=0)
    return (
        arm.label,
        _plain(_statistics.interval(errors)),
        difference,
        verdict,
        f"{np.mean([final(fit, 'gap_loss') for fit in of_arm]):.2f}",
        f"{np.mean([final(fit, 'naive_gap_loss') for fit in of_arm]):.2f}",
        "  ".join(f"{rate:.2f}" for rate in ends),
    )


def _legend(num_seeds):
    return (
        f"Mean over {num_seeds} seeds +- half of its 95 % interval (Student's t). Test "
        "labels are clean.\n"
        f"Difference: to '{BASELINE.label}', paired by seed; 'better' or 'worse' only "
        "where the\ninterval excludes 0.\n"
        "Gap: validation minus training loss in nats, mean over the last "
        f"{LAST_EPOCHS} epochs. Clean:\ndropout off for both. Naive: from the training "
        "loss that Keras logs, with dropout on.\n"
        "Final rates: first and second layer.\n"
    )


def _against_reference(fits):
    reference = next(arm for arm in ARMS if arm.name == REFERENCE)
    lines = [f"Difference to '{reference.label}', paired by seed, in points:"]
    for arm in ARMS:
        if arm not in (reference, BASELINE):
            errors = errors_of(fits, arm), errors_of(fits, reference)
            paired = _statistics.paired(*errors)
            lines.append(f"  {arm.label}: {_signed(paired).strip()}, {paired.verdict}")
    return "\n".join(lines)


def _plain(value):
    return f"{value.mean:4.1f} +- {value.half_width:.1f}"


def _signed(value):
    return f"{value.mean:+5.1f} +- {value.half_width:.1f}"


def write_csv(fits, path):
    """Write one row per training."""
    rows = [_record(fit) for fit in fits]
    with replacing(path) as temporary:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=rows[0])
            writer.writeheader()
            writer.writerows(rows)


def _record(fit):
    return {
        "arm": fit.arm.name,
        "seed": fit.seed,
        "test_error": f"{fit.test_error:.6f}",
        "clean_gap_loss": f"{final(fit, 'gap_loss'):.6f}",
        "naive_gap_loss": f"{final(fit, 'naive_gap_loss'):.6f}",
        **{f"rate_{path}": f"{rate:.6f}" for path, rate in fit.rates.items()},
        "seconds": f"{fit.seconds:.2f}",
    }
