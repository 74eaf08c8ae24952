"""Replaces layers of a model in place, by layers of other classes."""

from kdropout import rate_rules
from kdropout._keras_classes import (
    live_counterpart,
    live_kind,
    plain_layer,
    set_plain_rate,
)
from kdropout._sampling import PASSES
from kdropout.inspection import walk
from kdropout.layers import BaseDropout, Standout
from kdropout.layers.rate_arguments import RateArguments, rate_layers
from kdropout.layers.wrapper import DropoutWrapper
from kdropout.surgery.keras_state import models_that_trained, refresh, unlocked

# Attributes that stay when a layer changes its class: its identity, and the attributes
# that Keras keeps for each object.
_KEPT = {"name", "built", "build", "quantize", "autocast", "seed_generator"}

# Where a layer is in a graph and in a model.
_PLACE = ("_inbound_nodes", "_outbound_nodes", "_path", "_parent_path")

# Methods that Keras wraps for each object.
_WRAPPED = ("build", "quantize")


class LiveLayer:
    """The live layer that takes the place of a dropout layer.

    Args:
        layer: The layer that becomes live.
        rate: The rate, as a layer of kdropout takes it.
        example: A layer of the class and with the arguments of the live layer, or None
            if `layer` is one of Keras or KerasHub.
    """

    def __init__(self, layer, rate, example=None):
        if example is None:
            kind, arguments, _ = live_counterpart(layer)
            seed = None
        else:
            kind, arguments = type(example), example.get_config()
            seed = arguments.pop("seed", None)
        self.layer = layer
        self._live = kind.from_config(
            {
                **arguments,
                "rate": rate_rules.resolve(rate),
                "seed": getattr(layer, "seed", None) if seed is None else seed,
                "name": layer.name,
                "dtype": layer.dtype_policy,
            }
        )
        self.dropout_layers = [self._live]

    def apply(self):
        """Change the layer."""
        change_class(self.layer, self._live)


class LiveRates:
    """The live rates that replace the arguments of a layer of Keras.

    Args:
        layer: The layer whose rates become live.
        rates: Dict from argument to rate, as a layer of kdropout takes it.
        owner: The layer around it.
    """

    def __init__(self, layer, rates, owner):
        self.layer = layer
        self._owner = owner
        self._kind = live_kind(layer)
        rates = {name: rates.get(name) for name in self._kind._rate_defaults}
        arguments = {"seed": _seed_of(layer), "dtype": layer.dtype_policy}
        self._layers = rate_layers(self._kind, rates, arguments)
        self.dropout_layers = [part for part in self._layers.values() if part]

    def apply(self):
        """Change the layer."""
        self.layer.__class__ = self._kind
        with unlocked(self.layer), unlocked(getattr(self.layer, "cell", self.layer)):
            self.layer._make_live(self._layers)
        if hasattr(self._owner, "use_cudnn"):
            # A class of the user around a cell. Its fast kernel would not know when
            # `kdropout.mc_predict` draws samples.
            self._owner.use_cudnn = False


def _seed_of(layer):
    return getattr(getattr(layer, "cell", layer), "seed", None)


def make_plain(model):
    """Give all layers of kdropout in a model the classes of Keras, in place.

    Raises:
        ValueError: If there is a Standout. Then no layer changes.
    """
    layers = list(walk(model))
    for path, layer in layers:
        if isinstance(layer, Standout):
            raise ValueError(
                "'in_place' must be False for a model with a Standout, for which Keras "
                f"has no layer. Received: in_place=True, and the Standout '{path}'. "
                "Use the copy that kdropout.strip(model) returns."
            )
    ours = [
        layer for _, layer in layers if isinstance(layer, (BaseDropout, RateArguments))
    ]
    # Outer layers come first, and take the rates of the layers inside with them.
    inner = {id(part) for layer in ours for _, part in walk(layer)}
    trained = models_that_trained(ours)
    for layer in ours:
        if id(layer) in inner:
            continue
        if isinstance(layer, RateArguments):
            layer._make_plain()
        elif isinstance(layer, DropoutWrapper):
            _become(layer, layer.layer, {"name": layer.name})
        else:
            plain = plain_layer(type(layer), layer.get_config())
            set_plain_rate(plain, layer.rate)
            _become(layer, plain, {name: vars(layer)[name] for name in _WRAPPED})
    parts = [model, *(layer for _, layer in layers), *trained]
    for part in parts:
        vars(part).pop(PASSES, None)
    refresh(parts)


def _become(layer, plain, kept):
    """Make `layer` the same as `plain`, at its place in the model."""
    attributes = vars(layer)
    kept = {**kept, **{name: attributes[name] for name in _PLACE if name in attributes}}
    attributes.clear()
    attributes.update(vars(plain))
    attributes.update(kept)
    layer.__class__ = type(plain)


def change_class(layer, live):
    """Give `layer` the class and the content of `live`, a layer of the same name."""
    # The graph of a Functional model, the attributes of composite layers and the paths
    # in saved files all refer to the object. Replacing the object in all these places
    # would need private data of Keras. Changing its class does not.
    old, new = vars(layer), vars(live)
    for name in _public(old) - _public(new):
        del old[name]
    layer.__class__ = type(live)
    with unlocked(layer):
        for name in _public(new) - (_KEPT & old.keys()):
            setattr(layer, name, new[name])
        layer._rate_rule = live._rate_rule
    for name in new:
        # The signature of `call` that Keras found, and its input checks.
        if name.startswith("_call_") or name in ("_supports_masking", "_input_spec"):
            old[name] = new[name]


def _public(attributes):
    return {name for name in attributes if not name.startswith("_")}
