"""Draws the picture of `speed_table`."""

from benchmarks.layer_cost_picture import BACKENDS, STYLES, plt

COLORS = dict(zip(BACKENDS, (color for color, *_ in STYLES.values()), strict=False))
HEIGHT = 0.26  # of a bar: bars of one claim touch, and bars of two claims do not


def draw(claims, path):
    """Draw a bar for the ratio of each claim and backend, and return the path.

    Args:
        claims: List of `speed_table.Claim`, all with the same `against`.
        path: Path of the picture.
    """
    figure, axis = plt.subplots(
        figsize=(6.4, 1.3 + 0.8 * len(claims)), layout="constrained"
    )
    axis.axvline(1.0, color="0.3", linewidth=1.5, zorder=0)
    for row, claim in enumerate(claims):
        _bars(axis, row, claim)
    ratios = [
        r for claim in claims for r in map(claim.ratio, BACKENDS) if r is not None
    ]
    lowest = min(0.0, *ratios)
    right = max(1.25, 1.15 * axis.get_xlim()[1])
    axis.set_xlim(1.2 * lowest, right)
    if lowest < 0.0:
        axis.axvline(0.0, color="0.3", linewidth=0.8)
        axis.set_xlabel(
            "left of 0: the step took less time than without dropout layers", fontsize=9
        )
    axis.set_yticks(
        range(len(claims)), [claim.what.replace(", ", ",\n") for claim in claims]
    )
    axis.invert_yaxis()
    axis.set_xticks([0, 0.5, 1], ["0", "half as long", f"as {claims[0].against}"])
    axis.tick_params(left=False, labelsize=10)
    axis.spines[["top", "right", "left"]].set_visible(False)
    figure.suptitle(
        f"kdropout takes at most {max(ratios):.0%} of the time of {claims[0].against}",
        fontsize=11,
    )
    figure.savefig(path, dpi=220)
    plt.close(figure)
    return path


def _bars(axis, row, claim):
    """Draw the bars of a claim, with the backend and the number beside each."""
    backends = [b for b in BACKENDS if claim.ratio(b) is not None]
    for place, backend in enumerate(backends):
        y = row + HEIGHT * (place - (len(backends) - 1) / 2)
        ratio = claim.ratio(backend)
        axis.barh(y, ratio, 0.9 * HEIGHT, color=COLORS[backend])
        axis.annotate(
            f"{BACKENDS[backend]} {ratio:.0%}",
            (max(ratio, 0.0), y),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            # The line at 100 % would cross the text.
            bbox={"color": "white", "pad": 0.5},
        )
