"""What the tab "HParams" of TensorBoard reads, as its own messages."""

import time

import keras_tuner

# What Hyperband tells a trial: how long to train, not what.
_OF_THE_SEARCH = "tuner/"


def metric(objective):
    """Tag of the score of a trial."""
    return f"best/{objective}"


def of_user(values):
    """The hyperparameters that are the user's, and not those of the search itself."""
    return {n: v for n, v in values.items() if not n.startswith(_OF_THE_SEARCH)}


def experiment(space, objective):
    """A summary of the columns: hyperparameters, and the score of trials.

    Args:
        space: List of KerasTuner's `HyperParameter`.
        objective: String, name of the score.
    """
    from tensorboard.plugins.hparams import summary_v2

    # One that is declared under several conditions is one column.
    by_name = of_user({one.name: one for one in reversed(space)})
    return summary_v2.hparams_config_pb(
        [summary_v2.HParam(name, _domain(by_name[name])) for name in sorted(by_name)],
        [summary_v2.Metric(metric(objective), display_name=f"best {objective}")],
        time_created_secs=time.time(),
    )


def session_start(values, seconds):
    """A summary of a trial that begins.

    Args:
        values: Dict from the user's hyperparameters to their values.
        seconds: When it began, in seconds since 1970.
    """
    from tensorboard.plugins.hparams import summary_v2

    # Without a name of its own, a row is called by its run: those of several searches
    # would become one, if both called a trial "0".
    return summary_v2.hparams_pb(values, trial_id="", start_time_secs=seconds)


def session_end(is_success):
    """A summary of a trial that has ended."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    # TensorBoard's own `session_end_pb` imports TensorFlow.
    content = plugin_data_pb2.HParamsPluginData(
        session_end_info=plugin_data_pb2.SessionEndInfo(
            status=api_pb2.STATUS_SUCCESS if is_success else api_pb2.STATUS_FAILURE,
            end_time_secs=time.time(),
        )
    )
    summary = Summary()
    summary.value.add(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(content),
        tensor=metadata.NULL_TENSOR,
    )
    return summary


def _domain(hyperparameter):
    """What a column may hold, or None if TensorBoard has no word for it."""
    from tensorboard.plugins.hparams import summary_v2

    hps = keras_tuner.engine.hyperparameters
    if isinstance(hyperparameter, hps.Choice):
        return summary_v2.Discrete(hyperparameter.values)
    if isinstance(hyperparameter, hps.Boolean):
        return summary_v2.Discrete([False, True])
    if isinstance(hyperparameter, hps.Fixed):
        return summary_v2.Discrete([hyperparameter.value])
    if isinstance(hyperparameter, (hps.Float, hps.Int)):
        bounds = hyperparameter.min_value, hyperparameter.max_value
        return summary_v2.RealInterval(*map(float, bounds))
    return None
