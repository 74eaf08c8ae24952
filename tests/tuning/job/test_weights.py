"""Weights of samples and classes reach the loss, and only where they should."""

import keras
import numpy as np
import pytest

from kdropout.tuning import Job, JobError
from kdropout.tuning.class_weights import weights_of_samples

Y = np.array([0, 0, 0, 2, 2, 1] * 5)
X = np.random.default_rng(0).normal(size=(30, 3))
W = np.linspace(0.0, 2.0, 30)


def data_of(class_weight=None, **arrays):
    np.savez("a.npz", **{"x_train": X, "y_train": Y, **arrays})
    training = {} if class_weight is None else {"class_weight": class_weight}
    return Job(data={"npz": "a.npz"}, training=training).make_data()


def all_labels(kind):
    return {"integers": Y, "column": Y[:, None], "one-hot": np.eye(3)[Y]}[kind]


@pytest.mark.parametrize("kind", ["integers", "column", "one-hot"])
def test_class_weights_are_those_of_fit(kind):
    y = all_labels(kind).astype("float32" if kind == "one-hot" else "int32")
    loss = "categorical" if kind == "one-hot" else "sparse_categorical"
    losses = []
    weights = {0: 0.25, 2: 3.0}
    for arguments in (
        {"class_weight": weights},
        {"sample_weight": weights_of_samples(y, weights)},
    ):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
        model.compile("sgd", f"{loss}_crossentropy")
        history = model.fit(X, y, batch_size=7, epochs=2, verbose=0, **arguments)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]
    expected = np.select([Y == 0, Y == 2], [0.25, 3.0], 1.0)
    np.testing.assert_array_equal(weights_of_samples(y, weights), expected)


@pytest.mark.parametrize("kind", ["integers", "column", "one-hot"])
def test_balanced_weights_give_each_class_the_same_sum(kind):
    data = data_of("balanced", y_train=all_labels(kind))
    y = data.y_train.argmax(-1) if kind == "one-hot" else data.y_train.ravel()
    sums = [data.fit_weight[y == number].sum() for number in range(3)]
    np.testing.assert_allclose(sums, len(y) / 3, rtol=1e-6)
    np.testing.assert_allclose(data.fit_weight.mean(), 1.0, rtol=1e-6)
    assert data.w_train is None and len(data.validation) == 2


def test_classes_are_named_as_in_the_data():
    texts = np.array(["no", "Yes", "3.0"])[Y]
    for labels in ({"Yes": 5, "no": 2}, {"yes": 5, "NO": 2}):
        data = data_of(labels, y_train=texts)
        names = data.description.class_names
        weights = {"no": 2.0, "Yes": 5.0, "3.0": 1.0}
        expected = [weights[names[number]] for number in data.y_train]
        np.testing.assert_array_equal(data.fit_weight, expected)
    data = data_of({0: 2, 1.0: 5})
    expected = np.array([2.0, 5.0, 1.0])[data.y_train]
    np.testing.assert_array_equal(data.fit_weight, expected)


def test_labels_of_a_file_count_as_they_are_written(job_of):
    labels = np.array(["no", "yes", "null"])[Y]
    np.savez("a.npz", x_train=X, y_train=labels)
    text = "data: {npz: a.npz}\ntraining: {class_weight: {no: 1, yes: 5, null: 2}}"
    job = job_of(text)
    assert job.training.class_weight == {"no": 1.0, "yes": 5.0, "null": 2.0}
    data = job.make_data()
    assert data.class_weight == {0: 1.0, 1: 2.0, 2: 5.0}
    assert job_of(job.to_yaml()).training == job.training
    for override in ("training.class_weight={yes: 5}", "training.class_weight.yes=5"):
        again = job_of("data: {npz: a.npz}", override)
        assert again.training.class_weight == {"yes": 5.0}
    numbers = job_of("training: {class_weight: {0: 1, 10: 5}}")
    assert numbers.training.class_weight == {"0": 1.0, "10": 5.0}
    with pytest.raises(JobError, match="a key must be a text. Received: '0'"):
        job_of("model: {build: 'a:b', arguments: {0: 1}}")


def test_label_may_be_absent_from_the_training_rows():
    parts = {"x_val": X[:6], "y_val": Y[:6], "y_train": Y % 2}
    assert data_of({2: 3.0, 1: 2.0}, **parts).class_weight == {2: 3.0, 1: 2.0}


def test_given_weights_are_split_with_their_samples():
    data = data_of(w_train=W)
    whole = {tuple(x): w for x, w in zip(X.astype("float32"), W, strict=True)}
    for x, _, w in (data.training, data.validation, data.test):
        assert w.dtype == "float32" and len(w) == len(x)
        np.testing.assert_allclose(w, [whole[tuple(row)] for row in x], rtol=1e-6)
    np.testing.assert_array_equal(data.fit_weight, data.w_train)
    assert data_of().digests != data.digests
    assert data_of(w_train=W + 1.0).digests != data.digests


