"""Which layer of kdropout does what a layer of Keras or KerasHub does."""

import re

import keras

from kdropout import layers

# Keras's class, ours, and the arguments that both take.
_SAME = {
    keras.layers.Dropout: (layers.Dropout, ("noise_shape",)),
    keras.layers.SpatialDropout1D: (layers.SpatialDropout1D, ()),
    keras.layers.SpatialDropout2D: (layers.SpatialDropout2D, ("data_format",)),
    keras.layers.SpatialDropout3D: (layers.SpatialDropout3D, ("data_format",)),
    keras.layers.GaussianDropout: (layers.GaussianDropout, ()),
    keras.layers.AlphaDropout: (layers.AlphaDropout, ("noise_shape",)),
}

# keras.applications and each model of KerasHub have another class for it.
_DROP_PATHS = ("DropPath", "StochasticDepth")
_DROP_PATH_RATES = ("rate", "drop_prob", "drop_path_rate")

# ConvNeXt of keras.applications, built with a rate of 0, has these in the place of its
# stochastic depth.
_NO_DROP_PATH = re.compile(r"_stage_\d+_block_\d+_identity$")


def live_counterpart(layer):
    """The class and arguments, without `rate`, of the live layer for `layer`.

    Returns:
        Tuple of a class, a dict of arguments and the rate, or None if there is none.
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


def plain_layer(kind, arguments):
    """A Keras layer in place of one of ours.

    Args:
        kind: Class of ours, not a wrapper.
        arguments: Its `get_config()`.

    Returns:
        The same kind of layer of Keras, at any rate, or an Identity if there is none.
    """
    base = {name: arguments[name] for name in ("name", "dtype")}
    for keras_kind, (ours, names) in _SAME.items():
        # Keras's SpatialDropout1D knows no data_format.
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
    """Whether `layer` is, or derives from, a dropout layer of Keras."""
    return isinstance(layer, tuple(_SAME)) or _is_drop_path(layer)


def _is_drop_path(layer):
    kind = type(layer)
    known = kind.__module__.split(".")[0] in ("keras", "keras_hub")
    # Without the scale, it would be another method.
    scaled = getattr(layer, "scale_by_keep", True)
    return known and kind.__name__.endswith(_DROP_PATHS) and scaled
