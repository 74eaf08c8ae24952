"""The names by which Keras knows optimizers, losses and metrics."""

import re

import keras

from kdropout._validation import nearest


def check_optimizer(value):
    """`value` if Keras can make an optimizer of it: a name, or a dict with `name`."""
    if value is not None:
        make_optimizer(value)
    return value


def make_optimizer(value):
    """A new optimizer from a name, or from a dict with `name` and arguments."""
    settings = {"name": value} if isinstance(value, str) else value
    if not isinstance(settings, dict) or not isinstance(settings.get("name"), str):
        raise TypeError(
            "must be the name of an optimizer, or a mapping such as {name: adam, "
            f"learning_rate: 0.001}}. Received: {value!r}"
        )
    settings = dict(settings)
    name = settings.pop("name")
    classes = _classes(keras.optimizers, keras.optimizers.Optimizer)
    found = classes.get(name) or classes.get(name.lower())
    if found is None:
        raise ValueError(_unknown("an optimizer", name, classes))
    try:
        return found(**settings)
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"has arguments that '{name}' does not take: {reason}. Received: "
            f"{settings!r}"
        ) from None


def check_loss(value):
    """`value` if it is the name of a loss of Keras."""
    try:
        keras.losses.get(value)
    except ValueError:
        names = _functions(keras.losses, keras.losses.Loss)
        raise ValueError(_unknown("a loss", value, names)) from None
    return value


def check_metric(value):
    """`value` if it is the name of a metric of Keras."""
    if value in ("accuracy", "acc", "crossentropy", "ce"):  # known to `compile` alone
        return value
    try:
        keras.metrics.get(value)
    except ValueError:
        names = {"accuracy", *_functions(keras.metrics, keras.metrics.Metric)}
        raise ValueError(_unknown("a metric", value, names)) from None
    except TypeError as error:  # a metric that cannot do without arguments
        raise ValueError(f"cannot be made by its name alone: {error}") from None
    return value


def check_activation(value):
    """`value` if it is the name of an activation of Keras."""
    names = _functions(keras.activations, ())
    if value not in names:
        raise ValueError(_unknown("an activation", value, names))
    return value


def _unknown(what, name, names):
    hint = nearest(name, names) or f" There are: {', '.join(sorted(names))}"
    return f"must be {what} of Keras. Received: {name!r}.{hint}"


def _classes(module, base):
    """Dict from name, as written and in lower case, to subclass of `base`."""
    found = {}
    for name, value in vars(module).items():
        if isinstance(value, type) and issubclass(value, base) and value is not base:
            found[name] = found[name.lower()] = value
    return found


def _functions(module, base):
    """Names in snake case: of functions, and of subclasses of `base`."""
    names = set()
    for name, value in vars(module).items():
        if isinstance(value, type):
            if issubclass(value, base):
                names.add(_snake_case(name))
        elif callable(value) and not name.startswith("_"):
            names.add(name)
    return names - {"get", "serialize", "deserialize", "loss", "metric"}


def _snake_case(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
