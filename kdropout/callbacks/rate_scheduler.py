"""Sets rates at the beginning of each epoch."""

import inspect

import keras

from kdropout import validation
from kdropout.callbacks import deciders
from kdropout.layer_walk import settable_layers


class RateScheduler(keras.callbacks.Callback):
    """Sets rates at the beginning of each epoch, as Keras's LearningRateScheduler.

    For a rate that changes within an epoch, or that is saved with the model, pass a
    schedule to the layer instead. For a layer that is called several times per
    step, whose own step counter counts each call, this is the way.

    Args:
        schedule: Callable `schedule(epoch, rate) -> rate`: takes the index of the
            epoch, from 0, and the rate in effect of a layer; returns a float in
            [0, 1].
        layers: None for all layers whose rate was given as a number, a glob on the
            layer path, a layer, or a list of those. Defaults to None.
        verbose: 0 for silence, 1 for a line per epoch. Defaults to 0.

    Raises:
        TypeError: If `schedule` does not take two arguments; when training begins,
            if `layers` names a layer whose rate a schedule or gradient decides.
        ValueError: When training begins, if no layer matches; when an epoch begins,
            if `schedule` returns something that is not a rate.

    Example:

    >>> anneal = kdropout.callbacks.RateScheduler(lambda epoch, rate: 0.5 * 0.9**epoch)
    """

    def __init__(self, schedule, layers=None, verbose=0):
        super().__init__()
        self.schedule = _check_schedule(schedule)
        self.layers = layers
        self.verbose = validation.integer("verbose", verbose)

    def on_train_begin(self, logs=None):
        settable_layers(self.model, self.layers)
        deciders.register(self)

    def on_epoch_begin(self, epoch, logs=None):
        for path, layer in settable_layers(self.model, self.layers).items():
            rate = self.schedule(epoch, layer.rate)
            if keras.ops.is_tensor(rate) and keras.ops.ndim(rate) == 0:
                rate = keras.ops.convert_to_numpy(rate).item()
            try:
                layer.rate = rate
            except (TypeError, ValueError):
                raise ValueError(
                    "'schedule' must return a number in [0, 1]. Received: "
                    f"schedule({epoch}, {layer.rate}) = {rate!r} for layer '{path}'."
                ) from None
            if self.verbose:
                print(f"Epoch {epoch + 1}: rate of '{path}' is {layer.rate:.4f}.")


def _check_schedule(schedule):
    message = validation.received(
        "schedule", "a callable schedule(epoch, rate) -> rate", schedule
    )
    if not callable(schedule):
        raise TypeError(message)
    try:
        inspect.signature(schedule).bind(0, 0.5)
    except (TypeError, ValueError):  # ValueError: a builtin that does not tell
        hint = ". A schedule of the step belongs into a layer's 'rate'."
        raise TypeError(message + hint) from None
    return schedule
