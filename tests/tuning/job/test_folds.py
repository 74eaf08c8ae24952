"""A job with folds divides its rows, with statistics of the training rows of a fold."""

import pickle

import numpy as np
import pytest

from kdropout.callbacks import OverfittingGap
from kdropout.tuning import Job, JobError
from kdropout.tuning.job.run import _fit_arguments, make_tuner
from kdropout.tuning.job.summary import guess_of, summary_of

pytestmark = pytest.mark.on_one_backend


def data_of(folds=4, training=(), **settings):
    training = {"folds": folds, **dict(training)}
    return Job(data=settings, training=training).make_data()


@pytest.fixture
def arrays():
    """Save 23 rows with a number each, and return them."""
    x = np.arange(23.0, dtype="float32")[:, None] ** 2
    y = np.arange(23) % 2
    np.savez("d.npz", x_train=x, y_train=y)
    return x, y


def test_all_rows_are_in_the_folds(arrays):
    x, _ = arrays
    data = data_of(npz="d.npz")
    assert data.test is None and data.folds.num_rows == 23
    folds = data.folds.data(0)
    validation = np.sort(np.concatenate([fold.x_val for fold in folds]), 0)
    np.testing.assert_array_equal(validation, x)
    np.testing.assert_array_equal(data.x_train, folds[0].x_train)
    for fold in folds:
        assert np.bincount(fold.y_val).tolist() in ([3, 3], [3, 2], [2, 3])
        assert fold.description.num_samples == len(fold.x_train)


def test_another_partition_has_the_same_rows_in_other_folds(arrays):
    data = data_of(npz="d.npz")
    first, again, other = (data.folds.data(number) for number in (0, 0, 1))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.x_val, two.x_val)
    assert any(
        set(a.x_val.flat) != set(b.x_val.flat)
        for a, b in zip(first, other, strict=True)
    )


def test_inputs_are_scaled_by_the_training_rows_and_targets_by_all_rows():
    x = np.arange(20.0)[:, None]
    np.savez("d.npz", x_train=x, y_train=3.0 * x[:, 0])
    data = data_of(npz="d.npz", standardize=True)
    scales = set()
    for fold in data.folds.data(0):
        np.testing.assert_allclose(fold.x_train.mean(), 0.0, atol=1e-6)
        np.testing.assert_allclose(fold.x_train.std(), 1.0, rtol=1e-6)
        assert abs(fold.y_train.mean()) > 1e-4  # the mean of all rows is 0
        scales.add(float(fold.target_scale))
    (scale,) = scales  # the scores of all folds have one unit
    assert scale == pytest.approx(np.std(3.0 * x), rel=1e-6)
    targets = np.concatenate([fold.y_val for fold in data.folds.data(0)])
    np.testing.assert_allclose(targets.mean(), 0.0, atol=1e-6)


def test_training_and_validation_rows_are_joined_and_test_rows_stay():
    random = np.random.default_rng(0)
    parts = {
        f"{kind}_{part}": array
        for part, size in (("train", 12), ("val", 6), ("test", 4))
        for kind, array in (
            ("x", random.normal(size=(size, 2))),
            ("y", np.arange(size) % 2),
        )
    }
    np.savez("d.npz", **parts, w_val=np.full(6, 2.0))
    data = data_of(npz="d.npz", folds=3)
    assert data.folds.num_rows == 18
    for fold in data.folds.data(0):
        np.testing.assert_array_equal(fold.x_test, parts["x_test"].astype("float32"))
        assert fold.held_out is not None and fold.held_out[0] is fold.x_test
    weights = np.concatenate([fold.w_val for fold in data.folds.data(0)])
    # Rows without a weight have the weight 1.
    assert sorted(weights) == [1.0] * 12 + [2.0] * 6


def test_a_smaller_part_for_the_folds_leaves_the_others_for_the_test(arrays):
    data = data_of(npz="d.npz", train_size=0.8)
    assert data.folds.num_rows == 18 and len(data.y_test) == 5
    rows = np.concatenate([fold.x_val for fold in data.folds.data(0)])
    assert not {*rows.flat} & {*data.x_test.flat}


def test_features_of_a_table_are_the_same_in_all_folds():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"row": np.arange(24.0), "city": ["Bonn", "Kiel"] * 12})
    frame.loc[7, "city"] = "Ulm"
    frame["buys"] = ["no", "no", "yes"] * 8
    frame.to_csv("t.csv", index=False)
    data = data_of(csv="t.csv", target="buys", standardize=False)
    lacking = 0
    for fold in data.folds.data(0):
        every = np.concatenate([fold.x_train, fold.x_val])
        assert every.shape == (24, 4)  # the number and three cities
        (ulm,) = every[every[:, 0] == 7.0]
        is_validation = 7.0 in fold.x_val[:, 0]
        lacking += is_validation
        # A city that the training rows lack has no feature, so nothing is random.
        assert ulm[1:].tolist() == ([0, 0, 0] if is_validation else [0, 0, 1])
        others = every[every[:, 0] != 7.0]
        assert (others[:, 1:].sum(1) == 1.0).all()
    assert lacking == 1


