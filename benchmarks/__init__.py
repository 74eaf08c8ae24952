"""Measurements behind the claims of the pages. They are not part of the package."""
