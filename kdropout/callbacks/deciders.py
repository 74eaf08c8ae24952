"""Which callbacks move the rates of a model while it trains."""

import weakref

# Neither may keep the other alive: a callback holds its model.
_DECIDERS = weakref.WeakKeyDictionary()


def register(callback):
    """Note that `callback` moves rates of its model in the training that begins."""
    _DECIDERS.setdefault(callback.model, weakref.WeakSet()).add(callback)


def forget(model):
    """Forget those of an earlier training of `model`."""
    _DECIDERS.pop(model, None)


def deciders(model):
    """List of the callbacks that move rates of `model` in its present training."""
    return list(_DECIDERS.get(model, ()))
