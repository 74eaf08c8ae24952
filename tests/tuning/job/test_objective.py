"""The objective of a search, and the callbacks that log it."""

import keras
import numpy as np
import pytest

from kdropout.callbacks import OverfittingGap
from kdropout.tuning import Job, JobError
from kdropout.tuning.job import LimitedMetric
from kdropout.tuning.objectives import SummedMetrics, SummedObjective


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


# Several objectives.


def test_list_of_objectives_is_their_sum_in_the_direction_of_the_first():
    job = Job(objective=["val_accuracy", "gap_loss", "val_loss"])
    assert job.objective.name == "val_accuracy - gap_loss - val_loss"
    assert job.objective.resolved_direction == "max" and job.objective.needs_gap
    assert job.objective.metrics == ("val_accuracy", "gap_loss", "val_loss")
    mapping = Job(
        objective={"metric": "val_accuracy", "also": ["gap_loss", "val_loss"]}
    )
    assert mapping.decisive() == job.decisive()
    assert (
        Job(objective=["val_loss"]).decisive() == Job(objective="val_loss").decisive()
    )


def test_sum_is_logged_before_the_callbacks_that_may_monitor_it():
    objective = [{"metric": "val_loss", "gap_limit": 0.2}, "val_accuracy"]
    job, _, callbacks = callbacks_of(objective, early_stopping=2)
    kinds = [
        OverfittingGap,
        LimitedMetric,
        SummedMetrics,
        keras.callbacks.EarlyStopping,
    ]
    assert [type(callback) for callback in callbacks] == kinds
    assert job.objective.name == "limited_val_loss - val_accuracy"
    assert callbacks[-1].monitor == job.objective.name
    logs = {"val_loss": 0.5, "gap_loss": 0.3, "val_accuracy": 0.75}
    for callback in callbacks[1:3]:
        callback.on_epoch_end(0, logs)
    assert logs[job.objective.name] == pytest.approx(0.5 + 100 * 0.1 - 0.75)


def test_direction_of_a_further_objective_may_be_given_or_come_from_a_class():
    metric = {"class_name": "AUC", "config": {"name": "ours"}}
    job = Job(
        model={"architecture": "mlp", "metrics": [metric]},
        objective=["val_loss", "val_ours", {"metric": "own", "direction": "min"}],
    )
    assert job.objective.name == "val_loss - val_ours + own"
    assert job.objective.directions == {"own": "min"}


@pytest.mark.parametrize(
    ("objective", "says"),
    [
        (["val_loss", "val_loss"], r"also.0.metric: must be another metric"),
        (
            ["val_loss", "val_own"],
            r"objective.also.0.direction: must be 'min' or 'max'",
        ),
        (
            [{"metric": "val_own", "direction": "max"}, "val_other"],
            r"objective.also.0.direction: .*'val_other' does not show",
        ),
        (["val_loss", 3], "must be a logged name such as gap_loss, or a mapping"),
        ([], "or a list of several. Received: \\[\\]"),
        (["val_loss", {"metric": "gap_loss", "gap_limit": 1.0}], "gap_limit"),
        ([{"metric": "val_loss", "also": ["gap_loss"]}, "val_accuracy"], "a list of"),
    ],
)
def test_bad_list_of_objectives_is_refused(objective, says):
    with pytest.raises(ValueError, match=says):
        Job(objective=objective)


def test_further_objective_must_be_logged():
    job = Job(data={"sklearn": "iris"}, objective=["val_loss", "val_auc"])
    with pytest.raises(
        JobError, match="objective.also.0.metric: must be a name in the"
    ):
        job.check()


def test_missing_metric_of_a_sum_is_an_error_with_its_name():
    objective = SummedObjective([("val_loss", "min"), ("val_accuracy", "max")])
    with pytest.raises(ValueError, match="'val_accuracy' in the logs .*Received"):
        SummedMetrics(objective).on_epoch_end(0, {"val_loss": 0.1})
