"""The names in an event file by which the Dropout tab finds what kdropout writes.

`kdropout._event_log` writes them. They are here, because TensorBoard must be able to
load the tab where neither Keras nor kdropout can be imported.
"""

# The name of the tab's plugin: our descriptions are written under it.
PLUGIN = "kdropout"

# Descriptions: of a training (its layers, who decides their rates, the target), of a
# search (its dimensions, what it has found) and of a trial of it.
RUN = "kdropout/run"
SEARCH = "kdropout/search"
TRIAL = "kdropout/trial"

# The version of these descriptions. Raised when an earlier tab cannot read them.
FORMAT = 1

# Scalars of a layer: the first part of the tag, before the layer path.
RATE = "dropout_rate"
BATCH_RATE = "batch_dropout_rate"
TERMS = ("entropy_term", "weight_term")
DROP_FRACTION = "drop_fraction"

# Scalars of a metric: the first part of the tag, and what begins the second one for
# the gap against Keras's own training metric.
GAP = "overfitting_gap"
NAIVE = "naive_"


def gap(metric):
    """Tag of the overfitting gap of a metric, measured with dropout off."""
    return f"{GAP}/{metric}"


def naive_gap(metric):
    """Tag of the gap against Keras's own training metric."""
    return f"{GAP}/{NAIVE}{metric}"
