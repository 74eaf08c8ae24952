"""Gathers samples into a prediction."""

import numpy as np
from keras import tree

from kdropout.inference.moments import Moments, entropies
from kdropout.inference.prediction import Prediction


class Collector:
    """Takes samples group by group and batch by batch, and keeps their moments.

    Args:
        return_samples: Whether to keep the samples, too.
    """

    def __init__(self, return_samples):
        self._return_samples = return_samples
        self._structure = None
        self._batches = []  # for each batch, the moments of each output
        self._samples = []  # for each batch, the groups of samples
        self._begin = True

    def add(self, outputs):
        """Take in a structure of arrays of shape `(group, rows, ...)`."""
        self._structure = outputs
        flat = tree.flatten(outputs)
        if self._begin:
            self._batches.append([Moments() for _ in flat])
            self._samples.append([])
            self._begin = False
        for moments, samples in zip(self._batches[-1], flat, strict=True):
            moments.add(samples)
        if self._return_samples:
            self._samples[-1].append(flat)

    def end_batch(self):
        """What comes next belongs to other inputs."""
        self._begin = True

    def result(self):
        """The `Prediction` for all inputs."""
        outputs = [
            _join(moments) for moments in zip(*self._batches, strict=True)
        ]  # for each output, its fields
        fields = zip(*outputs, strict=True)
        mean, variance, entropy, information = map(self._pack, fields)
        samples = self._pack(self._join_samples()) if self._return_samples else None
        return Prediction(mean, variance, entropy, information, samples)

    def _pack(self, flat):
        if all(part is None for part in flat):
            return None
        return tree.pack_sequence_as(self._structure, list(flat))

    def _join_samples(self):
        batches = [
            [np.concatenate(groups) for groups in zip(*batch, strict=True)]
            for batch in self._samples
        ]
        return [np.concatenate(parts, axis=1) for parts in zip(*batches, strict=True)]


def _join(batches):
    """Mean, variance, entropy and mutual information of one output."""
    mean = np.concatenate([moments.mean for moments in batches])
    variance = np.concatenate([moments.variance() for moments in batches])
    entropy, expected = entropies(batches)
    information = None
    if entropy is not None:
        # Never negative but for rounding.
        information = np.maximum(entropy - expected, 0.0)
    fields = (mean, variance, entropy, information)
    return [None if field is None else field.astype("float32") for field in fields]
