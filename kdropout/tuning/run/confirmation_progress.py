"""Tells how far the confirmation is."""

import sys

from tqdm import tqdm


class ConfirmationProgress:
    """A bar on a terminal; elsewhere one line for each seed.

    Args:
        labels: Sequence of the labels of the settings.
        seeds: Sequence of the seeds.
        measure: String, name of the score.
        show: Whether to show anything.
    """

    def __init__(self, labels, seeds, measure, show):
        self._labels, self._seeds = list(labels), list(seeds)
        self._show = show
        self._scores = {}
        has_bar = show and sys.stderr.isatty()
        self._bar = tqdm(
            total=len(self._labels) * len(self._seeds),
            desc="Confirmation",
            disable=not has_bar,
            dynamic_ncols=True,
        )
        if show and not has_bar:
            count = len(self._labels)
            self._say(f"Confirmation: {count} settings with new seeds, {measure}")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()

    def update(self, done, total, label, seed, score):
        """Called after each training, as `confirm` calls `progress`."""
        self._bar.update(done - self._bar.n)
        self._scores[label, seed] = "failed" if score is None else f"{score:.4g}"
        if self._bar.disable and self._show and label == self._labels[-1]:
            scores = [
                f"{one} {self._scores[one, seed]}"
                for one in self._labels
                if (one, seed) in self._scores  # others were trained before
            ]
            number = f"{self._seeds.index(seed) + 1}/{len(self._seeds)}"
            self._say(f"Seed {seed} ({number}): {', '.join(scores)}")

    def _say(self, line):
        print(line, file=sys.stderr, flush=True)
