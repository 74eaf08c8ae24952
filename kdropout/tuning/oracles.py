"""KerasTuner's oracles, with files from which a search can resume at any time."""

import contextlib
import inspect
import json
import math
import pathlib
import warnings

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus
from threadpoolctl import threadpool_limits

from kdropout import _validation
from kdropout._files import write_text
from kdropout.tuning.budget import Budget
from kdropout.tuning.given_settings import SettingReader, Targets
from kdropout.tuning.halving import (
    RUNGS,
    SETTINGS,
    check_rungs,
    check_settings,
    distinct_values,
    epochs_of_rungs,
)

# If a search is rebuilt and its stream of random numbers cannot be recovered, it
# continues with a seed that differs by this much.
_FAR = 1_000_000

# This offset separates the seeds of random candidates of Bayesian optimization from
# those of its first trials, which a rebuilt search must be able to recover.
_OF_CANDIDATES = 2**31

_ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
_UNENDED = (TrialStatus.RUNNING, TrialStatus.INVALID)  # an invalid trial runs again
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError)


class StoredOracle(keras_tuner.Oracle):
    """An oracle that can be stopped at any moment and resumed.

    `oracle.json` contains the state of the search and all trials. It is replaced as a
    whole whenever a trial begins or ends. A trial that had begun but not ended runs
    again, with the same number and the same values.

    People and KerasTuner read `trial_*/trial.json`. The search is rebuilt from these
    files only if `oracle.json` is missing or damaged. Then the trials are replayed in
    the order of their numbers, and each one brings the oracle to the state in which it
    proposed the next. A trial whose file is lost is proposed again, so a search in one
    process continues with exactly the same trials. If trials ran in parallel, or with
    another seed, the search keeps the trials and continues with new random numbers.
    """

    _nan_epochs = "in every epoch"

    # A grid search allows only the values of its grid.
    _is_grid = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.budget = Budget()  # a tuner sets its own
        self.initial_trials = ()
        self.targets = Targets()
        self._used_settings = []  # of `initial_trials`, those that became trials
        self._stamp = None  # of `oracle.json`, when this object last wrote or read it
        self._written = None  # the text of `oracle.json` that this object last wrote
        self._encoded = {}  # by trial: its content, and its JSON

    @keras_tuner.synchronized
    def create_trial(self, tuner_id):
        has_begun = tuner_id in self.ongoing_trials
        if not has_begun and (
            self.budget.is_over or (not self._retry_queue and self.is_out_of_patience())
        ):
            self.tuner_ids.discard(tuner_id)  # KerasTuner's chief waits for the others
            hyperparameters = self.get_space()
            hyperparameters.values = {}
            return Trial(hyperparameters, status=TrialStatus.STOPPED)
        return super().create_trial(tuner_id)

    @keras_tuner.synchronized
    def end_trial(self, trial):
        stored = self.trials[trial.trial_id].hyperparameters.values
        _make_exact(trial.hyperparameters.values, stored)
        super().end_trial(trial)

    @keras_tuner.synchronized
    def update_trial(self, trial_id, metrics, step=0):
        with _without_nan_warning():
            return super().update_trial(trial_id, metrics, step)

    def score_trial(self, trial):
        with _without_nan_warning():
            super().score_trial(trial)
        if np.isnan(trial.score):
            trial.message = (
                f"The objective '{self.objective.name}' was NaN {self._nan_epochs} of "
                "this trial: the training diverged, or the data contain NaN. Lower the "
                "learning rate, or check the data and the loss."
            )

    def get_best_trials(self, num_trials=1):
        """Return the best of the completed trials."""
        completed = [trial for trial in self.trials.values() if _has_score(trial)]
        is_max = self.objective.direction == "max"
        completed.sort(key=lambda trial: trial.score, reverse=is_max)
        return completed[:num_trials]

    # The limits of a search, and its first trials.

    def is_out_of_patience(self):
        """Return True if too many trials have ended since the best score."""
        patience = self.budget.patience
        if patience is None or len(self.end_order) <= patience:
            return False
        best = self.get_best_trials(1)
        first = self.end_order.index(best[0].trial_id) if best else -1
        return len(self.end_order) - 1 - first >= patience

    def put_back_unended(self):
        """Put the trials that had begun but not ended in the queue."""
        self.ongoing_trials = {}
        ended = {*self.end_order, *self._retry_queue}
        begun = [trial_id for trial_id in self.start_order if trial_id not in ended]
        for trial_id in begun:
            _forget_results(self.trials[trial_id])
        # The queue is emptied from its end: the oldest trial comes first.
        self._retry_queue = [*begun[::-1], *self._retry_queue]

    def put_back_failed(self):
        """Put the trials that have failed in the queue, and return their number.

        A trial whose values are lost stays as it is.
        """
        failed = [
            trial_id
            for trial_id in self.end_order
            if self.trials[trial_id].status == TrialStatus.FAILED
            and self.trials[trial_id].hyperparameters.values
        ]
        self.end_order = [each for each in self.end_order if each not in failed]
        for trial_id in failed:
            self.trials[trial_id].status = TrialStatus.RUNNING
            self._run_times[trial_id] = 0
            _forget_results(self.trials[trial_id])
        self._retry_queue = [*failed[::-1], *self._retry_queue]
        return len(failed)

    @property
    def needs_model(self):
        """True if a model must be seen before the first trial is proposed."""
        return bool(self.initial_trials) and not self.targets.are_known

    def initial_values(self):
        """Return the values of each of `initial_trials`, a list of dicts, or raise."""
        reader = SettingReader("initial_trials", self._is_grid)
        space = self.hyperparameters.space
        return [
            reader.values(index, setting, space, self.targets)
            for index, setting in enumerate(self.initial_trials)
        ]

    def max_initial_trials(self):
        """Return how many of `initial_trials` can become trials, or None."""
        return self.max_trials

    def populate_space(self, trial_id):
        values = self._next_initial_values()
        if values is not None:
            return {"status": TrialStatus.RUNNING, "values": values}
        return super().populate_space(trial_id)

    def get_state(self):
        return {**super().get_state(), "initial_trials": self._used_settings}

    def set_state(self, state):
        super().set_state(state)
        self._used_settings = state.get("initial_trials", [])

    def _next_initial_values(self):
        """The values of the next of `initial_trials` that is new, or None.

        A setting that a trial has used is not repeated, even if later trials have
        declared more hyperparameters.
        """
        if len(self._used_settings) == len(self.initial_trials) == 0:
            return None
        for setting, values in zip(
            self.initial_trials, self.initial_values(), strict=True
        ):
            if setting not in self._used_settings:
                self._used_settings = [*self._used_settings, setting]
                if not self._duplicate(values):
                    return values
        return None

    def _is_initial(self, trial):
        """True if a trial has the values of one of `initial_trials`."""
        if not self.initial_trials:
            return False
        return values_of_user(trial.hyperparameters.values) in self.initial_values()

    # The files.

    def save(self):
        state = json.dumps(self.get_state()).removesuffix("}")
        trials = ", ".join(self._encode(trial) for trial in self.trials.values())
        algorithm = json.dumps(type(self).__name__)
        text = f'{state}, "trials": [{trials}], "algorithm": {algorithm}}}'
        # KerasTuner saves twice when a trial ends.
        if text != self._written or self._stamp_of_file() != self._stamp:
            write_text(self._get_oracle_fname(), text, is_durable=True)
            self._written, self._stamp = text, self._stamp_of_file()

    def has_saved_search(self):
        """Return True if a search has begun in the folder of the project."""
        return self._stamp_of_file() is not None or bool(self._trial_files())

    def was_overtaken(self):
        """Return True if another tuner has written to the project in the meantime."""
        return self._stamp_of_file() not in (None, self._stamp)

    def reload(self):
        path, kind = pathlib.Path(self._get_oracle_fname()), type(self).__name__
        try:
            state = json.loads(path.read_text())
            if (other := state.get("algorithm", kind)) != kind:
                raise RuntimeError(
                    f"The project '{path.parent}' must be opened with the algorithm "
                    f"that began it. Received: {kind}, for a project of {other}. Use "
                    f"{other}, pass another 'project_name', or pass overwrite=True to "
                    "delete its trials."
                )
            trials = state.pop("trials", None)
            if trials is None:  # a project of KerasTuner itself
                self._load_trial_files()
            else:
                self._set_trials([Trial.from_state(trial) for trial in trials])
            self.set_state(state)
        except _UNREADABLE as error:
            self._rebuild_without(path, error)
        self._stamp = self._stamp_of_file()
        self.put_back_unended()

    def _save_trial(self, trial):
        path = pathlib.Path(self._get_trial_dir(trial.trial_id)) / "trial.json"
        write_text(path, self._encode(trial))

    def _encode(self, trial):
        """The state of a trial as JSON, which is cached while the trial is the same."""
        space = trial.hyperparameters
        contents = (
            space,  # its hyperparameters do not change, but it may get more of them
            len(space.space),
            repr((space.values, trial.metrics.get_config())),
            repr((trial.score, trial.best_step, trial.status, trial.message)),
        )
        known = self._encoded.get(trial.trial_id)
        if known is None or known[0] != contents:
            known = (contents, json.dumps(trial.get_state()))
            self._encoded[trial.trial_id] = known
        return known[1]

    def __getstate__(self):
        return {**vars(self), "_written": None, "_encoded": {}}

    def _retry(self, trial):
        is_retried = super()._retry(trial)
        if is_retried:
            _forget_results(trial)  # KerasTuner would keep those of the failed run
        return is_retried

    def _load_trial_files(self):
        trials = []
        for path in self._trial_files():
            try:
                trials.append(Trial.load(str(path)))
            except _UNREADABLE as error:
                warnings.warn(
                    f"'{path}' is damaged ({error!r}). The search runs the trial again "
                    "if it can propose the same values, and leaves it out otherwise.",
                    stacklevel=2,
                )
        self._set_trials(trials)

    def _set_trials(self, trials):
        self.trials = {trial.trial_id: trial for trial in trials}

    def _trial_files(self):
        folder = pathlib.Path(self._get_oracle_fname()).parent
        return sorted(folder.glob("trial_*/trial.json"))

    def _stamp_of_file(self):
        try:
            status = pathlib.Path(self._get_oracle_fname()).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    # The replay of a search whose file is lost.

    def rebuild(self):
        """Restore the state of the search from `self.trials`, which may have gaps."""
        known = self.trials
        for trial in known.values():
            self.update_space(trial.hyperparameters)
        self.forget()
        for trial_id in self._all_ids(known):
            trial = known.get(trial_id)
            if trial is None:
                trial = self._propose_again(trial_id)
            else:
                self.replay(trial)
            self._take_in(trial)

    def forget(self):
        """Reset to the state before the first trial. Subclasses extend this."""
        self.trials = {}
        self.start_order = []
        self.end_order = []
        self.ongoing_trials = {}
        self._retry_queue = []
        self._run_times.clear()
        self._tried_so_far = set()
        self._id_to_hash.clear()
        self._seed_state = self.seed
        self._used_settings = []

    def replay(self, trial):
        """Advance to the state that proposed `trial`. Subclasses extend this."""
        if self._is_initial(trial) or not self.is_random(trial):
            return
        values, seen = self._random_values(), trial.hyperparameters.values
        if values is None or any(seen.get(name) != values[name] for name in values):
            self._seed_state = self.seed + _FAR * (1 + len(self.trials))

    def is_random(self, trial):
        """Return True if the values of the next trial were drawn at random."""
        return True

    def _rebuild_without(self, path, error):
        self._load_trial_files()
        if not self.trials:
            raise RuntimeError(
                f"The search in '{path.parent}' cannot be resumed: "
                f"'{path.name}' cannot be read ({error!r}), and there are no trials to "
                "rebuild it from. Pass overwrite=True to start again, or pass another "
                "'project_name'."
            ) from error
        warnings.warn(
            f"'{path}' was missing or damaged ({error!r}). The search was rebuilt from "
            f"its {len(self.trials)} trials and continues.",
            stacklevel=2,
        )
        self.rebuild()

    def _propose_again(self, trial_id):
        self.ongoing_trials = {
            trial.trial_id: trial
            for trial in self.trials.values()
            if trial.status == TrialStatus.RUNNING
        }
        response = self.populate_space(trial_id)
        self.ongoing_trials = {}
        hyperparameters = self.get_space()
        hyperparameters.values = response.get("values") or {}
        trial = Trial(hyperparameters, trial_id)
        if not hyperparameters.values:
            trial.status = TrialStatus.FAILED
            trial.message = (
                "The file of this trial was lost, so its values are unknown."
            )
        return trial

    def _take_in(self, trial):
        trial_id = trial.trial_id
        self.trials[trial_id] = trial
        self.start_order.append(trial_id)
        if trial.status in _ENDED:
            self.end_order.append(trial_id)
            self._run_times[trial_id] = 1
        if trial.hyperparameters.values:
            self._record_values(trial)

    def _all_ids(self, known):
        """The ids of all trials in order, including those that are lost."""
        if not all(trial_id.isdigit() for trial_id in known):
            return sorted(known)  # an old KerasTuner did not number the trials
        by_number = {int(trial_id): trial_id for trial_id in known}
        width = len(str(self.max_trials))  # as KerasTuner pads them
        return [
            by_number.get(number, f"{number:0{width}d}")
            for number in range(max(by_number) + 1)
        ]


