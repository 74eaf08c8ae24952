"""The model of a job as its trials will have it, before one of them runs."""

import warnings

import keras_tuner

from kdropout.layer_walk import dropout_layers, walk
from kdropout.surgery.counterparts import live_counterpart
from kdropout.tuning.job.space_settings import plain_space
from kdropout.tuning.model_pool import begin_anew
from kdropout.tuning.tune_rates import tune_rates


def searched_model(job, build):
    """A model of the job that went through `tune_rates`, and its rates before that.

    Args:
        job: `kdropout.tuning.job.Job`.
        build: `kdropout.tuning.job.ModelBuilder`.

    Returns:
        Tuple of a `keras.Model` and a dict from layer path to rate.
    """
    begin_anew()  # or layers without a name would have other paths than in the trials
    model = build.build()
    baseline = _rates_before(model)
    with warnings.catch_warnings():
        # The check of the job has said it.
        warnings.filterwarnings("ignore", message="Some dropout is not a layer")
        tune_rates(keras_tuner.HyperParameters(), model, plain_space(job.space))
    return model, baseline


def _rates_before(model):
    """The rates of a model, also of dropout that is not live yet."""
    found = ((path, live_counterpart(layer)) for path, layer in walk(model))
    plain = {path: float(one[2]) for path, one in found if one is not None}
    live = {path: layer.rate for path, layer in dropout_layers(model).items()}
    return {**plain, **live}
