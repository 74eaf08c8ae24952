"""Searches and trainings whose result is a known function of the rates."""

import numpy as np
import pytest

from kdropout.tuning.report import TrialRecord


@pytest.fixture(scope="session")
def make_trials():
    """Make a random search over `score(rates)`, plus noise."""

    def make(score, paths, num_trials, seed=0, noise=0.0, high=0.8):
        generator = np.random.default_rng(seed)
        trials = []
        for number in range(num_trials):
            drawn = generator.uniform(0.0, high, len(paths)).tolist()
            rates = dict(zip(paths, drawn, strict=True))
            values = {f"rate/{path}": rate for path, rate in rates.items()}
            noisy = score(rates) + noise * generator.normal()
            trials.append(TrialRecord(f"{number:03d}", values, rates, noisy))
        return trials

    return make


@pytest.fixture(scope="session")
def make_train():
    """Make a training with this score, where a part of the noise depends only on the
    seed.
    """

    def make(score, run, shared=0.05, own=0.02):
        generator = np.random.default_rng(run)

        def train(rates, seed):
            luck = np.random.default_rng([run, seed]).normal()
            return score(rates) + shared * luck + own * generator.normal()

        return train

    return make
