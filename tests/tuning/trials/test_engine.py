"""Trials equal those of KerasTuner, on models that are compiled once."""

import math

import keras
import keras_tuner
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import tuning
from kdropout.tuning.model_pool import all_variables
from tests.tools import CountedLayer
from tests.tuning.trials import searches
from tests.tuning.trials.searches import build, make_model, scores, search

BACKEND = keras.backend.backend()
COMPILED = BACKEND in ("tensorflow", "jax")
ONLY_COMPILED = pytest.mark.skipif(not COMPILED, reason="trials train with fit there")


def random_search(folder, hypermodel=build, kind=tuning.RandomSearch, **kwargs):
    arguments = {"objective": "val_loss", "max_trials": 2, "seed": 1, **kwargs}
    return kind(hypermodel, directory=folder, project_name="search", **arguments)


def weights(batches):
    return np.linspace(0.5, 2.0, batches)


SLOW_VARIANT = [pytest.mark.slow, pytest.mark.on_one_backend]


@pytest.mark.parametrize(
    "given",
    [
        {},
        pytest.param({"batch_size": 35}, marks=SLOW_VARIANT),
        pytest.param(
            {"batch_size": None, "validation_batch_size": 4}, marks=SLOW_VARIANT
        ),
        pytest.param({"sample_weight": weights(35)}, marks=pytest.mark.slow),
        {"class_weight": {0: 0.5, 2: 3.0}},
        pytest.param(
            {
                "class_weight": {1: 2.0},
                "validation_data": None,
                "validation_split": 0.3,
                "y": searches.Y[:35, None],
            },
            marks=SLOW_VARIANT,
        ),
        pytest.param(
            {"validation_data": None, "validation_split": 0.3}, marks=SLOW_VARIANT
        ),
        pytest.param(
            {"x": searches.X[:35].astype("float64"), "y": searches.Y[:35, None]},
            marks=SLOW_VARIANT,
        ),
    ],
    ids=lambda given: ",".join(given) or "plain",
)
def test_scores_equal_those_of_keras_tuner_to_the_bit(given, tmp_path):
    ours = search(random_search(tmp_path / "ours"), **given)
    theirs = random_search(tmp_path / "theirs", kind=keras_tuner.RandomSearch)
    theirs = search(theirs, **given)
    for our, their in zip(ours, theirs, strict=True):
        assert our.hyperparameters.values == their.hyperparameters.values
        for name in ("loss", "val_loss", "accuracy", "val_accuracy"):
            expected = their.metrics.get_best_value(name)
            assert our.metrics.get_best_value(name) == expected
        assert our.best_step == their.best_step
    assert len(set(scores(ours))) == 2  # so that rates matter


def test_callbacks_get_the_same_values_as_in_fit(tmp_path):
    class Record(keras.callbacks.Callback):
        seen = []

        def on_epoch_end(self, epoch, logs=None):
            self.seen.append((epoch, dict(logs), self.model.layers[1].rate))

        def on_test_begin(self, logs=None):
            self.seen.append("test")

        def __deepcopy__(self, memo):
            return self

    seen = []
    for kind in (tuning.RandomSearch, keras_tuner.RandomSearch):
        Record.seen = []
        data = searches.DATA["x"], searches.DATA["y"]
        callbacks = [
            kdropout.callbacks.OverfittingGap(data, max_samples=16),
            kdropout.callbacks.GapController(0.01, gain=2.0),
            kdropout.callbacks.RateLogger(),
            keras.callbacks.EarlyStopping(patience=1),
            Record(),
        ]
        tuner = random_search(tmp_path / kind.__module__, kind=kind, max_trials=2)
        search(tuner, epochs=4, callbacks=callbacks)
        seen.append(Record.seen)
    assert seen[0] == seen[1]
    assert len({entry[2] for entry in seen[0] if entry != "test"}) > 2  # it was moved


