"""A search whose trials run on Ray, on one machine or many."""

import collections
import copy

import ray
from keras_tuner.engine.trial import TrialStatus

from kdropout.tuning.workers.ray_worker import read_files, write_files
from kdropout.tuning.workers.ray_workers import RayWorkers, on_ray

# A trial that has ended so many workers is to blame for it, and counts as failed.
_MAX_LOST_WORKERS = 5


class RaySearch:
    """Runs the trials of a tuner on workers, until its oracle has no more.

    The oracle stays here, in the process of the search, which alone writes to the
    project. A worker that dies is replaced, and its trial begins again on another.

    Args:
        tuner: The tuner.
        args: Positional arguments of `search`.
        kwargs: Keyword arguments of `search`.
        num_workers: Integer of at least 1.
        address: Address of a Ray cluster, or None to start Ray on this machine, or to
            use what this process has started already.
        threads: Integer, number of threads for each worker, or None for a fair share
            of this machine.
    """

    def __init__(self, tuner, args, kwargs, num_workers, address=None, threads=None):
        self._tuner = tuner
        self._oracle = tuner.oracle
        self._address = address
        self._job = (tuner, args, kwargs)
        self._workers = RayWorkers(num_workers, threads, tuner.progress.note)
        self._running = {}  # by the future result: name of the worker, trial
        self._lost = collections.deque()  # trials whose workers died
        self._num_lost = collections.Counter()  # by trial

    def run(self):
        """Run all trials; what has completed stays if this is interrupted."""
        with on_ray(self._address, self._workers.num_cpus):
            self._tuner.on_search_begin()
            try:
                self._workers.start([ray.put(part) for part in self._job])
                while self._give_out_trials():
                    self._wait()
            finally:
                self._workers.stop()
            self._tuner.on_search_end()

    def _give_out_trials(self):
        """Give each idle worker a trial; whether there is anything to wait for."""
        busy = {name for name, _ in self._running.values()}
        idle = [name for name in self._workers.ready if name not in busy]
        for name in idle:
            trial = self._next_trial(name)
            if trial is None:
                break  # there is none, or none before another ends
            self._submit(name, trial)
        return bool(self._running) or not idle

    def _next_trial(self, name):
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
            files[parent] = read_files(self._tuner.get_trial_dir(parent))
        result = self._workers.ready[name].run.remote(trial.get_state(), files)
        self._running[result] = (name, trial)

    def _wait(self):
        future = self._workers.wait(list(self._running))
        if future in self._running:
            self._take(future)

    def _take(self, result):
        """What a worker has done, or what became of it."""
        name, trial = self._running.pop(result)
        try:
            state, report, files = ray.get(result)
        except ray.exceptions.RayTaskError:
            raise  # a mistake that no other worker would get over
        except ray.exceptions.RayError as error:
            self._workers.replace(name)
            self._begin_again(trial, error)
            return
        write_files(self._tuner.get_trial_dir(trial.trial_id), files)
        if report is not None:
            self._oracle.update_trial(trial.trial_id, **report)
        ended = copy.copy(trial)
        ended.set_state({**state, "metrics": trial.metrics.get_config()})
        self._tuner.on_trial_end(ended)

    def _begin_again(self, trial, error):
        self._num_lost[trial.trial_id] += 1
        if self._num_lost[trial.trial_id] < _MAX_LOST_WORKERS:
            self._lost.append(trial)
            return
        ended = copy.copy(trial)
        ended.status = TrialStatus.FAILED
        ended.message = (
            f"The trial has ended {_MAX_LOST_WORKERS} workers, as too little memory "
            f"would. What Ray says of the last one: {error}"
        )
        self._tuner.on_trial_end(ended)
