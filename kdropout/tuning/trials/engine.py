"""Runs the trials of a search on models that are compiled once."""

import functools
import json
import numbers
import pathlib

import keras
import keras_tuner

from kdropout import validation
from kdropout.files import write_json
from kdropout.tuning.storage.oracles import recoverable
from kdropout.tuning.trials.checkpoint import BestEpoch, load_values
from kdropout.tuning.trials.data import are_arrays
from kdropout.tuning.trials.epoch_fit import (
    create_state,
    data_of_fit,
    epoch_fit,
    make_epochs,
)
from kdropout.tuning.trials.exactness import fit_arguments, has_own_fit, reason_for_fit
from kdropout.tuning.trials.fresh_names import FreshNames, begin_anew
from kdropout.tuning.trials.hooks import tuner_hooks
from kdropout.tuning.trials.lasting_interrupt import LastingInterrupt
from kdropout.tuning.trials.logged_search import LoggedSearch
from kdropout.tuning.trials.model_pool import ModelPool, optimizer_of
from kdropout.tuning.trials.progress import Progress

# A prime, so that the executions of searches with neighbouring seeds differ.
_SEED_STRIDE = 7919


class TrialEngine(LoggedSearch):
    """What the tuners of kdropout add to those of KerasTuner.

    Each trial builds its model. Where an earlier trial has compiled the same model,
    with other rates and initial weights, it trains on that one; an epoch runs as one
    graph where that gives what `fit` gives; no file is ever half written, and a search
    that was stopped in any way goes on.

    Each execution of a trial begins with random states that the tuner's `seed` and the
    number of the execution decide: all trials start from the same weights, so that
    they differ in their hyperparameters alone, and a trial that is run again, or
    elsewhere, gives the same result.

    Args:
        oracle: A `keras_tuner.Oracle`.
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. It is called for each training, and may be None only
            if a subclass has a `run_trial` of its own.
        scored_epoch: "best" to score a training by its best epoch, as KerasTuner does;
            "last" by its last one, as it would be without early stopping. The weights
            that are kept are those of that epoch. Defaults to "best".
        **kwargs: Arguments of `LoggedSearch`, `SeveralWorkers` and `keras_tuner.Tuner`.

    Raises:
        ValueError: If there is no hypermodel, and no `run_trial` that needs none.
    """

    def __init__(self, oracle, hypermodel=None, scored_epoch="best", **kwargs):
        self._scored_epoch = validation.choice(
            "scored_epoch", scored_epoch, ("best", "last")
        )
        if hypermodel is None and type(self).run_trial is TrialEngine.run_trial:
            raise ValueError(
                "'hypermodel' must be a function from the hyperparameters to a "
                "compiled model, or a keras_tuner.HyperModel. Received: "
                "hypermodel=None, which needs a subclass with its own 'run_trial'."
            )
        self._pool = ModelPool()
        self._data = None
        self._execution = 0
        oracle = recoverable(oracle)
        self.progress = oracle._display = Progress(oracle)
        super().__init__(oracle, hypermodel, **kwargs)

    def search(self, *args, **kwargs):
        verbose = kwargs.get("verbose", "auto")
        self.progress.verbose = 1 if verbose == "auto" else verbose
        try:
            super().search(*args, **kwargs)
        finally:
            self._data = None
            self.progress.close()

    def run_trial(self, trial, *args, **kwargs):
        callbacks = kwargs.pop("callbacks", None) or []
        best = self._make_checkpoint()
        results = []
        for execution in range(self.executions_per_trial):
            copies = self._deepcopy_callbacks(callbacks)
            self._configure_tensorboard_dir(copies, trial, execution)
            added = [tuner_hooks(self, trial), best, self.progress.of_epochs(execution)]
            self._execution = execution
            with LastingInterrupt() as interrupt:
                results.append(
                    self._build_and_fit_model(
                        trial, *args, callbacks=[*copies, *added, interrupt], **kwargs
                    )
                )
        best.write(self._weights_file(trial))
        return results

    def train_anew(self, hp, execution, prepare, *args, **kwargs):
        """Train once more, outside of the search.

        Args:
            hp: `keras_tuner.HyperParameters` of the model.
            execution: Integer, which decides the initial weights and the order of the
                data. Those from 0 up to `executions_per_trial` are the search's.
            prepare: Function that is called with the model before it trains.
            *args: As for `search`.
            **kwargs: As for `search`.

        Returns:
            The model, with the weights of its best epoch. The next training, or trial,
            may use the same object.
        """
        best = self._make_checkpoint()
        callbacks = self._deepcopy_callbacks(kwargs.pop("callbacks", None) or [])
        self._execution = execution
        with LastingInterrupt() as interrupt:
            pooled = self._get_model(hp, execution)
            prepare(pooled.model)
            callbacks = [*callbacks, best, interrupt]
            self._train(hp, pooled, args, {**kwargs, "callbacks": callbacks})
        best.restore()
        return pooled.model

    def load_model(self, trial):
        path = self._weights_file(trial)
        if not path.exists():  # a project of KerasTuner's own
            return super().load_model(trial)
        model = self._make_model(trial.hyperparameters, execution=0)
        if not model.built:
            build_config = self._get_build_config_fname(trial.trial_id)
            model.build_from_config(json.loads(pathlib.Path(build_config).read_text()))
        load_values(model.variables, path)
        return model

    def begin_training(self, trial, model, execution):
        """Called with the model of a trial before it trains."""

    def end_training(self, trial, model, execution):
        """Called with the model of a trial in its last state."""

    def _build_and_fit_model(self, trial, *args, **kwargs):
        hp, execution = trial.hyperparameters, self._execution
        pooled = self._get_model(hp, execution)
        model, optimizer = pooled.model, optimizer_of(pooled.model)
        self.begin_training(trial, model, execution)
        results = self._train(hp, pooled, args, kwargs)
        _check_results(results, self.oracle.objective.name)
        if optimizer_of(model) is optimizer:  # or else the model was compiled anew
            self.end_training(trial, model, execution)
        write_json(
            self._get_build_config_fname(trial.trial_id), model.get_build_config()
        )
        if self._scored_epoch == "last" and isinstance(
            results, keras.callbacks.History
        ):
            return {name: values[-1] for name, values in results.history.items()}
        return results

    def _train(self, hp, pooled, args, kwargs):
        model, seed = pooled.model, self._seed_of(self._execution)
        own_fit = has_own_fit(self.hypermodel)
        arguments = None if own_fit else fit_arguments(model, args, kwargs)
        reason = reason_for_fit(self.hypermodel, model, arguments)
        if reason is not None:
            self.progress.note(f"Trials train with fit, because {reason}.")
            if not own_fit:
                kwargs = {**kwargs, "verbose": 0}  # the search has a bar of its own
                train = (arguments["x"], arguments["y"])
                if pooled.is_shared and are_arrays(train):
                    create_state(model, train, arguments["batch_size"])
            pooled.prepare()
            with pooled.watching_global_random_numbers(seed):
                return self.hypermodel.fit(hp, model, *args, **kwargs)
        data = self._data_of(arguments)
        if pooled.epochs is None:
            pooled.epochs = make_epochs(model, data)
        pooled.prepare()
        return epoch_fit(model, pooled.epochs, data, arguments, seed)

    def _data_of(self, arguments):
        """The data on the device, which all trials of a search share."""
        names = ("x", "y", "sample_weight", "validation_data")
        given = [arguments[name] for name in names]
        if self._data is None or any(
            old is not new for old, new in zip(self._data[0], given, strict=True)
        ):
            self._data = (given, data_of_fit(arguments))
        return self._data[1]

    def _get_model(self, hp, execution):
        """The `PooledModel` for a training, new to the bit."""
        build = functools.partial(self._make_model, hp, execution)
        # A fit of the user's may do anything to a model: it gets its own.
        may_share = not has_own_fit(self.hypermodel)
        return self._pool.get(build, execution, hp.values, may_share)

    def _make_model(self, hp, execution):
        """A new model, with the initial weights of an execution."""
        begin_anew()
        keras.utils.set_random_seed(self._seed_of(execution))
        model = self._build_hypermodel(hp)
        if not isinstance(model, keras.Model):
            raise keras_tuner.errors.FatalTypeError(
                "'hypermodel' must build a keras.Model. Received: "
                f"{model!r} of type {type(model).__name__}"
            )
        self.learn_rates(model)
        size = model.count_params() if model.built else 0
        if self.max_model_size and size > self.max_model_size:
            raise keras_tuner.errors.FailedTrialError(
                f"The model has {size} parameters, more than 'max_model_size'. "
                f"Received: max_model_size={self.max_model_size}"
            )
        return model

    def _populate_initial_space(self):
        hypermodel = self.hypermodel
        if hypermodel is not None:
            self.hypermodel = FreshNames(hypermodel, self.learn_rates)
        try:
            super()._populate_initial_space()
        finally:
            self.hypermodel = hypermodel

    def _make_checkpoint(self):
        is_best = self._scored_epoch == "best"
        return BestEpoch(self.oracle.objective if is_best else None)

    def _weights_file(self, trial):
        return pathlib.Path(self.get_trial_dir(trial.trial_id)) / "weights.npz"

    def _seed_of(self, execution):
        return (self._own_oracle.seed + _SEED_STRIDE * execution) % 2**31

    def __getstate__(self):
        # A worker compiles models of its own.
        return {**super().__getstate__(), "_pool": None, "_data": None}

    def __setstate__(self, state):
        vars(self).update(state)
        self._pool = ModelPool()


def _check_results(results, objective):
    """Refuse what `HyperModel.fit` must not return, where it is known who did."""
    if isinstance(results, list):
        for result in results:
            _check_results(result, objective)
        return
    is_named = objective != "default_objective"  # KerasTuner's name where none is given
    if isinstance(results, numbers.Real):
        return
    if isinstance(results, dict) and objective in results:
        return
    if isinstance(results, keras.callbacks.History) and is_named:
        return
    expected = "a number"
    if is_named:
        expected = f"a keras.callbacks.History, a number, or a dict with '{objective}'"
    kinds = keras_tuner.errors
    lacks_key = is_named and isinstance(results, dict)
    error = kinds.FatalValueError if lacks_key else kinds.FatalTypeError
    raise error(
        f"'HyperModel.fit' must return {expected}, or a list of several. Received: "
        f"{results!r} of type {type(results).__name__}"
    )