@ONLY_COMPILED
def test_weights_of_classes_need_no_fit(tmp_path, capsys):
    search(random_search(tmp_path), verbose=1, class_weight={0: 2.0})
    assert "Trials train with fit" not in capsys.readouterr().err


@pytest.mark.on_one_backend
def test_weights_of_samples_and_classes_are_refused_like_in_fit(tmp_path):
    both = {"class_weight": {0: 2.0}, "sample_weight": weights(35)}
    trials = search(random_search(tmp_path), **both)
    assert all("`class_weight` and `sample_weight`" in t.message for t in trials)


@ONLY_COMPILED
def test_trials_that_differ_in_rates_are_compiled_once(tmp_path):
    tuner = random_search(tmp_path, max_trials=6)
    CountedLayer.traces = 0
    search(tuner)
    once = CountedLayer.traces
    tuner = random_search(tmp_path / "one", max_trials=1)
    CountedLayer.traces = 0
    search(tuner)
    assert once == CountedLayer.traces > 0


@ONLY_COMPILED
def test_state_kept_by_a_callback_does_not_reach_the_next_trial(tmp_path):
    class Moved(tuning.RandomSearch):
        rates = []

        def end_training(self, trial, model, execution):
            self.rates.append(kdropout.rates(model))

    def moved(folder):
        Moved.rates, CountedLayer.traces = [], 0
        kwargs = {"callbacks": [kdropout.callbacks.AutoRate(target=-0.5)], "epochs": 4}
        search(random_search(folder, kind=Moved, max_trials=2, seed=1), **kwargs)
        return Moved.rates, CountedLayer.traces

    together, traces = moved(tmp_path / "together")
    keras.utils.clear_session()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning.model_pool.PooledModel, "equals", lambda *_: False)
        apart, more_traces = moved(tmp_path / "apart")
    assert together == apart
    assert traces < more_traces
    assert together[0] != together[1]


@ONLY_COMPILED
def test_other_hyperparameters_get_another_model_that_is_reused_later(tmp_path):
    def build_units(hp):
        units = hp.Choice("units", [4, 8])
        return tuning.tune_rates(hp, make_model(units), {"first": (0.0, 0.6)})

    tuner = random_search(tmp_path, build_units, max_trials=4)
    CountedLayer.traces = 0
    trials = search(tuner)
    assert {t.hyperparameters.values["units"] for t in trials} == {4, 8}
    traces = CountedLayer.traces
    tuner = random_search(tmp_path / "one", build_units, max_trials=1)
    CountedLayer.traces = 0
    search(tuner)
    assert traces == 2 * CountedLayer.traces


def test_model_of_the_next_trial_is_new_to_the_bit(tmp_path):
    class Keeps(tuning.RandomSearch):
        states = []

        def begin_training(self, trial, model, execution):
            model.optimizer.build(
                model.trainable_variables
            )  # PyTorch's model is not built yet
            values = [ops.convert_to_numpy(v).copy() for v in all_variables(model)]
            rates = kdropout.rates(model)
            self.states.append((values, rates, trial.hyperparameters.values))

    tuner = random_search(tmp_path, kind=Keeps, max_trials=3)
    search(tuner, callbacks=[kdropout.callbacks.RateScheduler(lambda e, r: 0.9)])
    names = ["first", "second"]
    for values, rates, hyperparameters in tuner.states:
        assert rates == {n: pytest.approx(hyperparameters[f"rate/{n}"]) for n in names}
        model = make_model()
        kdropout.set_rates(model, rates)
        model.optimizer.build(model.trainable_variables)
        for value, variable in zip(values, all_variables(model), strict=True):
            np.testing.assert_array_equal(value, ops.convert_to_numpy(variable))


