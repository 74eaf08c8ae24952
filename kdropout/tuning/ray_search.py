"""Searches whose trials run on Ray, on one machine or many."""

import collections
import contextlib
import copy
import math
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
import warnings

import keras
import ray
from keras_tuner.engine.trial import Trial, TrialStatus
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from kdropout import _validation
from kdropout._files import replacing
from kdropout.tuning.budget import OutOfTime
from kdropout.tuning.ray_arguments import PARTS_OF_GPU, host_and_port

# A trial counts as failed after its worker died this many times.
_MAX_LOST_WORKERS = 5

# The search stops after this many workers in a row died before they started.
_MAX_FAILED_STARTS = 5

# Seconds until a message says that no worker has started yet.
_PATIENCE = 60

# Seconds until the port of a cluster, and until Ray on it, counts as dead.
_PATIENCE_WITH_PORT = 10
_PATIENCE_WITH_CLUSTER = 60

# Seconds to wait for workers to end, and for nodes to remove their folders.
_PATIENCE_AT_END = 20

# The environment variables that set the number of threads of the backends.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # JAX
)

# By default, TensorFlow and JAX reserve the memory of a GPU for one process.
_SHARED_GPU_VARIABLES = {
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}

# A program that connects to the Ray cluster whose address is its argument.
_CONNECT = """
import sys
import ray
try:
    ray.init(sys.argv[1], log_to_driver=False)
except Exception as error:
    print(error)
    sys.exit(1)
"""


class RayRunner:
    """Runs the trials of a tuner on Ray.

    Without an address, Ray starts on this machine, unless it already runs in this
    process. Without a number of threads, the workers share the cores of this machine.
    Without a number of GPUs, they share those of the cluster.
    """

    def __init__(self, num_workers, address=None, num_threads=None, num_gpus=None):
        self.num_workers = num_workers
        self.address = address
        self.num_threads = num_threads
        self.num_gpus = num_gpus

    def run(self, tuner, args, kwargs):
        """Run all trials of a tuner, with the arguments of its `search`."""
        workers = _Workers(
            self.num_workers, self.num_threads, self.num_gpus, tuner.progress.note
        )
        with on_ray(self.address, workers.num_cpus):
            _Search(tuner, args, kwargs, workers).run()


@contextlib.contextmanager
def on_ray(address, num_cpus):
    """Use the Ray instance of this process, or start one and end it afterwards."""
    if ray.is_initialized():
        yield
        return
    with warnings.catch_warnings():
        # JAX warns about forks, but Ray's processes call exec right after the fork.
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
        if address is None:
            ray.init(
                "local",
                num_cpus=num_cpus,
                include_dashboard=False,
                log_to_driver=False,
            )
        else:
            check_cluster(address)
            ray.init(address, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


def check_cluster(address):
    """Raise if no Ray cluster answers at an address.

    Raises:
        ConnectionError: With the attributes of the errors of `kdropout._validation`.
    """
    if ray.is_initialized() or address == "local":
        return
    place = host_and_port(address)
    if place is not None:
        try:
            socket.create_connection(place, timeout=_PATIENCE_WITH_PORT).close()
        except OSError as error:
            raise _no_cluster(address, f"Nothing answers there: {error}.") from error
    # `ray.init` tries for a quarter of an hour, and nothing public limits that. So
    # another process tries first, which can be ended.
    command = [sys.executable, "-c", _CONNECT, address]
    try:
        attempt = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_WITH_CLUSTER
        )
    except subprocess.TimeoutExpired:
        reason = f"Ray did not connect within {_PATIENCE_WITH_CLUSTER} seconds."
        raise _no_cluster(address, reason) from None
    if attempt.returncode:
        report = attempt.stdout.strip() or attempt.stderr.strip()
        raise _no_cluster(address, f"Ray reports: {report}")


def _no_cluster(address, reason):
    return _validation.argument_error(
        ConnectionError,
        "ray_address",
        "must be the address of a running Ray cluster. Received: "
        f"ray_address={address!r}. {reason} Correct the address, start a cluster with "
        "'ray start --head', or leave the address out to use this machine.",
    )


