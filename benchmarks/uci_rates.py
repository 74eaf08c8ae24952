"""Does a search over dropout rates choose the rates that a published one chose?

The search is that of Gal, Ghahramani 2016 on tables of UCI. The network has one hidden
layer of 50 ReLU. The search chooses one of four dropout rates for the input and the
hidden layer, with 4,000 epochs. `tuner_configs/uci_regression.yaml` is this search.
Here it runs for four sets and several of their standard splits.

The published errors are those of the mean over many predictions with dropout on ("MC").
A job scores a model with dropout off, which is the default. The benchmark measures both
on the same models: the error with dropout off is the score of the search, and the MC
error comes from `kdropout.mc_predict` with the weights of each trial. They differ most
at the rate 0.1, so both must prefer the published rate.

The precision of the noise, tau, is the middle of the three published values. The
authors also choose tau, by the likelihood, in which it matters. For the errors, tau
only scales a weight decay, which is between 1e-8 and 1.4e-6 here.

    python -m benchmarks.uci_rates --data-dir DIR

About 30 minutes on 2 cores. Writes results/uci_rates.csv and .md. You can run it in
parts, with --sets and --first. Each part replaces its rows. Exits with 1 if the
published rates of a set are not the best by the mean over the splits, with dropout off
or MC, or are not those that the searches chose most often.
"""

import argparse
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import kdropout
from benchmarks import mnist, reporting, uci_results
from kdropout import tuning
from kdropout.tuning.job.run import make_tuner

JOB = pathlib.Path(__file__).parents[1] / "tuner_configs" / "uci_regression.yaml"
TAU = {"energy": 0.5, "yacht": 0.5, "wine": 2.9, "concrete": 0.05}

# The authors took 10,000. A tenth of them adds less than 1 % to an error.
SAMPLES = 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mnist.add_data_argument(parser)
    parser.add_argument("--sets", nargs="+", choices=TAU, default=TAU)
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first split"
    )
    parser.add_argument(
        "--splits", type=int, default=20, help="number of splits, out of 20"
    )
    parser.add_argument(
        "--epochs", type=int, default=4000, help="fewer only for a trial run"
    )
    arguments = parser.parse_args()
    splits = range(arguments.first, min(20, arguments.first + arguments.splits))
    rows = []
    for name in arguments.sets:
        for split in splits:
            added = run(name, split, arguments.data_dir, arguments.epochs)
            rows += added
            shown = "  ".join(f"{r['rmse']:.3f} {r['mc_rmse']:.3f}" for r in added)
            print(f"{name} {split}: {shown}", flush=True)
    rows = uci_results.with_earlier(rows)
    print("\n" + uci_results.table(rows))
    print(reporting.write_csv("uci_rates", rows), uci_results.write_page(rows))
    missed = uci_results.not_reproduced(rows)
    sys.exit(f"Sets with other rates than published: {missed}" if missed else 0)


def run(name, split, data_dir, epochs):
    """Search on one split; return a row for each rate, in the unit of the target."""
    keras.utils.clear_session()
    with tempfile.TemporaryDirectory() as folder:
        changed = {
            "data.uci": name,
            "data.split": split,
            "model.arguments.tau": TAU[name],
            "search.seed": split,  # the initial weights are the same for all rates
            "training.epochs": epochs,
            "output": folder,
        }
        if data_dir is not None:
            changed["data.data_dir"] = data_dir
        job = tuning.load_job(JOB, [f"{key}={value}" for key, value in changed.items()])
        report = tuning.run_job(job, verbose=0)
        mc_errors = measure_mc(job, pathlib.Path(folder))
        scale = float(job.make_data().target_scale)
    chosen, trials = one_rate(report.best_rates), {}
    published = uci_results.published_error(name)
    for trial in report.trials:
        trials[one_rate(trial.rates)] = (trial.score, mc_errors[trial.trial_id])
    return [
        {
            "set": name,
            "split": split,
            "rate": rate,
            "rmse": round(scale * trials[rate][0], 4),
            "mc_rmse": round(scale * trials[rate][1], 4),
            "published_mean": published[rate],
            "chosen": int(rate == chosen),
        }
        for rate in published
    ]


def measure_mc(job, folder):
    """Dict from trial to its error on the validation data, with dropout on."""
    checked = job.check()
    tuner = make_tuner(job, checked.build, folder)
    x, y = checked.data.validation
    errors = {}
    for trial_id, trial in tuner.oracle.trials.items():
        model = tuner.load_model(trial)
        found = kdropout.mc_predict(
            model, x, SAMPLES, batch_size=len(x), seed=0, verbose=0
        )
        wrong = found.mean.ravel() - y.ravel()
        errors[trial_id] = float(np.sqrt(np.mean(np.square(wrong))))
    return errors


def one_rate(rates):
    """The rate that all layers share."""
    (rate,) = set(rates.values())
    return rate


if __name__ == "__main__":
    main()
