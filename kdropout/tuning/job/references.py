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
    """Return the function that 'module:function' names.

    Modules are looked for in Python's path first, and then in `folders`.
    """
    module_name, _, attribute = reference.partition(":")
    # Append the folders, so that their files do not hide packages. They stay in the
    # path, because a module may import its neighbours later.
    sys.path.extend(folder for folder in folders if folder not in sys.path)
    importlib.invalidate_caches()
    with blame_user_code(key, "cannot be imported"):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise  # the module imports another module that is missing
            names = [path.stem for folder in folders for path in _modules(folder)]
            raise InvalidSetting(
                key,
                "must name a module that can be imported. The module "
                f"'{error.name}' is neither installed nor in "
                f"{' or '.join(folders)}.{nearest(error.name, names)}",
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
            key,
            f"must name a function. Received: '{reference}', which is {function!r}.",
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
    """Convert anything that the user's code raises to an error of one key of the job.

    This includes errors that are not an `Exception`: a `sys.exit(0)` in a module would
    end the command as if it had succeeded. Only `KeyboardInterrupt` passes, because the
    user requests it.
    """
    try:
        yield
    except (InvalidSetting, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise InvalidSetting(key, _raised(what, error)) from error


@contextlib.contextmanager
def blame_exits(key):
    """Convert `sys.exit` and the like in user code to an error of one key of the job.

    An `Exception` passes, because it is the failure of a trial.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise InvalidSetting(key, _raised("ends the search", error)) from error


def is_installed(file):
    """Return True if a file belongs to Python or to an installed package."""
    file = pathlib.Path(file)
    paths = sysconfig.get_paths()
    return bool({"site-packages", "dist-packages"} & set(file.parts)) or any(
        file.is_relative_to(paths[name]) for name in ("stdlib", "platstdlib")
    )


def _raised(what, error):
    """Describe an error, with the line of the user's code that caused it."""
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
            ". Remove the call of sys.exit, or move it below "
            "'if __name__ == \"__main__\":'"
        )
    return text


def _modules(folder):
    return pathlib.Path(folder).glob("*.py")
