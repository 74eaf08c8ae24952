"""The tuners take the arguments of KerasTuner, and more by name."""

import inspect

import keras_tuner
import pytest

from kdropout import tuning
from kdropout.tuning.trials import TrialEngine

OURS = [
    "scored_epoch",
    "workers",
    "ray_address",
    "threads_per_worker",
    "gpus_per_worker",
    "log_dir",
    "timeout",
    "patience",
    "median_stopping",
    "initial_trials",
    "retry_failed",
]
OF_KERAS_TUNER = ["RandomSearch", "BayesianOptimization", "Hyperband", "GridSearch"]
TUNERS = [*OF_KERAS_TUNER, "SuccessiveHalving"]


def arguments(kind):
    """Return a dict from name to parameter, without `*args` and `**kwargs`."""
    collecting = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name: parameter
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind not in collecting
    }


@pytest.mark.parametrize("name", OF_KERAS_TUNER)
def test_arguments_have_the_positions_of_keras_tuner(name):
    ours = arguments(getattr(tuning, name))
    theirs = arguments(getattr(keras_tuner, name))
    assert list(ours)[: len(theirs)] == list(theirs)
    assert {n: ours[n].default for n in theirs} == {
        n: parameter.default for n, parameter in theirs.items()
    }
    of_all_tuners = list(arguments(keras_tuner.Tuner))
    assert list(ours)[len(theirs) :] == [*of_all_tuners[2:], *OURS]
    by_name = [n for n, p in ours.items() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    assert by_name == list(ours)[len(theirs) :]


def test_arguments_of_the_base_are_those_of_keras_tuners_tuner():
    ours, theirs = arguments(TrialEngine), arguments(keras_tuner.Tuner)
    assert list(ours) == [*theirs, *OURS]
    assert all(ours[name].kind is inspect.Parameter.KEYWORD_ONLY for name in OURS)


@pytest.mark.parametrize("name", TUNERS)
def test_each_argument_is_documented(name):
    kind = getattr(tuning, name)
    documented = inspect.getdoc(kind)
    for argument in arguments(kind):
        assert f"\n    {argument}: " in documented


def test_late_halving_has_the_arguments_of_hyperband_and_of_its_rungs():
    ours, theirs = arguments(tuning.SuccessiveHalving), arguments(tuning.Hyperband)
    own = ["settings", "rungs", "smoothing"]
    names = list(theirs)
    at = names.index("max_epochs") + 1
    common = [name for name in names if name not in ("factor", "hyperband_iterations")]
    assert list(ours) == [*common[:at], *own, *common[at:]]
    for name in common:
        assert ours[name].kind is theirs[name].kind
        assert ours[name].default == theirs[name].default


@pytest.mark.parametrize("name", OF_KERAS_TUNER)
def test_tuners_are_subclasses_of_those_of_keras_tuner(name):
    assert issubclass(getattr(tuning, name), getattr(keras_tuner, name))


def test_all_arguments_are_passed_on(tmp_path):
    class Own(tuning.BayesianOptimization):
        def run_trial(self, trial, *args, **kwargs):
            return 0.0

    space = keras_tuner.HyperParameters()
    space.Float("rate/a", 0.0, 0.5)
    oracle_arguments = {
        "max_trials": 7,
        "num_initial_points": 4,
        "alpha": 1e-3,
        "beta": 2.0,
        "seed": 9,
        "hyperparameters": space,
        "tune_new_entries": False,
        "allow_new_entries": False,
        "max_retries_per_trial": 2,
        "max_consecutive_failed_trials": 5,
    }
    tuner_arguments = {
        "max_model_size": 11,
        "optimizer": "sgd",
        "loss": "mse",
        "metrics": ["mae"],
        "directory": str(tmp_path),
        "project_name": "search",
        "tuner_id": "other",
        "executions_per_trial": 3,
    }
    tuner = Own(objective="val_loss", **oracle_arguments, **tuner_arguments)
    for name, value in oracle_arguments.items():
        assert getattr(tuner.oracle, name) == value
    for name, value in tuner_arguments.items():
        assert getattr(tuner, name) == value
    assert tuner.oracle.objective.name == "val_loss"


def test_value_that_is_not_a_hypermodel_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'hypermodel' must be a function .* Received"):
        tuning.RandomSearch(3, "val_loss", directory=tmp_path)
    with pytest.raises(ValueError, match="'hypermodel' must be .* hypermodel=None"):
        tuning.Hyperband(None, "val_loss", directory=tmp_path)


def test_value_that_is_not_an_oracle_is_refused():
    with pytest.raises(TypeError, match="'oracle' must be a keras_tuner.Oracle"):
        TrialEngine("random", lambda hp: None)


def test_hypermodel_of_the_user_is_kept(tmp_path):
    class Own(keras_tuner.HyperModel):
        def build(self, hp):
            hp.Float("rate/a", 0.0, 0.5)

    own = Own()
    tuner = tuning.RandomSearch(own, "val_loss", directory=tmp_path)
    assert tuner.hypermodel is own
    assert list(tuner.oracle.get_space().values) == ["rate/a"]
