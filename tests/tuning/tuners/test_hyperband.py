"""A trial that Hyperband promotes continues like one long training."""

import keras
import keras_tuner
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import tuning
from kdropout.tuning.model_pool import all_variables
from kdropout.tuning.trials import TrialEngine
from tests.tuning.trials import searches

COMPILED = keras.backend.backend() in ("tensorflow", "jax")
NUM_ROWS = len(searches.DATA["x"])


def build(hp):
    """Build a model with all state of a training: a schedule, a seed, an optimizer."""
    steps = 2 * (NUM_ROWS // 8 + 1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            kdropout.layers.Dropout(0.5, name="first"),
            keras.layers.BatchNormalization(),
            kdropout.layers.Dropout(
                kdropout.schedules.Ramp(0.0, 0.6, steps), name="scheduled"
            ),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 4, 0.9)
    model.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return tuning.tune_rates(hp, model, {"first": (0.0, 0.6)})


class Moved(keras.callbacks.Callback):
    """Moves a rate in a callback, so that the current rate must be kept as well."""

    def on_epoch_end(self, epoch, logs=None):
        layer = self.model.get_layer("first")
        layer.rate = 0.9 * layer.rate


class Keeps(tuning.Hyperband):
    """Keeps the final state of each execution of a trial."""

    def on_search_begin(self):
        self.states = {}

    def end_training(self, trial, model, execution):
        super().end_training(trial, model, execution)
        values = [ops.convert_to_numpy(v).copy() for v in all_variables(model)]
        scheduled = model.get_layer("scheduled").rate
        self.states[trial.trial_id, execution] = (
            values,
            {**kdropout.rates(model), "scheduled": scheduled},
        )


def hyperband(folder, kind=Keeps, hypermodel=build, **kwargs):
    arguments = {"max_epochs": 4, "factor": 2, "seed": 5, **kwargs}
    return kind(hypermodel, "val_loss", directory=folder, **arguments)


def promoted(trials):
    """Return the trials that were promoted up to all epochs, in their order."""
    return [
        t
        for t in trials
        if t.hyperparameters.values["tuner/epochs"] == 4
        and t.hyperparameters.values["tuner/initial_epoch"] > 0
    ]


@pytest.mark.slow
@pytest.mark.skipif(not COMPILED, reason="trials train with fit there")
@pytest.mark.parametrize(
    ("shuffle", "num_executions"),
    [
        pytest.param(False, 1, marks=pytest.mark.on_one_backend),
        pytest.param(False, 2, marks=pytest.mark.on_one_backend),
        pytest.param(True, 1, marks=pytest.mark.on_one_backend),
        (True, 2),
    ],
)
def test_final_state_is_that_of_one_training(shuffle, num_executions, tmp_path):
    arguments = {"shuffle": shuffle, "callbacks": [Moved()]}
    tuner = hyperband(tmp_path / "bands", executions_per_trial=num_executions)
    trials = promoted(searches.search(tuner, **arguments))
    assert len(trials) >= 2
    assert {t.hyperparameters.values["tuner/initial_epoch"] for t in trials} == {2}
    for number, trial in enumerate(trials):
        values = {
            name: value
            for name, value in trial.hyperparameters.values.items()
            if not name.startswith("tuner/")
        }
        # A search of one trial that has all epochs from the start.
        once = hyperband(
            tmp_path / f"once{number}", executions_per_trial=num_executions
        )
        hp = once.oracle.get_space()
        hp.values = {**values, "tuner/epochs": 4, "tuner/initial_epoch": 0}
        once.on_search_begin()
        alone = keras_tuner.engine.trial.Trial(hp, "0000")
        data = {**searches.DATA, "batch_size": 8, **arguments}
        once.run_trial(alone, **data)
        for execution in range(num_executions):
            ours, rates = tuner.states[trial.trial_id, execution]
            theirs, expected = once.states["0000", execution]
            assert rates == expected
            assert rates["scheduled"] == pytest.approx(0.6)
            for our, their in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(our, their)


@pytest.mark.skipif(not COMPILED, reason="trials train with fit there")
def test_final_state_is_that_of_one_fit(tmp_path):
    tuner = hyperband(tmp_path)
    trial = promoted(searches.search(tuner, shuffle=False))[0]
    keras.utils.set_random_seed(tuner.oracle.seed)
    model = build(keras_tuner.HyperParameters())
    tuning.plan_of(model).assign(model, trial.hyperparameters.values)
    model.fit(**searches.DATA, batch_size=8, epochs=4, shuffle=False, verbose=0)
    states, _ = tuner.states[trial.trial_id, 0]
    for our, their in zip(states, all_variables(model), strict=True):
        np.testing.assert_array_equal(our, ops.convert_to_numpy(their))


def test_engine_continues_trials_of_any_oracle_that_promotes(tmp_path):
    tuner = hyperband(tmp_path / "hyperband", tuning.Hyperband)
    oracle = keras_tuner.oracles.HyperbandOracle(
        "val_loss", max_epochs=4, factor=2, seed=5
    )
    other = TrialEngine(oracle, build, directory=tmp_path / "engine")
    ours, theirs = searches.search(other), searches.search(tuner)
    assert searches.scores(ours) == searches.scores(theirs)
    assert len(promoted(ours)) >= 2


def test_order_of_rows_differs_between_epochs(tmp_path):
    """This order lets the tests above distinguish the parts of a training."""
    orders = []

    class Watch(Keeps):
        def begin_training(self, trial, model, execution):
            super().begin_training(trial, model, execution)
            orders.append(int(model.optimizer.iterations))

    tuner = hyperband(tmp_path, Watch)
    searches.search(tuner, shuffle=True)
    steps = -(-NUM_ROWS // 8)
    assert set(orders) == {0, steps, 2 * steps}


def test_trial_promoted_without_a_last_state_begins_with_the_best_weights(
    tmp_path, capsys
):
    class Forgets(Keeps):
        def end_training(self, trial, model, execution):
            super().end_training(trial, model, execution)
            self._state_file(trial.trial_id, execution).unlink()

    trials = searches.search(hyperband(tmp_path, Forgets), verbose=1)
    assert {t.status for t in trials} == {"COMPLETED"}
    assert "starts with the weights of its best epoch" in capsys.readouterr().err


# KerasTuner saves the optimizer with the weights; Keras warns that it does not load it.
@pytest.mark.on_one_backend
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_project_of_keras_tuner_is_continued_in_mid_bracket(tmp_path):
    class Stop(Exception):
        pass

    class Stops(keras_tuner.Hyperband):
        def on_trial_begin(self, trial):
            if "tuner/trial_id" in trial.hyperparameters.values:
                raise Stop

    with pytest.raises(Stop):
        searches.search(hyperband(tmp_path, Stops))
    trials = searches.search(hyperband(tmp_path))
    assert {t.status for t in trials} == {"COMPLETED"}
    assert promoted(trials)


def test_model_built_by_its_first_batch_is_promoted(tmp_path):
    def build_later(hp):
        layers = [keras.layers.Dense(4), kdropout.layers.Dropout(0.5, name="first")]
        model = keras.Sequential([*layers, keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return tuning.tune_rates(hp, model)

    tuner = hyperband(tmp_path, tuning.Hyperband, build_later, max_epochs=2)
    trials = searches.search(tuner)
    assert {trial.status for trial in trials} == {"COMPLETED"}
    assert any("tuner/trial_id" in t.hyperparameters.values for t in trials)
