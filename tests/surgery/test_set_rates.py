"""`set_rates` replaces what decides the rates of a model that exists."""

import functools

import keras
import numpy as np
import pytest

import kdropout
from kdropout import LearnedRate, callbacks, rate_rules, set_rates
from kdropout.layers import (
    ConcreteDropout,
    DropConnect,
    Dropout,
    GaussianDropout,
    Standout,
)
from kdropout.schedules import Cyclic, Ramp
from kdropout.surgery.keras_state import variables_of
from tests.tools import (
    BACKEND,
    CountedModel,
    dropout_model,
    model_with_rates,
    numpy,
    sigmoid,
)

RAMP = Ramp(0.1, 0.9, 8)
RNG = np.random.default_rng(0)
X, Y = RNG.random((16, 3), "float32"), RNG.random((16, 1), "float32")
RULES = {"number": 0.6, "schedule": RAMP, "learned": LearnedRate(0.25)}


def network(first=0.3, second=0.4, optimizer="adam", kind=keras.Model):
    inputs = keras.Input((3,))
    x = keras.layers.Dense(4, name="dense")(inputs)
    x = Dropout(first, seed=1, name="first")(x)
    x = keras.layers.Dense(4, name="middle")(x)
    x = Dropout(second, seed=2, name="second")(x)
    model = kind(inputs, keras.layers.Dense(1, name="head")(x), name="network")
    model.compile(optimizer, "mse")
    return model


def train(model, steps=1):
    """Train with batches of four rows; return the rates of each step."""
    logger = Rates()
    model.fit(
        np.resize(X, (4 * steps, 3)),
        np.resize(Y, (4 * steps, 1)),
        batch_size=4,
        shuffle=False,
        verbose=0,
        callbacks=[logger],
    )
    return logger.rates


