"""KerasTuner's chief and workers run with the tuners of kdropout."""

import os
import pathlib
import socket
import subprocess
import sys

import keras
import pytest

from kdropout_dashboard import reader
from kdropout_dashboard.source import open_log
from tests.tuning.storage import keras_tuner_worker
from tests.tuning.storage.kills import results

pytestmark = pytest.mark.slow

grpc = pytest.importorskip("grpc", reason="KerasTuner's processes talk by gRPC")

ROOT = pathlib.Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "tests.tuning.storage.keras_tuner_worker"]
PATIENCE = 240  # seconds; the chief checks every 20 whether all workers have ended


def start(name, folder, port):
    environment = {
        **os.environ,
        "KERAS_BACKEND": keras.backend.backend(),
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(port),
    }
    return subprocess.Popen([*COMMAND, str(folder)], cwd=ROOT, env=environment)


def free_port():
    with socket.socket() as at:
        at.bind(("127.0.0.1", 0))
        return at.getsockname()[1]


def test_chief_and_two_workers_find_the_result_of_one_process(tmp_path):
    one, many = tmp_path / "one", tmp_path / "many"
    keras_tuner_worker.search(keras_tuner_worker.make_tuner(one))
    port = free_port()
    names = ("chief", "worker0", "worker1")
    processes = [start(name, many, port) for name in names]
    try:
        assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    found, expected = (
        {tuple(values.items()): (score, status) for _, values, score, status in all_of}
        for all_of in (results(many), results(one))
    )
    assert len(expected) == len(keras_tuner_worker.RATES) ** 2
    # The rates are equal; scores are sent as numbers of 32 bits.
    assert found == {
        values: (pytest.approx(score, rel=1e-6), status)
        for values, (score, status) in expected.items()
    }
    assert len(list(many.rglob("weights.npz"))) == len(expected)
    logged = reader.search(open_log(many / "logs"), ".")["trials"]
    assert len(logged) == len(expected)
    assert all(trial["score"] is not None for trial in logged)