def test_executions_begin_with_different_weights(tmp_path):
    class Keeps(tuning.RandomSearch):
        kernels = {}

        def begin_training(self, trial, model, execution):
            kernel = ops.convert_to_numpy(model.layers[0].kernel).copy()
            self.kernels[trial.trial_id, execution] = kernel

    def run(folder, **kwargs):
        Keeps.kernels = {}
        tuner = random_search(folder, searches.unseeded, Keeps, max_trials=2, **kwargs)
        return search(tuner), Keeps.kernels

    trials, kernels = run(tmp_path, executions_per_trial=3)
    assert len(kernels) == 6
    for number in range(
        3
    ):  # all trials begin with the same weights, so that only rates differ
        np.testing.assert_array_equal(kernels["0", number], kernels["1", number])
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert not np.array_equal(kernels["0", one], kernels["0", other])
    (first, _), _ = run(tmp_path / "one", executions_per_trial=1)
    assert first.score != trials[0].score  # which is the mean of three
    again, _ = run(tmp_path / "again", executions_per_trial=3)
    assert scores(again) == scores(trials)


def test_best_models_are_distinct_and_have_their_scores(tmp_path):
    tuner = random_search(tmp_path)
    trials = search(tuner, epochs=5)
    best, second = tuner.get_best_models(2)
    assert best is not second
    expected = sorted(scores(trials))
    for model, score in zip((best, second), expected, strict=True):
        loss, _ = model.evaluate(*searches.DATA["validation_data"], verbose=0)
        assert loss == pytest.approx(score, rel=1e-5)
    values = tuner.get_best_hyperparameters()[0].values
    assert kdropout.rates(best)["first"] == pytest.approx(values["rate/first"])
    assert tuner.get_best_models(10)[0] is not best


def test_best_models_of_a_search_in_another_process_load(tmp_path):
    tuner = random_search(tmp_path)
    search(tuner)
    again = random_search(tmp_path)
    x = searches.X
    outputs = [t.get_best_models()[0].predict(x, verbose=0) for t in (tuner, again)]
    np.testing.assert_array_equal(*outputs)


def test_results_summary_and_space_summary_print(tmp_path, capsys):
    tuner = random_search(tmp_path, max_trials=2)
    tuner.search_space_summary()
    search(tuner)
    tuner.results_summary()
    printed = capsys.readouterr().out
    assert "rate/first (Float)" in printed and "Score: " in printed


