"""The pictures of a report: trials, epochs, importance, marginals, confirmation."""

import math
import textwrap

import numpy as np

from kdropout._files import replacing
from kdropout._pictures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    boxes_for_unknown_letters,
    mark_lost,
    new_figure,
    plain,
    set_title,
    short,
    short_all,
)
from kdropout.tuning.report.confirmation import CONFIDENCE
from kdropout.tuning.report.records import (
    best_so_far,
    completed,
    failed,
    ranked,
)
from kdropout.tuning.report.score_format import better_sign, format_of
from kdropout.tuning.report.verdict import name_of

FILES = {
    "trials": "trials.png",
    "histories": "histories.png",
    "pareto": "pareto.png",
    "importance": "importance.png",
    "marginals": "marginals.png",
    "confirmation": "confirmation.png",
}

# Each verdict also has a marker and a text, for readers who do not see the colours.
_LOOKS = {
    "better": (GREEN, "o"),
    "worse": (ORANGE, "X"),
    "undecided": (GREY, "D"),
}

# The overview has room for a few curves only.
_MOST_BARS = 24
_MOST_CURVES = 24
_FEW_CURVES = 4
_MOST_PAIRS = 3

# Letters of a line in the title of a curve.
_CURVE_LETTERS = 27

# Scores farther from the best than this many times the distance of the third quartile
# are drawn at the border. Otherwise they would squeeze the others into a line.
_FAR = 4.0
_FAR_IN_CURVES = 10.0  # the first epochs of a curve are far from the best value


def draw_all(report, folder):
    """Draw each picture into its file and return the paths."""
    figures = {
        "trials": _trials_figure,
        "importance": _importance_figure,
        "marginals": _marginals_figure,
    }
    if has_curves(report):
        figures["histories"] = _histories_figure
    if report.pareto_front:
        figures["pareto"] = _pareto_figure
    if report.confirmation is not None:
        figures["confirmation"] = _confirmation_figure
    written = []
    for name, make_figure in figures.items():
        path = folder / FILES[name]
        _write_png(make_figure(report), path)
        written.append(path)
    return written


def draw_overview(report, path):
    """Draw all pictures into one file."""
    rows = max(4.2, 1.6 + 0.3 * _bars(report), 1.6 + 0.55 * _comparisons(report))
    figure = new_figure(15, 4.6 + rows)
    (first, second), (third, fourth) = figure.subfigures(
        2, 2, wspace=0.04, hspace=0.04, height_ratios=(4.6, rows)
    )
    draw_trials(report, first.subplots())
    draw_marginals(report, second, most=_FEW_CURVES)
    draw_importance(report, third.subplots())
    draw_confirmation(report, fourth.subplots())
    _write_png(figure, path)


def _trials_figure(report):
    figure = new_figure(8, 4.6)
    draw_trials(report, figure.subplots())
    return figure


def _histories_figure(report):
    figure = new_figure(8, 4.6)
    draw_histories(report, figure.subplots())
    return figure


def _pareto_figure(report):
    pairs = _pairs_of(report.objectives)
    figure = new_figure(max(7, 4.6 * len(pairs)), 4.8)
    draw_pareto(report, figure)
    return figure


def _importance_figure(report):
    figure = new_figure(8, 2.0 + 0.34 * _bars(report))
    draw_importance(report, figure.subplots())
    return figure


def _marginals_figure(report):
    rows, columns = shape_of(report)
    figure = new_figure(max(7, 2.9 * columns), 1.6 + 2.4 * rows)
    draw_marginals(report, figure)
    return figure


def _confirmation_figure(report):
    figure = new_figure(9, 2.0 + 0.6 * _comparisons(report))
    draw_confirmation(report, figure.subplots())
    return figure


def _bars(report):
    return max(2, min(_MOST_BARS, len(report.importance.features)))


def _comparisons(report):
    return 1 if report.confirmation is None else len(report.confirmation.comparisons)


# Scores in the order of the trials.