def test_column_that_a_fold_lacks_is_a_feature_without_effect():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"row": np.arange(12.0), "rare": [np.nan] * 12})
    frame.loc[3, "rare"] = 5.0
    frame["buys"] = ["no", "yes"] * 6
    frame.to_csv("t.csv", index=False)
    data = data_of(csv="t.csv", target="buys")
    for fold in data.folds.data(0):
        every = np.concatenate([fold.x_train, fold.x_val])
        assert every.shape == (12, 3) and np.isfinite(every).all()


def test_weights_of_classes_are_those_of_the_training_rows_of_a_fold(arrays):
    data = data_of(npz="d.npz", training={"class_weight": "balanced"})
    for fold in data.folds.data(0):
        counts = np.bincount(fold.y_train)
        total = np.array([fold.fit_weight[fold.y_train == n].sum() for n in (0, 1)])
        np.testing.assert_allclose(total, counts.sum() / 2, rtol=1e-5)


def test_callbacks_of_a_fold_have_its_data(arrays):
    job = Job(
        data={"npz": "d.npz"},
        model={"architecture": "mlp", "units": [4]},
        objective={"metric": "gap_loss"},
        training={"folds": 3, "epochs": 1},
    )
    folds = _fit_arguments(job, job.check())["folds"]
    for number in range(6):
        arguments = folds.of_training(number).arguments
        (gap,) = [c for c in arguments["callbacks"] if isinstance(c, OverfittingGap)]
        assert len(arguments["x"]) in (15, 16)
        np.testing.assert_array_equal(gap.sample.arrays[0], arguments["x"])


def test_folds_can_be_sent_to_workers(arrays):
    job = Job(data={"npz": "d.npz"}, training={"folds": 3})
    folds = _fit_arguments(job, job.check())["folds"]
    again = pickle.loads(pickle.dumps(folds))
    for number in (0, 5):
        np.testing.assert_array_equal(
            again.of_training(number).arguments["x"],
            folds.of_training(number).arguments["x"],
        )


def test_check_shows_the_folds_and_the_mean_score_of_a_guess(arrays):
    data = data_of(npz="d.npz")
    lines = dict(summary_of(data))
    assert lines["rows"].startswith("23 in 4 folds of 5 or 6; samples of shape (1,)")
    assert "of the first fold" in lines["classes"]
    folds = data.folds.data(0)
    accuracies = [
        np.mean(fold.y_val == np.bincount(fold.y_train).argmax()) for fold in folds
    ]
    guess = guess_of(data)
    assert guess.part == "validation"
    assert guess.scores["accuracy"] == pytest.approx(np.mean(accuracies))


def test_changed_rows_are_noticed_when_a_search_is_resumed(arrays, tmp_path):
    x, y = arrays
    digests = data_of(npz="d.npz").digests
    np.savez("d.npz", x_train=x + 1.0, y_train=y)
    assert data_of(npz="d.npz").digests != digests and set(digests) == {"train"}


def test_text_of_all_folds_is_there_for_a_vocabulary():
    texts = np.array([f"word{i}" for i in range(10)])
    np.savez("d.npz", x_train=texts, y_train=np.arange(10) % 2)
    data = data_of(npz="d.npz", folds=5)
    assert sorted(data.description.texts) == sorted(texts)


def test_search_of_a_job_trains_on_each_fold(arrays, tmp_path):
    job = Job(
        data={"npz": "d.npz"},
        model={"architecture": "mlp", "units": [4]},
        search={"max_trials": 1},
        training={"folds": 3, "epochs": 1},
    )
    checked = job.check()
    tuner = make_tuner(job, checked.build, tmp_path / "out")
    tuner.search(**_fit_arguments(job, checked), verbose=0)
    assert [row["execution"] for row in tuner.histories()["0"]] == [0, 1, 2]


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ({"training": {"folds": 24}}, "training.folds: must be at most 23, the number"),
        (
            {
                "data": {"npz": "d.npz", "validation_size": 0.2},
                "training": {"folds": 3},
            },
            "data.validation_size: must not be set with training.folds",
        ),
        (
            {"data": {"npz": "d.npz", "train_size": 30}, "training": {"folds": 3}},
            "data.train_size: must be from 1 to 23",
        ),
    ],
    ids=["more than rows", "a validation part", "too many rows"],
)
def test_bad_folds_are_refused(job, says, arrays):
    with pytest.raises((JobError, ValueError), match=says):
        Job(**{"data": {"npz": "d.npz"}, **job}).make_data()


def test_a_dataset_has_no_folds(tmp_path, monkeypatch):
    (tmp_path / "pieces.py").write_text(
        "import numpy as np\n"
        "def load():\n"
        "    batches = [(np.ones((4, 2)), np.ones(4))] * 3\n"
        "    return batches, batches\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    job = Job(data={"function": "pieces:load"}, training={"folds": 3})
    with pytest.raises(JobError, match="training.folds: only applies to arrays"):
        job.make_data()
