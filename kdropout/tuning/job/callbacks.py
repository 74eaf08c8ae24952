"""The callbacks of a job: those it names, and those that its objective needs."""

import copy
import inspect
import warnings
from typing import Annotated, Any

import keras
import numpy as np
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from kdropout import callbacks
from kdropout._validation import nearest, shorten
from kdropout.callbacks import OverfittingGap, TensorBoardRates
from kdropout.callbacks.rate_scheduler import RateMover
from kdropout.inspection import settable_layers
from kdropout.tuning.job.errors import InvalidSetting, dotted
from kdropout.tuning.job.fields import (
    Reference,
    Settings,
    class_and_config,
    classes_in,
    invalid,
    invalid_parts,
    problems_of,
    with_arguments,
)
from kdropout.tuning.job.objective import LimitedMetric
from kdropout.tuning.job.references import call_reference
from kdropout.tuning.objectives import SummedMetrics
from kdropout.tuning.space.plan import plan_of

_KEY = ("training", "callbacks")

# kdropout keeps these results, so it needs no callback that writes them.
_WEIGHTS = (
    "would write to the same path in every training. kdropout keeps the weights of "
    "each trial, and --resume continues a search. Leave it out"
)
_LOGS = (
    "would write to the same path in every training. kdropout keeps the metrics of "
    "each epoch of each trial in the folder 'search', and writes the folder "
    "'tensorboard'. Leave it out"
)
_OWN = "is not needed, because kdropout records and shows each training. Leave it out"
_REFUSED = {
    "BackupAndRestore": _WEIGHTS,
    "ModelCheckpoint": _WEIGHTS,
    "OrbaxCheckpoint": _WEIGHTS,
    "CSVLogger": _LOGS,
    "TensorBoard": _LOGS,
    "TensorBoardRates": _LOGS,
    "History": _OWN,
    "ProgbarLogger": _OWN,
}

_WITH_FUNCTION = ("LambdaCallback", "LearningRateScheduler", "RateScheduler")

# A second one would change nothing, or act on the same number.
_ONLY_ONCE = ("OverfittingGap", "ReduceLROnPlateau", "SwapEMAWeights", "TerminateOnNaN")

# Arguments that the job knows.
_GIVEN = {
    "train_data": "is the training data of the job. Leave it out",
    "validation_freq": (
        "is 1, because a job with callbacks validates after each epoch. Leave it out"
    ),
}

_CLASSES = {
    name: kind
    for module in (keras.callbacks, callbacks)
    for name, kind in classes_in(module, keras.callbacks.Callback).items()
    if kind is not keras.callbacks.CallbackList
}

_BUILD = "{build: my_module:make_callback}"


# The key `training.callbacks`.


class BuildCallback(Settings):
    """A function that returns a callback."""

    build: Reference
    arguments: dict[str, Any] = {}


def _read_callbacks(value):
    """Return a tuple of mappings, which have all keys of one of the two forms."""
    if not isinstance(value, (list, tuple)):
        raise invalid(
            f"must be a list of callbacks. Received: {shorten(value)}. Write one such "
            "as [{class_name: ReduceLROnPlateau, config: {patience: 3}}]"
        )
    entries, problems = [], []
    for index, entry in enumerate(value):
        try:
            entries.append(_read_callback(entry))
            _refuse_second(entries)
        except PydanticCustomError as error:
            parts = error.context["parts"]
            problems += [((index, *key), message) for key, message in parts]
        except ValidationError as error:
            parts = problems_of(error, BuildCallback)
            problems += [((index, *key), message) for key, message in parts]
    if problems:
        raise invalid_parts(problems)
    return tuple(entries)


def _read_callback(entry):
    if isinstance(entry, dict) and "build" in entry:
        settings = BuildCallback.model_validate(entry).model_dump()
        _check_plain(settings["arguments"], "arguments")
        return settings
    if isinstance(entry, str):
        if ":" in entry:
            raise invalid(
                "must be the name of a callback, or a mapping. Received: "
                f"{shorten(entry)}. Write a function of yours as {{build: {entry}}}."
            )
        entry = {"class_name": entry}
    kind, _, config = class_and_config("a callback", entry, _CLASSES)
    name = kind.__name__
    _refuse(name, "class_name")
    if name in _WITH_FUNCTION:
        raise invalid(
            f"{name} needs a function, which YAML cannot contain. Write a function "
            f"that returns the callback, and name it as {_BUILD}.",
            "class_name",
        )
    _check_plain(config, "config")
    _check_arguments(kind, config)
    _make_of_class(kind, config)
    return {"class_name": name, "config": dict(config)}


