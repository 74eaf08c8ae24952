"""Changes to models that exist: make dropout live, add it, take it out."""

from kdropout.surgery.convert import convert
from kdropout.surgery.insert import insert
from kdropout.surgery.strip import strip

__all__ = ["convert", "insert", "strip"]
