"""A search whose trials run on Ray, on one machine or many."""

import collections
import copy
import os

import keras
import ray
from keras_tuner.engine.trial import TrialStatus

from kdropout.tuning.workers.ray_worker import RayWorker, read_files, write_files

# A trial that has ended so many workers is to blame for it, and counts as failed.
_MAX_LOST_WORKERS = 5

# What the libraries below Keras ask for the number of their threads.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


class RaySearch:
    """Runs the trials of a tuner on workers, until its oracle has no more.

    The oracle stays here, in the process of the search, which alone writes to the
    project. A worker that dies is replaced, and its trial begins again on the new one.

    Args:
        tuner: The tuner.
        args: Positional arguments of `search`.
        kwargs: Keyword arguments of `search`.
        num_workers: Integer of at least 1.
        address: Address of a Ray cluster, or None to start Ray on this machine.
        threads: Integer, number of threads for each worker, or None for a fair share.
    """

    def __init__(self, tuner, args, kwargs, num_workers, address=None, threads=None):
        self._tuner = tuner
        self._oracle = tuner.oracle
        self._num_workers = num_workers
        self._address = address
        self._threads = threads or max(1, (os.cpu_count() or 1) // num_workers)
        self._job = (tuner, args, kwargs)
        self._workers = {}  # by name
        self._running = {}  # by the future result: name of the worker, trial
        self._num_lost = collections.Counter()  # by trial

    def run(self):
        """Run all trials; what has completed stays if this is interrupted."""
        starts_ray = not ray.is_initialized()
        if starts_ray:
            here = {"num_cpus": self._num_workers * self._threads}
            ray.init(
                address=self._address,
                include_dashboard=False if self._address is None else None,
                log_to_driver=False,
                **(here if self._address is None else {}),
            )
        try:
            self._job = [ray.put(part) for part in self._job]
            for number in range(self._num_workers):
                self._start_worker(f"worker{number}")
            while self._give_out_trials():
                (result,), _ = ray.wait(list(self._running), num_returns=1)
                self._take(result)
        finally:
            for worker in self._workers.values():
                ray.kill(worker)
            if starts_ray:
                ray.shutdown()

    def _start_worker(self, name):
        variables = dict.fromkeys(_THREAD_VARIABLES, str(self._threads))
        variables["KERAS_BACKEND"] = keras.backend.backend()
        variables["TF_CPP_MIN_LOG_LEVEL"] = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")
        remote = ray.remote(RayWorker).options(
            num_cpus=self._threads, runtime_env={"env_vars": variables}
        )
        self._workers[name] = remote.remote(*self._job)

    def _give_out_trials(self):
        """Give each idle worker a trial; whether any trial runs."""
        busy = {name for name, _ in self._running.values()}
        for name in [name for name in self._workers if name not in busy]:
            trial = self._oracle.create_trial(name)
            if trial.status != TrialStatus.RUNNING:
                break  # there is none, or none before another ends
            self._submit(name, trial)
        return bool(self._running)

    def _submit(self, name, trial):
        parent = trial.hyperparameters.values.get("tuner/trial_id")
        files = {}
        if parent is not None:
            files[parent] = read_files(self._tuner.get_trial_dir(parent))
        result = self._workers[name].run.remote(trial.get_state(), files)
        self._running[result] = (name, trial)

    def _take(self, result):
        """What a worker has done, or what became of it."""
        name, trial = self._running.pop(result)
        try:
            state, report, files = ray.get(result)
        except ray.exceptions.RayActorError as error:
            self._replace_worker(name, trial, error)
            return
        write_files(self._tuner.get_trial_dir(trial.trial_id), files)
        if report is not None:
            self._oracle.update_trial(trial.trial_id, **report)
        ended = copy.copy(trial)
        ended.set_state({**state, "metrics": trial.metrics.get_config()})
        self._tuner.on_trial_end(ended)

    def _replace_worker(self, name, trial, error):
        self._num_lost[trial.trial_id] += 1
        self._start_worker(name)
        if self._num_lost[trial.trial_id] < _MAX_LOST_WORKERS:
            self._submit(name, trial)
            return
        trial.status = TrialStatus.FAILED
        trial.message = (
            f"The trial has ended {_MAX_LOST_WORKERS} workers. The last one died of: "
            f"{error}"
        )
        self._tuner.on_trial_end(trial)