def draw_trials(report, axes):
    """Draw the scores of completed trials, the best so far, and the failed trials."""
    done = completed(report.trials)
    score_format = format_of(report.objective, [trial.score for trial in done])
    names_are_numbers, order = _numbers(report.trials)
    numbers = np.array([order[trial.trial_id] for trial in done])
    scores = score_format.factor * np.array([trial.score for trial in done])
    limit = farthest(scores, report.direction)
    beyond = _is_beyond(scores, limit, report.direction)
    best = report.best_trial
    axes.plot(
        numbers[~beyond],
        scores[~beyond],
        "o",
        color=BLUE,
        alpha=0.7,
        markersize=6,
        label="trial",
    )
    if beyond.any():
        marker = "^" if report.direction == "min" else "v"
        shown = np.full(beyond.sum(), limit)
        label = f"outside the axes ({beyond.sum()})"
        axes.plot(numbers[beyond], shown, marker, color=BLUE, label=label)
    first, last = order[report.trials[0].trial_id], order[report.trials[-1].trial_id]
    so_far = score_format.factor * np.array(best_so_far(done, report.direction))
    axes.step(
        [*numbers, last],
        [*so_far, so_far[-1]],
        where="post",
        color=ORANGE,
        label="best so far",
    )
    axes.plot(
        order[best.trial_id],
        score_format.factor * best.score,
        "*",
        color=ORANGE,
        markersize=15,
        markeredgecolor="black",
        label=f"{'kept longest' if best.rung else 'best score'}: "
        f"{score_format.score(best.score)}",
    )
    lost = [order[trial.trial_id] for trial in failed(report.trials)]
    if lost:
        mark_lost(axes, lost, f"failed ({len(lost)})")
    set_title(axes, "Scores in the order of the trials")
    axes.set_xlabel("trial" if names_are_numbers else "order of the trial")
    better = better_sign(report.direction)
    plain(axes.set_ylabel(f"{short(score_format.axis)}, {better} is better"))
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.set_xlim(first - 0.6, last + 0.6)
    axes.margins(y=0.12)
    axes.grid(alpha=0.25)
    count = len(axes.get_legend_handles_labels()[0])
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.14),
        ncols=count if count <= 4 else 3,
        frameon=False,
        columnspacing=1.4,
    )


def _numbers(trials):
    """Return True if the ids are increasing numbers, and the position of each trial.

    The ids of KerasTuner are such numbers: "00", "01". A picture then shows the numbers
    that the rest of the report and TensorBoard show.
    """
    ids = [trial.trial_id for trial in trials]
    if all(trial_id.isdecimal() for trial_id in ids):
        numbers = [int(trial_id) for trial_id in ids]
        if all(map(int.__lt__, numbers, numbers[1:])):
            return True, dict(zip(ids, numbers, strict=True))
    return False, {trial_id: place for place, trial_id in enumerate(ids, 1)}


def farthest(scores, direction, far=_FAR):
    """Return the worst score that lies within the axes."""
    losses = scores if direction == "min" else -scores
    best, quarter = losses.min(), np.quantile(losses, 0.75)
    limit = best + far * (quarter - best)
    limit = losses.max() if quarter == best else min(limit, losses.max())
    return float(limit if direction == "min" else -limit)


def _is_beyond(scores, limit, direction):
    """A mask of the scores that are worse than the limit."""
    return scores > limit if direction == "min" else scores < limit


# The objectives against each other.


def _pairs_of(objectives):
    """The pairs of objectives that are drawn: the first one with each other one."""
    first, *others = objectives
    return [(first, other) for other in others[:_MOST_PAIRS]]


def draw_pareto(report, figure):
    """Draw the trials by two objectives, with the Pareto front as a line of steps.

    With more objectives, there is a panel for the first one and each other one, and no
    line, because a trial of the front may be beaten in the two of a panel.
    """
    pairs = _pairs_of(report.objectives)
    front = {trial.trial_id for trial in report.pareto_front}
    many = "" if len(pairs) == 1 else " (of all objectives)"
    panels = np.atleast_1d(figure.subplots(1, len(pairs)))
    for axes, pair in zip(panels, pairs, strict=True):
        _draw_pair(axes, report, pair, front)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    count = len(completed(report.trials))
    plain(
        figure.suptitle(
            f"Pareto front{many}: {len(front)} of {count} trials", fontsize=11
        )
    )


