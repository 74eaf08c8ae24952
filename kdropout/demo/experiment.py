"""The whole demo: train, report, draw, write."""

import os
import pathlib
import shlex
import shutil
import sys
import textwrap
import time
import warnings

import keras

from kdropout import _requirements, _validation
from kdropout._duration import time_text
from kdropout.demo import report, training
from kdropout.demo.picture import draw
from kdropout.demo.training import ARMS, noisy_digits
from kdropout.version import __version__

# This number of seeds fits into three minutes on two CPU cores.
SEEDS = 4

# Enough wrong labels to do harm when a network memorises them.
NOISE = 0.3

# Enough epochs for a network without dropout to learn most of the wrong labels.
EPOCHS = 40

OUTPUT = "kdropout-demo"

# Name on the package index, and module to import.
_PACKAGES = {
    "scikit-learn": "sklearn.datasets",
    "matplotlib": "matplotlib",
    "tensorboard": "tensorboard",
}


def run(
    seeds: int = SEEDS,
    noise: float = NOISE,
    epochs: int = EPOCHS,
    output: str | os.PathLike = OUTPUT,
) -> list[training.Fit]:
    """Compare five ways to decide the dropout rate on digits with noisy labels.

    This prints a table, and writes `demo.png`, `results.csv` and logs for TensorBoard.
    It sets the random seeds of Python, NumPy and the backend.

    Args:
        seeds: Integer of at least 2, the number of repetitions. Each has its own data
            split, label noise, initial weights and masks. Defaults to 4.
        noise: Float in [0, 1], the share of the training and validation labels that
            random labels replace. Defaults to 0.3.
        epochs: Integer of at least 1, the number of epochs of each training. Defaults
            to 40.
        output: Path of the folder to write to. Defaults to "kdropout-demo".

    Returns:
        List of `kdropout.demo.training.Fit`, one per seed and arm.

    Raises:
        MissingPackages: If scikit-learn, matplotlib or tensorboard is missing.
        OSError: If the folder cannot be written to.
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.
    """
    seeds = check_seeds(seeds)
    noise = check_noise(noise)
    epochs = check_epochs(epochs)
    folder = check_output(output)
    _check_packages()
    logs = folder / "tensorboard"
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
    report.write_csv(fits, folder / "results.csv")
    draw(fits, noise, folder / "demo.png")
    print(f"Picture: {folder / 'demo.png'}\nNumbers: {folder / 'results.csv'}")
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
            # A warning would interrupt the progress line, so it is printed afterwards.
            with warnings.catch_warnings(record=True) as notes:
                fit = training.train(arm, digits, seed, epochs, log_dir, progress.epoch)
            progress.end(fit)
            for note in notes:
                progress.note(str(note.message))
            fits.append(fit)
    return fits


def check_seeds(value):
    """Check a number of seeds: at least 2, because an interval needs two numbers."""
    return _validation.integer("seeds", value, low=2)


def check_noise(value):
    """Check a share of labels."""
    return _validation.number("noise", value, 0.0, 1.0)


def check_epochs(value):
    """Check a number of epochs."""
    return _validation.integer("epochs", value, low=1)


def check_output(value):
    """Check the path of a folder, which need not exist yet."""
    path = pathlib.Path(value)
    if path.exists() and not path.is_dir():
        raise _validation.value_error("output", "a folder", str(value))
    return path


def _check_packages():
    """Raise an error before the training if packages are missing."""
    _requirements.check_packages(
        "kdropout demo", _PACKAGES, "demo", _requirements.can_import
    )


def remove_logs(folder):
    """Remove the event files of an earlier demo, which would mix with the new ones.

    Other files in the folder do not change.
    """
    for path in folder.glob("*/seed-*/**/events.out.tfevents.*"):
        path.unlink()


class Progress:
    """Prints one line that changes on a terminal, or else one line per training."""

    def __init__(self, stream, num_fits, epochs):
        self.stream = stream
        self.num_fits = num_fits
        self.epochs = epochs
        self.done = 0
        self.title = ""
        self._begin = time.monotonic()

    def begin(self, seed, arm):
        self.title = f"seed {seed}, {arm.label}"
        self._update("starting")

    def epoch(self, index):
        self._update(f"epoch {index + 1} of {self.epochs}")

    def end(self, fit):
        self.done += 1
        self._write(
            f"{self._count()} {self.title}: test error {fit.test_error:.1%}, "
            f"{fit.seconds:.1f} s{self._time_left()}",
            end="\n",
        )

    def _time_left(self):
        left = self.num_fits - self.done
        if not left:
            return ""
        passed = time.monotonic() - self._begin
        return f", about {time_text(passed * left / self.done)} left"

    def note(self, text):
        """Write a remark on the training that has ended."""
        indent = "    "
        note = textwrap.fill(text, 88, initial_indent=indent, subsequent_indent=indent)
        self.stream.write(note + "\n")

    def _update(self, text):
        if self.stream.isatty():
            self._write(f"{self._count(1)} {self.title}: {text}", end="")

    def _count(self, ahead=0):
        width = len(str(self.num_fits))
        return f"[{self.done + ahead:>{width}}/{self.num_fits}]"

    def _write(self, line, end):
        if self.stream.isatty():
            # A line longer than the terminal would wrap, and the next one would not
            # replace it.
            columns = shutil.get_terminal_size().columns - 1
            line = "\r" + line[:columns].ljust(columns)
        self.stream.write(line + end)
        self.stream.flush()
