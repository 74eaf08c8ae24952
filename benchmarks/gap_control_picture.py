"""The picture of `gap_control`."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

# Okabe and Ito's colours, told apart by colour-blind readers; styles tell them twice.
CONTROL = "controller"
STYLES = [("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-.")]


def draw(rows, histories, path):
    """Gap and rate over the epochs, and the error over the gap; returns the path."""
    noise = max(row["noise"] for row in rows)
    figure, axes = plt.subplots(1, 4, figsize=(18, 4.2), layout="constrained")
    _controlled(axes[0], histories, noise, "gap_loss", "clean gap (nats)")
    _controlled(axes[1], histories, noise, "rate/hidden1", "dropout rate")
    axes[0].set_title("The controller holds the gap ...")
    axes[1].set_title("... by moving the rate, from 0.3")
    axes[0].legend(title="target", frameon=False)
    _map(axes[2], rows, noise)
    axes[2].set_title(f"{noise:.0%} random labels: the rate decides")
    points = _map(axes[3], rows, 0.0)
    figure.colorbar(points, ax=axes[3], label="rate at the end")
    axes[3].set_title("No random labels: it hardly matters")
    figure.suptitle(
        "MNIST, 5,000 images, 784-256-256-10, 30 epochs; each line and mark is one "
        f"training. All but the last picture: {noise:.0%} random labels"
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
    """Error over gap, one mark per training; the colour is the rate at the end."""
    for kind, marker in (("constant", "o"), (CONTROL, "^")):
        chosen = [r for r in rows if (r["noise"], r["kind"]) == (noise, kind)]
        points = axis.scatter(
            [r["clean_gap"] for r in chosen],
            [r["test_error"] for r in chosen],
            c=[r["final_rate"] for r in chosen],
            marker=marker,
            cmap="viridis_r",
            vmin=0.0,
            vmax=max(r["final_rate"] for r in rows),
            edgecolors="0.2",
            linewidths=0.6,
            s=46,
            label="constant rate" if kind == "constant" else "controller",
        )
    for target in {r["value"] for r in chosen}:
        axis.axvline(target, color="0.7", linewidth=0.8, linestyle=":")
    axis.set_xlabel("clean gap, mean of the last 5 epochs (nats)")
    axis.set_ylabel("clean test error (%)")
    axis.set_xlim(left=0)
    axis.set_ylim(0, 1.12 * max(r["test_error"] for r in rows if r["noise"] == noise))
    axis.legend(frameon=False, loc="lower right")
    return points
