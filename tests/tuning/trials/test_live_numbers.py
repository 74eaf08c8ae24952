"""Trials that differ in numbers of the optimizer or the loss are compiled once."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import pytest

import kdropout
from kdropout import tuning
from kdropout.tuning import epochs
from kdropout.tuning.live_numbers import LiveNumber, LiveNumbers, places_of
from kdropout.tuning.model_pool import PooledModel
from tests.tuning.trials import searches
from tests.tuning.trials.searches import scores, search

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="there is no compiled code to reuse"
)

ONE_HOT = np.eye(3, dtype="float32")[searches.Y]
DATA = {
    "x": searches.X[:35],
    "y": ONE_HOT[:35],
    "validation_data": (searches.X[35:], ONE_HOT[35:]),
}
CROSSENTROPY = "categorical_crossentropy"

# Read by the layers and functions below, like the settings of a user's module.
SCALE = 1.0


@dataclasses.dataclass(frozen=True)
class Numbers:
    """The optimizer and loss of a trial."""

    name: str
    compile: Callable


def adam(hp):
    return keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-1)), CROSSENTROPY


def adamw(hp):
    decay = hp.Float("decay", 1e-3, 10.0)
    return keras.optimizers.AdamW(1e-2, weight_decay=decay), CROSSENTROPY


def sgd(hp):
    momentum, decay = hp.Float("momentum", 0.1, 0.9), hp.Float("decay", 0.0, 1.0)
    optimizer = keras.optimizers.SGD(0.1, momentum=momentum, weight_decay=decay)
    return optimizer, CROSSENTROPY


def rmsprop(hp):
    momentum = hp.Float("momentum", 0.1, 0.9)
    return keras.optimizers.RMSprop(1e-2, momentum=momentum), CROSSENTROPY


def smoothed(hp):
    smoothing = hp.Float("smoothing", 0.05, 0.4)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    return keras.optimizers.SGD(0.1), loss


def binary_smoothed(hp):
    smoothing = hp.Float("smoothing", 0.05, 0.4)
    loss = keras.losses.BinaryCrossentropy(label_smoothing=smoothing)
    return keras.optimizers.SGD(0.1), loss


def scheduled(make):
    def compile_arguments(hp):
        schedule = make(hp.Float("lr", 1e-3, 1e-1))
        return keras.optimizers.SGD(schedule), CROSSENTROPY

    return compile_arguments


SCHEDULES = keras.optimizers.schedules
CASES = [
    Numbers("learning rate", adam),
    Numbers("weight decay", adamw),
    Numbers("momentum", sgd),
    Numbers("momentum of RMSprop", rmsprop),
    Numbers("label smoothing", smoothed),
    Numbers("binary label smoothing", binary_smoothed),
    Numbers("cosine", scheduled(lambda lr: SCHEDULES.CosineDecay(lr, 10))),
    Numbers(
        "warm-up",
        scheduled(
            lambda lr: SCHEDULES.CosineDecay(lr, 10, warmup_target=0.2, warmup_steps=3)
        ),
    ),
    Numbers("restarts", scheduled(lambda lr: SCHEDULES.CosineDecayRestarts(lr, 10))),
    Numbers(
        "exponential", scheduled(lambda lr: SCHEDULES.ExponentialDecay(lr, 5, 0.5))
    ),
    Numbers("inverse", scheduled(lambda lr: SCHEDULES.InverseTimeDecay(lr, 5, 0.5))),
    Numbers(
        "polynomial", scheduled(lambda lr: SCHEDULES.PolynomialDecay(lr, 10, 1e-4))
    ),
]
FAST = ("learning rate", "momentum", "label smoothing", "cosine")


def built_with(compile_arguments):
    """The function that builds the model of a trial."""

    def build(hp):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(8, activation="relu"),
                kdropout.layers.Dropout(0.5, name="drop"),
                keras.layers.Dense(3, activation="softmax"),
            ]
        )
        optimizer, loss = compile_arguments(hp)
        model.compile(optimizer, loss)
        return tuning.tune_rates(hp, model)

    return build


@dataclasses.dataclass
class Compiled:
    """Counts the models that are compiled for whole epochs."""

    models: int = 0


@pytest.fixture
def compiled(monkeypatch):
    count, make = Compiled(), epochs._make_epochs

    def counted(*arguments):
        count.models += 1
        return make(*arguments)

    monkeypatch.setattr(epochs, "_make_epochs", counted)
    return count


def random_search(folder, build, max_trials=3, kind=tuning.RandomSearch, **kwargs):
    return kind(
        build, "val_loss", max_trials=max_trials, seed=1, directory=folder, **kwargs
    )


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(
            case,
            id=case.name,
            marks=[] if case.name in FAST else [pytest.mark.slow],
        )
        for case in CASES
    ],
)
def test_scores_equal_those_of_new_models_to_the_bit(
    numbers, compiled, tmp_path, monkeypatch
):
    build = built_with(numbers.compile)
    together = search(random_search(tmp_path / "together", build), **DATA)
    assert compiled.models == 1
    monkeypatch.setattr(PooledModel, "equals", lambda *_: False)
    apart = search(random_search(tmp_path / "apart", build), **DATA)
    assert compiled.models == 4
    assert scores(together) == scores(apart)
    values = [trial.hyperparameters.values for trial in together]
    assert len({tuple(value.values()) for value in values}) == 3


def test_numbers_that_matter_change_the_score(compiled, tmp_path):
    def scores_with(name, values, compile_arguments):
        def build(hp):
            hp.Fixed("rate/drop", 0.3)
            hp.Choice(name, values)
            return built_with(compile_arguments)(hp)

        tuner = tuning.GridSearch(build, "val_loss", directory=tmp_path / name)
        return scores(search(tuner, **DATA))

    for name, values, compile_arguments in [
        ("decay", [0.001, 9.0], adamw),
        ("momentum", [0.1, 0.9], rmsprop),
        ("smoothing", [0.05, 0.4], smoothed),
        ("lr", [0.001, 0.1], scheduled(lambda lr: SCHEDULES.CosineDecay(lr, 10))),
    ]:
        first, second = scores_with(name, values, compile_arguments)
        assert abs(first - second) > 1e-4, name
    assert compiled.models == 4


def test_a_momentum_of_zero_is_compiled_separately(compiled, tmp_path):
    def build(hp):
        def compile_arguments(hp):
            momentum = hp.Choice("momentum", [0.0, 0.5, 0.9])
            return keras.optimizers.SGD(0.1, momentum=momentum), CROSSENTROPY

        hp.Fixed("rate/drop", 0.3)
        return built_with(compile_arguments)(hp)

    tuner = tuning.GridSearch(build, "val_loss", directory=tmp_path)
    assert len({*scores(search(tuner, **DATA))}) == 3
    assert compiled.models == 2


def test_callbacks_see_plain_numbers(tmp_path):
    class Sees(keras.callbacks.Callback):
        seen = []

        def on_epoch_end(self, epoch, logs=None):
            self.seen.append(self.model.optimizer.get_config()["weight_decay"])

        def __deepcopy__(self, memo):
            return self

    tuner = random_search(tmp_path, built_with(adamw), max_trials=2)
    trials = search(tuner, callbacks=[Sees()], **DATA)
    given = [trial.hyperparameters.values["decay"] for trial in trials]
    assert Sees.seen == [given[0], given[0], given[1], given[1]]


def test_best_model_has_the_numbers_of_its_trial(tmp_path):
    tuner = random_search(tmp_path, built_with(adamw))
    search(tuner, **DATA)
    best = tuner.get_best_models()[0]
    hp = tuner.get_best_hyperparameters()[0]
    assert best.optimizer.weight_decay == hp.values["decay"]
    loss = best.evaluate(*DATA["validation_data"], verbose=0)
    assert loss == pytest.approx(tuner.oracle.get_best_trials()[0].score, rel=1e-5)


def test_training_with_fit_uses_the_numbers_of_the_trial(tmp_path, monkeypatch):
    class AtBatches(keras.callbacks.Callback):  # so the trials train with `fit`
        def on_train_batch_end(self, batch, logs=None):
            pass

    build = built_with(adamw)
    arguments = {**DATA, "callbacks": [AtBatches()]}
    together = search(random_search(tmp_path / "together", build), **arguments)
    monkeypatch.setattr(PooledModel, "equals", lambda *_: False)
    apart = search(random_search(tmp_path / "apart", build), **arguments)
    assert scores(together) == scores(apart)


def test_layers_that_only_some_models_have_cost_no_compilation(compiled, tmp_path):
    def build(hp):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8)])
        for number in range(hp.Choice("depth", [1, 2])):
            model.add(kdropout.layers.Dropout(0.5, name=f"drop{number}"))
            model.add(keras.layers.Dense(8, activation="relu"))
        model.add(keras.layers.Dense(3, activation="softmax"))
        model.compile("sgd", CROSSENTROPY)
        return tuning.tune_rates(hp, model)

    trials = search(random_search(tmp_path, build, max_trials=6), **DATA)
    assert {trial.hyperparameters.values["depth"] for trial in trials} == {1, 2}
    assert compiled.models == 2


# The surroundings of a model: what its code reads.


@keras.saving.register_keras_serializable("tests")
class Scaled(keras.layers.Layer):
    def call(self, inputs):
        return inputs * SCALE


@keras.saving.register_keras_serializable("tests")
class ScaledByClass(keras.layers.Layer):
    scale = 1.0

    def call(self, inputs):
        return inputs * type(self).scale

    def compute_output_shape(self, input_shape):
        return input_shape


def scaled_loss(y_true, y_pred):
    return scaled(keras.losses.categorical_crossentropy(y_true, y_pred))


def scaled(value):
    return value * SCALE


def set_global(value):
    global SCALE
    SCALE = value


def set_class(value):
    ScaledByClass.scale = value


@pytest.mark.parametrize(
    ("layer", "loss", "put"),
    [
        pytest.param(Scaled, CROSSENTROPY, set_global, id="global of a layer"),
        pytest.param(ScaledByClass, CROSSENTROPY, set_class, id="attribute of a class"),
        pytest.param(None, scaled_loss, set_global, id="global of another function"),
    ],
)
def test_a_value_that_is_set_outside_of_the_model_counts(
    layer, loss, put, compiled, tmp_path
):
    def build(hp):
        keras.utils.set_random_seed(0)
        put(hp.Choice("scale", [0.5, 2.0]))
        hp.Fixed("rate/drop", 0.3)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8)])
        model.add(kdropout.layers.Dropout(0.5, name="drop"))
        if layer is not None:
            model.add(layer())
        model.add(keras.layers.Dense(3, activation="softmax"))
        model.compile("sgd", loss)
        return tuning.tune_rates(hp, model)

    tuner = tuning.GridSearch(build, "val_loss", directory=tmp_path)
    try:
        first, second = scores(search(tuner, **DATA))
    finally:
        set_global(1.0), set_class(1.0)
    assert first != second
    assert compiled.models == 2


@pytest.mark.parametrize(
    ("name", "values"), [("batch_size", [5, 35]), ("validation_split", [0.2, 0.4])]
)
def test_arguments_of_fit_may_differ_between_trials(name, values, compiled, tmp_path):
    class Varies(tuning.GridSearch):
        def run_trial(self, trial, *args, **kwargs):
            kwargs[name] = trial.hyperparameters.values[name]
            return super().run_trial(trial, *args, **kwargs)

    def scores_with(values):
        def build(hp):
            hp.Choice(name, values)
            hp.Fixed("rate/drop", 0.3)
            return built_with(lambda hp: ("sgd", CROSSENTROPY))(hp)

        tuner = Varies(build, "val_loss", directory=tmp_path / f"{values}")
        given = {**DATA, "validation_data": None} if "split" in name else DATA
        return scores(search(tuner, **given))

    apart = [*scores_with(values[:1]), *scores_with(values[1:])]
    compiled.models = 0
    assert scores_with(values) == apart
    assert apart[0] != apart[1]
    assert compiled.models == 1


# The numbers themselves.


def test_only_classes_of_keras_have_live_numbers():
    class Mine(keras.optimizers.SGD):
        pass

    assert [p.key for p in places_of(keras.optimizers.SGD(0.1, momentum=0.9))] == [
        "momentum"
    ]
    assert places_of(Mine(0.1, momentum=0.9)) == []
    assert places_of(keras.layers.Dense(3)) == []


def test_no_live_numbers_in_other_precisions():
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    keras.config.set_floatx("float64")
    try:
        assert places_of(optimizer) == []
    finally:
        keras.config.set_floatx("float32")


def test_a_live_number_behaves_like_its_number():
    number, zero = LiveNumber(0.1), LiveNumber(0.0)
    assert number and number != 0 and number > 0 and not number == 0
    assert not zero and zero == 0 and not zero != 0 and not zero > 0
    assert float(1.0 - number) == np.float32(1.0 - 0.1)
    number.set(0.25)
    assert float(keras.ops.convert_to_numpy(number)) == 0.25
    assert float(1.0 - number) == 0.75


def test_numbers_are_back_after_an_error():
    optimizer = keras.optimizers.AdamW(weight_decay=0.25)
    numbers = LiveNumbers(places_of(optimizer))
    with pytest.raises(RuntimeError, match="stop"), numbers.in_place():
        assert isinstance(optimizer.weight_decay, LiveNumber)
        raise RuntimeError("stop")
    assert optimizer.weight_decay == 0.25
    assert type(optimizer.weight_decay) is float
