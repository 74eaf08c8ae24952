"""Functions that a job names as 'module:function'."""

import contextlib
import functools
import importlib
import inspect
import pathlib
import sys
import sysconfig
import traceback

from kdropout._validation import nearest
from kdropout.tuning.job.errors import InvalidSetting

# The folder of kdropout itself.
_PACKAGE = str(pathlib.Path(__file__).parents[2])


def find_reference(key, reference, folders):
    """The function that 'module:function' names.

    Modules are looked for where Python looks for them, then in `folders`.
    """
    module_name, _, attribute = reference.partition(":")
    # At the end, so that no file there hides a package. The folders stay in the path,
    # because a module may import its neighbours later.
    sys.path.extend(folder for folder in folders if folder not in sys.path)
    importlib.invalidate_caches()
    with blame_user_code(key, "cannot be imported"):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise  # a module that the module imports
            names = [path.stem for folder in folders for path in _modules(folder)]
            raise InvalidSetting(
                key,
                f"must name a module that can be imported. There is no '{error.name}', "
                f"neither installed nor in {' or '.join(folders)}."
                f"{nearest(error.name, names)}",
            ) from None
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
    """Call the function that 'module:function' names."""
    function = find_reference(key, reference, folders)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin without a signature
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
    with blame_user_code(key, f"'{reference}' fails"):
        return function(**arguments)


@contextlib.contextmanager
def blame_user_code(key, what):
    """Report anything that the user's code raises, as an error of one key of the job.

    This includes what is not an `Exception`: a `sys.exit(0)` in a module would end the
    command as if it had succeeded. Only an interrupt passes, because the user asked
    for it.
    """
    try:
        yield
    except (InvalidSetting, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise InvalidSetting(key, _raised(what, error)) from error


@contextlib.contextmanager
def blame_exits(key):
    """Report user code that ends the process during training.

    Anything else that it raises is the failure of a trial.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise InvalidSetting(key, _raised("ends the search", error)) from error


def is_installed(file):
    """Whether a file belongs to Python or to an installed package."""
    file = pathlib.Path(file)
    paths = sysconfig.get_paths()
    return bool({"site-packages", "dist-packages"} & set(file.parts)) or any(
        file.is_relative_to(paths[name]) for name in ("stdlib", "platstdlib")
    )


def _raised(what, error):
    """What happened, with the line of the user's code that did it."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", _PACKAGE))
    ]
    # If a library raised the error, the line that called the library is more useful.
    frames = [f for f in frames if not is_installed(f.filename)] or frames
    where = ""
    if frames:
        where = f" ({pathlib.Path(frames[-1].filename).name}, line {frames[-1].lineno})"
    text = f"{what}: {type(error).__name__}: {error}{where}"
    if isinstance(error, SystemExit):
        text += (
            ". Remove the call of sys.exit, or put it below "
            "'if __name__ == \"__main__\":'"
        )
    return text


def _modules(folder):
    return pathlib.Path(folder).glob("*.py")