class RandomSearchOracle(StoredOracle, keras_tuner.oracles.RandomSearchOracle):
    """Random search that can be resumed."""


class BayesianOptimizationOracle(
    StoredOracle, keras_tuner.oracles.BayesianOptimizationOracle
):
    """Bayesian optimization that can be resumed and never proposes a point twice."""

    # KerasTuner's search for the best point has the same number of restarts. After this
    # many draws without a new point, the space counts as exhausted.
    _NUM_CANDIDATES = 50

    def populate_space(self, trial_id):
        # Each trial has a separate stream, so that no stream needs to be stored.
        self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        # The matrices are small, so more threads would only wait for each other.
        with threadpool_limits(1), warnings.catch_warnings():
            # sklearn warns if the process fits few points badly. A user cannot act on
            # that.
            warnings.filterwarnings("ignore", module="sklearn")
            answer = super().populate_space(trial_id)
        values = answer["values"]
        if values is None or not self._duplicate(values):
            return answer
        values = self._best_new_values()
        status = TrialStatus.STOPPED if values is None else TrialStatus.RUNNING
        return {"status": status, "values": values}

    def is_random(self, trial):
        completed = [t for t in self.trials.values() if t.status == "COMPLETED"]
        dimensions = len(self.hyperparameters.space)
        return len(completed) < (self.num_initial_points or max(3 * dimensions, 3))

    def _random_values(self):
        for _ in range(self._NUM_CANDIDATES):
            values = super()._random_values()
            if values is not None:
                return values
        return None

    def _best_new_values(self):
        """The point with the lowest confidence bound among random new points."""
        candidates = self._draw_candidates()
        if not candidates:
            return None
        points = np.array([self._to_point(values) for values in candidates])
        mean, deviation = self.gpr.predict(points, return_std=True)
        return candidates[int(np.argmin(mean - self.beta * deviation))]

    def _draw_candidates(self):
        before, candidates = self._seed_state, []
        self._seed_state = self.seed + _OF_CANDIDATES * (1 + len(self.trials))
        while len(candidates) < self._NUM_CANDIDATES:
            values = self._random_values()
            if values is None:
                break
            candidates.append(values)
        self._seed_state = before
        return candidates

    def _to_point(self, values):
        return [
            hp.value_to_prob(values.get(hp.name, hp.default))
            for hp in self._nonfixed_space()
        ]


