"""Checks of the contract of dropout layers, for your own subclasses as well."""

import json
import os
import tempfile
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from kdropout.inspection import dropout_layers
from kdropout.layers import BaseDropout
from kdropout.layers.wrapper import DropoutWrapper
from kdropout.surgery import strip

BATCH = 4
STEPS = 3
MIXED_POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")


def check_layer(
    make_layer: Callable[[], keras.layers.Layer], input_shape: Sequence[int]
) -> None:
    """Check that a dropout layer keeps the contract of `BaseDropout`.

    The layer may also hold dropout layers of kdropout, such as `kdropout.layers.LSTM`.

    The checks are:

    - The config survives a round trip through JSON.
    - The layer drops nothing at inference.
    - Symbolic and eager calls give the same shapes and dtypes.
    - The layer works in mixed precision. A dropout layer passes on Keras masks and
      refuses integers.
    - The rate can be set, and the results at 0 and 1 are exact.
    - A compiled `fit` works, also with `jit_compile=True` (not on PyTorch, where it
      would take minutes).
    - The layer works in nested models and in `TimeDistributed`.
    - Training continues bit for bit after loading a `.keras` file or weights.

    Args:
        make_layer: Callable without arguments that returns a new layer. All layers that
            it returns must be equal, so pass a `seed`.
        input_shape: Tuple of integers, the shape of one sample.

    Raises:
        AssertionError: If a check fails. The message names the check and the fault.
        TypeError: If `make_layer` does not make a Keras layer.
        ValueError: If the layer neither is nor holds a dropout layer of kdropout.

    Example:

    >>> from kdropout.testing import check_layer
    >>> check_layer(lambda: kdropout.layers.Dropout(0.3, seed=1), (5,))
    """
    is_factory = callable(make_layer) and not isinstance(make_layer, keras.layers.Layer)
    if not is_factory or not isinstance(make_layer(), keras.layers.Layer):
        raise TypeError(
            "'make_layer' must be a callable without arguments that returns a new "
            f"Keras layer. Received: make_layer={make_layer!r}"
        )
    if not _dropout_in(make_layer()):
        raise ValueError(
            "'make_layer' must return a dropout layer of kdropout, or a layer that "
            f"holds one. Received: {type(make_layer()).__name__}, which has none."
        )
    for check in CHECKS:
        check(make_layer, tuple(input_shape))


def check_config_round_trip(make_layer, input_shape):
    layer = make_layer()
    config = layer.get_config()
    copy = type(layer).from_config(dict(config))  # some classes take items out
    _require(copy.get_config() == config, "get_config changes in a round trip", layer)
    serialized = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(serialized)))
    same = json.dumps(again.get_config(), default=str) == json.dumps(
        config, default=str
    )
    _require(same, "the config does not survive JSON", layer)


def check_inference_drops_nothing(make_layer, input_shape):
    layer, x = make_layer(), _inputs(input_shape)
    outputs = layer(x)
    expected = _undropped(layer, x)
    _require_near(outputs, expected, "inference is not 'undropped(inputs)'", layer)
    again = layer(x, training=False)
    _require_equal(again, outputs, "training=False drops", layer)


def check_symbolic_shape_and_dtype(make_layer, input_shape):
    layer = make_layer()
    symbolic = layer(keras.Input(input_shape))
    eager = layer(_inputs(input_shape), training=True)
    _require(
        symbolic.shape == (None, *eager.shape[1:]),
        f"the symbolic shape is {symbolic.shape}, the eager {tuple(eager.shape)}",
        layer,
    )
    eager_dtype = keras.backend.standardize_dtype(eager.dtype)
    _require(symbolic.dtype == eager_dtype, "symbolic and eager dtype differ", layer)


def check_masks_are_carried(make_layer, input_shape):
    layer = make_layer()
    if not isinstance(layer, BaseDropout):
        return
    mask = ops.ones((BATCH, 2), "bool")
    if isinstance(layer, DropoutWrapper) and not layer.layer.supports_masking:
        return
    _require(layer.supports_masking, "supports_masking is not set", layer)
    carried = layer.compute_mask(_inputs(input_shape), mask)
    _require_equal(carried, mask, "the Keras mask is not passed on", layer)


def check_mixed_precision(make_layer, input_shape):
    policy_before = keras.config.dtype_policy()
    for policy in MIXED_POLICIES:
        keras.config.set_dtype_policy(policy)
        try:
            layer = make_layer()
            outputs = layer(_inputs(input_shape), training=True)
        finally:
            keras.config.set_dtype_policy(policy_before)
        dtype = keras.backend.standardize_dtype(outputs.dtype)
        _require(
            dtype == layer.compute_dtype, f"{policy} gives outputs in {dtype}", layer
        )
        finite = np.isfinite(_numpy(outputs)).all()
        _require(finite, f"{policy} gives outputs that are not finite", layer)
        for part in _dropout_in(layer):
            for name, variable in part.rate_variables.items():
                narrow = keras.backend.standardize_dtype(variable.dtype) in (
                    "float16",
                    "bfloat16",
                )
                _require(not narrow, f"variable '{name}' is {variable.dtype}", layer)


def check_integers_are_refused(make_layer, input_shape):
    layer = make_layer()
    if not isinstance(layer, BaseDropout):
        return
    try:
        layer(ops.ones((BATCH, *input_shape), "int32"), training=True)
    except (TypeError, ValueError):
        return
    _require(False, "integer inputs are accepted", layer)


