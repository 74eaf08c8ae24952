"""Functions and colours that all pictures of the studies use."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from kdropout import _statistics
from kdropout._files import replacing

# Okabe and Ito's colours, which colour-blind readers can distinguish, and markers.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vP*"


def panels(count, width=3.7, height=3.2, rows=1, sharey=False):
    """A figure and its axes, side by side or in rows, with one scale on request."""
    columns = count // rows
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, sharey=sharey).ravel()


def line(axis, x, groups, number, label=None):
    """Draw means with their 95 % intervals, one group of numbers for each x."""
    found = [_statistics.interval(group) for group in groups]
    axis.errorbar(
        x,
        [one.mean for one in found],
        [one.half_width for one in found],
        color=COLORS[number % len(COLORS)],
        marker=MARKERS[number % len(MARKERS)],
        markersize=5,
        linewidth=1.3,
        capsize=3,
        label=label,
    )


def differences(axis, labels, groups, baseline, count=1):
    """Draw paired differences to a baseline with their intervals, one per line."""
    confidence = _statistics.for_all_of(count)
    for place, group in enumerate(groups):
        found = _statistics.paired(group, baseline, confidence)
        color = {"better": COLORS[2], "worse": COLORS[1]}.get(found.verdict, "0.4")
        axis.errorbar(
            found.mean, place, xerr=found.half_width, color=color, marker="o", capsize=3
        )
    axis.axvline(0.0, color="0.6", linewidth=0.8)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.5, -0.5)  # no row lies on the border
    axis.locator_params("x", nbins=5)


def finish(axis, title, xlabel, ylabel=""):
    """Add the title and the labels, and a legend if there are named lines."""
    axis.set_title(title, fontsize=10)
    axis.set_xlabel(xlabel)
    axis.set_ylabel(ylabel)
    axis.spines[["top", "right"]].set_visible(False)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(frameon=False, fontsize=8)


def task(samples, noise):
    """The title of a panel with the training data."""
    return f"MNIST, {samples:,} images, {noise:.0%} wrong labels"


def save(figure, path):
    """Write the picture, completely or not at all.

    It has at least twice the pixels of its place on a page, and 64 colours.
    """
    figure.set_dpi(200)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    with replacing(path) as temporary:
        image.quantize(64).save(temporary, "PNG", optimize=True)
