"""Draws the picture of the schedules with the classes themselves.

    python docs/schedule_pictures.py

The script needs the extra `plot` and writes docs/schedules.png.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib

matplotlib.use("Agg")

import keras
import matplotlib.pyplot as plt
import numpy as np

from kdropout.schedules import (
    Curriculum,
    Cyclic,
    EarlyDropout,
    Join,
    LateDropout,
    Ramp,
)

OUTPUT = pathlib.Path(__file__).with_name("schedules.png")
STEPS = 1000  # of the training
# Okabe and Ito 2008: colours that colour-blind people can distinguish. The line styles
# differ as well.
STYLES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."))
PANELS = {
    "Ramp": {
        "Ramp(0, 0.5, 800)": Ramp(0.0, 0.5, 800),
        'curve="cosine"': Ramp(0.0, 0.5, 800, curve="cosine"),
        'Ramp(0.01, ...), curve="exponential"': Ramp(
            0.01, 0.5, 800, curve="exponential"
        ),
    },
    "Ramp, downwards: annealed": {
        "Ramp(0.5, 0, 800)": Ramp(0.5, 0.0, 800),
        "Ramp(0.5, 0, 500, begin=300)": Ramp(0.5, 0.0, 500, begin=300),
        'Ramp(0.5, 0, 800, curve="cosine")': Ramp(0.5, 0.0, 800, curve="cosine"),
    },
    "Curriculum": {
        f"Curriculum(0.5, gamma={gamma})": Curriculum(0.5, gamma)
        for gamma in (0.03, 0.01, 0.003)
    },
    "EarlyDropout, LateDropout": {
        "EarlyDropout(0.5, 400)": EarlyDropout(0.5, 400),
        'EarlyDropout(0.4, 400, "constant")': EarlyDropout(0.4, 400, "constant"),
        "LateDropout(0.5, 600)": LateDropout(0.5, 600),
    },
    "Cyclic": {
        "Cyclic(0, 0.5, period=400)": Cyclic(0.0, 0.5, 400),
        "Cyclic(0.3, 0.5, period=200)": Cyclic(0.3, 0.5, 200),
    },
    "Join": {
        "Join([Ramp(0, 0.5, 300), 0.5,\n      Ramp(0.5, 0.1, 300)], [400, 600])": Join(
            [Ramp(0.0, 0.5, 300), 0.5, Ramp(0.5, 0.1, 300)], [400, 600]
        ),
    },
}


def main():
    figure, grid = plt.subplots(
        2, 3, figsize=(12, 6.2), sharex=True, sharey=True, layout="constrained"
    )
    for axis, (title, schedules) in zip(grid.flat, PANELS.items(), strict=True):
        _panel(axis, title, schedules)
    for axis in grid[-1]:
        axis.set_xlabel("training call of the layer")
    for axis in grid[:, 0]:
        axis.set_ylabel("dropout rate")
    figure.savefig(OUTPUT, dpi=110)
    print(OUTPUT)


def _panel(axis, title, schedules):
    steps = np.arange(STEPS + 1, dtype="float32")
    for (label, schedule), (color, style) in zip(
        schedules.items(), STYLES, strict=False
    ):
        rates = keras.ops.convert_to_numpy(schedule(steps))
        axis.plot(steps, rates, style, color=color, label=label)
    axis.set_title(title)
    axis.set_ylim(-0.02, 0.82)  # room for the legend above the curves
    axis.set_yticks([0.0, 0.25, 0.5, 0.75])
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left", frameon=False, fontsize=9)


if __name__ == "__main__":
    main()
