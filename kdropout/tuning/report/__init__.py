"""The answer of a search over dropout rates: which are best, and do they help?"""

from kdropout.tuning.report.candidates import choose_candidates
from kdropout.tuning.report.confirm import confirm
from kdropout.tuning.report.confirmation import Confirmation
from kdropout.tuning.report.markdown import save_without_answer
from kdropout.tuning.report.plain_data import scores_from_plain, scores_to_plain
from kdropout.tuning.report.report import Report
from kdropout.tuning.report.trial_record import TrialRecord
from kdropout.tuning.report.trials import NoCompletedTrial

__all__ = [
    "Confirmation",
    "NoCompletedTrial",
    "Report",
    "TrialRecord",
    "choose_candidates",
    "confirm",
    "save_without_answer",
    "scores_from_plain",
    "scores_to_plain",
]