class HyperbandOracle(StoredOracle, keras_tuner.oracles.HyperbandOracle):
    """Hyperband that can be resumed."""

    _is_proposing = False

    def max_initial_trials(self):
        # They are trials of the first rounds.
        brackets = range(self._get_num_brackets())
        first = sum(self._get_size(number, round_num=0) for number in brackets)
        return first * self.hyperband_iterations

    def populate_space(self, trial_id):
        # The initial trials also belong to a bracket, so they replace random values.
        self._is_proposing = True
        try:
            return keras_tuner.oracles.HyperbandOracle.populate_space(self, trial_id)
        finally:
            self._is_proposing = False

    def _random_values(self):
        values = self._next_initial_values() if self._is_proposing else None
        return super()._random_values() if values is None else values

    def is_random(self, trial):
        return "tuner/trial_id" not in trial.hyperparameters.values

    def forget(self):
        super().forget()
        self._brackets = []
        self._current_iteration = 0
        self._current_bracket = self._get_num_brackets() - 1
        self._start_new_bracket()

    def replay(self, trial):
        super().replay(trial)
        values = trial.hyperparameters.values
        past_id = values.get("tuner/trial_id")
        if past_id is None:
            bracket = self._bracket_with_room(values["tuner/bracket"])
        else:
            bracket = self._bracket_of(past_id)
        if bracket is not None:
            entry = {"past_id": past_id, "id": trial.trial_id}
            bracket["rounds"][values["tuner/round"]].append(entry)

    def _bracket_with_room(self, number):
        """The bracket with this number whose first round is not full."""
        for bracket in self._brackets:
            has_room = len(bracket["rounds"][0]) < self._get_size(number, 0)
            if bracket["bracket_num"] == number and has_room:
                return bracket
        for _ in range(self._get_num_brackets()):
            self._increment_bracket_num()
            self._start_new_bracket()
            if self._current_bracket == number:
                return self._brackets[-1]
        return None

    def _bracket_of(self, trial_id):
        for bracket in self._brackets:
            rounds = bracket["rounds"]
            if any(entry["id"] == trial_id for entries in rounds for entry in entries):
                return bracket
        return None


