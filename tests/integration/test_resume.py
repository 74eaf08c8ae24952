"""A training that is killed and resumed ends bit for bit as the uninterrupted one.

One model has a scheduled rate, a learned rate, and two that callbacks control. The
script resumed_training.py trains it without a kill, and with a SIGKILL after which
`keras.callbacks.BackupAndRestore` resumes it; each run is a new process. The backend
needs only `shuffle=False`: on CPU, a model of this size needs neither
`tf.config.experimental.enable_op_determinism` nor a single thread.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).with_name("resumed_training.py")
BACKEND = keras.backend.backend()

# The values of the script, which cannot be imported, because it runs at import.
BATCHES, EPOCHS = 8, 5
START, END, STEPS = 0.6, 0.1, 30

# Kills at 10 different points on TensorFlow, and at one of them on other backends.
_points = np.random.default_rng(1).choice(BATCHES * EPOCHS * 2, 10, replace=False)
KILLS = [f"{point // 2}:{('begin', 'end')[point % 2]}" for point in _points]
if BACKEND != "tensorflow":
    KILLS = KILLS[:1]
# The script runs twice at the same time, each run with every other kill.
SCRIPTS = min(2, len(KILLS))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux", reason="the script forks, and looks into /proc"
    ),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return the final states of the whole trainings and of the resumed ones."""
    folders = [tmp_path_factory.mktemp("resume") for _ in range(SCRIPTS)]
    processes = [
        subprocess.Popen(
            [sys.executable, SCRIPT, folder, *KILLS[number::SCRIPTS]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "KERAS_BACKEND": BACKEND},
        )
        for number, folder in enumerate(folders)
    ]
    signals = []
    for process in processes:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        signals += json.loads(output.splitlines()[-1])["signals"]
    assert signals == [signal.SIGKILL] * len(KILLS)

    def load(number, name):
        return dict(np.load(folders[number] / f"{name}.npz"))

    wholes = [load(number, "whole") for number in range(SCRIPTS)]
    resumed = [
        load(index % SCRIPTS, f"resumed_{index // SCRIPTS}")
        for index in range(len(KILLS))
    ]
    return wholes, resumed


def assert_same_bits(state, expected):
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        if name != "batches":
            assert state[name].dtype == value.dtype, name
            assert state[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("index", range(len(KILLS)), ids=KILLS)
def test_resumed_training_ends_bit_for_bit_as_the_whole_one(runs, index):
    wholes, resumed = runs
    # It resumed at the beginning of the epoch in which it was killed.
    killed_in_epoch = int(KILLS[index].split(":")[0]) // BATCHES
    assert resumed[index]["batches"] == (EPOCHS - killed_in_epoch) * BATCHES
    assert_same_bits(resumed[index], wholes[0])


@pytest.mark.skipif(SCRIPTS == 1, reason="the training ran uninterrupted but once")
def test_whole_training_is_deterministic(runs):
    (first, second), _ = runs
    assert_same_bits(first, second)


def test_all_kinds_of_state_are_compared(runs):
    (whole, *_), _ = runs
    ends = (
        "dense/kernel",
        "scheduled/rate",
        "scheduled/step",
        "learned/rate_logit",
        "controlled/rate",
        "automatic/rate",
        "seed_generator_state",
        "adam/iteration",
        "learned_rate_logit_momentum",
        "log val_loss",
        "log gap_loss",
    )
    for end in ends:
        assert any(name.endswith(end) for name in whole), (end, sorted(whole))
    print(f"{BACKEND}: {len(whole) - 1} variables and logs, kills at {KILLS}")


def test_all_rates_moved(runs):
    # Otherwise, equal final rates would prove nothing.
    (whole, *_), _ = runs
    steps = BATCHES * EPOCHS
    assert whole["batches"] == steps
    state = {name.partition("/")[2]: value for name, value in whole.items()}
    assert state["scheduled/step"] == steps
    learned, controlled = whole["log rate/learned"], whole["log rate/controlled"]
    print(f"scheduled {state['scheduled/rate']}, learned from 0.3 to {learned}")
    print(f"controlled from 0.2 to {controlled}")
    expected = START + (END - START) * min((steps - 1) / STEPS, 1)
    assert state["scheduled/rate"] == pytest.approx(expected, abs=1e-7)
    assert abs(learned - 0.3) > 0.001
    assert abs(controlled - 0.2) > 0.001
    assert abs(whole["log rate/automatic"] - 0.3) > 0.001
