"""Trials reuse a compiled model, with many kinds of layers, models and data.

The reference is KerasTuner's tuner, which compiles a new model for each trial.
"""

import dataclasses
from collections.abc import Callable

import keras
import keras_tuner
import numpy as np
import pytest
from keras import layers

import kdropout
from kdropout import tuning
from kdropout.tuning.model_pool import begin_anew
from kdropout.tuning.snapshot import Snapshot
from tests.tools import CountedLayer, name_of
from tests.tuning.trials import searches
from tests.tuning.trials.searches import scores, search

BACKEND = keras.backend.backend()
ONLY_TENSORFLOW = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="other backends have no strings"
)
pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="there is no compiled code to reuse"
)
LOSS = "sparse_categorical_crossentropy"
NUM_TRAIN = 35

RNG = np.random.default_rng(0)
WORDS = list("abcdefgh")
INTEGERS = RNG.integers(0, 10, (50, 3), "int32")
TEXTS = np.array([" ".join(RNG.choice(WORDS, 4)) for _ in range(50)], dtype=object)

SHARED: list = []


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(10 * index, 10 * index + 10)
        return searches.X[rows], searches.Y[rows]


class Subclass(keras.Model):
    """A model whose `build` builds none of its layers."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(4, activation="relu")
        self.drop = kdropout.layers.Dropout(0.5, name="drop")
        self.counted = CountedLayer()
        self.last = layers.Dense(3, activation="softmax")

    def call(self, inputs, training=False):
        hidden = self.drop(self.hidden(inputs), training=training)
        return self.last(self.counted(hidden))


def head():
    return [
        layers.Dense(4, activation="relu"),
        kdropout.layers.Dropout(0.5, name="drop"),
        CountedLayer(),
        layers.Dense(3, activation="softmax"),
    ]


def tuned(hp, model):
    model.compile(keras.optimizers.SGD(0.1), LOSS, metrics=["accuracy"])
    return tuning.tune_rates(hp, model)


def stacked(make_layers):
    """The function that builds a `Sequential` of layers and of `head`."""

    def build(hp):
        keras.utils.set_random_seed(0)
        return tuned(hp, keras.Sequential([*make_layers(), *head()]))

    return build


def build_subclass(hp):
    keras.utils.set_random_seed(0)
    return tuned(hp, Subclass())


def build_half_built(hp):
    keras.utils.set_random_seed(0)
    model = Subclass()
    model.built = True  # like `model.build(shape)`, which also warns
    return tuned(hp, model)


def embedded(lookup):
    return [lookup, layers.Embedding(20, 3), layers.Flatten()]


def text_vectorization():
    lookup = layers.TextVectorization(output_sequence_length=4)
    lookup.adapt(TEXTS)
    return [keras.Input((), dtype="string"), *embedded(lookup)]


def weighted_texts():
    lookup = layers.TextVectorization(output_mode="tf_idf")
    lookup.adapt(TEXTS)
    return [keras.Input((), dtype="string"), lookup]


def string_lookup():
    lookup = layers.StringLookup(vocabulary=WORDS, output_mode="one_hot")
    return [keras.Input((), dtype="string"), lookup]


def integer_lookup():
    lookup = layers.IntegerLookup()
    lookup.adapt(INTEGERS)
    return [keras.Input((3,), dtype="int32"), *embedded(lookup)]


def shared_layer():
    """One adapted layer in the models of all trials."""
    if not SHARED:
        SHARED.append(text_vectorization()[1])
    return [keras.Input((), dtype="string"), *embedded(SHARED[0])]


def normalization():
    layer = layers.Normalization()
    layer.adapt(searches.X)
    return [keras.Input((4,)), layer]


def categories():
    encode = layers.CategoryEncoding(10, output_mode="multi_hot")
    return [keras.Input((3,), dtype="int32"), encode]


def dataset(x, y):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, y)).batch(8).prefetch(2)


def arrays(x):
    train, test = slice(NUM_TRAIN), slice(NUM_TRAIN, None)
    y = searches.Y
    return {"x": x[train], "y": y[train], "validation_data": (x[test], y[test])}


def datasets(x):
    given = arrays(x)
    return {
        "x": dataset(given["x"], given["y"]),
        "y": None,
        "validation_data": dataset(*given["validation_data"]),
        "batch_size": None,
    }


def batches():
    return {"x": Batches(), "y": None, "batch_size": None}


def dataset_alone():
    return {**datasets(searches.X), "validation_data": None}


@dataclasses.dataclass(frozen=True)
class Trials:
    """A kind of trials."""

    name: str
    build: Callable
    data: Callable
    only_tensorflow: bool = False


CASES = [
    Trials("texts", stacked(text_vectorization), lambda: arrays(TEXTS), True),
    Trials("weights", stacked(weighted_texts), lambda: arrays(TEXTS), True),
    Trials("text batches", stacked(text_vectorization), lambda: datasets(TEXTS), True),
    Trials("words", stacked(string_lookup), lambda: arrays(TEXTS), True),
    Trials("shared", stacked(shared_layer), lambda: arrays(TEXTS), True),
    Trials("integers", stacked(integer_lookup), lambda: arrays(INTEGERS), True),
    Trials("categories", stacked(categories), lambda: arrays(INTEGERS)),
    Trials("normalization", stacked(normalization), lambda: arrays(searches.X)),
    Trials("no input", stacked(list), lambda: arrays(searches.X)),
    Trials("no input, batches", stacked(list), lambda: datasets(searches.X)),
    Trials("subclass", build_subclass, lambda: arrays(searches.X)),
    Trials("subclass, batches", build_subclass, lambda: datasets(searches.X)),
    Trials("half built", build_half_built, lambda: arrays(searches.X)),
    Trials("no validation", stacked(list), dataset_alone),
]
FAST = ("texts", "no input", "half built")


class Watch(keras.callbacks.Callback):
    """Records the models that train, and how often each training traces them."""

    def __init__(self):
        super().__init__()
        self.models, self.traces = [], []

    def on_train_begin(self, logs=None):
        self.models.append(self.model)
        self.before = CountedLayer.traces

    def on_train_end(self, logs=None):
        self.traces.append(CountedLayer.traces - self.before)

    def __deepcopy__(self, memo):
        return self


def random_search(folder, build, data, kind=tuning.RandomSearch, max_trials=3):
    """The scores of the trials and what a `Watch` saw."""
    has_validation = data.get("validation_data", True) is not None
    objective = keras_tuner.Objective("val_loss" if has_validation else "loss", "min")
    tuner = kind(
        build,
        objective,
        max_trials=max_trials,
        seed=1,
        directory=folder,
        project_name=kind.__module__,
    )
    watch = Watch()
    return scores(search(tuner, callbacks=[watch], **data)), watch


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=case.name,
            marks=([] if case.name in FAST else [pytest.mark.slow])
            + ([ONLY_TENSORFLOW] if case.only_tensorflow else []),
        )
        for case in CASES
    ],
)
def test_trials_that_differ_in_rates_are_compiled_once(case, tmp_path):
    ours, watch = random_search(tmp_path, case.build, case.data())
    assert len({id(model) for model in watch.models}) == 1
    assert watch.traces[0] > 0 == sum(watch.traces[1:])
    if BACKEND == "tensorflow":  # whose scores are equal to the bit
        kind = keras_tuner.RandomSearch
        theirs, _ = random_search(tmp_path, case.build, case.data(), kind)
        assert ours == theirs
    assert len(set(ours)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("build", [build_subclass, build_half_built])
def test_model_whose_data_have_no_shape_is_built_by_its_first_batch(build, tmp_path):
    ours, watch = random_search(tmp_path, build, batches(), max_trials=2)
    assert len({id(model) for model in watch.models}) == 2
    kind = keras_tuner.RandomSearch
    theirs, _ = random_search(tmp_path, build, batches(), kind, max_trials=2)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.slow
def test_model_that_cannot_be_built_without_numbers_trains_with_new_weights(tmp_path):
    class NeedsNumbers(Subclass):
        def __call__(self, inputs, **kwargs):
            if isinstance(inputs, keras.KerasTensor):
                self.hidden(inputs)  # which leaves half of a model
                raise ValueError("no numbers")
            return super().__call__(inputs, **kwargs)

    def build(hp):
        keras.utils.set_random_seed(0)
        return tuned(hp, NeedsNumbers())

    def build_plain(hp):
        keras.utils.set_random_seed(0)
        return tuned(hp, Subclass())

    data = arrays(searches.X)
    ours, watch = random_search(tmp_path / "ours", build, data, max_trials=2)
    assert len({id(model) for model in watch.models}) == 2
    plain, _ = random_search(tmp_path / "plain", build_plain, data, max_trials=2)
    np.testing.assert_allclose(ours, plain, rtol=1e-6)


def test_dataset_reaches_fit_as_it_is(tmp_path):
    seen = []

    class Records(keras.Sequential):
        def fit(self, x=None, *args, validation_data=None, **kwargs):
            seen.extend([x, validation_data])
            return super().fit(x, *args, validation_data=validation_data, **kwargs)

    def build(hp):
        keras.utils.set_random_seed(0)
        return tuned(hp, Records([keras.Input((4,)), *head()]))

    data = datasets(searches.X)
    random_search(tmp_path, build, data, max_trials=1)
    assert seen[0] is data["x"] and seen[1] is data["validation_data"]


def structure_of(make_layers):
    begin_anew()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([*make_layers(), layers.Dense(2)])
    model.compile("sgd", "mse")
    return Snapshot(model).structure


def lookup_of(vocabulary, **kwargs):
    def make():
        lookup = layers.StringLookup(vocabulary=vocabulary, **kwargs)
        return [keras.Input((1,), dtype="string"), *embedded(lookup)]

    return make


class Table(layers.Layer):
    """Looks up in a table that Keras does not know."""

    def __init__(self, table):
        super().__init__()
        self.table = table

    def call(self, inputs):
        return keras.ops.cast(self.table.lookup(inputs), "float32")

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, "float32")


def table_of(keys, values, default=0, is_mutable=False):
    def make():
        import tensorflow as tf

        keys_of, values_of = tf.constant(keys), tf.constant(values, "int64")
        if is_mutable:
            table = tf.lookup.experimental.MutableHashTable("string", "int64", default)
            table.insert(keys_of, values_of)
        else:
            given = tf.lookup.KeyValueTensorInitializer(keys_of, values_of)
            table = tf.lookup.StaticHashTable(given, default)
        return [keras.Input((1,), dtype="string"), Table(table)]

    return make


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two models of which one must not train as the other."""

    name: str
    first: Callable
    second: Callable


