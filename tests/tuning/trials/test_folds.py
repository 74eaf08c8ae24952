"""A trial with folds trains once on each fold, and its score is the mean."""

import dataclasses
import statistics

import keras
import keras_tuner
import numpy as np
import pytest

from kdropout import tuning
from kdropout.tuning import histories
from kdropout.tuning.folds import Folds, classes_of, partition, with_folds
from kdropout.tuning.trial_records import trial_histories, trial_records
from tests.tools import name_of
from tests.tuning.trials import searches

X, Y = searches.X, searches.Y  # 50 rows
SEED = 4


def make_tuner(folder, build=searches.build, **kwargs):
    arguments = {"max_trials": 3, "seed": SEED, "project_name": "s", **kwargs}
    return tuning.RandomSearch(build, "val_loss", directory=folder, **arguments)


def search(tuner, folds=3, x=X, y=Y, **kwargs):
    arguments = {"epochs": 2, "batch_size": 8, "verbose": 0, **kwargs}
    tuner.search(x, y, folds=folds, **arguments)
    return list(tuner.oracle.trials.values())


def history_of(tuner, trial_id="0"):
    return histories.of_trials(tuner.project_dir, [trial_id])[trial_id]


# The partition.


@pytest.mark.parametrize("number", [2, 3, 7, 50])
def test_each_row_is_validation_data_once(number):
    folds = partition(50, number, SEED)
    assert len(folds) == number
    validation = np.concatenate([rows for _, rows in folds])
    assert sorted(validation) == list(range(50))
    for training, rows in folds:
        assert sorted([*training, *rows]) == list(range(50))
        assert len(rows) in (50 // number, -(-50 // number))


def test_classes_are_divided_equally():
    classes = np.repeat([0, 1, 2], [50, 9, 1])
    for _, rows in partition(60, 5, SEED, classes):
        counts = np.bincount(classes[rows], minlength=3)
        assert len(rows) == 12 and counts[0] in (9, 10, 11) and counts[1] in (1, 2)


def test_partition_depends_on_the_seed_and_on_nothing_else():
    first, again, other = (partition(20, 2, [1, r]) for r in (0, 0, 1))
    assert all((a[1] == b[1]).all() for a, b in zip(first, again, strict=True))
    assert any((a[1] != b[1]).any() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.array([2, 0, 1]), [2, 0, 1]),
        (np.array([[2], [0]]), [2, 0]),
        (np.array([True, False]), [1, 0]),
        (np.eye(3, dtype="float32")[[2, 0]], [2, 0]),
        (np.array([0.5, 1.5]), None),
        (np.array([[1, 1], [0, 1]]), None),
        (np.zeros((4, 2, 3), "int32"), None),
        ({"a": np.arange(3)}, None),
    ],
)
def test_classes_are_integers_or_rows_with_a_single_one(y, expected):
    found = classes_of(y)
    assert found is None if expected is None else found.tolist() == expected


# A search.


def test_score_is_the_mean_over_the_folds_and_all_scores_are_kept(tmp_path):
    tuner = make_tuner(tmp_path)
    trials = search(tuner)
    for trial in trials:
        history = history_of(tuner, trial.trial_id)
        best = [
            min(row["val_loss"] for row in history.rows if row["execution"] == fold)
            for fold in range(3)
        ]
        assert history.scores == best
        assert trial.score == pytest.approx(statistics.fmean(best), rel=1e-6)
    plan = tuning.plan_of(tuner.build_best_model())
    records = trial_records(trials, plan, 2, trial_histories(trials, tuner.project_dir))
    assert list(records[0].scores) == history_of(tuner).scores
    assert records[0].std == pytest.approx(statistics.stdev(history_of(tuner).scores))


@pytest.mark.slow
def test_score_of_a_fold_is_that_of_a_search_on_its_rows(tmp_path):
    """Each fold is what `fit` does with its rows, to the bit."""
    folds = partition(50, 3, SEED, Y)
    tuner = make_tuner(tmp_path / "folds")
    search(tuner, folds=folds)
    # The first training of a search on the rows of the first fold alone.
    training, validation = folds[0]
    alone = make_tuner(tmp_path / "alone")
    alone.search(
        X[training],
        Y[training],
        validation_data=(X[validation], Y[validation]),
        epochs=2,
        batch_size=8,
        verbose=0,
    )
    for trial_id, rows in alone.histories().items():
        of_fold = [row for row in tuner.histories()[trial_id] if row["execution"] == 0]
        assert of_fold == rows


