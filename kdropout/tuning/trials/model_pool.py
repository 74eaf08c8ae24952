"""Compiled models that serve many trials."""

import collections

from keras import ops

from kdropout.layer_walk import walk
from kdropout.tuning.space.plan import plan_of

# Trials of a search mostly differ in rates alone; a search over other hyperparameters,
# too, comes back to few of their values. More models would only hold memory.
_SIZE = 4

# Initial states to keep of each: executions of a trial come in turn.
_STARTS = 8

# What Hyperband tells a trial: how long to train, not what.
_OF_THE_SEARCH = "tuner/"


class ModelPool:
    """Keeps compiled models by the hyperparameters that their graph depends on.

    A model is built once for each setting of the hyperparameters that are not rates,
    and each number of an execution. A trial that differs in rates alone gets the same
    object, with all its variables as they were when it was new: weights, seeds, the
    state of the optimizer. What is compiled stays.

    Args:
        build: Function from the hyperparameters and the number of the execution, which
            decides the initial weights, to a new compiled model.
    """

    def __init__(self, build):
        self._build = build
        self._models = collections.OrderedDict()

    def get(self, hp, execution):
        """A `PooledModel` that is new to the bit, with the rates of `hp`.

        Args:
            hp: `keras_tuner.HyperParameters`.
            execution: Integer, the number of the execution.
        """
        pooled = self._find(hp.values)
        if pooled is None or not pooled.has_start(execution):
            fresh = self._build(hp, execution)
            if not _can_be_shared(fresh):
                return PooledModel(fresh)
            fresh.optimizer.build(fresh.trainable_variables)
            if pooled is None or not pooled.has_variables_of(fresh):
                pooled = PooledModel(fresh)
            pooled.keep_start(execution, fresh)
        pooled.begin(execution, hp.values)
        self._keep(pooled.key(hp.values), pooled)
        return pooled

    def _find(self, values):
        keys = (pooled.key(values) for pooled in self._models.values())
        return next((self._models[key] for key in keys if key in self._models), None)

    def _keep(self, key, pooled):
        self._models[key] = pooled
        self._models.move_to_end(key)
        while len(self._models) > _SIZE:
            self._models.popitem(last=False)


class PooledModel:
    """A compiled model, how it begins, and its compiled epochs once it has some."""

    def __init__(self, model):
        self.model = model
        self.epochs = None
        self._plan = plan_of(model)
        self._starts = {}  # by the number of the execution: the values of all variables

    def key(self, values):
        """The hyperparameters, out of `values`, that the graph depends on."""
        rates = self._plan.names if self._plan is not None else ()
        return tuple(
            sorted(
                (name, repr(value))
                for name, value in values.items()
                if name not in rates and not name.startswith(_OF_THE_SEARCH)
            )
        )

    def has_start(self, execution):
        return execution in self._starts

    def has_variables_of(self, other):
        """Whether the variables of two models correspond."""
        kinds = [list(map(_kind, all_variables(m))) for m in (self.model, other)]
        return kinds[0] == kinds[1]

    def keep_start(self, execution, fresh):
        """Keep the state of a new model as how the execution begins."""
        self._starts[execution] = [ops.copy(v) for v in all_variables(fresh)]
        while len(self._starts) > _STARTS:
            del self._starts[next(iter(self._starts))]

    def begin(self, execution, values):
        """Put the model back to where the execution begins, with the rates of now."""
        variables = all_variables(self.model)
        for variable, value in zip(variables, self._starts[execution], strict=True):
            variable.assign(ops.copy(value))  # JAX would take the very array
        if self._plan is not None:
            self._plan.assign(self.model, values)


def all_variables(model):
    """Everything that training moves, but for metrics: weights, seeds, optimizer."""
    return [*model.variables, *model.optimizer.variables]


def _kind(variable):
    return variable.path, tuple(variable.shape), variable.dtype


def _can_be_shared(model):
    """Whether all state of a model is in variables that can be put back."""
    if not model.built or model.optimizer is None:
        return False
    # Keras does not list the states of a recurrent layer among the variables.
    return not any(getattr(layer, "stateful", False) for _, layer in walk(model))
