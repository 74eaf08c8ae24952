"""The attention layers of Keras that have one head, with a live rate."""

from typing import Any

import keras
from keras import ops

from kdropout._types import Tensor
from kdropout.layers.rate_arguments import RateArguments


class LiveAttention(RateArguments):
    """Base class of attention layers that drop their attention weights."""

    _rate_defaults = {"dropout": 0.0}

    dropout_layer: Any

    def _apply_scores(
        self,
        scores: Tensor,
        value: Tensor,
        scores_mask: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor]:
        # Keras has no public method between the softmax and the dropout of its result.
        if scores_mask is not None:
            scores = _mask_scores(scores, scores_mask)
        weights = ops.softmax(scores, axis=-1)
        if self.dropout_layer is not None:
            weights = self.dropout_layer(weights, training=training)
        return ops.matmul(weights, value), weights

    def get_config(self) -> dict[str, Any]:
        # The Attention of Keras 3.8 leaves the seed out.
        drop = self.dropout_layer
        seed = None if drop is None else drop.seed
        return {"seed": seed, **super().get_config()}


def _mask_scores(scores, mask):
    """The scores, with a large negative number where the mask is False."""
    # The largest number of float16 is 65504. Keras chooses the same numbers.
    low = 65504.0 if keras.backend.standardize_dtype(scores.dtype) == "float16" else 1e9
    if len(mask.shape) == 2:
        mask = ops.expand_dims(mask, axis=-2)
    return ops.where(mask, scores, scores - low)


@keras.saving.register_keras_serializable(package="kdropout")
class Attention(LiveAttention, keras.layers.Attention):
    """`keras.layers.Attention` with a rate that you can change.

    In training, a share `rate` of the attention weights is set to 0, and the others are
    divided by `1 - rate`.

    Args:
        use_scale: If True, the layer learns a factor for the scores. Defaults to False.
        score_mode: "dot" or "concat", how scores are computed. Defaults to "dot".
        dropout: Float in [0, 1], the probability of dropping an attention weight; or a
            schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            0.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks. Its `rate`
            can be set.

    Input shape:
        List of the query `(batch, queries, features)`, the value
        `(batch, keys, features)` and, if you want, the key `(batch, keys, features)`.

    Output shape:
        `(batch, queries, features)`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> layer = kdropout.layers.Attention(dropout=0.2, seed=1)
    >>> layer.dropout_layer.rate = 0.3
    >>> kdropout.rates(layer)
    {'dropout': 0.3}

    Reference:
        Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks
        from overfitting", JMLR 15.
    """


@keras.saving.register_keras_serializable(package="kdropout")
class AdditiveAttention(LiveAttention, keras.layers.AdditiveAttention):
    """`keras.layers.AdditiveAttention` with a rate that you can change.

    In training, a share `rate` of the attention weights is set to 0, and the others are
    divided by `1 - rate`.

    Args:
        use_scale: If True, the layer learns a factor for each feature of the scores.
            Defaults to True.
        dropout: Float in [0, 1], the probability of dropping an attention weight; or a
            schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            0.
        **kwargs: Arguments of `keras.layers.AdditiveAttention`, such as `seed`, the
            seed of the masks, and `name`.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks. Its `rate`
            can be set.

    Input shape:
        List of the query `(batch, queries, features)`, the value
        `(batch, keys, features)` and, if you want, the key `(batch, keys, features)`.

    Output shape:
        `(batch, queries, features)`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> layer = kdropout.layers.AdditiveAttention(dropout=0.2, seed=1)
    >>> layer.dropout_layer.rate = 0.3
    >>> kdropout.rates(layer)
    {'dropout': 0.3}

    Reference:
        Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks
        from overfitting", JMLR 15.
    """
