"""Classes of samples, and their weights, as `fit` computes them."""

import keras
import numpy as np


def weights_of_samples(y, class_weight):
    """Return the weight of the class of each sample, in the dtype of Keras.

    The result is equal to the bit to the weights that `fit` gives to the samples of
    arrays for the same `class_weight`.

    Args:
        y: Array or tensor of labels: integers of shape `(n,)` or `(n, 1)`, or rows of
            which the largest entry is the class.
        class_weight: Dict from the number of a class to its weight. A class that it
            does not contain has the weight 1.
    """
    classes, which = np.unique(class_numbers(y), return_inverse=True)
    weights = [class_weight.get(int(number), 1.0) for number in classes]
    return np.array(weights, dtype=keras.backend.floatx())[which.reshape(-1)]


def class_numbers(y):
    """Return the class of each sample as an array of int32 of shape `(n,)`.

    Args:
        y: Array or tensor of labels, as for `weights_of_samples`.
    """
    labels = keras.ops.convert_to_numpy(y)
    if labels.ndim > 1:
        is_column = labels.shape[-1] == 1
        labels = labels.squeeze(-1) if is_column else labels.argmax(-1)
    return np.round(labels).astype("int32")
