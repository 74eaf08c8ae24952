"""The search algorithms keep their promises."""

import itertools
import json
import os

import keras_tuner
import pytest

from kdropout import tuning
from kdropout.tuning.oracles import StoredOracle
from kdropout.tuning.trials import TrialEngine
from tests.tuning.storage import kills


def small_space():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate/a", 0.0, 0.75, step=0.25)
    hp.Float("rate/b", 0.0, 0.5, step=0.25)
    return hp


def make_tuner(folder, algorithm, space, **kwargs):
    tuner = kills.make_tuner(algorithm, folder, hyperparameters=space, **kwargs)

    def run_trial(trial, *args, **kwargs):
        values = trial.hyperparameters.values
        return sum((v - 0.25) ** 2 for v in values.values() if isinstance(v, float))

    tuner.run_trial = run_trial
    return tuner


def points(tuner):
    return [
        tuple(sorted(trial.hyperparameters.values.items()))
        for trial in tuner.oracle.trials.values()
    ]


@pytest.mark.parametrize("initial", [3, 100], ids=["process", "random"])
def test_bayesian_optimization_proposes_each_point_once_and_then_ends(
    initial, tmp_path
):
    tuner = make_tuner(
        tmp_path, "bayesian", small_space(), max_trials=40, num_initial_points=initial
    )
    tuner.search(verbose=0)
    asked = points(tuner)
    assert len(asked) == len(set(asked)) == 4 * 3


def test_bayesian_optimization_finds_the_best_point_early(tmp_path):
    tuner = make_tuner(
        tmp_path, "bayesian", small_space(), max_trials=8, num_initial_points=4
    )
    tuner.search(verbose=0)
    best = tuner.get_best_hyperparameters()[0].values
    assert best == {"rate/a": 0.25, "rate/b": 0.25}


def test_resumed_bayesian_optimization_proposes_the_same(tmp_path):
    def search(folder, *limits):
        for limit in limits:
            tuner = make_tuner(
                folder,
                "bayesian",
                small_space(),
                max_trials=limit,
                num_initial_points=3,
            )
            tuner.search(verbose=0)
        return points(tuner)

    whole = search(tmp_path / "whole", 9)
    assert search(tmp_path / "parts", 2, 5, 6, 9) == whole


def conditional_space():
    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["plain", "deep"])
    with hp.conditional_scope("kind", ["deep"]):
        hp.Float("rate/deep", 0.25, 0.75, step=0.25)
    hp.Float("rate/a", 0.0, 0.1, step=0.1)
    return hp


def test_grid_search_visits_each_point_once_also_when_resumed(tmp_path):
    for limit in (1, 2, 5, 6, 50):
        tuner = make_tuner(tmp_path, "grid", conditional_space(), max_trials=limit)
        tuner.search(verbose=0)
    found = [
        tuple(dict(point).get(name) for name in ("kind", "rate/deep", "rate/a"))
        for point in points(tuner)
    ]
    plain = [("plain", None, a) for a in (0.0, 0.1)]
    deep = list(itertools.product(["deep"], [0.25, 0.5, 0.75], [0.0, 0.1]))
    assert found == plain + deep


def test_grid_search_with_a_growing_space_is_rebuilt_identically(tmp_path):
    def search(folder, stop_at=None):
        space = keras_tuner.HyperParameters()
        space.Float("rate/a", 0.0, 0.2, step=0.1)
        tuner = make_tuner(folder, "grid", space, max_trials=20)

        def run_trial(trial, *args, **kwargs):
            if len(tuner.oracle.end_order) == stop_at:
                raise KeyboardInterrupt
            hp = trial.hyperparameters
            return hp.get("rate/a") + hp.Float("rate/new", 0.0, 0.1, step=0.1)

        tuner.run_trial = run_trial
        tuner.search(verbose=0)
        return points(tuner)

    whole = search(tmp_path / "whole")
    assert len(whole) == len(set(whole)) == 3 * 2
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "half", 3)
    (tmp_path / "half" / "search" / "oracle.json").unlink()
    with pytest.warns(UserWarning, match="oracle.json"):
        assert search(tmp_path / "half") == whole


@pytest.mark.parametrize("first", ["deep", "flat"])
def test_grid_search_equals_that_of_keras_tuner_if_a_branch_adds_values(
    first, tmp_path
):
    def points_of(kind):
        class Branches(kind):
            def run_trial(self, trial, *args, **kwargs):
                hp = trial.hyperparameters
                is_deep = hp.Boolean("deep", default=first == "deep")
                name = "units_deep" if is_deep else "units_flat"
                return float(hp.Choice(name, [2, 3, 4]))

        tuner = Branches(directory=tmp_path / kind.__module__, project_name="search")
        tuner.search(verbose=0)
        assert {t.status for t in tuner.oracle.trials.values()} == {"COMPLETED"}
        return points(tuner)

    ours = points_of(tuning.GridSearch)
    assert ours == points_of(keras_tuner.GridSearch)
    assert len(set(ours)) == len(ours) == 3 + 3 * 3


def test_project_of_another_algorithm_is_refused_and_kept(tmp_path):
    tuner = make_tuner(tmp_path, "random", small_space(), max_trials=2)
    tuner.search(verbose=0)
    with pytest.raises(RuntimeError, match="'project_name', or pass overwrite=True"):
        make_tuner(tmp_path, "grid", small_space())
    again = make_tuner(tmp_path, "random", small_space(), max_trials=2)
    assert points(again) == points(tuner)


