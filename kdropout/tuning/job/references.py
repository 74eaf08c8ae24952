"""Functions that a job names as 'module:function'."""

import functools
import importlib
import inspect
import pathlib
import sys
import traceback

from kdropout.tuning.job.errors import InvalidSetting
from kdropout.validation import nearest


def find_reference(key, reference, folders):
    """The function that 'module:function' names.

    Modules are looked for where Python looks for them, then in `folders`.

    Args:
        key: Dotted key, for the messages.
        reference: String, 'module:function'.
        folders: Sequence of paths of folders, strings.

    Raises:
        InvalidSetting: If there is no such function.
    """
    module_name, _, attribute = reference.partition(":")
    # Last, so that no file there takes the place of a package. They stay: a module
    # may import its neighbours later.
    sys.path.extend(folder for folder in folders if folder not in sys.path)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise InvalidSetting(key, _raised("cannot be imported", error)) from error
        names = [path.stem for folder in folders for path in _modules(folder)]
        raise InvalidSetting(
            key,
            f"must name a module that can be imported. There is no '{error.name}', "
            f"neither installed nor in {' or '.join(folders)}."
            f"{nearest(error.name, names)}",
        ) from None
    except Exception as error:
        raise InvalidSetting(key, _raised("cannot be imported", error)) from error
    try:
        function = functools.reduce(getattr, attribute.split("."), module)
    except AttributeError:
        raise InvalidSetting(
            key,
            f"must name a function of '{module_name}', which has no '{attribute}'."
            f"{nearest(attribute, vars(module))}",
        ) from None
    if not callable(function):
        raise InvalidSetting(
            key, f"must name a function. '{reference}' is {function!r}."
        )
    return function


def call_reference(key, reference, arguments, folders, **offered):
    """Call the function that 'module:function' names.

    Args:
        key: Dotted key, for the messages.
        reference: String, 'module:function'.
        arguments: Dict of the job's arguments.
        folders: Sequence of paths of folders, strings, to look for modules in.
        **offered: Passed, too, where the function has a parameter of that name.

    Raises:
        InvalidSetting: If there is no such function, it does not take the arguments,
            or it raises.
    """
    function = find_reference(key, reference, folders)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin that does not tell
        signature = None
    if signature is not None:
        offered = {k: v for k, v in offered.items() if k in signature.parameters}
        arguments = {**offered, **arguments}
        try:
            signature.bind(**arguments)
        except TypeError as error:
            names = ", ".join(map(repr, signature.parameters)) or "none"
            holder = key.rpartition(".")[0]
            raise InvalidSetting(
                f"{holder}.arguments",
                f"do not fit '{reference}': {error}. It takes: {names}.",
            ) from None
    try:
        return function(**arguments)
    except Exception as error:
        raise InvalidSetting(key, _raised(f"'{reference}' fails", error)) from error


def _raised(what, error):
    """What happened, with the line of the user's code that did it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = ""
    if frames:
        where = f" ({pathlib.Path(frames[-1].filename).name}, line {frames[-1].lineno})"
    return f"{what}: {type(error).__name__}: {error}{where}"


def _modules(folder):
    return pathlib.Path(folder).glob("*.py")
