"""Arguments that have one value for each output of a model."""

import numbers

import numpy as np
from keras import tree

from kdropout import _validation


def values(argument, value, structure):
    """For each output, its part of an argument, or None.

    Args:
        argument: Name of the argument, for the message.
        value: The argument: one value if there is one output, otherwise a dict or list
            in the structure of the outputs. A dict may leave out outputs.
        structure: The outputs: an array, or lists and dicts of arrays.

    Returns:
        List of values and None, in the order of `keras.tree.flatten`.

    Raises:
        ValueError: If `value` does not have the structure of the outputs.
    """
    if value is None:
        return [None] * len(tree.flatten(structure))
    if isinstance(structure, dict):
        if not isinstance(value, dict) or not set(value) <= set(structure):
            names = ", ".join(map(repr, sorted(structure)))
            expected = f"None or a dict with the names of outputs, which are {names}"
            raise _validation.value_error(argument, expected, value)
        parts = [(value.get(name), structure[name]) for name in sorted(structure)]
    elif isinstance(structure, (list, tuple)):
        if not isinstance(value, (list, tuple)) or len(value) != len(structure):
            expected = (
                f"None or a list with a value or None for each of the "
                f"{len(structure)} outputs"
            )
            raise _validation.value_error(argument, expected, value)
        parts = zip(value, structure, strict=True)
    elif isinstance(value, dict):
        expected = "one value, because the model has one output"
        raise _validation.value_error(argument, expected, value)
    else:
        return [value]
    return [part for pair in parts for part in values(argument, *pair)]


def noise_stds(noise_std, structure, rows, log_variances):
    """For each output, the standard deviation of its noise as an array, or None.

    Args:
        noise_std: The argument of `mc_predict`.
        structure: The outputs.
        rows: For each output, its shape.
        log_variances: The result of `log_variance_pairs`.
    """
    stds = values("noise_std", noise_std, structure)
    for i, (std, shape) in enumerate(zip(stds, rows, strict=True)):
        if std is None:
            continue
        if i in log_variances or i in log_variances.values():
            expected = "None for an output that has a log variance, or is one"
            raise _validation.value_error("noise_std", expected, noise_std)
        stds[i] = _noise_std(std, shape)
    return stds


def check_noise_std(noise_std):
    """Check all that can be checked before the outputs are known."""
    for value in tree.flatten(noise_std):
        if value is not None:
            _not_negative(value)


def _noise_std(std, shape):
    array = _not_negative(std)
    try:
        np.broadcast_to(array, shape[1:])
    except ValueError:
        expected = (
            f"a number, or an array that fits one row of the output, of shape "
            f"{shape[1:]}"
        )
        raise _validation.value_error("noise_std", expected, std) from None
    return array


def _not_negative(std):
    array = np.asarray(std)
    expected = "a number of at least 0, or an array of these"
    if array.dtype.kind not in "iuf":
        raise _validation.type_error("noise_std", expected, std)
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise _validation.value_error("noise_std", expected, std)
    return array.astype("float64")


def class_axes(class_axis, structure, rows):
    """For each output, the axis of its classes.

    Args:
        class_axis: The argument of `mc_predict`.
        structure: The outputs.
        rows: For each output, its shape.
    """
    if isinstance(class_axis, numbers.Integral):
        axes = [class_axis] * len(rows)
    else:
        axes = values("class_axis", class_axis, structure)
    for i, (axis, shape) in enumerate(zip(axes, rows, strict=True)):
        if axis is None:
            axes[i] = -1
        elif axis != -1:
            _check_class_axis(axis, shape)
    return axes


def check_class_axis(class_axis):
    """Check all that can be checked before the outputs are known."""
    for axis in tree.flatten(class_axis):
        if axis is None and class_axis is not None:
            continue
        if isinstance(axis, bool) or not isinstance(axis, numbers.Integral):
            expected = "an integer, or a list or dict of integers and None"
            raise _validation.type_error("class_axis", expected, class_axis)
        if axis == 0:
            expected = "an axis other than 0, which is the batch"
            raise _validation.value_error("class_axis", expected, class_axis)


def _check_class_axis(axis, shape):
    rank = len(shape)
    if not (1 <= axis < rank or 1 - rank <= axis < 0):
        expected = (
            f"an axis of the outputs other than the batch. One of them has the shape "
            f"{('batch', *shape[1:])}"
        )
        raise _validation.value_error("class_axis", expected, axis)


def log_variance_pairs(log_variance, structure):
    """Dict from the number of an output to the number of its log variance.

    Args:
        log_variance: The argument of `mc_predict`.
        structure: The outputs.
    """
    if log_variance is None:
        return {}
    flat = tree.flatten(structure)
    numbers_of = tree.pack_sequence_as(structure, list(range(len(flat))))
    keys = _keys(numbers_of)
    if not keys:
        raise _validation.argument_error(
            ValueError,
            "log_variance",
            "must be None for a model with one output. Received: "
            f"log_variance={log_variance!r}. If the output holds means and log "
            "variances, make a model with two outputs, such as keras.Model("
            "model.inputs, [model.output[..., :1], model.output[..., 1:]]).",
        )
    if not isinstance(log_variance, dict):
        log_variance = {_other(log_variance, keys): log_variance}
    pairs = {}
    for mean, variance in log_variance.items():
        i, j = _number(mean, keys), _number(variance, keys)
        if i == j or mean in log_variance.values():
            raise _validation.value_error(
                "log_variance", "a dict from means to other outputs", log_variance
            )
        if flat[i].shape != flat[j].shape:
            raise _validation.argument_error(
                ValueError,
                "log_variance",
                f"must have the shape of its mean. Received: {variance!r} of shape "
                f"{flat[j].shape[2:]} for {mean!r} of shape {flat[i].shape[2:]}, "
                "without the batch. Repeat it in the model.",
            )
        pairs[i] = j
    return pairs


def _keys(numbers_of):
    """Dict from the name or the index of an output to its number."""
    if isinstance(numbers_of, dict):
        items = numbers_of.items()
    elif isinstance(numbers_of, (list, tuple)):
        items = enumerate(numbers_of)
    else:
        return {}
    return {key: number for key, number in items if isinstance(number, int)}


def _number(key, keys):
    if isinstance(key, (str, int)) and not isinstance(key, bool) and key in keys:
        return keys[key]
    names = ", ".join(map(repr, keys))
    expected = f"the name or index of an output, or a dict of these: {names}"
    raise _validation.value_error("log_variance", expected, key)


def _other(log_variance, keys):
    """The only other output, whose log variance this is."""
    _number(log_variance, keys)
    others = [key for key in keys if key != log_variance]
    if len(others) != 1:
        raise _validation.value_error(
            "log_variance",
            "a dict from the name or index of each mean to that of its log variance, "
            f"because the model has {len(keys)} outputs",
            log_variance,
        )
    return others[0]
