"""Building the models of trials, and reusing compiled models for later trials."""

import contextlib
import gc
import math
import unittest.mock
import weakref

import keras
import keras_tuner
import numpy as np
from keras import ops

from kdropout.inspection import dropout_layers
from kdropout.tuning.epochs import is_built, is_on_one_device
from kdropout.tuning.oracles import values_of_user
from kdropout.tuning.snapshot import Snapshot
from kdropout.tuning.space.plan import plan_of

# The models that are kept may take this many bytes: their variables, the values with
# which these begin, and roughly 10 MB of compiled code for a model. TensorFlow does not
# return the memory of the code, so to keep fewer small models would save nothing.
_MEMORY = 2**30
_CODE = 10_000_000

# The number of initial states that are kept of each model, one per execution. It allows
# for a cross-validation.
_STARTS = 32

# A model that was only built to be compared takes memory until Python collects cycles.
# Collecting young objects is usually enough, see `_young_garbage_collected`. A full
# collection takes at least 0.1 s, so it only runs once this many bytes may be garbage.
_GARBAGE = 2**24


class ModelPool:
    """Keeps compiled models for later trials whose model compiles to the same.

    Each trial builds its model, which takes milliseconds. Compiling takes seconds, so a
    trial reuses the compiled model of an earlier trial, with the values of the new
    model. When they were new, the two models must have been equal except for the values
    of variables. Since then, only training may have changed the earlier model.
    """

    def __init__(self):
        self._models = []  # the most recently used model is the last
        # Bytes by model, of the models built since the last full collection.
        self._built = weakref.WeakKeyDictionary()

    def get(self, build, execution, values, may_share=True):
        """Return a `PooledModel` that equals the result of `build` to the bit."""
        if not may_share:
            return PooledModel(build())
        with _young_garbage_collected():
            pooled = self._get(build, execution, values)
        if sum(self._built.values()) > _GARBAGE:
            self._built.clear()
            gc.collect()
        return pooled

    def _get(self, build, execution, values):
        with contextlib.ExitStack() as stack:
            is_repeated = any(pooled.has_start(execution) for pooled in self._models)
            if is_repeated:
                stack.enter_context(_tensorflow_not_seeded())
            fresh = self._new(build, values)
        pooled = self._find(fresh)
        if is_repeated and not (pooled and pooled.begins_like(execution, fresh)):
            fresh = self._new(build, values)  # it may use random numbers of TensorFlow
            pooled = self._find(fresh)
        if not fresh.is_shared:
            return fresh
        pooled = pooled or fresh
        pooled.keep_start(execution, fresh)
        if pooled is fresh:
            pooled.add_optimizer_variables()
        else:
            pooled.become(fresh)
            self._models.remove(pooled)
        self._models.append(pooled)
        while len(self._models) > 1 and self._num_bytes() > _MEMORY:
            del self._models[0]
        return pooled

    def _new(self, build, values):
        fresh = PooledModel(build(), values)
        self._built[fresh.model] = fresh.num_bytes()
        return fresh

    def _find(self, fresh):
        for pooled in [pooled for pooled in self._models if pooled.equals(fresh)]:
            if pooled.is_as_prepared():
                return pooled
            self._models.remove(pooled)
        return None

    def _num_bytes(self):
        return sum(pooled.num_bytes_kept() for pooled in self._models)

    def __reduce__(self):
        return ModelPool, ()  # another process compiles models itself