def _draw_pair(axes, report, pair, front):
    names = [name for name, _ in pair]
    trials = [
        trial
        for trial in completed(report.trials)
        if all(trial.metrics.get(name) is not None for name in names)
    ]
    formats = [format_of(n, [trial.metrics[n] for trial in trials]) for n in names]
    values = np.array(
        [[f.factor * t.metrics[f.measure] for f in formats] for t in trials]
    )
    is_front = np.array([trial.trial_id in front for trial in trials])
    others = values[~is_front]
    axes.plot(*others.T, "o", color=GREY, markersize=4, label="other trials")
    points = values[is_front]
    points = points[np.argsort(points[:, 0])]
    if len(report.objectives) == 2:
        # Beyond a point, the front continues with the worse value of the next one.
        where = "post" if pair[0][1] == "min" else "pre"
        axes.step(*points.T, where=where, color=BLUE, linewidth=1.2, alpha=0.7)
    axes.plot(*points.T, "D", color=BLUE, markersize=6, label="Pareto front")
    best = report.best_trial
    if best in trials:
        x, y = values[trials.index(best)]
        axes.plot(
            x,
            y,
            "o",
            markersize=13,
            markerfacecolor="none",
            markeredgecolor=ORANGE,
            markeredgewidth=2,
            label=f"trial {best.trial_id}, best sum",
        )
    for axis, score_format, (_, direction), limits, set_limits in zip(
        (axes.xaxis, axes.yaxis),
        formats,
        pair,
        values.T,
        (axes.set_xlim, axes.set_ylim),
        strict=True,
    ):
        better = better_sign(direction)
        plain(axis.set_label_text(f"{short(score_format.axis)}, {better} is better"))
        set_limits(_limits_of([limits], direction))
    axes.grid(alpha=0.25)


# The objective over the epochs.


def has_curves(report):
    """Return True if the curve of a completed trial has a line to draw."""
    return any(
        len(report.curves.get(trial.trial_id, ())) > 1
        for trial in completed(report.trials)
    )


def draw_histories(report, axes):
    """Draw a curve for each trial, darker for better scores, with one highlighted."""
    done = [
        trial
        for trial in reversed(ranked(report.trials, report.direction))
        if trial.trial_id in report.curves  # the best last, above the others
    ]
    score_format = format_of(report.objective, [trial.score for trial in done])
    factor = score_format.factor
    lost = [report.curves.get(trial.trial_id) for trial in failed(report.trials)]
    _draw_lost_curves(axes, list(filter(None, lost)), factor)
    scores = factor * np.array([trial.score for trial in done])
    colours = _score_colours(scores, report.direction)
    for trial, colour in zip(done, colours.to_rgba(scores), strict=True):
        _draw_history(axes, report.curves[trial.trial_id], factor, color=colour)
    best = report.trial_to_use or report.best_trial
    if best in done:
        curve, label = report.curves[best.trial_id], _label_of(best, report)
        label = f"{label}: {score_format.score(best.score)}"
        _draw_history(axes, curve, factor, color="white", linewidth=4.4)
        _draw_history(axes, curve, factor, color=ORANGE, linewidth=2.6, label=label)
    axes.set_ylim(
        _limits_of(
            [factor * np.array(list(report.curves[t.trial_id].values())) for t in done],
            report.direction,
        )
    )
    if len(set(scores)) > 1:
        bar = axes.figure.colorbar(colours, ax=axes, pad=0.02)
        plain(bar.ax.set_ylabel(f"score: {short(score_format.axis)}"))
        if report.direction == "min":
            bar.ax.invert_yaxis()  # the best on top
    count = f"{len(done)} trial{'' if len(done) == 1 else 's'}"
    set_title(axes, f"{short(report.objective)} over the epochs of {count}")
    axes.set_xlabel("epochs trained")
    better = better_sign(report.direction)
    plain(axes.set_ylabel(f"{short(score_format.axis)}, {better} is better"))
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False
        )


def _label_of(trial, report):
    """The text of the legend for the highlighted trial."""
    if report.recommended is not None and trial is report.trial_to_use:
        return f"trial {trial.trial_id}, recommended"
    return f"trial {trial.trial_id}, {'kept longest' if trial.rung else 'best score'}"


def _draw_history(axes, curve, factor, linewidth=1.0, **looks):
    """Draw the values of a curve, as a dot if there is only one."""
    values = factor * np.array(list(curve.values()))
    marker = "o" if len(curve) == 1 else None
    axes.plot(
        list(curve), values, marker=marker, markersize=4, linewidth=linewidth, **looks
    )


def _draw_lost_curves(axes, curves, factor):
    """Draw the trials without a score that have epochs."""
    label = f"failed ({len(curves)})"
    for curve in curves:
        _draw_history(axes, curve, factor, color=GREY, linestyle=":", label=label)
        label = None


