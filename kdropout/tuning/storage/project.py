"""The folder of a search: one process writes to it, and a stopped search goes on."""

import keras_tuner

from kdropout.files import write_json
from kdropout.tuning.storage.lock import ProjectLock


class Project(keras_tuner.Tuner):
    """A tuner whose files are always whole, and never another process's to delete.

    Args:
        oracle: A `keras_tuner.Oracle`, best a recoverable one.
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model.
        **kwargs: Arguments of `keras_tuner.Tuner`.
    """

    def __init__(self, oracle, hypermodel=None, **kwargs):
        self._reloaded = False
        self._lock = None
        if self._is_worker():
            kwargs["overwrite"] = False  # the folder is the chief's
        else:
            self._lock = ProjectLock(
                kwargs.get("directory") or ".",
                kwargs.get("project_name") or "untitled_project",
            )
            if kwargs.get("overwrite"):
                self._lock.acquire()
        # In a worker, KerasTuner puts a proxy in its place.
        self._own_oracle = oracle
        super().__init__(oracle, hypermodel, **kwargs)
        has_begun = getattr(oracle, "has_saved_search", bool)()
        if has_begun and not self._reloaded and not self._is_worker():
            self.reload()  # the tuner's own file is missing, but it says nothing

    def search(self, *args, **kwargs):
        if self._lock is not None:
            self._lock.acquire()
        try:
            self.run_trials(*args, **kwargs)
        finally:
            if self._lock is not None:
                self._lock.release()

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
            self.oracle.reload()

    def get_best_models(self, num_models=1):
        self._require_results()
        return super().get_best_models(num_models)

    def get_best_hyperparameters(self, num_trials=1):
        self._require_results()
        return super().get_best_hyperparameters(num_trials)

    def _require_results(self):
        if self.oracle.get_best_trials(1):
            return
        failed = [t for t in self._own_oracle.trials.values() if t.message]
        why = failed[0].message.strip().splitlines()[-1] if failed else "none was run"
        raise RuntimeError(
            f"No trial of the search in '{self.project_dir}' has completed, so none "
            f"is the best. The first: {why}"
        )
