"""Schedules: the rate as a function of the step. Stateless, serialisable."""

from kdropout.schedules.base import RateSchedule
from kdropout.schedules.curriculum import Curriculum
from kdropout.schedules.cyclic import Cyclic
from kdropout.schedules.depth import depth_rates
from kdropout.schedules.early_dropout import EarlyDropout
from kdropout.schedules.join import Join
from kdropout.schedules.late_dropout import LateDropout
from kdropout.schedules.ramp import Ramp

__all__ = [
    "Curriculum",
    "Cyclic",
    "EarlyDropout",
    "Join",
    "LateDropout",
    "Ramp",
    "RateSchedule",
    "depth_rates",
]
