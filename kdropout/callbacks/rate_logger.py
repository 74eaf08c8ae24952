"""Writes the rates into the logs."""

import keras

from kdropout.layer_walk import select_layers


class RateLogger(keras.callbacks.Callback):
    """Adds `rate/<layer path>` to the logs of each epoch: the rate in effect.

    For a learned rate it adds `entropy_term/<layer path>`, too, and for
    `kdropout.layers.ConcreteDropout` also `weight_term/<layer path>`: what the last
    step added to the loss.

    From there the rates reach History, CSVLogger, TensorBoard and every callback
    that stands later in the list. Put it before a callback that moves the rates at
    the end of an epoch, such as `GapController`, to log what the epoch was trained
    with.

    Args:
        layers: None for all dropout layers, a glob on the layer path such as
            "encoder/*", a layer, or a list of those. Defaults to None.

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

    def __init__(self, layers=None):
        super().__init__()
        self.layers = layers

    def on_train_begin(self, logs=None):
        select_layers(self.model, self.layers)

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            for path, layer in select_layers(self.model, self.layers).items():
                for name, value in layer.log_values().items():
                    logs[f"{name}/{path}"] = value
