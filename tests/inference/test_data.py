"""Each form of inputs gives the same result as one array with the same rows."""

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import drop_fractions, layers

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(10, 4)).astype("float32")


def model_of(rate=0.5):
    layer_list = [keras.Input((4,)), layers.Dropout(rate), keras.layers.Dense(2)]
    return keras.Sequential(layer_list)


def predict(model, x, **kwargs):
    kwargs = {"num_samples": 6, "batch_size": 4, "seed": 1, "verbose": 0, **kwargs}
    return kdropout.mc_predict(model, x, **kwargs)


def assert_equal(outputs, expected):
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-6)


class Sequence(keras.utils.PyDataset):
    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = X[4 * index : 4 * index + 4]
        return (rows, rows[:, 0]) if self.targets else rows


def tensorflow_dataset(*arrays):
    tf = pytest.importorskip("tensorflow")
    arrays = arrays[0] if len(arrays) == 1 else arrays
    return tf.data.Dataset.from_tensor_slices(arrays).batch(4)


def torch_loader():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(X[:, 0]))
    return torch.utils.data.DataLoader(data, batch_size=4)


@pytest.mark.parametrize(
    "form",
    [
        lambda: X.astype("float64"),
        lambda: ops.convert_to_tensor(X),
        lambda: [X],
        lambda: Sequence(targets=False),
        lambda: Sequence(targets=True),
        lambda: tensorflow_dataset(X),
        lambda: tensorflow_dataset(X, X[:, 0]),
        lambda: tensorflow_dataset(X).map(lambda x: x),
        pytest.param(
            torch_loader,
            marks=pytest.mark.skipif(
                BACKEND != "torch", reason="its tensors are those of PyTorch"
            ),
        ),
    ],
)
def test_form_of_the_inputs_does_not_matter(form):
    model = model_of()
    expected = predict(model, X)
    assert_equal(predict(model, form()).mean, expected.mean)


def test_rows_keep_their_order_with_a_smaller_last_batch():
    prediction = predict(model := model_of(1e-7), X, return_samples=True)
    expected = model.predict(X, verbose=0)
    assert prediction.samples.shape == (6, 10, 2)
    assert_equal(prediction.mean, expected)


@pytest.mark.parametrize("num_rows", [1, 3, 4, 5])
def test_any_number_of_rows_is_accepted(num_rows):
    prediction = predict(model_of(), X[:num_rows], return_samples=True)
    assert prediction.mean.shape == prediction.variance.shape == (num_rows, 2)
    assert prediction.samples.shape == (6, num_rows, 2)
    assert (prediction.variance > 0).all()


def test_batches_that_grow_give_the_right_rows():
    tf = pytest.importorskip("tensorflow")
    batches = [X[:2], X[2:7], X[7:]]
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(batches), output_signature=tf.TensorSpec((None, 4), "float32")
    )
    model = model_of(1e-7)
    expected = model.predict(X, verbose=0)
    assert_equal(predict(model, dataset).mean, expected)


def two_inputs(inputs):
    joined = keras.layers.Concatenate()(keras.tree.flatten(inputs))
    return keras.Model(inputs, keras.layers.Dense(2)(layers.Dropout(1e-7)(joined)))


@pytest.mark.parametrize(
    "x",
    [
        [X, X[:, :3]],
        (X, X[:, :3]),
        {"b": X, "a": X[:, :3]},
        {"a": X[:, :3], "b": X, "not used": X},
    ],
    ids=["list", "tuple", "dict", "more than needed"],
)
def test_model_with_two_inputs_accepts_each_structure(x):
    model = two_inputs([keras.Input((4,), name="b"), keras.Input((3,), name="a")])
    expected = model.predict(x if isinstance(x, dict) else list(x), verbose=0)
    assert_equal(predict(model, x).mean, expected)


def test_model_built_with_a_dict_accepts_a_dict():
    inputs = {name: keras.Input((4,), name=name) for name in ("b", "a")}
    model, x = two_inputs(inputs), {"b": X, "a": 2 * X}
    expected = model.predict(x, verbose=0)
    assert_equal(predict(model, x).mean, expected)


def test_dataset_of_dicts_is_accepted():
    model = two_inputs([keras.Input((4,), name="b"), keras.Input((4,), name="a")])
    dataset = tensorflow_dataset({"a": X, "b": 2 * X})
    expected = model.predict({"a": X, "b": 2 * X}, verbose=0)
    assert_equal(predict(model, dataset).mean, expected)


def text_task():
    """Build a classifier of KerasHub with its tokenizer, without a download."""
    models = pytest.importorskip("keras_hub").models
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "dog", "sat"]
    tokenizer = models.BertTokenizer(words, lowercase=True)
    task = models.BertTextClassifier(
        models.BertBackbone(len(words), 1, 2, 8, 16, dropout=0.1),
        num_classes=3,
        preprocessor=models.BertTextClassifierPreprocessor(
            tokenizer, sequence_length=6
        ),
        activation="softmax",
    )
    kdropout.convert(task)
    kdropout.set_rates(task, 1e-7)
    return task


@pytest.mark.slow
@pytest.mark.on_one_backend
def test_task_accepts_the_texts_that_its_predict_accepts():
    tf = pytest.importorskip("tensorflow")
    task, texts = text_task(), ["the cat sat", "the dog", "cat", "dog sat", "the"]
    expected = task.predict(np.array(texts), verbose=0)
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(4)
    for x in (
        texts,
        np.array(texts),
        np.array(texts, object),
        dataset,
        dataset.map(lambda rows: (rows, rows)),
        task.preprocessor(texts),  # the inputs of the model, by name
    ):
        prediction = predict(task, x)
        assert_equal(prediction.mean, expected)
        assert prediction.entropy.shape == (5,)
    pairs = (texts, texts[::-1])
    expected = task.predict(tuple(map(np.array, pairs)), verbose=0)
    assert_equal(predict(task, pairs).mean, expected)
    assert drop_fractions(task, texts, seed=1)


def test_task_without_a_preprocessor_accepts_the_inputs_of_its_model():
    task = text_task()
    x = task.preprocessor(["the cat", "dog"])
    expected = predict(task, x).mean
    task.preprocessor = None
    assert_equal(predict(task, x).mean, expected)


def test_progress_bar_is_shown_for_several_batches(capsys):
    model = model_of()
    for x, verbose, shown in [
        (X, "auto", True),
        (X[:4], "auto", False),
        (X[:4], 1, True),
        (X, 0, False),
    ]:
        predict(model, x, verbose=verbose)
        assert bool(capsys.readouterr().out.strip()) == shown
