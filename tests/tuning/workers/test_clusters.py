"""Searches on a Ray cluster whose machines come, go and have GPUs.

The machines are Ray nodes with loopback addresses. A GPU is a number to Ray, so these
tests need none.
"""

import concurrent.futures
import contextlib
import os
import signal
import socket
import tempfile

import pytest

from kdropout import tuning
from kdropout.tuning.job import Job
from tests.tuning.trials import searches
from tests.tuning.workers import remote_searches

ray = pytest.importorskip("ray", reason="the searches run on Ray")

from ray.cluster_utils import Cluster  # noqa: E402

from kdropout.tuning import ray_search  # noqa: E402

# Ray announces changes of its next versions by a FutureWarning.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]

# Ray replaces 127.0.0.1 by the address of this machine in its network.
HEAD, OTHER = "127.0.0.2", "127.0.0.3"


@contextlib.contextmanager
def running_cluster(num_cpus=1, num_gpus=0):
    """A Ray cluster of one node, which the searches of this process use."""
    node = {
        "num_cpus": num_cpus,
        "num_gpus": num_gpus,
        "node_ip_address": HEAD,
        "include_dashboard": False,
    }
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        with ray_search.on_ray(cluster.address, num_cpus=None):
            yield cluster
    finally:
        cluster.shutdown()


def random_search(folder, hypermodel=searches.build, **kwargs):
    arguments = {"max_trials": 4, "seed": 1, "project_name": "search", **kwargs}
    return tuning.RandomSearch(hypermodel, "val_loss", directory=folder, **arguments)


def results(tuner):
    return {
        trial.trial_id: (trial.hyperparameters.values, trial.score, trial.status)
        for trial in tuner.oracle.trials.values()
    }


@pytest.fixture
def meeting(tmp_path):
    folder = tmp_path / "meeting"
    folder.mkdir()
    return folder


@contextlib.contextmanager
def searching(tuner, **kwargs):
    """A context during which a search runs. At its end, the search has ended."""
    # Ray starts nodes only in the main thread, so the search runs in another one.
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        search = executor.submit(searches.search, tuner, **kwargs)
        yield
        search.result()


def test_search_survives_the_death_of_a_machine_in_the_middle_of_a_trial(
    tmp_path, meeting, capsys, monkeypatch
):
    # Nobody can remove the folder of a worker from a dead machine. Paths of Ray must
    # be short, so only the workers use another folder.
    monkeypatch.setenv("RAY_TMPDIR", tempfile.gettempdir())
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    one = random_search(tmp_path / "one")
    searches.search(one)
    with running_cluster() as cluster:
        doomed = cluster.add_node(num_cpus=1, node_ip_address=OTHER)
        survivor = remote_searches.node()  # this process belongs to the head

        two = random_search(tmp_path / "two", workers=2, threads_per_worker=1)
        meets = remote_searches.Meets(str(meeting), remote_searches.node, survivor)
        with searching(two, callbacks=[meets], verbose=1):
            remote_searches.wait_until(
                lambda: len(remote_searches.places_in(meeting)) == 2
            )
            cluster.remove_node(doomed, allow_graceful=False)
            (file,) = (path for path in meeting.iterdir() if path.name != survivor)
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGKILL)
    assert results(two) == results(one)
    assert sorted(two.oracle.end_order) == sorted(two.oracle.trials)  # none twice
    printed = capsys.readouterr().err
    note = f"A worker on {OTHER} died, or its machine left the cluster. Trial "
    assert printed.count(note) == 1
    assert results(random_search(tmp_path / "two")) == results(one)


def test_machine_that_joins_later_gets_a_worker_that_waited(tmp_path, meeting):
    one = random_search(tmp_path / "one")
    searches.search(one)
    with running_cluster() as cluster:
        # Without the other machine, the first trial never ends.
        meets = remote_searches.Meets(str(meeting), remote_searches.node)
        two = random_search(tmp_path / "two", workers=2, threads_per_worker=1)
        with searching(two, callbacks=[meets]):
            remote_searches.wait_until(lambda: remote_searches.places_in(meeting))
            assert remote_searches.places_in(meeting) == {remote_searches.node()}
            cluster.add_node(num_cpus=1, node_ip_address=OTHER)
    assert len(remote_searches.places_in(meeting)) == 2
    assert results(two) == results(one)


