"""Hyperband."""

import json
import pathlib

import keras_tuner

from kdropout.tuning.trials.checkpoint import load_values, save_values
from kdropout.tuning.trials.engine import TrialEngine
from kdropout.tuning.trials.model_pool import all_variables


class Hyperband(keras_tuner.Hyperband, TrialEngine):
    """`keras_tuner.Hyperband` on models that are compiled once.

    A trial that is promoted goes on exactly where it stopped: with its last weights,
    the state of the optimizer, the clocks of schedules, rates and seeds, and with the
    order of the data that a single training would have. (KerasTuner's own begins
    with the weights of the best epoch and a new optimizer.)

    Args:
        *args: As for `keras_tuner.Hyperband`.
        **kwargs: As for `keras_tuner.Hyperband`, and `workers`, `ray_address`,
            `threads_per_worker`, `scored_epoch` and `log_dir`:
            see `kdropout.tuning.trials.TrialEngine`.

    Raises:
        RuntimeError: If another process writes to the same project.
    """

    def _build_hypermodel(self, hp):
        # Weights come from the saved state, and not from the best epoch.
        return TrialEngine._build_hypermodel(self, hp)

    def begin_training(self, trial, model, execution):
        parent = trial.hyperparameters.values.get("tuner/trial_id")
        if parent is None:
            return
        if not model.built:
            build_config = pathlib.Path(self._get_build_config_fname(parent))
            model.build_from_config(json.loads(build_config.read_text()))
        path = self._state_file(parent, execution)
        if path.exists():
            model.optimizer.build(model.trainable_variables)
            load_values(all_variables(model), path)
        else:
            self._begin_with_best_weights(parent, model)

    def end_training(self, trial, model, execution):
        save_values(all_variables(model), self._state_file(trial.trial_id, execution))

    def _begin_with_best_weights(self, trial_id, model):
        """As KerasTuner does, whose projects hold no more."""
        best = self.load_model(self.oracle.get_trial(trial_id))
        model.set_weights(best.get_weights())
        self.progress.note(
            f"Trial {trial_id} left no last state, as after a fit that compiles the "
            "model anew. What is promoted from it begins with the weights of its best "
            "epoch and a new optimizer."
        )

    def _state_file(self, trial_id, execution):
        return pathlib.Path(self.get_trial_dir(trial_id)) / f"state_{execution}.npz"
