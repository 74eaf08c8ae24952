"""Runs the trials of a search on models that are compiled once."""

import contextlib
import dataclasses
import functools
import json
import math
import numbers
import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial

from kdropout import _validation
from kdropout._duration import time_text
from kdropout._files import write_json
from kdropout._requirements import is_installed
from kdropout.callbacks import TensorBoardRates
from kdropout.tuning import histories
from kdropout.tuning.budget import (
    Budget,
    MedianStopping,
    OutOfTime,
    StopAtMedian,
    StopAtTimeout,
    Timeout,
    check_supported,
    checked_median_stopping,
)
from kdropout.tuning.checkpoint import BestEpoch, load_values, save_values
from kdropout.tuning.epochs import Trainer, build_by_data, has_own_fit, is_built
from kdropout.tuning.folds import with_folds
from kdropout.tuning.given_settings import check_initial_trials
from kdropout.tuning.interrupt import LastingInterrupt
from kdropout.tuning.model_pool import (
    FreshNames,
    ModelPool,
    all_variables,
    begin_anew,
    fit_arguments_of,
    optimizer_of,
)
from kdropout.tuning.oracles import StoredOracle, stored
from kdropout.tuning.progress import Progress, follow
from kdropout.tuning.project_lock import ProjectLock
from kdropout.tuning.ray_arguments import checked_address, checked_gpus
from kdropout.tuning.search_log import SearchLog
from kdropout.tuning.space import plan_of
from kdropout.tuning.trial_records import failure_of

if TYPE_CHECKING:
    import tensorflow as tf

Build = Callable[[keras_tuner.HyperParameters], keras.Model]

# A prime number, so that the executions of searches with neighbouring seeds differ.
_SEED_STRIDE = 7919


