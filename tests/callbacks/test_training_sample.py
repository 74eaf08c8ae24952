"""The sample of the training data has the same rows each time, within its limit."""

import copy
import itertools

import keras
import numpy as np
import pytest

from kdropout.callbacks.training_sample import TrainingSample

BACKEND = keras.backend.backend()


def model_of_zero(shape=(2,)):
    """Build a model that predicts 0: its mean absolute error is the mean target."""
    model = keras.Sequential(
        [keras.Input(shape), keras.layers.Dense(1, kernel_initializer="zeros")]
    )
    model.compile(loss="mae")
    return model


# The targets are powers of two, so the sum of a sample shows which rows are in it.
POWERS = 2.0 ** np.arange(20).reshape(20, 1)
ROWS = np.zeros((20, 2)), POWERS


def rows_in(sample, size, model=None):
    model = model_of_zero() if model is None else model
    mean = sample.evaluate(model)["loss"]
    return int(round(mean * size))


def test_sample_has_as_many_distinct_rows_as_requested():
    rows = rows_in(TrainingSample(ROWS, 8, 256), 8)
    assert rows.bit_count() == 8
    assert rows < 2**20


def test_sample_is_the_same_each_time_for_each_object_and_seed():
    model = model_of_zero()
    samples = [TrainingSample(ROWS, 4, 256), TrainingSample(ROWS, 4, 256)]
    keras.utils.set_random_seed(123)
    samples.append(TrainingSample(ROWS, 4, 256))
    found = {rows_in(sample, 4, model) for sample in samples for _ in range(3)}
    assert len(found) == 1


def test_sample_leaves_the_random_numbers_of_the_training_unchanged():
    np.random.seed(7)
    wanted = np.random.rand()
    np.random.seed(7)
    TrainingSample(ROWS, 4, 256)
    assert np.random.rand() == wanted


def test_small_data_are_taken_whole():
    assert rows_in(TrainingSample(ROWS, 20, 256), 20) == 2**20 - 1
    assert rows_in(TrainingSample(ROWS, 10**6, 256), 20) == 2**20 - 1


@pytest.mark.parametrize("batch_size", [1, 3, 8, 256])
def test_batch_size_does_not_change_the_result(batch_size):
    assert rows_in(TrainingSample(ROWS, 20, batch_size), 20) == 2**20 - 1


def test_inputs_and_targets_of_one_row_stay_together():
    x = np.arange(50.0).reshape(25, 2)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(loss="mse")
    model.set_weights([np.array([[2.0], [-1.0]])])
    sample = TrainingSample((x, x @ [[2.0], [-1.0]]), 7, 256)
    assert sample.evaluate(model)["loss"] == pytest.approx(0.0, abs=1e-9)


def test_sample_weights_stay_with_their_rows():
    weight = np.zeros(20)
    weight[[3, 11]] = 1.0
    both = TrainingSample((*ROWS, weight), 20, 256).evaluate(model_of_zero())["loss"]
    assert both == pytest.approx((2**3 + 2**11) / 20)
    # In a smaller sample, only the weighted rows that are in it count.
    rows = rows_in(TrainingSample(ROWS, 12, 256), 12)
    part = TrainingSample((*ROWS, weight), 12, 256).evaluate(model_of_zero())["loss"]
    assert part == pytest.approx((rows & (2**3 + 2**11)) / 12)


def test_inputs_may_come_without_targets():
    class Total(keras.layers.Layer):
        def call(self, inputs):
            self.add_loss(keras.ops.mean(inputs))
            return inputs

    model = keras.Sequential([keras.Input((1,)), Total()])
    model.compile()
    assert rows_in(TrainingSample((POWERS,), 4, 256), 4, model).bit_count() == 4


class Batches(keras.utils.PyDataset):
    """Batches of given sizes that count how often they are read."""

    def __init__(self, sizes):
        super().__init__()
        ends = list(itertools.accumulate(sizes))
        self.spans = list(zip([0, *ends], ends, strict=False))
        self.reads = 0

    def __len__(self):
        return len(self.spans)

    def __getitem__(self, index):
        self.reads += 1
        return tuple(array[slice(*self.spans[index])] for array in ROWS)


def test_only_the_first_batches_of_a_dataset_are_read_and_only_once():
    batches, model = Batches([4, 4, 4, 4, 4]), model_of_zero()
    sample = TrainingSample(batches, 7, 256)
    assert batches.reads == 0
    assert [rows_in(sample, 7, model) for _ in range(2)] == [2**7 - 1] * 2
    assert batches.reads == 2


