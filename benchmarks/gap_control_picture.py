"""The picture of `gap_control`."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

# Okabe and Ito's colours, told apart by colour-blind readers; styles tell them twice.
STYLES = [("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-.")]


def draw(rows, histories, path):
    """Gap and rate over the epochs, and the error over the gap; returns the path."""
    noise = max(row["noise"] for row in rows)
    figure, axes = plt.subplots(1, 4, figsize=(17, 4.2), layout="constrained")
    _controlled(axes[0], histories, noise, "gap_loss", "clean gap (nats)")
    _controlled(axes[1], histories, noise, "rate/hidden1", "dropout rate")
    axes[0].set_title("The controller holds the gap ...")
    axes[1].set_title("... by moving the rate, from 0.3")
    axes[0].legend(title="target", frameon=False)
    _map(axes[2], rows, noise)
    axes[2].set_title(f"{noise:.0%} random labels: the rate decides")
    _map(axes[3], rows, 0.0)
    axes[3].set_title("No random labels: it hardly matters")
    figure.suptitle(
        "MNIST, 5,000 images, 784-256-256-10, 30 epochs; "
        f"each line or dot is one seed, {noise:.0%} random labels on the left"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def _controlled(axis, histories, noise, name, label):
    targets = sorted(
        {v for n, kind, v, _ in histories if (n, kind) == (noise, CONTROL)}
    )
    for target, (color, style) in zip(targets, STYLES, strict=False):
        for key, history in histories.items():
            if key[:3] == (noise, CONTROL, target):
                values = history[name]
                axis.plot(
                    range(1, len(values) + 1),
                    values,
                    style,
                    color=color,
                    label=f"{target:g}" if key[3] == 0 else None,
                )
        if name == "gap_loss":
            axis.axhline(target, color=color, linewidth=0.8, linestyle=":")
    axis.set_xlabel("epoch")
    axis.set_ylabel(label)
    axis.set_ylim(bottom=0)


def _map(axis, rows, noise):
    constant = [r for r in rows if (r["noise"], r["kind"]) == (noise, "constant")]
    controlled = [r for r in rows if (r["noise"], r["kind"]) == (noise, CONTROL)]
    axis.plot(*_points(constant), "o", color="0.45", label="constant rate")
    axis.plot(*_points(controlled), "^", color="#D55E00", label="controller")
    rates = sorted({r["value"] for r in constant})
    for rate in rates:
        gaps, errors = _points([r for r in constant if r["value"] == rate])
        axis.annotate(
            f"{rate:g}",
            (np.mean(gaps), np.max(errors)),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            color="0.3",
        )
    for target in sorted({r["value"] for r in controlled}):
        axis.axvline(target, color="0.7", linewidth=0.8, linestyle=":")
    axis.set_xlabel("clean gap, mean of the last 5 epochs (nats)")
    axis.set_ylabel("clean test error (%)")
    axis.set_xlim(left=0)
    axis.set_ylim(0, 1.12 * max(r["test_error"] for r in constant))
    axis.legend(frameon=False, loc="lower right")


def _points(rows):
    return [r["clean_gap"] for r in rows], [r["test_error"] for r in rows]


CONTROL = "controller"
