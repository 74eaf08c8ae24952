"""Finds the state of a search again from what its trials tell."""

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

# How far off the random numbers of a search go on whose stream was not found again.
_FAR = 1_000_000

_ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)


class Replay(keras_tuner.Oracle):
    """An oracle that can play a search again.

    The trials are gone through in the order of their numbers, and each brings the
    oracle to where it was when it proposed the next. A trial whose file is lost is
    proposed again in its turn, so a search in one process goes on with the very same
    trials. Where trials ran side by side, or the seed is another one, what they tell
    is kept, and the search goes on with new random numbers.
    """

    def rebuild(self):
        """Find the state of the search from `self.trials`, which may have gaps."""
        known = self.trials
        for trial in known.values():
            self.update_space(trial.hyperparameters)
        self.forget()
        for trial_id in self._all_ids(known):
            trial = known.get(trial_id)
            if trial is None:
                trial = self._propose_again(trial_id)
            else:
                self.replay(trial)
            self._take_in(trial)

    def forget(self):
        """Go back to where no trial had begun. Subclasses add what they know."""
        self.trials = {}
        self.start_order = []
        self.end_order = []
        self.ongoing_trials = {}
        self._retry_queue = []
        self._run_times.clear()
        self._tried_so_far = set()
        self._id_to_hash.clear()
        self._seed_state = self.seed

    def replay(self, trial):
        """Go to where `trial` had been proposed. Subclasses add what they know."""
        if not self.is_random(trial):
            return
        values, seen = self._random_values(), trial.hyperparameters.values
        if values is None or any(seen.get(name) != values[name] for name in values):
            self._seed_state = self.seed + _FAR * (1 + len(self.trials))

    def is_random(self, trial):
        """Whether the values of the next trial were drawn at random."""
        return True

    def _propose_again(self, trial_id):
        running = [t for t in self.trials.values() if t.status == TrialStatus.RUNNING]
        self.ongoing_trials = {trial.trial_id: trial for trial in running}
        response = self.populate_space(trial_id)
        self.ongoing_trials = {}
        hyperparameters = self.get_space()
        hyperparameters.values = response.get("values") or {}
        trial = Trial(hyperparameters, trial_id)
        if not hyperparameters.values:
            trial.status = TrialStatus.FAILED
            trial.message = "The file of this trial was lost, and with it its values."
        return trial

    def _take_in(self, trial):
        trial_id = trial.trial_id
        self.trials[trial_id] = trial
        self.start_order.append(trial_id)
        if trial.status in _ENDED:
            self.end_order.append(trial_id)
            self._run_times[trial_id] = 1
        if trial.hyperparameters.values:
            self._record_values(trial)

    def _all_ids(self, known):
        """The numbers of all trials in order, also of those that are lost."""
        if not all(trial_id.isdigit() for trial_id in known):
            return sorted(known)  # of an old KerasTuner, which did not number them
        by_number = {int(trial_id): trial_id for trial_id in known}
        width = len(str(self.max_trials))  # as KerasTuner pads them
        return [
            by_number.get(number, f"{number:0{width}d}")
            for number in range(max(by_number) + 1)
        ]
