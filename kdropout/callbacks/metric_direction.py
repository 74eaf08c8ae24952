"""Finds out whether a lower value of a metric is better."""

import re

import keras

from kdropout import _validation

# The names that Keras gives to its metrics and losses. Keras stores directions only in
# metric objects, in a private attribute, and not for the counts. They must be known
# without an object, because making one would change the names of the next metrics.
_HIGHER = {
    "acc",
    "accuracy",
    "auc",
    "binary_accuracy",
    "binary_io_u",
    "categorical_accuracy",
    "concordance_correlation",
    "cosine_similarity",
    "f1_score",
    "fbeta_score",
    "io_u",
    "iou",
    "mean_io_u",
    "one_hot_io_u",
    "one_hot_mean_io_u",
    "pearson_correlation",
    "precision",
    "precision_at_recall",
    "r2_score",
    "recall",
    "recall_at_precision",
    "sensitivity_at_specificity",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "specificity_at_sensitivity",
    "top_k_categorical_accuracy",
    "true_negatives",
    "true_positives",
}
_LOWER = {
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "false_negatives",
    "false_positives",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "kullback_leibler_divergence",
    "log_cosh",
    "logcosh",
    "loss",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "rmse",
    "root_mean_squared_error",
    "sparse_categorical_crossentropy",
    "squared_hinge",
}


def lower_is_better(name, model, directions):
    """Return whether a lower value of a metric is better, by its name in the logs."""
    # `directions` comes first, then the class of the model's metric of that name, then
    # the name itself. With several outputs, Keras puts the name of the output before
    # that of the metric, so the longest known ending counts.
    known = {
        **dict.fromkeys(_LOWER, "min"),
        **dict.fromkeys(_HIGHER, "max"),
        **_from_classes(model),
        **directions,
    }
    for candidate in _endings(name):
        # A job or `compile` may name a metric by its class, such as "AUC".
        for form in (candidate, _snake_case(candidate)):
            if form in known:
                return known[form] == "min"
    raise ValueError(
        f"'directions' must say whether a lower value of '{name}' is better, because "
        f"its name does not show it. Received: directions={directions!r}. Pass "
        f"directions={{'{name}': 'min'}} or {{'{name}': 'max'}}."
    )


def check_directions(directions):
    """Check the argument `directions`, and return it as a dict."""
    if directions is None:
        return {}
    if not isinstance(directions, dict):
        raise _validation.type_error(
            "directions", "a dict from metric to 'min' or 'max'", directions
        )
    for direction in directions.values():
        _validation.choice("directions", direction, ("min", "max"))
    return dict(directions)


def _endings(name):
    """The name, then its shorter endings, then those without a final number."""
    # Keras adds a number to a name that repeats, but a name may also end with one.
    for whole in (name, re.sub(r"_\d+$", "", name)):
        parts = whole.split("_")
        yield from ("_".join(parts[start:]) for start in range(len(parts)))


def _from_classes(model):
    """Directions of the model's metrics, by the names that the user gave to them."""
    directions = {}
    metrics = [] if model is None else list(model.metrics)
    while metrics:
        metric = metrics.pop()
        metrics.extend(getattr(metric, "metrics", []))
        kind = _snake_case(type(metric).__name__)
        if isinstance(metric, keras.metrics.Metric) and kind in _HIGHER | _LOWER:
            directions[metric.name] = "min" if kind in _LOWER else "max"
    return directions


def _snake_case(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
