"""Picture of the expected score over the rate of each layer."""

import math

import numpy as np

from kdropout.tuning.report import style
from kdropout.tuning.report.picture_trials import farthest, is_beyond
from kdropout.tuning.report.scale import scale_of
from kdropout.tuning.report.short_names import short, short_all, two_lines

MOST = 24
# Letters in a line over a curve.
ROOM = 27


def shape_of(report, most=MOST):
    """Rows and columns of the grid of curves."""
    count = max(1, min(most, len(report.marginals)))
    if count <= 3:
        return 1, count
    square = math.ceil(math.sqrt(count))
    # Of two shapes, the one with fewer empty places.
    columns = min((square, square + 1), key=lambda number: -count % number)
    return math.ceil(count / columns), columns


def draw_marginals(report, figure, most=MOST):
    """A curve with its band per layer, and the trials as dots."""
    shown = _chosen(report, most)
    if not shown:
        problem = report.importance.problem
        style.note(figure.subplots(), f"Expected scores: unknown,\n{problem}")
        return
    rows, columns = shape_of(report, most)
    rates = all(marginal.kind == "rate" for marginal in shown)
    share = {"sharex": rates, "sharey": True}
    grid = figure.subplots(rows, columns, **share, squeeze=False)
    scale = scale_of(report.objective, shown[0].scores)
    names = short_all([marginal.name for marginal in shown], 2 * ROOM)
    for axes, marginal, name in zip(grid.flat, shown, names, strict=False):
        _draw(axes, marginal, scale, report.direction)
        style.title(axes, two_lines(name, ROOM), fontsize=9.5)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    for axes in grid[:, 1:].flat:
        axes.tick_params(labelleft=False)
    style.plain(figure.supylabel(short(scale.axis), fontsize=10))
    figure.supxlabel("dropout rate" if rates else "dropout rate or value", fontsize=10)
    figure.suptitle(_title(report, len(shown)), fontsize=11)


def _chosen(report, most):
    """All in the order of the model; if there are too many, the most important."""
    marginals = report.marginals
    if len(marginals) <= most:
        return marginals
    names = {one.name for one in report.importance.features[:most]}
    return [one for one in marginals if one.name in names][:most]


def _draw(axes, marginal, scale, direction):
    values = np.array(marginal.grid)
    mean = scale.factor * np.array(marginal.mean)
    spread = scale.factor * np.array(marginal.spread)
    scores, tried = scale.factor * np.array(marginal.scores), np.array(marginal.tried)
    limit = farthest(scores, direction)
    inside = ~is_beyond(scores, limit, direction)
    axes.plot(
        *(tried[inside], scores[inside], "o"),
        **{"color": style.GREY, "alpha": 0.6, "markersize": 3.5, "linewidth": 0},
    )
    band = {"color": style.BLUE, "alpha": 0.2, "linewidth": 0}
    axes.fill_between(values, mean - spread, mean + spread, **band)
    marker = "o" if len(values) <= 8 else None
    axes.plot(values, mean, color=style.BLUE, linewidth=2, marker=marker, markersize=5)
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=8.5, labelbottom=True)
    axes.margins(x=0.06)
    if marginal.levels:
        style.names(axes.xaxis, range(len(marginal.levels)), marginal.levels)
    else:
        axes.locator_params(axis="x", nbins=4)


def _title(report, shown):
    text = "Expected score as one rate moves"
    if shown < len(report.marginals):
        text += f": the {shown} most important of {len(report.marginals)} layers"
    text += "\nline: mean over the trials, band: +- 1 std over the trees, dots: trials"
    return text if report.importance.reliable else f"{text}\nUNRELIABLE"
