"""The dropout layers: one class for each kind of mask, with any kind of rate."""

from kdropout._sampling import note_dropped as note_dropped
from kdropout.layers.alpha_dropout import AlphaDropout
from kdropout.layers.attention import AdditiveAttention, Attention
from kdropout.layers.base import BaseDropout
from kdropout.layers.base import identity_at_zero as identity_at_zero
from kdropout.layers.concrete_dropout import ConcreteDropout
from kdropout.layers.drop_block import DropBlock1D, DropBlock2D, DropBlock3D
from kdropout.layers.drop_connect import DropConnect
from kdropout.layers.drop_path import DropPath
from kdropout.layers.dropout import Dropout
from kdropout.layers.gaussian_dropout import GaussianDropout
from kdropout.layers.head_dropout import HeadDropout
from kdropout.layers.recurrent import (
    GRU,
    LSTM,
    ConvLSTM1D,
    ConvLSTM2D,
    ConvLSTM3D,
    GRUCell,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
)
from kdropout.layers.spatial_dropout import (
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from kdropout.layers.standout import Standout
from kdropout.layers.token_dropout import TokenDropout

__all__ = [
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "BaseDropout",
    "ConcreteDropout",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "DropBlock1D",
    "DropBlock2D",
    "DropBlock3D",
    "DropConnect",
    "DropPath",
    "Dropout",
    "GRU",
    "GRUCell",
    "GaussianDropout",
    "HeadDropout",
    "LSTM",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "Standout",
    "TokenDropout",
]


def __dir__():
    return [*__all__, "identity_at_zero", "note_dropped"]  # for new masks
