"""Whether a trial could be trained, found out without training one."""

import dataclasses

import keras
import keras_tuner
import numpy as np

from kdropout._data import iterate_batches
from kdropout._keras_classes import live_counterpart
from kdropout._validation import nearest
from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.inspection import dropout_layers, walk
from kdropout.tuning.job.contents import ModelDigests, digests_of_model
from kdropout.tuning.job.data import Data
from kdropout.tuning.job.description import task_text
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.models import ModelBuilder
from kdropout.tuning.model_pool import begin_anew

# A prime: labels and outputs of another size are less likely to broadcast.
NUM_SAMPLES = 7


@dataclasses.dataclass(frozen=True)
class Checked:
    """What `Job.check` made: all that a search needs.

    Args:
        data: `kdropout.tuning.job.Data`.
        build: The function for KerasTuner.
        model: A model with the rates of the first trial.
        hyperparameters: `keras_tuner.HyperParameters` with all that is searched.
        metrics: Tuple of the names that the model logs beside its loss.
        baseline: Dict from layer path to the rate before the search.
        digests: `ModelDigests` of the model as it was built.
    """

    data: Data
    build: ModelBuilder
    model: keras.Model
    hyperparameters: keras_tuner.HyperParameters
    metrics: tuple[str, ...]
    baseline: dict[str, float]
    digests: ModelDigests

    @property
    def task(self):
        """The task, the classes, the loss and the metrics, in words."""
        return task_text(self.data, self.model.loss, self.metrics)


def check_job(job):
    """Make the data and a model, and evaluate the model on a few samples."""
    data = job.make_data()
    build = job.make_hypermodel(data)
    hp = keras_tuner.HyperParameters()
    begin_anew()  # layers without a name have the same paths as in the trials
    model = build.build()
    baseline, digests = _rates_before(model), digests_of_model(model)
    try:
        model = build.give_rates(hp, model)
    except (TypeError, ValueError) as error:
        raise _about_space(error) from error
    logged = _evaluate(model, data, build.chosen_loss)
    _check_objective(job.objective, logged, model)
    _check_confirmation(job.confirm, logged)
    metrics = tuple(name for name in logged if name != "loss")
    return Checked(data, build, model, hp, metrics, baseline, digests)


def _rates_before(model):
    """The rates of a model, also of dropout that is not live yet."""
    rates = {}
    for path, layer in walk(model):
        counterpart = live_counterpart(layer)
        if counterpart is not None:
            rates[path] = float(counterpart[2])
    for path, layer in dropout_layers(model).items():
        rates[path] = layer.rate
    return rates


def _about_space(error):
    """The error of `tune_rates`, at the pattern that it is about, if it is one's."""
    pattern = getattr(error, "pattern", None)
    key = "space" if pattern is None else f"space.{pattern}"
    return InvalidSetting(key, f"does not fit the model: {error}")


def _evaluate(model, data, chosen_loss):
    """The names that a model logs, from evaluating a few samples."""
    x, y = data.x_val, data.y_val
    if y is None:
        x, y = next(iter(iterate_batches(x)))[:2]
    # Of a dataset, they may be tensors of another backend.
    numpy = keras.ops.convert_to_numpy
    x, y = keras.tree.map_structure(lambda array: numpy(array)[:NUM_SAMPLES], (x, y))
    # Nothing is compiled for so few, and errors point to the layer.
    eagerly, model.run_eagerly = model.run_eagerly, True
    try:
        logged = model.test_on_batch(x, y, return_dict=True)
        if chosen_loss in _OF_PROBABILITIES:
            for outputs in keras.tree.flatten(model.predict_on_batch(x)):
                _check_probabilities(np.asarray(outputs, "float32"), chosen_loss)
    except (InvalidSetting, KeyboardInterrupt):
        raise
    except BaseException as error:  # of any layer, loss or metric, and of any backend
        reason = " ".join(str(error).split())
        raise InvalidSetting(
            "model",
            f"does not fit the data, with inputs of shape {_shapes(x)} and labels of "
            f"shape {_shapes(y)}: {type(error).__name__}: {reason[:500]}",
        ) from error
    if not np.isfinite(logged["loss"]):
        raise InvalidSetting(
            "model",
            f"must have a finite loss to begin with. Received: {logged['loss']}, on "
            f"inputs of shape {_shapes(x)} and labels of shape {_shapes(y)}. Are there "
            "as many outputs as classes, and do loss and labels belong together?",
        )
    model.reset_metrics()
    model.run_eagerly, model.test_function = eagerly, None
    model.predict_function = None
    return logged


# Losses that the job chooses for classes, and whether the outputs must sum to 1.
_OF_PROBABILITIES = {
    "sparse_categorical_crossentropy": True,
    "categorical_crossentropy": True,
    "binary_crossentropy": False,
}
_TOLERANCE = 0.02  # what half precision leaves of a sum of probabilities


def _check_probabilities(outputs, loss):
    """Refuse outputs of which the loss would be a number without a meaning."""
    wrong = (outputs < 0.0) | (outputs > 1.0 + _TOLERANCE)
    if _OF_PROBABILITIES[loss]:
        wrong = wrong | (np.abs(outputs.sum(-1, keepdims=True) - 1.0) > _TOLERANCE)
    if wrong.any():
        activation = "softmax" if _OF_PROBABILITIES[loss] else "sigmoid"
        raise InvalidSetting(
            "model",
            f"must end with probabilities, because its loss is {loss}. Received: "
            f"outputs from {outputs.min():.3g} to {outputs.max():.3g}. Give the last "
            f"layer activation='{activation}', or compile the model in the function "
            "with a loss of logits.",
        )


def _shapes(values):
    shapes = [tuple(array.shape) for array in keras.tree.flatten(values)]
    return shapes[0] if len(shapes) == 1 else shapes


def _check_objective(objective, logged, model):
    prefixes = ["", "val_"]
    if objective.needs_gap:
        prefixes += ["gap_", "naive_gap_", "clean_"]
        _check_directions(objective, logged, model)
    names = [f"{prefix}{name}" for prefix in prefixes for name in logged]
    if objective.metric not in names:
        raise InvalidSetting(
            "objective.metric",
            f"must be a name that is logged. Received: {objective.metric!r}."
            f"{nearest(objective.metric, names)} There are: {', '.join(names)}",
        )


def _check_confirmation(confirm, logged):
    if confirm.metric is not None and confirm.metric not in logged:
        raise InvalidSetting(
            "confirm.metric",
            "must be a metric of the model. Received: "
            f"{confirm.metric!r}.{nearest(confirm.metric, logged)} There are: "
            f"{', '.join(logged)}",
        )


def _check_directions(objective, logged, model):
    """The gap is that of all metrics: its sign needs the direction of each."""
    for name in logged:
        try:
            lower_is_better(name, model, objective.directions)
        except ValueError:
            raise InvalidSetting(
                "objective",
                f"needs the overfitting gap, and whether a lower '{name}' is better "
                "cannot be told from its name. Give that metric of the model a name "
                "that ends with one of Keras's, such as '_accuracy' or '_loss', or "
                "leave it out.",
            ) from None
