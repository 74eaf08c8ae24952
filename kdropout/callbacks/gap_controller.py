"""Holds the overfitting gap at a target."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kdropout import _validation
from kdropout._reprs import call_text
from kdropout.callbacks.overfitting_gap import check_validation_freq, is_validated
from kdropout.callbacks.rate_scheduler import RateMover
from kdropout.callbacks.rate_step import RateStep
from kdropout.inspection import settable_layers

# Measured on MNIST with 30 % random labels, and targets 0.4, 0.8 and 1.5. With equal
# gains of 0.5, the gap overshot to 2.3 times the target and ended up to 23 % above it
# (one seed). With a gain of 1 and this share, it overshot to 1.8 times the target and
# ended 5 to 11 % above it (ten seeds, docs/studies/controller.md).
_LOWERING_SHARE = 0.1

# The callback warns after so many epochs at a limit with the gap still off target.
_PATIENCE = 5


class GapController(RateMover):
    """Moves dropout rates once per epoch so that the overfitting gap meets a target.

    This is integral control on the logit of the rate:

        logit(rate) <- logit(rate) + gain * (gap - target)           above the target
        logit(rate) <- logit(rate) + lowering_gain * (gap - target)  below it

    Every training begins with a gap below its target, which says little about the
    rate. If the rate fell as fast as it rises, the controller would first remove the
    dropout, let the model overfit, and overshoot. All layers move by the same step in
    the logit, so that the ratios of their odds stay the same. The only memory of the
    controller is the rates, which are saved with the model. So it survives a restart,
    and it does not wind up at a limit.

    Args:
        target: Float, the gap to hold, in the unit of `monitor`.
        monitor: Name of the gap in the logs. `OverfittingGap` writes it, and must stand
            earlier in the list of callbacks. Defaults to "gap_loss".
        gain: Float above 0, the change of the logit per epoch and unit of gap above the
            target. A gap with a small unit, such as that of an accuracy, needs a
            larger gain. Defaults to 1.
        min_rate: Float in [0, 1), the lowest rate to set. Defaults to 0.
        max_rate: Float in (min_rate, 1), the highest rate to set. Defaults to 0.8.
        layers: The layers whose rates to set: None for all layers whose rate was given
            as a number; or a glob on the layer path, a layer, or a list of these.
            Defaults to None.
        warmup: Integer of at least 0, the number of epochs at the start in which the
            rates stay as they are. Defaults to 0.
        dead_band: Float of at least 0, the distance from the target within which the
            rates stay as they are. Defaults to 0.
        lowering_gain: Float of at least 0, the gain while the gap is below the target;
            or None for a tenth of `gain`. Defaults to None.
        slew_limit: Float in (0, 1], the largest change of a rate per epoch. Defaults to
            0.2.
        allow_naive: If True, `monitor` may be a gap that was not measured with dropout
            off. Defaults to False.
        validation_freq: Integer of at least 1, or list of such integers: the value that
            you pass to `fit`. Defaults to 1.
        verbose: 0 to print nothing, 1 to print a line per epoch. Defaults to 0.

    Raises:
        TypeError: If an argument is of the wrong type; when training begins, if
            `layers` names a layer whose rate a schedule or gradient decides.
        ValueError: If an argument is out of range; when training begins, if no
            layer matches; when an epoch ends, if `monitor` is not in the logs, or is
            not one number.

    Example:

    >>> gap = kdropout.callbacks.OverfittingGap((np.ones((8, 4)), np.ones((8, 1))))
    >>> callbacks = [gap, kdropout.callbacks.GapController(target=0.1)]

    In a training loop without `fit`, call `controller.set_model(model)` once, and
    `controller.step(gap)` after each epoch.

    Reference:
        There is no canonical paper. The nearest published method steers the strength
        of augmentation: Karras et al. 2020, arXiv:2006.06676.
    """

    def __init__(
        self,
        target: float,
        monitor: str = "gap_loss",
        gain: float = 1.0,
        min_rate: float = 0.0,
        max_rate: float = 0.8,
        layers: str | keras.layers.Layer | Sequence | None = None,
        warmup: int = 0,
        dead_band: float = 0.0,
        lowering_gain: float | None = None,
        slew_limit: float = 0.2,
        allow_naive: bool = False,
        validation_freq: int | list[int] = 1,
        verbose: int = 0,
    ) -> None:
        super().__init__(layers)
        self.target = _validation.number("target", target)
        self.monitor = _check_monitor(monitor, allow_naive)
        self.gain = _validation.number("gain", gain, 0.0, open_low=True)
        if lowering_gain is None:
            lowering_gain = _LOWERING_SHARE * self.gain
        self.lowering_gain = _validation.number("lowering_gain", lowering_gain, 0.0)
        self.min_rate = _validation.number("min_rate", min_rate, 0, 1, open_high=True)
        self.max_rate = _validation.number(
            "max_rate", max_rate, self.min_rate, 1.0, open_low=True, open_high=True
        )
        self.warmup = _validation.integer("warmup", warmup)
        self.dead_band = _validation.number("dead_band", dead_band, 0.0)
        self.slew_limit = _validation.number(
            "slew_limit", slew_limit, 0.0, 1.0, open_low=True
        )
        self.validation_freq = check_validation_freq(validation_freq)
        self.verbose = _validation.integer("verbose", verbose)

        self._forget()

    def _forget(self) -> None:
        self._epochs_at_limit = 0
        self._warned = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._forget()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not is_validated(epoch, self.validation_freq):
            return
        gap = self._read_gap(logs or {})
        if not math.isfinite(gap) or epoch < self.warmup:
            return
        rates = self.step(gap)
        if self.verbose:
            listed = ", ".join(f"{path} {rate:.3f}" for path, rate in rates.items())
            print(
                f"Epoch {epoch + 1}: {self.monitor} is {gap:.4f}, target "
                f"{self.target:g}. Rates: {listed}."
            )

    def step(self, gap: float) -> dict[str, float]:
        """Move the rates after an epoch.

        During `fit`, the callback calls it. Call it yourself in a custom training loop.

        Args:
            gap: Float, the gap after the epoch: the loss on validation data minus that
                on training data, both with dropout off. If it is not finite, the rates
                stay.

        Returns:
            Dict from layer path to the new rate.

        Raises:
            RuntimeError: If `set_model` was not called.
            TypeError: If `gap` is not a number.
            ValueError: If the model has no layer whose rate can be set.

        Example:

        >>> model = keras.Sequential([kdropout.layers.Dropout(0.5, name="drop")])
        >>> controller = kdropout.callbacks.GapController(target=0.1)
        >>> controller.set_model(model)
        >>> controller.step(gap=0.1)
        {'drop': 0.5}
        """
        try:
            gap = float(gap)
        except (TypeError, ValueError):
            raise _validation.type_error("gap", "a number", gap) from None
        if self.model is None:
            raise RuntimeError(
                "GapController must know the model whose rates it moves. Call "
                "controller.set_model(model) before controller.step(gap)."
            )
        layers = settable_layers(self.model, self.layers)
        if math.isfinite(gap):
            error = gap - self.target
            if abs(error) <= self.dead_band:
                error = 0.0
            step = error * (self.gain if error > 0 else self.lowering_gain)
            limits = RateStep(self.min_rate, self.max_rate, self.slew_limit)
            for layer in layers.values():
                self.move(layer, limits.next_rate(layer.rate, step))
            self._warn_if_out_of_reach(gap, error, layers.values())
        return {path: layer.rate for path, layer in layers.items()}

    def __repr__(self) -> str:
        # The default of `lowering_gain` depends on `gain`.
        gain = vars(self).get("gain", 0.0)
        is_default = vars(self).get("lowering_gain") == _LOWERING_SHARE * gain
        shown = {"lowering_gain": None} if is_default else {}
        return call_text(self, with_defaults=False, **shown)

    def _read_gap(self, logs):
        if self.monitor not in logs:
            raise ValueError(
                f"'monitor' must name an entry of the logs. Received: "
                f"monitor={self.monitor!r}, logs with {sorted(logs)}. Put "
                "kdropout.callbacks.OverfittingGap before GapController in the list "
                "of callbacks, and pass validation data to fit; if fit has a "
                "'validation_freq', pass the same to both."
            )
        gap = logs[self.monitor]
        if np.ndim(gap):
            raise ValueError(
                "'monitor' must name a gap that is one number. Received: "
                f"monitor={self.monitor!r}, which has {np.size(gap)} values. Give the "
                "metric an average, as in keras.metrics.F1Score(average='macro')."
            )
        return float(gap)

    def _warn_if_out_of_reach(self, gap, error, layers):
        # No warning at the lower limit: the gap may still grow.
        stuck = error > 0 and all(
            # A rate meets a limit that float32 cannot hold to 7 digits.
            math.isclose(layer.rate, self.max_rate, rel_tol=1e-6)
            for layer in layers
        )
        self._epochs_at_limit = self._epochs_at_limit + 1 if stuck else 0
        if self._epochs_at_limit == _PATIENCE and not self._warned:
            self._warned = True
            warnings.warn(
                f"GapController: {self.monitor} is {gap:.4g}, above the target "
                f"{self.target:g}, with all rates at max_rate={self.max_rate:g} for "
                f"{_PATIENCE} epochs: the target is out of reach of these rates. "
                "Raise 'target' or 'max_rate', or regularise in another way.",
                stacklevel=2,
            )


def _check_monitor(monitor, allow_naive):
    if not isinstance(monitor, str):
        raise _validation.type_error("monitor", "a name in the logs", monitor)
    if not monitor.startswith("gap_") and not allow_naive:
        raise ValueError(
            "'monitor' must be a clean gap, a name that begins with 'gap_'. Received: "
            f"monitor={monitor!r}. A training metric measured with dropout on hides "
            "the gap. To use it anyway, pass allow_naive=True."
        )
    return monitor
