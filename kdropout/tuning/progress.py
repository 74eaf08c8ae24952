"""Shows the progress of a search."""

import sys
import threading
import time

import keras
from keras_tuner.engine.trial import TrialStatus
from tqdm import tqdm

from kdropout._duration import time_text
from kdropout._requirements import is_installed
from kdropout.tuning.budget import Budget

# Short lines, for terminals of 80 columns. The postfix of tqdm begins with a comma.
_FORMAT = "{desc} {n_fmt}/{total_fmt} [{bar:20}]{postfix}, {remaining} left"
_FORMAT_WITHOUT_END = "{desc} {n_fmt}{postfix}, after {elapsed}"
_FORMAT_OF_TRIAL = "{desc} epoch {n_fmt}/{total_fmt} [{bar:20}]{postfix}"

# In a notebook, the bar stretches, and the text stands on both sides of it.
_FORMATS_OF_NOTEBOOK = {
    _FORMAT: "{desc} {n_fmt}/{total_fmt} {bar} {remaining} left{postfix}",
    _FORMAT_OF_TRIAL: "{desc} epoch {n_fmt}/{total_fmt} {bar} {elapsed}{postfix}",
}

# A line about a trial shows this many hyperparameters.
_MOST_VALUES = 3

# Seconds without a line after which one says that the search still runs.
_SILENCE = 30.0


def follow(oracle, followers):
    """Notify `followers` when a trial of an oracle begins or ends."""
    # The oracle sees all trials, in whatever process they run. KerasTuner has no public
    # way to observe it.
    oracle._display = _Followers(followers)


def bar_class(stream):
    """The class of tqdm whose bars an output can show, or None if it needs lines.

    A terminal has bars, and so has a notebook in which ipywidgets is installed.
    """
    if stream.isatty():
        return tqdm
    if stream is sys.stderr and _in_notebook() and is_installed("ipywidgets"):
        from tqdm.notebook import tqdm as notebook_tqdm

        return notebook_tqdm
    return None


