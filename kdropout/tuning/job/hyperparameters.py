"""The numbers of a job that are searched together with the rates."""

import functools
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError, model_validator
from pydantic_core import PydanticCustomError

from kdropout._validation import nearest, shorten
from kdropout.tuning.job.fields import (
    Settings,
    invalid,
    invalid_parts,
    make_optimizer,
    problems_of,
)

# Keys that can be searched, and the beginnings of such keys.
BATCH_SIZE = "training.batch_size"
_OPTIMIZER = "model.optimizer."
_KEYS = (
    "model.optimizer.learning_rate",
    "model.optimizer.weight_decay",
    "model.optimizer.momentum",
    "model.units",
    BATCH_SIZE,
)

# These numbers are compared by their ratio.
_LOG = ("learning_rate", "weight_decay")

_EXAMPLE = "such as [0.0001, 0.01], {low: 16, high: 128}, or {values: [32, 64]}"


class Choice(Settings):
    """The values of one key of the job that are searched."""

    low: float | int | None = None
    high: float | int | None = None
    sampling: Literal["linear", "log"] | None = None
    values: tuple[Any, ...] | None = None

    @model_validator(mode="after")
    def _check(self):
        bounds = (self.low, self.high)
        if (self.values is None) == (bounds == (None, None)):
            raise invalid(f"must have either 'low' and 'high', or 'values', {_EXAMPLE}")
        if self.values is not None:
            self._check_values()
        elif None in bounds:
            raise invalid("is required.", "low" if self.low is None else "high")
        elif not self.low < self.high:
            raise invalid(
                f"must be above low={self.low}. Received: {self.high}", "high"
            )
        elif self.sampling == "log" and self.low <= 0:
            raise invalid(
                f"must be above 0 with sampling: log. Received: {self.low}", "low"
            )
        return self

    def _check_values(self):
        if self.sampling is not None:
            raise invalid("must not be given with 'values'.", "sampling")
        texts = [json.dumps(value) for value in self.values]
        if len(set(texts)) < max(2, len(texts)):
            raise invalid(
                "must have at least two different entries. Received: "
                f"{shorten(list(self.values))}",
                "values",
            )

    @property
    def examples(self) -> tuple:
        """The values, or the two bounds, with which all others are valid."""
        return (self.low, self.high) if self.values is None else self.values

    def declare(self, hp, name, default):
        """Declare the hyperparameter to KerasTuner, and return its value."""
        if self.values is not None:
            texts = {self._text(value): value for value in self.values}
            default = self._text(default)
            default = default if default in texts else None
            return texts[hp.Choice(name, list(texts), ordered=False, default=default)]
        is_inside = isinstance(default, (int, float)) and (
            self.low <= default <= self.high
        )
        declare = hp.Int if self._is_integer else hp.Float
        return declare(
            name,
            self.low,
            self.high,
            sampling=self.sampling or "linear",
            default=default if is_inside else None,
        )

    @property
    def _is_integer(self):
        return isinstance(self.low, int) and isinstance(self.high, int)

    def _text(self, value):
        """A value that KerasTuner accepts: a number, or the text of anything else."""
        if all(type(value) in (int, float) for value in self.values):
            return value
        return value if isinstance(value, str) else json.dumps(value)


def read_hyperparameters(value):
    """Return a dict from the dotted key of a number to its `Choice`."""
    if not isinstance(value, Mapping):
        raise invalid(
            f"must be a mapping of 'key: values'. Received: {shorten(value)}. Write "
            "one such as {model.optimizer.learning_rate: [0.0001, 0.01]}"
        )
    choices, problems = {}, []
    for name, entry in value.items():
        try:
            choices[name] = _choice(name, entry)
        except ValidationError as error:
            problems += [
                ((name, *key), message) for key, message in problems_of(error, Choice)
            ]
        except PydanticCustomError as error:
            parts = (error.context or {})["parts"]
            problems += [((name, *key), message) for key, message in parts]
    if problems:
        raise invalid_parts(problems)
    return choices


