"""Measurements behind the claims of the README. Not part of the package."""
