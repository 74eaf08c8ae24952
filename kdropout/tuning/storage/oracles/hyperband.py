"""The oracle of Hyperband."""

import keras_tuner

from kdropout.tuning.storage.stored_oracle import StoredOracle


class HyperbandOracle(StoredOracle, keras_tuner.oracles.HyperbandOracle):
    """Hyperband that can be taken up again."""

    def is_random(self, trial):
        return "tuner/trial_id" not in trial.hyperparameters.values

    def forget(self):
        super().forget()
        self._brackets = []
        self._current_iteration = 0
        self._current_bracket = self._get_num_brackets() - 1
        self._start_new_bracket()

    def replay(self, trial):
        super().replay(trial)
        values = trial.hyperparameters.values
        past_id = values.get("tuner/trial_id")
        if past_id is None:
            bracket = self._bracket_with_room(values["tuner/bracket"])
        else:
            bracket = self._bracket_of(past_id)
        if bracket is not None:
            entry = {"past_id": past_id, "id": trial.trial_id}
            bracket["rounds"][values["tuner/round"]].append(entry)

    def _bracket_with_room(self, number):
        """The bracket of that number whose first round is not full."""
        for bracket in self._brackets:
            has_room = len(bracket["rounds"][0]) < self._get_size(number, 0)
            if bracket["bracket_num"] == number and has_room:
                return bracket
        for _ in range(self._get_num_brackets()):
            self._increment_bracket_num()
            self._start_new_bracket()
            if self._current_bracket == number:
                return self._brackets[-1]
        return None

    def _bracket_of(self, trial_id):
        for bracket in self._brackets:
            if any(e["id"] == trial_id for round_ in bracket["rounds"] for e in round_):
                return bracket
        return None
