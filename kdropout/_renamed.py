"""Arguments that version 0.1 called by other names, which work for one release."""

import functools
import inspect
import warnings

from kdropout import _validation


def renamed(names):
    """A class decorator: arguments and attributes also go by their old names.

    Args:
        names: Dict from each old name to the new one.
    """

    def decorate(cls):
        init = cls.__init__
        positions = list(inspect.signature(init).parameters)[1:]  # without self

        @functools.wraps(init)
        def __init__(self, *args, **kwargs):
            for old, new in names.items():
                if old not in kwargs:
                    continue
                if new in kwargs or positions.index(new) < len(args):
                    problem = both_given(old, new)
                    raise _validation.argument_error(ValueError, old, problem)
                what = f"the argument '{old}' of {cls.__name__}"
                warn_about_name(what, new, stacklevel=3)
                kwargs[new] = kwargs.pop(old)
            init(self, *args, **kwargs)

        cls.__init__ = __init__
        for old, new in names.items():
            setattr(cls, old, _alias(cls, old, new))
        return cls

    return decorate


def _alias(cls, old, new):
    def get(self):
        what = f"the attribute '{old}' of {cls.__name__}"
        warn_about_name(what, new, stacklevel=3)
        return getattr(self, new)

    return property(get, doc=f"Deprecated name of `{new}`.")


def with_new_names(settings, names):
    """A dict of arguments, with the new names in place of the old ones of `names`."""
    return {names.get(name, name): value for name, value in settings.items()}


def both_given(old, new):
    """What is wrong with two names of one argument, and the way out."""
    return f"is the old name of '{new}'. Received: both. Leave '{old}' out."


def warn_about_name(what, new, stacklevel):
    """Warn the caller of the function `stacklevel` - 1 frames above."""
    warnings.warn(
        f"{what} is deprecated: its name is '{new}' now.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
