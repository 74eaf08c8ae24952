"""Layers of Keras with arguments that are rates, such as `dropout` of an LSTM."""

import inspect
from typing import Any

import keras

from kdropout import _validation, rate_rules
from kdropout._types import RateLike
from kdropout.layers.dropout import Dropout

# Keras draws a mask only if the argument is between 0 and 1, and asks when the graph is
# traced. So Keras sees this number for each live rate, and 0 for an argument of None.
_SHOWN = 0.5

# The distance between the seeds of two rates of a layer. Layers with the seeds 1, 2, 3
# and so on must not share masks.
_SEED_STRIDE = 0x3504F333


class RateArguments:
    """Base class of layers of Keras with arguments that are rates.

    For each of these arguments, such as `dropout`, the layer has an attribute with the
    suffix `_layer`, such as `dropout_layer`: the `kdropout.layers.Dropout` that draws
    the masks, or None. A subclass has a class of Keras as its second base.
    """

    # The names of the arguments, with their defaults.
    _rate_defaults: dict[str, RateLike | None] = {}

    # The class of Keras that a subclass derives from.
    _keras_kind: type[keras.layers.Layer]

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for kind in cls.__bases__:
            if kind.__module__.startswith("keras."):
                cls._keras_kind = kind
                cls.__signature__ = _with_defaults(kind, cls._rate_defaults)

    def __init__(self, *args, **kwargs):
        arguments = inspect.signature(self._keras_kind).bind(*args, **kwargs).arguments
        arguments |= arguments.pop("kwargs", {})
        rates = {
            name: arguments.pop(name, default)
            for name, default in self._rate_defaults.items()
        }
        layers = rate_layers(type(self), rates, arguments)
        super().__init__(**arguments, **_shown(rates))
        self._make_live(layers)

    def _make_live(self, layers):
        """Take the result of `rate_layers`. The class of the layer is a live one."""
        for name, shown in _shown(layers).items():
            setattr(self, name, shown)
        for name, layer in layers.items():
            setattr(self, f"{name}_layer", layer)

    def _make_plain(self):
        """Give the layer the class of Keras, with the rates in effect."""
        rates = self._rates_in_effect()
        for name, layer in self._rate_layers().items():
            self._tracker.untrack(layer)
            delattr(self, f"{name}_layer")
        self.__class__ = self._keras_kind
        for name, rate in rates.items():
            setattr(self, name, rate)

    def _copy_rates_to(self, plain):
        """Give a layer of the class of Keras the rates in effect."""
        for name, rate in self._rates_in_effect().items():
            setattr(plain, name, rate)

    def _rates_in_effect(self):
        """Dict from argument to float."""
        return {
            name: 0.0 if layer is None else layer.rate
            for name, layer in self._rate_layers().items()
        }

    def _rate_layers(self):
        """Dict from argument to the layer that draws its masks, or None."""
        return {name: getattr(self, f"{name}_layer") for name in self._rate_defaults}

    @classmethod
    def _plain_configuration(cls, config):
        """The serialised layer of Keras for a serialised layer of this class."""
        rates = {name: config["config"][name] for name in cls._rate_defaults}
        kind = cls._keras_kind
        return {
            **config,
            "module": "keras.layers",
            "class_name": kind.__name__,
            "registered_name": None,
            "config": {**config["config"], **_shown(rates)},
        }

    def __setattr__(self, name, value):
        if name in self._rate_defaults and hasattr(self, f"{name}_layer"):
            self._refuse(name, value)
        super().__setattr__(name, value)

    def _refuse(self, name, value):
        way = f"Set the rate instead: layer.{name}_layer.rate = {value!r}."
        if getattr(self, f"{name}_layer") is None:
            way = f"Pass {name}={value!r} when you make the layer."
        raise AttributeError(
            f"'{name}' of layer '{self.name}' cannot be set, because a graph that is "
            f"compiled would not change. Received: {name}={value!r}. {way}"
        )

    def get_config(self) -> dict[str, Any]:
        rates = {
            name: None if layer is None else layer._rate_rule.argument(layer)
            for name, layer in self._rate_layers().items()
        }
        config = super().get_config()  # type: ignore[misc]
        return {**config, **rates}


def rate_layers(kind, rates, arguments):
    """Make the dropout layers for the rates among the arguments of a layer.

    Args:
        kind: Class of the layer.
        rates: Dict from argument to rate, or None for no dropout.
        arguments: Dict with the `seed` and `dtype` of the layer, if it has them.

    Returns:
        Dict from argument to layer or None.
    """
    layers = {}
    for index, (name, rate) in enumerate(rates.items()):
        layers[name] = None
        if rate is not None:
            seed = _validation.layer_seed(arguments.get("seed"))
            if seed is not None:
                seed += index * _SEED_STRIDE
            layers[name] = Dropout(
                _rule(kind, name, rate),
                seed=seed,
                name=name,
                dtype=arguments.get("dtype"),
            )
    return layers


def _rule(kind, name, rate):
    try:
        return rate_rules.resolve(rate)
    except (TypeError, ValueError) as error:
        where = f"'{name}' of {kind.__name__}"
        raise _validation.error_within(error, (name,), where) from error


def _shown(rates):
    """The values of the arguments that Keras sees, for rates or layers or None."""
    return {name: 0.0 if rate is None else _SHOWN for name, rate in rates.items()}


def _with_defaults(kind, defaults):
    """The signature of a class, with other defaults of its arguments."""
    signature = inspect.signature(kind)
    return signature.replace(
        parameters=[
            parameter.replace(default=defaults.get(name, parameter.default))
            for name, parameter in signature.parameters.items()
        ]
    )