def _refuse(name, *key):
    if name in _REFUSED:
        raise invalid(f"{name} {_REFUSED[name]}.", *key)


def _refuse_second(entries):
    *earlier, last = entries
    name = last.get("class_name")
    is_second = name in _ONLY_ONCE and any(
        entry.get("class_name") == name for entry in earlier
    )
    if last in earlier or is_second:
        shown = shorten(last["build"] if name is None else name)
        raise invalid(f"must be given once. Received: another {shown}. Remove it.")


def _check_plain(arguments, key):
    """Raise for a value that a file cannot contain, in a job made in Python."""
    for name, value in arguments.items():
        for leaf in keras.tree.flatten(value):
            if leaf is not None and not isinstance(leaf, (bool, int, float, str)):
                raise invalid(
                    "must be a number, a text, true, false, or a list or mapping of "
                    f"these. Received: {shorten(leaf)}. Write a function that returns "
                    f"the callback, and name it as {_BUILD}.",
                    key,
                    name,
                )


def _check_arguments(kind, config):
    """Raise for an argument that is not known, or whose type differs from the default.

    Keras finds neither before training. A class with `**kwargs` ignores names that it
    does not know.
    """
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    known = [name for name in parameters if name not in _GIVEN]
    for name, value in config.items():
        if name in parameters and name in _GIVEN:
            raise invalid(f"{_GIVEN[name]}.", "config", name)
        if name not in parameters:
            raise invalid(
                f"is not a known argument of {kind.__name__}."
                f"{nearest(name, known)} The arguments are: "
                f"{', '.join(known) or 'none'}",
                "config",
                name,
            )
        expected = _expected(name, parameters[name].default, value)
        if expected is not None:
            raise invalid(
                f"must be {expected}. Received: {shorten(value)}", "config", name
            )


# Arguments of integers, which Keras does not check.
_COUNTS = ("patience", "cooldown", "start_from_epoch")


