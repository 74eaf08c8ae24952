"""Keeps names of version 0.1 for one release, with a warning."""

import functools
import inspect
import warnings

from kdropout import _validation


def renamed(names):
    """Make a class decorator that accepts old names of arguments and attributes.

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
            what = f"the attribute '{old}' of {cls.__name__}"
            setattr(cls, old, Alias(new, _text(what, new)))
        return cls

    return decorate


class Alias:
    """An old name of an attribute. Reading it warns, and returns the attribute."""

    def __init__(self, attribute, message):
        self._attribute = attribute
        self._message = message

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        warnings.warn(self._message, DeprecationWarning, stacklevel=2)
        return getattr(instance, self._attribute)


def with_new_names(settings, names):
    """A dict of arguments, with the new names in place of the old ones of `names`."""
    return {names.get(name, name): value for name, value in settings.items()}


def both_given(old, new):
    """The message if an argument is given by both names."""
    return f"is the old name of '{new}'. Received: both. Leave '{old}' out."


def warn_about_name(what, new, stacklevel):
    """Warn the caller of the function `stacklevel` - 1 frames above."""
    warnings.warn(_text(what, new), DeprecationWarning, stacklevel=stacklevel)


def _text(what, new):
    return f"{what} is deprecated: its name is '{new}' now."
