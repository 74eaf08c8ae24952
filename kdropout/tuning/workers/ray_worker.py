"""One process that runs the trials it is given."""

import os
import pathlib
import shutil
import tempfile
import uuid

import ray
from keras_tuner.engine.trial import Trial

from kdropout.files import replacing


class RayWorker:
    """Runs trials with a tuner of its own, whose compiled model lives as long as it.

    Everything comes and goes through Ray: no folder is shared.

    Args:
        tuner: A copy of the tuner of the search.
        args: Positional arguments of `search`.
        kwargs: Keyword arguments of `search`.
    """

    def __init__(self, tuner, args, kwargs):
        # A worker ends by being killed, so others remove the folder. It is made by the
        # first trial: whoever is to remove it knows of it by then.
        name = f"kdropout-{uuid.uuid4().hex}"
        self._folder = os.path.join(tempfile.gettempdir(), name)
        tuner.directory = self._folder
        tuner.progress.verbose = 0
        self._tuner, self._args, self._kwargs = tuner, args, kwargs

    def is_ready(self):
        """Returns once the worker has started: its node of Ray, and its folder."""
        return ray.get_runtime_context().get_node_id(), self._folder

    def run(self, state, files):
        """Run a trial.

        Args:
            state: What `keras_tuner`'s `Trial.get_state()` returned.
            files: Dict from trial to the files that it left, as `read_files` does,
                of the trials that this one goes on from.

        Returns:
            Tuple of the state of the trial, the arguments for `oracle.update_trial`
            (None if it failed) and the files that it left.
        """
        trial = Trial.from_state(state)
        oracle, reported = self._tuner.oracle, []
        oracle._set_project_dir(self._folder, self._tuner.project_name)
        oracle.trials[trial.trial_id] = trial
        oracle.update_trial = lambda _, metrics, step=0: reported.append(
            {"metrics": metrics, "step": step}
        )
        try:
            for trial_id, contents in files.items():
                write_files(self._tuner.get_trial_dir(trial_id), contents)
            self._tuner._try_run_and_update_trial(trial, *self._args, **self._kwargs)
            left = read_files(self._tuner.get_trial_dir(trial.trial_id))
        finally:
            for trial_id in (trial.trial_id, *files):
                shutil.rmtree(self._tuner.get_trial_dir(trial_id), ignore_errors=True)
        return trial.get_state(), reported[0] if reported else None, left


def read_files(folder):
    """The files of a trial, but for KerasTuner's own: dict from path to bytes."""
    folder = pathlib.Path(folder)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        # A name with a dot in front is what a killed process had begun to write.
        if path.is_file() and path.name != "trial.json" and path.name[0] != "."
    }


def write_files(folder, contents):
    """Write what `read_files` read."""
    for name, content in contents.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
