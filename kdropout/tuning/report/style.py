"""How the pictures of a report look."""

import contextlib
import warnings

from kdropout.files import replacing
from kdropout.tuning.report.optional import require

# Colours that colour-blind people can tell apart (Okabe and Ito 2008).
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
DPI = 150


def new_figure(width, height):
    """A figure of this size in inches, on white.

    Not by pyplot: it would touch the backend and the figures of a user's notebook.
    """
    figure = require("matplotlib.figure", "A picture")
    made = figure.Figure((width, height), dpi=DPI, layout="constrained")
    made.set_facecolor("white")
    made.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return made


def write_png(figure, path):
    """Write a figure into a PNG file, whole or not at all."""
    backend = require("matplotlib.backends.backend_agg", "A picture")
    canvas = backend.FigureCanvasAgg(figure)
    with replacing(path) as temporary, _boxes_for_unknown_letters():
        canvas.print_png(temporary)


def plain(text):
    """Make a text of matplotlib show '$' as it is, not as a formula."""
    text.set_parse_math(False)
    return text


def title(axes, text, **options):
    """The title of axes, in which a name may stand."""
    plain(axes.set_title(text, **{"fontsize": 11, **options}))


def names(axis, positions, labels):
    """Ticks that are names."""
    axis.set_ticks(positions, labels)
    for label in axis.get_ticklabels():
        plain(label)


def note(axes, text):
    """Say in the middle of empty axes why they are."""
    axes.set_axis_off()
    centre = {"ha": "center", "va": "center", "wrap": True, "color": "0.25"}
    plain(axes.text(0.5, 0.5, text, transform=axes.transAxes, fontsize=11, **centre))


@contextlib.contextmanager
def _boxes_for_unknown_letters():
    """A letter that the font lacks is drawn as a box, which says enough."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield
