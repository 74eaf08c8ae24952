"""The folder of a search: one process writes to it, and a stopped search goes on."""

import contextlib
import json
import pathlib

import keras_tuner

from kdropout.files import write_json
from kdropout.tuning.storage.failure_text import failure_text
from kdropout.tuning.storage.lock import ProjectLock


class Project(keras_tuner.Tuner):
    """A tuner whose files are always whole, and never another process's to delete.

    With KerasTuner's own chief and workers (`KERASTUNER_TUNER_ID`, ...): all of them
    need one folder that they share, and the same `seed`; scores come as numbers of 32
    bits. A worker that was killed must be started again under the same name, which
    takes its trial up, or the chief waits for it. Workers on Ray have no such limits.

    Args:
        oracle: A `keras_tuner.Oracle`, best a recoverable one.
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model.
        **kwargs: Arguments of `keras_tuner.Tuner`.
    """

    def __init__(self, oracle, hypermodel=None, **kwargs):
        self._reloaded = False
        if self._is_worker():
            kwargs["overwrite"] = False  # the folder is the chief's
            self._lock = contextlib.nullcontext()
        else:
            self._lock = ProjectLock(
                kwargs.get("directory") or ".",
                kwargs.get("project_name") or "untitled_project",
            )
        # In a worker, KerasTuner puts a proxy in its place.
        self._own_oracle = oracle
        with self._lock if kwargs.get("overwrite") else contextlib.nullcontext():
            super().__init__(oracle, hypermodel, **kwargs)
        # Without the file of the tuner KerasTuner would begin anew. A search that was
        # killed in its first trial has none.
        if not self._reloaded and not self._is_worker() and self._has_begun():
            self.reload()

    def search(self, *args, **kwargs):
        with self._lock:
            if not self._is_worker() and self._was_overtaken():
                self.reload()
            self.run_trials(*args, **kwargs)

    def run_trials(self, *args, **kwargs):
        """Run all trials, while the project is locked."""
        super().search(*args, **kwargs)

    def save(self):
        if not self._is_worker():
            self.oracle.save()
        write_json(self._get_tuner_fname(), self.get_state())

    def reload(self):
        self._reloaded = True
        if not self._is_worker():
            self._own_oracle.seed = self._saved_seed()
            self._own_oracle.reload()

    def get_state(self):
        return {"seed": self._own_oracle.seed}

    def get_best_models(self, num_models=1):
        self._require_results()
        return super().get_best_models(num_models)

    def get_best_hyperparameters(self, num_trials=1):
        self._require_results()
        return super().get_best_hyperparameters(num_trials)

    def _has_begun(self):
        return getattr(self._own_oracle, "has_saved_search", bool)()

    def _was_overtaken(self):
        return getattr(self._own_oracle, "was_overtaken", bool)()

    def _saved_seed(self):
        """The seed of a search that was given none; counts if `oracle.json` is lost."""
        try:
            state = json.loads(pathlib.Path(self._get_tuner_fname()).read_text())
            return int(state["seed"])
        except (OSError, ValueError, LookupError, TypeError):
            return self._own_oracle.seed

    def _require_results(self):
        if self.oracle.get_best_trials(1):
            return
        failed = [t for t in self._own_oracle.trials.values() if t.message]
        why = failure_text(failed[0].message) if failed else "none was run"
        raise RuntimeError(
            f"No trial of the search in '{self.project_dir}' has completed, so none "
            f"is the best: {why}"
        )