def test_fit_of_the_hypermodel_is_used(tmp_path, capsys):
    class Own(keras_tuner.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            model.fit(*args, **kwargs)
            return {"val_loss": 10.0 + hp.get("rate/first")}

    tuner = random_search(tmp_path, Own(), max_trials=2)
    trials = search(tuner, verbose=0)
    for trial in trials:
        assert trial.score == 10.0 + trial.hyperparameters.get("rate/first")
    tuner.get_best_models()


class BatchCallback(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


class OwnStep(keras.Sequential):
    def train_step(self, *args, **kwargs):
        return super().train_step(*args, **kwargs)


def build_own_step(hp):
    keras.utils.set_random_seed(0)
    model = OwnStep(
        [
            keras.Input((4,)),
            kdropout.layers.Dropout(0.5, name="first"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return tuning.tune_rates(hp, model)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(10 * index, 10 * index + 10)
        return searches.X[rows], searches.Y[rows]


DATASET = {"x": Batches(), "y": None, "batch_size": None}
FALLBACKS = {
    "the callback BatchCallback acts at batches": (
        {"callbacks": [BatchCallback()]},
        build,
    ),
    "the model has its own train_step": ({}, build_own_step),
    "the training data are not arrays of numbers": (DATASET, build),
    "steps_per_epoch is given": ({"steps_per_epoch": 2}, build),
    "validation_steps is given": ({"validation_steps": 1}, build),
}


@pytest.mark.on_one_backend
@pytest.mark.slow
@ONLY_COMPILED
@pytest.mark.parametrize("reason", FALLBACKS)
def test_training_that_needs_fit_uses_fit_and_reports_it_once(reason, tmp_path, capsys):
    given, hypermodel = FALLBACKS[reason]
    ours = random_search(tmp_path / "ours", hypermodel)
    trials = search(ours, verbose=1, epochs=1, **given)
    printed = capsys.readouterr().err
    assert printed.count(f"Trials train with fit, because {reason}.") == 1
    theirs = random_search(
        tmp_path / "theirs", hypermodel, keras_tuner.RandomSearch, max_trials=1
    )
    assert scores(trials)[:1] == scores(search(theirs, epochs=1, **given))


@pytest.mark.skipif(COMPILED, reason="an epoch is one graph there")
def test_other_backends_train_with_fit_and_report_it(tmp_path, capsys):
    search(random_search(tmp_path, max_trials=1), verbose=1)
    assert f"the backend {BACKEND} has no graph" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(
    BACKEND == "torch", reason="Keras cannot train a stateful LSTM there"
)
def test_stateful_recurrent_model_is_reset_in_each_trial(tmp_path):
    def build_stateful(hp):
        keras.utils.set_random_seed(0)
        inputs = keras.Input(batch_shape=(5, 4, 1))
        x = keras.layers.LSTM(3, stateful=True)(inputs)
        x = kdropout.layers.Dropout(0.5, name="first")(x)
        model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
        model.compile("sgd", "sparse_categorical_crossentropy")
        return tuning.tune_rates(hp, model)

    x = searches.X[:, :, None]
    data = {
        "x": x[:35],
        "batch_size": 5,
        "validation_data": (x[35:], searches.Y[35:]),
    }
    tuner = random_search(tmp_path / "ours", build_stateful)
    theirs = random_search(
        tmp_path / "theirs", build_stateful, keras_tuner.RandomSearch
    )
    ours, theirs = search(tuner, **data), search(theirs, **data)
    np.testing.assert_allclose(scores(ours), scores(theirs), rtol=1e-6)


def test_unnamed_layers_have_the_same_hyperparameters_in_each_trial(tmp_path):
    def build_unnamed(hp):
        layers = [kdropout.layers.Dropout(0.5) for _ in range(2)]
        stack = [keras.Input((4,)), *layers, keras.layers.Dense(3, "softmax")]
        model = keras.Sequential(stack)
        model.compile("sgd", "sparse_categorical_crossentropy")
        return tuning.tune_rates(hp, model)

    make_model()  # names that are taken when the search begins
    kdropout.layers.Dropout(0.5)
    tuner = random_search(tmp_path, build_unnamed, max_trials=2)
    names = {tuple(t.hyperparameters.values) for t in search(tuner)}
    assert names == {("rate/dropout", "rate/dropout_1")}


def test_precision_set_by_the_user_is_kept(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        tuner = random_search(tmp_path, max_trials=2)
        search(tuner)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        assert tuner.get_best_models()[0].layers[0].compute_dtype == "bfloat16"
    finally:
        keras.config.set_dtype_policy(before)


def test_too_large_model_is_a_failed_trial(tmp_path):
    tuner = random_search(tmp_path, max_model_size=10, max_trials=2)
    with pytest.raises(
        RuntimeError, match="No trial of the search .* 'max_model_size'"
    ):
        search(tuner)
        tuner.get_best_models()
    assert {t.status for t in tuner.oracle.trials.values()} == {"FAILED"}


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"workers": 0}, ValueError, "'workers' must be an integer of at least 1"),
        ({"workers": "2"}, TypeError, "'workers' must be .* Received: workers='2'"),
        ({"threads_per_worker": 0}, ValueError, "'threads_per_worker' must be"),
        ({"gpus_per_worker": -1}, ValueError, "'gpus_per_worker' must be a number in"),
        ({"gpus_per_worker": "1"}, TypeError, "Received: gpus_per_worker='1'"),
        ({"gpus_per_worker": True}, TypeError, "Received: gpus_per_worker=True"),
        ({"gpus_per_worker": math.nan}, ValueError, "Received: gpus_per_worker=nan"),
        ({"gpus_per_worker": 1.5}, ValueError, "a whole number if it is above 1"),
        ({"gpus_per_worker": 1e-5}, ValueError, "0, or at least 0.0001"),
        ({"ray_address": 6379}, TypeError, "'ray_address' must be 'auto', .*=6379"),
        ({"ray_address": ""}, ValueError, "'ray_address' must be .* ray_address=''"),
        ({"ray_address": "10.0.0.1"}, ValueError, "such as '10.0.0.1:6379'"),
        ({"ray_address": "host:port"}, ValueError, "ray_address='host:port'"),
        ({"ray_address": "host:0"}, ValueError, "ray_address='host:0'"),
        ({"ray_address": "host:65536"}, ValueError, "ray_address='host:65536'"),
        ({"ray_address": "http://host:8265"}, ValueError, "or 'ray://10.0.0.1:10001'"),
    ],
)
def test_error_names_the_bad_arguments(kwargs, error, message, tmp_path):
    with pytest.raises(error, match=message):
        random_search(tmp_path, **kwargs)
    assert list(tmp_path.iterdir()) == []


def test_function_that_builds_no_model_is_refused(tmp_path):
    with pytest.raises(Exception, match="'hypermodel' must build a keras.Model"):
        search(random_search(tmp_path, lambda hp: hp.Float("a", 0, 1)))


class OwnFit(keras_tuner.HyperModel):
    """Trains as usual, but a tuner cannot know that."""

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, **kwargs)


@pytest.mark.parametrize("early", [False, True])
def test_weights_of_the_last_epoch_are_kept_even_if_it_comes_early(early, tmp_path):
    def weights_of(folder, hypermodel):
        stop = keras.callbacks.EarlyStopping(
            "loss", patience=1, min_delta=9.0, restore_best_weights=True
        )
        tuner = random_search(
            tmp_path / folder, hypermodel, max_trials=1, scored_epoch="last"
        )
        (trial,) = search(tuner, epochs=4, callbacks=[stop] if early else [])
        (model,) = tuner.get_best_models()
        loss, _ = model.evaluate(*searches.DATA["validation_data"], verbose=0)
        assert loss == pytest.approx(trial.score, rel=1e-5)
        return [ops.convert_to_numpy(value) for value in model.weights]

    ours, others = weights_of("ours", build), weights_of("others", OwnFit())
    for our, other in zip(ours, others, strict=True):
        np.testing.assert_array_equal(our, other)


def test_weights_are_kept_if_a_callback_of_a_subclass_stops_the_training(tmp_path):
    class Stops(tuning.RandomSearch):
        def _build_and_fit_model(self, trial, *args, callbacks, **kwargs):
            stop = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=9.0)
            callbacks = [*callbacks, stop]
            return super()._build_and_fit_model(
                trial, *args, callbacks=callbacks, **kwargs
            )

    tuner = random_search(tmp_path, kind=Stops, max_trials=1, scored_epoch="last")
    (trial,) = search(tuner, epochs=4)
    (model,) = tuner.get_best_models()
    loss, _ = model.evaluate(*searches.DATA["validation_data"], verbose=0)
    assert loss == pytest.approx(trial.score, rel=1e-5)


@pytest.mark.parametrize("scored_epoch", ["best", "last"])
def test_several_objectives_are_scored_by_their_sum(scored_epoch, tmp_path):
    tuner = tuning.RandomSearch(
        build,
        ["val_loss", "val_accuracy"],
        max_trials=1,
        scored_epoch=scored_epoch,
        directory=tmp_path,
    )
    (trial,) = search(tuner)
    loss = trial.metrics.get_last_value("val_loss")
    accuracy = trial.metrics.get_last_value("val_accuracy")
    assert trial.score == pytest.approx(loss - accuracy)
