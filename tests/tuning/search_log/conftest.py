"""A real TensorBoard, as the tests of the tab have it."""

from tests.dashboard.conftest import eventually, tensorboard

__all__ = ["eventually", "tensorboard"]
