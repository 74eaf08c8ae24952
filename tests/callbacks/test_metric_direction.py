"""The direction of each metric is right, measured on good and bad predictions."""

import inspect
import types

import keras
import numpy as np
import pytest
from keras import metrics, ops

from kdropout.callbacks import OverfittingGap
from kdropout.callbacks.metric_direction import check_directions, lower_is_better

NOTHING = types.SimpleNamespace(metrics=[])

# Targets, good predictions and bad ones, for each kind of problem.
BINARY = (
    [1, 0, 1, 1, 0, 0],
    [0.9, 0.2, 0.8, 0.7, 0.1, 0.3],
    [0.2, 0.9, 0.1, 0.6, 0.8, 0],
)
CLASSES = [0, 1, 2, 1], [0, 1, 2, 1], [1, 1, 0, 2]
ONE_HOT = (
    np.eye(3)[CLASSES[0]],
    0.8 * np.eye(3)[CLASSES[0]] + 0.1,
    np.eye(3)[[1, 1, 0, 2]],
)
SPARSE = CLASSES[0], ONE_HOT[1], 0.8 * ONE_HOT[2] + 0.1
TABLE = np.array([[1.0, 2.0, 4.0, 3.0], [2.0, 5.0, 1.0, 1.5], [6.0, 3.0, 2.0, 4.0]])
NUMBERS = TABLE, TABLE + [0.1, -0.1, 0.2, 0.0], TABLE[:, ::-1]

METRICS = [
    (metrics.AUC(), BINARY),
    (metrics.Accuracy(), CLASSES),
    (metrics.BinaryAccuracy(), BINARY),
    (metrics.BinaryCrossentropy(), BINARY),
    (metrics.BinaryIoU(), BINARY),
    (metrics.CategoricalAccuracy(), ONE_HOT),
    (metrics.CategoricalCrossentropy(), ONE_HOT),
    (metrics.CategoricalHinge(), ONE_HOT),
    (metrics.ConcordanceCorrelation(), NUMBERS),
    (metrics.CosineSimilarity(), ONE_HOT),
    (metrics.F1Score(), ONE_HOT),
    (metrics.FBetaScore(), ONE_HOT),
    (metrics.FalseNegatives(), BINARY),
    (metrics.FalsePositives(), BINARY),
    (metrics.Hinge(), BINARY),
    (metrics.IoU(3, [0, 1]), CLASSES),
    (metrics.KLDivergence(), ONE_HOT),
    (metrics.LogCoshError(), NUMBERS),
    (metrics.MeanAbsoluteError(), NUMBERS),
    (metrics.MeanAbsolutePercentageError(), NUMBERS),
    (metrics.MeanIoU(3), CLASSES),
    (metrics.MeanSquaredError(), NUMBERS),
    (metrics.MeanSquaredLogarithmicError(), NUMBERS),
    (metrics.OneHotIoU(3, [0, 1]), ONE_HOT),
    (metrics.OneHotMeanIoU(3), ONE_HOT),
    (metrics.PearsonCorrelation(), NUMBERS),
    (metrics.Poisson(), NUMBERS),
    (metrics.Precision(), BINARY),
    (metrics.PrecisionAtRecall(0.9), BINARY),
    (metrics.R2Score(), NUMBERS),
    (metrics.Recall(), BINARY),
    (metrics.RecallAtPrecision(0.9), BINARY),
    (metrics.RootMeanSquaredError(), NUMBERS),
    (metrics.SensitivityAtSpecificity(0.9), BINARY),
    (metrics.SparseCategoricalAccuracy(), SPARSE),
    (metrics.SparseCategoricalCrossentropy(), SPARSE),
    (metrics.SparseTopKCategoricalAccuracy(1), SPARSE),
    (metrics.SpecificityAtSensitivity(0.9), BINARY),
    (metrics.SquaredHinge(), BINARY),
    (metrics.TopKCategoricalAccuracy(1), ONE_HOT),
    (metrics.TrueNegatives(), BINARY),
    (metrics.TruePositives(), BINARY),
]
# The user decides what these measure.
NEUTRAL = {"Mean", "MeanMetricWrapper", "Metric", "Sum"}


def value(metric, targets, predictions):
    metric = type(metric).from_config(metric.get_config())
    metric.update_state(np.array(targets, "float32"), np.array(predictions, "float32"))
    return float(np.mean(ops.convert_to_numpy(metric.result())))


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="does not depend on the backend, and JAX compiles 42 metrics for 20 seconds",
)
def test_direction_is_known_and_right_for_every_metric_of_keras():
    for metric, (targets, good, bad) in METRICS:
        difference = value(metric, targets, good) - value(metric, targets, bad)
        assert difference != 0.0, metric.name
        assert lower_is_better(metric.name, NOTHING, {}) == (difference < 0), (
            metric.name
        )


