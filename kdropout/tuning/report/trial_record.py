"""What the report knows of one trial."""

import dataclasses
import math

import numpy as np

from kdropout import validation

# The words of KerasTuner.
STATUSES = ("COMPLETED", "FAILED", "INVALID", "RUNNING", "STOPPED", "IDLE")


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One trial of a search over dropout rates, as plain data.

    Args:
        trial_id: String, unique in the search.
        values: Dict from the name of a hyperparameter to its value: those that move
            rates, no others.
        rates: Dict from the path of a layer to its rate in [0, 1]. For a schedule,
            its end.
        score: Float, the objective, or None if there is none. A trial whose score is
            NaN or infinite counts as failed: its score becomes None.
        metrics: Dict from the name of a metric to its value. Defaults to none.
        status: "COMPLETED", "FAILED", "INVALID", "RUNNING", "STOPPED" or "IDLE", as
            in KerasTuner. Defaults to "COMPLETED".
        epochs: Integer, the number of epochs that the trial was given (not the one at
            which it was stopped early), or None. Defaults to None.
        message: String, why the trial failed. Defaults to "".

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a rate is not in [0, 1], or `status` is none of the above.

    Example:

    >>> from kdropout.tuning.report import TrialRecord
    >>> TrialRecord("07", {"rate/drop": 0.3}, {"drop": 0.3}, score=0.41).completed
    True
    """

    trial_id: str
    values: dict
    rates: dict
    score: float | None
    metrics: dict = dataclasses.field(default_factory=dict)
    status: str = "COMPLETED"
    epochs: int | None = None
    message: str = ""

    def __post_init__(self):
        for name in ("trial_id", "message"):
            if not isinstance(getattr(self, name), str):
                value = getattr(self, name)
                raise TypeError(validation.received(name, "a string", value))
        score, message = self.score, self.message
        if score is not None:
            score = _plain_number("score", score)
            if not math.isfinite(score):
                shown = "NaN" if math.isnan(score) else score
                message = message or f"The score was {shown}."
                score = None
        if self.epochs is not None:
            object.__setattr__(
                self, "epochs", validation.integer("epochs", self.epochs)
            )
        object.__setattr__(self, "score", score)
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "values", _plain_values(self.values))
        object.__setattr__(self, "rates", check_rates("rates", self.rates))
        object.__setattr__(self, "metrics", _plain_metrics(self.metrics))
        validation.choice("status", self.status, STATUSES)

    @property
    def completed(self):
        """Whether the trial ran to its end and has a finite score."""
        return self.status == "COMPLETED" and self.score is not None

    @property
    def failed(self):
        """Whether the trial is over without a score."""
        return not self.completed and self.status in ("COMPLETED", "FAILED", "INVALID")

    @property
    def reason(self):
        """In one line, why the trial failed. Of a traceback, the last line says so."""
        lines = [line.strip() for line in self.message.splitlines() if line.strip()]
        return lines[-1] if lines else "It left no message."


def check_rates(name, rates):
    """A copy of a dict from layer paths to rates, as floats.

    Raises:
        TypeError: If it is no such dict.
        ValueError: If a rate is not in [0, 1].
    """
    rates = _dict_by_name(name, rates, "from layer paths to rates")
    return {path: validation.number(name, rate, 0, 1) for path, rate in rates.items()}


def _plain_values(values):
    values = _dict_by_name("values", values, "from hyperparameters to values")
    plain = {}
    for name, value in values.items():
        value = value.item() if isinstance(value, np.generic) else value
        if not isinstance(value, (bool, int, float, str)):
            expected = "a dict from hyperparameters to numbers, strings or bools"
            raise TypeError(validation.received("values", expected, {name: value}))
        if isinstance(value, float):
            validation.number("values", value)
        plain[name] = value
    return plain


def _plain_metrics(metrics):
    metrics = _dict_by_name("metrics", metrics, "from metrics to numbers")
    plain = {}
    for name, value in metrics.items():
        number = None if value is None else _plain_number("metrics", value)
        plain[name] = number if number is not None and math.isfinite(number) else None
    return plain


def _plain_number(name, value):
    """`value` as a float, which may be NaN: a training can diverge."""
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(validation.received(name, "a number or None", value)) from None


def _dict_by_name(name, value, what):
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise TypeError(validation.received(name, f"a dict {what}", value))
    return dict(value)
