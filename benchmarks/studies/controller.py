"""Does the controller hold the gap, and what does that do to the error?"""

from benchmarks.studies import label_noise, learned_rates
from benchmarks.studies.trainings import Training, run

NAME = "controller"
SEEDS = 10
TARGETS = {0.3: (0.2, 0.4, 0.8, 1.5), 0.0: (0.03, 0.2)}


def jobs(seeds):
    found = []
    for noise, targets in TARGETS.items():
        task = {"noise": noise, "updates": label_noise.UPDATES}
        for method in label_noise.CONSTANT:
            for seed in (*learned_rates.CHOICE, *range(seeds)):
                found.append(Training(method, label_noise.SAMPLES, seed, **task))
        for target in targets:
            for seed in range(seeds):
                method = f"controller {target}"
                found.append(Training(method, label_noise.SAMPLES, seed, **task))
    return found
