"""How much of dropout does weight decay replace, and the other way round?"""

from benchmarks.studies.trainings import Training, run

NAME = "weight_decay"
SEEDS = 10
DECAYS = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0)
METHODS = ("none", "constant 0.5")
# Training images, share of wrong labels, updates.
TASKS = ((1000, 0.0, 1500), (5000, 0.3, 2400))


def jobs(seeds):
    return [
        Training(
            method, samples, seed, noise=noise, updates=updates, weight_decay=decay
        )
        for samples, noise, updates in TASKS
        for decay in DECAYS
        for method in METHODS
        for seed in range(seeds)
    ]
