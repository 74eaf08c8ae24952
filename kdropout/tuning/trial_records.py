"""Converts the trials of a search into records for the report."""

import json
import re

from keras_tuner.engine.trial import Trial, TrialStatus

from kdropout.tuning import histories
from kdropout.tuning.oracles import rung_of
from kdropout.tuning.report import TrialRecord
from kdropout.tuning.space.dimension import dimensions_of, is_other, other_dimensions

_LONGEST = 500  # characters; a message of TensorFlow may contain a whole graph
_COLOURS = re.compile(r"\x1b\[\d*m")


def trial_records(trials, plan, epochs, known=None):
    """Return a `TrialRecord` for each trial.

    `known` is a dict from trial to `History`, which shows the scores of the trainings
    and the trials that the median has stopped.
    """
    known = known or {}
    return [_record(trial, plan, epochs, known.get(trial.trial_id)) for trial in trials]


def trial_histories(trials, project):
    """Read the `History` of each trial in the folder of a search, or None."""
    return histories.of_trials(project, [trial.trial_id for trial in trials])


def trial_curves(known, objective):
    """Return a dict from trial to its curve of the objective, for `Report`.

    `known` is a dict from trial to `History`. A curve is a dict from the number of
    epochs trained to the value. Trials without values are left out.
    """
    curves = {
        trial_id: histories.mean_curve(history, objective)
        for trial_id, history in known.items()
        if history is not None
    }
    return {
        trial_id: {epoch + 1: value for epoch, value in curve.items()}
        for trial_id, curve in curves.items()
        if curve
    }


def searched_dimensions(trials, plan):
    """Return the `Dimension` of each hyperparameter of a search, rates first."""
    declared = [
        hyperparameter
        for trial in trials
        for hyperparameter in trial.hyperparameters.space
    ]
    return [*dimensions_of(plan), *other_dimensions(declared, plan)]


def stored_trials(project):
    """Read the trials from the files of a search, in the order in which they began.

    Another process may be writing the files, which are complete at any time.
    """
    states = _read(project / "oracle.json", lambda state: state["trials"])
    if states is None:
        files = sorted(project.glob("trial_*/trial.json"))
        states = [_read(file, dict) for file in files]
    return [Trial.from_state(state) for state in states if state is not None]


def failure_of(trial):
    """Return why a trial of KerasTuner failed, in one line, or "" if it did not.

    KerasTuner stores only the traceback of an error, as the message of the trial. This
    is the only function that parses it.

    Example:

    >>> from keras_tuner.engine.trial import Trial, TrialStatus
    >>> from kdropout.tuning.trial_records import failure_of
    >>> trial = Trial(None)
    >>> trial.message = '''Traceback (most recent call last):
    ...   File "models.py", line 7, in call
    ...     raise ValueError("broken")
    ... ValueError: Exception encountered when calling Block.call().
    ...
    ... broken
    ...
    ... Arguments received by Block.call():'''
    >>> failure_of(trial)
    'ValueError: Exception encountered when calling Block.call(). broken'
    """
    lines = _COLOURS.sub("", trial.message or "").splitlines()
    frames = [i for i, line in enumerate(lines) if line.startswith('  File "')]
    begin = frames[-1] + 1 if frames else 0
    while frames and begin < len(lines) and lines[begin].startswith(" "):
        begin += 1
    text = " ".join("\n".join(lines[begin:]).split())
    text = text.partition(" Arguments received by ")[0]  # which Keras adds
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _record(trial, plan, epochs, history):
    values = trial.hyperparameters.values
    has_completed = trial.status == TrialStatus.COMPLETED and history is not None
    tracked = trial.metrics.metrics
    return TrialRecord(
        trial_id=trial.trial_id,
        values={name: values[name] for name in sorted(plan.names)},
        rates=plan.rates(values),
        score=trial.score,
        metrics={name: trial.metrics.get_last_value(name) for name in tracked},
        status=trial.status,
        epochs=values.get("tuner/epochs", epochs),
        message=failure_of(trial),
        rung=rung_of(trial),
        other_values={n: value for n, value in values.items() if is_other(n, plan)},
        stopped_after=history.stopped_after if has_completed else None,
        scores=(history.scores or ()) if has_completed else (),
    )


def _read(file, part):
    """A part of a JSON file, or None if it cannot be read."""
    try:
        return part(json.loads(file.read_text()))
    except (OSError, ValueError, LookupError, TypeError):
        return None
