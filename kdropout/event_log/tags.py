"""The names under which TensorBoard shows what we write.

`kdropout_dashboard/`, which reads them, knows them too: it must load where neither
Keras nor this package can be imported.
"""

RATE = "dropout_rate"
BATCH_RATE = "batch_dropout_rate"
DROP_FRACTION = "drop_fraction"

# What the training is like: its layers, who decides their rates, where to.
RUN = "kdropout/run"


def gap(metric):
    """Tag of the overfitting gap of a metric, measured with dropout off."""
    return f"overfitting_gap/{metric}"


def naive_gap(metric):
    """Tag of the gap against Keras's own training metric."""
    return f"overfitting_gap/naive_{metric}"
