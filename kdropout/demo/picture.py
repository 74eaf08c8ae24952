"""Draws the results as a picture."""

import numpy as np

from kdropout import _statistics
from kdropout._files import replacing
from kdropout.demo.report import errors_of, fits_of
from kdropout.demo.training import ARMS, TARGET

# Colours that colour-blind people can distinguish (Okabe and Ito 2008), and dashes and
# markers for paper without colours.
STYLES = {
    "no_dropout": ("#000000", (), "o"),
    "fixed": ("#E69F00", (7, 2), "s"),
    "scheduled": ("#009E73", (5, 1.5, 1, 1.5), "^"),
    "learned": ("#CC79A7", (1.2, 1.2), "D"),
    "controlled": ("#0072B2", (3, 1), "v"),
}


def draw(fits, noise, path):
    """Draw gaps, rates and test errors into a PNG file."""
    # Without pyplot, which would change the backend and figures of a user's notebook.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 8), dpi=200, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.get_layout_engine().set(wspace=0.05, hspace=0.05)
    (clean, naive), (rate, error) = figure.subplots(2, 2)
    naive.sharey(clean)
    for arm in ARMS:
        _draw_curves(clean, fits, arm, "gap_loss")
        _draw_curves(naive, fits, arm, "naive_gap_loss")
        _draw_curves(rate, fits, arm, "rate/")
    _finish_gaps(clean, naive)
    _finish_rates(rate)
    _draw_errors(error, fits)
    num_seeds = len(fits_of(fits, ARMS[0]))
    figure.suptitle(
        "Five ways to decide the dropout rate\n"
        f"Digits, {100 * noise:g} % of the training and validation labels random\n"
        f"Lines: mean over {num_seeds} seeds. Bands: from the lowest to the highest.",
        fontsize="large",
    )
    handles, labels = clean.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3,
        handlelength=3.5,
        frameon=False,
    )
    with replacing(path) as temporary:
        canvas.print_png(temporary)


def _draw_curves(axes, fits, arm, prefix):
    """The mean over seeds of each entry of the history that begins with `prefix`."""
    colour, dashes, _ = STYLES[arm.name]
    of_arm = fits_of(fits, arm)
    names = [name for name in of_arm[0].history if name.startswith(prefix)]
    for index, name in enumerate(names):
        values = np.array([fit.history[name] for fit in of_arm])
        epochs = np.arange(1, values.shape[1] + 1)
        thin = 1.0 if index == 0 else 2.0
        axes.plot(
            epochs,
            values.mean(axis=0),
            color=colour,
            # The width scales the dashes, so that those of two equal lines coincide.
            linestyle=(0, [thin * dash for dash in dashes]),
            linewidth=2.2 / thin,
            marker="." if len(epochs) == 1 else None,  # one point makes no line
            label=arm.label if index == 0 else None,
        )
        lowest, highest = values.min(axis=0), values.max(axis=0)
        axes.fill_between(epochs, lowest, highest, color=colour, alpha=0.1, linewidth=0)


def _finish_gaps(clean, naive):
    clean.set_title("Clean gap: losses without dropout", fontsize="medium")
    naive.set_title("Naive gap: losses as Keras logs them", fontsize="medium")
    for axes in (clean, naive):
        _finish_epochs(axes)
        axes.set_ylabel("validation minus training loss (nats)")
        axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    colour = STYLES["controlled"][0]
    clean.axhline(TARGET, color=colour, linewidth=0.8)
    clean.annotate(
        f"target {TARGET:g}",
        xy=(0.01, TARGET),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        color=colour,
        fontsize="small",
    )


def _finish_rates(axes):
    _finish_epochs(axes)
    axes.set_title("Dropout rate (thin: second layer)", fontsize="medium")
    axes.set_ylabel("probability of dropping a unit")
    axes.set_ylim(-0.03, 0.93)


def _finish_epochs(axes):
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.margins(x=0.01)
    axes.grid(alpha=0.25)


def _draw_errors(axes, fits):
    for row, arm in enumerate(ARMS):
        colour, _, marker = STYLES[arm.name]
        errors = errors_of(fits, arm)
        value = _statistics.interval(errors)
        axes.errorbar(
            value.mean,
            row,
            xerr=value.half_width,
            color=colour,
            marker=marker,
            markersize=8,
            capsize=5,
            linewidth=2,
        )
        below = row + np.linspace(0.17, 0.33, len(errors))  # equal ones side by side
        axes.plot(errors, below, "o", color=colour, markersize=3)
        axes.annotate(
            f"{value.mean:.1f} %",
            xy=(value.mean, row),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
        )
    axes.set_title("Test error, 95 % interval (Student's t)", fontsize="medium")
    axes.set_xlabel("wrong test images (%); dots: seeds")
    axes.set_yticks(range(len(ARMS)), [arm.label for arm in ARMS])
    axes.set_ylim(len(ARMS) - 0.5, -0.5)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.grid(axis="x", alpha=0.25)
