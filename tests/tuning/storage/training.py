"""A search with real training, for a process that is killed.

python -m tests.tuning.storage.training DIR
"""

import sys
import time

import keras

from kdropout import tuning
from tests.tuning.trials import searches


def make_tuner(folder):
    return tuning.Hyperband(
        searches.unseeded,
        "val_loss",
        max_epochs=4,
        factor=2,
        seed=5,
        executions_per_trial=2,
        directory=folder,
        project_name="search",
    )


class Slow(keras.callbacks.Callback):
    """Makes a trial long enough to be killed in."""

    def on_epoch_end(self, epoch, logs=None):
        time.sleep(0.05)


def search(tuner):
    searches.search(tuner, shuffle=True, callbacks=[Slow()])


if __name__ == "__main__":
    search(make_tuner(sys.argv[1]))
