"""KerasTuner's tuners, many times faster where trials differ in rates alone."""

from kdropout.tuning.tuners.bayesian_optimization import BayesianOptimization
from kdropout.tuning.tuners.grid_search import GridSearch
from kdropout.tuning.tuners.hyperband import Hyperband
from kdropout.tuning.tuners.random_search import RandomSearch

__all__ = ["BayesianOptimization", "GridSearch", "Hyperband", "RandomSearch"]
