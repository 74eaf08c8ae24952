"""Search for the best dropout rate of each layer, with KerasTuner."""

# ruff: noqa: E402, so that a missing package is named before one of the modules needs it
from kdropout._requirements import SEARCH_PACKAGES, check_packages, is_installed

check_packages("kdropout.tuning", SEARCH_PACKAGES, "tuner", is_installed)

from kdropout.tuning.budget import MedianStopping
from kdropout.tuning.confirmation_run import confirm, report_of
from kdropout.tuning.job import Job, JobError, load_job
from kdropout.tuning.job.run import load_report, run_job
from kdropout.tuning.report import Report
from kdropout.tuning.space import RatePlan, Rates, Schedules, plan_of
from kdropout.tuning.tune_rates import tune_rates
from kdropout.tuning.tuners import (
    BayesianOptimization,
    GridSearch,
    Hyperband,
    RandomSearch,
    SuccessiveHalving,
)

__all__ = [
    "BayesianOptimization",
    "GridSearch",
    "Hyperband",
    "Job",
    "JobError",
    "MedianStopping",
    "RandomSearch",
    "RatePlan",
    "Rates",
    "Report",
    "Schedules",
    "SuccessiveHalving",
    "confirm",
    "load_job",
    "load_report",
    "plan_of",
    "report_of",
    "run_job",
    "tune_rates",
]


def __dir__():
    return __all__
