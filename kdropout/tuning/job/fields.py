"""Types of the values of a job's keys: mappings, paths, sizes and names."""

import functools
import itertools
import math
import operator
import os
import pathlib
import re
import typing
from collections.abc import Mapping
from typing import Annotated, Any

import keras
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from kdropout._validation import nearest, shorten
from kdropout.tuning.job.errors import dotted
from kdropout.tuning.job.references import (
    importable_name,
    is_callable_text,
    is_reference,
    reference_text,
)
from kdropout.tuning.ray_arguments import checked_address, checked_gpus

# Larger data do not fit into the memory of most machines, and need a function that
# returns a dataset.
MOST_BYTES = 4 * 2**30


class Settings(BaseModel):
    """A mapping of the job with strict types, which rejects unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


def invalid(message, *key):
    """Return the error of a check, at `key` below the checked value."""
    return invalid_parts([(key, message)])


def invalid_parts(problems):
    """Return an error from pairs of a key below the value (a tuple) and a message."""
    text = "; ".join(
        f"{dotted(key)}: {message}" if key else message for key, message in problems
    )
    return PydanticCustomError("invalid", "{text}", {"text": text, "parts": problems})


def one_of(key, kinds, choose, example):
    """Return the type of the value of `key`, which is one of several kinds of settings.

    `choose` returns a name in `kinds` for a mapping, or raises. If the value is not a
    mapping, the message shows `example`.
    """

    def read(value):
        if isinstance(value, Settings):
            return value
        if not isinstance(value, dict):
            raise invalid(
                f"must be a mapping. Received: {shorten(value)}. Write one such as "
                f"{example}"
            )
        kind = kinds[choose(value)]
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            raise invalid_parts(problems_of(error, kind, key)) from None

    union = functools.reduce(operator.or_, kinds.values())
    return Annotated[union, BeforeValidator(read)]


def choose_by_key(kinds, others, way_out=""):
    """Return a function that chooses by the single key of `kinds` in a mapping.

    `others` are the other keys that a mapping may have. `way_out` is the end of the
    message for a mapping without a key of `kinds`.
    """

    def choose(value):
        given = [name for name in kinds if name in value]
        names = ", ".join(map(repr, kinds))
        if len(given) == 1:
            return given[0]
        if given:
            raise invalid(
                f"must have only one of the keys {names}. Received: "
                f"{', '.join(map(shorten, given))}"
            )
        # The first unknown key is probably one of these, but misspelt.
        unknown = [key for key in value if key not in others]
        hint = nearest(unknown[0], kinds) if unknown else ""
        raise invalid(
            f"must have one of the keys {names}. Received: "
            f"{', '.join(map(shorten, value)) or 'none'}.{hint or way_out}"
        )

    return choose


def choose_by_value(kinds, key, default=None):
    """Return a function that chooses by the value of `key`."""

    def choose(value):
        name = value.get(key, default)
        if not isinstance(name, str) or name not in kinds:
            raise invalid(
                f"must be one of {', '.join(map(repr, kinds))}. Received: "
                f"{shorten(name)}.{nearest(name, kinds)}",
                key,
            )
        return name

    return choose


def other_keys(kinds, chosen_by):
    """Return the set of all keys of some settings, except those in `chosen_by`."""
    fields = {name for kind in kinds.values() for name in kind.model_fields}
    return fields - {*chosen_by}


# From pydantic's types of errors to messages, with fields of the error's context.
_EXPECTED = {
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of 'key: value'",
    "model_type": "must be a mapping of 'key: value'",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have a length of at most {max_length}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have no more than {max_length} entries",
}


def problems_of(error, kind, *outer):
    """Return the key and message of each error of the mapping at the key `outer`."""
    return [
        ((*detail["loc"], *key), message)
        for detail in error.errors(include_url=False)
        for key, message in _messages(detail, kind, outer)
    ]


def _messages(detail, kind, outer):
    """Keys below the place of an error of pydantic, and messages."""
    location, context = detail["loc"], detail.get("ctx", {})
    error, value = detail["type"], detail["input"]
    if error == "invalid":
        return context["parts"]
    if error == "missing":
        return [((), "is required.")]
    if error == "extra_forbidden":
        return [((), _unknown_key(location, kind, outer))]
    # Pydantic counts only valid entries. The invalid ones have errors of their kind.
    if error == "too_short" and len(value) >= context["min_length"]:
        return []
    expected = _EXPECTED.get(error, detail["msg"]).format(**context)
    message = f"{expected}. Received: {shorten(value)}"
    if error == "literal_error":
        hint = nearest(value, _options(_annotation_at(location, kind)))
        if hint:
            message = f"{message}.{hint}"
    return [((), message)]


def _unknown_key(location, kind, outer):
    *inner, key = location
    names = list(_annotation_at(inner, kind).model_fields)
    section = dotted((*outer, *inner))
    where = f" of '{section}'" if section else ""
    return (
        f"is not a known key{where}.{nearest(key, names)} The keys are: "
        f"{', '.join(names)}"
    )


def _annotation_at(location, kind):
    """The annotation of a key in the schema."""
    for part in location:
        if part in getattr(kind, "model_fields", ()):
            kind = kind.model_fields[part].annotation
    return kind


def _options(annotation):
    """The values of a `Literal`, which may be inside of a union."""
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    inner = map(_options, typing.get_args(annotation))
    return tuple(itertools.chain.from_iterable(inner))


def _check_path(value):
    problem = _problem_with_path(value)
    if problem is not None:
        raise invalid(f"must be a path. Received: {shorten(value)}, {problem}.")
    return value


def _problem_with_path(text):
    """The problem with the text of a path, or None. The file need not exist."""
    if "\0" in text:
        return "which contains the character NUL"
    try:
        path = pathlib.Path(text).expanduser()
    except RuntimeError:
        return f"but there is no user '{pathlib.Path(text).parts[0][1:]}'"
    if max(map(len, map(os.fsencode, path.parts)), default=0) > _LONGEST_NAME:
        return f"of which a part is longer than {_LONGEST_NAME} bytes"
    return None


# The longest name of a file or folder that file systems allow, in bytes.
_LONGEST_NAME = 255

PathText = Annotated[str, Field(min_length=1), AfterValidator(_check_path)]


class PartFiles(Settings):
    """The files of the parts of the data."""

    train: PathText
    validation: PathText | None = None
    test: PathText | None = None


def _read_files(value):
    if isinstance(value, PartFiles):
        return value
    if isinstance(value, dict):
        try:
            return PartFiles.model_validate(value)
        except ValidationError as error:
            raise invalid_parts(problems_of(error, PartFiles)) from None
    if not isinstance(value, str) or not value:
        raise invalid(
            "must be a path, or a mapping such as {train: a.csv, validation: b.csv}. "
            f"Received: {shorten(value)}"
        )
    return _check_path(value)


# A file, or one for each part of the data.
Files = Annotated[
    str | PartFiles,
    BeforeValidator(_read_files),
    Field(json_schema_extra={"kind": "path, or {train: path, validation: path, ...}"}),
]


def _read_names(value):
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names:
        raise invalid(f"must be a name, or a list of names. Received: {shorten(value)}")
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise invalid(f"must be a text. Received: {shorten(name)}", index)
    return tuple(dict.fromkeys(names))


# Names of columns, which may be written as one text.
Names = Annotated[tuple[str, ...], BeforeValidator(_read_names)]


def _read_image_size(value):
    sides = value if isinstance(value, (list, tuple)) else [value, value]
    if len(sides) != 2 or not all(_is_side(side) for side in sides):
        raise invalid(
            "must be the number of pixels of both sides, or [height, width]: integers "
            f"from 1 to {_LARGEST_SIDE}. Received: {shorten(value)}"
        )
    return tuple(sides)


def _is_side(value):
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return is_integer and 1 <= value <= _LARGEST_SIDE


_LARGEST_SIDE = 10_000

ImageSize = Annotated[
    tuple[int, int],
    BeforeValidator(_read_image_size),
    Field(json_schema_extra={"kind": "integer, or [height, width]"}),
]


def label_text(value):
    """The text by which a job names a class."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _read_class_weight(value):
    if isinstance(value, str) and value == "balanced":
        return value
    if not isinstance(value, Mapping) or not value:
        hint = nearest(value, ("balanced",)) if isinstance(value, str) else ""
        raise invalid(
            "must be 'balanced', or a mapping from label to weight such as {no: 1, "
            f"yes: 5}}. Received: {shorten(value)}.{hint}"
        )
    weights = {label_text(label): weight for label, weight in value.items()}
    problems = [
        (
            (label,),
            f"must be a finite number of at least 0. Received: {shorten(weight)}",
        )
        for label, weight in weights.items()
        if isinstance(weight, bool)
        or not isinstance(weight, (int, float))
        or not 0.0 <= weight < math.inf
    ]
    if problems:
        raise invalid_parts(problems)
    return {label: float(weight) for label, weight in weights.items()}