def _choice(name, entry):
    if isinstance(entry, Choice):
        return entry
    _check_key(name)
    if isinstance(entry, (list, tuple)):
        is_pair = len(entry) == 2 and all(type(v) in (int, float) for v in entry)
        if not is_pair:
            raise invalid(
                f"must be a pair of numbers, or values {_EXAMPLE}. Received: "
                f"{shorten(list(entry))}. To choose from a list, write "
                "{values: [...]}."
            )
        entry = {"low": entry[0], "high": entry[1]}
    if not isinstance(entry, dict):
        raise invalid(
            f"must be a pair of numbers or a mapping, {_EXAMPLE}. Received: "
            f"{shorten(entry)}. To fix a value, set the key itself."
        )
    entry = dict(entry)
    if isinstance(entry.get("values"), list):
        entry["values"] = tuple(entry["values"])
    is_log = name.rpartition(".")[2] in _LOG and "values" not in entry
    if is_log and entry.get("sampling") is None:
        low = entry.get("low")
        if isinstance(low, (int, float)) and low > 0:
            entry["sampling"] = "log"
    return Choice.model_validate(entry)


def _check_key(name):
    if name == BATCH_SIZE or (isinstance(name, str) and name.startswith("model.")):
        return
    hint = nearest(name, _KEYS) if isinstance(name, str) else ""
    raise invalid(
        "is not a key that can be searched. Rates belong under 'space'. The others are "
        f"keys of 'model', and {BATCH_SIZE}.{hint}"
    )


def plain_hyperparameters(choices):
    """Return the choices as plain values, from which they can be read again."""
    return {
        name: {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in choice.model_dump(exclude_none=True).items()
        }
        for name, choice in choices.items()
    }


def with_values(settings, values):
    """Return the settings of a model with other values of dotted keys.

    Raises:
        ValidationError: If a value is not valid.
        ValueError: If a key does not fit the settings.
    """
    tree = settings.model_dump()
    for name, value in values.items():
        if name != BATCH_SIZE:
            _put(tree, name.split(".")[1:], value)
    return type(settings).model_validate(tree)


def _put(tree, names, value):
    *outer, last = names
    for name in outer:
        tree[name] = _mapping(name, tree.get(name))
        tree = tree[name]
        if "class_name" in tree and "config" not in names:
            tree["config"] = tree = dict(tree.get("config", {}))
    tree[last] = value


def _mapping(name, value):
    """A copy of the mapping at a key, for which a single name may stand."""
    if name == "loss":
        if value is None:
            raise ValueError("Set model.loss, so that its arguments are known.")
        return {"class_name": value} if isinstance(value, str) else dict(value)
    if name == "optimizer":
        value = "adam" if value is None else value
        return {"name": value} if isinstance(value, str) else dict(value)
    return {} if value is None else dict(value)


def of_optimizer(values):
    """Return the values that belong to the optimizer, by their names there."""
    return {
        name.removeprefix(_OPTIMIZER): value
        for name, value in values.items()
        if name.startswith(_OPTIMIZER)
    }


def default_of(name, settings, batch_size):
    """Return the value that a key has without a search, or None if it is not known."""
    if name == BATCH_SIZE:
        return batch_size
    if name.startswith(_OPTIMIZER) and settings.optimizer is None:
        return _adam_config().get(name.removeprefix(_OPTIMIZER))
    value = settings.model_dump()
    for part in name.split(".")[1:]:
        if not isinstance(value, dict):
            return None
        if part not in value and "config" in value:
            value = value["config"]
        value = value.get(part)
    return list(value) if isinstance(value, tuple) else value


@functools.lru_cache
def _adam_config():
    return make_optimizer("adam").get_config()


def set_in_optimizer(model, values):
    """Set numbers of the optimizer of a compiled model.

    Raises:
        ValueError: If the optimizer has no such number. The error has the attributes
            `name` and `problem`.
    """
    optimizer = model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    for name, value in values.items():
        config = optimizer.get_config()
        if name not in config:
            problem = (
                f"is not a number of the optimizer {type(optimizer).__name__} of the "
                f"model.{nearest(name, config)}"
            )
            raise NoSuchNumber(name, problem)
        if name == "learning_rate" and not isinstance(config[name], float):
            raise NoSuchNumber(
                name,
                "cannot be searched, because the model has a LearningRateSchedule. "
                "Give the function a parameter for it, and search "
                "model.arguments.<name>.",
            )
        setattr(optimizer, name, value)


class NoSuchNumber(ValueError):
    """Raised if an optimizer has no number of a name."""

    def __init__(self, name, problem):
        self.name, self.problem = name, problem
        super().__init__(f"{name} {problem}")
