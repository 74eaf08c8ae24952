"""A chief or a worker of KerasTuner, as its environment variables request.

python -m tests.tuning.storage.keras_tuner_worker DIR
"""

import pathlib
import sys

from kdropout import tuning
from tests.tuning.trials import searches

# KerasTuner's processes send numbers in 32 bits, which cannot represent these.
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
        overwrite=True,  # a worker must ignore it
        log_dir=pathlib.Path(folder, "logs"),  # only the chief writes to it
    )


def search(tuner):
    tuner.search(**searches.DATA, epochs=2, batch_size=8, verbose=0)


if __name__ == "__main__":
    search(make_tuner(sys.argv[1]))
