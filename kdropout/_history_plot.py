"""Draws the losses, the gap and the rates of a training."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kdropout import _validation
from kdropout._pictures import (
    BLUE,
    COLORS,
    GREEN,
    GREY,
    ORANGE,
    mark_lost,
    new_figure,
    plain,
    short,
    short_all,
)
from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.callbacks.overfitting_gap import check_validation_freq, is_validated

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 7.0  # inches, as the heights
_HEIGHT_OF_LOSSES, _HEIGHT_OF_GAP, _HEIGHT_OF_RATES = 3.0, 2.0, 2.4
_DPI = 192  # twice the density of a screen

# With more different rates, lines are coloured by the place of the layer in the model,
# because nobody can distinguish more colours.
_MOST_NAMED = len(COLORS)

# Letters of the name of a layer beside the rates.
_LONGEST_NAME = 24

# Lines with at most this many epochs have a dot at each.
_FEW_EPOCHS = 12

_RATE = "rate/"


def plot_history(
    history: keras.callbacks.History | Mapping[str, Sequence[Any]],
    metric: str = "loss",
    mode: str = "auto",
    validation_freq: int | list[int] = 1,
) -> "Figure":
    """Draw the losses, the overfitting gap and the dropout rates of a training.

    The first panel has the metric on the validation data, with its best epoch marked,
    and on the training data with dropout on, as Keras measures it. If `OverfittingGap`
    was among the callbacks, the panel also has the metric on the training data with
    dropout off, and a second panel has the gap. If `RateLogger` was among them, the
    last panel has the rates. Layers with the same rates share a line. Epochs count from
    1, as Keras prints them.

    Args:
        history: What `model.fit` returned, or its attribute `history`: a dict from name
            to a list with a number for each epoch.
        metric: Name of the loss or metric to draw, without "val_". Defaults to "loss".
        mode: "min" if lower values of the metric are better, "max" if higher ones are,
            or "auto" to find out from its name. Defaults to "auto".
        validation_freq: Integer of at least 1, or list of such integers: the value that
            you passed to `fit`. Defaults to 1.

    Returns:
        A `matplotlib.figure.Figure`, which a notebook shows. `figure.savefig(path)`
        writes it, and `figure.axes` holds the panels.

    Raises:
        MissingPackages: If matplotlib is not installed.
        TypeError: If an argument is of the wrong type.
        ValueError: If the history has no epoch, `metric` is not in it or is not one
            number per epoch, `mode` cannot be found out, or `validation_freq` does not
            fit the number of values.

    Example:

    >>> model = keras.Sequential([
    ...     kdropout.layers.Dropout(0.5, name="drop"), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.random.rand(64, 4), np.random.rand(64, 1)
    >>> callbacks = [
    ...     kdropout.callbacks.OverfittingGap((x[:32], y[:32])),
    ...     kdropout.callbacks.RateLogger()]
    >>> history = model.fit(
    ...     x, y, validation_split=0.5, callbacks=callbacks, epochs=2, verbose=0)
    >>> figure = kdropout.plot_history(history)
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'gap', 'rate']
    """
    if not isinstance(metric, str):
        raise _validation.type_error("metric", "a name in the history", metric)
    _validation.choice("mode", mode, ("auto", "min", "max"))
    training = _read(history, check_validation_freq(validation_freq))
    curves = _curves_of_metric(training, metric)
    gaps = _curves_of_gap(training, metric)
    rates = _lines_of_rates(training)
    best = _best_epoch(training, metric, mode)

    heights = [_HEIGHT_OF_LOSSES]
    heights += [_HEIGHT_OF_GAP] if gaps else []
    heights += [_HEIGHT_OF_RATES] if rates else []
    figure = new_figure(
        _WIDTH, sum(heights), "kdropout.plot_history", extra="plot", dpi=_DPI
    )
    panels = figure.subplots(
        len(heights), sharex=True, squeeze=False, height_ratios=heights
    )
    first, *others = panels[:, 0]
    _draw_metric(first, curves, metric, best)
    if gaps:
        _draw_gap(others.pop(0), gaps, metric)
    if rates:
        _draw_rates(others.pop(0), rates)
    for axes in panels[:, 0]:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels(panels[:, 0])
    last = panels[-1, 0]
    last.set_xlabel("epoch")
    last.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    epochs = training.epochs
    margin = 0.5 if len(epochs) == 1 else 0.02 * (epochs[-1] - epochs[0])
    last.set_xlim(epochs[0] - margin, epochs[-1] + margin)
    return figure


@dataclasses.dataclass(frozen=True)
class _Training:
    """The logs of a training: the lists by name, and the numbers of the epochs."""

    logs: dict
    epochs: np.ndarray
    validated: np.ndarray
    model: keras.Model | None

    def curve(self, name, label, **looks):
        """The `_Curve` of an entry of the logs, or None if the logs lack it."""
        if name not in self.logs:
            return None
        values = _numbers(name, self.logs[name])
        if len(values) == len(self.epochs):
            return _Curve(label, self.epochs, values, looks)
        if len(values) == len(self.validated):
            return _Curve(label, self.validated, values, looks)
        raise ValueError(
            "'validation_freq' must be the value that you passed to fit, because "
            f"{name!r} must have a value for each epoch that was validated. Received: "
            f"{len(values)} values of {name!r}, and {len(self.validated)} validated of "
            f"{len(self.epochs)} epochs."
        )


@dataclasses.dataclass(frozen=True)
class _Curve:
    """A line of a panel."""

    label: str
    epochs: np.ndarray
    values: np.ndarray
    looks: dict

    def draw(self, axes):
        finite = np.isfinite(self.values)
        # Without dots, a single number between two missing ones would be invisible.
        is_short = len(self.values) <= _FEW_EPOCHS or not finite.all()
        (line,) = axes.plot(
            self.epochs,
            np.where(finite, self.values, np.nan),
            marker="o" if is_short else None,
            markersize=3.5,
            label=self.label,
            **self.looks,
        )
        return line


def _read(history, validation_freq):
    expected = "what model.fit returned, or its dict from name to a list"
    model = None
    if isinstance(history, keras.callbacks.History):
        model, logs = getattr(history, "model", None), history.history
        epochs = np.array([epoch + 1 for epoch in getattr(history, "epoch", ())], int)
    elif isinstance(history, Mapping):
        logs = history
        sizes = [len(values) for values in logs.values() if _is_list(values)]
        epochs = np.arange(1, max(sizes, default=0) + 1)
    else:
        hint = " Pass model.history." if isinstance(history, keras.Model) else ""
        raise _validation.argument_error(
            TypeError,
            "history",
            f"must be {expected}. Received: a {type(history).__name__}.{hint}",
        )
    logs = {str(name): values for name, values in logs.items()}
    if not logs or not len(epochs):
        raise _validation.argument_error(
            ValueError,
            "history",
            "must have at least one epoch. Received: a history without epochs. Pass "
            "what model.fit returned after it trained.",
        )
    validated = [epoch for epoch in epochs if is_validated(epoch - 1, validation_freq)]
    return _Training(logs, epochs, np.array(validated, int), model)


def _is_list(values):
    return hasattr(values, "__len__") and not isinstance(values, (str, Mapping))


def _numbers(name, values):
    """The list of an entry as an array of floats."""
    try:
        array = np.asarray(values, "float64")
    except (TypeError, ValueError):
        array = None
    if array is None or array.ndim == 0:
        raise TypeError(
            f"'history' must have a list of numbers for each name. Received: "
            f"{name!r}: {_validation.shorten(values)}."
        )
    if array.ndim > 1:
        size = array[0].size
        raise ValueError(
            "'metric' must name a metric that is one number per epoch. Received: "
            f"{name!r}, which has {size} values per epoch. Give the metric an average, "
            "as in keras.metrics.F1Score(average='macro')."
        )
    return array


def _curves_of_metric(training, metric):
    known = [name for name in training.logs if _is_metric(name)]
    if metric not in known and f"val_{metric}" not in training.logs:
        raise ValueError(
            f"'metric' must be the name of a metric in the history. Received: "
            f"metric={metric!r}.{_hint(metric, known)} The history has: "
            f"{', '.join(map(repr, known)) or 'no metric'}."
        )
    curves = [
        training.curve(metric, "training, dropout on", color=BLUE, linestyle="--"),
        training.curve(f"clean_{metric}", "training, dropout off", color=BLUE),
        training.curve(f"val_{metric}", "validation", color=ORANGE, linewidth=2.2),
    ]
    return [curve for curve in curves if curve is not None]


def _is_metric(name):
    prefixes = ("val_", "clean_", "gap_", "naive_gap_")
    return not name.startswith(prefixes) and "/" not in name


def _hint(metric, known):
    for prefix in ("val_", "clean_", "gap_", "naive_gap_"):
        rest = metric.removeprefix(prefix)
        if rest in known:
            return f" Pass metric={rest!r}, which includes this line."
    return _validation.nearest(metric, known)


def _curves_of_gap(training, metric):
    naive = "naive: Keras's losses" if metric == "loss" else "naive: Keras's numbers"
    curves = [
        training.curve(f"naive_gap_{metric}", naive, color=GREY, linestyle="--"),
        training.curve(f"gap_{metric}", "true: dropout off", color=GREEN, linewidth=2),
    ]
    return [curve for curve in curves if curve is not None]


@dataclasses.dataclass(frozen=True)
class _RateLine:
    """The rates that one or several layers had in common."""

    paths: list
    place: int  # of the first of the layers in the model
    curve: _Curve

    def name(self, shortened):
        count = len(self.paths) - 1
        return f"{shortened} and {count} more" if count else shortened


def _lines_of_rates(training):
    """A `_RateLine` for each different course of the rates, in order of the model."""
    names = [name for name in training.logs if name.startswith(_RATE)]
    lines = {}
    for place, name in enumerate(names):
        curve = training.curve(name, "")
        # As bytes, because NaN does not equal NaN.
        line = lines.setdefault(curve.values.tobytes(), _RateLine([], place, curve))
        line.paths.append(name.removeprefix(_RATE))
    return list(lines.values())


def _best_epoch(training, metric, mode):
    """The number of the best epoch and its validation value, or None."""
    curve = training.curve(f"val_{metric}", "")
    if curve is None or not np.isfinite(curve.values).any():
        return None
    if mode == "auto":
        mode = _direction_of(metric, training.model)
    values = np.where(np.isfinite(curve.values), curve.values, np.nan)
    best = np.nanargmin(values) if mode == "min" else np.nanargmax(values)
    return int(curve.epochs[best]), float(values[best])


def _direction_of(metric, model):
    try:
        return "min" if lower_is_better(metric, model, {}) else "max"
    except ValueError:
        raise _validation.argument_error(
            ValueError,
            "mode",
            f"must be 'min' or 'max' for metric={metric!r}, because its name does not "
            "show whether lower values are better. Received: mode='auto'",
        ) from None


def _draw_metric(axes, curves, metric, best):
    for curve in curves:
        curve.draw(axes)
    if best is not None:
        epoch, value = best
        axes.axvline(epoch, color=ORANGE, linewidth=0.8, linestyle=":")
        axes.plot(
            epoch,
            value,
            "*",
            color=ORANGE,
            markersize=13,
            markeredgecolor="black",
            zorder=4,
            label=f"best: {value:.4g} in epoch {epoch}",
        )
    lost = [curve.epochs[~np.isfinite(curve.values)] for curve in curves]
    lost = np.unique(np.concatenate(lost))
    if len(lost):
        epochs = f"{len(lost)} epoch{'s' if len(lost) > 1 else ''}"
        mark_lost(axes, lost, f"NaN or infinite ({epochs})")
    _finish(axes, short(metric))


def _draw_gap(axes, gaps, metric):
    axes.axhline(0.0, color="black", linewidth=0.8)
    for curve in gaps:
        curve.draw(axes)
    _finish(axes, "gap" if metric == "loss" else f"gap of\n{short(metric, 20)}")


def _draw_rates(axes, lines):
    count = sum(len(line.paths) for line in lines)
    if len(lines) > _MOST_NAMED:
        _draw_many_rates(axes, lines, count)
    else:
        names = short_all([line.paths[0] for line in lines], _LONGEST_NAME)
        for line, name, color in zip(lines, names, COLORS, strict=False):
            drawn = line.curve.draw(axes)
            drawn.set(color=color, label=line.name(name))
    highest = max(
        (np.nanmax(line.curve.values, initial=0.0) for line in lines), default=0.0
    )
    top = 1.1 * highest or 1.0
    axes.set_ylim(-0.04 * top, top)
    _finish(axes, "rate")


def _draw_many_rates(axes, lines, count):
    """Draw lines from light for the first layer to dark for the last one."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    # Without the lightest yellow, which is hard to see on white.
    palette = ListedColormap(colormaps["viridis_r"](np.linspace(0.12, 1.0, 256)))
    colors = ScalarMappable(Normalize(0, count - 1), palette)
    for line in lines:
        line.curve.draw(axes).set(color=colors.to_rgba(line.place), linewidth=1.1)
    paths = [path for line in lines for path in line.paths]
    first, last = lines[0].paths[0], lines[-1].paths[-1]
    bar = axes.figure.colorbar(
        colors, cax=axes.inset_axes((1.04, 0.08, 0.025, 0.66)), ticks=(0, count - 1)
    )
    names = short_all([first, last], _LONGEST_NAME)
    bar.ax.set_yticklabels(names)
    for label in bar.ax.get_yticklabels():
        plain(label)
    bar.ax.invert_yaxis()  # the inputs on top, as Keras prints a model
    text = f"{len(paths)} layers, {len(lines)} different lines"
    axes.text(1.03, 0.98, text, transform=axes.transAxes, va="top")


def _finish(axes, ylabel):
    """Set the label, and a legend beside the panel, where it hides nothing."""
    plain(axes.set_ylabel(ylabel))
    if not axes.get_legend_handles_labels()[0]:
        return
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False)
    for text in legend.get_texts():
        plain(text)
