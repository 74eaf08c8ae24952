"""The knowledge of a search in one file that is always whole."""

import json
import pathlib
import warnings

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kdropout.files import write_json

# Where the random numbers of a search go on whose stream could not be found again.
_FAR = 1_000_000


class StoredOracle(keras_tuner.Oracle):
    """An oracle that can be stopped at any moment and taken up again.

    `oracle.json` holds the state of the search and all trials, and is replaced as a
    whole whenever a trial begins or ends: these are the only moments that count. A
    trial that had begun and not ended is run again, under the same number with the
    same values. `trial_*/trial.json` are there for people and for KerasTuner; only if
    `oracle.json` is missing or damaged is the search put together from them.
    """

    def get_best_trials(self, num_trials=1):
        """The best of the trials that have completed, and no others."""
        completed = [t for t in self.trials.values() if _has_score(t)]
        completed.sort(key=lambda t: t.score, reverse=self.objective.direction == "max")
        return completed[:num_trials]

    def save(self):
        trials = [trial.get_state() for trial in self.trials.values()]
        write_json(self._get_oracle_fname(), {**self.get_state(), "trials": trials})

    def _save_trial(self, trial):
        path = pathlib.Path(self._get_trial_dir(trial.trial_id)) / "trial.json"
        write_json(path, trial.get_state())

    def has_saved_search(self):
        """Whether a search has begun in the folder of the project."""
        return pathlib.Path(self._get_oracle_fname()).exists() or bool(
            self._trial_files()
        )

    def reload(self):
        path = pathlib.Path(self._get_oracle_fname())
        try:
            state = json.loads(path.read_text())
            trials = state.pop("trials", None)
            if trials is None:  # a project of KerasTuner's own
                self._load_trial_files()
            else:
                self._set_trials(map(Trial.from_state, trials))
            self.set_state(state)
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            self._rebuild_without(path, error)
        self._run_again()

    def rebuild(self):
        """Find out the state of the search from its trials. Subclasses add theirs."""
        self.start_order = sorted(self.trials)
        ended = (TrialStatus.COMPLETED, TrialStatus.FAILED)
        self.end_order = [i for i in self.start_order if self.trials[i].status in ended]
        self.ongoing_trials = {}
        self._retry_queue = []
        self._run_times.clear()
        self._run_times.update({trial_id: 1 for trial_id in self.end_order})
        self._tried_so_far = set()
        self._id_to_hash.clear()
        for trial_id in self.start_order:
            self.update_space(self.trials[trial_id].hyperparameters)
        self._find_random_state()
        for trial_id in self.start_order:
            self._record_values(self.trials[trial_id])

    def is_random(self, trial):
        """Whether the values of a trial were drawn at random."""
        return True

    def num_random(self):
        """How many trials at most had values drawn at random."""
        return len(self.trials)

    def _find_random_state(self):
        """Draw the random values again, up to where the search was."""
        self._seed_state = self.seed
        drawn = [t for i in self.start_order if self.is_random(t := self.trials[i])]
        for trial in drawn[: self.num_random()]:
            values, seen = self._random_values(), trial.hyperparameters.values
            if values is None or any(seen.get(name) != values[name] for name in values):
                self._seed_state = self.seed + _FAR  # it had another seed
                return
            self._tried_so_far.add(self._compute_values_hash(seen))

    def _rebuild_without(self, path, error):
        self._load_trial_files()
        if not self.trials:
            raise RuntimeError(
                f"The search in '{path.parent}' cannot be taken up again: "
                f"'{path.name}' cannot be read ({error!r}), and there are no trials to "
                "rebuild it from. Pass overwrite=True to begin anew, or another "
                "'project_name'."
            ) from error
        self.rebuild()
        warnings.warn(
            f"'{path}' was missing or damaged ({error!r}). The search has been rebuilt "
            f"from its {len(self.trials)} trials and goes on.",
            stacklevel=2,
        )

    def _run_again(self):
        """Put the trials that had begun and not ended in the queue."""
        self.ongoing_trials = {}
        ended = {*self.end_order, *self._retry_queue}
        begun = [trial_id for trial_id in self.start_order if trial_id not in ended]
        for trial_id in begun:
            self.trials[trial_id].metrics = type(self.trials[trial_id].metrics)()
        # The queue is emptied from its end: the oldest trial comes first.
        self._retry_queue = [*begun[::-1], *self._retry_queue]

    def _load_trial_files(self):
        trials = []
        for path in self._trial_files():
            try:
                trials.append(Trial.load(str(path)))
            except (ValueError, KeyError, TypeError) as error:
                warnings.warn(
                    f"'{path}' is damaged ({error!r}): this trial is left out.",
                    stacklevel=2,
                )
        self._set_trials(trials)

    def _set_trials(self, trials):
        self.trials = {trial.trial_id: trial for trial in trials}

    def _trial_files(self):
        folder = pathlib.Path(self._get_oracle_fname()).parent
        return sorted(folder.glob("trial_*/trial.json"))


def _has_score(trial):
    return trial.status == TrialStatus.COMPLETED and trial.score is not None
