"""The recurrent layers and cells of Keras, with live rates.

Keras draws the masks of a cell once for each sequence, before the loop over time, and
keeps them in the cell until the loop ends. A live cell makes these masks by dropout
layers of kdropout, which are called outside of the loop. So clocks count once for each
call of the recurrent layer, and a backend that compiles the loop sees no random number
in it.
"""

import functools
from typing import Any

import keras
from keras import ops

from kdropout._sampling import active_scope
from kdropout._types import Tensor
from kdropout.layers.rate_arguments import RateArguments

_NO_DROPOUT: dict[str, Any] = {"dropout": None, "recurrent_dropout": None}


class LiveCell(RateArguments):
    """Base class of cells with live rates. The second base is a cell of Keras."""

    _rate_defaults = _NO_DROPOUT

    # The number of masks if each gate has its own.
    _num_gates: int | None = None

    dropout_layer: Any
    recurrent_dropout_layer: Any

    def _make_live(self, layers):
        super()._make_live(layers)
        if self._num_gates and self.recurrent_dropout_layer is not None:
            # Only this implementation of Keras has dropout of the state.
            self.implementation = 1
            self.dropout_mask_count = self._num_gates

    def get_dropout_mask(self, step_input: Tensor) -> Tensor | list[Tensor] | None:
        """Return the mask of the inputs: a list if each gate has its own."""
        return self._mask("_dropout_mask", self.dropout_layer, step_input)

    def get_recurrent_dropout_mask(
        self, step_input: Tensor
    ) -> Tensor | list[Tensor] | None:
        """Return the mask of the state: a list if each gate has its own."""
        return self._mask(
            "_recurrent_dropout_mask", self.recurrent_dropout_layer, step_input
        )

    def _mask(self, name, layer, step_input):
        # Keras's `reset_dropout_mask` and `reset_recurrent_dropout_mask` end a mask.
        if layer is not None and getattr(self, name, None) is None:
            setattr(self, name, self._draw(layer, step_input))
        return getattr(self, name, None)

    def _draw(self, layer, step_input):
        ones = ops.ones_like(step_input)
        num_gates = getattr(self, "dropout_mask_count", None)
        if num_gates is None:
            return layer(ones)
        # One call for all gates, because each call of a layer advances its schedule.
        masks = layer(ops.stack([ones] * num_gates, axis=1))
        return ops.unstack(masks, num_gates, axis=1)

    def call(self, inputs: Tensor, states: list[Tensor], training: bool = False):
        training = training or _is_sampling()
        return super().call(inputs, states, training=training)  # type: ignore[misc]


class LiveRecurrent(RateArguments):
    """Base class of recurrent layers that make a cell with live rates themselves."""

    _rate_defaults = _NO_DROPOUT

    cell: Any

    @property
    def dropout_layer(self) -> keras.layers.Layer | None:
        """The layer that draws the masks of the inputs, or None."""
        return self.cell.dropout_layer

    @property
    def recurrent_dropout_layer(self) -> keras.layers.Layer | None:
        """The layer that draws the masks of the state, or None."""
        return self.cell.recurrent_dropout_layer

    def _make_live(self, layers):
        self.cell.__class__ = live_cell(type(self.cell))
        self.cell._make_live(layers)

    def _make_plain(self):
        self.cell._make_plain()
        self.__class__ = self._keras_kind

    def _copy_rates_to(self, plain):
        pass  # they are those of the cell

    def get_config(self) -> dict[str, Any]:
        # Keras's SimpleRNN leaves the seed out.
        return {**super().get_config(), "seed": self.cell.seed}

    def inner_loop(self, sequences, initial_state, mask, training=False):
        # Here, and not in `call`, because layers of Keras ask it for a fast kernel.
        training = training or _is_sampling()
        return super().inner_loop(sequences, initial_state, mask, training=training)


