"""The tuner that a job asks for."""

import keras_tuner

from kdropout.tuning import tuners

# Folder of the search, within that of the job.
PROJECT = "search"


def make_tuner(job, build, folder):
    """A tuner of `kdropout.tuning` with the settings of a job.

    Args:
        job: `kdropout.tuning.job.Job`.
        build: What `job.make_hypermodel` returned.
        folder: Path of the output.
    """
    settings = job.search.model_dump()
    settings["seed"] += 1  # KerasTuner takes 0 for none, and draws one
    algorithm = settings.pop("algorithm")
    if algorithm == "hyperband":
        settings["hyperband_iterations"] = settings.pop("iterations")
        settings["max_epochs"] = job.training.epochs
    objective = keras_tuner.Objective(
        job.objective.name, job.objective.resolved_direction
    )
    return _KINDS[algorithm](
        build,
        objective,
        directory=str(folder),
        project_name=PROJECT,
        workers=job.workers,
        ray_address=job.ray,
        threads_per_worker=job.threads_per_worker,
        scored_epoch=job.objective.epoch,
        **settings,
    )


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