class Rates(keras.callbacks.Callback):
    """Records the rates after each step."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(kdropout.rates(self.model))


def ramp_at(step):
    return 0.1 + 0.8 * min(step / 8, 1.0)


def arrays(variables):
    return [numpy(variable) for variable in variables]


def assert_same(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def decided_by(model):
    lines = []
    kdropout.summary(model, print_fn=lines.append)
    return [line.split("  ")[-1].strip() for line in lines[1:]]


@pytest.mark.parametrize("before", RULES)
@pytest.mark.parametrize("after", RULES)
def test_each_rule_replaces_each_other_one(before, after):
    model = model_with_rates(first=RULES[before], second=0.4)
    set_rates(model, {"first": RULES[after]})
    wanted = {"number": 0.6, "schedule": 0.1, "learned": 0.25}[after]
    assert kdropout.rates(model) == {"first": wanted, "second": 0.4}
    texts = {"number": "you", "schedule": "schedule Ramp", "learned": "gradient"}
    assert decided_by(model) == [texts[after], "you"]
    is_learned = after == "learned"
    assert len(model.weights) == len(model.trainable_variables) == is_learned
    fresh = model_with_rates(first=RULES[after], second=0.4)
    names = [variable.name for variable in fresh.variables]
    assert [variable.name for variable in model.variables] == names
    first, same = model.get_layer("first"), fresh.get_layer("first")
    assert first.get_config()["rate"] == same.get_config()["rate"]
    assert list(first.rate_variables) == list(same.rate_variables)
    if after == "number":
        first.rate = 0.8
        assert first.rate == 0.8


@pytest.mark.parametrize(
    "after",
    [pytest.param("number", marks=pytest.mark.slow), "schedule", "learned"],
)
def test_training_continues_as_that_of_a_model_made_with_the_rule(after, tmp_path):
    # The other model has the rule from the beginning, and takes the weights, the
    # momentums and the seeds of the first one.
    start = RAMP if after == "number" else 0.3
    momentum = keras.optimizers.SGD(0.1, momentum=0.9)
    model = network(start, optimizer=momentum)
    train(model, 3)
    kernels = [weight.path for weight in model.trainable_variables]
    momentums = dict(zip(kernels, arrays(momentum.momentums), strict=True))
    model.save_weights(tmp_path / "before.weights.h5")

    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    other = network(RULES[after], optimizer=optimizer)
    for layer in other.layers[1:]:
        if layer.name != "first":
            layer.set_weights(model.get_layer(layer.name).get_weights())
        if isinstance(layer, Dropout):
            seed = model.get_layer(layer.name).seed_generator.state
            layer.seed_generator.state.assign(numpy(seed))
    optimizer.build(other.trainable_variables)
    optimizer.iterations.assign(3)
    for variable, slot in zip(
        other.trainable_variables, optimizer.momentums, strict=True
    ):
        if variable.path in momentums:
            slot.assign(momentums[variable.path])

    set_rates(model, {"first": RULES[after]})
    assert train(model, 3) == train(other, 3)
    assert_same(model.get_weights(), other.get_weights())
    assert_same(arrays(momentum.variables), arrays(optimizer.variables))


def test_schedule_leaves_weights_optimizer_seeds_and_memory_as_they_are():
    model = network()
    train(model)
    first = model.get_layer("first")
    first._memory["average"] = 0.5
    kept = [*model.weights, *model.optimizer.variables, first.seed_generator.state]
    values = arrays(kept)
    set_rates(model, RAMP)
    now = [*model.weights, *model.optimizer.variables, first.seed_generator.state]
    assert list(map(id, now)) == list(map(id, kept))
    assert_same(arrays(now), values)
    assert first._memory == {"average": 0.5}
    rates = [step["first"] for step in train(model, 3)]
    np.testing.assert_allclose(rates, [ramp_at(step) for step in range(3)], rtol=1e-6)
    assert first._memory == {"average": 0.5}


def test_same_schedule_starts_again():
    model = network(RAMP)
    train(model, 4)
    set_rates(model, {"first": RAMP})
    assert kdropout.rates(model)["first"] == 0.1
    assert train(model)[0]["first"] == pytest.approx(ramp_at(0))


@pytest.mark.skipif(BACKEND == "torch", reason="compiles nothing")
def test_only_another_rule_traces_the_step_again():
    model = network(kind=CountedModel)
    entered = []
    for rates in (0.2, {"first": 0.5}, RAMP, {"second": 0.3}, {"second": 0.1}):
        set_rates(model, rates)
        train(model, 2)
        entered.append(model.entered)
    traces = np.subtract(entered, entered[0])  # TensorFlow may trace the first twice
    assert traces.tolist() == [0, 0, 1, 2, 2]


def test_models_around_see_the_rule():
    inner = network()
    inputs = keras.Input((3,))
    outer = keras.Model(inputs, keras.layers.Rescaling(2.0)(inner(inputs)))
    outer.compile(keras.optimizers.SGD(0.001, momentum=0.9), "mse")
    train(outer)
    outer.evaluate(X, Y, verbose=0)
    set_rates(inner, {"first": LearnedRate(0.2, regularizer=0.1), "second": RAMP})
    rates = [step["network/second"] for step in train(outer, 3)]
    np.testing.assert_allclose(rates, [ramp_at(step) for step in range(3)], rtol=1e-6)
    assert len(outer.optimizer.momentums) == 7
    assert kdropout.rates(inner)["first"] != 0.2
    # The penalty of the learned rate is a part of the loss of an evaluation.
    error = np.mean((outer.predict(X, verbose=0) - Y) ** 2)
    outer(X)
    penalty = sum(float(numpy(loss)) for loss in outer.losses)
    loss = outer.evaluate(X, Y, batch_size=16, verbose=0)
    assert penalty < -1e-3
    assert loss == pytest.approx(error + penalty, rel=1e-5)


HOOKS = {
    "on_epoch_begin": 8,  # the number of steps with the schedule, of twelve
    "on_epoch_end": 4,
    "on_train_batch_begin": 7,
    "on_train_batch_end": 6,
    "on_test_batch_end": 4,
}


@pytest.mark.parametrize(
    "hook",
    [
        "on_train_batch_end",
        pytest.param("on_epoch_begin", marks=pytest.mark.slow),
        pytest.param("on_epoch_end", marks=pytest.mark.slow),
        pytest.param("on_train_batch_begin", marks=pytest.mark.slow),
        pytest.param("on_test_batch_end", marks=pytest.mark.slow),
    ],
)
def test_rule_acts_at_once_in_a_callback(hook):
    class SetOnce(keras.callbacks.Callback):
        calls = 0

        def set(self, index, logs=None):
            self.calls += 1
            if self.calls == {"on_train_batch_begin": 6, "on_train_batch_end": 6}.get(
                hook, 2
            ):
                set_rates(self.model, {"first": RAMP, "second": LearnedRate(0.2)})

    setattr(SetOnce, hook, SetOnce.set)
    model = network()
    model.fit(
        X,
        Y,
        batch_size=4,
        epochs=3,
        validation_data=(X[:4], Y[:4]),
        verbose=0,
        callbacks=[SetOnce()],
    )
    steps = HOOKS[hook]
    rates = kdropout.rates(model)
    assert rates["first"] == pytest.approx(ramp_at(steps - 1))
    assert rates["second"] != 0.2
    assert int(numpy(model.optimizer.iterations)) == 12
    assert len(model.optimizer.variables) == 2 + 2 * 7


OPTIMIZERS = {
    "SGD": functools.partial(keras.optimizers.SGD, momentum=0.9),
    "plain SGD": keras.optimizers.SGD,
    "Adam": functools.partial(keras.optimizers.Adam, amsgrad=True),
    "Adam with averages": functools.partial(
        keras.optimizers.AdamW, use_ema=True, gradient_accumulation_steps=2
    ),
    "RMSprop": functools.partial(keras.optimizers.RMSprop, momentum=0.9, centered=True),
    "Adadelta": keras.optimizers.Adadelta,
    "Adagrad": keras.optimizers.Adagrad,
    "Adamax": keras.optimizers.Adamax,
    "Nadam": keras.optimizers.Nadam,
    "Ftrl": keras.optimizers.Ftrl,
    "Lion": keras.optimizers.Lion,
    "Lamb": keras.optimizers.Lamb,
    "Adafactor": keras.optimizers.Adafactor,
    "scaled loss": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
    "schedule": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(0.1, 9)
    ),
}


# These have state of the same kinds as others.
LIKE_OTHERS = ("plain SGD", "Adam", "Adadelta", "Adagrad", "Adamax", "Lion", "Lamb")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LIKE_OTHERS else ())
        for name in OPTIMIZERS
    ],
)
def test_optimizer_keeps_its_state_when_a_learned_rate_comes_and_goes(name):
    optimizer = OPTIMIZERS[name]()
    model = network(optimizer=optimizer)
    optimizer.build(model.trainable_variables)
    for number, variable in enumerate(optimizer.variables):
        variable.assign(np.full(variable.shape, number + 2, variable.dtype))
    before, names = arrays(optimizer.variables), names_of(optimizer)
    set_rates(model, {"second": LearnedRate()})
    trained = list(map(id, model.trainable_variables))
    assert list(map(id, variables_of(optimizer))) == trained
    fresh = OPTIMIZERS[name]()
    fresh.build(model.trainable_variables)
    assert names_of(optimizer) == names_of(fresh)
    kept = [
        numpy(variable)
        for variable in optimizer.variables
        if not is_of_a_rate(variable)
    ]
    assert_same(kept, before)
    make_a_step(optimizer, model.trainable_variables)  # Keras knows them all
    values = arrays(optimizer.variables)
    is_kept = [not is_of_a_rate(variable) for variable in optimizer.variables]
    set_rates(model, {"second": 0.3})
    assert names_of(optimizer) == names
    assert_same(
        arrays(optimizer.variables),
        [value for value, kept in zip(values, is_kept, strict=True) if kept],
    )


def is_of_a_rate(variable):
    """Return whether state of an optimizer belongs to a rate that is learned."""
    # In Keras 3.8, the name of an accumulator is the same for all variables.
    is_accumulator = variable.name == "accumulator"
    return "rate_logit" in variable.path or (is_accumulator and variable.ndim == 0)


def make_a_step(optimizer, variables):
    gradients = [keras.ops.ones(variable.shape) for variable in variables]
    if BACKEND != "jax":
        optimizer.apply(gradients, variables)
        return
    # As in `fit` of JAX. `apply` of a LossScaleOptimizer does not work there.
    trained, state = [[v.value for v in g] for g in (variables, optimizer.variables)]
    trained, state = optimizer.stateless_apply(state, gradients, trained)
    values = zip([*variables, *optimizer.variables], [*trained, *state], strict=True)
    for variable, value in values:
        variable.assign(value)


def names_of(optimizer):
    """The paths without the optimizer and without the numbers of nameless ones."""
    paths = [path.split("/", 1)[-1] for path in paths_of(optimizer)]
    return ["" if path.startswith("variable") else path for path in paths]


def paths_of(optimizer):
    return [variable.path for variable in optimizer.variables]


def test_optimizers_of_parts_and_of_custom_loops_take_the_rate():
    # As in a GAN: each part has an optimizer, and the model around them has none.
    critic, maker = network(optimizer=None), network(optimizer=None)
    pair = keras.Sequential([keras.Input((3,)), maker])
    pair.critic = critic
    optimizers = [keras.optimizers.SGD(0.1, momentum=0.9) for _ in range(2)]
    for optimizer, part in zip(optimizers, (critic, maker), strict=True):
        optimizer.build(part.trainable_variables)
    set_rates(critic, {"first": LearnedRate()})
    make_a_step(optimizers[0], critic.trainable_variables)
    assert [len(optimizer.momentums) for optimizer in optimizers] == [7, 6]


class Unmakable(keras.optimizers.SGD):
    """Cannot be made from its configuration."""

    def __init__(self, required):
        super().__init__(0.1)


class WithTable(keras.optimizers.SGD):
    """Keeps state that is not a list for each variable."""

    def build(self, variables):
        super().build(variables)
        self.table = {"sum": self.add_variable((), name="sum")}


REFUSED = [lambda: Unmakable(1), WithTable]
if hasattr(keras.optimizers, "MultiOptimizer"):
    ADAM = keras.optimizers.Adam()
    REFUSED.append(lambda: keras.optimizers.MultiOptimizer(lambda variable: ADAM))


@pytest.mark.parametrize("make", REFUSED)
def test_learned_rate_is_refused_if_the_optimizer_cannot_take_it(make):
    model = network(optimizer=make())
    model.optimizer.build(model.trainable_variables)
    kept = everything(model)
    with pytest.raises(ValueError, match=r"Compile the model again, with a new optim"):
        set_rates(model, {"first": 0.9, "second": LearnedRate()})
    assert_kept(model, kept)
    set_rates(model, {"first": 0.9, "second": RAMP})  # trains no other variable
    model.compile("sgd", "mse")
    set_rates(model, {"second": LearnedRate()})


def test_learned_rate_is_refused_if_the_optimizer_trains_other_variables():
    model = network()
    model.optimizer.build(model.trainable_variables)
    model.get_layer("dense").trainable = False
    kept = everything(model)
    with pytest.raises(ValueError, match=r"'network', whose trainable variables chang"):
        set_rates(model, {"second": LearnedRate()})
    assert_kept(model, kept)


class FailsInSecond(rate_rules.RateRule):
    """Makes variables for one layer and fails in the next."""

    decided_by = "nobody"

    def build(self, layer):
        variables = {"rate": rate_rules.add_scalar(layer, "rate", 0.5)}
        if layer.name == "second":
            raise RuntimeError("no more variables")
        return variables


def everything(model):
    """The variables, their values, and what decides the rates."""
    owners = [model, model.optimizer]
    variables = [variable for owner in owners for variable in owner.variables]
    return [list(map(id, variables)), arrays(variables), decided_by(model)]


def assert_kept(model, before):
    now = everything(model)
    assert now[0] == before[0] and now[2] == before[2]
    assert_same(now[1], before[1])


def test_rule_that_fails_leaves_all_as_it_was():
    model = network(LearnedRate())
    train(model)
    kept = everything(model)
    with pytest.raises(RuntimeError, match="no more variables"):
        set_rates(model, FailsInSecond())
    assert_kept(model, kept)
    train(model)


def test_weights_keep_their_order_in_a_layer_with_other_weights():
    class Scaled(Dropout):
        def __init__(self, rate, **kwargs):
            super().__init__(rate, **kwargs)
            self.scale = self.add_weight(shape=(), name="scale")

    layers = Scaled(0.3, name="drop"), Scaled(LearnedRate(), name="drop")
    models = [keras.Sequential([keras.Input((3,)), layer]) for layer in layers]
    set_rates(models[0], LearnedRate())
    names = [[weight.name for weight in model.weights] for model in models]
    assert names[0] == names[1] == ["rate_logit", "scale"]


# Keras warns that it does not load the optimizer, which has another variable.
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
@pytest.mark.parametrize("after", RULES)
def test_files_from_before_load_after_and_the_reverse(after, tmp_path):
    before, path = network(RAMP), tmp_path / "model.weights.h5"
    train(before, 2)
    before.save_weights(path)
    model = network(RAMP)
    set_rates(model, {"first": RULES[after]})
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    kernel = model.get_layer("head").kernel
    np.testing.assert_array_equal(numpy(kernel), numpy(before.get_layer("head").kernel))
    # A schedule goes on from the step of the file.
    wanted = {"number": ramp_at(1), "schedule": ramp_at(1), "learned": 0.25}[after]
    assert kdropout.rates(model)["first"] == pytest.approx(wanted)
    steps = 0 if after == "learned" else 2
    assert int(numpy(model.optimizer.iterations)) == steps
    model.save_weights(path)
    before.load_weights(path)


@pytest.mark.parametrize(
    "after",
    [
        pytest.param("number", marks=pytest.mark.slow),
        pytest.param("schedule", marks=pytest.mark.slow),
        "learned",
    ],
)
def test_saved_model_continues_exactly(after, tmp_path):
    model = network(RAMP)
    train(model)
    set_rates(model, {"*": 0.2, "first": RULES[after]})
    train(model)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert decided_by(restored) == decided_by(model)
    assert train(restored, 2) == train(model, 2)
    assert_same(restored.get_weights(), model.get_weights())
    assert_same(arrays(restored.optimizer.variables), arrays(model.optimizer.variables))


def test_masks_and_mixed_precision_stay():
    drop = Dropout(0.3, name="drop", dtype="mixed_bfloat16")
    masking = keras.layers.Masking()
    model = keras.Sequential([keras.Input((5, 3)), masking, drop])
    set_rates(model, LearnedRate())
    assert {v.dtype for v in drop.rate_variables.values()} == {"float32"}
    set_rates(model, RAMP)
    assert drop.rate_variables["rate"].dtype == "float32"
    assert "int" in drop.rate_variables["step"].dtype
    x = np.ones((2, 5, 3), "float32")
    outputs = model(x, training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    # Keras 3.8 loses masks when it casts.
    plain = keras.layers.Dropout(0.3, dtype="mixed_bfloat16")(masking(x))
    assert has_mask(outputs) == has_mask(plain)


def has_mask(tensor):
    return getattr(tensor, "_keras_mask", None) is not None


def test_functions_and_callbacks_of_kdropout_see_the_rule():
    model = network(RAMP, 1e-7)
    x = np.ones((4, 3), "float32")
    assert kdropout.mc_predict(model, x, 20, seed=1).std.all()
    set_rates(model, 1e-7)
    assert not kdropout.mc_predict(model, x, 20, seed=1).std.any()
    scheduler = callbacks.RateScheduler(lambda epoch: 0.25)
    model.fit(X, Y, verbose=0, callbacks=[scheduler])
    assert kdropout.rates(model) == {"first": 0.25, "second": 0.25}
    assert decided_by(model) == ["RateScheduler"] * 2
    set_rates(model, Ramp(0.5, 0.5, 5))
    assert decided_by(model) == ["schedule Ramp"] * 2
    assert kdropout.mc_predict(model, x, 20, seed=1).std.all()
    with pytest.raises(ValueError, match="schedules or gradients decide all rates"):
        model.fit(X, Y, verbose=0, callbacks=[scheduler])
    plain = kdropout.strip(model)
    assert plain.get_layer("first").rate == 0.5


def test_search_starts_from_the_rule_and_may_replace_it():
    keras_tuner = pytest.importorskip("keras_tuner")
    from kdropout import tuning

    model = network()
    set_rates(model, {"first": RAMP})
    hp = keras_tuner.HyperParameters()
    ramps = tuning.Schedules(0.0, (0.0, 1.0), 5)
    tuning.tune_rates(hp, model, {"first": ramps, "second": (0.0, 0.5)})
    assert hp.get("rate/first/end") == 0.9
    set_rates(model, {"first": Cyclic(0.0, 0.5, 4)})
    assert decided_by(model) == ["schedule Cyclic", "you"]
    assert [step["first"] for step in train(model, 3)] == [0.0, 0.25, 0.5]


def test_learned_rate_is_a_parameter_for_pytorch_and_has_a_gradient():
    model = network()
    set_rates(model, {"first": LearnedRate(0.2, regularizer=0.1)})
    (logit,) = [v for v in model.trainable_variables if v.name == "rate_logit"]
    start = float(numpy(logit))
    train(model, 2)
    assert float(numpy(logit)) != start
    assert kdropout.rates(model)["first"] == pytest.approx(
        sigmoid(float(numpy(logit))), rel=1e-5
    )
    if BACKEND == "torch":
        assert any(parameter is logit.value for parameter in model.parameters())
        names = {name for name, _ in network(LearnedRate()).named_parameters()}
        assert len({name for name, _ in model.named_parameters()}) == len(names)


def test_rate_of_weights_is_learned_in_a_wrapper():
    wrapped = DropConnect(keras.layers.Dense(2), 0.3, name="drop")
    model = keras.Sequential([keras.Input((3,)), wrapped])
    set_rates(model, LearnedRate(0.4))
    assert kdropout.rates(model) == {"drop": 0.4}
    assert [weight.name for weight in model.weights][0] == "rate_logit"


@pytest.mark.skipif(BACKEND != "jax", reason="elsewhere Keras holds nothing")
def test_model_inside_one_that_trains_is_refused_between_batches_on_jax():
    inner = network()
    outer = keras.Sequential([keras.Input((3,)), inner])

    class SetInside(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            set_rates(inner, RAMP)

    outer.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match=r"In a callback, go through self\.model"):
        outer.fit(X, Y, verbose=0, callbacks=[SetInside()])
    assert decided_by(inner) == ["you", "you"]


@pytest.mark.parametrize("rate", [0.3, RAMP, LearnedRate()], ids=["0.3", "ramp", "l"])
@pytest.mark.parametrize(
    "make, words",
    [
        (ConcreteDropout, "by gradient, .* Use kdropout.layers.Dropout before the lay"),
        (Standout, "by inputs, .* Set 'alpha' and 'beta' of the layer instead"),
    ],
)
def test_layers_without_an_argument_rate_are_refused(make, words, rate):
    wrapped = make(keras.layers.Dense(2), name="wrapped")
    model = keras.Sequential([keras.Input((3,)), Dropout(0.5, name="drop"), wrapped])
    before = list(map(id, model.variables))
    with pytest.raises(TypeError, match=words):
        set_rates(model, rate)
    assert list(map(id, model.variables)) == before
    assert kdropout.rates(model)["drop"] == 0.5


def test_noise_without_a_mask_does_not_take_a_learned_rate():
    model = keras.Sequential([Dropout(0.5, name="a"), GaussianDropout(0.5, name="b")])
    with pytest.raises(TypeError, match="'rate' of GaussianDropout must be a number"):
        set_rates(model, LearnedRate())
    assert decided_by(model) == ["you", "you"]
    set_rates(model, RAMP)
    assert kdropout.rates(model) == {"a": 0.1, "b": 0.1}


def test_lambda_warns_once_as_in_the_constructor():
    model = model_with_rates(a=0.1, b=0.2)
    with pytest.warns(UserWarning, match="a model saved with it will not load") as seen:
        set_rates(model, lambda step: 0.5 + 0.0 * step)
    (warning,) = [one for one in seen if one.category is UserWarning]
    assert warning.filename == __file__
    assert kdropout.rates(model) == {"a": 0.5, "b": 0.5}


def test_assignment_names_set_rates():
    model = dropout_model(RAMP)
    with pytest.raises(
        TypeError, match=r"Call kdropout\.set_rates\(model, {path: rate"
    ):
        model.get_layer("drop").rate = 0.5
