"""Sets rates at the beginning of each epoch."""

import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras

from kdropout import _validation
from kdropout._reprs import call_text
from kdropout.inspection import dropout_layers, settable_layers

# For each model, the callbacks that set its rates in the current training. The
# references are weak, because a callback refers to its model.
_MOVERS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class RateMover(keras.callbacks.Callback):
    """Base class of the callbacks that set rates."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        for layer in self._moved_layers(self.model).values():
            layer._is_moved_by(type(self).__name__)
        _MOVERS.setdefault(self.model, weakref.WeakSet()).add(self)

    def _moved_layers(self, model):
        """Dict from path to layer of the layers whose rates the callback sets."""
        return settable_layers(model, self.layers)

    def move(self, layer, rate):
        """Set a rate, and record which callback decided it."""
        layer.rate = rate
        layer._is_moved_by(type(self).__name__)

    def __repr__(self) -> str:
        return call_text(self, with_defaults=False)


def movers_of(model: keras.Model):
    """The callbacks that set rates of `model` in its current training."""
    return list(_MOVERS.get(model, ()))


def forget_movers(model: keras.Model):
    """Forget the callbacks of an earlier training of `model`."""
    _MOVERS.pop(model, None)
    for layer in dropout_layers(model).values():
        layer._is_moved_by(None)


class RateScheduler(RateMover):
    """Sets rates when an epoch begins, like `keras.callbacks.LearningRateScheduler`.

    For a rate that changes within an epoch, or a schedule that is saved with the model,
    pass a schedule to the layer instead. Use this callback for a layer that is called
    several times per step, because the step counter of such a layer counts each call.

    Args:
        schedule: Callable `schedule(epoch, rate) -> rate` or `schedule(epoch) -> rate`.
            It takes the index of the epoch, from 0, and the rate in effect of a layer,
            and returns a float in [0, 1].
        verbose: 0 to print nothing, 1 to print a line per layer and epoch. Defaults
            to 0.
        layers: The layers whose rates to set: None for all layers whose rate was given
            as a number; or a glob on the layer path, a layer, or a list of these.
            Defaults to None.

    Raises:
        TypeError: If `schedule` takes neither one nor two arguments; when training
            begins, if `layers` names a layer whose rate a schedule or gradient decides.
        ValueError: When training begins, if no layer matches; when an epoch begins,
            if `schedule` returns something that is not a rate.

    Example:

    >>> anneal = kdropout.callbacks.RateScheduler(lambda epoch, rate: 0.5 * 0.9**epoch)
    """

    def __init__(
        self,
        schedule: Callable[..., float],
        verbose: int = 0,
        *,
        layers: str | keras.layers.Layer | Sequence | None = None,
    ) -> None:
        super().__init__(layers)
        self.schedule = schedule
        self._takes_rate = _takes_rate(schedule)
        self.verbose = _check_verbose(verbose)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for path, layer in settable_layers(self.model, self.layers).items():
            arguments = (epoch, layer.rate) if self._takes_rate else (epoch,)
            rate = self.schedule(*arguments)
            if keras.ops.is_tensor(rate) and keras.ops.ndim(rate) == 0:
                rate = keras.ops.convert_to_numpy(rate).item()
            try:
                self.move(layer, rate)
            except (TypeError, ValueError):
                call = ", ".join(map(repr, arguments))
                raise ValueError(
                    "'schedule' must return a number in [0, 1]. Received: "
                    f"schedule({call}) = {rate!r} for layer '{path}'."
                ) from None
            if self.verbose:
                print(f"Epoch {epoch + 1}: rate of '{path}' is {layer.rate:.4f}.")


def _takes_rate(schedule):
    """Return whether a schedule takes an epoch and a rate, and not only an epoch."""
    expected = "a callable schedule(epoch, rate) -> rate or schedule(epoch) -> rate"
    message = _validation.received("schedule", expected, schedule)
    if not callable(schedule):
        raise TypeError(message)
    of_steps = keras.optimizers.schedules.LearningRateSchedule
    if isinstance(schedule, of_steps):
        hint = " Pass a function of the training step as the layer's 'rate' instead."
        raise TypeError(f"{message}.{hint}")
    for arguments in ((0, 0.5), (0,)):
        try:
            inspect.signature(schedule).bind(*arguments)
        except (TypeError, ValueError):  # ValueError: a builtin without a signature
            continue
        return len(arguments) == 2
    raise TypeError(message)


def _check_verbose(verbose):
    try:
        return _validation.integer("verbose", verbose)
    except TypeError as error:
        hint = (
            "To choose layers, pass them by name: RateScheduler(schedule, layers=...)."
        )
        raise TypeError(f"{error}. {hint}") from None
