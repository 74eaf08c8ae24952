"""Draws what Keras shows of a training with dropout, and what is true.

    python docs/gap_picture.py

Trains on the digits of `kdropout demo`, in half a minute, and writes
docs/overfitting_gap.png. Needs: pip install ".[demo]"
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kdropout.callbacks import OverfittingGap
from kdropout.demo.training import Arm, ShuffledBatches, build_model, noisy_digits

OUTPUT = pathlib.Path(__file__).with_name("overfitting_gap.png")
SEED, EPOCHS, RATE, WRONG_LABELS = 0, 45, 0.7, 0.3
LAST = 5  # epochs whose mean is the gap at the end
VALIDATION, TRAINING = "#0072B2", "#D55E00"  # for colour-blind readers


def main():
    history = train()
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    shown, true = figure.subplots(1, 2, sharey=True)
    draw(shown, history, "loss", "training loss, dropout on")
    shown.set_title("What Keras shows", fontsize="x-large")
    draw(true, history, "clean_loss", "training loss, dropout off")
    true.set_title("What is true", fontsize="x-large")
    shown.set_ylabel("loss (nats)")
    FigureCanvasAgg(figure).print_figure(OUTPUT, dpi=160)


def train():
    digits = noisy_digits(SEED, WRONG_LABELS)
    arm = Arm("constant", "constant", lambda steps, samples: RATE)
    model = build_model(arm, SEED, EPOCHS, len(digits.training[0]))
    return model.fit(
        ShuffledBatches(digits.training, 32, SEED),
        epochs=EPOCHS,
        validation_data=digits.validation,
        callbacks=[OverfittingGap(digits.training)],
        verbose=0,
    ).history


def draw(axes, history, name, label):
    epochs = range(1, EPOCHS + 1)
    training, validation = history[name], history["val_loss"]
    axes.plot(
        epochs, validation, color=VALIDATION, linewidth=2, label="validation loss"
    )
    axes.plot(epochs, training, "--", color=TRAINING, linewidth=2, label=label)
    axes.fill_between(epochs, training, validation, color=TRAINING, alpha=0.12)
    gap = sum(validation[-LAST:]) / LAST - sum(training[-LAST:]) / LAST
    axes.annotate(
        f"gap at the end: {gap:.2f}",
        xy=(0.97, 0.04),
        xycoords="axes fraction",
        ha="right",
        fontsize="large",
        fontweight="bold",
    )
    axes.legend(frameon=False, fontsize="large")
    axes.set_xlabel("epoch")
    axes.set_ylim(0.75, 2.5)
    axes.margins(x=0.02)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    keras.utils.set_random_seed(SEED)
    main()
