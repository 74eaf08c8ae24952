"""Files of a search that cannot be lost."""
