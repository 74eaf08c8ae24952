"""The trials of a search, as the report takes them."""

import json

from keras_tuner.engine.trial import Trial

from kdropout.tuning.report import TrialRecord
from kdropout.tuning.storage.failure_text import failure_text


def trial_records(trials, plan, epochs):
    """A `TrialRecord` for each trial that has begun.

    Args:
        trials: Sequence of KerasTuner's `Trial`.
        plan: `kdropout.tuning.RatePlan` of the model.
        epochs: Integer, the epochs of a training, unless the trial says otherwise.
    """
    return [_record(trial, plan, epochs) for trial in trials]


def stored_trials(project):
    """The trials that the files of a search tell of, without the search.

    Another process may be writing them: each file is whole at any time.

    Args:
        project: `pathlib.Path` of the folder of the search.

    Returns:
        List of KerasTuner's `Trial`, in the order in which they began.
    """
    found = _read(project / "oracle.json", lambda state: state["trials"])
    if found is None:
        files = sorted(project.glob("trial_*/trial.json"))
        found = [_read(file, dict) for file in files]
    return [Trial.from_state(state) for state in found if state is not None]


def _record(trial, plan, epochs):
    values = trial.hyperparameters.values
    tracked = trial.metrics.metrics
    return TrialRecord(
        trial_id=trial.trial_id,
        values={name: values[name] for name in sorted(plan.names)},
        rates=plan.rates(values),
        score=trial.score,
        metrics={name: trial.metrics.get_last_value(name) for name in tracked},
        status=trial.status,
        epochs=values.get("tuner/epochs", epochs),
        message=failure_text(trial.message or ""),
    )


def _read(file, part):
    """A part of a JSON file, or None if it cannot be read."""
    try:
        return part(json.loads(file.read_text()))
    except (OSError, ValueError, LookupError, TypeError):
        return None
