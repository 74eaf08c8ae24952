"""Does the report claim a gain where rates cannot matter?

The benchmark runs forty jobs, each with a search, a confirmation and a verdict. Twenty
jobs on digits have one split into training, validation and test data, and twenty jobs
on tumours have five folds without test data. The network is that of
`benchmarks.fair_coin`. Its dropout rates change which units are dropped, but not their
probability, so the training has the same distribution for all rates. The scores differ
between seeds, and between settings at one seed. Any gain is luck. The digits, the 30 %
of wrong labels, the settings, the folds and all seeds are new in each run: those of run
`i` follow from the number `i`.

The intervals of one report hold together with at least 99 %. So by design, up to one
report in 100 may make a false claim, better or worse. The jobs and their seeds were
fixed before the first run, and all of them are reported.

In the first version, the intervals held together with 95 %. One of the ten runs 0 to 9
then claimed that a rate was worse than no dropout, and none claimed that one was
better. Therefore the intervals changed to 99 %, and were tried on the runs 200 to 219,
which claimed nothing. The numbers here are new again.

    python -m benchmarks.null_runs

About 12 minutes on 2 cores. Writes results/null_runs.csv. Exits with 1 if a verdict
claims a difference.
"""

import dataclasses
import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from benchmarks import reporting
from kdropout import tuning
from kdropout.tuning.job import Job

NOISE = 0.3
TRIALS, EPOCHS = 8, 15


@dataclasses.dataclass(frozen=True)
class Kind:
    """Jobs that differ in their seeds."""

    runs: range
    data: dict
    training: dict
    confirm: dict


KINDS = {
    # A smaller version of tuner_configs/digits_mlp.yaml, with the default confirmation.
    "one split": Kind(
        range(300, 320),
        {"sklearn": "digits", "train_size": 300, "validation_size": 400},
        {},
        {"top": 3, "seeds": 10},
    ),
    # A smaller version of tuner_configs/folds.yaml.
    "folds": Kind(
        range(400, 420),
        {"sklearn": "breast_cancer"},
        {"folds": 5},
        {"top": 3, "seeds": 3},
    ),
}


def main():
    rows = []
    for kind, settings in KINDS.items():
        for number in settings.runs:
            report = run(number, kind)
            rows.append({"kind": kind, **row_of(number, report)})
            print(f"{number}: {report.verdict}\n", flush=True)
    for row in rows:
        print(row)
    print(reporting.write_csv("null_runs", rows))
    claims = [row["run"] for row in rows if row["claims"]]
    sys.exit(
        f"Reports with claims, although rates cannot matter: {claims}" if claims else 0
    )


def run(number, kind="one split", trials=TRIALS, epochs=EPOCHS, confirm=None):
    """The report of one job."""
    settings = KINDS[kind]
    keras.utils.clear_session()
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            model={"build": "benchmarks.fair_coin:build"},
            data={**settings.data, "label_noise": NOISE, "seed": number},
            search={"algorithm": "RandomSearch", "max_trials": trials, "seed": number},
            training={**settings.training, "epochs": epochs},
            confirm=confirm or settings.confirm,
            output=folder,
        )
        return tuning.run_job(job, verbose=0)


def row_of(number, report):
    """The verdicts of a report, and the spread of its scores."""
    confirmation = report.confirmation
    verdicts = [one.verdict for one in confirmation.comparisons]
    scores = np.array(
        [list(confirmation.scores_of(one).values()) for one in confirmation.candidates]
    )
    return {
        "run": number,
        "comparisons": len(verdicts),
        "better": verdicts.count("better"),
        "worse": verdicts.count("worse"),
        "claims": int(confirmation.has_claim),
        "mean_score": round(float(scores.mean()), 4),
        "std_between_seeds": round(float(scores.std(axis=1, ddof=1).mean()), 4),
        "std_between_settings": round(float(scores.std(axis=0, ddof=1).mean()), 4),
        "verdict": report.verdict,
    }


if __name__ == "__main__":
    main()