PAIRS = [
    Pair("words", lookup_of(["a", "b"]), lookup_of(["a", "c"])),
    Pair("order", lookup_of(["a", "b"]), lookup_of(["b", "a"])),
    Pair("unknown words", lookup_of(["a"]), lookup_of(["a"], num_oov_indices=2)),
    Pair(
        "mask",
        lookup_of(["a"], mask_token="m"),
        lookup_of(["a"], mask_token="n"),
    ),
    Pair("values", table_of(["a", "b"], [1, 2]), table_of(["a", "b"], [1, 3])),
    Pair("default", table_of(["a"], [1]), table_of(["a"], [1], default=5)),
    Pair("kind", table_of(["a"], [1]), table_of(["a"], [1], is_mutable=True)),
    Pair(
        "mutable values",
        table_of(["a"], [1], is_mutable=True),
        table_of(["a"], [2], is_mutable=True),
    ),
    Pair(
        "mutable default",
        table_of(["a"], [1], is_mutable=True),
        table_of(["a"], [1], default=5, is_mutable=True),
    ),
]


@ONLY_TENSORFLOW
@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_models_with_different_tables_differ(pair):
    first = structure_of(pair.first)
    assert first == structure_of(pair.first)
    assert structure_of(pair.second) == structure_of(pair.second)
    assert first != structure_of(pair.second)


