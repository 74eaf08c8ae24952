"""Searches for a known answer: the score is a plain function of the rates.

There is no training. A trial goes through the engine to a model with live rates, and
`fit` returns the function of the current rates of this model.
"""

import itertools

import keras
import keras_tuner
import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

import kdropout
from kdropout import tuning
from kdropout.tuning import Rates

# The result of a search over given scores does not depend on the backend.
pytestmark = [pytest.mark.slow, pytest.mark.on_one_backend]

HIGH = 0.8
SEED = 1

# The layers of each hyperparameter, and the function to minimise.
CASES = {
    "two layers": (("a", "b"), lambda a, b: (a - 0.2) ** 2 + (b - 0.6) ** 2),
    "three layers": (
        ("a", "b", "c"),
        lambda a, b, c: (a - 0.6) ** 2 + 2 * (b - 0.2) ** 2 + (c - 0.4) ** 2,
    ),
    # Separately, "a" and "b" would be best at 0.2 and 0.6; tied, they are best at 0.4.
    "a tied group": (
        ("ab", "c"),
        lambda a, b, c: (a - 0.2) ** 2 + (b - 0.6) ** 2 + (c - 0.6) ** 2,
    ),
    # A narrow valley: the best "b" is 0.2, but for "a" = 0.2 it would be 0.44.
    "an interaction": (
        ("a", "b"),
        lambda a, b: (a + b - 0.8) ** 2 + 0.25 * (a - b - 0.4) ** 2,
    ),
    "an interaction of three": (
        ("a", "b", "c"),
        lambda a, b, c: (
            (a - 0.2) ** 2 + (b - 0.4) ** 2 + (c - 0.6) ** 2 + (a - 0.2) * (b - 0.4)
        ),
    ),
}
TWO = ("two layers", "a tied group", "an interaction")  # hyperparameters


class Planted(keras_tuner.HyperModel):
    """A model whose score is a function of its rates and improves with the epochs."""

    def __init__(self, name, step, direction):
        super().__init__()
        self.groups, self.score = CASES[name]
        self.sign = 1.0 if direction == "min" else -1.0
        self.space = {
            f"[{group}]": Rates(0.0, HIGH, step, tie="shared") for group in self.groups
        }

    def build(self, hp):
        names = sorted("".join(self.groups))
        drops = [kdropout.layers.Dropout(0.4, name=name) for name in names]
        model = keras.Sequential([keras.Input((2,)), *drops, keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return tuning.tune_rates(hp, model, self.space)

    def fit(self, hp, model, *args, epochs=1, **kwargs):
        score = self.score(**kdropout.rates(model)) + 1.0 / epochs
        return {"val_score": self.sign * score}


def layer_rates(groups, rates):
    """Return the rate of each layer from the rate of each group."""
    pairs = zip(groups, rates, strict=True)
    return {layer: rate for group, rate in pairs for layer in group}


class Search:
    """A finished search, with all settings that it could have found.

    `grid` has all settings. `distance` is by how many steps the best setting is away
    from the answer in the layer in which it is furthest.
    """

    def __init__(self, kind, name, step, folder, direction="min", **budget):
        self.tuner = kind(
            Planted(name, step, direction),
            keras_tuner.Objective("val_score", direction),
            seed=SEED,
            directory=folder,
            **budget,
        )
        with threadpool_limits(
            1
        ):  # threads only slow down such a small Gaussian process
            self.tuner.search(verbose=0)
        self.trials = self.tuner.oracle.trials.values()
        groups, score = CASES[name]
        points = np.linspace(0.0, HIGH, round(HIGH / step) + 1)
        self.grid = [
            layer_rates(groups, rates)
            for rates in itertools.product(points, repeat=len(groups))
        ]
        self.scores = np.array([score(**rates) for rates in self.grid])
        answer = self.grid[self.scores.argmin()]
        self.steps_away = np.array(
            [max(abs(r[k] - answer[k]) for k in r) / step for r in self.grid]
        )
        best = self.tuner.hypermodel.build(self.tuner.get_best_hyperparameters()[0])
        found = kdropout.rates(best)
        self.distance = max(abs(found[k] - answer[k]) for k in answer) / step

    @property
    def num_different(self):
        """Count the different settings that were tried."""
        values = [trial.hyperparameters.values for trial in self.trials]
        rates = [[v[k] for k in sorted(v) if k.startswith("rate/")] for v in values]
        return len(set(map(tuple, rates)))

    def chance(self, num_drawn):
        """Return the probability that as many random settings lead within a step.

        No setting is drawn twice. They lead within a step if one of them has a score
        that none further away has.
        """
        further = self.scores[self.steps_away > 1.01].min()
        num_good = int((self.scores < further).sum())
        return 1.0 - stats.hypergeom(len(self.grid), num_good, num_drawn).pmf(0)


@pytest.mark.parametrize("name", CASES)
def test_grid_search_finds_the_answer_itself(name, tmp_path):
    search = Search(tuning.GridSearch, name, 0.2, tmp_path)
    assert len(search.trials) == search.num_different == len(search.grid)
    assert search.distance == pytest.approx(0.0, abs=1e-6)


def test_answer_may_be_a_maximum(tmp_path):
    search = Search(tuning.GridSearch, "an interaction", 0.2, tmp_path, "max")
    assert search.distance == pytest.approx(0.0, abs=1e-6)


# 20 of 25 settings of two rates in steps of 0.2, or 64 of 125 settings of three. Less
# than one in a million of these searches fails to come within a step.
@pytest.mark.parametrize("name", CASES)
def test_random_search_comes_within_a_step(name, tmp_path):
    budget = 20 if name in TWO else 64
    search = Search(tuning.RandomSearch, name, 0.2, tmp_path, max_trials=budget)
    assert len(search.trials) == search.num_different == budget
    assert search.chance(budget) > 1.0 - 1e-6
    assert search.distance < 1.01


# Up to 9 epochs, the brackets begin with 9 + 5 + 3 settings of two rates; up to 27
# epochs, with 27 + 12 + 6 + 4 settings of three. Less than one search in 10,000 fails.
@pytest.mark.parametrize("name", CASES)
def test_hyperband_comes_within_a_step(name, tmp_path):
    epochs, num_begun = (9, 17) if name in TWO else (27, 49)
    search = Search(tuning.Hyperband, name, 0.2, tmp_path, max_epochs=epochs, factor=3)
    assert search.num_different == num_begun < len(search.trials)
    assert search.chance(num_begun) > 1.0 - 1e-4
    assert search.distance < 1.01


# 14 or 18 of 289 settings of two rates in steps of 0.05, or 24 of 4,913 settings of
# three. At random, most of these searches would not come within a step.
@pytest.mark.parametrize(
    "name, budget",
    [
        ("two layers", 14),
        ("a tied group", 14),
        ("an interaction", 18),
        ("an interaction of three", 24),
    ],
)
def test_bayesian_optimization_comes_within_a_step_unlike_random_draws(
    name, budget, tmp_path
):
    search = Search(
        tuning.BayesianOptimization, name, 0.05, tmp_path, max_trials=budget
    )
    assert len(search.trials) == search.num_different == budget
    assert search.chance(budget) < 0.4
    assert search.distance < 1.01
