"""What is dropped: one layer per kind of mask. Any layer takes any kind of rate."""

from kdropout.layers.alpha_dropout import AlphaDropout
from kdropout.layers.base import BaseDropout
from kdropout.layers.dropout import Dropout
from kdropout.layers.gaussian_dropout import GaussianDropout
from kdropout.layers.spatial_dropout import (
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)

__all__ = [
    "AlphaDropout",
    "BaseDropout",
    "Dropout",
    "GaussianDropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]
