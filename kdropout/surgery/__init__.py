"""Changes to existing models: make dropout live, add it, or remove it."""

from kdropout.surgery.convert import convert
from kdropout.surgery.insert import insert
from kdropout.surgery.strip import strip

__all__ = ["convert", "insert", "strip"]
