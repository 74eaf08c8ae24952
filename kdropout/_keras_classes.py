"""Maps the dropout layers of Keras and KerasHub to those of kdropout, and back."""

import re

import keras

from kdropout import layers

# Class of Keras: class of kdropout, and the arguments that both take.
_SAME = {
    keras.layers.Dropout: (layers.Dropout, ("noise_shape",)),
    keras.layers.SpatialDropout1D: (layers.SpatialDropout1D, ()),
    keras.layers.SpatialDropout2D: (layers.SpatialDropout2D, ("data_format",)),
    keras.layers.SpatialDropout3D: (layers.SpatialDropout3D, ("data_format",)),
    keras.layers.GaussianDropout: (layers.GaussianDropout, ()),
    keras.layers.AlphaDropout: (layers.AlphaDropout, ("noise_shape",)),
}

# Class of Keras with arguments that are rates: class of kdropout.
_WITH_RATES = {
    kind._keras_kind: kind
    for kind in (
        layers.AdditiveAttention,
        layers.Attention,
        layers.ConvLSTM1D,
        layers.ConvLSTM2D,
        layers.ConvLSTM3D,
        layers.GRU,
        layers.GRUCell,
        layers.LSTM,
        layers.LSTMCell,
        layers.SimpleRNN,
        layers.SimpleRNNCell,
    )
}

# keras.applications and each model of KerasHub define another class for DropPath.
_DROP_PATHS = ("DropPath", "StochasticDepth")
_DROP_PATH_RATES = ("rate", "drop_prob", "drop_path_rate")

# With a rate of 0, ConvNeXt of keras.applications has these layers in place of
# stochastic depth.
_NO_DROP_PATH = re.compile(r"_stage_\d+_block_\d+_identity$")


def live_counterpart(layer):
    """Find the layer of kdropout that can replace `layer`.

    Returns:
        Tuple of its class, a dict of its arguments without `rate`, and the rate; or
        None if kdropout has no such layer.
    """
    if type(layer) in _SAME:
        kind, names = _SAME[type(layer)]
        return kind, {name: getattr(layer, name) for name in names}, layer.rate
    if isinstance(layer, keras.layers.Activation) and _NO_DROP_PATH.search(layer.name):
        return layers.DropPath, {}, 0.0
    if _is_drop_path(layer):
        for name in _DROP_PATH_RATES:
            if hasattr(layer, name):
                return layers.DropPath, {}, float(getattr(layer, name))
    return None


def live_kind(layer):
    """The class of kdropout for a layer of Keras with arguments that are rates."""
    return _WITH_RATES.get(type(layer))


def rates_of_arguments(layer):
    """The rates of a layer of `live_kind`: dict from argument to float."""
    return {name: getattr(layer, name) for name in live_kind(layer)._rate_defaults}


def plain_layer(kind, arguments):
    """Make the layer of Keras that replaces a layer of kdropout.

    Args:
        kind: Class of the layer of kdropout, not a wrapper.
        arguments: Its `get_config()`.

    Returns:
        A layer of the same kind, with an arbitrary rate; or an Identity if Keras has no
        such layer.
    """
    base = {name: arguments[name] for name in ("name", "dtype")}
    for keras_kind, (ours, names) in _SAME.items():
        # Keras's SpatialDropout1D has no argument data_format.
        order = arguments.get("data_format", "channels_last")
        if kind is ours and ("data_format" in names or order == "channels_last"):
            same = {name: arguments[name] for name in names}
            return keras_kind(rate=0.5, seed=arguments["seed"], **same, **base)
    return keras.layers.Identity(**base)


def set_plain_rate(layer, rate):
    """Set the rate of a Keras dropout layer that has not been called in training."""
    if live_counterpart(layer) is not None:
        name = next(name for name in _DROP_PATH_RATES if hasattr(layer, name))
        setattr(layer, name, rate)


def is_keras_dropout(layer):
    """Return whether `layer` is, or derives from, a dropout layer of Keras."""
    return isinstance(layer, tuple(_SAME)) or _is_drop_path(layer)


def _is_drop_path(layer):
    kind = type(layer)
    known = kind.__module__.split(".")[0] in ("keras", "keras_hub")
    # A layer without this scale would be another method.
    scaled = getattr(layer, "scale_by_keep", True)
    return known and kind.__name__.endswith(_DROP_PATHS) and scaled