@ONLY_TENSORFLOW
def test_model_whose_table_has_changed_is_not_as_before():
    import tensorflow as tf

    _, layer = table_of(["a"], [1], is_mutable=True)()
    model = keras.Sequential([keras.Input((1,), dtype="string"), layer])
    model.compile("sgd", "mse")
    before = Snapshot(model).structure
    assert before == Snapshot(model).structure
    layer.table.insert(tf.constant(["b"]), tf.constant([2], "int64"))
    assert before != Snapshot(model).structure


def difference(is_swapped):
    def connect(inputs):
        first, second = layers.Dense(3)(inputs), layers.Dense(3)(inputs)
        ends = [second, first] if is_swapped else [first, second]
        return layers.Subtract()(ends)

    return connect


def twice(is_swapped):
    def connect(inputs):
        layer = layers.Dense(4)
        first = layer(inputs)
        second = layer(first)
        ends = [second, first] if is_swapped else [first, second]
        return layers.Subtract()(ends)

    return connect


def dropped(training):
    return lambda inputs: kdropout.layers.Dropout(0.5)(inputs, training=training)


@pytest.mark.parametrize(
    "connected", [difference, twice, dropped], ids=lambda f: f.__name__
)
def test_models_that_differ_in_connections_differ(connected):
    def structure(connect):
        begin_anew()
        keras.utils.set_random_seed(0)
        inputs = keras.Input((4,))
        model = keras.Model(inputs, connect(inputs))
        model.compile("sgd", "mse")
        return Snapshot(model).structure

    assert structure(connected(True)) == structure(connected(True))
    assert structure(connected(True)) != structure(connected(False))
