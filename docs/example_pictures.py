"""The pictures of docs/examples.md, drawn from the variables that an example leaves.

    python docs/example_pictures.py             # all; about five minutes
    python docs/example_pictures.py 08_auto_rate

Runs the examples, prints their output, and writes docs/examples/NAME.png.
Needs in a clone: pip install ".[tuner]"
"""

import os
import pathlib
import runpy
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "examples"
SIZE = (5.2, 2.8)  # inches: a phone shows the text at about 10 pixels
STYLE = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 10}

# Okabe and Ito 2008: colours that colour-blind people can distinguish.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


def main():
    for name in sys.argv[1:] or PICTURES:
        print(f"== {name}", flush=True)
        keras.utils.clear_session()  # layers are numbered from the beginning again
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            names = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))
            os.chdir(ROOT)
        with rc_context(STYLE):
            figure = Figure(figsize=SIZE, dpi=200, layout="constrained")
            canvas = FigureCanvasAgg(figure)
            PICTURES[name](figure, names)
            canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        image.quantize(64).save(FOLDER / f"{name}.png", optimize=True)


def draw_schedule(figure, names):
    rate, loss = figure.subplots(1, 2)
    draw_epochs(rate, "rate of both layers", names["history"]["rate/drop1"])
    draw_epochs(loss, "training loss", names["history"]["loss"], ORANGE)


def draw_controller(figure, names):
    rate, gap = figure.subplots(1, 2)
    history = names["history"]
    draw_epochs(rate, "rate of both layers", history["rate/drop1"])
    draw_epochs(gap, "overfitting gap (nats)", history["gap_loss"], label="clean")
    draw_epochs(gap, None, history["naive_gap_loss"], ORANGE, "--", label="naive")
    gap.axhline(names["TARGET"], color="black", linestyle=":", label="target")
    gap.legend(frameon=False)


def draw_learned_rate(figure, names):
    axis = figure.subplots()
    looks = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."))
    for name, (color, line) in zip(names["names"], looks, strict=True):
        label = name.removeprefix("rate/")
        draw_epochs(axis, "learned rate", names["history"][name], color, line, label)
    axis.legend(frameon=False)


def draw_existing_model(figure, names):
    rate, gap = figure.subplots(1, 2)
    history = names["history"]
    draw_epochs(rate, "rate of the head", history["rate/dropout"])
    draw_epochs(gap, "overfitting gap (nats)", history["gap_loss"], label="clean")
    gap.axhline(names["TARGET"], color="black", linestyle=":", label="target")
    gap.legend(frameon=False)


def draw_uncertainty(figure, names):
    axis = figure.subplots()
    looks = {"known": (BLUE, "-"), "unknown": (ORANGE, "--")}
    for name, answer in names["answers"].items():
        color, line = looks[name]
        above = 1 - np.arange(len(answer.entropy)) / len(answer.entropy)
        axis.step(
            np.sort(answer.entropy), above, line, color=color, label=f"{name} digits"
        )
    axis.set_xlabel("entropy $h$ (nats)")
    axis.set_title("share of images with an entropy above $h$", fontsize=10)
    axis.set_xlim(0)
    axis.legend(frameon=False)


def draw_tune(figure, names):
    axis = figure.subplots()
    trials = names["tuner"].oracle.trials.values()
    first, second = (
        [trial.hyperparameters.get(f"rate/drop{number}") for trial in trials]
        for number in (1, 2)
    )
    scores = [trial.score for trial in trials]
    dots = axis.scatter(first, second, c=scores, s=60, cmap="cividis")
    best = names["rates"]
    axis.plot(best["drop1"], best["drop2"], "o", ms=14, mfc="none", mec=ORANGE)
    axis.set(xlabel="rate of drop1", ylabel="rate of drop2")
    figure.colorbar(dots, ax=axis, label="validation loss of the trial")


def draw_auto_rate(figure, names):
    rate, loss = figure.subplots(1, 2)
    history = names["model"].history.history
    draw_epochs(rate, "rate of both layers", history["rate/dropout"])
    draw_epochs(loss, "loss (nats)", history["val_loss"], label="validation")
    draw_epochs(loss, None, history["loss"], ORANGE, "--", label="training")
    loss.legend(frameon=False)


def draw_pairs(figure, names):
    """A line for each seed, from the error without dropout to the error with it."""
    axis = figure.subplots()
    pairs = np.stack([names["plain"], names["errors"]])
    axis.plot([0, 1], pairs, "o-", color="0.6")
    axis.plot([0, 1], pairs.mean(axis=1), "o-", color=BLUE, lw=3, label="mean")
    axis.set_xticks([0, 1], ["without dropout", "with dropout"])
    axis.set_xlim(-0.3, 1.3)
    axis.set_title("test error (%), a line for each seed", fontsize=10)
    axis.legend(frameon=False)


def draw_epochs(axis, title, values, color=BLUE, line="-", label=None):
    epochs = np.arange(1, len(values) + 1)
    axis.plot(epochs, values, line, color=color, lw=2, label=label)
    axis.set_xlabel("epoch")
    axis.autoscale(axis="y")
    if axis.get_ylim()[0] > 0:
        axis.set_ylim(bottom=0)
    if title:
        axis.set_title(title, fontsize=10)


# Not 07_tensorboard and quickstart, which have pictures elsewhere in docs/.
PICTURES = {
    "01_schedule": draw_schedule,
    "02_gap_controller": draw_controller,
    "03_learned_rate": draw_learned_rate,
    "04_existing_model": draw_existing_model,
    "05_uncertainty": draw_uncertainty,
    "06_tune": draw_tune,
    "08_auto_rate": draw_auto_rate,
    "09_fine_tuning": draw_pairs,
    "10_tabular": draw_pairs,
    "11_text": draw_pairs,
}


if __name__ == "__main__":
    main()
