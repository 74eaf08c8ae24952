"""Is a rate that moves better than one that stays?"""

from benchmarks.studies.trainings import Training, run

NAME = "schedules"
SEEDS = 10
SETS = ("mnist", "fashion_mnist")
SAMPLES = (1000, 5000)
RATES = "0.2/0.5"
KINDS = ("constant", "curriculum", "annealed", "early", "late")
METHODS = ("none", *(f"{kind} {RATES}" for kind in KINDS))


def jobs(seeds):
    return [
        Training(method, samples, seed, data=data)
        for data in SETS
        for samples in SAMPLES
        for method in METHODS
        for seed in range(seeds)
    ]
