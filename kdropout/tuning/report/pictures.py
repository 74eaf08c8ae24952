"""The pictures of a report: which there are, how large, and into which file."""

from kdropout.tuning.report import style
from kdropout.tuning.report.picture_confirmation import draw_confirmation
from kdropout.tuning.report.picture_importance import draw_importance
from kdropout.tuning.report.picture_marginals import draw_marginals, shape_of
from kdropout.tuning.report.picture_trials import draw_trials

FILES = {
    "trials": "trials.png",
    "importance": "importance.png",
    "marginals": "marginals.png",
    "confirmation": "confirmation.png",
}

# Curves in the overview, which has room for a few only.
FEW = 4


def draw_all(report, folder):
    """Draw each picture into a file of its own.

    Args:
        report: `Report`.
        folder: `pathlib.Path` of a folder that is there.

    Returns:
        List of the paths of the files.
    """
    written = []
    for name, path in FILES.items():
        if name == "confirmation" and report.confirmation is None:
            continue
        figure = _one(report, name)
        style.write_png(figure, folder / path)
        written.append(folder / path)
    return written


def draw_overview(report, path):
    """Draw all into one file."""
    rows = max(4.2, 1.6 + 0.3 * _bars(report), 1.6 + 0.55 * _comparisons(report))
    figure = style.new_figure(15, 4.6 + rows)
    (first, second), (third, fourth) = figure.subfigures(
        2, 2, wspace=0.04, hspace=0.04, height_ratios=(4.6, rows)
    )
    draw_trials(report, first.subplots())
    draw_marginals(report, second, most=FEW)
    draw_importance(report, third.subplots())
    draw_confirmation(report, fourth.subplots())
    style.write_png(figure, path)


def _one(report, name):
    if name == "trials":
        figure = style.new_figure(8, 4.6)
        draw_trials(report, figure.subplots())
    elif name == "importance":
        figure = style.new_figure(8, 2.0 + 0.34 * _bars(report))
        draw_importance(report, figure.subplots())
    elif name == "marginals":
        rows, columns = shape_of(report)
        figure = style.new_figure(max(7, 2.9 * columns), 1.6 + 2.4 * rows)
        draw_marginals(report, figure)
    else:
        figure = style.new_figure(9, 2.0 + 0.6 * _comparisons(report))
        draw_confirmation(report, figure.subplots())
    return figure


def _bars(report):
    return max(2, min(24, len(report.importance.features)))


def _comparisons(report):
    return 1 if report.confirmation is None else len(report.confirmation.comparisons)
