"""Adds the rates to the logs."""

from collections.abc import Sequence
from typing import Any

import keras

from kdropout._reprs import call_text
from kdropout.inspection import select_layers


class RateReader(keras.callbacks.Callback):
    """Base class of the callbacks that report the rates an epoch was trained with."""

    def __init__(
        self, layers: str | keras.layers.Layer | Sequence | None = None
    ) -> None:
        super().__init__()
        self.layers = layers
        self._rates_of_epoch: dict[str, float] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        select_layers(self.model, self.layers)
        self._rates_of_epoch = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._rates_of_epoch = None

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        # Before the first batch, Keras calls on_epoch_begin of all callbacks, where a
        # scheduler sets rates, and no on_epoch_end yet, where a controller does.
        if self._rates_of_epoch is None:
            self._rates_of_epoch = {
                path: layer.rate
                for path, layer in select_layers(self.model, self.layers).items()
                if layer._rate_rule.settable
            }

    def read_epoch(self):
        """Dict from layer path to the values to log for the epoch, a dict by name."""
        rates = self._rates_of_epoch or {}
        values = {}
        for path, layer in select_layers(self.model, self.layers).items():
            values[path] = layer.log_values()
            if path in rates:
                values[path]["rate"] = rates[path]
        return values

    def __repr__(self) -> str:
        return call_text(self, with_defaults=False)


class RateLogger(RateReader):
    """Adds `rate/<layer path>` to the logs: the rate that the epoch was trained with.

    If the rate of a layer was given as a number, the logs have its value at the first
    batch of the epoch. This holds for any order of the callbacks. If a schedule or the
    gradient decides the rate, the logs have its value at the last step.

    For a learned rate, the callback also adds `entropy_term/<layer path>`, and for
    `kdropout.layers.ConcreteDropout` also `weight_term/<layer path>`. These are the
    terms that the last step added to the loss.

    History, CSVLogger, TensorBoard and every callback that stands later in the list
    receive the logs.

    Args:
        layers: The layers to log: None for all dropout layers; or a glob on the layer
            path such as "encoder/*", a layer, or a list of these. Defaults to None.

    Raises:
        TypeError: When training begins, if `layers` is of another type.
        ValueError: When training begins, if no dropout layer matches.

    Example:

    >>> model = keras.Sequential([
    ...     kdropout.layers.Dropout(0.5, name="drop"), keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> history = model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0,
    ...                     callbacks=[kdropout.callbacks.RateLogger()])
    >>> history.history["rate/drop"]
    [0.5]
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            for path, values in self.read_epoch().items():
                for name, value in values.items():
                    logs[f"{name}/{path}"] = value
