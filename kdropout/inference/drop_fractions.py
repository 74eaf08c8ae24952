"""The share of units that each layer really drops."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from kdropout._data import preprocess_of
from kdropout._sampling import SamplingScope, sampling
from kdropout.inference.randomness import PassScope, Watcher, seeded, sources
from kdropout.inspection import select_layers


def drop_fractions(
    model: keras.Model,
    x: Any,
    layers: str | keras.layers.Layer | Sequence | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Measure the share of units that each layer drops in one pass.

    Dropout is on, everything else is in inference mode, and no variable changes. A rate
    is a probability: the share of units that is really dropped varies around it, and
    varies more if there are fewer units. For `kdropout.layers.Standout`, the inputs
    decide the share.

    Args:
        model: A built `keras.Model` with dropout layers of kdropout.
        x: The inputs of one batch: an array, or the structure of arrays that the model
            takes.
        layers: The layers to measure: None for all dropout layers; or a glob on the
            layer path, a layer, or a list of these. Defaults to None.
        seed: Integer in [0, 2**31), the seed of the masks. Defaults to 0.

    Returns:
        Dict from layer path to a float in [0, 1], the mean over the units and over all
        calls of the layer. A unit of a relaxed mask counts with the part that the mask
        removes. The dict does not contain layers that drop no units, such as
        `kdropout.layers.GaussianDropout`, or, on JAX, layers inside a recurrent layer.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If no dropout layer matches.

    Example:

    >>> model = keras.Sequential([kdropout.layers.Dropout(1.0, name="drop")])
    >>> kdropout.drop_fractions(model, np.ones((2, 8)))
    {'drop': 1.0}
    """
    selected = select_layers(model, layers)
    preprocess = preprocess_of(model)
    x = x if preprocess is None else preprocess(tree.map_structure(np.asarray, x))
    inputs = tree.map_structure(ops.convert_to_tensor, x)
    seeds = np.array([seed, 0], "int32")
    with (
        seeded(sources(model), seeds),
        PassScope(Watcher(model)),
        sampling(ops.convert_to_tensor(seeds), _DropFractionScope) as scope,
    ):
        model(inputs, training=False)
    return {
        path: float(np.mean(scope.shares[layer]))
        for path, layer in selected.items()
        if layer in scope.shares
    }


class _DropFractionScope(SamplingScope):
    """A scope that records the share that each layer drops."""

    def __init__(self, seed):
        super().__init__(seed)
        self.shares = {}
        self._layer = None

    def next_seed(self, layer):
        self._layer = layer
        return super().next_seed(layer)

    def note_dropped(self, drop):
        share = ops.mean(ops.cast(drop, "float32"))
        try:
            value = float(ops.convert_to_numpy(share))
        except TypeError:  # while JAX traces a recurrent layer, there is no number
            return
        self.shares.setdefault(self._layer, []).append(value)