ClassWeight = Annotated[
    str | dict[str, float],
    BeforeValidator(_read_class_weight),
    Field(json_schema_extra={"kind": "`balanced`, or {label: weight, ...}"}),
]


def _check_size(value: Any):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid(f"{_SIZE} Received: {shorten(value)}")
    share = isinstance(value, float) and 0.0 < value < 1.0
    if not share and not (isinstance(value, int) and 1 <= value < 2**31):
        raise invalid(f"{_SIZE} Received: {shorten(value)}")
    return value


_SIZE = "must be a number of samples, at least 1, or a share between 0 and 1."

# A share of the samples, or a number of them.
Size = Annotated[
    Any,
    AfterValidator(_check_size),
    Field(json_schema_extra={"kind": "number of samples, or share in (0, 1)"}),
]

# A count. A larger number is a typing error and would overflow elsewhere.
Count = Annotated[int, Field(ge=1, lt=2**31)]

# The size of a layer. A larger layer does not fit into memory.
Width = Annotated[int, Field(ge=1, le=1_000_000)]

# Lists of YAML become tuples, so that they cannot be changed.
Widths = Annotated[tuple[Width, ...], Field(strict=False, min_length=1)]

Seed = Annotated[int, Field(ge=0, lt=2**31)]

Rate = Annotated[float, Field(ge=0.0, le=1.0)]


