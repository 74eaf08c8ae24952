"""The space of a search: the rates to choose from, and the layers that get them."""

from kdropout.tuning.space.parsing import parse
from kdropout.tuning.space.plan import RatePlan, plan_of
from kdropout.tuning.space.rates import Rates
from kdropout.tuning.space.schedules import Schedules

__all__ = ["RatePlan", "Rates", "Schedules", "parse", "plan_of"]