def check_live_rate(make_layer, input_shape):
    layer, x = make_layer(), _inputs(input_shape)
    parts = _dropout_in(layer)
    for part in parts:
        if not part._rate_rule.settable:
            _require_refused(part, layer)
    if not all(part._rate_rule.settable for part in parts):
        return
    _set_rates(parts, 0)
    outputs = layer(x, training=True)
    _require_near(outputs, _undropped(layer, x), "rate 0 drops something", layer)
    _set_rates(parts, 1)
    outputs = layer(x, training=True)
    if isinstance(layer, BaseDropout):
        nothing = layer.undropped(np.zeros_like(x))
        _require_equal(outputs, nothing, "rate 1 keeps something", layer)
    finite = np.isfinite(_numpy(outputs)).all()
    _require(finite, "rate 1 gives outputs that are not finite", layer)
    for part in parts:
        part.rate = 0.25
        _require(part.rate == 0.25, f"rate 0.25 reads back as {part.rate}", layer)


def _require_refused(part, layer):
    try:
        part.rate = 0.5
    except TypeError:
        return
    _require(False, "a rate that is decided elsewhere can be set", layer)


def check_compiled_fit(make_layer, input_shape):
    for jit_compile in (False, True):
        if jit_compile and keras.backend.backend() == "torch":
            continue
        layer = make_layer()
        model = _model(layer, input_shape, jit_compile=jit_compile)
        parts = _dropout_in(layer)
        settable = all(part._rate_rule.settable for part in parts)
        for rate in (0.0, 0.5, 1.0) if settable else (None,):
            if rate is not None:
                _set_rates(parts, rate)
            _fit(model, input_shape)
        finite = all(np.isfinite(w).all() for w in model.get_weights())
        _require(finite, f"fit gives NaN weights, jit_compile={jit_compile}", layer)


def check_nesting(make_layer, input_shape):
    layer = make_layer()
    distributed = keras.layers.TimeDistributed(layer)
    inner = keras.Sequential([keras.Input((2, *input_shape)), distributed])
    model = _model(keras.Sequential([inner]), (2, *input_shape), jit_compile=False)
    _fit(model, (2, *input_shape))
    finite = all(np.isfinite(w).all() for w in model.get_weights())
    _require(finite, "fit in a nested TimeDistributed gives NaN weights", layer)


def check_saved_training_continues(make_layer, input_shape):
    how = {"run_eagerly": True}  # nothing here depends on compilation
    model = _model(make_layer(), input_shape, **how)
    _fit(model, input_shape)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        model.save(path)
        loaded = keras.saving.load_model(path)
        path = os.path.join(folder, "model.weights.h5")
        model.save_weights(path)
        rebuilt = _model(make_layer(), input_shape, **how)
        rebuilt.optimizer.build(rebuilt.trainable_variables)
        rebuilt.load_weights(path)
    _fit(model, input_shape)
    for kind, copy in ((".keras file", loaded), ("weights", rebuilt)):
        _fit(copy, input_shape)
        for expected, actual in zip(model.variables, copy.variables, strict=True):
            message = f"after loading a {kind}, '{expected.path}' differs"
            _require_equal(actual, _numpy(expected), message, model.layers[1])


CHECKS = (
    check_config_round_trip,
    check_inference_drops_nothing,
    check_symbolic_shape_and_dtype,
    check_masks_are_carried,
    check_mixed_precision,
    check_integers_are_refused,
    check_live_rate,
    check_compiled_fit,
    check_nesting,
    check_saved_training_continues,
)


def _dropout_in(layer):
    """The dropout layers of kdropout that `layer` is or holds."""
    if isinstance(layer, BaseDropout):
        return [layer]
    return list(dropout_layers(layer).values())


def _set_rates(parts, rate):
    for part in parts:
        part.rate = rate


def _undropped(layer, x):
    """The outputs of a layer of kdropout, or of one that holds some, at inference."""
    if isinstance(layer, BaseDropout):
        return layer.undropped(x)
    layer(x)  # which builds it
    inputs = keras.Input(x.shape[1:], dtype=layer.compute_dtype)
    return strip(keras.Model(inputs, layer(inputs)))(x)


def _inputs(input_shape):
    values = np.random.default_rng(0).normal(size=(BATCH, *input_shape))
    return values.astype("float32")


def _model(layer, input_shape, **how):
    """A model with weights before and after the layer, so that gradients flow."""
    size = float(np.prod(input_shape))
    model = keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Dense(
                input_shape[-1], kernel_initializer="identity", name="before"
            ),
            layer,
            keras.layers.Flatten(),
            keras.layers.Dense(
                1, kernel_initializer=keras.initializers.Constant(1.0 / size)
            ),
        ]
    )
    model.compile(keras.optimizers.SGD(0.01), "mse", **how)
    return model


def _fit(model, input_shape):
    x = np.repeat(_inputs(input_shape), STEPS, axis=0)
    y = np.ones((len(x), 1), "float32")
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)


def _numpy(values):
    return np.asarray(ops.convert_to_numpy(values), "float64")


def _require_equal(actual, expected, message, layer):
    _require(np.array_equal(_numpy(actual), _numpy(expected)), message, layer)


def _require_near(actual, expected, message, layer):
    """A dropout layer must be exact. Inside other layers, rounding may differ."""
    tolerance = 0.0 if isinstance(layer, BaseDropout) else 1e-5
    near = np.allclose(_numpy(actual), _numpy(expected), rtol=0.0, atol=tolerance)
    _require(near, message, layer)


def _require(condition, message, layer):
    if not condition:
        raise AssertionError(f"{type(layer).__name__}: {message}.")
