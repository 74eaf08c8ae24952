"""Picture of the importance of each layer."""

import textwrap

import numpy as np

from kdropout.tuning.report import style
from kdropout.tuning.report.short_names import short_all

MOST = 24


def draw_importance(report, axes):
    """Bars, the most important on top, with the standard deviation over shuffles."""
    importance = report.importance
    shown = importance.features[:MOST]
    if not shown:
        style.note(axes, f"Importance of the layers: unknown,\n{importance.problem}")
        return
    means = np.array([one.mean for one in shown])
    rows = np.arange(len(shown))
    # Not by colour alone: what is not to be trusted is hatched.
    look = (
        {"color": style.BLUE}
        if importance.reliable
        else {"facecolor": "white", "edgecolor": style.GREY, "hatch": "///"}
    )
    axes.barh(rows, means, height=0.65 if len(shown) > 3 else 0.4, **look)
    axes.errorbar(
        *(means, rows),
        xerr=[one.std for one in shown],
        **{"fmt": "none", "ecolor": "black", "capsize": 3, "linewidth": 1.2},
    )
    style.names(axes.yaxis, rows, short_all([one.name for one in shown]))
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel("loss of R2 if its rate is shuffled (bar: mean, line: +- 1 std)")
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    _title(axes, importance, len(shown))


def _title(axes, importance, shown):
    text = "Importance of each layer"
    if shown < len(importance.features):
        text = f"The {shown} most important of {len(importance.features)} layers"
    if importance.reliable:
        text += f" (R2 = {importance.r2:.2f} out of bag)"
    else:
        reason = textwrap.fill(f"UNRELIABLE: {importance.problem}", 66)
        text += f"\n{reason}"
    style.title(axes, text)
