"""The key `training.callbacks` of a job."""

import dataclasses
import json

import keras
import pytest

import kdropout
from kdropout.callbacks import OverfittingGap, RateLogger
from kdropout.tuning import Job, JobError, load_job
from kdropout.tuning.job import LimitedMetric

PLATEAU = {"class_name": "ReduceLROnPlateau", "config": {"patience": 3}}


def job_with(*callbacks, training=(), **settings):
    settings.setdefault("model", {"architecture": "mlp", "units": (8, 8)})
    settings["training"] = {"callbacks": list(callbacks), **dict(training)}
    return Job(data={"sklearn": "iris"}, **settings)


def kinds_of(job):
    return [type(callback) for callback in job.check().callbacks]


# The callbacks that a job makes.


def test_names_and_classes_with_arguments_become_callbacks():
    job = job_with("TerminateOnNaN", PLATEAU, {"class_name": "RateLogger"})
    nan, plateau, logger = job.check().callbacks
    assert isinstance(nan, keras.callbacks.TerminateOnNaN)
    assert isinstance(plateau, keras.callbacks.ReduceLROnPlateau)
    assert (plateau.patience, plateau.monitor) == (3, "val_loss")
    assert isinstance(logger, RateLogger)
    assert job_with().check().callbacks == []


def test_callbacks_that_log_come_before_those_that_read():
    stopping = {
        "class_name": "EarlyStopping",
        "config": {"monitor": "gap_loss", "mode": "min"},
    }
    gap = {"class_name": "OverfittingGap", "config": {"max_samples": 16}}
    job = job_with(stopping, gap)
    assert kinds_of(job) == [OverfittingGap, keras.callbacks.EarlyStopping]
    assert job.check().callbacks[0].sample.max_samples == 16
    objective = {"metric": "val_loss", "gap_limit": 0.1}
    job = job_with(PLATEAU, gap, objective=objective, training={"early_stopping": 2})
    assert kinds_of(job) == [
        OverfittingGap,
        LimitedMetric,
        keras.callbacks.ReduceLROnPlateau,
        keras.callbacks.EarlyStopping,
    ]


def test_learning_rate_is_logged_after_the_callback_that_reduces_it():
    stopping = {
        "class_name": "EarlyStopping",
        "config": {"monitor": "learning_rate", "mode": "min"},
    }
    job_with(PLATEAU, stopping).check()
    with pytest.raises(JobError, match="must be a name in the logs"):
        job_with(stopping, PLATEAU).check()


def test_forms_with_one_meaning_are_one_setting(tmp_path):
    short = job_with("terminateonnan")
    long = job_with({"class_name": "TerminateOnNaN", "config": {}})
    assert short.decisive() == long.decisive()
    job = job_with("TerminateOnNaN", PLATEAU, {"build": "own:make"})
    file = tmp_path / "job.yaml"
    file.write_text(job.to_yaml())
    assert load_job(file).training.callbacks == job.training.callbacks


def test_callbacks_decide_a_trial_and_none_is_the_default():
    none = job_with().decisive()
    assert none["training"]["callbacks"] is None
    assert job_with(PLATEAU).decisive() != none
    json.dumps(job_with(PLATEAU).decisive())


@pytest.mark.parametrize("name", ["EarlyStopping", "ReduceLROnPlateau", "RateLogger"])
def test_names_without_arguments_are_enough(name):
    (made,) = job_with(name).check().callbacks
    assert type(made).__name__ == name


def test_rates_that_are_not_searched_may_be_moved():
    controller = {
        "class_name": "GapController",
        "config": {"target": 0.1, "layers": "dense2_drop"},
    }
    space = {"*": [0.0, 0.5], "dense2_drop": 0.5}
    job = job_with("OverfittingGap", controller, space=space)
    assert kinds_of(job) == [OverfittingGap, kdropout.callbacks.GapController]


def test_best_weights_of_the_objective_may_be_restored():
    stopping = {
        "class_name": "EarlyStopping",
        "config": {"patience": 2, "restore_best_weights": True},
    }
    (made,) = job_with(stopping).check().callbacks
    assert made.restore_best_weights


