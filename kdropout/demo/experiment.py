"""The whole demo: train, tell, draw, write."""

import shlex
import sys
import warnings

import keras

from kdropout.demo import report, settings, training
from kdropout.demo.arms import ARMS
from kdropout.demo.data import noisy_digits
from kdropout.demo.files import remove_logs
from kdropout.demo.picture import draw
from kdropout.demo.progress import Progress
from kdropout.demo.requirements import check_packages
from kdropout.version import __version__


def run(
    seeds=settings.SEEDS,
    noise=settings.NOISE,
    epochs=settings.EPOCHS,
    output=settings.OUTPUT,
):
    """Compare five ways to decide the dropout rate on digits with noisy labels.

    Prints a table, and writes `demo.png`, `results.csv` and logs for TensorBoard.
    Sets the random seeds of Python, NumPy and the backend.

    Args:
        seeds: Integer of at least 2, number of repetitions, each with its own data
            split, label noise, initial weights and masks. Defaults to 4.
        noise: Float in [0, 1], share of the training and validation labels that is
            replaced by random ones. Defaults to 0.3.
        epochs: Integer of at least 1, length of each training. Defaults to 40.
        output: Path of the folder to write to. Defaults to "kdropout-demo".

    Returns:
        List of `kdropout.demo.training.Fit`, one per seed and arm.

    Raises:
        MissingPackages: If scikit-learn, matplotlib or tensorboard is missing.
        OSError: If the folder cannot be written to.
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.
    """
    seeds = settings.check_seeds(seeds)
    noise = settings.check_noise(noise)
    epochs = settings.check_epochs(epochs)
    output = settings.check_output(output)
    check_packages()
    logs = output / "tensorboard"
    logs.mkdir(parents=True, exist_ok=True)
    remove_logs(logs)
    print(
        f"kdropout {__version__}, Keras {keras.__version__} on "
        f"{keras.backend.backend()}: {len(ARMS)} ways to decide the dropout rate, "
        f"{seeds} seeds, {epochs} epochs.\n"
        f"Data: scikit-learn's digits, {100 * noise:g} % of the training and "
        "validation labels replaced by random ones."
    )
    fits = _train_all(seeds, noise, epochs, logs)
    print(f"\n{report.table(fits)}\n")
    report.write_csv(fits, output / "results.csv")
    draw(fits, noise, output / "demo.png")
    print(f"Picture: {output / 'demo.png'}\nNumbers: {output / 'results.csv'}")
    print(f"Curves:  tensorboard --logdir {shlex.quote(str(logs))}")
    return fits


def _train_all(seeds, noise, epochs, logs):
    progress = Progress(sys.stdout, seeds * len(ARMS), epochs)
    fits = []
    for seed in range(seeds):
        digits = noisy_digits(seed, noise)
        for arm in ARMS:
            progress.begin(seed, arm)
            log_dir = logs / arm.name / f"seed-{seed}"
            # A warning would tear the line of the progress: it comes after it.
            with warnings.catch_warnings(record=True) as notes:
                fit = training.train(arm, digits, seed, epochs, log_dir, progress.epoch)
            progress.end(fit)
            for note in notes:
                progress.note(str(note.message))
            fits.append(fit)
    return fits
