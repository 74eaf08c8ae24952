"""Draws the picture of `layer_cost`.

    python -m benchmarks.layer_cost_picture

Reads results/layer_cost.csv, writes results/layer_cost.png.
"""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from benchmarks import reporting

# Okabe and Ito's colours, which colour-blind readers can distinguish, and styles.
STYLES = {
    "kdropout": ("#0072B2", "-", "o"),
    "keras": ("#D55E00", "--", "s"),
    "backend": ("#009E73", "-.", "^"),
    "multiply": ("#7F7F7F", ":", "x"),
}
LABELS = {"backend": "the backend's own", "multiply": "a multiply: the memory limit"}
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def main():
    rows = reporting.read_csv("layer_cost")
    print(draw(rows, reporting.RESULTS / "layer_cost.png"))


def draw(rows, path):
    """Draw the time per element over the size, a column per pass; return the path."""
    passes = ("forward", "forward + backward")
    figure, grid = plt.subplots(
        len(BACKENDS),
        len(passes),
        figsize=(6.4, 8.4),
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    for axes, backend in zip(grid, BACKENDS, strict=True):
        for axis, one_pass in zip(axes, passes, strict=True):
            _panel(axis, rows, backend, one_pass)
            axis.set_title(f"{BACKENDS[backend]}, {one_pass}", fontsize=10)
        axes[0].set_ylabel("ns per element, least")
    for axis in grid[-1]:
        axis.set_xlabel("elements")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, ncols=2, loc="outside lower center")
    figure.suptitle(
        "A dropout layer at rate 0.5 in float32,\na mask of all units", fontsize=11
    )
    figure.savefig(path, dpi=200)
    plt.close(figure)
    return path


def _panel(axis, rows, backend, one_pass):
    wanted = {"backend": backend, "pass": one_pass, "dtype": "float32"}
    wanted |= {"mask": "per unit"}
    for name, (color, style, marker) in STYLES.items():
        by_size = {
            int(row["size"]): 1e6 * float(row["min_ms"]) / int(row["size"])
            for row in rows
            if wanted.items() <= row.items()
            and row["what"] == name
            and not (backend == "tensorflow" and row["compiler"])
        }
        sizes = sorted(by_size)
        axis.loglog(
            sizes,
            [by_size[size] for size in sizes],
            style,
            color=color,
            marker=marker,
            markersize=4,
            label=LABELS.get(name, name),
        )
    axis.grid(alpha=0.25)


if __name__ == "__main__":
    main()
