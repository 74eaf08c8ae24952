"""Changes existing models: makes their dropout live, adds it or removes it."""

from kdropout.surgery.convert import convert
from kdropout.surgery.insert import insert
from kdropout.surgery.placement import Placement
from kdropout.surgery.strip import strip

__all__ = ["Placement", "convert", "insert", "strip"]