class GridSearchOracle(StoredOracle, keras_tuner.oracles.GridSearchOracle):
    """Grid search that can be resumed."""

    _is_grid = True

    def populate_space(self, trial_id):
        if not self.initial_trials:
            return super().populate_space(trial_id)
        values = self._next_initial_values() or self._first_of_grid()
        if values is not None:
            return {"status": TrialStatus.RUNNING, "values": values}
        if any(each not in self._ordered_ids._memory for each in self.start_order):
            self._find_order()  # gives the initial trials their places in the grid
        return super().populate_space(trial_id)

    def _first_of_grid(self):
        """The defaults, with which the grid begins, or None if they were tried."""
        space = self.get_space()
        values = {hp.name: hp.default for hp in space.space if space.is_active(hp)}
        return None if self._duplicate(values) else values

    @keras_tuner.synchronized
    def end_trial(self, trial):
        # Do this before the state is saved. KerasTuner does it afterwards.
        self._populate_next.append(trial.trial_id)
        super().end_trial(trial)
        self._populate_next.pop()

    def _get_next_combination(self, values):
        # KerasTuner expects a value of each hyperparameter, even of one that a later
        # trial was the first to declare. Its last value has no successor in the grid.
        last = {}
        for hp in self.hyperparameters.space:
            others = [value for value in hp.values if value != hp.default]
            last[hp.name] = others[-1] if others else hp.default
        return super()._get_next_combination({**last, **values})

    def get_state(self):
        ids, at = [], self._ordered_ids._next_index[None]
        while at is not None:
            ids.append(self._ordered_ids._memory[at])
            at = self._ordered_ids._next_index[at]
        return {
            **super().get_state(),
            "ordered_ids": ids,
            "populate_next": list(self._populate_next),
        }

    def set_state(self, state):
        super().set_state(state)
        if "ordered_ids" in state:
            self._set_order(state["ordered_ids"])
            self._populate_next = state["populate_next"]
        else:  # a project of KerasTuner itself
            self._find_order()

    def is_random(self, trial):
        return False

    def forget(self):
        super().forget()
        self._find_order()

    def rebuild(self):
        super().rebuild()
        self._find_order()

    def _propose_again(self, trial_id):
        self._find_order()
        return super()._propose_again(trial_id)

    def _find_order(self):
        """Find the order of the trials in the grid from their values."""
        ids = [i for i in self.start_order if self.trials[i].hyperparameters.values]
        self._set_order(sorted(ids, key=self._place))
        self._populate_next = ids

    def _set_order(self, ids):
        self._ordered_ids = type(self._ordered_ids)()
        for trial_id in ids:
            self._ordered_ids.insert(trial_id)

    def _place(self, trial_id):
        """The position of a trial in the grid, where defaults come first."""
        values = self.trials[trial_id].hyperparameters.values
        place = []
        for hp in self.hyperparameters.space:
            if hp.name in values:
                options = [hp.default, *(v for v in hp.values if v != hp.default)]
                place.append(options.index(values[hp.name]))
        return place


