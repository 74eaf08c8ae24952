"""Fixtures that apply to all tests."""

import gc
import os
import pathlib
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest

TESTS = pathlib.Path(__file__).parent

# Folders and files that CI runs on TensorFlow only. The spaces, files and algorithms of
# a search, jobs, the report, the processes, TensorBoard and the graphs of models do not
# depend on the backend. The training of a trial depends on it.
ON_ONE_BACKEND = {
    TESTS / "dashboard",
    TESTS / "docs",
    TESTS / "inference" / "test_data.py",
    TESTS / "inference" / "test_prediction.py",
    TESTS / "surgery" / "test_copied_state.py",
    TESTS / "surgery" / "test_insert.py",
    TESTS / "surgery" / "test_placement.py",
    TESTS / "tuning" / "job",
    TESTS / "tuning" / "report",
    TESTS / "tuning" / "search_log",
    TESTS / "tuning" / "space",
    TESTS / "tuning" / "storage",
    TESTS / "tuning" / "trials" / "test_lasting_interrupt.py",
    TESTS / "tuning" / "tuners",
    TESTS / "tuning" / "workers",
}

# Files whose tests are slow in sum: they search, or resume what was interrupted.
SLOW = {
    TESTS / "dashboard" / "test_plugin.py",
    TESTS / "tuning" / "run" / "test_callbacks.py",
    TESTS / "tuning" / "run" / "test_contents.py",
    TESTS / "tuning" / "run" / "test_functions.py",
    TESTS / "tuning" / "run" / "test_run_job.py",
    TESTS / "tuning" / "run" / "test_tables.py",
    TESTS / "tuning" / "search_log" / "test_search_log.py",
    TESTS / "tuning" / "storage" / "test_damage.py",
    TESTS / "tuning" / "storage" / "test_failed_trials.py",
    TESTS / "tuning" / "storage" / "test_oracles.py",
    TESTS / "tuning" / "trials" / "test_built_model.py",
    TESTS / "tuning" / "trials" / "test_callbacks_of_trials.py",
    TESTS / "tuning" / "trials" / "test_engine.py",
    TESTS / "tuning" / "trials" / "test_initial_trials.py",
    TESTS / "tuning" / "trials" / "test_lasting_interrupt.py",
    TESTS / "tuning" / "trials" / "test_live_numbers.py",
    TESTS / "tuning" / "trials" / "test_progress.py",
    TESTS / "tuning" / "tuners" / "test_hyperband.py",
    TESTS / "tuning" / "tuners" / "test_successive_halving.py",
}


def pytest_collection_modifyitems(items):
    """Mark the tests of these files like a `pytestmark` in each of them."""
    for item in items:
        places = {item.path, item.path.parent}
        if places & ON_ONE_BACKEND:
            item.add_marker(pytest.mark.on_one_backend)
        if places & SLOW:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    """Keep what the packages hold out of each collection of garbage."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _all_digits_of_float32():
    """Turns off the reduced precision of a GPU in matrix products."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        if jax.default_backend() != "cpu":
            jax.config.update("jax_default_matmul_precision", "highest")
    elif backend == "torch":
        import torch

        torch.backends.cudnn.allow_tf32 = False


@pytest.fixture(autouse=True, scope="module")
def _no_keras_state_left_over():
    """Runs once per file, because its garbage collection takes half a second."""
    keras.utils.clear_session()


@pytest.fixture(autouse=True)
def _same_random_state():
    keras.utils.set_random_seed(0)


@pytest.fixture
def ctrl_c_is_heard():
    """Restores Ctrl-C in the background, where processes inherit ignored signals."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