@keras.saving.register_keras_serializable(package="kdropout")
class LSTMCell(LiveCell, keras.layers.LSTMCell):
    """`keras.layers.LSTMCell` with rates that you can change.

    Use it in `keras.layers.RNN` or `keras.layers.StackedRNNCells`. The layer draws one
    mask for each sequence, and uses it at all time steps.

    Args:
        units: Integer of at least 1, the size of the state.
        dropout: Float in [0, 1], the probability of dropping an input of the cell; or
            a schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            None.
        recurrent_dropout: The same for the state of the cell. Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: The other arguments of `keras.layers.LSTMCell`, in the same order.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks of the inputs,
            or None. Its `rate` can be set.
        recurrent_dropout_layer: The same for the state.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> cell = kdropout.layers.LSTMCell(4, dropout=0.2, recurrent_dropout=0.1)
    >>> cell.dropout_layer.rate = 0.3
    >>> kdropout.rates(keras.layers.RNN(cell, name="rnn"))
    {'lstm_cell/dropout': 0.3, 'lstm_cell/recurrent_dropout': 0.1}

    Reference:
        Gal, Ghahramani 2016, "A theoretically grounded application of dropout in
        recurrent neural networks", arXiv:1512.05287.
    """

    _num_gates = 4


@keras.saving.register_keras_serializable(package="kdropout")
class GRUCell(LiveCell, keras.layers.GRUCell):
    """`keras.layers.GRUCell` with rates that you can change.

    Use it in `keras.layers.RNN` or `keras.layers.StackedRNNCells`. The layer draws one
    mask for each sequence, and uses it at all time steps.

    Args:
        units: Integer of at least 1, the size of the state.
        dropout: Float in [0, 1], the probability of dropping an input of the cell; or
            a schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            None.
        recurrent_dropout: The same for the state of the cell. Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: The other arguments of `keras.layers.GRUCell`, in the same order.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks of the inputs,
            or None. Its `rate` can be set.
        recurrent_dropout_layer: The same for the state.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> cell = kdropout.layers.GRUCell(4, dropout=0.2, recurrent_dropout=0.1)
    >>> cell.dropout_layer.rate = 0.3
    >>> kdropout.rates(keras.layers.RNN(cell, name="rnn"))
    {'gru_cell/dropout': 0.3, 'gru_cell/recurrent_dropout': 0.1}

    Reference:
        Gal, Ghahramani 2016, "A theoretically grounded application of dropout in
        recurrent neural networks", arXiv:1512.05287.
    """

    _num_gates = 3


@keras.saving.register_keras_serializable(package="kdropout")
class SimpleRNNCell(LiveCell, keras.layers.SimpleRNNCell):
    """`keras.layers.SimpleRNNCell` with rates that you can change.

    Use it in `keras.layers.RNN` or `keras.layers.StackedRNNCells`. The layer draws one
    mask for each sequence, and uses it at all time steps.

    Args:
        units: Integer of at least 1, the size of the state.
        dropout: Float in [0, 1], the probability of dropping an input of the cell; or
            a schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            None.
        recurrent_dropout: The same for the state of the cell. Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: The other arguments of `keras.layers.SimpleRNNCell`, in the same
            order.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks of the inputs,
            or None. Its `rate` can be set.
        recurrent_dropout_layer: The same for the state.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> cell = kdropout.layers.SimpleRNNCell(4, dropout=0.2, recurrent_dropout=0.1)
    >>> cell.dropout_layer.rate = 0.3
    >>> kdropout.rates(keras.layers.RNN(cell, name="rnn"))
    {'simple_rnn_cell/dropout': 0.3, 'simple_rnn_cell/recurrent_dropout': 0.1}

    Reference:
        Gal, Ghahramani 2016, "A theoretically grounded application of dropout in
        recurrent neural networks", arXiv:1512.05287.
    """


@keras.saving.register_keras_serializable(package="kdropout")
class LSTM(LiveRecurrent, keras.layers.LSTM):
    """`keras.layers.LSTM` with rates that you can change.

    In training, the inputs and the state of the cell are multiplied by masks, as in
    Keras: each entry is 0 with probability `rate`, else `1 / (1 - rate)`. The layer
    draws one mask for each sequence, and uses it at all time steps.

    On a GPU, Keras's fast kernel (cuDNN) has no dropout of the state. The layer uses
    it if `recurrent_dropout` is None, whatever the rate of `dropout`.

    Args:
        units: Integer of at least 1, the size of the state and of the outputs.
        dropout: Float in [0, 1], the probability of dropping an input of the cell; or
            a schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            None.
        recurrent_dropout: The same for the state of the cell. Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: The other arguments of `keras.layers.LSTM`, in the same order.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks of the inputs,
            or None. Its `rate` can be set.
        recurrent_dropout_layer: The same for the state.

    Input shape:
        `(batch, time, features)`.

    Output shape:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences=True`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> layer = kdropout.layers.LSTM(4, dropout=0.2)
    >>> layer.dropout_layer.rate = 0.3
    >>> kdropout.rates(layer)
    {'dropout': 0.3}

    Reference:
        Gal, Ghahramani 2016, "A theoretically grounded application of dropout in
        recurrent neural networks", arXiv:1512.05287.
    """