class PooledModel:
    """A compiled model with its initial state and its compiled epochs.

    Without `values` (of the hyperparameters), other trials may not train it.
    """

    def __init__(self, model, values=None):
        self.model = model
        self.is_shared = values is not None and _can_be_shared(model)
        self.epochs = None
        self._is_closed = True
        self._built = self._prepared = None
        if self.is_shared:
            if not _is_of_keras(model.optimizer):  # it may draw initial values
                self._build_optimizer()
            plan = plan_of(model)
            self._values = _values_but_rates(values, plan)
            self._built = Snapshot(model, with_surroundings=bool(self._values))
            self._chosen = _rate_variables(model, plan) | _learning_rate(model)
        self._late = []  # variables that training creates, with their initial values
        self._starts = {}  # by the number of the execution: the values of variables

    def add_optimizer_variables(self):
        """Create the variables of the optimizer, if they do not exist.

        Only a model that trains needs them. To compare models they are not needed,
        because an optimizer of Keras always begins with the same values.
        """
        self._build_optimizer()
        self._keep_late(self.model.optimizer.variables)

    def _build_optimizer(self):
        if not self.model.optimizer.built:  # a custom optimizer may build twice
            self.model.optimizer.build(self.model.trainable_variables)

    def prepare(self):
        """Take a snapshot once Keras has created everything that a training needs."""
        if self.is_shared and self._prepared is None:
            self._prepared = Snapshot(self.model)
            self._keep_late(self._prepared.variables)

    def _keep_late(self, variables):
        late = [variable for variable, _ in self._late]
        known = {id(variable) for variable in [*self._built.variables, *late]}
        self._late += [(v, ops.copy(v)) for v in variables if id(v) not in known]

    def is_as_prepared(self):
        """Return True if only the values of variables have changed since `prepare`.

        A callback or a user may have frozen a layer, set an attribute or recompiled the
        model.
        """
        if self._prepared is None or not self._is_closed:
            return False
        if self.epochs is not None and not self.epochs.is_closed():
            return False
        now = Snapshot(self.model)
        return self._prepared.structure == now.structure and all(
            variable is other
            for variable, other in zip(
                self._prepared.variables, now.variables, strict=True
            )
        )

    def equals(self, fresh):
        """Return True if this model was equal to `fresh` when it was new.

        The values of variables and the live numbers do not count. If the models were
        built for other values of hyperparameters, these could also have changed what
        the code of the user reads.
        """
        return (
            fresh.is_shared
            and self._built.structure == fresh._built.structure
            and (
                self._values == fresh._values
                or self._built.surroundings == fresh._built.surroundings
            )
        )

    @property
    def live_places(self):
        """The places of the live numbers of the model."""
        return self._built.numbers if self.is_shared else []

    def has_start(self, execution):
        return execution in self._starts

    def begins_like(self, execution, fresh):
        """Return True if `fresh` starts like this execution.

        Rates and the learning rate, which a trial chooses, do not count.
        """
        return self.has_start(execution) and all(
            np.array_equal(ops.convert_to_numpy(value), start)
            for variable, start, value in zip(
                self._built.variables,
                self._starts[execution],
                fresh._built.variables,
                strict=True,
            )
            if id(variable) not in self._chosen
        )

    def keep_start(self, execution, fresh):
        """Keep the initial values of `fresh` as those of this execution."""
        if not self.has_start(execution):
            self._starts[execution] = [
                np.array(ops.convert_to_numpy(variable))
                for variable in fresh._built.variables
            ]
        while len(self._starts) > _STARTS:
            del self._starts[next(iter(self._starts))]

    def become(self, fresh):
        """Put the model in the state of `fresh`, a new model of the same structure.

        JAX takes over the arrays of `fresh`, so do not use `fresh` afterwards.
        """
        for layer in dropout_layers(self.model).values():
            layer._memory.clear()
        for variable, value in zip(
            self._built.variables, fresh._built.variables, strict=True
        ):
            variable.assign(value)
        for variable, value in self._late:
            variable.assign(ops.copy(value))  # JAX would take over the array itself
        for old, new in zip(self._built.live, fresh._built.live, strict=True):
            vars(old).update(Snapshot.plain_attributes(new))
        self._take_numbers(fresh._built.numbers)
        self.model.stop_training = False

    def _take_numbers(self, numbers):
        """Take over live numbers, which are constants of compiled steps of Keras."""
        for old, new in zip(self._built.numbers, numbers, strict=True):
            if old.value != new.value:
                old.put(new.value)
                self.model.train_function = None
                if old.is_in_loss:
                    self.model.test_function = None

    @contextlib.contextmanager
    def watching_global_random_numbers(self, seed):
        """Set all random states to `seed`, and note if Keras's global one is used.

        A compiled step of TensorFlow continues with the global generator that it was
        traced with, so a later training would not start like the first one.
        """
        is_at_risk = self.is_shared and keras.backend.backend() == "tensorflow"
        if is_at_risk:
            keras.utils.set_random_seed(seed)
            first = float(keras.random.uniform(()))
        keras.utils.set_random_seed(seed)
        yield
        if is_at_risk and float(keras.random.uniform(())) != first:
            self._is_closed = False

    def num_bytes_kept(self):
        """Return the approximate memory that the model takes while it is kept."""
        starts = sum(value.nbytes for start in self._starts.values() for value in start)
        return self.num_bytes() + starts + _CODE

    def num_bytes(self):
        """Return the approximate memory of the variables."""
        if not self.model.built:
            return 0
        return sum(4 * math.prod(v.shape) for v in all_variables(self.model))


