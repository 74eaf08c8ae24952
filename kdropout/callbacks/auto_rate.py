"""Finds the dropout rates while the model trains."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kdropout import _validation
from kdropout.callbacks.overfitting_gap import (
    callbacks_of_training,
    check_validation_freq,
    is_validated,
)
from kdropout.callbacks.rate_scheduler import RateMover
from kdropout.callbacks.rate_step import RateStep
from kdropout.inspection import settable_layers

# The moving average of the logarithm of the validation loss: its weight for the past,
# and its name in the files of a layer.
_PAST = 0.9
_AVERAGE = "auto_rate_average_log_val_loss"

# The distance below that average at which a rate stops rising. Without it, a rate may
# rise to its limit if the validation rows happen to be harder than the others. On the
# UCI data set "yacht", errors were then 56 % (standard error 33 %) above those without
# dropout. With it, they were 8 % (2 %) above (six seeds).
_FALLING = 0.1

# The callback warns after so many epochs without dropout in which the training loss is
# this far above the validation loss. The two are then not the same quantity.
_PATIENCE = 5
_ONE_SIDED_GAP = -0.2

# A change of the rate over the last quarter of the epochs counts as moving above this.
_MOVING = 0.05


class AutoRate(RateMover):
    """Finds dropout rates in one training, without a target that you have to know.

    In a study of sixteen small tasks with ten seeds, the test error of classifications
    was 0.4 points above that of the best constant rate, and 1.2 points in the worst
    task. Begin a regression at a rate of 0.1: from 0.3, its error was 5 to 6 % above
    that of the best constant rate (16 % in the worst task), and from 0.1 it was 3 to
    4 % above (10 %).

    At the end of each epoch, the callback compares the two losses that `fit` reports:
    the training loss with dropout on, and the validation loss with dropout off.

        gap = 1 - loss / val_loss
        error = gap - target
        if error > 0: error <- error * clip(1 + trend / 0.1, -1, 1)
        logit(rate) <- logit(rate) + gain * error

    Here, `trend` is the distance of the logarithm of `val_loss` from its moving average
    over about ten epochs. If a model overfits, its training loss is far below its
    validation loss, and the validation loss no longer falls. Then the rate rises.
    Dropout raises the training loss, so a model that does not overfit has a gap below
    the target. Then the rate falls, to 0 if necessary. While the validation loss still
    falls fast, the rate does not rise. The rates and the average are saved with the
    model, so a resumed training continues exactly as without the interruption.

    Both losses must be the same quantity. The gap shifts if only the training data have
    class or sample weights, mixup, label smoothing or strong augmentation.

    Args:
        target: Float in (-1, 1), the relative gap to hold. Defaults to 0.1.
        gain: Float above 0, the change of the logit per epoch and unit of gap. Defaults
            to 1.5.
        max_rate: Float in (0, 1), the highest rate to set. Defaults to 0.8.
        slew_limit: Float in (0, 1], the largest change of a rate per epoch. Defaults to
            0.1.
        layers: The layers whose rates to set: None for all layers whose rate was given
            as a number; or a glob on the layer path, a layer, or a list of these.
            Defaults to None.
        monitor: Name of the training loss in the logs. The name of the validation loss
            is the same with "val_" before it. Defaults to "loss".
        validation_freq: Integer of at least 1, or list of such integers: the value that
            you pass to `fit`. Defaults to 1.
        verbose: 0 to print nothing, 1 to print `summary()` at the end, 2 to print also
            a line per epoch. "auto" means 0 if `fit` is silent, otherwise 1. Defaults
            to "auto".

    Raises:
        TypeError: If an argument is of the wrong type; when training begins, if
            `layers` names a layer whose rate a schedule or gradient decides.
        ValueError: If an argument is out of range; when training begins, if no layer
            matches, or another callback moves the rate of the same layer; when an
            epoch ends, if a loss is not in the logs.

    Warns:
        UserWarning: Once, if the validation loss is not a finite number above 0, if
            another callback restores the weights of the best epoch, or if the losses
            are not the same quantity.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), kdropout.layers.Dropout(0.3, name="drop"),
    ...     keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.random.rand(64, 4), np.random.rand(64, 1)
    >>> auto = kdropout.callbacks.AutoRate()
    >>> history = model.fit(
    ...     x, y, validation_split=0.5, callbacks=[auto], epochs=2, verbose=0)
    >>> auto.summary().startswith("AutoRate: after 2 epochs")
    True

    In a training loop without `fit`, call `auto.set_model(model)` once, and
    `auto.step(loss, val_loss)` after each epoch.
    """

    def __init__(
        self,
        target: float = 0.1,
        gain: float = 1.5,
        max_rate: float = 0.8,
        slew_limit: float = 0.1,
        layers: str | keras.layers.Layer | Sequence | None = None,
        monitor: str = "loss",
        validation_freq: int | list[int] = 1,
        verbose: str | int = "auto",
    ) -> None:
        super().__init__(layers)
        self.target = _validation.number(
            "target", target, -1.0, 1.0, open_low=True, open_high=True
        )
        self.gain = _validation.number("gain", gain, 0.0, open_low=True)
        self.max_rate = _validation.number(
            "max_rate", max_rate, 0.0, 1.0, open_low=True, open_high=True
        )
        self.slew_limit = _validation.number(
            "slew_limit", slew_limit, 0.0, 1.0, open_low=True
        )
        if not isinstance(monitor, str):
            raise _validation.type_error("monitor", "a name in the logs", monitor)
        self.monitor = monitor
        self.validation_freq = check_validation_freq(validation_freq)
        self.verbose = _check_verbose(verbose)
        self._forget()
        self._warned: set[str] = set()

    def _forget(self) -> None:
        self._gaps: list[float] = []  # of the epochs of this training
        self._rates: list[dict[str, float]] = []  # after each of them
        self._one_sided_epochs = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._refuse_second_mover()
        super().on_train_begin(logs)
        self._forget()
        self._warn_of_best_weights()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == 0:  # a new training, not one that goes on
            for layer in settable_layers(self.model, self.layers).values():
                layer._memory.pop(_AVERAGE, None)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not is_validated(epoch, self.validation_freq):
            return
        rates = self.step(*self._read_losses(logs or {}))
        if self.verbose == 2 and self._gaps:
            listed = ", ".join(f"{path} {rate:.3f}" for path, rate in rates.items())
            print(
                f"Epoch {epoch + 1}: relative gap {self._gaps[-1]:.3f}, target "
                f"{self.target:g}. Rates: {listed}."
            )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        verbose = self.verbose
        if verbose == "auto":
            verbose = 1 if (self.params or {}).get("verbose", 1) else 0
        if verbose:
            print(self.summary())

    def step(self, loss: float, val_loss: float) -> dict[str, float]:
        """Move the rates after an epoch.

        During `fit`, the callback calls it. Call it yourself in a custom training loop.

        Args:
            loss: Float, the mean training loss of the epoch, with dropout on.
            val_loss: Float, the validation loss after the epoch, with dropout off.

        Returns:
            Dict from layer path to the new rate.

        Raises:
            RuntimeError: If `set_model` was not called.
            TypeError: If a loss is not a number.
            ValueError: If the model has no layer whose rate can be set.
        """
        loss, val_loss = _number("loss", loss), _number("val_loss", val_loss)
        if self.model is None:
            raise RuntimeError(
                "AutoRate must know the model whose rates it moves. Call "
                "auto.set_model(model) before auto.step(loss, val_loss)."
            )
        layers = settable_layers(self.model, self.layers)
        if self._can_compare(loss, val_loss):
            gap = 1.0 - loss / val_loss
            error = min(max(gap - self.target, -1.0), 1.0)
            trend = self._trend(math.log(val_loss), layers)
            if error > 0.0:
                error *= min(max(1.0 + trend / _FALLING, -1.0), 1.0)
            limits = RateStep(0.0, self.max_rate, self.slew_limit)
            self._warn_of_other_quantity(gap, layers)
            for layer in layers.values():
                self.move(layer, limits.next_rate(layer.rate, self.gain * error))
            self._gaps.append(gap)
        rates = {path: layer.rate for path, layer in layers.items()}
        self._rates.append(rates)
        return rates

    def summary(self) -> str:
        """Return a sentence with the rates after the training, and what to do next.

        Example:

        >>> print(kdropout.callbacks.AutoRate().summary())
        AutoRate: no epoch has ended yet.
        """
        if not self._rates:
            return "AutoRate: no epoch has ended yet."
        epochs = len(self._rates)
        what = f"AutoRate: after {epochs} epoch{'s' if epochs > 1 else ''}, "
        what += _described(self._rates[-1].values())
        if not self._gaps:
            return (
                f"{what}, as before: no epoch had losses that could be compared. Both "
                "must be finite, and the validation loss above 0."
            )
        return f"{what}{self._verdict()}"

    def _verdict(self):
        rates = [sum(rates.values()) / len(rates) for rates in self._rates]
        last, gap = rates[-1], self._gaps[-1]
        begin = rates[-1 - max(len(rates) // 4, 1)] if len(rates) > 1 else last
        if last >= self.max_rate - 1e-6 and gap > self.target:
            return (
                f", the highest that max_rate allows, and the relative gap {gap:.2f} "
                f"is above the target {self.target:g}. Dropout is not enough to stop "
                "this model from overfitting: use more data, weight decay, or a "
                "smaller model."
            )
        if last == 0.0:
            return (
                ": the training loss is not below the validation loss, so the model "
                "does not overfit yet. Train longer, or use a larger model."
            )
        if last - begin > _MOVING:
            return (
                f" and still rising: train longer, or start the next training at "
                f"{last:.1f}."
            )
        if begin - last > _MOVING:
            return (
                f" and still falling: train longer, or start the next training at "
                f"{last:.1f}."
            )
        return f" and steady, with a relative gap of {gap:.2f}."

    def _trend(self, value, layers):
        """The distance of the logarithm of a loss from its moving average."""
        memories = [layer._memory for layer in layers.values()]
        known = [memory[_AVERAGE] for memory in memories if _AVERAGE in memory]
        average = known[0] if known else value
        for memory in memories:
            memory[_AVERAGE] = _PAST * average + (1.0 - _PAST) * value
        return value - average

    def _read_losses(self, logs):
        names = (self.monitor, f"val_{self.monitor}")
        missing = [name for name in names if name not in logs]
        if missing == [names[1]]:
            raise ValueError(
                f"AutoRate needs validation data, for '{names[1]}'. Received: logs "
                f"with {sorted(logs)}. Pass 'validation_data' or 'validation_split' to "
                "fit; if fit has a 'validation_freq', pass the same to AutoRate."
            )
        if missing:
            raise ValueError(
                f"'monitor' must name a loss in the logs. Received: "
                f"monitor={self.monitor!r}, logs with {sorted(logs)}."
            )
        return tuple(_scalar(self.monitor, logs[name]) for name in names)

    def _can_compare(self, loss, val_loss):
        if math.isfinite(loss) and math.isfinite(val_loss) and val_loss > 0.0:
            return True
        self._warn_once(
            "losses",
            "needs finite losses and a validation loss above 0 to compare them. "
            f"Received: loss={loss:g}, val_loss={val_loss:g}. In such an epoch, the "
            "rates stay as they are. For a loss that can be negative, such as a "
            "log-likelihood of densities, use GapController.",
        )
        return False

    def _warn_of_other_quantity(self, gap, layers):
        is_off = all(layer.rate == 0.0 for layer in layers.values())
        if not (is_off and gap < _ONE_SIDED_GAP):
            self._one_sided_epochs = 0
            return
        self._one_sided_epochs += 1
        if self._one_sided_epochs == _PATIENCE:
            self._warn_once(
                "quantity",
                "found the training loss far above the validation loss for "
                f"{_PATIENCE} epochs without dropout (relative gap {gap:.2f}). They "
                "may not be the same quantity: class_weight, sample_weight, "
                "augmentation or label smoothing of only the training data "
                "hide overfitting. Weight the validation data in the same way, or use "
                "OverfittingGap and GapController, which measure both in the same way.",
            )

    def _warn_of_best_weights(self):
        for callback in callbacks_of_training():
            is_restored = getattr(callback, "restore_best_weights", False)
            if is_restored or getattr(callback, "save_best_only", False):
                argument = "restore_best_weights" if is_restored else "save_best_only"
                self._warn_once(
                    "best weights",
                    f"works best with the weights of the last epoch. Received: "
                    f"{type(callback).__name__}({argument}=True), which takes those of "
                    "the best epoch so far. This epoch often comes before the rate has "
                    "risen, so the rate has changed little.",
                )
                return

    def _warn_once(self, key, text):
        if key not in self._warned:
            self._warned.add(key)
            warnings.warn(f"AutoRate {text}", stacklevel=2)

    def _refuse_second_mover(self):
        mine = set(settable_layers(self.model, self.layers))
        for callback in callbacks_of_training():
            if callback is self or not isinstance(callback, RateMover):
                continue
            shared = mine & set(settable_layers(self.model, callback.layers))
            if shared:
                raise ValueError(
                    "'layers' must name layers whose rate no other callback moves. "
                    f"Received: '{min(shared)}', which {type(callback).__name__} "
                    "moves as well. Remove one of the callbacks, or give each its own "
                    "'layers'."
                )


def _described(rates):
    """ "the rate is 0.3" or "the rates of 3 layers are 0.2 to 0.3"."""
    rates = list(rates)
    low, high = f"{min(rates):.2f}", f"{max(rates):.2f}"
    if len(rates) == 1:
        return f"the rate is {low}"
    between = low if low == high else f"{low} to {high}"
    return f"the rates of {len(rates)} layers are {between}"


def _number(name, value):
    try:
        return float(value)
    except (TypeError, ValueError):
        raise _validation.type_error(name, "a number", value) from None


def _scalar(monitor, value):
    if np.ndim(value):
        raise ValueError(
            "'monitor' must name a loss that is one number. Received: "
            f"monitor={monitor!r}, which has {np.size(value)} values."
        )
    return float(value)


def _check_verbose(verbose):
    if verbose == "auto":
        return verbose
    expected = "'auto', 0, 1 or 2"
    if isinstance(verbose, bool) or not isinstance(verbose, int):
        raise _validation.type_error("verbose", expected, verbose)
    if verbose not in (0, 1, 2):
        raise _validation.value_error("verbose", expected, verbose)
    return verbose