@keras.saving.register_keras_serializable(package="kdropout")
class GRU(LiveRecurrent, keras.layers.GRU):
    """`keras.layers.GRU` with rates that you can change.

    In training, the inputs and the state of the cell are multiplied by masks, as in
    Keras: each entry is 0 with probability `rate`, else `1 / (1 - rate)`. The layer
    draws one mask for each sequence, and uses it at all time steps.

    On a GPU, Keras's fast kernel (cuDNN) has no dropout of the state. The layer uses
    it if `recurrent_dropout` is None, whatever the rate of `dropout`.

    Args:
        units: Integer of at least 1, the size of the state and of the outputs.
        dropout: Float in [0, 1], the probability of dropping an input of the cell; or
            a schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            None.
        recurrent_dropout: The same for the state of the cell. Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: The other arguments of `keras.layers.GRU`, in the same order.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks of the inputs,
            or None. Its `rate` can be set.
        recurrent_dropout_layer: The same for the state.

    Input shape:
        `(batch, time, features)`.

    Output shape:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences=True`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> layer = kdropout.layers.GRU(4, dropout=0.2)
    >>> layer.dropout_layer.rate = 0.3
    >>> kdropout.rates(layer)
    {'dropout': 0.3}

    Reference:
        Gal, Ghahramani 2016, "A theoretically grounded application of dropout in
        recurrent neural networks", arXiv:1512.05287.
    """