def _in_notebook():
    """True in a kernel of Jupyter, which imports IPython when it starts."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    return "IPKernelApp" in getattr(get_ipython(), "config", {})


class Progress:
    """Shows progress bars for the search and its current trial.

    If the output can show no bars, such as a file, it prints one line per trial, and a
    line every 30 seconds while a trial runs.

    Args:
        oracle: Oracle of the search.
        budget: `Budget` of the search, or None for no limit.
        stopped_after: Function from the id of a trial to the number of epochs after
            which the median stopped it, or None. Defaults to None.
    """

    def __init__(self, oracle, budget=None, stopped_after=None, stream=None):
        self.oracle = oracle
        self.verbose = 1
        self._budget = budget or Budget()
        self._stopped_after = stopped_after
        self._stream = stream
        self._search = None
        self._trial = None
        self._start = {}  # by running trial: when it began
        self._values = ""  # of the trial that began last
        self._epoch = ""  # of the running training
        self._notes = set()
        self._pace = _Pace()
        self._sign = None

    def on_trial_begin(self, trial):
        self._start[trial.trial_id] = time.perf_counter()
        self._values, self._epoch = values_text(trial.hyperparameters.values), ""
        self._pace.begin()
        if self._search is None and self._has_bars():
            total = self.oracle.max_trials
            self._search = self._bar(
                total=total,
                initial=self._num_ended() if total else 0,
                desc="Search",
                bar_format=_FORMAT if total else _FORMAT_WITHOUT_END,
            )
        if self._sign is None and self.verbose >= 1 and self._search is None:
            self._sign = _SignOfLife(self._print_sign)

    def on_trial_end(self, trial):
        begun = self._start.pop(trial.trial_id, float("nan"))
        self._pace.end()
        if self.verbose < 1:
            return
        name = self.oracle.objective.name
        best = self.oracle.get_best_trials(1)
        best_text = f"best {name} {best[0].score:.5g}" if best else "no result yet"
        if self._search is not None:
            self._search.set_postfix_str(best_text, refresh=False)
            if trial.status != TrialStatus.INVALID:  # an invalid trial runs again
                self._search.update()
            return
        seconds = time.perf_counter() - begun
        total = self.oracle.max_trials
        number = f"{self._num_ended()}/{total}" if total else f"{self._num_ended()}"
        result = trial.status.lower() if trial.score is None else f"{trial.score:.5g}"
        values = values_text(trial.hyperparameters.values)
        stopped = self._stopped_after and self._stopped_after(trial.trial_id)
        parts = [
            f"Trial {trial.trial_id} ({number}): {name} {result}"
            + (f" with {values}" if values else ""),
            f"stopped after epoch {stopped}" if stopped else "",
            best_text,
            f"{seconds:.1f} s{self._time_left()}",
        ]
        self._say("; ".join(part for part in parts if part))

    def of_epochs(self, execution):
        """Return a callback that shows the epochs of one execution of a trial."""
        return _EpochBar(self, execution)

    def note(self, text):
        """Show a message about the search once."""
        if self.verbose >= 1 and text not in self._notes:
            self._notes.add(text)
            tqdm.write(text, file=self._out())

    def close(self):
        """Close the bars, which stay visible as they are."""
        if self._sign is not None:
            self._sign.stop()
        for bar in (self._trial, self._search):
            if bar is not None:
                bar.close()
        self._trial = self._search = self._sign = None
        self._start = {}
        self._notes = set()  # a later search may have the same reasons
        self._pace = _Pace()

    def begin_epochs(self, title, total):
        self._epoch = f"epoch 0/{total}"
        if self._search is not None:
            self._trial = self._bar(
                total=total,
                desc=title,
                leave=False,
                bar_format=_FORMAT_OF_TRIAL,
                postfix=self._values,
            )

    def end_epoch(self, epoch, total):
        self._epoch = f"epoch {epoch + 1}/{total}"
        if self._trial is not None:
            # A trial that continues another one does not begin with the first epoch.
            self._trial.update(epoch + 1 - self._trial.n)

    def end_epochs(self):
        self._epoch = ""
        if self._trial is not None:
            self._trial.close()
            self._trial = None

    def __getstate__(self):
        hidden = dict.fromkeys(("_search", "_trial", "_stream", "_sign"))
        return {**vars(self), **hidden}

    def _print_sign(self):
        """Print that the search still runs."""
        running = dict(self._start)
        if not running:
            return
        seconds = time.perf_counter() - min(running.values())
        if len(running) > 1:
            what = f"{len(running)} trials run, the first one for {time_text(seconds)}"
        else:
            (trial_id,) = running
            what = f"Trial {trial_id} runs for {time_text(seconds)}"
            what += "".join(f", {part}" for part in (self._epoch, self._values) if part)
        print(f"{what}{self._time_left()}", file=self._out(), flush=True)

    def _say(self, line):
        if self._sign is not None:
            self._sign.postpone()
        print(line, file=self._out(), flush=True)

    def _time_left(self):
        """The expected rest of the search, as the end of a line."""
        total, limit = self.oracle.max_trials, self._budget.seconds_left
        if total and self._num_ended() >= total:
            return ""
        left = self._pace.seconds(total - self._num_ended()) if total else None
        if left is None:
            return "" if limit is None else f", at most {time_text(limit)} left"
        left = left if limit is None else min(left, limit)
        return f", about {time_text(left)} left"

    def _num_ended(self):
        return len(self.oracle.end_order)

    def _has_bars(self):
        return self.verbose >= 1 and bar_class(self._out()) is not None

    def _bar(self, bar_format, **arguments):
        """A new bar in the form that the output can show."""
        kind = bar_class(self._out())
        if kind is not tqdm:
            bar_format = _FORMATS_OF_NOTEBOOK.get(bar_format, bar_format)
        return kind(
            file=self._out(), bar_format=bar_format, dynamic_ncols=True, **arguments
        )

    def _out(self):
        return self._stream or sys.stderr


def values_text(values):
    """Return the hyperparameters of a trial as a short text.

    >>> values_text({"rate/conv": 0.25, "rate/dense": 0.123456, "tuner/epochs": 3})
    'conv 0.25, dense 0.123'
    """
    texts = [
        f"{name.removeprefix('rate/')} {value:.3g}"
        if isinstance(value, float)
        else f"{name.removeprefix('rate/')} {value}"
        for name, value in values.items()
        if not name.startswith("tuner/")
    ]
    more = ["..."] if len(texts) > _MOST_VALUES else []
    return ", ".join([*texts[:_MOST_VALUES], *more])


class _Pace:
    """Measures how long the trials of this search take."""

    def __init__(self):
        self._begun = None
        self._num_ended = 0

    def begin(self):
        if self._begun is None:
            self._begun = time.perf_counter()

    def end(self):
        self._num_ended += 1

    def seconds(self, num_trials):
        """Return the expected time of more trials, or None before the first end."""
        if not self._num_ended or self._begun is None:
            return None
        elapsed = time.perf_counter() - self._begun
        return num_trials * elapsed / self._num_ended


class _SignOfLife:
    """Calls a function in a thread, each time that nothing was shown for a while."""

    def __init__(self, show):
        self._show = show
        self._last = time.monotonic()
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def postpone(self):
        """Wait anew, because something was shown."""
        self._last = time.monotonic()

    def stop(self):
        self._is_stopped.set()
        self._thread.join()

    def _run(self):
        while not self._is_stopped.wait(
            max(0.0, self._last + _SILENCE - time.monotonic())
        ):
            if time.monotonic() >= self._last + _SILENCE:
                self.postpone()
                self._show()


class _EpochBar(keras.callbacks.Callback):
    def __init__(self, progress, execution):
        super().__init__()
        self._progress = progress
        self._execution = execution

    def on_train_begin(self, logs=None):
        title = f"  Run {self._execution + 1}"
        self._progress.begin_epochs(title, self.params.get("epochs"))

    def on_epoch_end(self, epoch, logs=None):
        self._progress.end_epoch(epoch, self.params.get("epochs"))

    def on_train_end(self, logs=None):
        self._progress.end_epochs()


class _Followers:
    """Replaces the display of an oracle of KerasTuner, which has only one."""

    def __init__(self, followers):
        self._followers = followers
        self.verbose = 1  # KerasTuner sets it; `Progress` has its own

    def on_trial_begin(self, trial):
        for follower in self._followers:
            follower.on_trial_begin(trial)

    def on_trial_end(self, trial):
        for follower in self._followers:
            follower.on_trial_end(trial)

    def get_state(self):
        return {}  # a resumed search needs no state of the followers

    def set_state(self, state):
        pass
