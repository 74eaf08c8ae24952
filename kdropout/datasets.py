"""Former place of `iterate_batches`, until all imports name `_data`."""

from kdropout._data import iterate_batches  # noqa: F401
