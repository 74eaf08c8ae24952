"""The report of a search: the best dropout rates, and whether they help."""

from kdropout.tuning.report.confirmation import (
    Confirmation,
    CrossValidation,
    choose_candidates,
    confirm,
    scores_from_plain,
    scores_to_plain,
)
from kdropout.tuning.report.markdown import save_without_answer
from kdropout.tuning.report.records import NoCompletedTrial, TrialRecord
from kdropout.tuning.report.report import Report

__all__ = [
    "Confirmation",
    "CrossValidation",
    "NoCompletedTrial",
    "Report",
    "TrialRecord",
    "choose_candidates",
    "confirm",
    "save_without_answer",
    "scores_from_plain",
    "scores_to_plain",
]
