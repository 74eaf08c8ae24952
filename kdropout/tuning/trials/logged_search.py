"""A search that TensorBoard shows."""

import contextlib
import json
import os
import pathlib

import keras

from kdropout.callbacks import TensorBoardRates
from kdropout.tuning.search_log import SearchLog
from kdropout.tuning.space import plan_of
from kdropout.tuning.trials.audience import Audience
from kdropout.tuning.trials.fresh_names import FreshNames
from kdropout.tuning.workers.several_workers import SeveralWorkers


class LoggedSearch(SeveralWorkers):
    """A tuner that tells TensorBoard of its trials.

    Its oracle sees all of them end, in whatever process they run: so it is where the
    oracle is that something is written.

    Args:
        oracle: A `keras_tuner.Oracle`.
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model.
        log_dir: Path of a folder for TensorBoard, which no other search may use. The
            tab "HParams" has a row for each trial that has ended, and the tab "Dropout"
            the charts of the search. None to write nothing. Defaults to None.
        **kwargs: Arguments of `SeveralWorkers` and `keras_tuner.Tuner`.
    """

    def __init__(self, oracle, hypermodel=None, log_dir=None, **kwargs):
        self.search_log = None
        if log_dir is not None:
            self.search_log = SearchLog(log_dir, oracle)
            oracle._display = Audience(oracle._display, self.search_log)
        super().__init__(oracle, hypermodel, **kwargs)
        if self._writes_log():
            is_new = not oracle.trials
            self.search_log.claim(is_new, overwrite=kwargs.get("overwrite", False))

    def run_trials(self, *args, **kwargs):
        if not self._writes_log():
            super().run_trials(*args, **kwargs)
            return
        self.search_log.epochs = kwargs.get("epochs")
        if not self.search_log.axes.are_of_model:
            self._build_one()
        self.search_log.update()
        try:
            super().run_trials(*args, **kwargs)
        finally:
            self.search_log.update()
        self.search_log.finish()

    def get_state(self):
        state = super().get_state()
        if self.search_log is not None and self.search_log.axes.are_known:
            state["dimensions"] = self.search_log.axes.get_state()
        return state

    def reload(self):
        super().reload()
        # If there is no such file, or a damaged one, a model tells it.
        if self.search_log is not None:
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                state = json.loads(pathlib.Path(self._get_tuner_fname()).read_text())
                self.search_log.axes.set_state(state["dimensions"])

    def learn_rates(self, model):
        """Take in which rates are searched, from a model that was built."""
        if self.search_log is not None and isinstance(model, keras.Model):
            self.search_log.axes.learn(plan_of(model))

    def _build_one(self):
        if self.hypermodel is None:  # a subclass runs trials in a way of its own
            self.search_log.axes.learn(None)
            return
        # A search that is taken up again builds nothing else where its trials run
        # elsewhere. Of a copy of the space, so that it goes on as without a log.
        with contextlib.suppress(Exception):  # the trials will tell
            space = self.oracle.get_space()
            self.learn_rates(FreshNames(self.hypermodel).build(space))

    def _configure_tensorboard_dir(self, callbacks, trial, execution=0):
        super()._configure_tensorboard_dir(callbacks, trial, execution)
        for callback in callbacks:
            if isinstance(callback, TensorBoardRates):
                parts = [trial.trial_id]
                if self.executions_per_trial > 1:
                    parts.append(f"execution{execution}")  # as KerasTuner calls it
                callback.log_dir = os.path.join(callback.log_dir, *parts)

    def _writes_log(self):
        return self.search_log is not None and not self._is_worker()
