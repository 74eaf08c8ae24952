"""Whole epochs as one TensorFlow graph."""

import tensorflow as tf
from keras import tree


class Epochs:
    """Trains and evaluates one compiled model, an epoch per call.

    Each step is what `fit` and `evaluate` do with the same batch, so the results are
    theirs to the bit. The data are arguments, not constants of the graph.

    Args:
        model: A compiled and built `keras.Model`.
    """

    def __init__(self, model):
        self._model = model
        self._train_step = self._as_in_fit(model.train_step)
        self._test_step = self._as_in_fit(model.test_step)
        self._train = tf.function(self._train_epoch, autograph=False)
        self._evaluate = tf.function(self._test_epoch, autograph=False)

    def train(self, data, order, batch_size):
        """Train on the rows `order`, an integer array; return the logs as floats."""
        return _floats(self._train(data, tf.constant(order), batch_size))

    def evaluate(self, data, batch_size):
        """Evaluate on all rows; return the logs as floats, without `val_`."""
        return _floats(self._evaluate(data, batch_size))

    def _as_in_fit(self, step):
        # The loop itself must not be compiled by XLA: on a CPU that is 8 x as slow.
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
            # With a smaller last batch the size of a batch is not known to the graph,
            # else it is. The two are optimised in other ways, so: as in `fit`.
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


def _floats(logs):
    return tree.map_structure(float, logs)
