"""A trial trains the model that `build` returns, unchanged by earlier trials.

The reference is KerasTuner's tuner, which compiles a new model for each trial.
"""

import keras
import keras_tuner
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import tuning
from kdropout.tuning.model_pool import PooledModel
from kdropout.tuning.snapshot import Snapshot
from tests.tools import KERAS, CountedLayer
from tests.tuning.trials import searches
from tests.tuning.trials.searches import make_model, scores, search

BACKEND = keras.backend.backend()
COMPILED = BACKEND in ("tensorflow", "jax")
ONLY_TENSORFLOW = pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow")
LOSS = "sparse_categorical_crossentropy"


def both(folder, hypermodel, callbacks=(), max_trials=3, **kwargs):
    """Return the scores of kdropout's tuner and of KerasTuner's."""
    found = []
    for name, kind in [
        ("ours", tuning.RandomSearch),
        ("theirs", keras_tuner.RandomSearch),
    ]:
        tuner = kind(
            hypermodel,
            "val_loss",
            max_trials=max_trials,
            seed=1,
            directory=folder / name,
            project_name="search",
        )
        made = [callback() for callback in callbacks]
        found.append(scores(search(tuner, callbacks=made, **kwargs)))
    return found


def alone(folder, hypermodel, values, **kwargs):
    """Return the score of one training with these values, in a new tuner."""
    tuner = tuning.RandomSearch(
        hypermodel, "val_loss", max_trials=1, seed=1, directory=folder
    )
    hp = tuner.oracle.get_space()
    hp.values = values
    trial = keras_tuner.engine.trial.Trial(hp, "0")
    arguments = {**searches.DATA, "epochs": 2, "batch_size": 8, **kwargs}
    return min(tuner.run_trial(trial, **arguments)[0].history["val_loss"])