def _checked_by(check):
    """A validator that calls the check of an argument of Python."""

    def validate(value):
        try:
            return check(value)
        except (TypeError, ValueError) as error:
            raise invalid(error.problem) from None

    return AfterValidator(validate)


# The arguments of the tuners about workers on Ray.
RayAddress = Annotated[str, _checked_by(checked_address)]
Gpus = Annotated[float, Field(ge=0), _checked_by(checked_gpus)]


def _read_reference(value):
    if isinstance(value, keras.Model):
        raise invalid(
            f"must be a function that returns a model. Received: {shorten(value)}. "
            "Return a new model each time, or save the model and use 'file'."
        )
    if callable(value):
        # A function that can be imported is the same as its name.
        return importable_name(value) or value
    if not isinstance(value, str):
        raise invalid(
            "must be a text such as 'my_models:build', or in Python a function. "
            f"Received: {shorten(value)}"
        )
    if not is_reference(value) and not is_callable_text(value):
        raise invalid(
            "must be 'module:function', such as 'my_models:build'. Received: "
            f"{shorten(value)}"
        )
    return value


# The text module:function, or a function that cannot be imported.
Reference = Annotated[
    Any,
    BeforeValidator(_read_reference),
    PlainSerializer(reference_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string"}),
]


# The form in which Keras writes an object with arguments.
_FORM = ("class_name", "config")


def make_optimizer(value):
    """Make an optimizer from its name, or from a dict with its name and arguments."""
    if isinstance(value, dict) and "class_name" in value:
        return _make_object("an optimizer", _with_schedule(value), _OPTIMIZERS)
    settings = {"name": value} if isinstance(value, str) else value
    if not isinstance(settings, dict) or not isinstance(settings.get("name"), str):
        raise invalid(
            "must be the name of an optimizer, or a mapping such as {name: adam, "
            f"learning_rate: 0.001}}. Received: {value!r}"
        )
    arguments = dict(settings)
    name = arguments.pop("name")
    optimizer = _OPTIMIZERS.get(name) or _OPTIMIZERS.get(name.lower())
    if optimizer is None:
        raise _unknown("an optimizer", name, _OPTIMIZERS)
    return with_arguments(optimizer, name, arguments)


def _with_schedule(value):
    """Replace a mapping at `config.learning_rate` by the schedule that it describes."""
    config = value.get("config")
    rate = config.get("learning_rate") if isinstance(config, dict) else None
    if not isinstance(rate, dict):
        return value
    schedule = _make_object("a schedule", rate, _SCHEDULES, "config", "learning_rate")
    return {**value, "config": {**config, "learning_rate": schedule}}


def make_loss(value):
    """Return a loss for `compile`: a name, or an object for a class and arguments."""
    if isinstance(value, str):
        return value
    return _make_object("a loss", value, _LOSSES)


def make_metric(value):
    """Return a metric for `compile`: a name, or an object for a class and arguments."""
    if isinstance(value, str):
        return value
    return _make_object("a metric", value, _METRICS)


def _make_object(what, value, classes, *outer):
    """Make an object of Keras from a dict with `class_name` and `config`."""
    kind, name, config = class_and_config(what, value, classes, *outer)
    return with_arguments(kind, name, config, *outer, "config")


def class_and_config(what, value, classes, *outer):
    """Return class, name and arguments of a dict with `class_name` and `config`.

    `outer` is the key of the dict within the checked value.
    """
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
        raise invalid(
            f"must be the name of {what}, or a mapping such as {{class_name: "
            f"{_EXAMPLES[what]}}}. Received: {shorten(value)}",
            *outer,
        )
    for key in value:
        if key not in _FORM:
            raise invalid(
                f"is not a known key.{nearest(key, _FORM)} The keys are: "
                f"{', '.join(_FORM)}. Put the arguments into 'config'.",
                *outer,
                key,
            )
    name, config = value["class_name"], value.get("config", {})
    if not isinstance(config, dict):
        raise invalid(
            f"must be a mapping. Received: {shorten(config)}", *outer, "config"
        )
    kind = classes.get(name) or classes.get(name.lower().replace("_", ""))
    if kind is None:
        raise _unknown(what, name, classes, *outer, "class_name")
    return kind, name, config


def with_arguments(kind, name, arguments, *key):
    """Make an object, or raise the error of its arguments at a key."""
    try:
        return kind(**arguments)
    except Exception as error:  # from the check of any argument
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise invalid(
            f"has arguments that '{name}' does not accept: {reason}. Received: "
            f"{arguments!r}",
            *key,
        ) from None


_EXAMPLES = {
    "an optimizer": "Adam, config: {learning_rate: 0.001}",
    "a loss": "BinaryFocalCrossentropy, config: {gamma: 2.0}",
    "a metric": "AUC, config: {curve: PR, name: auc_pr}",
    "a callback": "EarlyStopping, config: {monitor: val_loss, patience: 5}",
    "a schedule": "CosineDecay, config: {initial_learning_rate: 0.01, ...}",
}


def _check_optimizer(value):
    if value is not None:
        make_optimizer(value)
    return value


def _check_loss(value):
    if not isinstance(value, str):
        make_loss(value)
        return value
    try:
        keras.losses.get(value)
    except ValueError:
        names = _functions(keras.losses, keras.losses.Loss)
        raise _unknown("a loss", value, names) from None
    return value


def _check_metric(value):
    if not isinstance(value, str):
        make_metric(value)
        return value
    if value in ("accuracy", "acc", "crossentropy", "ce"):  # `compile` knows these
        return value
    try:
        keras.metrics.get(value)
    except ValueError:
        names = {"accuracy", *_functions(keras.metrics, keras.metrics.Metric)}
        raise _unknown("a metric", value, names) from None
    except TypeError as error:  # a metric with required arguments
        raise invalid(
            f"needs arguments, so its name is not enough: {error}. Write {{class_name: "
            f"{value}, config: {{...}}}}"
        ) from None
    return value


def _check_activation(name):
    names = _functions(keras.activations, ())
    if name not in names:
        raise _unknown("an activation", name, names)
    return name


def _unknown(what, name, names, *key):
    hint = nearest(name, names) or f" The names are: {', '.join(sorted(names))}"
    origin = "Keras or kdropout" if what == "a callback" else "Keras"
    return invalid(f"must be {what} of {origin}. Received: {name!r}.{hint}", *key)


def classes_in(module, base):
    """Dict from names, as written and in lower case, to subclasses of `base`."""
    classes = {}
    for name, value in vars(module).items():
        if isinstance(value, type) and issubclass(value, base) and value is not base:
            classes[name] = classes[name.lower()] = value
    return classes


_OPTIMIZERS = classes_in(keras.optimizers, keras.optimizers.Optimizer)
_SCHEDULES = classes_in(
    keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule
)
_LOSSES = classes_in(keras.losses, keras.losses.Loss)
_METRICS = classes_in(keras.metrics, keras.metrics.Metric)


def _functions(module, base):
    """The names of functions and of subclasses of `base` in snake case."""
    names = set()
    for name, value in vars(module).items():
        if isinstance(value, type):
            if issubclass(value, base):
                names.add(_snake_case(name))
        elif callable(value) and not name.startswith("_"):
            names.add(name)
    return names - {"get", "serialize", "deserialize", "loss", "metric"}


def _snake_case(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


# A name of Keras, or a mapping of the name and arguments.
OptimizerName = Annotated[
    Any,
    AfterValidator(_check_optimizer),
    Field(json_schema_extra={"kind": "text, or {name: text, learning_rate: ...}"}),
]
LossName = Annotated[
    Any,
    AfterValidator(_check_loss),
    Field(json_schema_extra={"kind": "text, or {class_name: text, config: {...}}"}),
]
MetricName = Annotated[
    Any,
    AfterValidator(_check_metric),
    Field(json_schema_extra={"kind": "text, or {class_name: text, config: {...}}"}),
]
ActivationName = Annotated[str, AfterValidator(_check_activation)]
