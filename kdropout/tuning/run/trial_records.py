"""The trials of a search, as the report takes them."""

from kdropout.tuning.report import TrialRecord


def trial_records(trials, plan, epochs):
    """A `TrialRecord` for each trial that has begun.

    Args:
        trials: Sequence of KerasTuner's `Trial`.
        plan: `kdropout.tuning.RatePlan` of the model.
        epochs: Integer, the epochs of a training, unless the trial says otherwise.
    """
    return [_record(trial, plan, epochs) for trial in trials]


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
        message=trial.message or "",
    )
