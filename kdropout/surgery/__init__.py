"""Changes existing models: their dropout, and how its rates are decided."""

from kdropout.surgery.convert import convert
from kdropout.surgery.insert import insert
from kdropout.surgery.placement import Placement
from kdropout.surgery.set_rates import set_rates
from kdropout.surgery.strip import strip

__all__ = ["Placement", "convert", "insert", "set_rates", "strip"]
