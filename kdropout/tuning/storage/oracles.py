"""KerasTuner's oracles, whose knowledge of a search cannot be lost."""

import warnings

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from kdropout.tuning.storage.stored_oracle import StoredOracle

# Keeps the candidates of a trial apart from the random numbers of the first trials,
# which a search that is rebuilt must find again.
_OF_CANDIDATES = 2**31


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

    # As many as the restarts of KerasTuner's own search for the best point. So many
    # fruitless draws, too, until a space of few points counts as exhausted.
    _NUM_CANDIDATES = 50

    def populate_space(self, trial_id):
        import numpy as np

        # Not kept in the files: a stream for each trial needs no memory.
        self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        with warnings.catch_warnings():
            # Of how well the process fits few points: nothing a user could change.
            warnings.filterwarnings("ignore", module="sklearn")
            answer = super().populate_space(trial_id)
        values = answer["values"]
        if values is None or not self._duplicate(values):
            return answer
        values = self._best_new_values()
        status = TrialStatus.STOPPED if values is None else TrialStatus.RUNNING
        return {"status": status, "values": values}

    def is_random(self, trial):
        completed = [t for t in self.trials.values() if t.status == "COMPLETED"]
        dimensions = len(self.hyperparameters.space)
        return len(completed) < (self.num_initial_points or max(3 * dimensions, 3))

    def _random_values(self):
        for _ in range(self._NUM_CANDIDATES):
            values = super()._random_values()
            if values is not None:
                return values
        return None

    def _best_new_values(self):
        """Of some random new points, the one with the lowest confidence bound."""
        import numpy as np

        candidates = self._draw_candidates()
        if not candidates:
            return None
        points = np.array([self._to_point(values) for values in candidates])
        mean, deviation = self.gpr.predict(points, return_std=True)
        return candidates[int(np.argmin(mean - self.beta * deviation))]

    def _draw_candidates(self):
        before, drawn = self._seed_state, []
        self._seed_state = self.seed + _OF_CANDIDATES * (1 + len(self.trials))
        while len(drawn) < self._NUM_CANDIDATES:
            values = self._random_values()
            if values is None:
                break
            drawn.append(values)
        self._seed_state = before
        return drawn

    def _to_point(self, values):
        return [
            hp.value_to_prob(values.get(hp.name, hp.default))
            for hp in self._nonfixed_space()
        ]


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


class GridSearchOracle(StoredOracle, keras_tuner.oracles.GridSearchOracle):
    """Grid search that can be taken up again."""

    @keras_tuner.synchronized
    def end_trial(self, trial):
        # Before the state is saved; KerasTuner does it once more, after it.
        self._populate_next.append(trial.trial_id)
        super().end_trial(trial)

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
        if "ordered_ids" in state:
            self._set_order(state["ordered_ids"])
            self._populate_next = state["populate_next"]
        else:  # a project of KerasTuner's own
            self._find_order()

    def is_random(self, trial):
        return False

    def forget(self):
        super().forget()
        self._find_order()

    def rebuild(self):
        super().rebuild()
        self._find_order()

    def _propose_again(self, trial_id):
        self._find_order()
        return super()._propose_again(trial_id)

    def _find_order(self):
        """The order of the trials in the grid, from their values."""
        ids = [i for i in self.start_order if self.trials[i].hyperparameters.values]
        self._set_order(sorted(ids, key=self._place))
        self._populate_next = ids

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
