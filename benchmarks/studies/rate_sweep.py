"""How does the error depend on the rate?"""

from benchmarks.studies.trainings import Training, run

NAME = "rate_sweep"
SEEDS = 20
SAMPLES = 1000
RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)


def jobs(seeds):
    return [
        Training(f"constant {rate}" if rate else "none", SAMPLES, seed)
        for rate in RATES
        for seed in range(seeds)
    ]
