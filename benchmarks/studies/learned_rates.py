"""Are rates learned by gradient as good as the best constant rate?"""

from benchmarks.studies import label_noise
from benchmarks.studies.trainings import Training, run

NAME = "learned_rates"
SEEDS = 10
# The best constant rate is chosen on other seeds than those it is judged by.
CHOICE = range(100, 105)
# Training images, share of wrong labels, updates.
TASKS = (
    (1000, 0.0, 1500),
    (label_noise.SAMPLES, 0.3, label_noise.UPDATES),
)
CONSTANT = label_noise.CONSTANT
LEARNED = ("learned", "concrete", "standout")


def jobs(seeds):
    return [
        Training(method, samples, seed, noise=noise, updates=updates)
        for samples, noise, updates in TASKS
        for methods, chosen in (
            (CONSTANT, [*CHOICE, *range(seeds)]),
            (LEARNED, range(seeds)),
        )
        for method in methods
        for seed in chosen
    ]
