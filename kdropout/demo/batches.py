"""Batches in an order that the seed decides."""

import math

import keras
import numpy as np


class ShuffledBatches(keras.utils.PyDataset):
    """Batches of arrays in a new order in each epoch, the same on each backend.

    The shuffling of `fit` will not do: on TensorFlow, with the seed set, Keras 3.15
    shuffles once and repeats that order in every epoch, which helps a net to learn
    labels by heart.

    Args:
        arrays: Tuple of arrays of the same length.
        batch_size: Integer, size of the batches; the last one may be smaller.
        seed: Integer.
    """

    def __init__(self, arrays, batch_size, seed):
        super().__init__()
        self.arrays = arrays
        self.batch_size = batch_size
        self.generator = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self):
        self.order = self.generator.permutation(len(self.arrays[0]))

    def __len__(self):
        return math.ceil(len(self.order) / self.batch_size)

    def __getitem__(self, index):
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return tuple(array[rows] for array in self.arrays)
