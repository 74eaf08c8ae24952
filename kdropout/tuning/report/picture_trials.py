"""Picture of the scores in the order of the trials."""

import numpy as np

from kdropout.tuning.report import style
from kdropout.tuning.report.scale import scale_of
from kdropout.tuning.report.short_names import short
from kdropout.tuning.report.trials import best_so_far, completed, ranked

# Scores this many times as far behind the best as the third quarter would squeeze the
# others into a line.
FAR = 4.0


def draw_trials(report, axes):
    """Scores of the completed trials, the best so far, and where trials failed."""
    done = completed(report.trials)
    scale = scale_of(report.objective, [trial.score for trial in done])
    names_are_numbers, order = _numbers(report.trials)
    numbers = np.array([order[trial.trial_id] for trial in done])
    scores = scale.factor * np.array([trial.score for trial in done])
    limit = farthest(scores, report.direction)
    beyond = is_beyond(scores, limit, report.direction)
    best = ranked(report.trials, report.direction)[0]
    axes.plot(
        *(numbers[~beyond], scores[~beyond], "o"),
        **{"color": style.BLUE, "alpha": 0.7, "markersize": 6, "label": "trial"},
    )
    if beyond.any():
        marker = "^" if report.direction == "min" else "v"
        shown = np.full(beyond.sum(), limit)
        label = f"beyond the picture ({beyond.sum()})"
        axes.plot(numbers[beyond], shown, marker, color=style.BLUE, label=label)
    first, last = order[report.trials[0].trial_id], order[report.trials[-1].trial_id]
    ends = [*numbers, last]
    so_far = best_so_far(scores.tolist(), report.direction)
    axes.step(
        *(ends, [*so_far, so_far[-1]]),
        **{"where": "post", "color": style.ORANGE, "label": "best so far"},
    )
    axes.plot(
        *(order[best.trial_id], scale.factor * best.score, "*"),
        **{"color": style.ORANGE, "markersize": 15, "markeredgecolor": "black"},
        label=f"best score: {scale.score(best.score)}",
    )
    failed = [order[trial.trial_id] for trial in report.trials if trial.failed]
    if failed:
        axes.plot(
            *(failed, np.full(len(failed), 0.03), "x"),
            **{"color": "black", "transform": axes.get_xaxis_transform()},
            label=f"failed ({len(failed)})",
        )
    better = "lower" if report.direction == "min" else "higher"
    style.title(axes, "Scores in the order of the trials")
    axes.set_xlabel("trial" if names_are_numbers else "order of the trial")
    style.plain(axes.set_ylabel(f"{short(scale.axis)}, {better} is better"))
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.set_xlim(first - 0.6, last + 0.6)
    axes.margins(y=0.12)
    axes.grid(alpha=0.25)
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14)}
    count = len(axes.get_legend_handles_labels()[0])
    axes.legend(
        **below, ncols=count if count <= 4 else 3, frameon=False, columnspacing=1.4
    )


def _numbers(trials):
    """Whether the ids of the trials are rising numbers, and the place of each trial.

    The ids of KerasTuner are: "00", "01". So a picture has the numbers that the rest
    of the report and TensorBoard have.
    """
    ids = [trial.trial_id for trial in trials]
    if all(one.isdecimal() for one in ids):
        numbers = [int(one) for one in ids]
        if all(map(int.__lt__, numbers, numbers[1:])):
            return True, dict(zip(ids, numbers, strict=True))
    return False, {one: place for place, one in enumerate(ids, 1)}


def farthest(scores, direction):
    """The worst score worth showing in full."""
    losses = scores if direction == "min" else -scores
    best, quarter = losses.min(), np.quantile(losses, 0.75)
    limit = best + FAR * (quarter - best)
    limit = losses.max() if quarter == best else min(limit, losses.max())
    return float(limit if direction == "min" else -limit)


def is_beyond(scores, limit, direction):
    """Which scores are worse than the limit."""
    return scores > limit if direction == "min" else scores < limit
