"""The names under which TensorBoard shows what we write.

`kdropout_dashboard/`, which reads them, knows them too: it must load where neither
Keras nor this package can be imported.
"""

RATE = "dropout_rate"
BATCH_RATE = "batch_dropout_rate"
DROP_FRACTION = "drop_fraction"

# What a training is like: its layers, who decides their rates, where to. What a search
# is over and has found, and a trial of it.
RUN = "kdropout/run"
SEARCH, TRIAL = "kdropout/search", "kdropout/trial"

# Of what these three hold. Raised when an earlier tab could no longer read it.
FORMAT = 1


def gap(metric):
    """Tag of the overfitting gap of a metric, measured with dropout off."""
    return f"overfitting_gap/{metric}"


def naive_gap(metric):
    """Tag of the gap against Keras's own training metric."""
    return f"overfitting_gap/naive_{metric}"