def test_weights_of_samples_and_classes_are_multiplied():
    data = data_of("balanced", w_train=W)
    counts = np.bincount(data.y_train)
    expected = data.w_train * len(data.y_train) / (3 * counts[data.y_train])
    np.testing.assert_allclose(data.fit_weight, expected, rtol=1e-6)
    # Only the given weights measure the data.
    assert len(data.training) == len(data.validation) == 3
    np.testing.assert_array_equal(data.training[2], data.w_train)


def test_parts_may_have_weights_of_their_choice():
    parts = {"x_val": X[:9], "y_val": Y[:9], "x_test": X[:6], "y_test": Y[:6]}
    data = data_of(w_val=W[:9], **parts)
    assert data.w_train is None and data.fit_weight is None and data.w_test is None
    np.testing.assert_allclose(data.w_val, W[:9], rtol=1e-6)


FUNCTION = """
import numpy as np
X, Y = np.ones((12, 2)), np.arange(12) % 2
def weighted():
    return (X, Y, np.arange(12.0)), (X, Y)
def half():
    return (X, Y, None), (X, Y, np.ones(12))
def batches():
    return ((X, Y), (X, Y), (X, Y)), [(X, Y), (X, Y), (X, Y)]
def next_to_batches():
    return [(X, Y)] * 3, (X, Y, np.arange(12.0))
"""


def test_third_element_of_a_tuple_are_the_weights(tmp_path):
    (tmp_path / "weighted_arrays.py").write_text(FUNCTION)

    def load(name):
        return Job(data={"function": f"weighted_arrays:{name}"}).make_data()

    data = load("weighted")
    np.testing.assert_array_equal(data.w_train, np.arange(12.0))
    assert data.w_val is None
    data = load("half")
    assert data.w_train is None and data.w_val.sum() == 12.0
    data = load("batches")
    assert data.is_dataset and len(data.x_train) == len(data.x_val) == 3
    data = load("next_to_batches")
    assert data.is_dataset and data.validation[2].sum() == 66.0


def refused(match, class_weight=None, **arrays):
    with pytest.raises(JobError, match=match):
        data_of(class_weight, **arrays)


def test_bad_sample_weights_are_refused():
    refused("data.npz: w_train must have one weight for each", w_train=W[:9])
    refused("w_train must have one weight for each", w_train=np.ones((30, 2)))
    refused("w_train must contain numbers", w_train=np.array(["a"] * 30))
    refused(
        "w_train must contain finite.*-1 in row 3",
        w_train=np.where(X[:, 0] == X[2, 0], -1.0, 1.0),
    )
    refused("w_train must contain finite.*nan in row 1, 2, 3", w_train=W * np.nan)
    refused("the sample weights must contain a number above 0", w_train=W * 0)
    refused("must contain 'x_val' and 'y_val' for 'w_val'", w_val=W)


def test_bad_class_weights_are_refused():
    refused(
        "training.class_weight.3: must be a label of the data. Received: '3'.*'0', '1'",
        {3: 1.0},
    )
    refused(
        "class_weight.yess: must be a label.*Did you mean 'yes'.*The labels are: 'no'",
        {"yess": 1.0},
        y_train=np.array(["no", "yes"])[Y % 2],
    )
    refused("must give a weight above 0 to a class", {0: 0, 1: 0, 2: 0})
    refused("class_weight: needs one class for each", {0: 2}, y_train=X)
    flags = np.stack([Y > 0, Y > 1, Y >= 0], axis=1)
    refused("needs one class for each sample.*flags", "balanced", y_train=flags)


def test_class_weights_of_a_dataset_are_refused(tmp_path):
    (tmp_path / "weighted_batches.py").write_text(FUNCTION)
    job = Job(
        data={"function": "weighted_batches:batches"},
        training={"class_weight": "balanced"},
    )
    with pytest.raises(JobError, match="class_weight: only applies to arrays.*batches"):
        job.make_data()


@pytest.mark.parametrize(
    "text, says",
    [
        ("ballanced", "must be 'balanced', or a mapping.*Did you mean 'balanced'"),
        ("3", "must be 'balanced', or a mapping"),
        ("{}", "must be 'balanced', or a mapping"),
        ("{a: -1}", "class_weight.a: must be a finite number of at least 0.*-1"),
        ("{a: .inf}", "class_weight.a: must be a finite number"),
        ("{a: much}", "class_weight.a: must be a finite number.*'much'"),
    ],
)
def test_malformed_class_weights_are_refused(text, says, job_of):
    with pytest.raises(JobError, match=f"line 1, training.{says}|line 1, .*{says}"):
        job_of(f"training: {{class_weight: {text}}}")
