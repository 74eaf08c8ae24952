"""Which rate, and which way to decide it, is best if labels are wrong?"""

from benchmarks.studies.trainings import Training, run

NAME = "label_noise"
SEEDS = 10
SAMPLES, UPDATES = 5000, 2400
NOISES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
CONSTANT = ("none", *(f"constant {rate}" for rate in (0.3, 0.5, 0.7, 0.8, 0.9)))
OTHERS = ("rising 0.8", "annealed 0.8", "controller 0.4", "learned")


def jobs(seeds):
    return [
        Training(method, SAMPLES, seed, noise=noise, updates=UPDATES)
        for noise in NOISES
        for method in (*CONSTANT, *OTHERS)
        for seed in range(seeds)
    ]
