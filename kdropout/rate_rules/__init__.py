"""How a rate is decided: one small file per way of deciding."""

from kdropout.rate_rules.base import RateRule, resolve
from kdropout.rate_rules.learned import LearnedRate

__all__ = ["LearnedRate", "RateRule", "resolve"]
