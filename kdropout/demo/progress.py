"""Tells how far the trainings are."""

import shutil
import textwrap


class Progress:
    """One line that is written over on a terminal; elsewhere one line per training.

    Args:
        stream: Text stream to write to.
        num_fits: Integer, number of trainings to come.
        epochs: Integer, length of each.
    """

    def __init__(self, stream, num_fits, epochs):
        self.stream = stream
        self.num_fits = num_fits
        self.epochs = epochs
        self.done = 0
        self.title = ""

    def begin(self, seed, arm):
        self.title = f"seed {seed}, {arm.label}"
        self._update("starting")

    def epoch(self, index):
        self._update(f"epoch {index + 1} of {self.epochs}")

    def end(self, fit):
        self.done += 1
        self._write(
            f"{self._count()} {self.title}: test error {fit.test_error:.1%}, "
            f"{fit.seconds:.1f} s",
            end="\n",
        )

    def note(self, text):
        """Something to know about the training that has ended."""
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
            # A line longer than the terminal would wrap and not be written over.
            columns = shutil.get_terminal_size().columns - 1
            line = "\r" + line[:columns].ljust(columns)
        self.stream.write(line + end)
        self.stream.flush()
