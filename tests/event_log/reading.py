"""Reads event files the way TensorBoard does."""

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def read(folder):
    """A run as TensorBoard has it, with every scalar."""
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return accumulator
