"""The objective of a search, and the callbacks that log it."""

import keras
import numpy as np
import pytest

from kdropout.callbacks import OverfittingGap
from kdropout.tuning import Job
from kdropout.tuning.job import LimitedMetric


def callbacks_of(objective, **training):
    job = Job(data={"sklearn": "iris"}, objective=objective, training=training)
    data = job.make_data()
    return job, data, job.make_callbacks(data)


@pytest.mark.parametrize(
    "name, direction",
    [
        ("val_loss", "min"),
        ("val_accuracy", "max"),
        ("val_root_mean_squared_error", "min"),
        ("val_output_auc", "max"),
        ("val_AUC", "max"),
        ("val_MeanSquaredError", "min"),
        ("gap_loss", "min"),
        ("gap_accuracy", "min"),  # a gap is positive where the model overfits
        ("clean_accuracy", "max"),
    ],
)
def test_direction_is_known_from_the_name(name, direction):
    assert Job(objective=name).objective.resolved_direction == direction


@pytest.mark.parametrize(
    "metric, name, direction",
    [
        ({"class_name": "AUC", "config": {"name": "ours"}}, "val_ours", "max"),
        ({"class_name": "MeanSquaredError", "config": {"name": "ours"}}, "ours", "min"),
        ({"class_name": "AUC", "config": {"name": "my_loss"}}, "val_my_loss", "max"),
    ],
)
def test_direction_is_known_from_the_class_of_a_metric(metric, name, direction):
    model = {"architecture": "mlp", "metrics": [metric]}
    job = Job(model=model, objective=name)
    assert job.objective.resolved_direction == direction
    given = Job(model=model, objective={"metric": name, "direction": "min"})
    assert given.objective.resolved_direction == "min"
    with pytest.raises(ValueError, match="objective.direction|direction"):
        Job(model={"architecture": "mlp", "metrics": [metric]}, objective="val_other")


def test_direction_may_be_given():
    settings = {"metric": "val_own", "direction": "max"}
    assert Job(objective=settings).objective.resolved_direction == "max"


def test_only_the_needed_values_are_logged():
    assert callbacks_of("val_loss")[2] == []
    assert [type(c) for c in callbacks_of("gap_loss")[2]] == [OverfittingGap]
    (stopping,) = callbacks_of("val_accuracy", early_stopping=3)[2]
    assert isinstance(stopping, keras.callbacks.EarlyStopping)
    assert (stopping.monitor, stopping.patience) == ("val_accuracy", 3)


@pytest.mark.parametrize("metric, sign", [("val_loss", 1), ("val_accuracy", -1)])
def test_limit_on_the_gap_adds_a_penalty_to_the_logs(metric, sign):
    job, data, callbacks = callbacks_of(
        {"metric": metric, "gap_limit": 0.05}, early_stopping=100
    )
    kinds = [OverfittingGap, LimitedMetric, keras.callbacks.EarlyStopping]
    assert [type(callback) for callback in callbacks] == kinds
    model = job.make_hypermodel(data).build()
    history = model.fit(
        *data.training,
        validation_data=data.validation,
        epochs=3,
        callbacks=callbacks,
        verbose=0,
    ).history
    excess = np.maximum(0.0, np.array(history["gap_loss"]) - 0.05)
    expected = np.array(history[metric]) + sign * 100 * excess
    np.testing.assert_allclose(history[job.objective.name], expected, rtol=1e-12)
    assert job.objective.name == f"limited_{metric}"


def test_setting_within_the_limit_wins_over_one_beyond():
    scores = []
    for loss, gap in ((0.9, 0.19), (0.2, 0.21), (0.5, 0.2)):
        logs = {"val_loss": loss, "gap_loss": gap}
        LimitedMetric("val_loss", 0.2, "min").on_epoch_end(0, logs)
        scores.append(logs["limited_val_loss"])
    assert np.argmin(scores) == 2


def test_limit_needs_the_gap_before_it():
    callback = LimitedMetric("val_loss", 0.2, "min")
    with pytest.raises(ValueError, match="needs 'gap_loss'.*Put OverfittingGap before"):
        callback.on_epoch_end(0, {"val_loss": 1.0})
    for limit, error in ((-1, ValueError), ("a", TypeError)):
        with pytest.raises(error, match="'limit' must be a number"):
            LimitedMetric("val_loss", limit, "min")
    with pytest.raises(ValueError, match="'direction' must be one of 'min', 'max'"):
        LimitedMetric("val_loss", 0.1, "up")
