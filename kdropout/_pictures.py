"""Colours, figures and short names for the pictures of this package."""

import contextlib
import os
import warnings

from kdropout._requirements import can_import, check_packages

# Colours that are distinct for colour-blind people (Okabe and Ito 2008).
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
# All of them, for lines that a legend names.
COLORS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")

# A longer name would leave no room for the picture.
_LONGEST_NAME = 34
_DOTS = "..."


def new_figure(width, height, purpose="A picture", extra="tuner", dpi=150):
    """Return a white figure of this size in inches.

    This does not use pyplot, which would change the backend and the figures of a
    notebook.
    """
    packages = {"matplotlib": "matplotlib.figure"}
    check_packages(purpose, packages, extra, is_there=can_import)
    from kdropout._shown_figure import ShownFigure

    figure = ShownFigure((width, height), dpi=dpi, layout="constrained")
    figure.set_facecolor("white")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return figure


def plain(text):
    """Make a text of matplotlib show '$' as it is, not as a formula."""
    text.set_parse_math(False)
    return text


def set_title(axes, text, fontsize=11):
    """Set the title of axes. It may contain the name of a layer."""
    plain(axes.set_title(text, fontsize=fontsize))


def mark_lost(axes, places, label):
    """Draw a cross at the bottom of axes for each value that is missing."""
    axes.plot(
        places,
        [0.03] * len(places),
        "x",
        color="black",
        transform=axes.get_xaxis_transform(),
        label=label,
    )


@contextlib.contextmanager
def boxes_for_unknown_letters():
    """Draw letters that the font lacks as boxes, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


# Names that are short enough for a picture and still different.


def short(name, longest=_LONGEST_NAME):
    """Shorten a name in the middle if it is too long.

    >>> short("encoder/block_11/attention/dropout", 20)
    'encoder/b.../dropout'
    """
    name = " ".join(name.split())
    if len(name) <= longest:
        return name
    tail = (longest - len(_DOTS)) // 2
    return f"{name[: longest - len(_DOTS) - tail]}{_DOTS}{name[-tail:]}"


def short_all(names, longest=_LONGEST_NAME):
    """Shorten names like `short`, but around their difference if they became equal.

    >>> short_all(["encoder/block_1/attention", "encoder/block_2/attention"], 16)
    ['.../block_1/a...', '.../block_2/a...']
    """
    names = [" ".join(name.split()) for name in names]
    shortened = [short(name, longest) for name in names]
    alike = [
        name
        for name, shorter in zip(names, shortened, strict=True)
        if shortened.count(shorter) > 1
    ]
    start = len(os.path.commonprefix(alike))
    return [
        _around(name, start, longest) if name in alike else shorter
        for name, shorter in zip(names, shortened, strict=True)
    ]


def _around(name, start, longest):
    """The part of a name around `start`, of `longest` letters with its dots."""
    room = longest - 2 * len(_DOTS)
    slash = name.rfind("/", 0, start)
    begin = max(0, slash if start - slash < room else start - room // 2)
    end = begin + room
    before = _DOTS if begin else ""
    after = _DOTS if end < len(name) else ""
    return f"{before}{name[begin:end]}{after}"
