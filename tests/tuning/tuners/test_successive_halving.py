"""Late halving: the settings it tries, their epochs, and the setting it keeps."""

import keras
import keras_tuner
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import tuning
from kdropout.tuning.model_pool import all_variables
from tests.tuning.trials import searches

COMPILED = keras.backend.backend() in ("tensorflow", "jax")
NUM_ROWS = len(searches.DATA["x"])
NAN = float("nan")


def build(hp):
    """Build a model with all state of a training: a schedule, a seed, an optimizer."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            kdropout.layers.Dropout(0.5, name="first"),
            keras.layers.BatchNormalization(),
            kdropout.layers.Dropout(
                kdropout.schedules.Ramp(0.0, 0.6, 4 * (NUM_ROWS // 8 + 1)),
                name="scheduled",
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


class Keeps(tuning.SuccessiveHalving):
    """Keeps the final state of each execution of a trial, and its epochs."""

    def on_search_begin(self):
        self.states, self.num_epochs = {}, 0

    def on_epoch_end(self, trial, model, epoch, logs=None):
        self.num_epochs += 1

    def end_training(self, trial, model, execution):
        values = [ops.convert_to_numpy(v).copy() for v in all_variables(model)]
        rates = {**kdropout.rates(model), "s": model.get_layer("scheduled").rate}
        self.states[trial.trial_id, execution] = (values, rates)


def halving(folder, kind=Keeps, hypermodel=build, **kwargs):
    arguments = {"max_epochs": 8, "seed": 5, **kwargs}
    return kind(hypermodel, "val_loss", directory=folder, **arguments)


def planted(folder, scores, names=("drop",), space=None, **kwargs):
    """Make a search over rates whose trials have planted scores, by rate and epochs."""

    class Planted(tuning.SuccessiveHalving):
        def run_trial(self, trial, *args, **kwargs):
            values = trial.hyperparameters.values
            score = scores(values[f"rate/{names[0]}"], values["tuner/epochs"])
            if isinstance(score, Exception):
                raise score
            return score

    def make_model(hp):
        layers = [kdropout.layers.Dropout(0.5, name=name) for name in names]
        model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return tuning.tune_rates(hp, model, space)

    arguments = {"max_epochs": 8, "max_consecutive_failed_trials": 100, **kwargs}
    objective = arguments.pop("objective", keras_tuner.Objective("score", "min"))
    return Planted(make_model, objective, directory=folder, **arguments)


def run(tuner):
    """Run a planted search; return the rate and the epochs of each trial in order."""
    tuner.search(verbose=0)
    return trained(tuner)


def trained(tuner, name="rate/drop"):
    all_values = [t.hyperparameters.values for t in tuner.oracle.trials.values()]
    return [
        (values[name], values["tuner/initial_epoch"], values["tuner/epochs"])
        for values in all_values
    ]


def more_is_better(rate, epochs):
    return 1.0 - rate


# The settings, and their epochs.


def test_half_of_the_settings_stop_at_each_rung(tmp_path):
    tuner = planted(tmp_path, more_is_better)
    assert run(tuner) == [
        *[(rate, 0, 4) for rate in (0.0, 0.2, 0.4, 0.6)],
        *[(0.6, 4, 6), (0.4, 4, 6)],
        (0.6, 6, 8),
    ]
    past = [
        t.hyperparameters.values.get("tuner/trial_id")
        for t in tuner.oracle.trials.values()
    ]
    assert past == [None] * 4 + ["0003", "0002", "0004"]


@pytest.mark.on_one_backend
def test_four_settings_cost_as_much_as_2_75_trainings(tmp_path):
    tuner = halving(tmp_path)
    searches.search(tuner)
    assert tuner.num_epochs == 2.75 * 8


@pytest.mark.parametrize(
    ("num_settings", "rungs", "sizes"),
    [(2, (0.5,), [2, 1]), (5, (0.25, 0.5, 0.75), [5, 3, 2, 1]), (3, (0.5,), [3, 2])],
)
def test_better_half_is_rounded_up(num_settings, rungs, sizes, tmp_path):
    settings = [0.1 * number for number in range(num_settings)]
    found = run(planted(tmp_path, more_is_better, settings=settings, rungs=rungs))
    ends = [*(8 * rung for rung in rungs), 8]
    assert [sum(end == epochs for *_, end in found) for epochs in ends] == sizes


def test_rate_becomes_the_nearest_allowed_one(tmp_path):
    def rates(name, choice):
        tuner = planted(tmp_path / name, more_is_better, space=choice)
        return [rate for rate, begin, _ in run(tuner) if begin == 0]

    assert rates("bounds", (0.1, 0.5)) == [0.1, 0.2, 0.4, 0.5]
    assert rates("once", (0.3, 0.5)) == [0.3, 0.4, 0.5]  # 0 and 0.2 become 0.3
    assert rates("step", tuning.Rates(0.0, 0.75, step=0.25)) == [0.0, 0.25, 0.5]
    assert rates("values", tuning.Rates(values=[0.1, 0.3, 0.7])) == [0.1, 0.3, 0.7]


def test_rate_applies_to_all_layers_and_other_hyperparameters_have_defaults(
    tmp_path,
):
    def build(hp):
        units = hp.Int("units", 4, 16, default=8)
        hp.Float("rate/unrelated", 0.0, 1.0, default=0.5)  # only its name is similar
        model = searches.make_model(units=units, seed=None)
        space = {"*": tuning.Rates(0.0, 0.5, tie="linear")}
        return tuning.tune_rates(hp, model, space)

    class Planted(tuning.SuccessiveHalving):
        def run_trial(self, trial, *args, **kwargs):
            return 1.0

    tuner = halving(tmp_path, Planted, build, settings=[0.1, 0.2])
    tuner.search(verbose=0)
    for trial, rate in zip(tuner.oracle.trials.values(), (0.1, 0.2), strict=False):
        values = trial.hyperparameters.values
        assert values["units"] == 8 and values["rate/unrelated"] == 0.5
        assert values["rate/*/first"] == values["rate/*/last"] == rate


def test_setting_may_name_its_values(tmp_path):
    tuner = planted(
        tmp_path,
        more_is_better,
        names=("drop", "other"),
        settings=[{"rate/drop": 0.25}, {"rate/other": 0.125}, {}, 0.3],
    )
    tuner.search(verbose=0)
    found = [t.hyperparameters.values for t in tuner.oracle.trials.values()][:4]
    assert [(v["rate/drop"], v["rate/other"]) for v in found] == [
        *[(0.25, 0.5), (0.5, 0.125), (0.5, 0.5), (0.3, 0.3)]
    ]


def test_settings_of_schedules_are_dicts(tmp_path):
    space = {"drop": tuning.Schedules(0.0, (0.1, 0.6), (10, 100))}
    settings = [{"rate/drop/end": 0.2, "rate/drop/steps": 20}, {"rate/drop/end": 0.5}]
    tuner = planted(tmp_path, lambda rate, epochs: rate, space=space, settings=settings)
    tuner.run_trial = lambda trial, *args, **kwargs: 1.0
    tuner.search(verbose=0)
    found = [t.hyperparameters.values for t in tuner.oracle.trials.values()][:2]
    steps = [(values["rate/drop/end"], values["rate/drop/steps"]) for values in found]
    assert steps == [(0.2, 20), (0.5, 10)]


# The trials that continue.


def test_earlier_ones_of_equal_settings_continue(tmp_path):
    for number, direction in enumerate(("min", "max")):
        objective = keras_tuner.Objective("score", direction)
        tuner = planted(tmp_path / str(number), lambda *_: 1.0, objective=objective)
        assert run(tuner)[4:] == [(0.0, 4, 6), (0.2, 4, 6), (0.0, 6, 8)]


def test_larger_objective_may_be_better(tmp_path):
    objective = keras_tuner.Objective("score", "max")
    tuner = planted(tmp_path, lambda rate, _: -rate, objective=objective)
    assert run(tuner)[4:] == [(0.0, 4, 6), (0.2, 4, 6), (0.0, 6, 8)]


@pytest.mark.parametrize("bad", [NAN, float("inf"), ValueError("broken")])
def test_trial_without_a_usable_score_does_not_continue(bad, tmp_path):
    def scores(rate, epochs):
        return bad if rate in (0.6, 0.4) else 1.0 - rate

    tuner = planted(tmp_path, scores)
    assert run(tuner)[4:] == [(0.2, 4, 6), (0.0, 4, 6), (0.2, 6, 8)]
    assert tuner.get_best_hyperparameters()[0].get("rate/drop") == 0.2


def test_nan_is_worse_than_any_score(tmp_path):
    def scores(rate, epochs):
        return NAN if rate != 0.2 else 1e30

    tuner = planted(tmp_path, scores)
    assert run(tuner)[4:] == [(0.2, 4, 6), (0.2, 6, 8)]
    assert (
        "NaN in at least one of the last epochs" in tuner.oracle.trials["0000"].message
    )


def test_best_is_the_previous_trial_if_the_last_one_fails(tmp_path):
    def scores(rate, epochs):
        return ValueError("broken") if epochs == 8 else 1.0 - rate

    tuner = planted(tmp_path, scores)
    assert run(tuner)[-1] == (0.6, 6, 8)
    assert tuner.oracle.get_best_trials(1)[0].trial_id == "0004"


def test_dropped_setting_is_not_the_best_by_its_early_score(tmp_path):
    """With less dropout, the early score is better, and here it is the best of all."""

    def scores(rate, epochs):
        return (
            {0.0: 0.5, 0.2: 0.1, 0.4: 0.2, 0.6: 0.6}[rate]
            + 0.1 * (epochs > 4)
            + ((0.6 - rate) * (epochs > 4))
        )

    tuner = planted(tmp_path, scores)
    assert run(tuner)[4:] == [(0.2, 4, 6), (0.4, 4, 6), (0.4, 6, 8)]
    ids = [trial.trial_id for trial in tuner.oracle.get_best_trials(9)]
    assert ids == ["0006", "0005", "0004", "0001", "0002", "0000", "0003"]
    assert tuner.oracle.trials["0001"].score < tuner.oracle.trials["0006"].score
    best = tuner.get_best_hyperparameters(2)
    assert [hp.get("rate/drop") for hp in best] == [0.4, 0.4]
    assert len(tuner.oracle.get_best_trials(2)) == 2


@pytest.mark.parametrize(("smoothing", "expected"), [(1, 5.0), (3, 4.0), (99, 2.5)])
def test_score_is_the_mean_of_the_last_epochs(smoothing, expected, tmp_path):
    class Planted(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = float(epoch)

    tuner = halving(
        tmp_path, max_epochs=12, smoothing=smoothing, settings=[0.1, 0.2], rungs=(0.5,)
    )
    trials = searches.search(tuner, callbacks=[Planted()])
    assert [trial.score for trial in trials[:2]] == [expected] * 2
    # The last six epochs count, and never those before the rung.
    assert trials[2].score == expected + 6
    metrics = trials[0].metrics
    assert metrics.get_last_value("val_loss") == expected
    assert 0.0 <= metrics.get_last_value("val_accuracy") <= 1.0


def test_executions_and_several_objectives_are_scored_by_their_mean(tmp_path):
    tuner = tuning.SuccessiveHalving(
        build,
        ["val_loss", "val_accuracy"],
        max_epochs=4,
        settings=[0.1, 0.5],
        rungs=(0.5,),
        executions_per_trial=2,
        directory=tmp_path,
    )
    for trial in searches.search(tuner):
        loss = trial.metrics.get_last_value("val_loss")
        accuracy = trial.metrics.get_last_value("val_accuracy")
        assert trial.score == pytest.approx(loss - accuracy)


@pytest.mark.parametrize("scored_epoch", ["last", "best"])
def test_weights_are_those_of_the_last_or_the_best_epoch(scored_epoch, tmp_path):
    class Worse(keras.callbacks.Callback):
        """Makes the first epoch of each trial the best one."""

        def on_train_begin(self, logs=None):
            self.number = 0

        def on_epoch_end(self, epoch, logs=None):
            self.number += 1
            logs["val_loss"] = float(self.number)

    kwargs = {"settings": [0.1, 0.2], "rungs": (0.5,), "scored_epoch": scored_epoch}
    tuner = halving(tmp_path, **kwargs)
    trials = searches.search(tuner, callbacks=[Worse()])
    assert [trial.score for trial in trials] == [3.0, 3.0, 3.0]
    model = tuner.get_best_models()[0]
    last, _ = tuner.states["0002", 0]
    same = all(
        np.array_equal(ops.convert_to_numpy(ours), theirs)
        for ours, theirs in zip(model.variables, last, strict=False)
    )
    assert same == (scored_epoch == "last")


# A trial continues exactly where the one before it stopped.


@pytest.mark.slow
@pytest.mark.skipif(not COMPILED, reason="trials train with fit there")
@pytest.mark.parametrize("num_executions", [1, 2])
def test_final_state_is_that_of_one_training(num_executions, tmp_path):
    arguments = {"shuffle": True, "callbacks": [Moved()]}
    tuner = halving(tmp_path / "rungs", executions_per_trial=num_executions)
    survivor = searches.search(tuner, **arguments)[-1]
    values = survivor.hyperparameters.values
    assert values["tuner/round"] == 2
    # A search of one trial that has all epochs from the start.
    once = halving(tmp_path / "once", executions_per_trial=num_executions)
    hp = once.oracle.get_space()
    hp.values = {
        "rate/first": values["rate/first"],
        "tuner/epochs": 8,
        "tuner/initial_epoch": 0,
    }
    once.on_search_begin()
    alone = keras_tuner.engine.trial.Trial(hp, "0000")
    once.run_trial(alone, **searches.DATA, batch_size=8, **arguments)
    for execution in range(num_executions):
        ours, rates = tuner.states[survivor.trial_id, execution]
        theirs, expected = once.states["0000", execution]
        assert rates == expected
        assert rates["s"] == pytest.approx(0.6)
        for our, their in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(our, their)


@pytest.mark.skipif(not COMPILED, reason="trials train with fit there")
def test_final_state_and_scores_are_those_of_one_fit(tmp_path):
    tuner = halving(tmp_path)
    trials = searches.search(tuner, shuffle=False)
    keras.utils.set_random_seed(tuner.oracle.seed)
    model = build(keras_tuner.HyperParameters())
    tuning.plan_of(model).assign(model, trials[-1].hyperparameters.values)
    history = model.fit(
        **searches.DATA, batch_size=8, epochs=8, shuffle=False, verbose=0
    )
    states, _ = tuner.states[trials[-1].trial_id, 0]
    for our, their in zip(states, all_variables(model), strict=True):
        np.testing.assert_array_equal(our, ops.convert_to_numpy(their))
    losses = history.history["val_loss"]
    assert trials[-1].score == pytest.approx(np.mean(losses[6:8]))
    rate = trials[-1].hyperparameters.get("rate/first")
    first = next(t for t in trials if t.hyperparameters.get("rate/first") == rate)
    assert first.score == pytest.approx(np.mean(losses[1:4]))


def test_survivor_is_the_best_of_each_rung_by_the_mean(tmp_path):
    trials = searches.search(halving(tmp_path))
    values = [trial.hyperparameters.values for trial in trials]
    by_round = [
        sorted(
            (t.score, v["rate/first"])
            for t, v in zip(trials, values, strict=True)
            if v["tuner/round"] == number
        )
        for number in range(3)
    ]
    gone_on = [[rate for _, rate in scores] for scores in by_round]
    assert [len(rates) for rates in gone_on] == [4, 2, 1]
    assert set(gone_on[1]) == set(gone_on[0][:2])
    assert gone_on[2] == gone_on[1][:1]


# A search that is stopped continues identically.


class Stop(BaseException):
    """Stops a search in mid-trial, like a kill."""


@pytest.mark.parametrize("lost", [None, "oracle.json", "tuner0.json"])
@pytest.mark.parametrize("stop_at", range(7))
def test_search_stopped_at_any_trial_continues_identically(stop_at, lost, tmp_path):
    def scores(rate, epochs):
        return abs(rate - 0.3) + 0.01 * epochs

    whole = run(planted(tmp_path / "whole", scores, project_name="search"))

    half = planted(tmp_path / "half", scores, project_name="search")
    half.on_trial_begin = _stop_at(half, stop_at)
    with pytest.raises(Stop):
        half.search(verbose=0)
    if lost is not None:
        (tmp_path / "half" / "search" / lost).unlink(missing_ok=True)
    if lost == "oracle.json":
        with pytest.warns(UserWarning, match="oracle.json' was missing"):
            again = planted(tmp_path / "half", scores, project_name="search")
    else:
        again = planted(tmp_path / "half", scores, project_name="search")
    ran = []
    again.on_trial_begin = lambda trial: ran.append(trial.trial_id)
    assert run(again) == whole
    assert len(ran) == len(whole) - stop_at


def _stop_at(tuner, number):
    def on_trial_begin(trial):
        if len(tuner.oracle.end_order) == number:
            raise Stop

    return on_trial_begin


def test_rung_waits_for_the_running_trials(tmp_path):
    oracle = planted(tmp_path, more_is_better).oracle
    running = [oracle.create_trial(f"worker{number}") for number in range(4)]
    assert oracle.create_trial("other").status == "IDLE"
    for trial in running[:3]:
        end(oracle, trial)
        assert oracle.create_trial("other").status == "IDLE"
    end(oracle, running[3])
    running = [oracle.create_trial(f"worker{number}") for number in range(2)]
    assert [trial.hyperparameters.get("rate/drop") for trial in running] == [0.6, 0.4]
    assert oracle.create_trial("other").status == "IDLE"
    for trial in running:
        end(oracle, trial)
    last = oracle.create_trial("worker0")
    assert oracle.create_trial("other").status == "IDLE"
    end(oracle, last)
    assert oracle.create_trial("other").status == "STOPPED"


def end(oracle, trial):
    score = more_is_better(trial.hyperparameters.get("rate/drop"), None)
    oracle.update_trial(trial.trial_id, {"score": score})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def test_search_continues_only_with_the_rungs_that_began_it(tmp_path):
    run(planted(tmp_path, more_is_better))
    for change in ({"max_epochs": 12}, {"rungs": (0.25, 0.75)}):
        with pytest.raises(RuntimeError, match="'max_epochs' and 'rungs' that began"):
            planted(tmp_path, more_is_better, **change)
    planted(tmp_path, more_is_better, max_epochs=12, overwrite=True)


def test_model_built_by_its_first_batch_continues(tmp_path):
    def build_later(hp):
        layers = [keras.layers.Dense(4), kdropout.layers.Dropout(0.5, name="first")]
        model = keras.Sequential([*layers, keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return tuning.tune_rates(hp, model)

    tuner = halving(tmp_path, tuning.SuccessiveHalving, build_later, max_epochs=4)
    trials = searches.search(tuner)
    assert {trial.status for trial in trials} == {"COMPLETED"}
    assert len(trials) == 7
