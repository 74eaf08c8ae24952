"""`Rates` declares the values that a search chooses from."""

import dataclasses

import keras_tuner
import numpy as np
import pytest

from kdropout.tuning import Rates
from kdropout.tuning.space.groups import Hyperparameter

# Decimal steps that binary fractions miss, in both directions.
GRIDS = [(0.0, 0.5, 0.1), (0.0, 0.3, 0.1), (0.1, 0.7, 0.1), (0.05, 0.95, 0.05)]


def declared(rates, own=0.0):
    """Return the hyperparameter that KerasTuner has after the declaration."""
    hp = keras_tuner.HyperParameters()
    Hyperparameter("rate/a", rates, "a").declare(hp, "", own)
    (known,) = hp.space
    return known


@pytest.mark.parametrize("low, high, step", GRIDS)
def test_linear_grid_has_every_point_and_both_ends(low, high, step):
    rates = Rates(low, high, step=step)
    number = int(round((high - low) / step)) + 1
    assert rates.grid == pytest.approx(np.linspace(low, high, number), abs=1e-12)
    assert (rates.grid[0], rates.grid[-1]) == (low, high)


@pytest.mark.parametrize("low, high, step", GRIDS)
def test_keras_tuner_maps_each_point_of_a_grid_to_itself(low, high, step):
    known = declared(Rates(low, high, step=step))
    for index, point in enumerate(known.values):
        share = known.value_to_prob(point)
        assert share == pytest.approx((index + 0.5) / len(known.values))
        assert known.prob_to_value(share) == point


def test_logarithmic_grids_have_every_point():
    assert Rates(0.01, 0.64, step=4, sampling="log").grid == (0.01, 0.04, 0.16, 0.64)
    reverse = Rates(0.01, 0.64, step=4, sampling="reverse_log")
    assert reverse.grid == pytest.approx((0.01, 0.49, 0.61, 0.64), abs=1e-12)


def test_range_has_no_grid_and_is_declared_with_its_bounds_and_sampling():
    assert Rates().grid is None
    for sampling in ("linear", "log", "reverse_log"):
        known = declared(Rates(0.01, 0.5, sampling=sampling), own=0.2)
        assert isinstance(known, keras_tuner.engine.hyperparameters.Float)
        assert (known.min_value, known.max_value) == (0.01, 0.5)
        assert (known.sampling, known.step, known.default) == (sampling, None, 0.2)


def test_only_the_listed_values_are_chosen_in_order():
    rates = Rates(values=[0.1, 0.005, 0.05, 0.01])
    assert rates.grid == (0.005, 0.01, 0.05, 0.1)
    assert (rates.low, rates.high) == (0.005, 0.1)
    assert declared(rates).values == [0.005, 0.01, 0.05, 0.1]


@pytest.mark.parametrize(
    "rates, own, default",
    [
        (Rates(0.1, 0.6), 0.3, 0.3),
        (Rates(0.1, 0.6), 0.0, 0.1),
        (Rates(0.1, 0.6), 0.9, 0.6),
        (Rates(0.0, 0.5, step=0.1), 0.27, 0.3),
        (Rates(0.0, 0.5, step=0.1), 0.9, 0.5),
        (Rates(values=(0.005, 0.05, 0.1)), 0.06, 0.05),
        (Rates(0.1, 0.6, default=0.2), 0.5, 0.2),
        (Rates(0.0, 0.5, step=0.1, default=0.3), 0.0, 0.3),
    ],
)
def test_default_is_the_first_value_or_that_nearest_to_the_layer(rates, own, default):
    assert declared(rates, own).default == default


def test_equal_ranges_have_equal_domains_for_all_defaults_and_ties():
    assert Rates(0, 0.5).domain == Rates(0.0, 0.5, default=0.1, tie="shared").domain
    assert Rates(0, 0.5).domain != Rates(0, 0.5, step=0.1).domain
    assert Rates(0, 0.5).domain != Rates(0, 0.6).domain


def test_rates_are_immutable_and_can_be_copied():
    rates = Rates(values=(0.1, 0.2))
    with pytest.raises(dataclasses.FrozenInstanceError):
        rates.low = 0.3
    copy = dataclasses.replace(rates, tie="shared")
    assert (copy.grid, copy.tie) == ((0.1, 0.2), "shared")
    assert hash(Rates(0, 0.5)) == hash(Rates(0.0, 0.5))
