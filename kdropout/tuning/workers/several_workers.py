"""A tuner whose trials may run in several processes."""

from kdropout import validation
from kdropout.tuning.storage.project import Project
from kdropout.tuning.workers import check_ray


class SeveralWorkers(Project):
    """A tuner that runs its trials here, or on Ray.

    Args:
        oracle: A `keras_tuner.Oracle`.
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model.
        workers: Integer of at least 1, number of processes that run trials, on Ray if
            there is more than one. Defaults to 1.
        ray_address: Address of a Ray cluster for the workers, such as "auto", or None
            for this machine. Defaults to None.
        threads_per_worker: Integer of at least 1, or None for a fair share of the
            cores of this machine. Defaults to None.
        **kwargs: Arguments of `keras_tuner.Tuner`.
    """

    def __init__(
        self,
        oracle,
        hypermodel=None,
        workers=1,
        ray_address=None,
        threads_per_worker=None,
        **kwargs,
    ):
        self._workers = validation.integer("workers", workers, low=1)
        self._ray_address = ray_address
        if threads_per_worker is not None:
            validation.integer("threads_per_worker", threads_per_worker, low=1)
        self._threads_per_worker = threads_per_worker
        if self._on_ray():
            check_ray()
        super().__init__(oracle, hypermodel, **kwargs)

    def run_trials(self, *args, **kwargs):
        if not self._on_ray():
            super().run_trials(*args, **kwargs)
            return
        from kdropout.tuning.workers.ray_search import RaySearch

        how = (self._workers, self._ray_address, self._threads_per_worker)
        RaySearch(self, args, kwargs, *how).run()

    def _on_ray(self):
        return self._workers > 1 or self._ray_address is not None

    def __getstate__(self):
        return {**vars(self), "_lock": None}  # a worker writes to no project
