"""Reads event files in the way of TensorBoard."""

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def read(folder):
    """Return a run as TensorBoard loads it, with every scalar."""
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return accumulator
