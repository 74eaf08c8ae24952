"""The knowledge of a search in one file that is always whole."""

import contextlib
import json
import pathlib
import warnings

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from kdropout.files import write_json
from kdropout.tuning.storage.replay import Replay


class StoredOracle(Replay, keras_tuner.Oracle):
    """An oracle that can be stopped at any moment and taken up again.

    `oracle.json` holds the state of the search and all trials, and is replaced as a
    whole whenever a trial begins or ends: these are the only moments that count. A
    trial that had begun and not ended is run again, under the same number with the
    same values. `trial_*/trial.json` are there for people and for KerasTuner; only if
    `oracle.json` is missing or damaged is the search put together from them.
    """

    _stamp = None  # of the file as this object last wrote or read it

    @keras_tuner.synchronized
    def end_trial(self, trial):
        own = self.trials[trial.trial_id].hyperparameters.values
        _make_exact(trial.hyperparameters.values, own)
        super().end_trial(trial)

    @keras_tuner.synchronized
    def update_trial(self, trial_id, metrics, step=0):
        with _nan_allowed():
            return super().update_trial(trial_id, metrics, step)

    def score_trial(self, trial):
        with _nan_allowed():
            super().score_trial(trial)
        if np.isnan(trial.score):
            trial.message = (
                f"The objective '{self.objective.name}' was NaN in every epoch of this "
                "trial: the training diverged, or the data hold NaN. Lower the "
                "learning rate, or check the data and the loss."
            )

    def get_best_trials(self, num_trials=1):
        """The best of the trials that have completed, and no others."""
        completed = [t for t in self.trials.values() if _has_score(t)]
        completed.sort(key=lambda t: t.score, reverse=self.objective.direction == "max")
        return completed[:num_trials]

    def save(self):
        trials = [trial.get_state() for trial in self.trials.values()]
        state = {
            **self.get_state(),
            "trials": trials,
            "algorithm": type(self).__name__,
        }
        write_json(self._get_oracle_fname(), state, is_durable=True)
        self._stamp = self._stamp_of_file()

    def has_saved_search(self):
        """Whether a search has begun in the folder of the project."""
        return self._stamp_of_file() is not None or bool(self._trial_files())

    def was_overtaken(self):
        """Whether another tuner has written to the project since this one did."""
        return self._stamp_of_file() not in (None, self._stamp)

    def reload(self):
        path, kind = pathlib.Path(self._get_oracle_fname()), type(self).__name__
        try:
            state = json.loads(path.read_text())
            if (other := state.get("algorithm", kind)) != kind:
                raise RuntimeError(
                    f"The project '{path.parent}' must be opened with the algorithm "
                    f"that began it. Received: {kind}, for a project of {other}. Use "
                    "that algorithm, pass another 'project_name', or overwrite=True "
                    "to delete its trials."
                )
            trials = state.pop("trials", None)
            if trials is None:  # a project of KerasTuner's own
                self._load_trial_files()
            else:
                self._set_trials(map(Trial.from_state, trials))
            self.set_state(state)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            self._rebuild_without(path, error)
        self._stamp = self._stamp_of_file()
        self._run_again()

    def _save_trial(self, trial):
        path = pathlib.Path(self._get_trial_dir(trial.trial_id)) / "trial.json"
        write_json(path, trial.get_state())

    def _retry(self, trial):
        is_retried = super()._retry(trial)
        if is_retried:
            _forget_results(trial)  # KerasTuner would keep those of the failed run
        return is_retried

    def _rebuild_without(self, path, error):
        self._load_trial_files()
        if not self.trials:
            raise RuntimeError(
                f"The search in '{path.parent}' cannot be taken up again: "
                f"'{path.name}' cannot be read ({error!r}), and there are no trials to "
                "rebuild it from. Pass overwrite=True to begin anew, or another "
                "'project_name'."
            ) from error
        warnings.warn(
            f"'{path}' was missing or damaged ({error!r}). The search is rebuilt from "
            f"its {len(self.trials)} trials and goes on.",
            stacklevel=2,
        )
        self.rebuild()

    def _run_again(self):
        """Put the trials that had begun and not ended in the queue."""
        self.ongoing_trials = {}
        ended = {*self.end_order, *self._retry_queue}
        begun = [trial_id for trial_id in self.start_order if trial_id not in ended]
        for trial_id in begun:
            _forget_results(self.trials[trial_id])
        # The queue is emptied from its end: the oldest trial comes first.
        self._retry_queue = [*begun[::-1], *self._retry_queue]

    def _load_trial_files(self):
        trials = []
        for path in self._trial_files():
            try:
                trials.append(Trial.load(str(path)))
            except (OSError, ValueError, LookupError, TypeError, AttributeError) as e:
                warnings.warn(
                    f"'{path}' is damaged ({e!r}). The trial is run again if the "
                    "search tells its values, and left out if not.",
                    stacklevel=2,
                )
        self._set_trials(trials)

    def _set_trials(self, trials):
        self.trials = {trial.trial_id: trial for trial in trials}

    def _trial_files(self):
        folder = pathlib.Path(self._get_oracle_fname()).parent
        return sorted(folder.glob("trial_*/trial.json"))

    def _stamp_of_file(self):
        try:
            status = pathlib.Path(self._get_oracle_fname()).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


@contextlib.contextmanager
def _nan_allowed():
    """Without a warning of values that are all NaN: the trial says it in words."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        yield


def _has_score(trial):
    return trial.status == TrialStatus.COMPLETED and trial.score is not None


def _forget_results(trial):
    trial.metrics = type(trial.metrics)()
    trial.score = None
    trial.best_step = 0
    trial.message = None


def _make_exact(values, own):
    """KerasTuner's chief and workers send each other numbers of 32 bits."""
    for name, value in own.items():
        received = values.get(name)
        if isinstance(value, float) and isinstance(received, float):
            if np.float32(value) == np.float32(received):
                values[name] = value
