"""Turns a layer into one of another class, in place."""

from kdropout.surgery.keras_state import unlocked

# Who the layer is, and what Keras keeps per object.
_KEPT = {"name", "built", "build", "quantize", "autocast", "seed_generator"}


def transform(layer, live):
    """Make `layer` what `live` is, without changing its identity.

    The graph of a Functional model, the attributes of composite layers and the paths
    in saved files all refer to the object. Replacing it in all these places would
    take Keras's private data structures apart; changing its class leaves them whole.

    Args:
        layer: The layer to change.
        live: A new layer with the same name, whose class, attributes and variables
            it takes over. Not to be used afterwards.
    """
    old, new = vars(layer), vars(live)
    for name in _public(old) - _public(new):
        del old[name]
    layer.__class__ = type(live)
    with unlocked(layer):
        for name in _public(new) - (_KEPT & old.keys()):
            setattr(layer, name, new[name])
    for name in new:
        # What Keras found out about the signature of `call`, and its input checks.
        if name.startswith("_call_") or name in ("_supports_masking", "_input_spec"):
            old[name] = new[name]


def _public(attributes):
    return {name for name in attributes if not name.startswith("_")}
