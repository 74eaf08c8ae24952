"""Does the median of earlier trials stop bad trials, or high rates?

The benchmark runs random searches over one rate for all layers, on digits of which 30 %
have wrong labels. No trial is stopped, so the final score of each is known. Then the
rule of `kdropout.tuning.MedianStopping` is replayed on the stored histories, in the
order of the trials, for several warm-ups.

A row counts, over all searches, the trials that the rule may stop (all but the first
five), the stopped ones, those of them that would have ended in the better half of their
search, the searches whose best trial was stopped, and the share of epochs that is
saved. It counts rates below and above 0.4 separately.

    python -m benchmarks.median_stopping

About 5 minutes on 2 cores. Writes results/median_stopping.csv.
"""

import argparse
import os
import statistics
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import reporting
from kdropout import tuning
from kdropout.tuning.job import Job

SEARCHES, TRIALS, EPOCHS = 10, 30, 40
HIGH = 0.4
WARMUPS = (0, 5, 10, 20, 30)
SCORED = ("best", "last")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--searches", type=int, default=SEARCHES)
    options = parser.parse_args()
    searches = [search(seed) for seed in range(options.searches)]
    rows = [row_of(searches, scored, warmup) for scored in SCORED for warmup in WARMUPS]
    for row in rows:
        print(row)
    print(reporting.write_csv("median_stopping", rows))


def search(seed):
    """Return the rate and the curve of each trial of a search."""
    job = Job(
        data={
            "sklearn": "digits",
            "train_size": 900,
            "validation_size": 400,
            "label_noise": 0.3,
            "seed": seed,
        },
        model={"architecture": "mlp", "units": (128, 128)},
        space={"*": {"low": 0.0, "high": 0.8, "tie": "shared"}},
    )
    data = job.make_data()
    with tempfile.TemporaryDirectory() as folder:
        tuner = tuning.RandomSearch(
            job.make_hypermodel(data),
            "val_loss",
            max_trials=TRIALS,
            seed=1 + 1_000_003 * seed,
            directory=folder,
        )
        tuner.search(
            data.x_train,
            data.y_train,
            validation_data=data.validation,
            epochs=EPOCHS,
            batch_size=32,
            verbose=0,
        )
        curves = {
            trial_id: {row["epoch"]: row["val_loss"] for row in rows}
            for trial_id, rows in tuner.histories().items()
        }
        trials = tuner.oracle.trials
        print(f"search {seed}: {len(trials)} trials", flush=True)
        return [
            (trials[trial_id].hyperparameters.values["rate/*"], curve)
            for trial_id, curve in curves.items()
        ]


def row_of(searches, scored, warmup):
    """A row of the table."""
    rule = tuning.MedianStopping(warmup_epochs=warmup)
    row = {"scored_epoch": scored, "warmup_epochs": warmup, "searches": len(searches)}
    for side in ("low", "high"):
        for count in ("trials", "stopped", "stopped_of_better_half"):
            row[f"{count}_{side}"] = 0
    row["best_stopped"], spent = 0, 0
    for trials in searches:
        finals = [scores(curve, scored)[-1] for _, curve in trials]
        median, seen = statistics.median(finals), []
        for (rate, curve), final in zip(trials, finals, strict=True):
            stopped = stopping_epoch(rule, curve, scored, seen)
            seen.append({at: v for at, v in curve.items() if at <= stopped})
            spent += stopped + 1
            if len(seen) <= rule.warmup_trials:
                continue
            side, is_stopped = "high" if rate > HIGH else "low", stopped + 1 < EPOCHS
            row[f"trials_{side}"] += 1
            row[f"stopped_{side}"] += is_stopped
            row[f"stopped_of_better_half_{side}"] += is_stopped and final < median
            row["best_stopped"] += is_stopped and final == min(finals)
    total = sum(len(trials) for trials in searches) * EPOCHS
    row["epochs_saved"] = round(1 - spent / total, 3)
    return row


def stopping_epoch(rule, curve, scored, earlier):
    """The last epoch of a trial."""
    for epoch, score in enumerate(scores(curve, scored)[:-1]):
        if rule.stops(score, epoch, earlier, is_max=False):
            return epoch
    return EPOCHS - 1


def scores(curve, scored):
    """The score of a training that ends after each epoch."""
    values = [curve[epoch] for epoch in sorted(curve)]
    if scored == "last":
        return values
    return [min(values[: index + 1]) for index in range(len(values))]


if __name__ == "__main__":
    main()
