"""One process that runs the trials it is given."""

import pathlib
import tempfile

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
        self._folder = tempfile.TemporaryDirectory(prefix="kdropout-")
        tuner.directory = self._folder.name
        tuner.oracle._set_project_dir(tuner.directory, tuner.project_name)
        tuner.progress.verbose = 0
        self._tuner, self._args, self._kwargs = tuner, args, kwargs

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
        for trial_id, contents in files.items():
            write_files(self._tuner.get_trial_dir(trial_id), contents)
        trial = Trial.from_state(state)
        oracle, reported = self._tuner.oracle, []
        oracle.trials[trial.trial_id] = trial
        oracle.update_trial = lambda _, metrics, step=0: reported.append(
            {"metrics": metrics, "step": step}
        )
        self._tuner._try_run_and_update_trial(trial, *self._args, **self._kwargs)
        left = read_files(self._tuner.get_trial_dir(trial.trial_id))
        return trial.get_state(), reported[0] if reported else None, left


def read_files(folder):
    """The files of a trial, but for KerasTuner's own: dict from name to bytes."""
    paths = pathlib.Path(folder).iterdir()
    return {p.name: p.read_bytes() for p in paths if p.name != "trial.json"}


def write_files(folder, contents):
    """Write what `read_files` read."""
    for name, content in contents.items():
        with replacing(pathlib.Path(folder) / name) as temporary:
            temporary.write_bytes(content)
