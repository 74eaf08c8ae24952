"""Picture of the gains with new seeds."""

import numpy as np

from kdropout.tuning.report import style
from kdropout.tuning.report.confirmation import CONFIDENCE
from kdropout.tuning.report.scale import scale_of
from kdropout.tuning.report.short_names import short
from kdropout.tuning.report.verdict import name_of

# Not by colour alone: each verdict has its marker, and is written beside.
LOOKS = {
    "better": (style.GREEN, "o"),
    "worse": (style.ORANGE, "X"),
    "undecided": (style.GREY, "D"),
}


def draw_confirmation(report, axes):
    """The gain of each comparison with its interval; small dots are seeds."""
    confirmation = report.confirmation
    if confirmation is None:
        style.note(axes, "Not confirmed with new seeds")
        return
    scale = scale_of(confirmation.measure, confirmation.scores.values())
    comparisons = confirmation.comparisons
    for row, one in enumerate(comparisons):
        _draw(axes, row, one, scale)
    labels = [f"{_label(one.label)}\nvs {_label(one.reference)}" for one in comparisons]
    style.names(axes.yaxis, range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.axvline(0.0, color="black", linewidth=1.0)
    unit = short(scale.difference_axis)
    style.plain(axes.set_xlabel(f"gain in {unit}, right is better"))
    axes.grid(axis="x", alpha=0.25)
    count, seeds = len(comparisons), len(confirmation.seeds)
    widened = f", widened for {count} comparisons" if count > 1 else ""
    style.title(
        axes,
        f"Gain with {seeds} new seeds, paired by seed\n"
        f"line: {100 * CONFIDENCE:g} % interval{widened}; small dots: seeds",
    )


def _draw(axes, row, comparison, scale):
    factor, gain = scale.factor, comparison.gain
    gains = factor * np.array(comparison.gains)
    colour, marker = LOOKS[comparison.verdict]
    below = row + np.linspace(0.16, 0.3, len(gains))  # equal ones side by side
    axes.plot(gains, below, "o", color="0.35", markersize=2.6)
    text = comparison.verdict
    is_undecided = comparison.verdict == "undecided"
    if gain is None or (is_undecided and not scale.holds_difference(gain)):
        text = "too few seeds"
    else:
        axes.errorbar(
            factor * gain.mean,
            row,
            xerr=factor * gain.half_width,
            **{"color": colour, "marker": marker, "markersize": 8},
            **{"capsize": 4, "linewidth": 2},
        )
    axes.text(
        *(1.01, row, text),
        **{"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 9.5},
    )


def _label(label):
    return short(name_of(label).strip("'"), 26)
