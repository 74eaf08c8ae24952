"""The tuner that a job asks for."""

import keras_tuner

from kdropout.tuning import tuners
from kdropout.tuning.search_log import clear

# Folders of the search, and of what TensorBoard is told of it, within that of the job.
PROJECT, LOG = "search", "tensorboard"

# KerasTuner counts on from the seed with each draw: neighbouring seeds would try the
# same settings, shifted by one. Two primes keep them apart, and 0 for none.
_SEED_STRIDE, _LARGEST_SEED = 1_000_003, 2**31 - 1


def make_tuner(job, build, folder):
    """A tuner of `kdropout.tuning` with the settings of a job.

    Args:
        job: `kdropout.tuning.job.Job`.
        build: What `job.make_hypermodel` returned.
        folder: `pathlib.Path` of the output.
    """
    settings = job.search.model_dump()
    settings["seed"] = settings["seed"] * _SEED_STRIDE % _LARGEST_SEED + 1
    algorithm = settings.pop("algorithm")
    if algorithm == "hyperband":
        settings["hyperband_iterations"] = settings.pop("iterations")
        settings["max_epochs"] = job.training.epochs
    objective = keras_tuner.Objective(
        job.objective.name, job.objective.resolved_direction
    )
    log_dir = folder / LOG
    if not (folder / PROJECT).exists():
        clear(log_dir)  # it is of a search that was deleted
    return _KINDS[algorithm](
        build,
        objective,
        directory=str(folder),
        project_name=PROJECT,
        log_dir=log_dir,
        workers=job.workers,
        ray_address=job.ray,
        threads_per_worker=job.threads_per_worker,
        scored_epoch=job.objective.epoch,
        **settings,
    )


def check_can_travel(job, data):
    """Refuse data that cannot be sent to workers, before anything is trained.

    Args:
        job: `kdropout.tuning.job.Job`.
        data: `kdropout.tuning.job.Data`.

    Raises:
        JobError: If there are workers, and the data are no arrays and cannot be
            pickled.
    """
    if not data.is_dataset or (job.workers == 1 and job.ray is None):
        return
    from ray import cloudpickle

    try:
        cloudpickle.dumps((data.training, data.validation))
    except Exception as error:  # of whatever the dataset is made of
        raise job.error(
            "workers" if job.workers > 1 else "ray",
            "needs data that can be sent to other processes: arrays, or a "
            f"keras.utils.PyDataset. Received: {type(data.x_train).__name__}, which "
            f"cannot be pickled ({type(error).__name__}). Return arrays from the "
            "function, or set workers=1 and no ray.",
        ) from None


def fit_arguments(job, data):
    """What `search` hands to each training: a dict."""
    more = {} if data.is_dataset else {"batch_size": job.training.batch_size}
    callbacks = job.make_callbacks(data)
    last_alone = job.objective.epoch == "last" and not callbacks
    if last_alone and job.search.algorithm != "hyperband":
        more["validation_freq"] = job.training.epochs  # what counts, and no more
    return {
        "x": data.x_train,
        "y": data.y_train,
        "validation_data": data.validation,
        "epochs": job.training.epochs,
        "shuffle": job.training.shuffle,
        "callbacks": callbacks,
        **more,
    }


_KINDS = {
    "random": tuners.RandomSearch,
    "bayesian": tuners.BayesianOptimization,
    "hyperband": tuners.Hyperband,
    "grid": tuners.GridSearch,
}
