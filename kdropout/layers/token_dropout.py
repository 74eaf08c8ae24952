"""Dropout of whole tokens."""

from typing import Any

import keras
from keras import ops

from kdropout import _validation
from kdropout._types import RateLike, Shape, Tensor
from kdropout.layers.base import BaseDropout


@keras.saving.register_keras_serializable(package="kdropout")
class TokenDropout(BaseDropout):
    """Drops whole tokens, or time steps, of a sequence.

    In training, `outputs[n, t] = inputs[n, t] * m[n, t] / (1 - rate)`, where `m` is 0
    with probability `rate`, else 1: a token is kept or dropped with all its
    features. Dropped tokens are set to 0 and not removed, so the length does not
    change. The first `num_prefix_tokens` (class and register tokens) pass unchanged.

    Args:
        rate: Float in [0, 1], the probability of dropping a token; or a schedule; or
            a `kdropout.LearnedRate`.
        num_prefix_tokens: Integer of at least 0, the number of tokens at the start
            that are never dropped. Defaults to 0.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Input shape:
        `(batch, tokens, features)`.

    Output shape:
        Same as the input shape.

    Raises:
        TypeError: If an argument is of the wrong type, or inputs are not floating
            point.
        ValueError: If an argument is out of range, inputs have another rank, or
            there are no tokens after the prefix.

    Example:

    >>> layer = kdropout.layers.TokenDropout(0.3, num_prefix_tokens=1, seed=1)
    >>> layer.get_noise_shape((8, 50, 16))
    (8, 49, 1)

    Reference:
        Gal, Ghahramani 2016, "A theoretically grounded application of dropout in
        recurrent neural networks", arXiv:1512.05287, section 4.2 (word types); Liu et
        al. 2022, "PatchDropout", arXiv:2208.07220 (which removes the patches).
    """

    def __init__(
        self,
        rate: RateLike,
        num_prefix_tokens: int = 0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(rate, seed=seed, **kwargs)
        self.num_prefix_tokens = _validation.integer(
            "num_prefix_tokens", num_prefix_tokens
        )
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def get_noise_shape(self, shape: Shape) -> Shape:
        batch, tokens, _ = shape
        if isinstance(tokens, int) and max(tokens, 1) <= self.num_prefix_tokens:
            raise ValueError(
                f"'num_prefix_tokens' of layer '{self.name}' must be smaller than the "
                "number of tokens, so that some can be dropped. Received: "
                f"num_prefix_tokens={self.num_prefix_tokens}, inputs of shape "
                f"{tuple(shape)}"
            )
        return (batch, tokens - self.num_prefix_tokens, 1)

    def apply_noise(
        self, inputs: Tensor, shape: Shape, rate: Tensor, seed: Tensor
    ) -> Tensor:
        if self.num_prefix_tokens == 0:
            return super().apply_noise(inputs, shape, rate, seed)
        prefix = inputs[:, : self.num_prefix_tokens]
        tokens = inputs[:, self.num_prefix_tokens :]
        tokens = super().apply_noise(tokens, shape, rate, seed)
        return ops.concatenate([prefix, tokens], axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_prefix_tokens": self.num_prefix_tokens}