class SuccessiveHalvingOracle(StoredOracle):
    """Trains settings side by side and continues with the better half at each rung.

    A trial trains a setting from one rung to the next. All proposals follow from
    `self.trials`, so a search that is resumed or rebuilt needs no other state.
    """

    _nan_epochs = "in at least one of the last epochs"

    def __init__(
        self,
        objective=None,
        max_epochs=100,
        settings=SETTINGS,
        rungs=RUNGS,
        smoothing=3,
        **kwargs,
    ):
        self.settings = check_settings(settings)
        self.rungs = check_rungs(rungs)
        self.epochs = epochs_of_rungs(max_epochs, self.rungs)
        self.max_epochs = self.epochs[-1]
        self.smoothing = _validation.integer("smoothing", smoothing, low=1)
        super().__init__(objective, **kwargs)

    @property
    def needs_model(self):
        return not self.targets.are_known

    def settings_values(self):
        """Return the values of each setting, a list of dicts, or raise."""
        return distinct_values(self.settings, self.hyperparameters.space, self.targets)

    def populate_space(self, trial_id):
        settings, trials = self.settings_values(), self._trials_of_round(0)
        if len(trials) < len(settings):
            return self._propose(settings[len(trials)], 0)
        for number in range(1, len(self.epochs)):
            if _any_unended(trials):
                return {"status": TrialStatus.IDLE}
            later = self._trials_of_round(number)
            gone_on = [t.hyperparameters.values["tuner/trial_id"] for t in later]
            for trial in self._better_half(trials):
                if trial.trial_id not in gone_on:
                    return self._propose_next(trial, number)
            trials = later
        is_running = _any_unended(trials)
        return {"status": TrialStatus.IDLE if is_running else TrialStatus.STOPPED}

    def get_best_trials(self, num_trials=1):
        """Return the best of the completed trials, with those of later rungs first.

        A setting that was dropped early is not the best, whatever its score was then.
        """
        trials = super().get_best_trials(len(self.trials))
        trials.sort(key=rung_of, reverse=True)  # keeps the order of equal trials
        return trials[:num_trials]

    def reload(self):
        super().reload()
        for trial in self.trials.values():
            values = trial.hyperparameters.values
            if values and values["tuner/epochs"] not in self.epochs:
                raise RuntimeError(
                    f"The project '{self._project_dir}' must be opened with the "
                    "'max_epochs' and 'rungs' that began it. Received: "
                    f"max_epochs={self.max_epochs}, rungs={self.rungs}, whose trials "
                    f"end after {', '.join(map(str, self.epochs))} epochs, but trial "
                    f"{trial.trial_id} ends after {values['tuner/epochs']}. Use the "
                    "original values, pass another 'project_name', or pass "
                    "overwrite=True to delete its trials."
                )

    def is_random(self, trial):
        return False

    def _trials_of_round(self, number):
        return [
            trial
            for trial in self.trials.values()
            if trial.hyperparameters.values.get("tuner/round") == number
        ]

    def _better_half(self, trials):
        """The trials of a rung that continue, best first, equal ones in their order."""
        is_max = self.objective.direction == "max"
        completed = [trial for trial in trials if _has_score(trial)]
        completed.sort(key=lambda trial: trial.score, reverse=is_max)
        return completed[: math.ceil(len(trials) / 2)]

    def _propose_next(self, trial, number):
        values = dict(trial.hyperparameters.values)
        values["tuner/trial_id"] = trial.trial_id
        return self._propose(values, number)

    def _propose(self, values, number):
        values = {
            **values,
            "tuner/epochs": self.epochs[number],
            "tuner/initial_epoch": self.epochs[number - 1] if number else 0,
            "tuner/round": number,
        }
        return {"status": TrialStatus.RUNNING, "values": values}


