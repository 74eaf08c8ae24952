"""Whole epochs as one JAX computation."""

import jax
from keras import tree

from kdropout import _compat
from kdropout.tuning.epochs import to_python


class Epochs:
    """Trains and evaluates one compiled model, with one call per epoch.

    XLA compiles the loop over the steps of `fit` or `evaluate` as one computation.
    """

    def __init__(self, model, numbers):
        self._model = model
        self._numbers = numbers
        self._train = jax.jit(
            self._train_epoch, static_argnames="batch_size", donate_argnums=0
        )
        self._evaluate = jax.jit(self._test_epoch, static_argnames="batch_size")

    def begin(self):
        """Begin a training with the live numbers that the model has now."""
        self._numbers.read()

    def train(self, data, order, batch_size):
        """Train on the rows `order` of `data` and return the logs."""
        model = self._model
        _compat.prepare_steps_of_jax(model)
        model.reset_metrics()
        groups = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        state = self._run(self._train, groups, data, order, batch_size=batch_size)
        _assign(groups, state)
        return to_python(model.get_metrics_result())

    def evaluate(self, data, batch_size):
        """Evaluate on all rows of `data` and return the logs, without "val_"."""
        model = self._model
        _compat.prepare_steps_of_jax(model)
        model.reset_metrics()
        groups = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.metrics_variables,
        )
        state = self._run(self._evaluate, groups, data, batch_size=batch_size)
        _assign(groups, state)
        return to_python(model.get_metrics_result())

    def is_closed(self):
        """Return True if an epoch changes only the variables of the model."""
        return True  # JAX has no other state

    def _run(self, epoch, groups, *arguments, batch_size):
        (numbers,) = _values([self._numbers.variables])
        with self._numbers.in_place():
            return epoch(_values(groups), numbers, *arguments, batch_size=batch_size)

    def _train_epoch(self, state, numbers, data, order, batch_size):
        def batch_at(rows):
            return tree.map_structure(lambda a: a[rows], data)

        with self._numbers.traced_as(numbers):
            return _run(self._model.train_step, state, batch_at, order, batch_size)

    def _test_epoch(self, state, numbers, data, batch_size):
        def batch_at(rows):
            return tree.map_structure(lambda a: a[rows], data)

        order = jax.numpy.arange(len(tree.flatten(data)[0]))
        with self._numbers.traced_as(numbers):
            return _run(self._model.test_step, state, batch_at, order, batch_size)


def _run(step, state, batch_at, order, batch_size):
    """The state after a step on each batch of the rows `order`."""
    num_full = len(order) // batch_size

    def body(state, rows):
        _, state = step(state, batch_at(rows))
        return tuple(map(list, state)), None

    full = order[: num_full * batch_size].reshape((num_full, batch_size))
    state, _ = jax.lax.scan(body, state, full)
    if len(order) % batch_size:
        state, _ = body(state, order[num_full * batch_size :])
    return state


def _values(groups):
    return tuple([variable.value for variable in group] for group in groups)


def _assign(groups, state):
    for group, values in zip(groups, state, strict=True):
        for variable, value in zip(group, values, strict=True):
            variable.assign(value)
