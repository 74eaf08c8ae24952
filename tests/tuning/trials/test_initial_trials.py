"""A search begins with the trials that a user lists."""

import itertools
import shutil

import pytest

from kdropout import tuning
from tests.tuning.storage import kills
from tests.tuning.trials import searches

INITIAL = [
    {"rate/first": 0.3, "rate/last": 0.1},
    {"kind": "deep", "rate/deep": 0.2},
    {"rate/first": 0.3, "rate/last": 0.1},  # as the first
]
EXPECTED = [
    {"rate/first": 0.3, "kind": "plain", "rate/last": 0.1},
    {"rate/first": 0.0, "kind": "deep", "rate/deep": 0.2, "rate/last": 0.0},
]
ALGORITHMS = ["random", "bayesian", "hyperband", "grid"]


def make_tuner(algorithm, folder, initial_trials=INITIAL, **kwargs):
    limits = {"hyperband": {"max_epochs": 3, "hyperband_iterations": 1}}
    arguments = limits.get(algorithm, {"max_trials": 12})
    return kills.make_tuner(
        algorithm, folder, initial_trials=initial_trials, **{**arguments, **kwargs}
    )


def values_of(tuner):
    """Return the values of the trials, without those of the algorithm."""
    return [
        {n: v for n, v in t.hyperparameters.values.items() if not n.startswith("tuner")}
        for t in tuner.oracle.trials.values()
    ]


def rounded(values):
    return {n: round(v, 9) if isinstance(v, float) else v for n, v in values.items()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_listed_trials_come_first_and_are_not_proposed_again(algorithm, tmp_path):
    tuner = make_tuner(algorithm, tmp_path)
    tuner.search(verbose=0)
    values = [*map(rounded, values_of(tuner))]
    assert values[:2] == EXPECTED
    if algorithm == "hyperband":  # its later rounds repeat values
        trials = [t.hyperparameters.values for t in tuner.oracle.trials.values()]
        rounds = [trial["tuner/round"] for trial in trials]
        values = [v for v, round in zip(values, rounds, strict=True) if not round]
    else:
        assert len(values) == 12  # they count
    pairs = itertools.combinations(values, 2)
    assert not any(first == second for first, second in pairs)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("is_damaged", [False, True])
@pytest.mark.parametrize("at", [0, 1, 2, 4])
def test_stopped_search_goes_on_identically(algorithm, is_damaged, at, tmp_path):
    whole = make_tuner(algorithm, tmp_path / "whole")
    whole.search(verbose=0)

    class Stop(BaseException):
        pass

    tuner = make_tuner(algorithm, tmp_path / "parts")
    run_trial = tuner.run_trial

    def stop(trial, *args, **kwargs):
        if int(trial.trial_id) == at:
            raise Stop
        return run_trial(trial)

    tuner.run_trial = stop
    with pytest.raises(Stop):
        tuner.search(verbose=0)
    if is_damaged:
        (tmp_path / "parts" / "search" / "oracle.json").unlink()
        with pytest.warns(UserWarning, match="rebuilt"):
            again = make_tuner(algorithm, tmp_path / "parts")
    else:
        again = make_tuner(algorithm, tmp_path / "parts")
    again.search(verbose=0)
    assert values_of(again) == values_of(whole)


def test_grid_is_searched_completely_around_the_listed_trials(tmp_path):
    tuner = make_tuner("grid", tmp_path, max_trials=None)
    tuner.search(verbose=0)
    plain = make_tuner("grid", tmp_path / "plain", None, max_trials=None)
    plain.search(verbose=0)
    ours, theirs = map(values_of, (tuner, plain))
    assert len(ours) == len(theirs)
    assert all(values in theirs for values in ours)


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "grid"])
def test_trials_can_be_listed_when_a_search_is_resumed(algorithm, tmp_path):
    make_tuner(algorithm, tmp_path, None, max_trials=3).search(verbose=0)
    again = make_tuner(algorithm, tmp_path)
    again.search(verbose=0)
    assert [*map(rounded, values_of(again))][3:5] == EXPECTED


def test_number_is_the_rate_of_all_layers_and_a_key_may_be_a_path_or_a_glob(tmp_path):
    def make(folder):
        return tuning.RandomSearch(
            searches.build,
            "val_loss",
            max_trials=4,
            seed=1,
            directory=folder,
            project_name="search",
            initial_trials=[0.25, {"first": 0.1}, {"*": 0.7, "sec*": 0.2}],
        )

    tuner = make(tmp_path)
    searches.search(tuner, epochs=1)
    assert values_of(tuner)[:3] == [
        {"rate/first": 0.25, "rate/second": 0.25},
        {"rate/first": 0.1, "rate/second": 0.3},  # the rate of the layer
        {"rate/first": 0.7, "rate/second": 0.2},
    ]
    (tmp_path / "search" / "oracle.json").unlink()
    shutil.rmtree(tmp_path / "search" / "trial_1")
    with pytest.warns(UserWarning, match="rebuilt"):
        again = make(tmp_path)
    assert sorted(map(str, values_of(again))) == sorted(map(str, values_of(tuner)))
