"""Whole epochs as one TensorFlow graph."""

import tensorflow as tf
from keras import tree

from kdropout.tuning.epochs import to_python


class Epochs:
    """Trains and evaluates one compiled model, with one call per epoch.

    Each step is the step of `fit` or `evaluate` on the same batch, so the results are
    equal to the bit. The data are arguments of the graph and not constants.
    """

    def __init__(self, model, numbers):
        self._model = model
        self._numbers = numbers
        self._train_step = self._as_in_fit(model.train_step)
        self._test_step = self._as_in_fit(model.test_step)
        self._train = tf.function(self._train_epoch, autograph=False)
        self._evaluate = tf.function(self._test_epoch, autograph=False)
        self._is_closed = {}  # by function

    def begin(self):
        """Begin a training with the live numbers that the model has now."""
        self._numbers.read()

    def train(self, data, order, batch_size):
        """Train on the rows `order` of `data` and return the logs."""
        return self._run(self._train, data, tf.constant(order), batch_size)

    def evaluate(self, data, batch_size):
        """Evaluate on all rows of `data` and return the logs, without "val_"."""
        return self._run(self._evaluate, data, batch_size)

    def is_closed(self):
        """Return True if an epoch changes only the variables of the model.

        An epoch may also change the random states of `tf.random` or the global
        generator of `keras.random`, so that the next training starts differently.
        """
        return all(self._is_closed.values())

    def _run(self, function, *arguments):
        with self._numbers.in_place():
            logs = function(*arguments)
            if function not in self._is_closed:
                graph = function.get_concrete_function(*arguments)
                self._is_closed[function] = self._holds_all_state_of(graph)
        return to_python(logs)

    def _holds_all_state_of(self, graph):
        model = self._model
        known = [
            *model.variables,
            *model.optimizer.variables,
            *model.metrics_variables,
            *self._numbers.variables,
        ]
        known = {variable.value.ref() for variable in known}
        definition = graph.graph.as_graph_def()
        nodes = [definition.node, *(f.node_def for f in definition.library.function)]
        draws = any("seed2" in node.attr for group in nodes for node in group)
        return not draws and {v.ref() for v in graph.variables} <= known

    def _as_in_fit(self, step):
        # XLA must not compile the loop itself, which is 8 times slower on a CPU.
        if self._model.jit_compile:
            return tf.function(step, jit_compile=True, reduce_retracing=True)
        return step

    def _train_epoch(self, data, order, batch_size):
        def batch_at(start, size):
            rows = tf.slice(order, [start], [size])
            return tree.map_structure(lambda a: tf.gather(a, rows), data)

        return self._epoch(self._train_step, batch_at, order.shape[0], batch_size)

    def _test_epoch(self, data, batch_size):
        def batch_at(start, size):
            return tree.map_structure(
                lambda a: tf.slice(
                    a, [start, *[0] * (a.ndim - 1)], [size, *a.shape[1:]]
                ),
                data,
            )

        num_rows = tree.flatten(data)[0].shape[0]
        return self._epoch(self._test_step, batch_at, num_rows, batch_size)

    def _epoch(self, step, batch_at, num_rows, batch_size):
        for metric in self._model.metrics:
            metric.reset_state()

        def body(start):
            # Like `fit`, keep the batch size static if possible, so that both graphs
            # are optimised in the same way.
            size = batch_size
            if num_rows % batch_size:
                size = tf.minimum(batch_size, num_rows - start)
            step(batch_at(start, size))
            return (start + batch_size,)

        tf.while_loop(
            lambda start: start < num_rows,
            body,
            (tf.constant(0),),
            parallel_iterations=1,
        )
        return self._model.get_metrics_result()
