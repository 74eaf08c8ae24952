"""Compiles a layer in the way of Keras's training, forwards and backwards.

Each function returns a callable without arguments that waits for its result.
"""

import keras

BACKEND = keras.backend.backend()


def forward(call, x, xla=False):
    """Compile `call(x)`.

    Args:
        call: A `keras.layers.Layer` in training, or a function of tensors of the
            backend.
        x: Tensor, the inputs.
        xla: True if TensorFlow compiles with XLA. JAX always does; PyTorch never does
            here.
    """
    return _COMPILE[BACKEND](_stateless(call, x), (x,), xla)


def forward_backward(call, x, gradient, xla=False):
    """Compile `call(x)` and the gradient of `x`, given that of the outputs."""
    function = _with_gradient(_stateless(call, x))
    return _COMPILE[BACKEND](function, (x, gradient), xla)


def _stateless(call, x):
    """A function of the state and of `x` that returns the outputs and the state."""
    if not isinstance(call, keras.layers.Layer):
        return lambda state, x: (call(x), state)
    call(x)  # builds it
    if BACKEND != "jax":
        return lambda state, x: (call(x, training=True), state)

    def function(state, x):
        trainable = [v.value for v in call.trainable_variables]
        if state is None:
            state = [v.value for v in call.non_trainable_variables]
        return call.stateless_call(trainable, state, x, training=True)

    return function


def _with_gradient(function):
    return {"tensorflow": _tape, "jax": _vjp, "torch": _autograd}[BACKEND](function)


def _tape(function):
    import tensorflow as tf

    def both(state, x, gradient):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, state = function(state, x)
        return (y, tape.gradient(y, x, output_gradients=gradient)), state

    return both


def _vjp(function):
    import jax

    def both(state, x, gradient):
        y, pull, state = jax.vjp(lambda x: function(state, x), x, has_aux=True)
        return (y, *pull(gradient)), state

    return both


def _autograd(function):
    def both(state, x, gradient):
        x = x.detach().requires_grad_()
        y, state = function(state, x)
        y.backward(gradient)
        return (y, x.grad), state

    return both


def _tensorflow(function, arguments, xla):
    import tensorflow as tf

    compiled = tf.function(
        lambda *tensors: function(None, *tensors)[0], jit_compile=xla
    )
    return lambda: compiled(*arguments)  # on a CPU, this waits for the result


def _jax(function, arguments, xla):
    import jax

    compiled, state = jax.jit(function), None

    def run():
        nonlocal state
        outputs, state = compiled(state, *arguments)
        jax.block_until_ready(outputs)

    return run


def _torch(function, arguments, xla):
    return lambda: function(None, *arguments)[0]


_COMPILE = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