@keras.saving.register_keras_serializable(package="kdropout")
class SimpleRNN(LiveRecurrent, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN` with rates that you can change.

    In training, the inputs and the state of the cell are multiplied by masks, as in
    Keras: each entry is 0 with probability `rate`, else `1 / (1 - rate)`. The layer
    draws one mask for each sequence, and uses it at all time steps.

    Args:
        units: Integer of at least 1, the size of the state and of the outputs.
        dropout: Float in [0, 1], the probability of dropping an input of the cell; or
            a schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            None.
        recurrent_dropout: The same for the state of the cell. Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: The other arguments of `keras.layers.SimpleRNN`, in the same order.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks of the inputs,
            or None. Its `rate` can be set.
        recurrent_dropout_layer: The same for the state.

    Input shape:
        `(batch, time, features)`.

    Output shape:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences=True`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> layer = kdropout.layers.SimpleRNN(4, dropout=0.2)
    >>> layer.dropout_layer.rate = 0.3
    >>> kdropout.rates(layer)
    {'dropout': 0.3}

    Reference:
        Gal, Ghahramani 2016, "A theoretically grounded application of dropout in
        recurrent neural networks", arXiv:1512.05287.
    """


@keras.saving.register_keras_serializable(package="kdropout")
class ConvLSTM1D(LiveRecurrent, keras.layers.ConvLSTM1D):
    """`keras.layers.ConvLSTM1D` with rates that you can change.

    In training, the inputs and the state of the cell are multiplied by masks, as in
    Keras: each entry is 0 with probability `rate`, else `1 / (1 - rate)`. The layer
    draws one mask for each sequence, and uses it at all time steps.

    Args:
        filters: Integer of at least 1, the number of channels of the state.
        kernel_size: Integer or tuple of integers, the size of the kernels.
        dropout: Float in [0, 1], the probability of dropping an input of the cell; or
            a schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            None.
        recurrent_dropout: The same for the state of the cell. Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: The other arguments of `keras.layers.ConvLSTM1D`, in the same order.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks of the inputs,
            or None. Its `rate` can be set.
        recurrent_dropout_layer: The same for the state.

    Input shape:
        `(batch, time, steps, channels)`, or `(batch, time, channels, steps)` with
        `data_format="channels_first"`.

    Output shape:
        That of `keras.layers.ConvLSTM1D`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> layer = kdropout.layers.ConvLSTM1D(4, 3, dropout=0.2)
    >>> layer.dropout_layer.rate = 0.3
    >>> kdropout.rates(layer)
    {'dropout': 0.3}

    Reference:
        Gal, Ghahramani 2016, "A theoretically grounded application of dropout in
        recurrent neural networks", arXiv:1512.05287.
    """


@keras.saving.register_keras_serializable(package="kdropout")
class ConvLSTM2D(LiveRecurrent, keras.layers.ConvLSTM2D):
    """`keras.layers.ConvLSTM2D` with rates that you can change.

    In training, the inputs and the state of the cell are multiplied by masks, as in
    Keras: each entry is 0 with probability `rate`, else `1 / (1 - rate)`. The layer
    draws one mask for each sequence, and uses it at all time steps.

    Args:
        filters: Integer of at least 1, the number of channels of the state.
        kernel_size: Integer or tuple of integers, the size of the kernels.
        dropout: Float in [0, 1], the probability of dropping an input of the cell; or
            a schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            None.
        recurrent_dropout: The same for the state of the cell. Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: The other arguments of `keras.layers.ConvLSTM2D`, in the same order.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks of the inputs,
            or None. Its `rate` can be set.
        recurrent_dropout_layer: The same for the state.

    Input shape:
        `(batch, time, rows, columns, channels)`, or
        `(batch, time, channels, rows, columns)` with `data_format="channels_first"`.

    Output shape:
        That of `keras.layers.ConvLSTM2D`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> layer = kdropout.layers.ConvLSTM2D(4, 3, dropout=0.2)
    >>> layer.dropout_layer.rate = 0.3
    >>> kdropout.rates(layer)
    {'dropout': 0.3}

    Reference:
        Gal, Ghahramani 2016, "A theoretically grounded application of dropout in
        recurrent neural networks", arXiv:1512.05287.
    """


@keras.saving.register_keras_serializable(package="kdropout")
class ConvLSTM3D(LiveRecurrent, keras.layers.ConvLSTM3D):
    """`keras.layers.ConvLSTM3D` with rates that you can change.

    In training, the inputs and the state of the cell are multiplied by masks, as in
    Keras: each entry is 0 with probability `rate`, else `1 / (1 - rate)`. The layer
    draws one mask for each sequence, and uses it at all time steps.

    Args:
        filters: Integer of at least 1, the number of channels of the state.
        kernel_size: Integer or tuple of integers, the size of the kernels.
        dropout: Float in [0, 1], the probability of dropping an input of the cell; or
            a schedule; or a `kdropout.LearnedRate`; or None for no dropout. Defaults to
            None.
        recurrent_dropout: The same for the state of the cell. Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: The other arguments of `keras.layers.ConvLSTM3D`, in the same order.

    Attributes:
        dropout_layer: The `kdropout.layers.Dropout` that draws the masks of the inputs,
            or None. Its `rate` can be set.
        recurrent_dropout_layer: The same for the state.

    Input shape:
        `(batch, time, depth, rows, columns, channels)`. With
        `data_format="channels_first"`: `(batch, time, channels, depth, rows, columns)`.

    Output shape:
        That of `keras.layers.ConvLSTM3D`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> layer = kdropout.layers.ConvLSTM3D(4, 3, dropout=0.2)
    >>> layer.dropout_layer.rate = 0.3
    >>> kdropout.rates(layer)
    {'dropout': 0.3}

    Reference:
        Gal, Ghahramani 2016, "A theoretically grounded application of dropout in
        recurrent neural networks", arXiv:1512.05287.
    """


_CELLS = {kind._keras_kind: kind for kind in (LSTMCell, GRUCell, SimpleRNNCell)}


@functools.cache
def live_cell(kind):
    """The class with live rates for a class of cells of Keras."""
    if kind in _CELLS:
        return _CELLS[kind]
    # Keras does not publish the cell of ConvLSTM layers, and files do not contain it.
    return type(kind.__name__, (LiveCell, kind), {})


def _is_sampling():
    """Return whether `kdropout.mc_predict` samples predictions."""
    return active_scope() is not None