def _score_colours(scores, direction):
    """Return a map from score to colour. Scores far from the best are the lightest."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    colours, limit = ["#08306B", BLUE, "#BBD7EA"], farthest(scores, direction)
    low, high = scores.min(), limit
    if direction == "max":
        colours, low, high = colours[::-1], limit, scores.max()
    colour_map = LinearSegmentedColormap.from_list("scores", colours)
    return ScalarMappable(Normalize(low, high, clip=True), colour_map)


def _limits_of(curves, direction):
    """The limits of an axis that shows most of the curves.

    Curves far above the others, and first epochs far above the later ones, would
    squeeze the rest into a line.
    """
    values = np.concatenate(curves)
    worst_of = np.max if direction == "min" else np.min
    best = values.min() if direction == "min" else values.max()
    worst = min(
        farthest(np.array([worst_of(curve) for curve in curves]), direction),
        farthest(values, direction, _FAR_IN_CURVES),
        key=lambda limit: abs(limit - best),
    )
    margin = 0.06 * abs(worst - best) or 0.01
    return min(best, worst) - margin, max(best, worst) + margin


# Importance of each layer.


def draw_importance(report, axes):
    """Draw a bar per layer, the most important on top, with its spread."""
    importance = report.importance
    shown = importance.features[:_MOST_BARS]
    if not shown:
        _note(axes, f"Importance of the layers: unknown,\n{importance.problem}")
        return
    means = np.array([feature.mean for feature in shown])
    rows = np.arange(len(shown))
    height = 0.65 if len(shown) > 3 else 0.4
    # Unreliable bars are hatched, for readers who do not see the colours.
    if importance.reliable:
        axes.barh(rows, means, height=height, color=BLUE)
    else:
        axes.barh(
            rows,
            means,
            height=height,
            facecolor="white",
            edgecolor=GREY,
            hatch="///",
        )
    axes.errorbar(
        means,
        rows,
        xerr=[feature.std for feature in shown],
        fmt="none",
        ecolor="black",
        capsize=3,
        linewidth=1.2,
    )
    set_names(axes.yaxis, rows, short_all([feature.name for feature in shown]))
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel("loss of R2 when the rate is shuffled (bar: mean, line: +- 1 std)")
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    set_title(axes, _importance_title(importance, len(shown)))


def _importance_title(importance, shown):
    text = "Importance of each layer"
    if shown < len(importance.features):
        text = f"The {shown} most important of {len(importance.features)} layers"
    if importance.reliable:
        return f"{text} (R2 = {importance.r2:.2f} out of bag)"
    reason = textwrap.fill(f"UNRELIABLE: {importance.problem}", 66)
    return f"{text}\n{reason}"


# Expected score over the rate of each layer.


def shape_of(report, most=_MOST_CURVES):
    """Return the number of rows and columns of the grid of curves."""
    count = max(1, min(most, len(report.marginals)))
    if count <= 3:
        return 1, count
    square = math.ceil(math.sqrt(count))
    # Take the shape with fewer empty cells.
    columns = min((square, square + 1), key=lambda number: -count % number)
    return math.ceil(count / columns), columns


def draw_marginals(report, figure, most=_MOST_CURVES):
    """Draw a curve with its band for each layer, and the trials as dots."""
    shown = _chosen(report, most)
    if not shown:
        problem = report.importance.problem
        _note(figure.subplots(), f"Expected scores: unknown,\n{problem}")
        return
    rows, columns = shape_of(report, most)
    are_rates = all(marginal.kind == "rate" for marginal in shown)
    grid = figure.subplots(rows, columns, sharex=are_rates, sharey=True, squeeze=False)
    score_format = format_of(report.objective, shown[0].scores)
    names = short_all([marginal.name for marginal in shown], 2 * _CURVE_LETTERS)
    for axes, marginal, name in zip(grid.flat, shown, names, strict=False):
        _draw_curve(axes, marginal, score_format, report.direction)
        set_title(axes, two_lines(name, _CURVE_LETTERS), fontsize=9.5)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    for axes in grid[:, 1:].flat:
        axes.tick_params(labelleft=False)
    plain(figure.supylabel(short(score_format.axis), fontsize=10))
    label = "dropout rate" if are_rates else "dropout rate or value"
    figure.supxlabel(label, fontsize=10)
    figure.suptitle(_marginals_title(report, len(shown)), fontsize=11)


def _chosen(report, most):
    """The marginals in the order of the model, or the most important if too many."""
    marginals = report.marginals
    if len(marginals) <= most:
        return marginals
    names = {feature.name for feature in report.importance.features[:most]}
    return [marginal for marginal in marginals if marginal.name in names][:most]


def _draw_curve(axes, marginal, score_format, direction):
    values = np.array(marginal.grid)
    mean = score_format.factor * np.array(marginal.mean)
    spread = score_format.factor * np.array(marginal.spread)
    scores = score_format.factor * np.array(marginal.scores)
    tried = np.array(marginal.tried)
    inside = ~_is_beyond(scores, farthest(scores, direction), direction)
    axes.plot(
        tried[inside],
        scores[inside],
        "o",
        color=GREY,
        alpha=0.6,
        markersize=3.5,
        linewidth=0,
    )
    axes.fill_between(
        values, mean - spread, mean + spread, color=BLUE, alpha=0.2, linewidth=0
    )
    marker = "o" if len(values) <= 8 else None
    axes.plot(values, mean, color=BLUE, linewidth=2, marker=marker, markersize=5)
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=8.5, labelbottom=True)
    axes.margins(x=0.06)
    if marginal.levels:
        set_names(axes.xaxis, range(len(marginal.levels)), marginal.levels)
    elif marginal.dimension.is_log:
        axes.set_xscale("log")
    else:
        axes.locator_params(axis="x", nbins=4)


def _marginals_title(report, shown):
    text = "Expected score as one rate changes"
    if shown < len(report.marginals):
        text += f": the {shown} most important of {len(report.marginals)} layers"
    text += "\nline: mean over the trials, band: +- 1 std over the trees, dots: trials"
    return text if report.importance.reliable else f"{text}\nUNRELIABLE"


# Gains with new seeds.


def draw_confirmation(report, axes):
    """Draw the gain of each comparison with its interval, and a dot for each seed."""
    confirmation = report.confirmation
    if confirmation is None:
        _note(axes, "Not confirmed with new seeds")
        return
    score_format = format_of(confirmation.measure, confirmation.scores.values())
    comparisons = confirmation.comparisons
    for row, comparison in enumerate(comparisons):
        _draw_gain(axes, row, comparison, score_format, confirmation.unit)
    labels = [
        f"{_setting_name(comparison.label)}\nvs {_setting_name(comparison.reference)}"
        for comparison in comparisons
    ]
    set_names(axes.yaxis, range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.axvline(0.0, color="black", linewidth=1.0)
    unit = short(score_format.difference_axis)
    plain(axes.set_xlabel(f"gain in {unit}, right is better"))
    axes.grid(axis="x", alpha=0.25)
    count, unit = len(comparisons), confirmation.unit
    widened = f", widened for {count} comparisons" if count > 1 else ""
    number = f"{confirmation.repetitions} new {confirmation.repetitions_text}"
    set_title(
        axes,
        f"Gain with {number}, paired by {unit}\n"
        f"line: {100 * CONFIDENCE:g} % interval{widened}; small dots: {unit}s",
    )


def _draw_gain(axes, row, comparison, score_format, unit):
    factor, gain = score_format.factor, comparison.gain
    gains = factor * np.array(comparison.gains)
    colour, marker = _LOOKS[comparison.verdict]
    below = row + np.linspace(0.16, 0.3, len(gains))  # equal gains do not overlap
    axes.plot(gains, below, "o", color="0.35", markersize=2.6)
    text = comparison.verdict
    is_undecided = comparison.verdict == "undecided"
    if gain is None or (is_undecided and not score_format.holds_difference(gain)):
        text = f"too few {unit}s"
    else:
        axes.errorbar(
            factor * gain.mean,
            row,
            xerr=factor * gain.half_width,
            color=colour,
            marker=marker,
            markersize=8,
            capsize=4,
            linewidth=2,
        )
    axes.text(
        1.01, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9.5
    )


def _setting_name(label):
    return short(name_of(label).strip("'"), 26)


# Files and texts of matplotlib.


def _write_png(figure, path):
    """Write a figure into a PNG file, completely or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    with replacing(path) as temporary, boxes_for_unknown_letters():
        canvas.print_png(temporary)


def set_names(axis, positions, labels):
    """Set ticks that are names."""
    axis.set_ticks(positions, labels)
    for label in axis.get_ticklabels():
        plain(label)


def _note(axes, text):
    """Write into empty axes why they are empty."""
    axes.set_axis_off()
    written = axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        fontsize=11,
        ha="center",
        va="center",
        wrap=True,
        color="0.25",
    )
    plain(written)


def two_lines(name, room):
    """Break a name into at most two lines of `room` letters, after "/" or "_".

    >>> two_lines("encoder/block_11/dropout", 18)
    'encoder/block_11/\\ndropout'
    """
    if len(name) <= room:
        return name
    end = max(name.rfind(mark, 0, room) + 1 for mark in "/_")
    if len(name) - end > room:
        end = room
    return f"{name[:end]}\n{name[end:]}"
