"""Schedules follow their formulas and never leave [0, 1]."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import layers, schedules
from kdropout.schedules import (
    Curriculum,
    Cyclic,
    EarlyDropout,
    Join,
    LateDropout,
    Ramp,
    depth_rates,
)

# Four float32 roundings of numbers up to 1 are 2.4e-7; the cosine's argument, up to
# pi, adds 2e-7.
TOLERANCE = 1e-6


def share(step, begin, steps):
    return np.minimum(np.maximum((step - begin) / steps, 0.0), 1.0)


def cyclic(low, high, period):
    return lambda t: np.interp(t % period, [0.0, period / 2, period], [low, high, low])


def early(rate, steps):
    rates = np.append(np.linspace(rate, 0.0, steps), 0.0)
    return lambda t: rates[np.minimum(t, steps).astype(int)]


# Schedules with their formulas, which take the step in float64.
FORMULAS = [
    (Ramp(0.1, 0.7, 10), lambda t: 0.1 + 0.6 * share(t, 0, 10)),
    (Ramp(0.5, 0.0, 7, begin=5), lambda t: 0.5 * (1 - share(t, 5, 7))),
    (Ramp(0.0, 1.0, 1), lambda t: np.where(t < 1, 0.0, 1.0)),
    (
        Ramp(0.8, 0.2, 9, begin=3, curve="cosine"),
        lambda t: 0.2 + 0.6 * np.cos(np.pi / 2 * share(t, 3, 9)) ** 2,
    ),
    (
        Ramp(0.01, 0.9, 12, begin=1, curve="exponential"),
        lambda t: np.geomspace(0.01, 0.9, 13)[np.clip(t - 1, 0, 12).astype(int)],
    ),
    (
        Ramp(0.9, 0.3, 4, curve="exponential"),
        lambda t: 0.9 ** (1 - share(t, 0, 4)) * 0.3 ** share(t, 0, 4),
    ),
    (Curriculum(0.5, gamma=0.1), lambda t: 0.5 - 0.5 * np.exp(-0.1 * t)),
    (Curriculum(1.0, gamma=1e-3), lambda t: 1.0 - np.exp(-1e-3 * t)),
    (EarlyDropout(0.6, 10), early(0.6, 10)),
    (EarlyDropout(0.6, 2), early(0.6, 2)),
    (EarlyDropout(0.6, 8, curve="constant"), lambda t: np.where(t < 8, 0.6, 0.0)),
    (EarlyDropout(0.6, 1, curve="constant"), lambda t: np.where(t < 1, 0.6, 0.0)),
    (LateDropout(0.3, 8), lambda t: np.where(t < 8, 0.0, 0.3)),
    (Cyclic(0.1, 0.9, 10), cyclic(0.1, 0.9, 10)),
    (Cyclic(0.0, 0.5, 7), cyclic(0.0, 0.5, 7)),
    (
        Join([Ramp(0.0, 0.4, 5), 0.2, Cyclic(0.1, 0.3, 4)], [8, 11]),
        lambda t: np.select(
            [t < 8, t < 11],
            [0.4 * share(t, 0, 5), 0.2],
            cyclic(0.1, 0.3, 4)(np.maximum(t - 11, 0)),
        ),
    ),
    (Join([0.7], []), lambda t: np.full(np.shape(t), 0.7)),
]
IDS = [repr(schedule) for schedule, _ in FORMULAS]


def at(schedule, steps):
    """Return the values at many steps at once, with steps as a layer gives them."""
    steps = ops.convert_to_tensor(np.asarray(steps, "float32"))
    rates = ops.convert_to_numpy(ops.cast(schedule(steps), "float32"))
    return np.broadcast_to(rates, steps.shape)


@pytest.mark.parametrize("schedule, formula", FORMULAS, ids=IDS)
def test_schedule_follows_its_formula_at_every_step(schedule, formula):
    steps = np.arange(60)
    wanted = formula(steps.astype("float64"))
    np.testing.assert_allclose(at(schedule, steps), wanted, atol=TOLERANCE, rtol=0)


# Lengths from the papers: 300 epochs of 100 steps; the phase ends at epoch 50.
EPOCH, TRAINING = 100, 30_000
RECIPES = [
    (
        Curriculum(0.5, gamma=10 / TRAINING),
        lambda t: 0.5 * (1 - np.exp(-10 * t / TRAINING)),
    ),
    (Curriculum(0.5, gamma=1e-3), lambda t: 0.5 - 0.5 * np.exp(-1e-3 * t)),
    (EarlyDropout(0.1, 50 * EPOCH), early(0.1, 50 * EPOCH)),
    (
        EarlyDropout(0.1, 50 * EPOCH, curve="constant"),
        lambda t: np.where(t < 50 * EPOCH, 0.1, 0.0),
    ),
    (LateDropout(0.4, 50 * EPOCH), lambda t: np.where(t < 50 * EPOCH, 0.0, 0.4)),
    # Annealed dropout, and scheduled drop path in the third of five blocks.
    (Ramp(0.5, 0.0, TRAINING), lambda t: 0.5 * np.maximum(0, 1 - t / TRAINING)),
    (Ramp(0.0, 3 / 5 * 0.4, TRAINING), lambda t: np.minimum(1, t / TRAINING) * 0.24),
]


@pytest.mark.parametrize(
    "schedule, formula", RECIPES, ids=[repr(schedule) for schedule, _ in RECIPES]
)
def test_schedule_follows_its_formula_over_a_whole_training(schedule, formula):
    steps = np.arange(TRAINING + EPOCH)
    wanted = formula(steps.astype("float64"))
    np.testing.assert_allclose(at(schedule, steps), wanted, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("schedule, formula", FORMULAS, ids=IDS)
def test_layer_has_the_rate_of_the_formula_at_every_training_call(schedule, formula):
    layer = layers.Dropout(schedule)
    x = np.ones((1, 1), "float32")
    rates = []
    for _ in range(16):
        layer(x, training=True)
        rates.append(layer.rate)
    wanted = formula(np.arange(16.0))
    np.testing.assert_allclose(rates, wanted, atol=TOLERANCE, rtol=0)


def test_step_may_be_of_any_number_type():
    steps = [6, 6.0, np.int64(6), ops.cast(6, "int32"), ops.cast(6, "float32")]
    for schedule, formula in FORMULAS:
        wanted = float(formula(np.array(6.0)))
        rates = [float(schedule(step)) for step in steps]
        assert rates == pytest.approx([wanted] * 5, abs=TOLERANCE), schedule


def random_rate(rng):
    """Draw rates where rounding matters: the ends, their neighbours, and others."""
    near_0, near_1 = rng.random() ** 8, 1.0 - rng.random() ** 8
    edges = [0.0, 1.0, near_0, near_1, rng.random(), 1e-8, 1 - 1e-8, 1 - 2.0**-24]
    return float(rng.choice(edges))


def random_steps(rng):
    return int(rng.choice([1, 2, 3, rng.integers(2, 300), rng.integers(2, 2**31)]))


def random_ramp(rng, curve, begin=None):
    begin = int(rng.choice([0, 1, rng.integers(2**31)])) if begin is None else begin
    start, end = random_rate(rng), random_rate(rng)
    if curve == "exponential":
        start, end = start or 0.3, end or 1.0
    steps = min(random_steps(rng), 2**31 - 1 - begin)
    return Ramp(start, end, max(steps, 1), begin=begin, curve=curve)


def random_join(rng):
    parts = [
        random_ramp(rng, "cosine"),
        random_rate(rng),
        random_schedule["cyclic"](rng),
    ]
    return Join(parts, sorted(rng.choice(2**31 - 1, 2, replace=False) + 1))


random_schedule = {
    "linear": lambda rng: random_ramp(rng, "linear"),
    "cosine": lambda rng: random_ramp(rng, "cosine"),
    "exponential": lambda rng: random_ramp(rng, "exponential"),
    "cyclic": lambda rng: Cyclic(
        *sorted([random_rate(rng), random_rate(rng)]), max(random_steps(rng), 2)
    ),
    "curriculum": lambda rng: Curriculum(
        float(rng.choice([1.0, random_rate(rng)])), float(10 ** rng.uniform(-9, 3))
    ),
    "early": lambda rng: EarlyDropout(random_rate(rng), max(random_steps(rng), 2)),
    "late": lambda rng: LateDropout(random_rate(rng), random_steps(rng)),
    "join": random_join,
}
KINDS = list(random_schedule)


def probe_steps(schedule, rng):
    """Return all early steps, powers of two up to 2**31, and corners of a schedule."""
    begin, steps = getattr(schedule, "begin", 0), getattr(schedule, "steps", 1000)
    steps = getattr(schedule, "period", steps)
    corners = begin + np.outer([0, 0.25, 0.5, 0.75, 1, 2], [steps]) + np.arange(-2, 3)
    inside = begin + rng.random(300) * steps
    powers = 2.0 ** np.arange(32)
    anywhere = rng.integers(0, 2**31, 300)
    steps = [np.arange(100), powers - 1, powers, corners.ravel(), inside, anywhere]
    steps = np.clip(np.concatenate(steps), 0, 2**31).astype("int64")
    return np.resize(np.unique(steps), 800)  # one shape, so that JAX compiles once


def assert_in_unit_interval(rates, schedule, steps):
    outside = ~((rates >= 0.0) & (rates <= 1.0))  # True only if no value is NaN
    found = list(zip(steps[outside], rates[outside] - 1.0, strict=True))
    assert not found, f"{schedule!r} at (step, rate - 1): {found[:3]}"


@pytest.mark.parametrize("kind", KINDS)
def test_schedule_leaves_the_unit_interval_by_not_one_float(kind):
    rng = np.random.default_rng(0)
    for _ in range(300):
        schedule = random_schedule[kind](rng)
        steps = probe_steps(schedule, rng)
        assert_in_unit_interval(at(schedule, steps), schedule, steps)


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="PyTorch computes what it does eagerly"
)
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_schedule_stays_in_the_unit_interval(kind):
    # XLA fuses and contracts operations, which changes the rounding.
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        def compiled(function):
            return tf.function(function, jit_compile=True)
    else:
        import jax

        compiled = jax.jit

    rng = np.random.default_rng(1)
    chosen = [random_schedule[kind](rng) for _ in range(12)]
    steps = np.unique(np.concatenate([probe_steps(s, rng) for s in chosen]))
    evaluate = compiled(
        lambda steps: ops.stack(
            [ops.broadcast_to(s(steps), ops.shape(steps)) for s in chosen]
        )
    )
    rates = ops.convert_to_numpy(
        evaluate(ops.convert_to_tensor(steps.astype("float32")))
    )
    for schedule, row in zip(chosen, rates, strict=True):
        assert_in_unit_interval(row, schedule, steps)


@pytest.mark.parametrize(
    "curve",
    ["linear", "cosine", "exponential"],
)
def test_ramp_reaches_its_ends_exactly_and_stays_between(curve):
    rng = np.random.default_rng(2)
    for _ in range(60):
        ramp = random_ramp(rng, curve, begin=int(rng.integers(2**23)))
        start, end = np.float32(ramp.start), np.float32(ramp.end)
        arrival = ramp.begin + ramp.steps
        steps = probe_steps(ramp, rng)
        rates = at(ramp, steps)
        assert (rates[steps <= ramp.begin] == start).all(), ramp
        assert (rates[steps >= 2 * arrival] == end).all(), ramp
        if arrival <= 2**24:  # the step arrives as float32, which represents it exactly
            assert at(ramp, [arrival]) == end, ramp
        # A sum of two products may exceed an end by one float.
        low, high, spacing = (
            min(start, end),
            max(start, end),
            np.spacing(max(start, end)),
        )
        assert ((rates >= low - spacing) & (rates <= high + spacing)).all(), ramp


def test_exponential_ramp_from_tiny_rate_stays_finite():
    rates = at(Ramp(1e-40, 1.0, 10, curve="exponential"), np.arange(12))
    assert ((rates >= 0.0) & (rates <= 1.0)).all()


def test_cycle_reaches_low_and_high_exactly():
    rates = at(Cyclic(0.1, 0.7, 6), [0, 3, 6, 9, 6 * 10**6, 6 * 10**6 + 3])
    assert rates.tolist() == [np.float32(0.1), np.float32(0.7)] * 3


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_curriculum_starts_at_zero_and_rises_to_its_rate(rate):
    rates = at(Curriculum(rate, gamma=1e-2), np.arange(5000))
    assert rates[0] == 0.0
    assert (np.diff(rates) >= -TOLERANCE).all()
    assert rates[-1] == np.float32(rate)


def test_curriculum_begins_without_cancellation():
    # In float32, 1 - exp(-1e-9) would be 0.
    assert float(Curriculum(0.5, gamma=1e-9)(1)) == pytest.approx(5e-10, rel=1e-6)


@pytest.mark.parametrize(
    "schedule",
    [
        Ramp(0.2, 0.5, 10, begin=2**31),
        Ramp(0.2, 0.5, 2**31),
        EarlyDropout(0.2, 2**31 + 1),
        LateDropout(0.2, 2**31),
        Cyclic(0.2, 0.5, 2**32),
        Join([0.2, 0.5], [2**31]),
    ],
    ids=repr,
)
def test_boundaries_may_be_as_large_as_step_counters(schedule):
    early, late = at(schedule, [0, 2**32])
    wanted = {"LateDropout": 0.0}.get(type(schedule).__name__, 0.2)
    assert early == np.float32(wanted)
    ends = {"EarlyDropout": 0.0, "LateDropout": 0.2, "Cyclic": 0.2}
    assert late == np.float32(ends.get(type(schedule).__name__, 0.5))


def round_trip_of_objects(schedule):
    config = keras.saving.serialize_keras_object(schedule)
    return keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))


def round_trip_of_keras_schedules(schedule):
    config = keras.optimizers.schedules.serialize(schedule)
    return keras.optimizers.schedules.deserialize(
        json.loads(json.dumps(config)), custom_objects=vars(schedules)
    )


@pytest.mark.parametrize(
    "round_trip", [round_trip_of_objects, round_trip_of_keras_schedules]
)
def test_schedule_survives_serialization(round_trip):
    for schedule, formula in FORMULAS:
        restored = round_trip(schedule)
        assert type(restored) is type(schedule)
        assert restored.get_config() == schedule.get_config()
        rates, wanted = at(restored, np.arange(20)), formula(np.arange(20.0))
        np.testing.assert_allclose(rates, wanted, atol=TOLERANCE, err_msg=schedule)


def test_config_holds_the_constructor_arguments():
    assert Ramp(0.5, 0, 10, curve="cosine").get_config() == {
        "start": 0.5,
        "end": 0.0,
        "steps": 10,
        "begin": 0,
        "curve": "cosine",
    }
    assert Curriculum(0.5, 1).get_config() == {"rate": 0.5, "gamma": 1.0}
    assert Cyclic(0, 1, 4).get_config() == {"low": 0.0, "high": 1.0, "period": 4}


def test_curve_may_be_named_shape_as_in_version_0_1():
    with pytest.warns(DeprecationWarning, match="'shape' of Ramp .* is 'curve' now"):
        ramp = Ramp(0.5, 0.1, 10, shape="cosine")
    with pytest.warns(DeprecationWarning, match="'shape' of EarlyDropout"):
        early = EarlyDropout(0.5, 1, shape="constant")
    with pytest.warns(DeprecationWarning, match="attribute 'shape' of Ramp"):
        assert ramp.shape == "cosine"
    assert (ramp.curve, early.curve) == ("cosine", "constant")
    assert "shape" not in repr(ramp)


def test_curve_and_shape_together_are_refused():
    with pytest.raises(ValueError, match="'shape' is the old name of 'curve'"):
        Ramp(0.5, 0.1, 10, curve="linear", shape="cosine")
    with pytest.raises(ValueError, match="'shape' is the old name of 'curve'"):
        EarlyDropout(0.5, 10, "linear", shape="linear")


def test_config_of_version_0_1_loads_without_a_warning():
    config = {"start": 0.5, "end": 0.1, "steps": 10, "begin": 2, "shape": "cosine"}
    ramp = Ramp(0.5, 0.1, 10, begin=2, curve="cosine")
    assert Ramp.from_config(config).get_config() == ramp.get_config()
    config = {"rate": 0.5, "steps": 1, "shape": "constant"}
    assert EarlyDropout.from_config(config).curve == "constant"


def test_repr_is_the_constructor_call():
    assert repr(LateDropout(0.3, 8)) == "LateDropout(rate=0.3, steps=8)"
    for schedule, _ in FORMULAS:
        copy = eval(repr(schedule), vars(schedules).copy())
        assert type(copy) is type(schedule)
        assert copy.get_config() == schedule.get_config()


def test_schedule_works_as_learning_rate():
    for schedule, formula in FORMULAS:
        optimizer = keras.optimizers.SGD(learning_rate=schedule)
        weight = keras.Variable(0.0, dtype="float32")
        for _ in range(14):
            optimizer.apply([ops.ones(())], [weight])
        travelled = -float(ops.convert_to_numpy(weight))
        wanted = float(np.sum(formula(np.arange(14.0))))
        assert travelled == pytest.approx(wanted, abs=14 * TOLERANCE), schedule


@pytest.mark.parametrize("first, last", [(0.0, 0.2), (0.1, 0.8), (0.6, 0.1), (1, 1)])
@pytest.mark.parametrize("depth", [2, 3, 12, 101])
def test_depth_rates_are_evenly_spaced(depth, first, last):
    rates = depth_rates(depth, last, first=first)
    np.testing.assert_allclose(rates, np.linspace(first, last, depth), atol=1e-15)
    assert (rates[0], rates[-1]) == (first, last)
    assert all(type(rate) is float and 0.0 <= rate <= 1.0 for rate in rates)


def test_depth_rates_start_at_zero_and_give_a_single_block_the_last():
    assert depth_rates(3, 0.5) == [0.0, 0.25, 0.5]
    assert depth_rates(1, 0.5, first=0.1) == [0.5]


def test_depth_rates_follow_stochastic_depth_if_first_is_a_share_of_last():
    # Huang et al. 2016: block l of L drops with l / L * p_L.
    wanted = [0.5 * block / 54 for block in range(1, 55)]
    np.testing.assert_allclose(depth_rates(54, 0.5, first=0.5 / 54), wanted, atol=1e-15)


def test_rate_schedule_subclass_needs_only_arguments_and_formula():
    class Halving(schedules.RateSchedule):
        def __init__(self, rate, steps):
            self.rate, self.steps = rate, steps

        def __call__(self, step):
            return self.rate * 0.5 ** (ops.cast(step, "float32") / self.steps)

    halving = Halving(0.8, steps=2)
    assert halving.get_config() == {"rate": 0.8, "steps": 2}
    assert repr(halving) == "Halving(rate=0.8, steps=2)"
    assert float(halving(2)) == pytest.approx(0.4)
    restored = Halving.from_config(halving.get_config())
    assert float(restored(4)) == pytest.approx(0.2)
