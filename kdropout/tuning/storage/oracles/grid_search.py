"""The oracle of grid search."""

import keras_tuner

from kdropout.tuning.storage.stored_oracle import StoredOracle


class GridSearchOracle(StoredOracle, keras_tuner.oracles.GridSearchOracle):
    """Grid search that can be taken up again."""

    @keras_tuner.synchronized
    def end_trial(self, trial):
        # Before the state is saved. KerasTuner does it after that.
        self._populate_next.append(trial.trial_id)
        super().end_trial(trial)
        self._populate_next.pop()

    def _get_next_combination(self, values):
        # KerasTuner expects a value of each hyperparameter, also where the trial ended
        # before another one asked for it first. The last value cannot be moved on.
        last = {}
        for hp in self.hyperparameters.space:
            others = [value for value in hp.values if value != hp.default]
            last[hp.name] = others[-1] if others else hp.default
        return super()._get_next_combination({**last, **values})

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