OWN = """
import threading
import keras

class Odd(keras.callbacks.Callback):
    def __init__(self, value, width=None):
        super().__init__()
        self.value, self.width = value, width

    def on_epoch_end(self, epoch, logs=None):
        logs["odd"] = self.value

class Locked(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

def make(data, value=3.0):
    return Odd(value, data.input_shape)

def halve():
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)

def two():
    return [Odd(1.0), Odd(2.0)]

def locked():
    return Locked()

def checkpoint():
    return keras.callbacks.ModelCheckpoint("best.keras")

def stop():
    return keras.callbacks.EarlyStopping()

def gap():
    import kdropout, numpy as np
    data = np.zeros((1, 4)), np.zeros(1)
    return kdropout.callbacks.OverfittingGap(data)

def broken():
    raise OSError("no disk")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_callbacks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("own")
def test_a_function_returns_a_callback_and_may_take_the_data():
    built = {"build": "own_callbacks:make", "arguments": {"value": 2.0}}
    (made,) = job_with(built).check().callbacks
    assert (made.value, made.width) == (2.0, (4,))
    job_with({"build": "own_callbacks:halve"}).check()


@pytest.mark.usefixtures("own")
def test_a_callback_may_log_the_objective_or_a_monitor():
    built = {"build": "own_callbacks:make"}
    stopping = {
        "class_name": "EarlyStopping",
        "config": {"monitor": "odd", "mode": "max"},
    }
    objective = {"metric": "odd", "direction": "max"}
    confirm = {"metric": "accuracy"}
    job_with(built, stopping, objective=objective, confirm=confirm).check()
    with pytest.raises(JobError, match="must come before this one"):
        job_with(stopping, built).check()
    with pytest.raises(JobError, match=r"confirm: needs a metric.*confirm\.metric to"):
        job_with(built, objective=objective).check()
    job_with(built, objective=objective, confirm={"seeds": 0}).check()


# Bad input that is found when the job is read.


@dataclasses.dataclass(frozen=True)
class Bad:
    """Values of `callbacks` and of other keys, and parts of the message."""

    name: str
    yaml: str
    says: list[str]
    rest: str = ""


BAD = [
    Bad("one name", "EarlyStopping", ["must be a list of callbacks", "[{class_name"]),
    Bad("a number", "[3]", ["callbacks.0: must be the name of a callback", "3"]),
    Bad(
        "a misspelt class",
        "[EarlyStoping]",
        ["callbacks.0.class_name", "of Keras or kdropout", "Did you mean 'EarlySto"],
    ),
    Bad("the base class", "[Callback]", ["class_name: must be a callback of Keras"]),
    Bad("a list of callbacks", "[CallbackList]", ["must be a callback of Keras"]),
    Bad(
        "arguments outside of config",
        "[{class_name: EarlyStopping, patience: 3}]",
        ["callbacks.0.patience: is not a known key", "Put the arguments into 'config'"],
    ),
    Bad(
        "config that is not a mapping",
        "[{class_name: EarlyStopping, config: 3}]",
        ["callbacks.0.config: must be a mapping. Received: 3"],
    ),
    Bad(
        "an unknown argument",
        "[{class_name: EarlyStopping, config: {pacience: 3}}]",
        ["config.pacience: is not a known argument", "Did you mean 'patience'?"],
    ),
    Bad(
        "an unknown argument that Keras ignores",
        "[{class_name: ReduceLROnPlateau, config: {minimum: 0.1}}]",
        ["config.minimum: is not a known argument of ReduceLROnPlateau"],
    ),
    Bad(
        "a required argument that is missing",
        "[GapController]",
        ["callbacks.0.config: has arguments that 'GapController' does not accept"],
    ),
    Bad(
        "a value out of range",
        "[{class_name: ReduceLROnPlateau, config: {factor: 2.0}}]",
        ["callbacks.0.config: has arguments", "factor >= 1.0"],
    ),
    Bad(
        "a text in place of a number",
        "[{class_name: ReduceLROnPlateau, config: {factor: half}}]",
        ["config.factor: must be a number. Received: 'half'"],
    ),
    Bad(
        "half an epoch",
        "[{class_name: EarlyStopping, config: {patience: 2.5}}]",
        ["config.patience: must be an integer of at least 0. Received: 2.5"],
    ),
    Bad(
        "a number in place of a switch",
        "[{class_name: EarlyStopping, config: {restore_best_weights: 1}}]",
        ["config.restore_best_weights: must be true or false. Received: 1"],
    ),
    Bad(
        "a mode that Keras only warns about",
        "[{class_name: EarlyStopping, config: {mode: lowest}}]",
        ["callbacks.0.config: has arguments", "lowest"],
    ),
    Bad(
        "the same twice", "[RateLogger, RateLogger]", ["callbacks.1: must be given on"]
    ),
    Bad(
        "two of one number",
        "[ReduceLROnPlateau, {class_name: ReduceLROnPlateau, config: {patience: 3}}]",
        ["callbacks.1: must be given once", "'ReduceLROnPlateau'"],
    ),
    Bad(
        "a schedule of rates",
        "[{class_name: RateScheduler, config: {schedule: halve}}]",
        ["RateScheduler needs a function", "{build: my_module:make_callback}"],
    ),
    Bad(
        "a schedule of the learning rate",
        "[LearningRateScheduler]",
        ["needs a function, which YAML cannot contain", "{build: "],
    ),
    Bad("functions", "[LambdaCallback]", ["LambdaCallback needs a function"]),
    Bad(
        "a checkpoint",
        "[{class_name: ModelCheckpoint, config: {filepath: best.keras}}]",
        ["would write to the same path", "kdropout keeps the weights of each trial"],
    ),
    Bad("a backup", "[BackupAndRestore]", ["--resume continues a search"]),
    Bad(
        "a log of epochs",
        "[{class_name: CSVLogger, config: {filename: log.csv}}]",
        ["CSVLogger would write", "keeps the metrics of each epoch"],
    ),
    Bad("TensorBoard", "[TensorBoard]", ["writes the folder 'tensorboard'"]),
    Bad("TensorBoard of rates", "[TensorBoardRates]", ["would write to the same path"]),
    Bad("a history", "[History]", ["History is not needed"]),
    Bad("a progress bar", "[ProgbarLogger]", ["ProgbarLogger is not needed"]),
    Bad(
        "data of the gap",
        "[{class_name: OverfittingGap, config: {train_data: x}}]",
        ["config.train_data: is the training data of the job. Leave it out"],
    ),
    Bad(
        "rare validation",
        "[{class_name: OverfittingGap, config: {validation_freq: 2}}]",
        ["config.validation_freq: is 1, because a job with callbacks validates"],
    ),
    Bad(
        "a reference without build",
        "['my_module:make']",
        ["callbacks.0: must be the name of a callback", "{build: my_module:make}"],
    ),
    Bad(
        "a reference without a function",
        "[{build: my_module}]",
        ["callbacks.0.build: must be 'module:function'"],
    ),
    Bad(
        "config of a function",
        "[{build: 'a:b', config: {patience: 1}}]",
        ["callbacks.0.config: is not a known key", "build, arguments"],
    ),
    Bad(
        "both forms of early stopping",
        "[EarlyStopping]",
        ["training.early_stopping: must not be given if 'callbacks' has an EarlySto"],
        "  early_stopping: 3\n",
    ),
    Bad(
        "weights of another epoch than the last",
        "[{class_name: EarlyStopping, config: {restore_best_weights: true}}]",
        ["restore_best_weights: must not be true", "objective.scored_epoch is last"],
        "objective: {metric: val_loss, scored_epoch: last}\n",
    ),
    Bad(
        "weights of another epoch than the best",
        "[{class_name: EarlyStopping, config: {restore_best_weights: true}}]",
        ["the monitor is 'val_loss' and the objective is 'val_accuracy'"],
        "objective: val_accuracy\n",
    ),
    Bad(
        "weights of another epoch than that which continues",
        "[{class_name: EarlyStopping, config: {restore_best_weights: true}}]",
        ["restore_best_weights: must not be true", "Hyperband continues trainings"],
        "search: {algorithm: Hyperband}\n",
    ),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_bad_callbacks_are_refused_with_their_line(case, job_of):
    text = f"data: {{sklearn: iris}}\ntraining:\n  callbacks: {case.yaml}\n{case.rest}"
    with pytest.raises(JobError) as caught:
        job_of(text)
    message = str(caught.value)
    assert "line " in message and "training." in message
    missing = [part for part in case.says if part not in message]
    assert not missing, message


def test_all_bad_callbacks_are_reported_at_once(job_of):
    with pytest.raises(JobError) as caught:
        job_of(
            """
            data: {sklearn: iris}
            training:
              callbacks:
                - TerminateOnNan
                - EarlyStoping
                - TensorBoard
            """
        )
    keys = [problem.key for problem in caught.value.problems]
    assert keys == [f"training.callbacks.{n}.class_name" for n in (1, 2)]
    places = [problem.place for problem in caught.value.problems]
    assert places == ["line 6", "line 7"]


def test_a_function_in_python_is_refused_with_a_way_out():
    scheduler = {"class_name": "EarlyStopping", "config": {"baseline": max}}
    with pytest.raises(ValueError, match=r"must be a number.*\{build: my_module"):
        job_with(scheduler)


# Bad input that is found by the check, with a model.

CHECKED = [
    Bad(
        "a monitor that is not logged",
        "[{class_name: EarlyStopping, config: {monitor: val_los}}]",
        ["0.config.monitor: must be a name in the logs", "Did you mean 'val_loss'"],
    ),
    Bad(
        "a gap that is not logged",
        "[{class_name: EarlyStopping, config: {monitor: gap_loss, mode: min}}]",
        ["The callback OverfittingGap logs it: add its name"],
    ),
    Bad(
        "a direction that Keras does not know",
        "[OverfittingGap, {class_name: EarlyStopping, config: {monitor: gap_loss}}]",
        ["callbacks.1: needs mode: min or mode: max", "'gap_loss'"],
    ),
    Bad(
        "rates that are searched",
        "[AutoRate]",
        ["AutoRate must not set rates that are searched", "dense1_drop", "'space'"],
    ),
    Bad(
        "layers that do not exist",
        "[OverfittingGap, {class_name: GapController, config: {target: 0.1, "
        "layers: dens}}]",
        ["callbacks.1: does not fit the model", "dens"],
    ),
    Bad(
        "a schedule of the optimizer",
        "[ReduceLROnPlateau]",
        ["ReduceLROnPlateau needs a learning rate that is a number"],
        "model: {architecture: mlp, optimizer: {class_name: SGD, config: "
        "{learning_rate: {class_name: CosineDecay, config: "
        "{initial_learning_rate: 0.1, decay_steps: 10}}}}}\n",
    ),
    Bad(
        "an optimizer without an average",
        "[SwapEMAWeights]",
        ["needs an optimizer that averages its weights", "use_ema: true"],
    ),
    Bad(
        "a module that does not exist",
        "[{build: 'own_callback:make'}]",
        ["callbacks.0.build: must name a module", "Did you mean 'own_callbacks'"],
    ),
    Bad(
        "an argument that the function does not take",
        "[{build: 'own_callbacks:make', arguments: {valu: 1}}]",
        ["callbacks.0.arguments: do not fit 'own_callbacks:make'"],
    ),
    Bad(
        "a function that fails",
        "[{build: 'own_callbacks:broken'}]",
        ["callbacks.0.build: 'own_callbacks:broken' fails: OSError: no disk"],
    ),
    Bad(
        "a function that returns a list",
        "[{build: 'own_callbacks:two'}]",
        ["callbacks.0.build: must return a keras.callbacks.Callback"],
    ),
    Bad(
        "a callback that cannot be copied",
        "[{build: 'own_callbacks:locked'}]",
        ["must be a callback that can be copied", "Open files", "on_train_begin"],
    ),
    Bad(
        "a checkpoint of a function",
        "[{build: 'own_callbacks:checkpoint'}]",
        ["callbacks.0.build: ModelCheckpoint would write to the same path"],
    ),
    Bad(
        "a gap of a function",
        "[{build: 'own_callbacks:gap'}]",
        ["must not return an OverfittingGap", "Write the name OverfittingGap"],
    ),
    Bad(
        "early stopping of a function and of the job",
        "[{build: 'own_callbacks:stop'}]",
        ["training.early_stopping: must not be given if"],
        "  early_stopping: 3\n",
    ),
]


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case.name)
def test_callbacks_that_do_not_fit_are_refused_before_training(case, job_of):
    text = f"data: {{sklearn: iris}}\ntraining:\n  callbacks: {case.yaml}\n{case.rest}"
    job = job_of(text)
    with pytest.raises(JobError) as caught:
        job.check()
    message = str(caught.value)
    assert "line 3" in message or "line 4" in message
    missing = [part for part in case.says if part not in message]
    assert not missing, message
