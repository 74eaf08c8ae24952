"""What the Dropout tab of TensorBoard is told about a training."""

from kdropout.callbacks.gap_controller import GapController
from kdropout.event_log import tags
from kdropout.layer_walk import settable_layers


def describe(layers, deciders):
    """The layers, who decides their rates, and the target of a controller.

    Args:
        layers: Dict from path to dropout layer, in the order of the model.
        deciders: List of the callbacks that move rates in this training.

    Returns:
        What JSON can hold.
    """
    moved_by = {}
    for callback in deciders:
        for layer in settable_layers(callback.model, callback.layers).values():
            moved_by[layer] = type(callback).__name__
    return {
        "format": tags.FORMAT,
        "layers": [
            {
                "path": path,
                "kind": type(layer).__name__,
                "decided_by": moved_by.get(layer, layer.rate_rule.decided_by),
            }
            for path, layer in layers.items()
        ],
        "target": _target(deciders),
    }


def _target(deciders):
    """Where a controller wants the gap to be, or None."""
    for callback in deciders:
        if isinstance(callback, GapController) and callback.monitor.startswith("gap_"):
            return {
                "metric": callback.monitor.removeprefix("gap_"),
                "value": callback.target,
                "dead_band": callback.dead_band,
            }
    return None
