"""Does dropout lower the error on few images, as published tries say?"""

from benchmarks.studies.trainings import Training, run

NAME = "small_data"
SEEDS = 20
SAMPLES = (500, 1000, 5000)
METHODS = ("none", "constant 0.2/0.5")


def jobs(seeds):
    return [
        Training(method, samples, seed)
        for samples in SAMPLES
        for method in METHODS
        for seed in range(seeds)
    ]
