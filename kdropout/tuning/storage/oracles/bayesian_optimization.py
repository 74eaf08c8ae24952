"""The oracle of Bayesian optimization."""

import warnings

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import TrialStatus
from threadpoolctl import threadpool_limits

from kdropout.tuning.storage.stored_oracle import StoredOracle

# Keeps the candidates of a trial apart from the random numbers of the first trials,
# which a search that is rebuilt must find again.
_OF_CANDIDATES = 2**31


class BayesianOptimizationOracle(
    StoredOracle, keras_tuner.oracles.BayesianOptimizationOracle
):
    """Bayesian optimization that can be taken up again, and asks nothing twice."""

    # As many as the restarts of KerasTuner's own search for the best point. So many
    # fruitless draws, too, until a space of few points counts as exhausted.
    _NUM_CANDIDATES = 50

    def populate_space(self, trial_id):
        # Not kept in the files: a stream for each trial needs no memory.
        self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        # The matrices are small: more threads would only wait for each other.
        with threadpool_limits(1), warnings.catch_warnings():
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
