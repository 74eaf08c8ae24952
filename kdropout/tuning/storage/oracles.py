"""KerasTuner's oracles, whose knowledge of a search cannot be lost."""

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from kdropout.tuning.storage.stored_oracle import StoredOracle


def recoverable(oracle):
    """`oracle` as one of the classes below, if there is one for its class."""
    kind = _KINDS.get(type(oracle))
    if kind is None:
        return oracle
    stored = object.__new__(kind)
    vars(stored).update(vars(oracle))
    return stored


class RandomSearchOracle(StoredOracle, keras_tuner.oracles.RandomSearchOracle):
    """Random search that can be taken up again."""


class BayesianOptimizationOracle(
    StoredOracle, keras_tuner.oracles.BayesianOptimizationOracle
):
    """Bayesian optimization that can be taken up again, and asks nothing twice."""

    # As many as the restarts of KerasTuner's own search for the best point.
    _NUM_CANDIDATES = 50

    def populate_space(self, trial_id):
        import numpy as np

        # Not kept in the files: a stream for each trial needs no memory.
        self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        answer = super().populate_space(trial_id)
        values = answer["values"]
        if values is None or not self._duplicate(values):
            return answer
        values = self._best_new_values()
        status = TrialStatus.STOPPED if values is None else TrialStatus.RUNNING
        return {"status": status, "values": values}

    def num_random(self):
        dimensions = len(self.hyperparameters.space)
        return self.num_initial_points or max(3 * dimensions, 3)

    def _best_new_values(self):
        """Of some random new points, the one with the lowest confidence bound."""
        import numpy as np

        drawn = [self._random_values() for _ in range(self._NUM_CANDIDATES)]
        candidates = [values for values in drawn if values is not None]
        if not candidates:
            return None
        points = np.array([self._to_point(values) for values in candidates])
        mean, deviation = self.gpr.predict(points, return_std=True)
        return candidates[int(np.argmin(mean - self.beta * deviation))]

    def _to_point(self, values):
        return [
            hp.value_to_prob(values.get(hp.name, hp.default))
            for hp in self._nonfixed_space()
        ]


class HyperbandOracle(StoredOracle, keras_tuner.oracles.HyperbandOracle):
    """Hyperband that can be taken up again."""

    def is_random(self, trial):
        return "tuner/trial_id" not in trial.hyperparameters.values

    def rebuild(self):
        super().rebuild()
        self._brackets = []
        self._current_iteration = 0
        self._current_bracket = self._get_num_brackets() - 1
        self._start_new_bracket()
        for trial_id in self.start_order:
            values = self.trials[trial_id].hyperparameters.values
            number, past = values["tuner/bracket"], values.get("tuner/trial_id")
            bracket = self._bracket_of(number, past)
            bracket["rounds"][values["tuner/round"]].append(
                {"past_id": past, "id": trial_id}
            )

    def _bracket_of(self, number, past_id):
        """The bracket of a trial; a new one where the last of its number is full."""
        for bracket in self._brackets:
            first = bracket["rounds"][0]
            if bracket["bracket_num"] != number:
                continue
            if past_id is None and len(first) < self._get_size(number, 0):
                return bracket
            rounds = (entry["id"] for round_ in bracket["rounds"] for entry in round_)
            if past_id in rounds:
                return bracket
        self._increment_bracket_num()
        self._start_new_bracket()
        return self._brackets[-1]


class GridSearchOracle(StoredOracle, keras_tuner.oracles.GridSearchOracle):
    """Grid search that can be taken up again."""

    def end_trial(self, trial):
        # Before the state is saved, and not after it as KerasTuner does.
        self._populate_next.append(trial.trial_id)
        keras_tuner.Oracle.end_trial(self, trial)

    def get_state(self):
        ids, at = [], self._ordered_ids._next_index[None]
        while at is not None:
            ids.append(self._ordered_ids._memory[at])
            at = self._ordered_ids._next_index[at]
        return {
            **super().get_state(),
            "ordered_ids": ids,
            "populate_next": list(self._populate_next),
        }

    def set_state(self, state):
        super().set_state(state)
        self._set_order(state["ordered_ids"])
        self._populate_next = state["populate_next"]

    def is_random(self, trial):
        return False

    def rebuild(self):
        super().rebuild()
        self._set_order(sorted(self.start_order, key=self._place))
        self._populate_next = list(self.start_order)

    def _set_order(self, ids):
        self._ordered_ids = type(self._ordered_ids)()
        for trial_id in ids:
            self._ordered_ids.insert(trial_id)

    def _place(self, trial_id):
        """Where a trial stands in the order of the grid: the default comes first."""
        values = self.trials[trial_id].hyperparameters.values
        place = []
        for hp in self.hyperparameters.space:
            if hp.name in values:
                options = [hp.default, *(v for v in hp.values if v != hp.default)]
                place.append(options.index(values[hp.name]))
        return place


_KINDS = {
    keras_tuner.oracles.RandomSearchOracle: RandomSearchOracle,
    keras_tuner.oracles.BayesianOptimizationOracle: BayesianOptimizationOracle,
    keras_tuner.oracles.HyperbandOracle: HyperbandOracle,
    keras_tuner.oracles.GridSearchOracle: GridSearchOracle,
}