def test_dataset_smaller_than_the_sample_is_taken_whole():
    sample = TrainingSample(Batches([8, 8, 4]), 10**6, 3)
    assert rows_in(sample, 20) == 2**20 - 1


def test_infinite_dataset_is_read_up_to_the_sample():
    class Endless:
        def __iter__(self):
            return (tuple(a[:5] for a in ROWS) for _ in itertools.count())

    assert rows_in(TrainingSample(Endless(), 10, 256), 10) == 2 * (2**5 - 1)


def test_tf_data_is_sampled_on_every_backend():
    if BACKEND != "tensorflow":
        pytest.importorskip("tensorflow")
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(ROWS).batch(6).repeat()
    assert rows_in(TrainingSample(dataset, 6, 256), 6) == 2**6 - 1


def test_reshuffled_dataset_gives_the_same_sample():
    class Shuffled:
        def __iter__(self):
            order = np.random.permutation(20)
            return iter([tuple(a[order[:5]] for a in ROWS)])

    sample, model = TrainingSample(Shuffled(), 5, 256), model_of_zero()
    assert len({rows_in(sample, 5, model) for _ in range(4)}) == 1


def test_batches_of_different_lengths_are_weighted_by_their_size():
    class Ragged(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            size, length = [(2, 5), (4, 3), (1, 8)][index]
            return np.zeros((size, length, 2)), np.full((size, 1), 2.0**index)

    model = keras.Sequential(
        [
            keras.Input((None, 2)),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1, kernel_initializer="zeros"),
        ]
    )
    model.compile(loss="mae")
    loss = TrainingSample(Ragged(), 100, 256).evaluate(model)["loss"]
    assert loss == pytest.approx((2 * 1 + 4 * 2 + 1 * 4) / 7)


def test_structures_of_arrays_are_sampled_leaf_by_leaf():
    inputs = {"a": keras.Input((1,), name="a"), "b": keras.Input((1,), name="b")}
    outputs = keras.layers.Subtract()([inputs["a"], inputs["b"]])
    model = keras.Model(inputs, outputs)
    model.compile(loss="mae")
    x = {"a": POWERS, "b": np.zeros_like(POWERS)}
    rows = rows_in(TrainingSample((x, np.zeros_like(POWERS)), 6, 256), 6, model)
    assert rows.bit_count() == 6


def test_tensors_of_the_backend_are_accepted_as_arrays():
    tensors = tuple(keras.ops.convert_to_tensor(a.astype("float32")) for a in ROWS)
    assert rows_in(TrainingSample(tensors, 20, 256), 20) == 2**20 - 1


def test_copy_has_the_same_sample():
    # KerasTuner copies callbacks deeply, and a dataset cannot be copied.
    sample = TrainingSample(Batches([4, 4]), 4, 256)
    assert copy.deepcopy(sample) is sample


def test_batches_may_be_lists_as_in_a_torch_loader():
    class Lists(Batches):
        def __getitem__(self, index):
            return list(super().__getitem__(index))

    sample = TrainingSample(Lists([4, 4]), 8, 256)
    assert rows_in(sample, 8) == 2**8 - 1


@pytest.mark.parametrize(
    "data, error, message",
    [
        ((np.zeros((3, 2)), np.zeros(4)), ValueError, r"Received: \[3, 4\] rows"),
        ((np.zeros((0, 2)), np.zeros(0)), ValueError, r"Received: \[0\] rows"),
        (({}, []), ValueError, r"Received: \[\] rows"),
        ((1.0, 2.0), TypeError, "Received: 1.0 inside it"),
        ((), TypeError, "Received: a tuple of 0 entries"),
        ((ROWS[0],) * 4, TypeError, "Received: a tuple of 4 entries"),
        (ROWS[0], TypeError, "Received: a ndarray"),
        (list(ROWS), TypeError, "Received: a list"),
        ({"x": ROWS[0]}, TypeError, "Received: a dict"),
        ("data.csv", TypeError, "Received: a str"),
        (None, TypeError, "Received: None"),
        (7, TypeError, "Received: a int"),
        ((batch for batch in [ROWS]), TypeError, "Received: a generator"),
    ],
)
def test_invalid_training_data_are_refused_at_once(data, error, message):
    with pytest.raises(error, match=f"'train_data' must .*{message}"):
        TrainingSample(data, 10, 256)


def test_empty_dataset_is_refused_when_it_is_read():
    sample = TrainingSample(Batches([]), 10, 256)
    with pytest.raises(ValueError, match="'train_data' must hold at least one sample"):
        sample.evaluate(model_of_zero())
