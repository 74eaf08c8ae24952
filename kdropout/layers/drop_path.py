"""Stochastic depth: dropout of whole residual branches."""

import keras

from kdropout._types import Shape
from kdropout.layers.axes import per_axis
from kdropout.layers.base import BaseDropout


@keras.saving.register_keras_serializable(package="kdropout")
class DropPath(BaseDropout):
    """Drops a residual branch for whole samples (stochastic depth).

    Put it at the end of the branch, before the addition. In training,
    `outputs = inputs * b / (1 - rate)`, with one `b` for each sample: 0 with
    probability `rate`, else 1. `kdropout.schedules.depth_rates` returns rates that
    grow with the depth, as in the paper.

    Args:
        rate: Float in [0, 1], the probability of dropping the branch; or a schedule;
            or a `kdropout.LearnedRate`.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Input shape:
        `(batch, ...)`, the outputs of a branch.

    Output shape:
        Same as the input shape.

    Raises:
        TypeError: If an argument is of the wrong type, or inputs are not floating
            point.
        ValueError: If an argument is out of range.

    Example:

    >>> x = keras.Input((8,))
    >>> branch = keras.layers.Dense(8, activation="relu")(x)
    >>> y = x + kdropout.layers.DropPath(0.2)(branch)
    >>> y.shape
    (None, 8)

    Reference:
        Huang et al. 2016, "Deep networks with stochastic depth", arXiv:1603.09382.
        The scaling in training follows Larsson et al. 2017, arXiv:1605.07648.
    """

    def get_noise_shape(self, shape: Shape) -> Shape:
        return per_axis(shape, 0)