class TrialEngine(keras_tuner.Tuner):
    """A `keras_tuner.Tuner` for any oracle, and the base of the tuners of kdropout.

    Each trial builds its model. If an earlier trial has compiled the same model, with
    other rates and initial weights, the trial reuses that compiled model. An epoch runs
    as one graph if the result is that of `fit`. Files are always complete, so a search
    that was stopped at any moment can be resumed. Only one process at a time writes to
    a project.

    The seed of the tuner and the number of the execution determine the random states of
    each training. All trials start from the same weights, so they differ only in their
    hyperparameters. A trial that runs again, or in another process, gives the same
    result.

    The chief and the workers of KerasTuner (`KERASTUNER_TUNER_ID`, ...) need a shared
    folder and the same seed. Scores arrive as numbers of 32 bits. If a worker was
    killed, start it again under the same name: it resumes its trial, and the chief
    waits for it until then. After a `timeout`, the chief begins no trial, and running
    ones go on to their end. Workers on Ray do not have these limits.

    Args:
        oracle: A `keras_tuner.Oracle`.
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. It is called for each training. May be None only if a
            subclass has its own `run_trial`. Defaults to None.
        max_model_size: Integer, the number of parameters above which a trial fails, or
            None for no limit. Defaults to None.
        optimizer: Optimizer that replaces that of the model, or None. Defaults to None.
        loss: Loss that replaces that of the model, or None. Defaults to None.
        metrics: Metrics that replace those of the model, or None. Defaults to None.
        distribution_strategy: A `tf.distribute.Strategy` for the models, or None.
            Defaults to None.
        directory: Path of the folder that contains the project, or None for the current
            folder. Defaults to None.
        project_name: String, name of the folder of the search, or None for
            "untitled_project". Defaults to None.
        logger: Not used. KerasTuner keeps it for older programs.
        tuner_id: String, name of this process among KerasTuner's workers, or None.
            Defaults to None.
        overwrite: Boolean, whether to delete an existing search of the same name. If
            False, that search is resumed. Defaults to False.
        executions_per_trial: Integer, the number of trainings per trial, each with
            different initial weights. The score is their mean. Defaults to 1.
        scored_epoch: "best" to score a training by its best epoch, like KerasTuner, or
            "last" to score it by its last epoch, as without early stopping. The tuner
            keeps the weights of this epoch. Defaults to "best".
        workers: Integer of at least 1, the number of processes that run trials. With
            more than one, they run on Ray. Defaults to 1.
        ray_address: Address of a Ray cluster for the workers, such as "auto", or None
            for this machine. Defaults to None.
        threads_per_worker: Integer of at least 1, or None to divide the cores of this
            machine equally. Defaults to None.
        gpus_per_worker: Number of GPUs of each worker on Ray. A fraction lets several
            workers share a GPU, and a number above 1 must be whole. With 0, workers
            train on the CPU. None to divide the GPUs of the cluster equally, at most
            one for each worker. Defaults to None.
        log_dir: Path of a folder for TensorBoard, which no other search may use. The
            tab "HParams" shows a row for each trial that has ended, and the tab
            "Dropout" shows the charts of the search. None to write nothing. Defaults to
            None.
        timeout: Seconds after which the search stops, or a text such as "2min" or
            "1h30m", or None for no limit. No trial begins afterwards, and a training
            stops at the end of its epoch. The stopped trial has no score and runs again
            when you resume the search. Each call of `search` has the whole time.
            Defaults to None.
        patience: Integer of at least 1, or None. The search stops when this many ended
            trials in a row did not improve the best score. Defaults to None.
        median_stopping: True, or a `kdropout.tuning.MedianStopping`, to stop a trial
            that is worse than the median of earlier trials at the same epoch. It gets
            the score that it has by then. The rule stops high rates too often, because
            dropout slows a training down. Defaults to False.
        initial_trials: Sequence of settings to try first, each a rate for all layers,
            or a dict from hyperparameters or layer paths to values. Others get their
            defaults. They count in `max_trials`. None for none. Defaults to None.
        retry_failed: Boolean, whether `search` also runs the trials again that failed
            in an earlier call. Defaults to False.

    Raises:
        MissingPackages: If `log_dir` is given and TensorBoard is not installed.
        ModuleNotFoundError: If there are workers and Ray is not installed.
        RuntimeError: If another process writes to the project, or the project belongs
            to another algorithm.
        TypeError: If an argument is of the wrong type.
        ValueError: If there is no hypermodel and no `run_trial` that needs none, or an
            argument is out of range.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        hypermodel: keras_tuner.HyperModel | Build | None = None,
        max_model_size: int | None = None,
        optimizer: str | keras.optimizers.Optimizer | None = None,
        loss: str | keras.losses.Loss | Callable | None = None,
        metrics: list | None = None,
        distribution_strategy: "tf.distribute.Strategy | None" = None,
        directory: str | os.PathLike | None = None,
        project_name: str | None = None,
        logger: object = None,
        tuner_id: str | None = None,
        overwrite: bool = False,
        executions_per_trial: int = 1,
        *,
        scored_epoch: str = "best",
        workers: int = 1,
        ray_address: str | None = None,
        threads_per_worker: int | None = None,
        gpus_per_worker: float | None = None,
        log_dir: str | os.PathLike | None = None,
        timeout: Timeout | None = None,
        patience: int | None = None,
        median_stopping: bool | MedianStopping | Mapping[str, int] = False,
        initial_trials: Sequence[float | Mapping[str, object]] | None = None,
        retry_failed: bool = False,
    ):
        self._scored_epoch = _validation.choice(
            "scored_epoch", scored_epoch, ("best", "last")
        )
        hypermodel = self._checked_hypermodel(hypermodel)
        oracle = stored(oracle)
        self.budget = Budget(timeout, patience)
        self._median_stopping = checked_median_stopping(median_stopping)
        # In a worker, the curves with which the next trial is compared.
        self.curves: list | None = None
        self._retries_failed = _validation.boolean("retry_failed", retry_failed)
        initial_trials = check_initial_trials(initial_trials)
        self._give_limits_to(oracle, median_stopping, initial_trials)
        self.progress = Progress(oracle, self.budget, self._stopped_after)
        self.search_log = None
        if log_dir is not None:
            self.search_log = SearchLog(log_dir, oracle, self._stored_histories)
        followers: list = [self.progress]
        if self.search_log is not None:
            followers.append(self.search_log)
        follow(oracle, followers)
        self._ray_runner = _make_ray_runner(
            workers, ray_address, threads_per_worker, gpus_per_worker
        )
        self._pool = ModelPool()
        self._trainer = Trainer(self.progress.note)
        self._execution = 0
        # In a worker of KerasTuner, `self.oracle` becomes a proxy.
        self._own_oracle = oracle
        self._is_reloaded = False
        self._is_keras_tuner_worker = self._is_worker()
        if self._is_keras_tuner_worker:
            overwrite = False  # the folder belongs to the chief
            self._lock: contextlib.AbstractContextManager = contextlib.nullcontext()
        else:
            self._lock = ProjectLock(
                directory or ".", project_name or "untitled_project"
            )
        # The constructor of KerasTuner builds models to find the hyperparameters.
        fresh = None if hypermodel is None else FreshNames(hypermodel, self._learn)
        with self._lock if overwrite else contextlib.nullcontext():
            super().__init__(
                oracle,
                fresh,
                max_model_size=max_model_size,
                optimizer=optimizer,
                loss=loss,
                metrics=metrics,
                distribution_strategy=distribution_strategy,
                directory=directory,
                project_name=project_name,
                logger=logger,
                tuner_id=tuner_id,
                overwrite=overwrite,
                executions_per_trial=executions_per_trial,
            )
        self.hypermodel = hypermodel
        # Without the file of the tuner, KerasTuner would start again. A search that was
        # killed in its first trial has no such file.
        if not self._is_reloaded and self._owns_files() and oracle.has_saved_search():
            self.reload()
        if self.search_log is not None and self._writes_log():
            self.search_log.claim(is_new=not oracle.trials, overwrite=overwrite)
        if self._owns_files() and oracle.initial_trials:
            oracle.initial_values()  # raises here, before anything is trained

    def __repr__(self) -> str:
        oracle = vars(self).get("oracle")
        if oracle is None:  # the constructor has not ended
            return f"<{type(self).__name__}>"
        ended, total = len(oracle.end_order), oracle.max_trials
        best = oracle.get_best_trials(1)
        score = "no result yet"
        if best:
            name = oracle.objective.name
            score = f"best {name} {best[0].score:.5g} in trial {best[0].trial_id}"
        of_total = f" of {total}" if total else ""
        trials = "trial" if (total or ended) == 1 else "trials"
        return f"<{type(self).__name__}: {ended}{of_total} {trials}, {score}>"

    # The search.

    def search(self, *args, **kwargs) -> None:
        """Run the remaining trials.

        With `folds`, a trial is a cross-validation: it trains once on each fold, with
        other initial weights, and is validated on the rows of the fold. Its score is
        the mean over the folds, which are the same in all trials. Classes are divided
        equally: integers, one per row, or rows with a single 1. With
        `executions_per_trial`, this is repeated on other partitions of the rows.

        Args:
            *args: Positional arguments of `fit`.
            **kwargs: Keyword arguments of `fit`, or `folds`: the number of folds, or a
                sequence of pairs of row numbers `(training, validation)`, such as
                `list(sklearn.model_selection.TimeSeriesSplit().split(x))`. Set
                `verbose` to 1 to show progress, or to 0 to hide it.

        Raises:
            ConnectionError: If no Ray cluster answers at `ray_address`.
            RuntimeError: If too many trials failed in a row, workers on Ray cannot
                start, or another process writes to the project.
            TypeError: If `folds` is of the wrong type, or the data are not arrays.
            ValueError: If `folds` does not fit the data, or validation data are given
                as well.

        Example:

        ```python
        tuner.search(x, y, folds=5, epochs=20)
        report = kdropout.tuning.confirm(tuner, x, y, folds=5, epochs=20)
        ```
        """
        verbose = kwargs.get("verbose", "auto")
        self.progress.verbose = 1 if verbose == "auto" else verbose
        args, kwargs = self.by_folds(args, kwargs)
        try:
            with self._lock:
                if self._owns_files() and self._own_oracle.was_overtaken():
                    self.reload()
                if self._owns_files() and self._retries_failed:
                    self._own_oracle.put_back_failed()
                self._note_warmup(kwargs.get("epochs"))
                with self._logging(kwargs.get("epochs")), self._within_budget():
                    if self._ray_runner is None:
                        super().search(*args, **kwargs)
                    else:
                        self._ray_runner.run(self, args, kwargs)
        finally:
            self._trainer.forget_data()
            self.progress.close()

    def by_folds(
        self, args: tuple, kwargs: dict[str, Any], test_data: Any = None
    ) -> tuple[tuple, dict[str, Any]]:
        """Return the arguments of `search` with its `folds` in the form for trainings.

        Args:
            args: Tuple of the positional arguments of `search`.
            kwargs: Dict of its keyword arguments.
            test_data: Data that compare settings in a confirmation, or None for those
                of each fold. Defaults to None.

        Returns:
            Tuple of both, unchanged without `folds`.

        Raises:
            TypeError: If `folds` is of the wrong type, or the data are not arrays.
            ValueError: If `folds` does not fit the data, or validation data are given
                as well.
        """
        if kwargs.get("folds") is None:
            return args, {n: value for n, value in kwargs.items() if n != "folds"}
        return (), with_folds(args, kwargs, self._own_oracle.seed, test_data)

    @contextlib.contextmanager
    def _within_budget(self):
        """A context in which the timeout ends the search without an error."""
        if not self._is_keras_tuner_worker:  # its chief gives it no new trials
            self.budget.begin()
        try:
            try:
                yield
            except OutOfTime:
                self.on_search_end()  # KerasTuner did not call it
            if self._owns_files():
                self._note_end()
        finally:
            self.budget.stop()

    def _note_warmup(self, epochs):
        rule = self._median_stopping
        if (
            rule is not None
            and isinstance(epochs, int)
            and epochs <= rule.warmup_epochs
        ):
            self.progress.note(
                f"'median_stopping' stops no trial of {epochs} epochs, because its "
                f"warmup_epochs are {rule.warmup_epochs}. Lower them to a quarter of "
                "the epochs."
            )

    def _note_end(self):
        """Say why the search has stopped, unless it has run all trials."""
        oracle, is_over = self._own_oracle, self.budget.is_over
        if is_over:
            oracle.put_back_unended()
        unended = len(oracle.trials) - len(oracle.end_order)
        remaining = oracle.remaining_trials()
        if remaining is not None and remaining <= 0 and not unended:
            return
        if is_over:
            again = f" {unended} begun trial(s) will run again." if unended else ""
            self.progress.note(
                "The search stopped after its timeout of "
                f"{time_text(self.budget.timeout)}, with {len(oracle.end_order)} "
                f"trials.{again} Search again to continue, with a new timeout."
            )
        elif oracle.is_out_of_patience():
            self.progress.note(
                f"The search stopped, because the last {self.budget.patience} trials "
                f"did not improve the best {oracle.objective.name}."
            )

    def run_trial(self, trial: Trial, *args, **kwargs) -> list:
        values = trial.hyperparameters.values
        if "tuner/epochs" in values:
            kwargs["epochs"] = values["tuner/epochs"]
            kwargs["initial_epoch"] = values["tuner/initial_epoch"]
        folds = kwargs.get("folds")
        number = self.executions_per_trial * (folds.number if folds else 1)
        best = self._make_checkpoint()
        results: list = []
        rows: list[dict[str, Any]] = []
        folder, start = self.get_trial_dir(trial.trial_id), time.perf_counter()
        histories.forget(folder)
        stopped_after = None
        for execution in range(number):
            if execution and self.budget.is_over:
                raise OutOfTime
            arguments = _arguments_of_training(kwargs, execution)
            at_median = []
            if stopped_after is None:
                at_median = self._make_median_callbacks(execution)
            at_timeout = StopAtTimeout(self.budget)
            copies = self._copies_of(arguments.pop("callbacks", None))
            self._configure_tensorboard_dir(copies, trial, execution)
            self._give_log_folders(copies, trial, execution if number > 1 else None)
            added = [
                _tuner_hooks(self, trial),
                best,
                self.progress.of_epochs(execution),
                histories.EpochRecorder(rows, execution),
                *at_median,
                at_timeout,
            ]
            self._execution = execution
            with LastingInterrupt() as interrupt:
                results.append(
                    self._build_and_fit_model(
                        trial,
                        *args,
                        callbacks=[*copies, *added, interrupt],
                        **arguments,
                    )
                )
            if at_timeout.was_needed:
                raise OutOfTime
            if any(callback.was_needed for callback in at_median):
                stopped_after = rows[-1][histories.EPOCH] + 1
                if folds is None:
                    break
                # Folds are not equally difficult, so a score needs all of them.
                kwargs["epochs"] = stopped_after
        best.write(self._weights_file(trial))
        if rows:
            seconds = time.perf_counter() - start
            history = histories.History(rows, seconds, stopped_after)
            scores = _scores_of(results, history, self.oracle.objective)
            histories.write(folder, dataclasses.replace(history, scores=scores))
        return results

    def histories(self) -> dict[str, list[dict[str, Any]]]:
        """Return the metrics of each epoch of the trials that have ended.

        Returns:
            Dict from the id of a trial to a list of dicts, one for each epoch:
            "execution" (the number of the training within the trial) and "epoch", both
            from 0, and the metrics of the epoch. A metric that was not finite is NaN.
            The list is empty for a trial without epochs, such as one that failed.

        Example:

        ```python
        rows = tuner.histories()["03"]
        losses = [row["val_loss"] for row in rows]
        ```
        """
        return {
            trial_id: [] if history is None else history.rows
            for trial_id, history in self._stored_histories().items()
        }

    def _stored_histories(self):
        """Dict from each ended trial to its `History`, or None."""
        oracle = self._own_oracle
        return histories.of_trials(self.project_dir, getattr(oracle, "end_order", ()))

    # Trials that are stopped by the median of earlier ones.

    def earlier_curves(self) -> list[list[dict[int, float]]]:
        """Return the curves of the objective of the trials that have completed.

        Returns:
            List with an entry for each trial: a list with an entry for each training,
            a dict from epoch to value. Empty without `median_stopping`.
        """
        if self._median_stopping is None:
            return []
        objective, curves = self.oracle.objective, []
        for trial_id, history in self._stored_histories().items():
            if self._own_oracle.trials[trial_id].status == "COMPLETED" and history:
                executions = range(history.num_trainings)
                curves.append([history.curve(each, objective) for each in executions])
        return curves

    def _stopped_after(self, trial_id):
        """The epoch after which the median stopped a trial, or None."""
        if self._median_stopping is None:
            return None
        history = histories.of_trials(self.project_dir, [trial_id])[trial_id]
        return None if history is None else history.stopped_after

    def _make_median_callbacks(self, execution):
        if self._median_stopping is None:
            return []
        earlier = self.earlier_curves() if self.curves is None else self.curves
        curves = [
            trial[execution]
            for trial in earlier
            if execution < len(trial) and trial[execution]
        ]
        keeps_best = self._scored_epoch == "best"
        objective = self.oracle.objective
        return [StopAtMedian(self._median_stopping, objective, curves, keeps_best)]

    def train_anew(
        self,
        hp: keras_tuner.HyperParameters,
        execution: int,
        prepare: Callable[[keras.Model], None],
        *args,
        **kwargs,
    ) -> keras.Model:
        """Train a model outside of the search.

        Args:
            hp: `keras_tuner.HyperParameters` of the model.
            execution: Integer that determines the initial weights, the order of the
                data and the fold. The search uses the first ones, from 0.
            prepare: Function that is called with the model before it trains.
            *args: As for `search`.
            **kwargs: As for `search`.

        Returns:
            The model with the weights of its best epoch. The next training or trial may
            reuse the same object.
        """
        best = self._make_checkpoint()
        kwargs = _arguments_of_training(kwargs, execution)
        callbacks = self._copies_of(kwargs.pop("callbacks", None))
        self._execution = execution
        with LastingInterrupt() as interrupt:
            pooled = self._get_model(hp, execution, args, kwargs)
            prepare(pooled.model)
            callbacks = [*callbacks, best, interrupt]
            self._train(hp, pooled, args, {**kwargs, "callbacks": callbacks})
        best.restore()
        return pooled.model

    def build_best_model(self) -> keras.Model:
        """Build the model of the best trial, with its initial weights.

        Returns:
            A compiled `keras.Model` with the rates of the trial.

        Raises:
            RuntimeError: If no trial has completed.
        """
        return self._make_model(self.get_best_hyperparameters()[0], execution=0)

    def begin_training(self, trial: Trial, model: keras.Model, execution: int) -> None:
        """Hook for subclasses, called with the model of a trial before it trains."""

    def end_training(self, trial: Trial, model: keras.Model, execution: int) -> None:
        """Hook for subclasses, called with the model of a trial after training."""

    def _build_and_fit_model(self, trial, *args, **kwargs):
        hp, execution = trial.hyperparameters, self._execution
        pooled = self._get_model(hp, execution, args, kwargs)
        model, optimizer = pooled.model, optimizer_of(pooled.model)
        self._go_on(trial, model, execution)
        self.begin_training(trial, model, execution)
        results = self._train(hp, pooled, args, kwargs)
        _check_results(results, self.oracle.objective.name)
        if optimizer_of(model) is optimizer:  # otherwise the model was recompiled
            self._keep_state(trial, model, execution)
            self.end_training(trial, model, execution)
        write_json(self._build_config_file(trial.trial_id), model.get_build_config())
        if isinstance(results, keras.callbacks.History):
            return self._scored(results)
        return results

    def _scored(self, history):
        """The result of a training that is scored: its history or a dict of metrics."""
        if self._scored_epoch == "best":
            return history
        metrics = {name: values[-1] for name, values in history.history.items()}
        return self._with_objective(metrics)

    def _with_objective(self, metrics):
        """Add the value of the objective to the metrics, if it is a sum."""
        objective = self.oracle.objective
        if objective.has_value(metrics):
            metrics[objective.name] = objective.get_value(metrics)
        return metrics

    def _train(self, hp, pooled, args, kwargs):
        seed = self._seed_of(self._execution)
        kwargs = {**kwargs, **fit_arguments_of(self.hypermodel, hp)}
        return self._trainer.train(self.hypermodel, hp, pooled, seed, args, kwargs)

    def _copies_of(self, callbacks):
        return self._deepcopy_callbacks(callbacks or [])

    def _make_checkpoint(self):
        objective = self.oracle.objective if self._scored_epoch == "best" else None
        # A custom `fit` may add callbacks after this one.
        return BestEpoch(objective, is_last=not has_own_fit(self.hypermodel))

    # Trials that continue where another one stopped. As in KerasTuner's Hyperband,
    # values that begin with "tuner/" name that trial and the epochs.

    def _go_on(self, trial, model, execution):
        """Restore the state in which the parent of a trial left its model."""
        parent = trial.hyperparameters.values.get("tuner/trial_id")
        if parent is None:
            return
        self._build_as(parent, model)
        path = self._state_file(parent, execution)
        if path.exists():
            model.optimizer.build(model.trainable_variables)
            load_values(all_variables(model), path)
        else:
            self._begin_with_best_weights(parent, model)

    def _keep_state(self, trial, model, execution):
        """Save the state of a trial, so that a later trial can continue from it."""
        if "tuner/epochs" in trial.hyperparameters.values:
            path = self._state_file(trial.trial_id, execution)
            save_values(all_variables(model), path)

    def _begin_with_best_weights(self, trial_id, model):
        """Start from the best weights, as for a project that KerasTuner wrote."""
        best = self.load_model(self.oracle.get_trial(trial_id))
        model.set_weights(best.get_weights())
        self.progress.note(
            f"The last state of trial {trial_id} was not saved. This happens if a "
            "custom fit recompiles the model. The trial that continues it starts with "
            "the weights of its best epoch and a new optimizer."
        )

    def _state_file(self, trial_id, execution):
        return pathlib.Path(self.get_trial_dir(trial_id)) / f"state_{execution}.npz"

    # The models.

    def load_model(self, trial: Trial) -> keras.Model:
        path = self._weights_file(trial)
        if not path.exists():  # a project of KerasTuner itself
            return super().load_model(trial)
        model = self._make_model(trial.hyperparameters, execution=0)
        self._build_as(trial.trial_id, model)
        load_values(model.variables, path)
        return model

    def _get_model(self, hp, execution, args, kwargs):
        """The `PooledModel` for a training. It equals a new model to the bit."""
        # A custom `fit` may do anything to a model, so it gets a new one.
        may_share = not has_own_fit(self.hypermodel)
        build = functools.partial(self._make_model, hp, execution)
        if may_share and keras.backend.backend() != "torch":
            build = functools.partial(_build_with_data, build, args, kwargs)
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
        self._learn(model)
        size = model.count_params() if model.built else 0
        if self.max_model_size and size > self.max_model_size:
            raise keras_tuner.errors.FailedTrialError(
                f"The model has {size} parameters, more than 'max_model_size' allows. "
                f"Received: max_model_size={self.max_model_size}"
            )
        return model

    def _build_as(self, trial_id, model):
        """Build a model that was built by the first batch of a trial."""
        if not model.built:
            config = json.loads(self._build_config_file(trial_id).read_text())
            model.build_from_config(config)

    def _seed_of(self, execution):
        return (self._own_oracle.seed + _SEED_STRIDE * execution) % 2**31

    def _checked_hypermodel(self, hypermodel):
        """Return a `keras_tuner.HyperModel`, or None if a subclass needs none."""
        if hypermodel is None:
            stock = (TrialEngine.run_trial, keras_tuner.Hyperband.run_trial)
            if type(self).run_trial in stock:
                raise ValueError(
                    "'hypermodel' must be a function from the hyperparameters to a "
                    "compiled model, or a keras_tuner.HyperModel. Received: "
                    "hypermodel=None. None is only allowed in a subclass that "
                    "overrides 'run_trial'."
                )
            return None
        if isinstance(hypermodel, keras_tuner.HyperModel):
            return hypermodel
        if not callable(hypermodel):
            expected = (
                "a function from the hyperparameters to a compiled model, or a "
                "keras_tuner.HyperModel"
            )
            raise keras_tuner.errors.FatalValueError(
                _validation.received("hypermodel", expected, hypermodel)
            )
        made = keras_tuner.HyperModel()
        made.build = hypermodel
        if hasattr(hypermodel, "fit_arguments"):
            made.fit_arguments = hypermodel.fit_arguments
        return made

    def _give_limits_to(self, oracle, median_stopping, initial_trials):
        """Check that the oracle and the process support the limits, and set them."""
        given = {
            "timeout": self.budget.timeout,
            "patience": self.budget.patience,
            "median_stopping": median_stopping,
            "initial_trials": initial_trials or None,
            "retry_failed": self._retries_failed,
        }
        if not isinstance(oracle, StoredOracle):
            for argument, value in given.items():
                if value is not None and value is not False:
                    raise _validation.argument_error(
                        ValueError,
                        argument,
                        "needs an oracle of KerasTuner. Received: "
                        f"{argument}={value!r}, with an oracle of the class "
                        f"{type(oracle).__name__}. Leave the argument out, or use one "
                        "of the classes in keras_tuner.oracles.",
                    )
            return
        algorithm = type(oracle).__name__.removesuffix("Oracle")
        check_supported(algorithm, **given)
        if self._median_stopping is not None:
            self._check_median_stopping(oracle, median_stopping)
        most = oracle.max_initial_trials()
        if most is not None and len(initial_trials) > most:
            raise _validation.argument_error(
                ValueError,
                "initial_trials",
                f"must not be more than the {most} trials that the search can begin "
                f"with. Received: {len(initial_trials)} settings. Raise 'max_trials' "
                "(in Hyperband, 'max_epochs' or 'hyperband_iterations'), or remove "
                "settings.",
            )
        oracle.budget = self.budget
        oracle.initial_trials = initial_trials

    def _check_median_stopping(self, oracle, value):
        """Raise if trials cannot be compared epoch by epoch."""
        if "KERASTUNER_ORACLE_IP" in os.environ:
            raise _validation.argument_error(
                ValueError,
                "median_stopping",
                "is not supported with KERASTUNER_ORACLE_IP, because a worker of "
                "KerasTuner does not know the earlier trials. Received: "
                f"median_stopping={value!r}. Use 'workers' (on Ray) instead, or unset "
                "the variable.",
            )
        if oracle.objective.name == "default_objective":
            raise _validation.argument_error(
                ValueError,
                "median_stopping",
                "needs an objective that is logged after each epoch. Received: "
                f"median_stopping={value!r} and no 'objective'. Pass one such as "
                "objective='val_loss'.",
            )

    # The files of the project.

    def save(self) -> None:
        if not self._is_keras_tuner_worker:
            self.oracle.save()
        write_json(self._tuner_file(), self.get_state())

    def reload(self) -> None:
        if self._owns_files() and self._own_oracle.needs_model:
            # Building a model shows which hyperparameters move rates.
            self._populate_initial_space()
        self._is_reloaded = True
        state = self._saved_state()
        if not self._is_keras_tuner_worker:
            # A search without a given seed draws one. It is needed if the file of the
            # oracle is lost.
            with contextlib.suppress(ValueError, LookupError, TypeError):
                self._own_oracle.seed = int(state["seed"])
            self._own_oracle.reload()
        if self.search_log is not None:
            # Otherwise the dimensions come from the first model.
            with contextlib.suppress(ValueError, LookupError, TypeError):
                self.search_log.axes.set_state(state["dimensions"])

    def get_state(self) -> dict:
        state = {"seed": self._own_oracle.seed}
        if self.search_log is not None and self.search_log.axes.are_known:
            state["dimensions"] = self.search_log.axes.get_state()
        return state

    def get_best_models(self, num_models: int = 1) -> list[keras.Model]:
        self._require_results()
        return super().get_best_models(num_models)

    def get_best_hyperparameters(
        self, num_trials: int = 1
    ) -> list[keras_tuner.HyperParameters]:
        self._require_results()
        return super().get_best_hyperparameters(num_trials)

    def _require_results(self):
        if self.oracle.get_best_trials(1):
            return
        trials = self._own_oracle.trials.values()
        failures = [failure_of(trial) for trial in trials if trial.message]
        why = f"The first error: {failures[0]}" if failures else "No trial was run."
        raise RuntimeError(
            f"No trial of the search in '{self.project_dir}' has completed, so there "
            f"is no best trial. {why}"
        )

    def _owns_files(self):
        """True if an oracle of kdropout in this process stores the search."""
        is_stored = isinstance(self._own_oracle, StoredOracle)
        return is_stored and not self._is_keras_tuner_worker

    def _saved_state(self):
        """The result of `get_state` when the tuner was saved, or an empty dict."""
        try:
            return json.loads(self._tuner_file().read_text())
        except (OSError, ValueError):
            return {}

    def _tuner_file(self):
        return pathlib.Path(self._get_tuner_fname())

    def _build_config_file(self, trial_id):
        return pathlib.Path(self._get_build_config_fname(trial_id))

    def _weights_file(self, trial):
        return pathlib.Path(self.get_trial_dir(trial.trial_id)) / "weights.npz"

    # The log for TensorBoard.

    def _writes_log(self):
        return self.search_log is not None and not self._is_keras_tuner_worker

    def _logging(self, epochs):
        """A context in which trials that end are written for TensorBoard."""
        if not self._writes_log():
            return contextlib.nullcontext()
        axes = self.search_log.axes
        if self.hypermodel is None:  # a subclass builds its own models
            axes.learn(None)
        elif not axes.are_of_model:
            # A resumed search with remote workers never builds a model here, so build
            # one on a copy of the space. If that fails, the trials show why.
            with contextlib.suppress(Exception):
                space = self.oracle.get_space()
                FreshNames(self.hypermodel, self._learn).build(space)
        return self.search_log.following(epochs)

    def _learn(self, model):
        if self.search_log is not None:
            self.search_log.learn(model)
        if isinstance(model, keras.Model) and self._owns_files():
            self._own_oracle.targets.learn(plan_of(model))

    def _give_log_folders(self, callbacks, trial, execution):
        """Make each training write its curves to a separate folder."""
        for callback in callbacks:
            if isinstance(callback, TensorBoardRates):
                parts = [trial.trial_id]
                if execution is not None:
                    parts.append(f"execution{execution}")  # the name in KerasTuner
                callback.log_dir = os.path.join(callback.log_dir, *parts)


def _build_with_data(build, args, kwargs):
    """The model of `build`, which is built by the data if it waits for them.

    Only models that are built can be compared, so that one can be compiled for all.
    """
    model = build()
    if is_built(model) or build_by_data(model, args, kwargs):
        return model
    return build()  # parts of the first may be built


def _make_ray_runner(workers, address, threads_per_worker, gpus_per_worker):
    """Return the runner of trials on Ray, or None if they run in this process.

    Raises:
        ModuleNotFoundError: If Ray is needed and not installed.
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range, or the process is the chief or a
            worker of KerasTuner itself.
    """
    workers = _validation.integer("workers", workers, low=1)
    if threads_per_worker is not None:
        _validation.integer("threads_per_worker", threads_per_worker, low=1)
    if gpus_per_worker is not None:
        gpus_per_worker = checked_gpus(gpus_per_worker)
    if address is not None:
        address = checked_address(address)
    if workers == 1 and address is None:
        return None
    if not is_installed("ray"):
        raise ModuleNotFoundError(
            "Several workers need Ray, which is not installed. Run: "
            "pip install ray, or pass workers=1."
        )
    if "KERASTUNER_ORACLE_IP" in os.environ:
        raise ValueError(
            "'workers' and 'ray_address' must not be given if KERASTUNER_ORACLE_IP is "
            "set, because KerasTuner's chief then distributes the trials. Pass "
            "workers=1 without a 'ray_address', or unset the variable."
        )
    from kdropout.tuning.ray_search import RayRunner

    return RayRunner(workers, address, threads_per_worker, gpus_per_worker)


def _check_results(results, objective):
    """Raise if the result of `HyperModel.fit` cannot be scored."""
    if isinstance(results, list):
        for result in results:
            _check_results(result, objective)
        return
    is_named = objective != "default_objective"  # KerasTuner's name if none is given
    if isinstance(results, numbers.Real):
        return
    if isinstance(results, dict) and objective in results:
        return
    if isinstance(results, keras.callbacks.History) and is_named:
        return
    expected = "a number"
    if is_named:
        expected = f"a keras.callbacks.History, a number, or a dict with '{objective}'"
    lacks_key = is_named and isinstance(results, dict)
    kinds = keras_tuner.errors
    error = kinds.FatalValueError if lacks_key else kinds.FatalTypeError
    raise error(
        f"'HyperModel.fit' must return {expected}, or a list of several. Received: "
        f"{results!r} of type {type(results).__name__}"
    )


def _arguments_of_training(kwargs, execution):
    """The keyword arguments of `fit` for one training, with the data of its fold."""
    arguments = {name: value for name, value in kwargs.items() if name != "folds"}
    if "folds" in kwargs:
        arguments |= kwargs["folds"].of_training(execution).arguments
    return arguments


def _scores_of(results, history, objective):
    """The score of each training of a trial, or None if there is only one.

    A score that is not finite is NaN. Also None if a custom fit trained several times.
    """
    if len(results) < 2 or any(isinstance(result, list) for result in results):
        return None
    choose = max if objective.direction == "max" else min
    scores = []
    for execution, result in enumerate(results):
        if isinstance(result, keras.callbacks.History):
            curve = history.curve(execution, objective)
            scores.append(choose(curve.values(), default=math.nan))
        elif isinstance(result, dict):
            scores.append(float(result[objective.name]))
        else:
            scores.append(float(result))
    return scores


def _tuner_hooks(tuner, trial):
    """A callback for the hooks that subclasses of a tuner may override."""
    overrides_batches = any(
        getattr(type(tuner), name) is not getattr(keras_tuner.Tuner, name)
        for name in ("on_batch_begin", "on_batch_end")
    )
    kind = _BatchHooks if overrides_batches else _EpochHooks
    return kind(tuner, trial)


class _EpochHooks(keras.callbacks.Callback):
    def __init__(self, tuner, trial):
        super().__init__()
        self.tuner = tuner
        self.trial = trial

    def on_epoch_begin(self, epoch, logs=None):
        self.tuner.on_epoch_begin(self.trial, self.model, epoch, logs=logs)

    def on_epoch_end(self, epoch, logs=None):
        self.tuner.on_epoch_end(self.trial, self.model, epoch, logs=logs)


class _BatchHooks(_EpochHooks):
    # This is a separate class, because a callback that acts at batches prevents an
    # epoch from running as one graph.
    def on_batch_begin(self, batch, logs=None):
        self.tuner.on_batch_begin(self.trial, self.model, batch, logs)

    def on_batch_end(self, batch, logs=None):
        self.tuner.on_batch_end(self.trial, self.model, batch, logs)
