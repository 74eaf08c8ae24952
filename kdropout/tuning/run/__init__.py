"""Runs a job: search, confirmation, report."""

from kdropout.tuning.run.load_report import load_report
from kdropout.tuning.run.run_job import run_job

__all__ = ["load_report", "run_job"]
