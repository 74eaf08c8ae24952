"""Jobs: searches that a YAML file describes, from the model to the output."""

from kdropout.tuning.job.data import Data, Description
from kdropout.tuning.job.errors import InvalidSetting, JobError, Problem
from kdropout.tuning.job.job import Checked, Job
from kdropout.tuning.job.models import ModelBuilder
from kdropout.tuning.job.objective import LimitedMetric
from kdropout.tuning.job.reading import load_job

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
