"""Shows the progress of a search."""

import sys
import time

import keras
from keras_tuner.engine.trial import TrialStatus
from tqdm import tqdm

# Short lines, for terminals of 80 columns. The postfix of tqdm begins with a comma.
_FORMAT = "{desc} {n_fmt}/{total_fmt} [{bar:20}]{postfix}, {remaining} left"
_FORMAT_WITHOUT_END = "{desc} {n_fmt}{postfix}, after {elapsed}"


def follow(oracle, followers):
    """Notify `followers` when a trial of an oracle begins or ends."""
    # The oracle sees all trials, in whatever process they run. KerasTuner has no public
    # way to observe it.
    oracle._display = _Followers(followers)


class Progress:
    """Shows progress bars for the search and its current trial on a terminal.

    If the output is not a terminal, it prints one line per trial. The bar of the search
    shows the best value so far and the remaining time.
    """

    def __init__(self, oracle, stream=None):
        self.oracle = oracle
        self.verbose = 1
        self._stream = stream
        self._search = None
        self._trial = None
        self._start = {}  # by trial: when it began
        self._notes = set()

    def on_trial_begin(self, trial):
        self._start[trial.trial_id] = time.perf_counter()
        if self._search is None and self._has_bars():
            total = self.oracle.max_trials
            self._search = tqdm(
                total=total,
                initial=self._num_ended() if total else 0,
                desc="Search",
                file=self._out(),
                bar_format=_FORMAT if total else _FORMAT_WITHOUT_END,
                dynamic_ncols=True,
            )

    def on_trial_end(self, trial):
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
        seconds = time.perf_counter() - self._start.get(trial.trial_id, float("nan"))
        total = self.oracle.max_trials
        number = f"{self._num_ended()}/{total}" if total else f"{self._num_ended()}"
        result = trial.status.lower() if trial.score is None else f"{trial.score:.5g}"
        print(
            f"Trial {trial.trial_id} ({number}): {name} {result}, {best_text}, "
            f"{seconds:.1f} s",
            file=self._out(),
            flush=True,
        )

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
        for bar in (self._trial, self._search):
            if bar is not None:
                bar.close()
        self._trial = self._search = None

    def begin_epochs(self, title, total):
        if self._search is not None:
            self._trial = tqdm(
                total=total,
                desc=title,
                leave=False,
                file=self._out(),
                bar_format="{desc} epoch {n_fmt}/{total_fmt} [{bar:20}]",
                dynamic_ncols=True,
            )

    def end_epoch(self, epoch):
        if self._trial is not None:
            # A trial that continues another one does not begin with the first epoch.
            self._trial.update(epoch + 1 - self._trial.n)

    def end_epochs(self):
        if self._trial is not None:
            self._trial.close()
            self._trial = None

    def __getstate__(self):
        return {**vars(self), "_search": None, "_trial": None, "_stream": None}

    def _num_ended(self):
        return len(self.oracle.end_order)

    def _has_bars(self):
        return self.verbose >= 1 and self._out().isatty()

    def _out(self):
        return self._stream or sys.stderr


class _EpochBar(keras.callbacks.Callback):
    def __init__(self, progress, execution):
        super().__init__()
        self._progress = progress
        self._execution = execution

    def on_train_begin(self, logs=None):
        title = f"  Run {self._execution + 1}"
        self._progress.begin_epochs(title, self.params.get("epochs"))

    def on_epoch_end(self, epoch, logs=None):
        self._progress.end_epoch(epoch)

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