def test_every_metric_of_keras_has_a_case():
    public = {name for name, obj in vars(metrics).items() if inspect.isclass(obj)}
    assert public - NEUTRAL == {type(metric).__name__ for metric, _ in METRICS}


@pytest.mark.parametrize("name", ["mse", "mae", "mape", "msle", "kld", "logcosh"])
def test_short_names_of_losses_are_better_when_lower(name):
    assert lower_is_better(name, NOTHING, {})


@pytest.mark.parametrize(
    "name, lower",
    [
        ("loss", True),
        ("acc", False),
        ("left_loss", True),
        ("left_accuracy", False),
        ("output_1_mean_squared_error", True),
        ("my_head_false_positives", True),
        ("accuracy_1", False),
        ("precision_12", False),
        ("head_recall_2", False),
        ("r2_score", False),
    ],
)
def test_direction_ignores_output_names_and_repeat_numbers(name, lower):
    assert lower_is_better(name, NOTHING, {}) == lower


@pytest.mark.parametrize("name", ["speed", "word_error_rate", "perplexity", "lossy"])
def test_unknown_direction_is_an_error_that_says_what_to_do(name):
    with pytest.raises(ValueError, match=f"a lower value of '{name}' is better") as e:
        lower_is_better(name, NOTHING, {"other": "min"})
    assert "Received: directions={'other': 'min'}" in str(e.value)
    assert f"Pass directions={{'{name}': 'min'}}" in str(e.value)


def test_directions_of_the_user_come_first():
    assert lower_is_better("speed", NOTHING, {"speed": "min"})
    assert not lower_is_better("left_speed", NOTHING, {"speed": "max"})
    assert not lower_is_better("loss", NOTHING, {"loss": "max"})
    assert lower_is_better("left_accuracy", NOTHING, {"left_accuracy": "min"})
    assert not lower_is_better("right_accuracy", NOTHING, {"left_accuracy": "min"})


class Brier(keras.metrics.MeanSquaredError):
    """A user's metric whose class name does not show a direction."""


def trained(*compile_metrics, **kwargs):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    model.compile(optimizer="sgd", loss="mse", metrics=list(compile_metrics), **kwargs)
    model.train_on_batch(np.ones((4, 3)), np.array([[0.0], [1.0], [1.0], [0.0]]))
    return model


def test_class_decides_the_direction_of_a_renamed_metric():
    model = trained(
        metrics.AUC(name="area"),
        metrics.MeanSquaredError(name="accuracy_of_sorts"),
        metrics.MeanAbsoluteError(name="recall"),
        Brier(name="brier"),
        weighted_metrics=[metrics.Precision(name="how_precise")],
    )
    assert not lower_is_better("area", model, {})
    assert lower_is_better("accuracy_of_sorts", model, {})
    assert lower_is_better("recall", model, {})
    assert not lower_is_better("how_precise", model, {})
    with pytest.raises(ValueError, match="'brier'"):
        lower_is_better("brier", model, {})
    assert lower_is_better("brier", model, {"brier": "min"})


def test_metric_name_may_end_in_a_number():
    model = trained(metrics.TopKCategoricalAccuracy(1, name="top_1"))
    assert not lower_is_better("top_1", model, {})


def test_remedy_in_the_error_works_for_a_name_that_ends_in_a_number():
    assert not lower_is_better("hits_10", NOTHING, {"hits_10": "max"})


def test_gap_of_an_overfitting_model_is_positive_in_both_directions():
    # The model is trained on half of the truth: right on these rows, wrong on others.
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(1, use_bias=False, name="out")]
    )
    model.compile(
        loss="mse",
        metrics=["accuracy", "mae", metrics.R2Score(name="fit"), metrics.AUC(name="a")],
    )
    model.set_weights([np.array([[1.0], [0.0]])])
    good = (
        np.array([[1.0, 0], [0, 0], [1, 0], [0, 1]]),
        np.array([[1.0], [0], [1], [0]]),
    )
    bad = model.evaluate(good[0], 1 - good[1], return_dict=True, verbose=0)
    gap = OverfittingGap(good)
    gap.set_model(model)
    logs = {f"val_{name}": number for name, number in bad.items()}
    gap.on_epoch_end(0, logs)
    assert {name: logs[f"gap_{name}"] for name in bad} == pytest.approx(
        {"loss": 1.0, "accuracy": 1.0, "mae": 1.0, "fit": 4.0, "a": 1.0}, abs=1e-5
    )


def test_invalid_directions_are_refused():
    assert check_directions(None) == {}
    assert check_directions({"speed": "max"}) == {"speed": "max"}
    with pytest.raises(ValueError, match="'directions' must be one of 'min', 'max'"):
        check_directions({"speed": "up"})
    with pytest.raises(TypeError, match="'directions' must be a dict from metric to"):
        check_directions(["speed"])
