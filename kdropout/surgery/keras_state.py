"""Renews the caches of Keras when layers and models change."""

import contextlib
import gc

import keras
from keras import ops

from kdropout import _compat
from kdropout.inspection import walk


@contextlib.contextmanager
def unlocked(layer):
    """A context in which a built layer accepts new variables."""
    # Keras does the same for LoRA.
    locked = layer._tracker.locked
    layer._tracker.unlock()
    try:
        yield
    finally:
        if locked:
            layer._tracker.lock()


def strategy_scope(model):
    """A context in which new variables belong to the strategy that trains a model."""
    # If a variable were not mirrored, each replica of TensorFlow would change it: the
    # clock of a schedule would advance by two steps at a time.
    strategy = getattr(model, "distribute_strategy", None)
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def refresh(layers):
    """Make Keras see the current layers and variables of models and layers."""
    # The next `fit`, `evaluate` and `predict` are traced again. On PyTorch, a
    # `state_dict` then has the current variables, and not those from `build`.
    for layer in layers:
        if isinstance(layer, keras.Model):
            _renew_functions(layer)
        # A Sequential model has a Functional one inside, with a separate list.
        for tracker in (layer, getattr(layer, "_functional", None)):
            if hasattr(tracker, "_torch_params"):
                tracker._track_variables()


def _renew_functions(model):
    """Drop what Keras has compiled for a model."""
    # A `fit` that is running takes the function from the model in each step, so there
    # must be one. Making it is cheap: the next step traces it.
    if model.train_function is not None:
        model.train_function = None
        model.make_train_function()
        _compat.prepare_steps_of_jax(model)
    if model.test_function is not None:
        model.test_function = None
        model.make_test_function()
    if model.predict_function is not None:
        model.predict_function = None
        model.make_predict_function()


def models_that_trained(layers):
    """The models in memory that hold one of `layers` and may have been trained."""
    # A compiled training step keeps the dropout layers with which it was compiled. It
    # may belong to a model around the one that changes now.
    if not any(_may_have_trained(layer) for layer in layers):
        return []
    return models_around(layers)


def models_around(layers):
    """The models in memory that hold one of `layers`."""
    wanted = {id(layer) for layer in layers}
    return [
        model
        for model in _in_memory(keras.Model)
        if any(id(layer) in wanted for _, layer in walk(model))
    ]


def _in_memory(kind):
    """The objects of a class that Python's garbage collector knows."""
    return [
        candidate for candidate in gc.get_objects() if issubclass(type(candidate), kind)
    ]


def _may_have_trained(layer):
    """Return whether a layer has drawn numbers, or does not show if it has."""
    generator = getattr(layer, "seed_generator", None)
    if generator is None:
        return True
    return bool(ops.not_equal(generator.state[1], 0))


def built_optimizers():
    """The built optimizers in memory, without those inside another one."""
    optimizers = [
        optimizer
        for optimizer in _in_memory(keras.optimizers.Optimizer)
        if getattr(optimizer, "built", False)
    ]
    inner = {id(part) for optimizer in optimizers for part in _inner(optimizer)}
    return [optimizer for optimizer in optimizers if id(optimizer) not in inner]


def variables_of(optimizer):
    """The variables that a built optimizer trains."""
    # The `LossScaleOptimizer` of some versions leaves them to the optimizer inside.
    own = list(optimizer._trainable_variables)
    return own or [
        variable for inner in _inner(optimizer) for variable in variables_of(inner)
    ]


class OptimizerState:
    """Gives a built optimizer other variables to train, in place.

    Keras builds an optimizer once. Another variable would be an error ("Unknown
    variable", or on JAX another number of variables). This class builds it again, with
    its state for each variable that stays. State is a list with an entry for each
    trained variable, such as the momentums of Adam, or a scalar, such as the scale of a
    `LossScaleOptimizer`.

    Raises:
        ValueError: If the optimizer has other state, or cannot be made again from its
            configuration.
    """

    def __init__(self, optimizer):
        self._optimizer = optimizer
        self._inner = [OptimizerState(inner) for inner in _inner(optimizer)]
        self._trained = variables_of(optimizer)
        self._attributes = dict(vars(optimizer))
        self._tracked = list(optimizer._variables)
        self._slots = {
            name: list(value)
            for name, value in self._attributes.items()
            if name not in ("_variables", "_trainable_variables")
            and isinstance(value, list)
            and len(value) == len(self._trained)
            and all(slot is None or isinstance(slot, keras.Variable) for slot in value)
        }
        self._scalars = {
            name: value
            for name, value in self._attributes.items()
            if isinstance(value, keras.Variable)
        }
        # The variables that the constructor makes: the iterations, the learning rate.
        self._num_first = self._count_first()
        state = [*self._tracked[: self._num_first], *self._scalars.values()]
        state += [slot for slots in self._slots.values() for slot in slots]
        known = {id(variable) for variable in state}
        for inner in _inner(optimizer):
            known.update(map(id, inner.variables))
        if not known.issuperset(map(id, optimizer.variables)):
            raise self._error("whose state is not a list for each variable")

    def train(self, variables):
        """Build the optimizer for a list of variables."""
        optimizer = self._optimizer
        self._track(self._tracked[: self._num_first])
        optimizer._trainable_variables_indices = {}
        optimizer.built = False
        optimizer.build(list(variables))
        # After `build`, which may build the optimizer inside once more.
        for inner in self._inner:
            inner.train(variables)
        places = {id(variable): place for place, variable in enumerate(self._trained)}
        for name, scalar in self._scalars.items():
            _copy(scalar, getattr(optimizer, name))
        for name, slots in self._slots.items():
            for variable, slot in zip(variables, getattr(optimizer, name), strict=True):
                if id(variable) in places:
                    _copy(slots[places[id(variable)]], slot)

    def restore(self):
        """Take back `train`."""
        for inner in self._inner:
            inner.restore()
        vars(self._optimizer).update(self._attributes)
        self._track(self._tracked)

    def _track(self, variables):
        tracker = self._optimizer._tracker
        self._optimizer._variables[:] = variables
        tracker.stored_ids["variables"] = {id(variable) for variable in variables}

    def _count_first(self):
        optimizer = self._optimizer
        try:
            return len(type(optimizer).from_config(optimizer.get_config())._variables)
        except Exception as error:  # the code of a user's optimizer may raise any error
            raise self._error("which cannot be made from its configuration") from error

    def _error(self, what):
        return ValueError(
            "'rates' must keep the variables that are trained, or the optimizer must "
            f"take others. Received: optimizer '{self._optimizer.name}' of class "
            f"{type(self._optimizer).__name__}, {what}, and a LearnedRate to add or "
            "to replace. Compile the model again, with a new optimizer, before you "
            "call kdropout.set_rates."
        )


def _inner(optimizer):
    """The optimizers that an optimizer holds."""
    kind = keras.optimizers.Optimizer
    return [value for value in vars(optimizer).values() if isinstance(value, kind)]


def _copy(source, target):
    if source is not None and target is not None and source is not target:
        target.assign(ops.convert_to_tensor(source))
