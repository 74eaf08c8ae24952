"""Functions of the user: those named 'module:function', and those given in Python."""

import contextlib
import functools
import importlib
import inspect
import pathlib
import re
import sys
import sysconfig
import traceback

from kdropout._validation import nearest
from kdropout.tuning.job.errors import InvalidSetting

# The folder of kdropout itself.
_PACKAGE = str(pathlib.Path(__file__).parents[2])


# The modules of a script or a notebook, which another process cannot import. Code that
# `exec` runs may have none.
MAIN = ("__main__", "__mp_main__", None)

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")

# The text that stands for a function in a file, if the function has no other name.
_CALLABLE = re.compile(r"<callable .*>", re.DOTALL)


def is_reference(text):
    """Return True if a text has the form 'module:function'."""
    return _REFERENCE.fullmatch(text) is not None


def is_callable_text(value):
    """Return True for the text that stands for a function that cannot be imported."""
    return isinstance(value, str) and _CALLABLE.fullmatch(value) is not None


def reference_text(value):
    """Return 'module:function' for a function, or a text that no job can load.

    >>> import functools, textwrap
    >>> from kdropout.tuning.job.references import reference_text
    >>> reference_text(textwrap.dedent)
    'textwrap:dedent'
    >>> reference_text(functools.partial(textwrap.fill, width=8))
    '<callable functools:partial>'
    """
    if isinstance(value, str):
        return value
    reference = importable_name(value)
    if reference is not None:
        return reference
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"<callable {named.__module__ or '__main__'}:{named.__qualname__}>"


def importable_name(function):
    """Return the 'module:function' that leads to a function, or None."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    reference = f"{module}:{name}"
    if module in MAIN or not is_reference(reference):
        return None
    try:
        found = functools.reduce(getattr, name.split("."), sys.modules[module])
    except (KeyError, AttributeError):
        return None
    return reference if found is function else None


def problem_of_callable(text):
    """Return the message for a job in a file whose function cannot be imported."""
    return (
        f"was a function in Python that cannot be imported: '{text}'. To resume, make "
        "the job in Python with this function, and call run_job(job, resume=True). "
        "For a job in a file, put the function into a module, and write "
        "module:function."
    )


def find_reference(key, reference, folders):
    """Return the function that 'module:function' names, or a function as it is.

    Modules are looked for in Python's path first, and then in `folders`.
    """
    if callable(reference):
        return reference
    if is_callable_text(reference):
        raise InvalidSetting(key, problem_of_callable(reference))
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
    """Call the function that 'module:function' names, or a function."""
    function = find_reference(key, reference, folders)
    name = reference_text(reference)
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
            takes = ", ".join(map(repr, signature.parameters)) or "none"
            holder = key.rpartition(".")[0]
            raise InvalidSetting(
                f"{holder}.arguments",
                f"do not fit '{name}': {error}. It takes: {takes}.",
            ) from None
    with blame_user_code(key, f"'{name}' fails"):
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
