"""The best rate for each layer: searches with KerasTuner, compiled once."""

from kdropout.tuning.space import RatePlan, Rates, Schedules, plan_of
from kdropout.tuning.tune_rates import tune_rates
from kdropout.tuning.tuners import (
    BayesianOptimization,
    GridSearch,
    Hyperband,
    RandomSearch,
)

__all__ = [
    "BayesianOptimization",
    "GridSearch",
    "Hyperband",
    "RandomSearch",
    "RatePlan",
    "Rates",
    "Schedules",
    "plan_of",
    "tune_rates",
]
