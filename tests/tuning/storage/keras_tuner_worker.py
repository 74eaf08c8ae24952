"""A chief or a worker of KerasTuner's own, as its environment variables say.

python -m tests.tuning.storage.keras_tuner_worker DIR
"""

import pathlib
import sys

from kdropout import tuning
from tests.tuning.trials import searches

# Numbers that 32 bits do not hold, in which KerasTuner's processes send them.
RATES = (0.1, 0.2, 0.3)


def build(hp):
    model = searches.make_model(seed=None)
    return tuning.tune_rates(hp, model, {"*": tuning.Rates(values=RATES)})


def make_tuner(folder):
    return tuning.GridSearch(
        build,
        "val_loss",
        seed=5,
        directory=folder,
        project_name="search",
        overwrite=True,  # of which a worker must take no notice
        log_dir=pathlib.Path(folder, "logs"),  # which only the chief writes to
    )


def search(tuner):
    tuner.search(**searches.DATA, epochs=2, batch_size=8, verbose=0)


if __name__ == "__main__":
    search(make_tuner(sys.argv[1]))
