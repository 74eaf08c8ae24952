"""A search as a YAML file: model, data, space, budget and output."""

import sys

from kdropout.tuning.job import models, uci_network
from kdropout.tuning.job.data import Data, Description
from kdropout.tuning.job.errors import InvalidSetting, JobError, Problem
from kdropout.tuning.job.job import Checked, Job, LimitedMetric
from kdropout.tuning.job.models import ModelBuilder
from kdropout.tuning.job.reading import load_job

# Keras imports a class that is not loaded yet by the module that a saved model names.
# Models of kdropout 0.1 name these two, which are parts of larger modules now.
sys.modules[f"{__name__}.position_embedding"] = models
sys.modules[f"{__name__}.live_weight_decay"] = uci_network

__all__ = [
    "Checked",
    "Data",
    "Description",
    "InvalidSetting",
    "Job",
    "JobError",
    "LimitedMetric",
    "ModelBuilder",
    "Problem",
    "load_job",
]