def test_all_trials_have_the_same_folds_and_share_one_compiled_model(tmp_path):
    seen, counted = [], []

    class Hypermodel(tuning.RandomSearch):
        def begin_training(self, trial, model, execution):
            counted.append(model)

    class Recorder(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(self.params["steps"])

    tuner = Hypermodel(searches.build, "val_loss", 2, seed=SEED, directory=tmp_path)
    search(tuner, folds=3, callbacks=[Recorder()])
    assert len(counted) == 6 and seen == [5] * 6  # 33 or 34 rows in batches of 8
    if keras.backend.backend() != "torch":
        assert len({id(model) for model in counted}) == 1


@pytest.mark.slow
def test_executions_repeat_the_cross_validation_on_other_partitions(tmp_path):
    tuner = make_tuner(tmp_path, executions_per_trial=2, max_trials=1)
    search(tuner)
    assert [row["execution"] for row in history_of(tuner).rows[::2]] == list(range(6))
    arguments = with_folds((X, Y), {"folds": 3}, SEED)
    first, fourth = (arguments["folds"].of_training(n) for n in (0, 3))
    assert not np.array_equal(first.held_out[0], fourth.held_out[0])


@pytest.mark.slow
def test_resumed_search_has_the_same_folds(tmp_path):
    whole = search(make_tuner(tmp_path / "whole", max_trials=4, seed=None))
    for trial in whole:
        assert len(whole) == 4 and trial.score is not None
    search(make_tuner(tmp_path / "parts", max_trials=2))
    resumed = search(make_tuner(tmp_path / "parts", max_trials=4))
    at_once = search(make_tuner(tmp_path / "once", max_trials=4))
    assert searches.scores(resumed) == searches.scores(at_once)


def test_weights_of_samples_and_several_inputs_are_divided_as_well(tmp_path):
    weights = np.linspace(0.0, 1.0, 50).astype("float32")
    x = {"a": X[:, :2], "b": X[:, 2:]}
    folds = with_folds((), {"x": x, "y": Y, "sample_weight": weights, "folds": 2}, 0)
    fold = folds["folds"].of_training(1)
    arguments = fold.arguments
    assert arguments["x"]["a"].shape == (25, 2) and len(fold.held_out) == 3
    rows = [np.flatnonzero((X[:, :2] == row).all(1))[0] for row in arguments["x"]["a"]]
    np.testing.assert_array_equal(arguments["sample_weight"], weights[rows])
    np.testing.assert_array_equal(arguments["y"], Y[rows])
    np.testing.assert_array_equal(arguments["x"]["b"], X[rows][:, 2:])
    assert fold.num_rows == (25, 25)
    assert folds["folds"].ratio == 1.0


@pytest.mark.slow
def test_a_stopped_trial_trains_its_other_folds_for_as_many_epochs(tmp_path):
    """A score of the first folds alone would show how difficult these are."""
    tuner = make_tuner(
        tmp_path,
        max_trials=6,
        median_stopping=tuning.MedianStopping(warmup_trials=2, warmup_epochs=2),
        initial_trials=[0.1, 0.2, {"first": 0.8, "second": 0.8}],
    )
    search(tuner, epochs=8)
    stopped = {
        trial_id: history
        for trial_id in tuner.oracle.trials
        if (history := history_of(tuner, trial_id)).stopped_after
    }
    assert stopped
    for history in stopped.values():
        lengths = [
            sum(row["execution"] == fold for row in history.rows) for fold in range(3)
        ]
        first = next(i for i, n in enumerate(lengths) if n == history.stopped_after)
        assert lengths[:first] == [8] * first
        assert lengths[first:] == [history.stopped_after] * (3 - first)
        assert len(history.scores) == 3


@pytest.mark.slow
def test_hypermodel_with_its_own_fit_gets_the_rows_of_the_fold(tmp_path):
    shapes = []

    class Hypermodel(keras_tuner.HyperModel):
        def build(self, hp):
            return searches.build(hp)

        def fit(self, hp, model, *args, **kwargs):
            shapes.append((len(kwargs["x"]), len(kwargs["validation_data"][0])))
            return super().fit(hp, model, *args, **kwargs)

    search(make_tuner(tmp_path, Hypermodel(), max_trials=1), folds=4)
    assert sorted(shapes) == [(37, 13), (37, 13), (38, 12), (38, 12)]


# The confirmation.


def test_confirmation_trains_on_new_partitions_and_is_paired_by_fold(tmp_path):
    tuner = make_tuner(tmp_path)
    search(tuner)
    arguments = {"folds": 3, "epochs": 2, "batch_size": 8, "verbose": 0}
    report = tuning.confirm(tuner, X, Y, seeds=2, top=1, **arguments)
    confirmation = report.confirmation
    assert confirmation.seeds == tuple(range(3000, 3006))
    assert dataclasses.asdict(confirmation.cross_validation) == {
        "folds": 3,
        "ratio": pytest.approx(0.5),
    }
    assert confirmation.measure == "3-fold loss" and confirmation.repetitions == 2
    assert len(confirmation.scores) == 6 * len(confirmation.candidates)
    # A later call with more partitions repeats nothing.
    more = tuning.confirm(tuner, X, Y, seeds=3, top=1, **arguments)
    for pair, score in confirmation.scores.items():
        assert more.confirmation.scores[pair] == score
    text = report.to_markdown()
    assert "2 new partitions into 3 folds" in text and "Nadeau" in text
    again = type(report).from_json(report.to_json())
    assert again.confirmation == confirmation
    assert [trial.scores for trial in again.trials] == [
        trial.scores for trial in report.trials
    ]


@pytest.mark.slow
def test_test_data_compare_trainings_that_each_have_another_fold(tmp_path):
    tuner = make_tuner(tmp_path)
    search(tuner, x=X[:40], y=Y[:40])
    arguments = {"folds": 3, "epochs": 2, "batch_size": 8, "verbose": 0}
    report = tuning.confirm(
        tuner, X[:40], Y[:40], test_data=(X[40:], Y[40:]), seeds=4, top=1, **arguments
    )
    confirmation = report.confirmation
    assert confirmation.measure == "3-fold test loss"
    assert confirmation.seeds == tuple(range(3000, 3004))
    assert confirmation.cross_validation is None


# Bad input.


@dataclasses.dataclass(frozen=True)
class Bad:
    name: str
    arguments: dict
    error: type
    says: str


ROWS = np.arange(50)
CASES = [
    Bad("one fold", {"folds": 1}, ValueError, "at least 2. Received: folds=1"),
    Bad("more folds than rows", {"folds": 51}, ValueError, "at most 50"),
    Bad("a text", {"folds": "5"}, TypeError, "an integer of at least 2, or a seq"),
    Bad("a number", {"folds": 2.5}, TypeError, "Received: folds=2.5"),
    Bad("True", {"folds": True}, TypeError, "Received: folds=True"),
    Bad("one pair", {"folds": [(ROWS[:40], ROWS[40:])]}, ValueError, "at least 2 pa"),
    Bad(
        "rows that do not exist",
        {"folds": [(ROWS[:40], ROWS[40:]), (ROWS[:40], ROWS[40:] + 1)]},
        ValueError,
        "at index 1. Each part must have at least one row number from 0 to 49",
    ),
    Bad(
        "an empty part",
        {"folds": [(ROWS, ROWS[:0]), (ROWS[:40], ROWS[40:])]},
        ValueError,
        "at index 0",
    ),
    Bad(
        "rows of both parts",
        {"folds": [(ROWS, ROWS[:5]), (ROWS[:40], ROWS[40:])]},
        ValueError,
        "row 0 in both parts at index 0",
    ),
    Bad(
        "validation data",
        {"folds": 3, "validation_data": (X, Y)},
        ValueError,
        "also 'validation_data'. Leave one",
    ),
    Bad(
        "a validation split",
        {"folds": 3, "validation_split": 0.2},
        ValueError,
        "also 'validation_split'",
    ),
    Bad("no labels", {"folds": 3, "y": None}, TypeError, "needs arrays.*y=None"),
    Bad("a generator", {"folds": 3, "x": iter([])}, TypeError, "of type list_iter"),
    Bad("other rows", {"folds": 3, "y": Y[:9]}, ValueError, "with 9 and 50 rows"),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_folds_are_refused_before_a_training(case, tmp_path):
    tuner = make_tuner(tmp_path)
    with pytest.raises(case.error, match=f"^'folds' .*{case.says}"):
        tuner.search(**{"x": X, "y": Y, **case.arguments})
    assert not tuner.oracle.trials


@pytest.mark.slow
def test_a_splitter_is_refused_with_the_way_to_pass_it(tmp_path):
    selection = pytest.importorskip("sklearn.model_selection")
    tuner = make_tuner(tmp_path, max_trials=1)
    splitter = selection.TimeSeriesSplit(3)
    with pytest.raises(TypeError, match=r"folds=list\(splitter.split\(x, y\)\)"):
        search(tuner, folds=splitter)
    search(tuner, folds=list(splitter.split(X, Y)))
    assert len(history_of(tuner).scores) == 3


def test_folds_that_were_made_before_are_kept():
    made = []
    folds = Folds(2, lambda repetition: made.append(repetition) or [1, 2])
    assert [folds.of_training(n) for n in (0, 1, 0, 2, 3)] == [1, 2, 1, 1, 2]
    assert made == [0, 1]
