"""What a search over rates may choose from, and which layers it moves."""

from kdropout.tuning.space.parsing import parse
from kdropout.tuning.space.plan import RatePlan, plan_of
from kdropout.tuning.space.rates import Rates
from kdropout.tuning.space.schedules import Schedules

__all__ = ["RatePlan", "Rates", "Schedules", "parse", "plan_of"]
