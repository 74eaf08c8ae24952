"""The workers of a search: starts, watches and replaces them."""

import contextlib
import os
import warnings

import keras
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from kdropout.tuning.workers.ray_worker import RayWorker

# What the libraries below Keras ask for the number of their threads.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # JAX
)

# Workers that died before they had started, one after another: none will ever start.
_MAX_FAILED_STARTS = 5

# Seconds until the user is told that no worker has started yet.
_PATIENCE = 60

# Seconds that workers get to die, and their nodes to remove their folders.
_PATIENCE_AT_END = 20


class RayWorkers:
    """Keeps a number of workers alive.

    A worker counts once it has started. Until then it holds no trial: on a cluster
    with too few cores it may never start, and the search goes on with the others.

    Args:
        num_workers: Integer of at least 1.
        num_threads: Integer, number of threads for each worker, or None for a fair
            share of this machine.
        note: Function that tells the user a text.
    """

    def __init__(self, num_workers, num_threads, note):
        self.num_workers = num_workers
        self.num_threads = num_threads or max(1, (os.cpu_count() or 1) // num_workers)
        self.ready = {}  # by name
        self._starting = {}  # by the future that tells it: name, worker
        self._folders = {}  # by name: node and path of what a worker writes to
        self._job = None
        self._note = note
        self._failed_starts = 0
        self._num_started = 0

    @property
    def num_cpus(self):
        """The number of cores that all of them need."""
        return self.num_workers * self.num_threads

    def start(self, job):
        """Start all workers; they become ready later.

        Args:
            job: The arguments of `RayWorker`, as references of Ray.
        """
        self._job = job
        for _ in range(self.num_workers):
            self._start()

    def wait(self, results):
        """Wait until one of `results` is there or a worker becomes ready.

        Returns:
            The future that is done.

        Raises:
            RuntimeError: If workers die before they have started.
        """
        futures = [*results, *self._starting]
        done = []
        while not done:
            patience = None if self.ready else _PATIENCE
            done, _ = ray.wait(futures, num_returns=1, timeout=patience)
            if not done:
                self._note(
                    "No worker has started yet. Each needs "
                    f"{self.num_threads} free core(s); the cluster has "
                    f"{ray.cluster_resources().get('CPU', 0):g} in all."
                )
        if done[0] in self._starting:
            self._take_in(done[0])
        return done[0]

    def replace(self, name):
        """Put a new worker in the place of one that has died."""
        ray.kill(self.ready.pop(name))  # it may only have been out of reach
        self._remove_folders([name])
        self._start()

    def stop(self):
        """End all workers."""
        starting = (worker for _, worker in self._starting.values())
        workers = [*self.ready.values(), *starting]
        for worker in workers:
            ray.kill(worker)
        # A call fails once its worker is dead, and writes no more.
        dying = [worker.is_ready.remote() for worker in workers]
        if dying:
            ray.wait(dying, num_returns=len(dying), timeout=_PATIENCE_AT_END)
        self._remove_folders(list(self._folders))
        self.ready, self._starting = {}, {}

    def _remove_folders(self, names):
        """Remove what workers that are dead have written, each on its own node."""

        def remove(folder):  # sent as it is, so that the node need not import kdropout
            import shutil

            shutil.rmtree(folder, ignore_errors=True)

        removed = []
        for node, folder in map(self._folders.pop, names):
            where = NodeAffinitySchedulingStrategy(node, soft=False)
            task = ray.remote(remove).options(num_cpus=0, scheduling_strategy=where)
            removed.append(task.remote(folder))
        if removed:
            ray.wait(removed, num_returns=len(removed), timeout=_PATIENCE_AT_END)

    def _start(self):
        # Never a name twice: under it the oracle keeps the trial of one that has died,
        # and would give it out once more while it runs on another worker.
        name = f"worker{self._num_started}"
        self._num_started += 1
        variables = dict.fromkeys(_THREAD_VARIABLES, str(self.num_threads))
        variables["KERAS_BACKEND"] = keras.backend.backend()
        variables["TF_CPP_MIN_LOG_LEVEL"] = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")
        remote = ray.remote(RayWorker).options(
            num_cpus=self.num_threads, runtime_env={"env_vars": variables}
        )
        worker = remote.remote(*self._job)
        self._starting[worker.is_ready.remote()] = (name, worker)

    def _take_in(self, future):
        name, worker = self._starting.pop(future)
        try:
            self._folders[name] = ray.get(future)
        except ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts == _MAX_FAILED_STARTS:
                raise RuntimeError(
                    f"{_MAX_FAILED_STARTS} workers have died before they had started. "
                    "They need the same packages as this process, and the modules that "
                    "define the hypermodel and the callbacks on their path. What Ray "
                    f"says of the last one: {error}"
                ) from error
            self._start()
            return
        self._failed_starts = 0
        self.ready[name] = worker


@contextlib.contextmanager
def on_ray(address, num_cpus):
    """Use the Ray that runs in this process, or begin and end one of our own."""
    if ray.is_initialized():
        yield
        return
    with warnings.catch_warnings():
        # JAX warns of a fork; the processes of Ray begin anew right after theirs.
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
        if address is None:
            here = {"num_cpus": num_cpus, "include_dashboard": False}
            ray.init("local", log_to_driver=False, **here)
        else:
            ray.init(address, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()
