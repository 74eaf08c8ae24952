"""Draws the pictures of docs/methods, which show the mask of each method.

    python -m docs.mask_pictures

This takes about 20 seconds and needs the extra `demo`. Each picture shows masks that
the layer of its page drew. The script writes docs/methods/*.png.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops
from matplotlib import colors, ticker
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image
from sklearn.datasets import load_digits

import kdropout
from kdropout import layers, schedules
from kdropout._files import replacing

FOLDER = pathlib.Path(__file__).parent / "methods"
SIZE = (9.0, 3.5)  # inches, of 100 pixels

# Okabe and Ito 2008: colours that colour-blind people can distinguish.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
DROPPED, KEPT = "#2B2B2B", "#A6D3F0"
MASK = colors.ListedColormap([DROPPED, KEPT])


def main():
    for name, draw in PICTURES.items():
        figure = Figure(figsize=SIZE, dpi=100, layout="constrained")
        figure.get_layout_engine().set(w_pad=0.1, wspace=0.04)
        canvas = FigureCanvasAgg(figure)
        draw(figure)
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        with replacing(FOLDER / f"{name}.png") as temporary:
            image.quantize(96).save(temporary, optimize=True)  # a fifth of the size


def train(layer, inputs):
    """The outputs of a layer in a training step."""
    inputs = np.asarray(inputs, "float32")
    return ops.convert_to_numpy(layer(inputs, training=True))


def draw_dropout(figure):
    single, shared = figure.subplots(1, 2)
    keep = train(layers.Dropout(0.3, seed=1), np.ones((12, 24))) > 0
    show_mask(single, keep, "Dropout(0.3)", "unit", "sample of the batch")
    same = layers.Dropout(0.3, noise_shape=(None, 1, None), seed=12)
    keep = train(same, np.ones((1, 12, 24)))[0] > 0
    title = "noise_shape=(None, 1, None)"
    show_mask(shared, keep, title, "feature", "timestep of one sample")
    explain_mask(figure)


def draw_spatial_dropout(figure):
    maps = feature_maps()
    drop = layers.SpatialDropout2D(0.3, data_format="channels_last", seed=3)
    thinned = train(drop, maps[None])[0]
    keep = thinned.any(axis=(0, 1))
    axes = figure.subplots(2, maps.shape[-1])
    for channel in range(maps.shape[-1]):
        rows = zip(axes[:, channel], (maps, thinned), strict=True)
        for row, values in rows:
            row.imshow(values[..., channel], cmap="Blues_r", vmin=0, vmax=maps.max())
            row.set_xticks([])
            row.set_yticks([])
        axes[0, channel].set_title(f"channel {channel}", fontsize="medium")
        label = "kept" if keep[channel] else "dropped"
        axes[1, channel].set_xlabel(
            label, color="black" if keep[channel] else "#B00000"
        )
    axes[0, 0].set_ylabel("inputs")
    axes[1, 0].set_ylabel("outputs")
    figure.suptitle("SpatialDropout2D(0.3): the feature maps of one sample")


def draw_gaussian_dropout(figure):
    rate, shape = 0.2, (12, 24)
    field, histogram = figure.subplots(1, 2)
    factors = train(layers.GaussianDropout(rate, seed=1), np.ones(shape))
    norm = colors.Normalize(-0.5, 2.5)
    image = field.pcolormesh(factors, cmap="PuOr", norm=norm, edgecolors="white")
    label_field(field, f"GaussianDropout({rate})", "unit", "sample of the batch")
    bar = figure.colorbar(image, ax=field, location="bottom", shrink=0.8, aspect=30)
    bar.set_label("factor of the unit")
    many = train(layers.GaussianDropout(rate, seed=2), np.ones((500, 200))).ravel()
    bins = np.linspace(-0.75, 2.75, 71)
    weights = np.full(many.shape, 1 / many.size)
    label = "GaussianDropout"
    histogram.hist(many, bins, weights=weights, color=ORANGE, label=label)
    other = train(layers.Dropout(rate, seed=2), np.ones((500, 200)))
    values, counts = np.unique(other, return_counts=True)
    histogram.vlines(values, 0, 0.055, color=BLUE, linewidth=4, label="Dropout")
    for value, count in zip(values, counts, strict=True):
        share = f"{count / other.size:.0%}".replace("%", " %")
        histogram.annotate(share, (value, 0.056), ha="center", color=BLUE)
    histogram.yaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
    histogram.set_xlabel("factor of the unit")
    histogram.set_ylabel("share of units")
    histogram.set_ylim(0, 0.082)
    histogram.set_title("Both: mean 1, variance 0.25", fontsize="medium")
    histogram.legend(frameon=False, ncols=2, loc="upper center")


def draw_alpha_dropout(figure):
    rate = 0.1
    field, histogram = figure.subplots(1, 2)
    zeros = np.zeros((12, 24))
    keep = train(layers.AlphaDropout(rate, seed=1), zeros) > 0  # kept units are `b`
    show_mask(field, keep, f"AlphaDropout({rate})", "unit", "sample of the batch")
    rng = np.random.default_rng(1)
    units = ops.convert_to_numpy(ops.selu(rng.normal(size=200_000).astype("float32")))
    outputs = {
        "before": units,
        "AlphaDropout": train(layers.AlphaDropout(rate, seed=1), units),
        "Dropout": train(layers.Dropout(rate, seed=1), units),
    }
    bins = np.linspace(-2.2, 4, 63)
    styles = ("0.75", BLUE, ORANGE)
    for (name, values), color in zip(outputs.items(), styles, strict=True):
        mean = round(float(values.mean()), 2) + 0.0  # avoids -0
        moments = f"mean {mean:.2f}, variance {values.var():.2f}"
        histogram.hist(
            values,
            bins,
            weights=np.full(values.shape, 1 / values.size),
            color=color,
            histtype="stepfilled" if name == "before" else "step",
            linewidth=1.8,
            label=f"{name}: {moments}",
        )
    histogram.yaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
    histogram.set_ylim(0, 0.22)
    histogram.set_xlabel("value of a unit after SELU")
    histogram.set_ylabel("share of units")
    histogram.legend(frameon=False, fontsize="small")
    explain_mask(figure)


def draw_drop_block(figure):
    rate, shape = 0.2, (1, 28, 28, 1)
    axes = figure.subplots(1, 4)
    drops = {
        "Dropout": layers.Dropout(rate, seed=1),
        "block_size=3": layers.DropBlock2D(rate, 3, seed=2),
        "block_size=7": layers.DropBlock2D(rate, 7, seed=6),
        "block_size=(3, 14)": layers.DropBlock2D(rate, (3, 14), seed=1),
    }
    for axis, (title, drop) in zip(axes, drops.items(), strict=True):
        keep = train(drop, np.ones(shape))[0, ..., 0] > 0
        title += f"\n{1 - keep.mean():.0%} dropped".replace("%", " %")
        show_mask(axis, keep, title, "column", "row")
        axis.set_aspect("equal")
    figure.suptitle(f"One channel of 28 x 28, rate {rate}: Dropout, and DropBlock2D")
    explain_mask(figure)


def draw_drop_path(figure):
    depth, samples = 12, 32
    axes = figure.subplots()
    rates = schedules.depth_rates(depth, last=0.5)
    keep = [
        train(layers.DropPath(rate, seed=index + 1), np.ones((samples, 4)))[:, 0] > 0
        for index, rate in enumerate(rates)
    ]
    title = "DropPath(rate) in each block, with depth_rates(12, last=0.5)"
    show_mask(axes, np.array(keep), title, "sample of the batch", "block, and its rate")
    names = [f"{index + 1}:  {rate:.2f}" for index, rate in enumerate(rates)]
    axes.set_yticks(np.arange(depth) + 0.5, names, fontsize="small")
    explain_mask(figure)


def draw_token_dropout(figure):
    batch, sample = figure.subplots(1, 2)
    drop = layers.TokenDropout(0.3, num_prefix_tokens=1, seed=2)
    keep = train(drop, np.ones((12, 24, 16))) > 0
    title = "TokenDropout(0.3, num_prefix_tokens=1)"
    show_mask(batch, keep[..., 0], title, "token", "sample of the batch")
    show_mask(sample, keep[0].T, "The first sample", "token", "feature")
    explain_mask(figure)


def draw_head_dropout(figure):
    axes = figure.subplots()
    factors = train(layers.HeadDropout(0.3, seed=1), np.ones((8, 12, 4)))[..., 0]
    title = "HeadDropout(0.3): by what the outputs of a head are multiplied"
    show_mask(axes, factors > 0, title, "head", "sample of the batch")
    for (row, column), factor in np.ndenumerate(factors):
        if factor:
            place = (column + 0.5, row + 0.5)
            axes.annotate(f"{factor:.2f}", place, ha="center", va="center")
    names = [f"{(row > 0).sum()} of 12 kept" for row in factors]
    axes.set_yticks(np.arange(8) + 0.5, names)
    explain_mask(figure)


def draw_drop_connect(figure):
    inputs, units, rate = 12, 24, 0.3
    weights, rows = figure.subplots(1, 2)
    dense = keras.layers.Dense(units, kernel_initializer="ones")
    # The rows of the identity give the rows of the kernel. They share one mask.
    kernel = train(layers.DropConnect(dense, rate, seed=4), np.eye(inputs))
    title = f"DropConnect(Dense({units}), {rate})"
    show_mask(weights, kernel > 0, title, "unit of the layer", "input")
    keep = train(layers.Dropout(rate, seed=6), np.ones((1, inputs)))[0] > 0
    keep = np.repeat(keep[:, None], units, axis=1)
    title = f"Dropout({rate}) before the layer, one sample"
    show_mask(rows, keep, title, "unit of the layer", "input")
    figure.suptitle("The weights of the kernel that take part")
    explain_mask(figure)


def draw_concrete_dropout(figure):
    relaxed, learned = figure.subplots(1, 2)
    rate, units = 0.3, 4000
    styles = {
        "0.01": (0.01, "black", ":"),
        "0.1 (Dense)": (0.1, BLUE, "-"),
        "2/3 (Conv)": (2 / 3, ORANGE, "--"),
    }
    for name, (temperature, color, line) in styles.items():
        identity = keras.layers.Dense(units, kernel_initializer="identity")
        drop = layers.ConcreteDropout(
            identity, initial_rate=rate, temperature=temperature, seed=1
        )
        keep = np.sort(train(drop, np.ones((1, units)))[0]) * (1 - rate)
        share = (np.arange(units) + 0.5) / units
        label = f"temperature {name}"
        relaxed.plot(share, keep, color=color, linestyle=line, label=label)
    relaxed.set_title(
        f"Mask at rate {rate}, units in ascending order", fontsize="medium"
    )
    relaxed.set_xlabel("share of the units")
    relaxed.set_ylabel("mask: 0 dropped, 1 kept")
    relaxed.legend(frameon=False)
    history = learn_rates()
    for name, color, line in (("first", BLUE, "-"), ("second", ORANGE, "--")):
        rates = history[f"rate/{name}"]
        epochs = np.arange(1, len(rates) + 1)
        learned.plot(epochs, rates, color=color, linestyle=line, label=f"{name} layer")
    learned.set_title("Learned rates, digits, both from 0.1", fontsize="medium")
    learned.set_xlabel("epoch")
    learned.set_ylabel("rate")
    learned.set_ylim(bottom=0)
    learned.legend(frameon=False)
    for axes in (relaxed, learned):
        axes.grid(alpha=0.25)


def draw_standout(figure):
    curves, field = figure.subplots(1, 2)
    driven = np.linspace(-6, 6, 25)
    for alpha, beta, color, line in (
        (1.0, 0.0, BLUE, "-"),
        (1.0, 2.0, GREEN, "-."),
        (3.0, 0.0, ORANGE, "--"),
        (0.0, 0.0, "black", ":"),
    ):
        share = standout_keep(driven, alpha, beta, samples=2000).mean(axis=0)
        expected = 1 / (1 + np.exp(-alpha * driven - beta))
        label = f"alpha={alpha:g}, beta={beta:g}"
        curves.plot(driven, expected, color=color, linestyle=line, label=label)
        curves.plot(driven, share, ".", color=color)
    curves.set_title("Lines: sigmoid; dots: share kept of 2000", fontsize="medium")
    curves.set_xlabel("drive (a @ W) of the unit")
    curves.set_ylabel("probability of keeping")
    curves.legend(frameon=False, fontsize="small")
    curves.grid(alpha=0.25)
    keep = standout_keep(driven, 1.0, 0.0, samples=12)
    title = "One mask, alpha=1, beta=0"
    show_mask(field, keep, title, "unit, by its drive", "sample of the batch")
    places = np.arange(0, 25, 4)
    field.set_xticks(places + 0.5, [f"{value:g}" for value in driven[places]])
    explain_mask(figure)


def show_mask(axes, keep, title, columns, rows):
    """Draw a mask: kept units are light, dropped units are dark."""
    edges = "white" if keep.size < 700 else "none"
    axes.pcolormesh(keep, cmap=MASK, vmin=0, vmax=1, edgecolors=edges, linewidth=0.5)
    label_field(axes, title, columns, rows)


def label_field(axes, title, columns, rows):
    axes.invert_yaxis()
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel(columns)
    axes.set_ylabel(rows)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def explain_mask(figure):
    handles = [Patch(color=KEPT, label="kept"), Patch(color=DROPPED, label="dropped")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)


def feature_maps():
    """Eight feature maps of a digit: edges and bars in four directions."""
    image = load_digits().images[0] / 16.0
    image = np.kron(image, np.ones((2, 2)))[None, ..., None]
    edge = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    slope = np.array([[0, 1.0, 2], [-1, 0, 1], [-2, -1, 0]])
    kernels = [np.rot90(kernel, turn) for turn in range(4) for kernel in (edge, slope)]
    kernels = np.stack(kernels, axis=-1)[:, :, None]
    maps = ops.conv(image.astype("float32"), kernels.astype("float32"), padding="same")
    return ops.convert_to_numpy(ops.relu(maps))[0]


def standout_keep(driven, alpha, beta, samples):
    """The mask of a Standout layer whose units have these drives."""
    dense = keras.layers.Dense(len(driven), kernel_initializer="identity")
    dense.build((None, len(driven)))
    dense.bias.assign(np.full(len(driven), 100.0))  # so no kept output is 0
    layer = layers.Standout(dense, alpha=alpha, beta=beta, seed=1)
    return train(layer, np.tile(driven, (samples, 1))) > 0


def learn_rates():
    """The history of a small network whose two rates are learned."""
    keras.utils.set_random_seed(0)
    x, y = load_digits(return_X_y=True)
    x, y, samples = x[:600] / 16.0, y[:600], 600
    hidden = [
        layers.ConcreteDropout(
            keras.layers.Dense(256, activation="relu"),
            weight_regularizer=1e-4 / samples,
            dropout_regularizer=1 / samples,
            seed=seed,
            name=name,
        )
        for seed, name in enumerate(("first", "second"))
    ]
    output = keras.layers.Dense(10, activation="softmax")
    model = keras.Sequential([keras.Input((64,)), *hidden, output])
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    logger = kdropout.callbacks.RateLogger()
    fit = {"batch_size": 30, "epochs": 40, "verbose": 0}
    return model.fit(x, y, callbacks=[logger], **fit).history


PICTURES = {
    "dropout": draw_dropout,
    "spatial_dropout": draw_spatial_dropout,
    "gaussian_dropout": draw_gaussian_dropout,
    "alpha_dropout": draw_alpha_dropout,
    "drop_block": draw_drop_block,
    "drop_path": draw_drop_path,
    "token_dropout": draw_token_dropout,
    "head_dropout": draw_head_dropout,
    "drop_connect": draw_drop_connect,
    "concrete_dropout": draw_concrete_dropout,
    "standout": draw_standout,
}


if __name__ == "__main__":
    main()
