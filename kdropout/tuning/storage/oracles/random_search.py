"""The oracle of random search."""

import keras_tuner

from kdropout.tuning.storage.stored_oracle import StoredOracle


class RandomSearchOracle(StoredOracle, keras_tuner.oracles.RandomSearchOracle):
    """Random search that can be taken up again."""
