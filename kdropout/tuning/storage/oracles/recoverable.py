"""An oracle of KerasTuner that cannot lose what it knows."""

import keras_tuner

from kdropout.tuning.storage.oracles.bayesian_optimization import (
    BayesianOptimizationOracle,
)
from kdropout.tuning.storage.oracles.grid_search import GridSearchOracle
from kdropout.tuning.storage.oracles.hyperband import HyperbandOracle
from kdropout.tuning.storage.oracles.random_search import RandomSearchOracle

_KINDS = {
    keras_tuner.oracles.RandomSearchOracle: RandomSearchOracle,
    keras_tuner.oracles.BayesianOptimizationOracle: BayesianOptimizationOracle,
    keras_tuner.oracles.HyperbandOracle: HyperbandOracle,
    keras_tuner.oracles.GridSearchOracle: GridSearchOracle,
}


def recoverable(oracle):
    """`oracle` as one that can be taken up again, if there is one for its class."""
    kind = _KINDS.get(type(oracle))
    if kind is None:
        return oracle
    stored = object.__new__(kind)
    vars(stored).update(vars(oracle))
    return stored