def _expected(name, default, value):
    """Describe the values of an argument, or return None if this value is one."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name in _COUNTS:
        is_count = is_number and isinstance(value, int) and value >= 0
        return None if is_count else "an integer of at least 0"
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, (int, float)):
        return None if is_number else "a number"
    return None


def _make_of_class(kind, config, **given):
    """Make a callback of a class of Keras or kdropout."""
    if kind is OverfittingGap and not given:
        given = {"train_data": (np.zeros((1, 1)), np.zeros(1))}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Keras warns about a mode that it ignores
        return with_arguments(kind, kind.__name__, {**given, **config}, "config")


Callbacks = Annotated[
    tuple[dict[str, Any], ...],
    BeforeValidator(_read_callbacks),
    Field(
        json_schema_extra={
            "kind": "list of texts, {class_name: text, config: {...}}, or "
            "{build: module:function, arguments: {...}}"
        }
    ),
]


def has_class(entries, name):
    """Return True if an entry of `training.callbacks` names a class."""
    return any(entry.get("class_name") == name for entry in entries)


def problems_with_weights(job):
    """The problems with callbacks that restore other weights than those of the score.

    Returns:
        List of pairs of a key (a tuple) and a message.
    """
    scored = job.objective.name
    in_parts = job.search.algorithm in ("Hyperband", "SuccessiveHalving")
    problems = []
    for index, entry in enumerate(job.training.callbacks):
        config = entry.get("config", {})
        if not config.get("restore_best_weights"):
            continue
        monitor = config.get("monitor", "val_loss")
        if job.objective.scored_epoch == "last":
            reason = "objective.scored_epoch is last"
        elif in_parts:
            reason = f"{job.search.algorithm} continues trainings"
        elif monitor != scored:
            reason = f"the monitor is {monitor!r} and the objective is {scored!r}"
        else:
            continue
        key = (*_KEY, index, "config", "restore_best_weights")
        message = (
            "must not be true, because kdropout keeps the weights of the epoch that "
            f"is scored, and {reason}. Remove it."
        )
        problems.append((key, message))
    return problems


# Making the callbacks.


def make_callbacks(job, data):
    """Make the callbacks of a job, and those that its objective needs."""
    return _in_order(job, data, _make_named(job, data))


def _in_order(job, data, named):
    """All callbacks, with those that write logs before those that read them."""
    objective, training = job.objective, job.training
    made, direction = [], objective.resolved_direction
    if objective.needs_gap or has_class(training.callbacks, "OverfittingGap"):
        made.append(_make_gap(job, data))
    if objective.gap_limit is not None:
        made.append(LimitedMetric(objective.metric, objective.gap_limit, direction))
    if objective.also:
        made.append(SummedMetrics(objective.for_tuner))
    made += [callback for _, callback in named]
    if training.early_stopping is not None:
        made.append(
            keras.callbacks.EarlyStopping(
                objective.name, patience=training.early_stopping, mode=direction
            )
        )
    return made


def _make_gap(job, data):
    config = {"directions": job.objective.directions}
    for entry in job.training.callbacks:
        if entry.get("class_name") == "OverfittingGap":
            config.update(entry["config"])
    return OverfittingGap(data.training, **config)


def _make_named(job, data):
    """The callbacks that the job names, except the gap, with the index of each."""
    made = []
    for index, entry in enumerate(job.training.callbacks):
        name = entry.get("class_name")
        if name == "OverfittingGap":
            continue
        if name is not None:
            made.append((index, _make_of_class(_CLASSES[name], entry["config"])))
            continue
        key = dotted((*_KEY, index, "build"))
        callback = call_reference(
            key,
            entry["build"],
            entry["arguments"],
            job.folders,
            data=data.description,
        )
        if not isinstance(callback, keras.callbacks.Callback):
            raise InvalidSetting(
                key,
                "must return a keras.callbacks.Callback. Received: "
                f"{shorten(callback)} of '{entry['build']}'.",
            )
        made.append((index, callback))
    return made


def references_of(job):
    """Return the functions of `training.callbacks`, as module:function."""
    entries = job.training.callbacks
    return [entry["build"] for entry in entries if "build" in entry]


# The checks with a model, before anything is trained.


def check_callbacks(job, data, model, logged):
    """Make the callbacks of a job, and check that they can act on its model.

    Args:
        job: `kdropout.tuning.job.Job`.
        data: `kdropout.tuning.job.Data`.
        model: Model with the rates of a trial, after an evaluation.
        logged: Dict from the names that the model logs to values.

    Returns:
        List of `keras.callbacks.Callback`.

    Raises:
        InvalidSetting: If a callback cannot be used.
    """
    named = _make_named(job, data)
    _check_kinds(job, named)
    names = _names_of_logs(job, logged)
    for index, callback in named:
        key = dotted((*_KEY, index))
        is_of_user = "build" in job.training.callbacks[index]
        if names is not None:
            _check_monitor(job, key, callback, names, index)
            if is_of_user:  # it may log other names
                names = None
            elif isinstance(callback, keras.callbacks.ReduceLROnPlateau):
                names = [*names, "learning_rate"]
        _check_direction(key, callback, model, logged)
        _check_optimizer(key, callback, model)
        _check_moved(key, callback, model)
        _check_copies(key, callback)
    return _in_order(job, data, named)


def check_can_be_sent(job, made, dumps):
    """Raise if a callback of the user cannot be sent to workers.

    Args:
        job: `kdropout.tuning.job.Job`.
        made: List of `keras.callbacks.Callback`.
        dumps: Function that pickles an object.

    Raises:
        InvalidSetting: If pickling fails.
    """
    if not references_of(job):
        return
    for callback in made:
        try:
            dumps(callback)
        except Exception as error:  # from any part of the callback
            raise InvalidSetting(
                dotted(_KEY),
                "must contain callbacks that can be sent to other processes. Received: "
                f"{type(callback).__name__}, which cannot be pickled "
                f"({type(error).__name__}). Open files and the like when a training "
                "begins, or set workers=1 and no ray_address.",
            ) from None


def _names_of_logs(job, logged):
    """The names that are logged before the callbacks of the job act."""
    objective, prefixes = job.objective, ["", "val_"]
    if objective.needs_gap or has_class(job.training.callbacks, "OverfittingGap"):
        prefixes += ["gap_", "naive_gap_", "clean_"]
    names = [f"{prefix}{name}" for prefix in prefixes for name in logged]
    if objective.gap_limit is not None:
        names.append(objective.first_name)
    if objective.also:
        names.append(objective.name)
    return names


def _check_kinds(job, named):
    """Raise for objects that the names of classes in the job do not show."""
    once = {name: getattr(keras.callbacks, name, OverfittingGap) for name in _ONLY_ONCE}
    for index, callback in named:
        if "build" not in job.training.callbacks[index]:
            continue
        key = dotted((*_KEY, index, "build"))
        for name, problem in _REFUSED.items():
            kind = TensorBoardRates
            if name != "TensorBoardRates":
                kind = getattr(keras.callbacks, name, None)
            if kind is not None and isinstance(callback, kind):
                raise InvalidSetting(key, f"{type(callback).__name__} {problem}.")
        if isinstance(callback, OverfittingGap):
            raise InvalidSetting(
                key,
                "must not return an OverfittingGap, because the job gives it the data "
                "and puts it first. Write the name OverfittingGap.",
            )
        for name, kind in once.items():
            others = [other for _, other in named if other is not callback]
            if isinstance(callback, kind) and any(isinstance(o, kind) for o in others):
                raise InvalidSetting(
                    key, f"must be given once. Received: another {name}. Remove it."
                )
        if job.training.early_stopping is not None and isinstance(
            callback, keras.callbacks.EarlyStopping
        ):
            raise InvalidSetting("training.early_stopping", STOPPED_TWICE)


STOPPED_TWICE = (
    "must not be given if 'callbacks' has an EarlyStopping. Remove one of the two."
)


def _check_monitor(job, key, callback, names, index):
    monitor = getattr(callback, "monitor", None)
    if not isinstance(monitor, str) or monitor in names:
        return
    if "config" in job.training.callbacks[index]:
        key = f"{key}.config.monitor"
    hint = nearest(monitor, names)
    if monitor.startswith(("gap_", "naive_gap_", "clean_")):
        hint = " The callback OverfittingGap logs it: add its name to the list."
    elif any("build" in entry for entry in job.training.callbacks[index + 1 :]):
        hint = f"{hint} A callback of yours that logs it must come before this one."
    raise InvalidSetting(
        key,
        f"must be a name in the logs. Received: {monitor!r}.{hint} The names are: "
        f"{', '.join(names)}",
    )


# Their first epoch of a training changes nothing.
_OF_MONITOR = (keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau)


def _check_direction(key, callback, model, logged):
    """Raise if Keras would find after the first epoch that it needs a direction."""
    if type(callback) not in _OF_MONITOR or callback.mode != "auto":
        return
    trial = copy.deepcopy(callback)
    trial.set_model(model)
    trial.on_train_begin()
    try:
        # The value does not matter.
        trial.on_epoch_end(0, {**logged, trial.monitor: logged["loss"]})
    except ValueError:
        raise InvalidSetting(
            key,
            "needs mode: min or mode: max, because Keras does not know whether a "
            f"lower {callback.monitor!r} is better. Add it to 'config'.",
        ) from None


# They set the learning rate, which a schedule of the optimizer would decide.
_OF_LEARNING_RATE = (
    keras.callbacks.ReduceLROnPlateau,
    keras.callbacks.LearningRateScheduler,
)


def _check_optimizer(key, callback, model):
    """Raise if the optimizer of the model is not one that a callback needs."""
    sets_rate = isinstance(callback, _OF_LEARNING_RATE)
    if not sets_rate and not isinstance(callback, keras.callbacks.SwapEMAWeights):
        return
    optimizer = model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    name, config = type(callback).__name__, optimizer.get_config()
    if sets_rate and isinstance(config.get("learning_rate"), dict):
        raise InvalidSetting(
            key,
            f"{name} needs a learning rate that is a number. Received: an optimizer "
            "with a schedule. Remove one of the two.",
        )
    if not sets_rate and not config.get("use_ema"):
        raise InvalidSetting(
            key,
            f"{name} needs an optimizer that averages its weights. Received: "
            f"{type(optimizer).__name__} with use_ema=False. Write one such as "
            "optimizer: {name: adam, use_ema: true}.",
        )


def _check_moved(key, callback, model):
    """Raise if a callback sets rates that the search sets."""
    if not isinstance(callback, RateMover):
        return
    try:
        moved = settable_layers(model, callback.layers)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(key, f"does not fit the model: {error}") from error
    plan = plan_of(model)
    chosen = {path for paths in plan.groups().values() for path in paths}
    searched = [path for path in plan.paths if path in moved and path in chosen]
    if searched:
        name = type(callback).__name__
        raise InvalidSetting(
            key,
            f"{name} must not set rates that are searched, because the trials would "
            f"be scored with other rates. Received: {', '.join(searched)}. Name other "
            "layers in its argument 'layers', or fix these rates in 'space'.",
        )


def _check_copies(key, callback):
    try:
        copy.deepcopy(callback)
    except Exception as error:  # from any part of the callback
        raise InvalidSetting(
            key,
            "must be a callback that can be copied, because each training gets a copy. "
            f"Received: {type(callback).__name__}, which copy.deepcopy cannot copy "
            f"({type(error).__name__}: {error}). Open files and the like in "
            "on_train_begin.",
        ) from None