class _Search:
    """Gives trials to workers until the oracle of a tuner has no more.

    The oracle stays in this process, which is the only one that writes to the project.
    If a worker dies, a new one replaces it and its trial starts again.
    """

    def __init__(self, tuner, args, kwargs, workers):
        self._tuner = tuner
        self._oracle = tuner.oracle
        self._job = (tuner, args, kwargs)
        self._workers = workers
        self._running = {}  # by future: name of the worker, trial
        self._lost = collections.deque()  # trials whose workers died
        self._num_lost = collections.Counter()  # by trial

    def run(self):
        """Run all trials. If this is interrupted, completed trials are kept."""
        self._tuner.on_search_begin()
        try:
            self._workers.start([ray.put(part) for part in self._job])
            while self._give_out_trials():
                self._wait()
        finally:
            self._workers.stop()
        self._tuner.on_search_end()

    def _give_out_trials(self):
        """Give each idle worker a trial. Return True if there is work to wait for."""
        busy = {name for name, _ in self._running.values()}
        idle = [name for name in self._workers.ready if name not in busy]
        for name in idle:
            trial = self._next_trial(name)
            if trial is None:
                break  # there are no more trials, or none until another one ends
            self._submit(name, trial)
        return bool(self._running) or not (idle or self._tuner.budget.is_over)

    def _next_trial(self, name):
        if self._tuner.budget.is_over:
            return None
        if self._lost:
            return self._lost.popleft()
        self._tuner.pre_create_trial()
        trial = self._oracle.create_trial(name)
        if trial.status != TrialStatus.RUNNING:
            return None
        self._tuner.on_trial_begin(trial)
        return trial

    def _submit(self, name, trial):
        parent = trial.hyperparameters.values.get("tuner/trial_id")
        files = {}
        if parent is not None:
            files[parent] = _read_files(self._tuner.get_trial_dir(parent))
        result = self._workers.ready[name].run.remote(
            trial.get_state(),
            files,
            self._tuner.earlier_curves(),
            self._tuner.budget.seconds_left,
        )
        self._running[result] = (name, trial)

    def _wait(self):
        future = self._workers.wait(list(self._running), self._tuner.budget)
        if future in self._running:
            self._take(future)

    def _take(self, result):
        """Process the result of a worker, or replace a worker that has died."""
        name, trial = self._running.pop(result)
        try:
            state, report, files = ray.get(result)
        except ray.exceptions.RayTaskError:
            raise  # this error would happen on any other worker
        except ray.exceptions.RayError as error:
            self._begin_again(trial, error, self._workers.replace(name))
            return
        if state is None:
            return  # stopped by the timeout
        _write_files(self._tuner.get_trial_dir(trial.trial_id), files)
        if report is not None:
            self._oracle.update_trial(trial.trial_id, **report)
        ended = copy.copy(trial)
        ended.set_state({**state, "metrics": trial.metrics.get_config()})
        self._tuner.on_trial_end(ended)

    def _begin_again(self, trial, error, address):
        self._num_lost[trial.trial_id] += 1
        number = self._num_lost[trial.trial_id]
        if number < _MAX_LOST_WORKERS:
            self._lost.append(trial)
            self._tuner.progress.note(
                f"A worker on {address} died, or its machine left the cluster. Trial "
                f"{trial.trial_id} begins again on another worker. It counts as failed "
                f"if it loses {_MAX_LOST_WORKERS} workers; this was number {number}."
            )
            return
        ended = copy.copy(trial)
        ended.status = TrialStatus.FAILED
        ended.message = (
            f"The worker process of this trial died {_MAX_LOST_WORKERS} times; it may "
            f"have run out of memory. Ray reports for the last one: {error}"
        )
        self._tuner.on_trial_end(ended)


