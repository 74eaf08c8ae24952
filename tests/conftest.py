"""What all tests share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest


@pytest.fixture(autouse=True)
def _same_start():
    """Every test starts from the same random state, with no Keras state left over."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
