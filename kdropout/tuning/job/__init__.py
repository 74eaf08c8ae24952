"""A search as a YAML file: model, data, space, budget and output."""

from kdropout.tuning.job.checks import Checked
from kdropout.tuning.job.data import Data, Description
from kdropout.tuning.job.errors import InvalidSetting, JobError, Problem
from kdropout.tuning.job.job import Job
from kdropout.tuning.job.limited_metric import LimitedMetric
from kdropout.tuning.job.load import load_job
from kdropout.tuning.job.model_builder import ModelBuilder

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
