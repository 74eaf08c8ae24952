"""KerasTuner's oracles, whose knowledge of a search cannot be lost."""

from kdropout.tuning.storage.oracles.recoverable import recoverable

__all__ = ["recoverable"]