class Sums:
    """Sums two rates instead of training."""

    def run_trial(self, trial, *args, **kwargs):
        values = trial.hyperparameters.values
        return values["rate/a"] + values["rate/b"]


class SumsOfAnyOracle(Sums, TrialEngine):
    pass


class RandomSums(Sums, tuning.RandomSearch):
    pass


class BayesianSums(Sums, tuning.BayesianOptimization):
    pass


class HyperbandSums(Sums, tuning.Hyperband):
    pass


class GridSums(Sums, tuning.GridSearch):
    pass


OBJECTIVE = keras_tuner.Objective("score", "min")


def state_of(oracle):
    trials = [trial.get_state() for trial in oracle.trials.values()]
    algorithm = type(oracle).__name__
    return {**oracle.get_state(), "trials": trials, "algorithm": algorithm}


def add_condition(trial):
    with trial.hyperparameters.conditional_scope("kind", ["deep"]):
        trial.hyperparameters.Float("rate/other", 0.0, 0.5)


CHANGES = {
    "message": lambda trial: setattr(trial, "message", "of a user"),
    "score": lambda trial: setattr(trial, "score", 1),
    "type of the score": lambda trial: setattr(trial, "score", 1.0),
    "NaN": lambda trial: setattr(trial, "score", float("nan")),
    "status": lambda trial: setattr(trial, "status", "FAILED"),
    "step": lambda trial: setattr(trial, "best_step", 3),
    "value": lambda trial: trial.hyperparameters.values.update({"rate/a": 0.125}),
    "metric": lambda trial: trial.metrics.update("other", 0.5),
    "execution": lambda trial: trial.metrics.update("other", 0.25),
    "hyperparameter": lambda trial: trial.hyperparameters.Float("new", 0.0, 1.0),
    "branch": add_condition,
    "copy": lambda trial: setattr(
        trial, "hyperparameters", trial.hyperparameters.copy()
    ),
}


@pytest.mark.parametrize("algorithm", kills.ALGORITHMS)
def test_file_has_the_state_also_of_trials_that_changed_after_their_end(
    algorithm, tmp_path
):
    space = conditional_space()
    limits = {"hyperband": {}, "halving": {"settings": [{}, {"rate/a": 0.1}]}}
    limit = limits.get(algorithm, {"max_trials": 5})
    tuner = make_tuner(tmp_path, algorithm, space, **limit)
    tuner.search(verbose=0)
    oracle, path = tuner.oracle, tmp_path / "search" / "oracle.json"
    oracle.save()
    assert path.read_text() == json.dumps(state_of(oracle))
    second = list(oracle.trials.values())[1]
    for change in CHANGES.values():
        before = path.read_text()
        change(second)
        oracle.save()
        assert path.read_text() == json.dumps(state_of(oracle))
        assert (path.read_text() == before) == (change is CHANGES["copy"])


def test_missing_or_foreign_file_is_written_again(tmp_path):
    tuner = make_tuner(tmp_path, "random", small_space(), max_trials=2)
    tuner.search(verbose=0)
    path = tmp_path / "search" / "oracle.json"
    text = path.read_text()
    inode = os.stat(path).st_ino
    tuner.oracle.save()
    assert os.stat(path).st_ino == inode  # there was nothing to write
    path.unlink()
    tuner.oracle.save()
    assert path.read_text() == text
    path.write_text("{}")
    tuner.oracle.save()
    assert path.read_text() == text


def test_oracle_of_a_user_works(tmp_path):
    class Own(keras_tuner.oracles.RandomSearchOracle):
        pass

    own = Own(OBJECTIVE, 3, hyperparameters=small_space())
    tuner = SumsOfAnyOracle(own, directory=tmp_path)
    assert tuner.oracle is own
    tuner.search(verbose=0)
    assert len(own.end_order) == 3
    assert SumsOfAnyOracle(own, directory=tmp_path).remaining_trials == 0


@pytest.mark.parametrize(
    ("name", "kind", "arguments"),
    [
        ("RandomSearchOracle", RandomSums, {"max_trials": 6}),
        (
            "BayesianOptimizationOracle",
            BayesianSums,
            {"max_trials": 6, "num_initial_points": 4},
        ),
        ("HyperbandOracle", HyperbandSums, {"max_epochs": 4, "factor": 2}),
        ("GridSearchOracle", GridSums, {"max_trials": 6}),
    ],
)
def test_oracle_of_keras_tuner_is_stored_and_proposes_the_same(
    name, kind, arguments, tmp_path
):
    def make_tuner():
        oracle = getattr(keras_tuner.oracles, name)(
            OBJECTIVE, hyperparameters=small_space(), seed=5, **arguments
        )
        return SumsOfAnyOracle(oracle, directory=tmp_path / "any")

    tuner = make_tuner()
    assert isinstance(tuner.oracle, StoredOracle)
    tuner.search(verbose=0)
    other = kind(
        objective=OBJECTIVE,
        hyperparameters=small_space(),
        seed=5,
        directory=tmp_path / "other",
        **arguments,
    )
    other.search(verbose=0)
    assert points(tuner) == points(other)
    assert points(make_tuner()) == points(tuner)
