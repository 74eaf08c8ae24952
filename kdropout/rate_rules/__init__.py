"""How a rate is decided: one small file per way of deciding."""

from kdropout.rate_rules.argument import resolve
from kdropout.rate_rules.base import RateRule
from kdropout.rate_rules.learned import LearnedRate

__all__ = ["LearnedRate", "RateRule", "resolve"]