class _Workers:
    """Starts workers and replaces those that die.

    A worker gets trials once it has started. On a cluster with too few cores it may
    never start, and the search continues with the other workers.
    """

    def __init__(self, num_workers, num_threads, num_gpus, note):
        self.num_workers = num_workers
        self.num_threads = num_threads or max(1, (os.cpu_count() or 1) // num_workers)
        self.num_gpus = num_gpus
        self.ready = {}  # by name
        self._starting = {}  # name and worker, by the future of its start
        self._places = {}  # by name: node and path of the folder that it writes to
        self._removals = []  # futures of the removal of folders
        self._job = None
        self._note = note
        self._failed_starts = 0
        self._num_started = 0
        self._has_started = False  # at least one

    @property
    def num_cpus(self):
        """The number of cores that all workers together need."""
        return self.num_workers * self.num_threads

    def start(self, job):
        """Start all workers, which become ready later. `job` is passed to `_Worker`."""
        self._job = job
        if self.num_gpus is None:
            num_gpus = ray.cluster_resources().get("GPU", 0)
            self.num_gpus = _share_of_gpus(num_gpus, self.num_workers)
        for _ in range(self.num_workers):
            self._start()

    def wait(self, results, budget):
        """Wait for a result or for a worker to be ready, and return its future.

        Return None if the budget is over before a trial runs.
        """
        futures = [*results, *self._starting]
        done = []
        while not done:
            patience = None if self.ready else _PATIENCE
            if not results and budget.seconds_left is not None:
                patience = min(budget.seconds_left, _PATIENCE)
            done, _ = ray.wait(futures, num_returns=1, timeout=patience)
            if not done and not results and budget.is_over:
                return None
            if not done and not self.ready:
                self._note(self._why_none_is_ready())
        if done[0] in self._starting:
            self._take_in(done[0])
        return done[0]

    def _why_none_is_ready(self):
        state = "is left" if self._has_started else "has started yet"
        needs = f"{self.num_threads} free core(s)"
        total = ray.cluster_resources()
        has = f"{total.get('CPU', 0):g} core(s)"
        if self.num_gpus:
            needs = f"{needs} and {self.num_gpus:g} GPU(s)"
            has = f"{has} and {total.get('GPU', 0):g} GPU(s)"
        return (
            f"No worker {state}. Each worker needs {needs} on one machine. The cluster "
            f"has {has} in total. The search waits for free ones."
        )

    def replace(self, name):
        """Replace a worker that has died, and return the address of its node."""
        ray.kill(self.ready.pop(name))  # it may only have been unreachable
        node, _ = self._places[name]
        self._remove_folder(name)
        self._start()
        return _address_of(node)

    def stop(self):
        """End all workers."""
        starting = [worker for _, worker in self._starting.values()]
        workers = [*self.ready.values(), *starting]
        for worker in workers:
            ray.kill(worker)
        # A call fails once its worker has ended and no longer writes.
        dying = [worker.is_ready.remote() for worker in workers]
        if dying:
            ray.wait(dying, num_returns=len(dying), timeout=_PATIENCE_AT_END)
        for name in list(self._places):
            self._remove_folder(name)
        if self._removals:
            # On a node that has died, a removal fails, or is still waiting for it.
            number = len(self._removals)
            ray.wait(self._removals, num_returns=number, timeout=_PATIENCE_AT_END)
        self.ready, self._starting, self._removals = {}, {}, []

    def _remove_folder(self, name):
        """Begin to remove the folder of a dead worker on its node."""

        def remove(folder):  # imports inside, so the node does not need kdropout
            import shutil

            shutil.rmtree(folder, ignore_errors=True)

        node, folder = self._places.pop(name)
        where = NodeAffinitySchedulingStrategy(node, soft=False)
        task = ray.remote(remove).options(num_cpus=0, scheduling_strategy=where)
        self._removals.append(task.remote(folder))

    def _start(self):
        # Never use a name twice. The oracle keeps the trial of a dead worker under its
        # name, and would hand it out again while it runs on another worker.
        name = f"worker{self._num_started}"
        self._num_started += 1
        variables = dict.fromkeys(_THREAD_VARIABLES, str(self.num_threads))
        variables["KERAS_BACKEND"] = keras.backend.backend()
        variables["TF_CPP_MIN_LOG_LEVEL"] = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")
        if self.num_gpus == 0:
            # Ray 2.60 would show all GPUs of the machine to a worker without one.
            variables["CUDA_VISIBLE_DEVICES"] = ""
        elif self.num_gpus < 1:
            for variable, value in _SHARED_GPU_VARIABLES.items():
                variables[variable] = os.environ.get(variable, value)
        remote = ray.remote(_Worker).options(
            num_cpus=self.num_threads,
            num_gpus=self.num_gpus,
            runtime_env={"env_vars": variables},
        )
        worker = remote.remote(*self._job)
        self._starting[worker.is_ready.remote()] = (name, worker)

    def _take_in(self, future):
        name, worker = self._starting.pop(future)
        try:
            self._places[name] = ray.get(future)
        except ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts == _MAX_FAILED_STARTS:
                raise RuntimeError(
                    f"{_MAX_FAILED_STARTS} workers died before they started. Workers "
                    "need the same packages as this process, and must be able to "
                    "import the modules of the hypermodel and the callbacks. Ray "
                    f"reports for the last one: {error}"
                ) from error
            self._start()
            return
        self._failed_starts = 0
        self._has_started = True
        self.ready[name] = worker


def _share_of_gpus(num_gpus, num_workers):
    """The GPUs of each worker: a whole one, or the part with which all find a place."""
    if num_gpus < 1:
        return 0.0
    share = 1 / math.ceil(num_workers / num_gpus)
    # Ray rounds to these parts, and must not round up.
    return math.floor(share * PARTS_OF_GPU) / PARTS_OF_GPU


def _address_of(node):
    """The address of a node, which may be dead, in words."""
    for description in ray.nodes():
        if description["NodeID"] == node:
            return description["NodeManagerAddress"]
    return "a machine that Ray no longer knows"


class _Worker:
    """A process that runs trials and keeps the models that it compiled.

    All data are sent through Ray, so workers do not need a shared folder.
    """

    def __init__(self, tuner, args, kwargs):
        # A worker is killed at its end, so the search removes its folder. The first
        # trial creates the folder, after the search has received its name.
        name = f"kdropout-{uuid.uuid4().hex}"
        self._folder = os.path.join(tempfile.gettempdir(), name)
        tuner.directory = self._folder
        tuner.progress.verbose = 0
        self._tuner, self._args, self._kwargs = tuner, args, kwargs

    def is_ready(self):
        """Return the Ray node and the folder of this worker, once it has started."""
        return ray.get_runtime_context().get_node_id(), self._folder

    def run(self, state, files, curves, seconds_left):
        """Run a trial.

        Args:
            state: The result of `Trial.get_state()` of KerasTuner.
            files: Dict from the trials that this one continues to their files, as
                `_read_files` returns them.
            curves: The result of `earlier_curves` of the tuner of the search.
            seconds_left: Seconds until the timeout of the search, or None.

        Returns:
            Tuple of the state of the trial (None if the timeout has stopped it), the
            arguments for `oracle.update_trial` (None if it failed) and the files of the
            trial.
        """
        trial = Trial.from_state(state)
        oracle, reported = self._tuner.oracle, []
        oracle._set_project_dir(self._folder, self._tuner.project_name)
        oracle.trials[trial.trial_id] = trial
        oracle.update_trial = lambda _, metrics, step=0: reported.append(
            {"metrics": metrics, "step": step}
        )
        self._tuner.curves = curves
        if seconds_left is not None:
            self._tuner.budget.begin(seconds_left)
        try:
            for trial_id, contents in files.items():
                _write_files(self._tuner.get_trial_dir(trial_id), contents)
            self._tuner._try_run_and_update_trial(trial, *self._args, **self._kwargs)
            left = _read_files(self._tuner.get_trial_dir(trial.trial_id))
        except OutOfTime:
            return None, None, {}
        finally:
            for trial_id in (trial.trial_id, *files):
                shutil.rmtree(self._tuner.get_trial_dir(trial_id), ignore_errors=True)
        return trial.get_state(), reported[0] if reported else None, left


def _read_files(folder):
    """Return the files of a trial, except `trial.json`: a dict from path to bytes."""
    folder = pathlib.Path(folder)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        # A name that begins with a dot is a file that a killed process did not finish.
        if path.is_file() and path.name != "trial.json" and path.name[0] != "."
    }


def _write_files(folder, contents):
    """Write the files that `_read_files` returned."""
    for name, content in contents.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