def all_variables(model):
    """Return the variables that training changes: weights, seeds and optimizer."""
    optimizer = optimizer_of(model)
    return [*model.variables, *(optimizer.variables if optimizer else ())]


def optimizer_of(model):
    """Return the optimizer of a model, or None if it is not compiled."""
    return getattr(model, "optimizer", None)


def begin_anew():
    """Reset the numbers in the names of layers, as in a new process.

    Otherwise, the dropout layers of the second trial would have other names than those
    of the first, and therefore other hyperparameters. `keras.utils.clear_session` would
    also reset settings of the user: the dtype policy, the JAX distribution, the scope
    of custom objects and unsafe deserialization.
    """
    # Keras has no public way to do only this.
    from keras.src.utils.naming import reset_uids

    reset_uids()
    if keras.backend.backend() == "torch":
        import torch

        # Otherwise the compiled steps of earlier models count towards a limit above
        # which PyTorch stops compiling.
        torch.compiler.reset()


def fit_arguments_of(hypermodel, hp):
    """Return the arguments of `fit` that a hypermodel chooses for a trial, as a dict.

    KerasTuner has no such method. If a hypermodel has its own `fit` for this purpose,
    its trials cannot share a compiled model.
    """
    choose = getattr(hypermodel, "fit_arguments", None)
    return {} if choose is None else dict(choose(hp))


class FreshNames(keras_tuner.HyperModel):
    """A hypermodel whose layers are numbered from the start in every build."""

    def __init__(self, hypermodel, on_build):
        super().__init__()
        self._hypermodel = hypermodel
        self._on_build = on_build

    def build(self, hp):
        begin_anew()
        model = self._hypermodel.build(hp)
        fit_arguments_of(self._hypermodel, hp)  # it may declare hyperparameters
        self._on_build(model)
        return model

    def declare_hyperparameters(self, hp):
        return self._hypermodel.declare_hyperparameters(hp)


def _is_of_keras(optimizer):
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return all(
        type(part).__module__.partition(".")[0] == "keras"
        for part in (optimizer, inner)
    )


def _can_be_shared(model):
    """True if a later trial may train the model, and saves time by doing so."""
    if not is_built(model) or optimizer_of(model) is None or model.run_eagerly:
        return False
    # With PyTorch there is no compiled code to reuse. Values cannot be copied between
    # several devices.
    return keras.backend.backend() != "torch" and is_on_one_device(model)


def _values_but_rates(values, plan):
    """The hyperparameters that may affect more than rates."""
    rates = () if plan is None else plan.names
    return {
        name: repr(value)
        for name, value in values_of_user(values).items()
        if name not in rates
    }


def _rate_variables(model, plan):
    """The identities of the variables that hold the rates of a plan."""
    layers = dropout_layers(model)
    return {
        id(variable)
        for path in (() if plan is None else plan.paths)
        for variable in layers[path].rate_variables.values()
    }


def _learning_rate(model):
    """The identity of the variable that holds the learning rate, in a set."""
    value = model.optimizer.learning_rate
    return {id(value)} if isinstance(value, keras.Variable) else set()


@contextlib.contextmanager
def _young_garbage_collected():
    """At the end, free unused objects that were created within, even in cycles.

    Objects that were created within are young, so collecting young objects is enough.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect(0)


@contextlib.contextmanager
def _tensorflow_not_seeded():
    """Make TensorFlow keep its current seed.

    When a seed is set, even the same one, TensorFlow prepares every compiled function
    again, which takes at least 0.1 s for a small network. A model that is built within
    must be compared with one that was built with the seed, because `tf.random` draws
    other numbers.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    with unittest.mock.patch.object(tf.random, "set_seed", lambda seed: None):
        yield