_KINDS = {
    keras_tuner.oracles.RandomSearchOracle: RandomSearchOracle,
    keras_tuner.oracles.BayesianOptimizationOracle: BayesianOptimizationOracle,
    keras_tuner.oracles.HyperbandOracle: HyperbandOracle,
    keras_tuner.oracles.GridSearchOracle: GridSearchOracle,
}


def values_of_user(values):
    """Return hyperparameters and their values without those that begin with "tuner/".

    Hyperband uses these to set how long a trial trains. They do not affect the model.
    """
    return {
        name: value for name, value in values.items() if not name.startswith("tuner/")
    }


def rung_of(trial):
    """Return the rung that a trial of late halving reaches, or 0 in other searches."""
    values = trial.hyperparameters.values
    # The rounds of Hyperband cannot be compared, because they are in several brackets.
    return 0 if "tuner/bracket" in values else values.get("tuner/round", 0)


def stored(oracle):
    """Return a `StoredOracle` with the arguments of one of KerasTuner's oracles.

    An oracle of another class is returned unchanged.
    """
    if not isinstance(oracle, keras_tuner.Oracle):
        raise _validation.type_error("oracle", "a keras_tuner.Oracle", oracle)
    kind = _KINDS.get(type(oracle))
    if kind is None:
        return oracle
    names = inspect.signature(type(oracle)).parameters
    return kind(**{name: getattr(oracle, name) for name in names})


@contextlib.contextmanager
def _without_nan_warning():
    """Ignore NumPy's warning about NaN, which the message of the trial explains."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        yield


def _has_score(trial):
    return trial.status == TrialStatus.COMPLETED and trial.score is not None


def _any_unended(trials):
    return any(trial.status in _UNENDED for trial in trials)


def _forget_results(trial):
    trial.metrics = type(trial.metrics)()
    trial.score = None
    trial.best_step = 0
    trial.message = None


def _make_exact(values, stored):
    """Undo the rounding to 32 bits with which KerasTuner's processes send numbers."""
    for name, value in stored.items():
        received = values.get(name)
        if isinstance(value, float) and isinstance(received, float):
            if np.float32(value) == np.float32(received):
                values[name] = value