class Scale(keras.layers.Layer):
    """A layer with state that Keras does not track."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor


def build(hp):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="relu", name="base"),
            Scale(name="scale"),
            kdropout.layers.Dropout(0.5, name="first"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), LOSS)
    return tuning.tune_rates(hp, model)


class Changes(keras.callbacks.Callback):
    """Changes the model at the end of each training, each time in another way."""

    def __init__(self):
        super().__init__()
        self.number = 0

    def on_train_end(self, logs=None):
        self.number += 1
        model = self.model
        if self.number == 1:
            model.get_layer("base").trainable = False
        elif self.number == 2:
            model.get_layer("scale").factor = 3.0
        elif self.number == 3:
            decay = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
            model.optimizer.learning_rate = decay
        elif self.number == 4:
            model.compile(keras.optimizers.SGD(0.9), LOSS)
        elif self.number == 5:
            model.get_layer("base").kernel_regularizer = keras.regularizers.L2(9.0)
        elif self.number == 6:
            model.run_eagerly = True

    def __deepcopy__(self, memo):
        return self


class ActsAtBatches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


@pytest.mark.on_one_backend
@pytest.mark.slow
@pytest.mark.parametrize("callbacks", [[], [ActsAtBatches]], ids=["graph", "fit"])
def test_changes_of_a_callback_to_its_model_do_not_reach_the_next_trial(
    callbacks, tmp_path
):
    ours, theirs = both(tmp_path, build, [Changes, *callbacks], max_trials=7, epochs=1)
    assert ours == theirs
    assert len(set(ours)) == 7


class FineTuning(keras_tuner.HyperModel):
    """Trains with a frozen layer first, then the whole model."""

    moved = []

    def build(self, hp):
        model = build(hp)
        model.get_layer("base").trainable = False
        model.compile(keras.optimizers.Adam(0.05), LOSS)
        return model

    def fit(self, hp, model, *args, callbacks=None, **kwargs):
        base = model.get_layer("base")
        before = ops.convert_to_numpy(base.kernel).copy()
        model.fit(*args, **kwargs)
        self.moved.append(np.abs(ops.convert_to_numpy(base.kernel) - before).max())
        base.trainable = True
        model.compile(keras.optimizers.Adam(0.01), LOSS)
        return model.fit(*args, callbacks=callbacks, **kwargs)


@pytest.mark.on_one_backend
@pytest.mark.slow
def test_fine_tuning_in_fit_freezes_the_layer_in_each_trial(tmp_path):
    FineTuning.moved = []
    ours, theirs = both(tmp_path, FineTuning(), max_trials=2)
    assert FineTuning.moved == [0.0] * 4
    assert ours == theirs


@pytest.mark.on_one_backend
@pytest.mark.slow
def test_hyperband_keeps_the_weights_after_a_fit_that_compiles(tmp_path):
    tuner = tuning.Hyperband(
        FineTuning(), "val_loss", max_epochs=2, factor=2, directory=tmp_path, seed=1
    )
    trials = search(tuner, epochs=None)
    assert {trial.status for trial in trials} == {"COMPLETED"}
    assert any("tuner/trial_id" in t.hyperparameters.values for t in trials)


def build_by_rate(hp):
    """In this model, a rate also decides units, a penalty and an initial value."""
    rate = hp.Float("rate/first", 0.0, 0.5)
    keras.utils.set_random_seed(0)
    kind = {
        "units": 4 + int(8 * rate),
        "kernel_regularizer": keras.regularizers.L2(rate),
        "bias_initializer": keras.initializers.Constant(rate),
    }[build_by_rate.part]
    dense = {"units": 6, build_by_rate.part: kind}
    layers = [keras.layers.Dense(**dense, activation="relu")]
    layers += [kdropout.layers.Dropout(0.5, name="first"), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Softmax()])
    model.compile("sgd", LOSS)
    return tuning.tune_rates(hp, model, (0.0, 0.5))


@pytest.mark.on_one_backend
@pytest.mark.slow
@pytest.mark.parametrize("part", ["units", "kernel_regularizer", "bias_initializer"])
def test_rate_may_decide_anything_in_build(part, tmp_path):
    build_by_rate.part = part
    ours, theirs = both(tmp_path, build_by_rate, epochs=1)
    assert ours == theirs


class TwoOptimizers(keras.Sequential):
    """Keras lists the variables of only one, as in a GAN."""

    def build(self, *args, **kwargs):
        super().build(*args, **kwargs)
        self.count = [keras.Variable(0.0, trainable=False)]
        self.other_optimizer = keras.optimizers.Adam(0.1)

    def train_step(self, *args, **kwargs):
        return super().train_step(*args, **kwargs)


@pytest.mark.slow
def test_all_variables_are_reset_even_those_that_keras_does_not_list(tmp_path):
    class Moves(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(float(self.model.count[0]))
            self.model.count[0].assign(7.0)

    def build_two(hp):
        keras.utils.set_random_seed(0)
        layers = [kdropout.layers.Dropout(0.5, name="first"), keras.layers.Dense(3)]
        model = TwoOptimizers([keras.Input((4,)), *layers, keras.layers.Softmax()])
        model.compile("sgd", LOSS)
        return tuning.tune_rates(hp, model)

    seen = []
    ours, theirs = both(tmp_path, build_two, [Moves], max_trials=2, epochs=1)
    assert seen == [0.0] * 4
    assert ours == theirs


def build_with_tf_random(hp):
    import tensorflow as tf

    class Noise(keras.layers.Layer):
        def call(self, inputs, training=False):
            noise = tf.random.normal(tf.shape(inputs)) if build_noise.is_tf else None
            if noise is None:
                noise = keras.random.normal(ops.shape(inputs))
            return inputs + noise if training else inputs

    build_noise.layer = build_noise.layer or Noise
    keras.utils.set_random_seed(0)
    layers = [build_noise.layer(), kdropout.layers.Dropout(0.5, name="first")]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    return tuning.tune_rates(hp, model)


class build_noise:
    is_tf = True
    layer = None


@pytest.mark.slow
@ONLY_TENSORFLOW
@pytest.mark.parametrize("callbacks", [[], [ActsAtBatches()]], ids=["graph", "fit"])
@pytest.mark.parametrize("is_tf", [True, False], ids=["tf.random", "keras.random"])
def test_random_numbers_without_a_variable_are_reset(is_tf, callbacks, tmp_path):
    build_noise.is_tf, build_noise.layer = is_tf, None
    tuner = tuning.RandomSearch(
        build_with_tf_random, "val_loss", max_trials=3, seed=1, directory=tmp_path
    )
    y = searches.X[:, :3]
    data = {"y": y[:35], "validation_data": (searches.X[35:], y[35:])}
    given = {**data, "callbacks": callbacks, "shuffle": False, "verbose": 0}
    last = search(tuner, **given)[-1]
    values = last.hyperparameters.values
    score = alone(tmp_path / "alone", build_with_tf_random, values, **given)
    assert last.score == score


def count_traces(folder, hypermodel, max_trials, **kwargs):
    given = {name: kwargs.pop(name) for name in ("x", "callbacks") if name in kwargs}
    tuner = tuning.RandomSearch(
        hypermodel, "val_loss", max_trials=max_trials, directory=folder, **kwargs
    )
    CountedLayer.traces = 0
    trials = search(tuner, **given)
    assert {trial.status for trial in trials} == {"COMPLETED"}
    return CountedLayer.traces


def build_with_more(hp):
    """Has parts that Keras completes at the first batch, and state beside variables."""
    model = make_model(seed=None)
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)
    model.compile(
        keras.optimizers.AdamW(decay, use_ema=True, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)],
        weighted_metrics=["accuracy"],
    )
    return tuning.tune_rates(hp, model)


@pytest.mark.skipif(not COMPILED, reason="nothing compiled is kept there")
@pytest.mark.parametrize(
    ("hypermodel", "kwargs"),
    [
        (searches.unseeded, {"executions_per_trial": 3}),
        pytest.param(build_with_more, {}, marks=pytest.mark.slow),
        pytest.param(
            searches.build,
            {"callbacks": [ActsAtBatches()]},
            # There, a seed does not begin Keras's global random numbers anew, so a
            # trial with `fit` cannot show that it used none, and compiles again.
            marks=pytest.mark.skipif(KERAS < (3, 13), reason="each trial compiles"),
        ),
    ],
    ids=["executions", "optimizer and metrics", "fit"],
)
def test_models_that_differ_only_in_values_are_compiled_once(
    hypermodel, kwargs, tmp_path
):
    once = count_traces(tmp_path / "one", searches.build, 1, **kwargs)
    assert count_traces(tmp_path / "all", hypermodel, 3, **kwargs) == once > 0


def test_settings_of_the_user_are_kept(tmp_path):
    class Own(keras.layers.Layer):
        pass

    with keras.saving.custom_object_scope({"Own": Own}):
        tuning.RandomSearch(build, "val_loss", max_trials=1, directory=tmp_path)
        assert keras.saving.get_registered_object("Own") is Own


@pytest.mark.skipif(BACKEND != "jax", reason="of JAX")
def test_distribution_of_the_user_is_kept(tmp_path):
    distribution = keras.distribution.DataParallel()
    keras.distribution.set_distribution(distribution)
    try:
        tuner = tuning.RandomSearch(build, "val_loss", max_trials=1, directory=tmp_path)
        assert search(tuner)[0].status == "COMPLETED"
        assert keras.distribution.distribution() is distribution
    finally:
        keras.distribution.set_distribution(None)


@ONLY_TENSORFLOW
def test_strategy_of_tensorflow_is_used(tmp_path):
    import tensorflow as tf

    tuner = tuning.RandomSearch(
        build,
        "val_loss",
        max_trials=2,
        directory=tmp_path,
        distribution_strategy=tf.distribute.MirroredStrategy(["CPU:0"]),
    )
    assert [trial.status for trial in search(tuner)] == ["COMPLETED"] * 2
    tuner.get_best_models()


@pytest.mark.slow
def test_metric_may_have_a_value_for_each_class(tmp_path):
    def build_f1(hp):
        model = build(hp)
        model.compile("sgd", "categorical_crossentropy", [keras.metrics.F1Score()])
        return model

    one_hot = np.eye(3, dtype="float32")[searches.Y]
    data = {"y": one_hot[:35], "validation_data": (searches.X[35:], one_hot[35:])}
    ours, theirs = both(tmp_path, build_f1, max_trials=2, **data)
    assert ours == theirs


def test_tuner_needs_a_hypermodel_or_a_run_trial(tmp_path):
    with pytest.raises(ValueError, match="'hypermodel' must be .*hypermodel=None"):
        tuning.RandomSearch(objective="val_loss", max_trials=1, directory=tmp_path)

    class Own(tuning.RandomSearch):
        def run_trial(self, trial, *args, **kwargs):
            return trial.hyperparameters.Float("x", 0.5, 1.0)

    tuner = Own(max_trials=2, directory=tmp_path)
    tuner.search(verbose=0)
    assert all(0.5 <= t.score <= 1.0 for t in tuner.oracle.trials.values())


def test_model_may_be_compiled_only_in_the_fit_of_a_user(tmp_path):
    class Own(keras_tuner.HyperModel):
        def build(self, hp):
            return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])

        def fit(self, hp, model, *args, **kwargs):
            return hp.Float("in fit", 0.0, 1.0)

    tuner = tuning.RandomSearch(Own(), max_trials=2, directory=tmp_path)
    tuner.search(verbose=0)
    assert {t.status for t in tuner.oracle.trials.values()} == {"COMPLETED"}


@pytest.mark.parametrize(
    ("returned", "error"),
    [(None, TypeError), ({"loss": 1.0}, ValueError), ("0.5", TypeError)],
)
def test_error_for_an_invalid_result_of_fit_names_fit(returned, error, tmp_path):
    class Own(keras_tuner.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            return returned

    tuner = tuning.RandomSearch(Own(), "val_loss", max_trials=1, directory=tmp_path)
    with pytest.raises(error, match="'HyperModel.fit' must return .* 'val_loss'"):
        search(tuner)


@pytest.mark.skipif(not COMPILED, reason="models are compared there alone")
def test_models_are_equal_if_they_compile_to_the_same():
    def make(factor=1.0, function=ops.relu, units=6, trainable=True):
        kdropout.tuning.model_pool.begin_anew()
        layers = [
            keras.layers.Dense(units, activation=lambda x: function(x) * factor),
            Scale(np.full(1, factor)),
        ]
        model = keras.Sequential([keras.Input((4,)), *layers])
        model.trainable = trainable
        model.compile("sgd", "mse")
        return Snapshot(model).structure

    assert make() == make()
    others = [make(2.0), make(function=ops.gelu), make(units=7), make(trainable=False)]
    assert all(other != make() for other in others)


class CountsBuilds(keras.optimizers.SGD):
    num_builds = 0

    def build(self, variables):
        self.num_builds += 1
        super().build(variables)


@pytest.mark.skipif(not COMPILED, reason="nothing compiled is kept there")
def test_optimizer_of_a_user_is_built_once():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(CountsBuilds(), "mse")
    pooled = PooledModel(model, {})
    assert model.optimizer.num_builds == 1  # it may draw its initial values
    pooled.add_optimizer_variables()
    assert model.optimizer.num_builds == 1