def test_each_worker_has_a_gpu_if_there_are_enough(tmp_path, meeting):
    meets = remote_searches.Meets(str(meeting), remote_searches.visible_gpus)
    with running_cluster(num_cpus=2, num_gpus=2):
        tuner = random_search(
            tmp_path / "search", workers=2, threads_per_worker=1, max_trials=2
        )
        searches.search(tuner, callbacks=[meets])
    assert remote_searches.places_in(meeting) == {"GPU 0", "GPU 1"}
    assert {status for _, _, status in results(tuner).values()} == {"COMPLETED"}


def test_worker_sees_the_gpus_that_it_asked_for(tmp_path):
    messages = {}
    with running_cluster(num_gpus=2):
        for gpus_per_worker in (0, 0.5, 2):
            tuner = random_search(
                tmp_path / str(gpus_per_worker),
                hypermodel=remote_searches.build_and_report_gpus,
                ray_address="auto",
                threads_per_worker=1,
                gpus_per_worker=gpus_per_worker,
                max_trials=1,
            )
            searches.search(tuner)
            (trial,) = tuner.oracle.trials.values()
            messages[gpus_per_worker] = trial.message
    assert "CUDA_VISIBLE_DEVICES= TF_FORCE_GPU_ALLOW_GROWTH=None" in messages[0]
    assert "CUDA_VISIBLE_DEVICES=0 TF_FORCE_GPU_ALLOW_GROWTH=true" in messages[0.5]
    assert "CUDA_VISIBLE_DEVICES=0,1 TF_FORCE_GPU_ALLOW_GROWTH=None" in messages[2]


@pytest.mark.parametrize(
    ("num_gpus", "num_workers", "share"),
    [
        (0, 2, 0),
        (1, 1, 1),
        (1, 2, 0.5),
        (1, 3, 0.3333),  # not rounded up, or the third would find no place
        (3, 4, 0.5),  # 3/4 of a GPU would leave no place for the fourth
        (4, 2, 1),
    ],
)
def test_gpus_are_divided_so_that_all_workers_find_a_place(
    num_gpus, num_workers, share
):
    assert ray_search._share_of_gpus(num_gpus, num_workers) == share


class Stopped(Exception):
    """Ends a search that waits for ever."""


def test_request_that_the_cluster_cannot_fulfil_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_search, "_PATIENCE", 1)
    tuner = random_search(tmp_path, ray_address="auto", gpus_per_worker=2)

    def stop(text):
        raise Stopped(text)

    monkeypatch.setattr(tuner.progress, "note", stop)
    expected = r"No worker has started yet.* core\(s\) and 2 GPU\(s\).* and 1 GPU\(s\)"
    with running_cluster(num_gpus=1), pytest.raises(Stopped, match=expected):
        searches.search(tuner)
    assert results(tuner) == {}


@pytest.fixture
def dead_address():
    """A port of this machine where nothing listens, and nothing else will."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{reserved.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_search_whose_cluster_does_not_answer_can_be_resumed(
    tmp_path, dead_address, scheme
):
    one = random_search(tmp_path / "one")
    searches.search(one)
    address = scheme + dead_address
    two = random_search(tmp_path / "two", workers=2, ray_address=address)
    with pytest.raises(ConnectionError) as raised:
        searches.search(two)
    message = str(raised.value)
    assert message.startswith("'ray_address' must be the address of a running Ray")
    assert f"Received: ray_address='{address}'. Nothing answers there" in message
    assert "ray start --head" in message
    assert not ray.is_initialized()
    again = random_search(tmp_path / "two")
    assert results(again) == {}
    searches.search(again)
    assert results(again) == results(one)


def test_port_that_is_not_that_of_ray_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_search, "_PATIENCE_WITH_CLUSTER", 10)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        tuner = random_search(tmp_path, ray_address=address)
        with pytest.raises(ConnectionError, match="did not connect within 10 seconds"):
            searches.search(tuner)


def test_report_of_ray_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")  # what 'auto' means
    tuner = random_search(tmp_path, ray_address="auto")
    expected = "Received: ray_address='auto'. Ray reports: Invalid Ray address"
    with pytest.raises(ConnectionError, match=expected):
        searches.search(tuner)


def test_job_whose_cluster_does_not_answer_leaves_no_folder(tmp_path, dead_address):
    output = tmp_path / "results"
    job = Job(data={"sklearn": "iris"}, ray_address=dead_address, output=str(output))
    with pytest.raises(
        tuning.JobError, match="ray_address: must be the address of a running Ray"
    ):
        tuning.run_job(job, verbose=0)
    assert not output.exists()
