"""The names in an event file with which the Dropout tab finds the data of kdropout.

`kdropout._event_log` writes them. They are defined here because TensorBoard must be
able to load the tab even if Keras and kdropout cannot be imported.
"""

# The name of the tab's plugin, under which the descriptions are written.
PLUGIN = "kdropout"

# Descriptions of a training (layers, what decides their rates, target), of its metrics
# (which direction is better), of a search (dimensions and results) and of a trial.
RUN = "kdropout/run"
METRICS = "kdropout/metrics"
SEARCH = "kdropout/search"
TRIAL = "kdropout/trial"

# The version of these descriptions. It increases when an earlier tab cannot read them.
FORMAT = 1

# Scalars of a layer: the first part of the tag, before the layer path.
RATE = "dropout_rate"
BATCH_RATE = "batch_dropout_rate"
TERMS = ("entropy_term", "weight_term")
DROP_FRACTION = "drop_fraction"

# Scalars of a metric: the first part of the tag, and the prefix of the second part for
# the gap that is computed from Keras's training metric.
GAP = "overfitting_gap"
NAIVE = "naive_"

# Losses and metrics: the first part of the tag, before the name in the logs of Keras;
# and the prefixes of that name for the validation data, and for the training sample
# with dropout off.
METRIC = "metric"
VALIDATION = "val_"
CLEAN = "clean_"

# The number of training steps at the end of the epoch.
TRAINING_STEPS = "progress/training_steps"


def gap(metric):
    """Return the tag of the overfitting gap of a metric, measured with dropout off."""
    return f"{GAP}/{metric}"


def metric(name):
    """Return the tag of a loss or a metric."""
    return f"{METRIC}/{name}"


def naive_gap(metric):
    """Return the tag of the gap that is computed from Keras's training metric."""
    return f"{GAP}/{NAIVE}{metric}"
