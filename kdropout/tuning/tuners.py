"""KerasTuner's tuners, many times faster where trials differ in rates alone."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import keras
import keras_tuner
import numpy as np

from kdropout.tuning.halving import RUNGS, SETTINGS
from kdropout.tuning.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
    SuccessiveHalvingOracle,
)
from kdropout.tuning.space import plan_of
from kdropout.tuning.trials import Build, TrialEngine

if TYPE_CHECKING:
    import tensorflow as tf

Objective: TypeAlias = str | keras_tuner.Objective | list[str | keras_tuner.Objective]


class RandomSearch(keras_tuner.RandomSearch, TrialEngine):
    """`keras_tuner.RandomSearch` on models that are compiled once.

    See `TrialEngine` for how trials run, are stored and are resumed.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. May be None only if a subclass has its own `run_trial`.
            Defaults to None.
        objective: String, `keras_tuner.Objective`, or a list of these, whose sum
            counts. May be None if `run_trial` or `HyperModel.fit` returns a number to
            minimise. Defaults to None.
        max_trials: Integer, the largest number of trials. The search ends earlier if
            the space is exhausted. Defaults to 10.
        seed: Integer, or None for a random one. Defaults to None.
        hyperparameters: `keras_tuner.HyperParameters` that are declared before the
            first build, or None. Defaults to None.
        tune_new_entries: Boolean, whether to search hyperparameters that are not in
            `hyperparameters`. If False, they have their defaults. Defaults to True.
        allow_new_entries: Boolean, whether the hypermodel may declare hyperparameters
            that are not in `hyperparameters`. Defaults to True.
        max_retries_per_trial: Integer, the number of times to repeat a trial that
            failed. Defaults to 0.
        max_consecutive_failed_trials: Integer, the number of trials that may fail one
            after another before the search stops. Defaults to 3.
        max_model_size: Integer, the number of parameters above which a trial fails, or
            None for no limit. Defaults to None.
        optimizer: Optimizer that takes the place of the model's, or None. Defaults to
            None.
        loss: Loss that takes the place of the model's, or None. Defaults to None.
        metrics: Metrics that take the place of the model's, or None. Defaults to None.
        distribution_strategy: A `tf.distribute.Strategy` for the models, or None.
            Defaults to None.
        directory: Path of the folder that holds the project, or None for the current
            one. Defaults to None.
        project_name: String, name of the folder of the search, or None for
            "untitled_project". Defaults to None.
        logger: Not used. KerasTuner has it for older programs.
        tuner_id: String, name of this process among KerasTuner's own workers, or None.
            Defaults to None.
        overwrite: Boolean, whether to delete a search of the same name. If False, that
            search is resumed. Defaults to False.
        executions_per_trial: Integer, the number of trainings per trial, with other
            initial weights. The score is their mean. Defaults to 1.
        scored_epoch: "best" to score a training by its best epoch, as KerasTuner does;
            "last" by its last one, as it would be without early stopping. The weights
            that are kept are those of that epoch. Defaults to "best".
        workers: Integer of at least 1, the number of processes that run trials, on Ray
            if there is more than one. Defaults to 1.
        ray_address: Address of a Ray cluster for the workers, such as "auto", or None
            for this machine. Defaults to None.
        threads_per_worker: Integer of at least 1, or None for a fair share of the cores
            of this machine. Defaults to None.
        log_dir: Path of a folder for TensorBoard, which no other search may use. The
            tab "HParams" has a row for each trial that has ended, and the tab "Dropout"
            the charts of the search. None to write nothing. Defaults to None.

    Raises:
        MissingPackages: If `log_dir` is given and TensorBoard is not installed.
        ModuleNotFoundError: If there are workers and Ray is not installed.
        RuntimeError: If another process writes to the project, or the project belongs
            to another algorithm.
        TypeError: If an argument is of the wrong type.
        ValueError: If there is no hypermodel, or an argument is out of range.

    Example:

    >>> import tempfile
    >>> from kdropout import tuning
    >>> def build(hp):
    ...     model = keras.Sequential([
    ...         keras.Input((4,)), kdropout.layers.Dropout(0.5, name="drop"),
    ...         keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return tuning.tune_rates(hp, model)
    >>> x, y = np.ones((8, 4)), np.ones((8, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tuner = tuning.RandomSearch(
    ...         build, "val_loss", max_trials=3, directory=folder)
    ...     tuner.search(x, y, validation_data=(x, y), verbose=0)
    >>> list(tuner.get_best_hyperparameters()[0].values)
    ['rate/drop']
    """

    def __init__(
        self,
        hypermodel: keras_tuner.HyperModel | Build | None = None,
        objective: Objective | None = None,
        max_trials: int = 10,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
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
        scored_epoch: str = "best",
        workers: int = 1,
        ray_address: str | None = None,
        threads_per_worker: int | None = None,
        log_dir: str | os.PathLike | None = None,
    ):
        self.seed = seed  # as KerasTuner's
        oracle = RandomSearchOracle(
            objective=objective,
            max_trials=max_trials,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        # Not that of KerasTuner's class, which makes its own oracle.
        TrialEngine.__init__(
            self,
            oracle,
            hypermodel,
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
            scored_epoch=scored_epoch,
            workers=workers,
            ray_address=ray_address,
            threads_per_worker=threads_per_worker,
            log_dir=log_dir,
        )


class BayesianOptimization(keras_tuner.BayesianOptimization, TrialEngine):
    """`keras_tuner.BayesianOptimization` on models that are compiled once.

    It never asks for the same values twice. Where the Gaussian process proposes values
    that were tried, the best of some random new points takes their place. See
    `TrialEngine` for how trials run, are stored and are resumed.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. May be None only if a subclass has its own `run_trial`.
            Defaults to None.
        objective: String, `keras_tuner.Objective`, or a list of these, whose sum
            counts. May be None if `run_trial` or `HyperModel.fit` returns a number to
            minimise. Defaults to None.
        max_trials: Integer, the largest number of trials. The search ends earlier if
            the space is exhausted. Defaults to 10.
        num_initial_points: Integer, the number of random trials at the start, or None
            for three times the number of hyperparameters. Defaults to None.
        alpha: Float, the noise that is expected in scores, added to the diagonal of the
            kernel matrix. Defaults to 1e-4.
        beta: Float, the weight of exploration against exploitation. Defaults to 2.6.
        seed: Integer, or None for a random one. Defaults to None.
        hyperparameters: `keras_tuner.HyperParameters` that are declared before the
            first build, or None. Defaults to None.
        tune_new_entries: Boolean, whether to search hyperparameters that are not in
            `hyperparameters`. If False, they have their defaults. Defaults to True.
        allow_new_entries: Boolean, whether the hypermodel may declare hyperparameters
            that are not in `hyperparameters`. Defaults to True.
        max_retries_per_trial: Integer, the number of times to repeat a trial that
            failed. Defaults to 0.
        max_consecutive_failed_trials: Integer, the number of trials that may fail one
            after another before the search stops. Defaults to 3.
        max_model_size: Integer, the number of parameters above which a trial fails, or
            None for no limit. Defaults to None.
        optimizer: Optimizer that takes the place of the model's, or None. Defaults to
            None.
        loss: Loss that takes the place of the model's, or None. Defaults to None.
        metrics: Metrics that take the place of the model's, or None. Defaults to None.
        distribution_strategy: A `tf.distribute.Strategy` for the models, or None.
            Defaults to None.
        directory: Path of the folder that holds the project, or None for the current
            one. Defaults to None.
        project_name: String, name of the folder of the search, or None for
            "untitled_project". Defaults to None.
        logger: Not used. KerasTuner has it for older programs.
        tuner_id: String, name of this process among KerasTuner's own workers, or None.
            Defaults to None.
        overwrite: Boolean, whether to delete a search of the same name. If False, that
            search is resumed. Defaults to False.
        executions_per_trial: Integer, the number of trainings per trial, with other
            initial weights. The score is their mean. Defaults to 1.
        scored_epoch: "best" to score a training by its best epoch, as KerasTuner does;
            "last" by its last one, as it would be without early stopping. The weights
            that are kept are those of that epoch. Defaults to "best".
        workers: Integer of at least 1, the number of processes that run trials, on Ray
            if there is more than one. Defaults to 1.
        ray_address: Address of a Ray cluster for the workers, such as "auto", or None
            for this machine. Defaults to None.
        threads_per_worker: Integer of at least 1, or None for a fair share of the cores
            of this machine. Defaults to None.
        log_dir: Path of a folder for TensorBoard, which no other search may use. The
            tab "HParams" has a row for each trial that has ended, and the tab "Dropout"
            the charts of the search. None to write nothing. Defaults to None.

    Raises:
        MissingPackages: If `log_dir` is given and TensorBoard is not installed.
        ModuleNotFoundError: If there are workers and Ray is not installed.
        RuntimeError: If another process writes to the project, or the project belongs
            to another algorithm.
        TypeError: If an argument is of the wrong type.
        ValueError: If there is no hypermodel, or an argument is out of range.
    """

    def __init__(
        self,
        hypermodel: keras_tuner.HyperModel | Build | None = None,
        objective: Objective | None = None,
        max_trials: int = 10,
        num_initial_points: int | None = None,
        alpha: float = 1e-4,
        beta: float = 2.6,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
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
        scored_epoch: str = "best",
        workers: int = 1,
        ray_address: str | None = None,
        threads_per_worker: int | None = None,
        log_dir: str | os.PathLike | None = None,
    ):
        oracle = BayesianOptimizationOracle(
            objective=objective,
            max_trials=max_trials,
            num_initial_points=num_initial_points,
            alpha=alpha,
            beta=beta,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        # Not that of KerasTuner's class, which makes its own oracle.
        TrialEngine.__init__(
            self,
            oracle,
            hypermodel,
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
            scored_epoch=scored_epoch,
            workers=workers,
            ray_address=ray_address,
            threads_per_worker=threads_per_worker,
            log_dir=log_dir,
        )


class Hyperband(keras_tuner.Hyperband, TrialEngine):
    """`keras_tuner.Hyperband` on models that are compiled once.

    A trial that is promoted goes on exactly where it stopped: with its last weights,
    the state of the optimizer, the clocks of schedules, rates and seeds, and with the
    order of the data that a single training would have. (KerasTuner begins with the
    weights of the best epoch and a new optimizer.) Its first rounds are short, which
    favours low rates: see `SuccessiveHalving`. See `TrialEngine` for how trials run,
    are stored and are resumed.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. May be None only if a subclass has its own `run_trial`.
            Defaults to None.
        objective: String, `keras_tuner.Objective`, or a list of these, whose sum
            counts. May be None if `run_trial` or `HyperModel.fit` returns a number to
            minimise. Defaults to None.
        max_epochs: Integer, the largest number of epochs of a trial. Defaults to 100.
        factor: Integer of at least 2, the factor by which epochs grow and the number
            of trials shrinks from round to round. Defaults to 3.
        hyperband_iterations: Integer, the number of times to run the whole algorithm.
            Defaults to 1.
        seed: Integer, or None for a random one. Defaults to None.
        hyperparameters: `keras_tuner.HyperParameters` that are declared before the
            first build, or None. Defaults to None.
        tune_new_entries: Boolean, whether to search hyperparameters that are not in
            `hyperparameters`. If False, they have their defaults. Defaults to True.
        allow_new_entries: Boolean, whether the hypermodel may declare hyperparameters
            that are not in `hyperparameters`. Defaults to True.
        max_retries_per_trial: Integer, the number of times to repeat a trial that
            failed. Defaults to 0.
        max_consecutive_failed_trials: Integer, the number of trials that may fail one
            after another before the search stops. Defaults to 3.
        max_model_size: Integer, the number of parameters above which a trial fails, or
            None for no limit. Defaults to None.
        optimizer: Optimizer that takes the place of the model's, or None. Defaults to
            None.
        loss: Loss that takes the place of the model's, or None. Defaults to None.
        metrics: Metrics that take the place of the model's, or None. Defaults to None.
        distribution_strategy: A `tf.distribute.Strategy` for the models, or None.
            Defaults to None.
        directory: Path of the folder that holds the project, or None for the current
            one. Defaults to None.
        project_name: String, name of the folder of the search, or None for
            "untitled_project". Defaults to None.
        logger: Not used. KerasTuner has it for older programs.
        tuner_id: String, name of this process among KerasTuner's own workers, or None.
            Defaults to None.
        overwrite: Boolean, whether to delete a search of the same name. If False, that
            search is resumed. Defaults to False.
        executions_per_trial: Integer, the number of trainings per trial, with other
            initial weights. The score is their mean. Defaults to 1.
        scored_epoch: "best" to score a training by its best epoch, as KerasTuner does;
            "last" by its last one, as it would be without early stopping. The weights
            that are kept are those of that epoch. Defaults to "best".
        workers: Integer of at least 1, the number of processes that run trials, on Ray
            if there is more than one. Defaults to 1.
        ray_address: Address of a Ray cluster for the workers, such as "auto", or None
            for this machine. Defaults to None.
        threads_per_worker: Integer of at least 1, or None for a fair share of the cores
            of this machine. Defaults to None.
        log_dir: Path of a folder for TensorBoard, which no other search may use. The
            tab "HParams" has a row for each trial that has ended, and the tab "Dropout"
            the charts of the search. None to write nothing. Defaults to None.

    Raises:
        MissingPackages: If `log_dir` is given and TensorBoard is not installed.
        ModuleNotFoundError: If there are workers and Ray is not installed.
        RuntimeError: If another process writes to the project, or the project belongs
            to another algorithm.
        TypeError: If an argument is of the wrong type.
        ValueError: If there is no hypermodel, or an argument is out of range.

    Reference:
        [Li et al., 2018: Hyperband](https://jmlr.org/papers/v18/16-558.html)
    """

    def __init__(
        self,
        hypermodel: keras_tuner.HyperModel | Build | None = None,
        objective: Objective | None = None,
        max_epochs: int = 100,
        factor: int = 3,
        hyperband_iterations: int = 1,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
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
        scored_epoch: str = "best",
        workers: int = 1,
        ray_address: str | None = None,
        threads_per_worker: int | None = None,
        log_dir: str | os.PathLike | None = None,
    ):
        oracle = HyperbandOracle(
            objective=objective,
            max_epochs=max_epochs,
            factor=factor,
            hyperband_iterations=hyperband_iterations,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        # Not that of KerasTuner's class, which makes its own oracle.
        TrialEngine.__init__(
            self,
            oracle,
            hypermodel,
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
            scored_epoch=scored_epoch,
            workers=workers,
            ray_address=ray_address,
            threads_per_worker=threads_per_worker,
            log_dir=log_dir,
        )

    def _build_hypermodel(self, hp):
        # The weights come from the saved state, and not from the best epoch.
        return TrialEngine._build_hypermodel(self, hp)


class SuccessiveHalving(TrialEngine):
    """Late halving: a few settings side by side, half of which stop at each rung.

    Each setting trains up to the first rung, by default a half of the epochs. There the
    better half of the settings goes on to the next rung, and so on, until the best one
    trains to its end. So 4 settings cost as much as 2.75 trainings. A trial is one
    setting between two rungs, and goes on exactly where the trial before it stopped.

    Early in a training, less dropout nearly always looks better: with it, a network
    learns faster, and has not had the time to overfit. So the first rung is late.

    The score of a trial is the mean of the objective over its last epochs, and decides
    at the rungs; of equal settings, the earlier one goes on. A trial that failed, or
    whose objective is NaN, does not go on. If `HyperModel.fit` or `run_trial` returns a
    number, this is the score. See `TrialEngine` for how trials run, are stored and are
    resumed.

    `get_best_trials`, `get_best_models` and `get_best_hyperparameters` begin with the
    setting that reached the end: trials of later rungs come first, then the score
    counts.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. May be None only if a subclass has its own `run_trial`.
            Defaults to None.
        objective: String, `keras_tuner.Objective`, or a list of these, whose sum
            counts. May be None if `run_trial` or `HyperModel.fit` returns a number to
            minimise. Defaults to None.
        max_epochs: Integer, the number of epochs of a whole training. Defaults to 100.
        settings: Sequence of at least 2 settings. A number in [0, 1) is the rate for
            all layers: each hyperparameter that moves a rate has the allowed value next
            to it, and the others have their defaults. A dict maps names of
            hyperparameters to values, and those it lacks have their defaults. Settings
            that become equal count once. Defaults to (0.0, 0.2, 0.4, 0.6).
        rungs: Sequence of increasing fractions of `max_epochs` in (0, 1), at each of
            which the better half of the settings goes on, rounded up. Defaults to
            (0.5, 0.75).
        smoothing: Integer of at least 1, the number of last epochs whose mean is the
            score. It is the mean of all epochs of a trial that has fewer. Defaults to
            3.
        seed: Integer, or None for a random one. Defaults to None.
        hyperparameters: `keras_tuner.HyperParameters` that are declared before the
            first build, or None. Defaults to None.
        tune_new_entries: Boolean, whether to search hyperparameters that are not in
            `hyperparameters`. If False, they have their defaults. Defaults to True.
        allow_new_entries: Boolean, whether the hypermodel may declare hyperparameters
            that are not in `hyperparameters`. Defaults to True.
        max_retries_per_trial: Integer, the number of times to repeat a trial that
            failed. Defaults to 0.
        max_consecutive_failed_trials: Integer, the number of trials that may fail one
            after another before the search stops. Defaults to 3.
        max_model_size: Integer, the number of parameters above which a trial fails, or
            None for no limit. Defaults to None.
        optimizer: Optimizer that takes the place of the model's, or None. Defaults to
            None.
        loss: Loss that takes the place of the model's, or None. Defaults to None.
        metrics: Metrics that take the place of the model's, or None. Defaults to None.
        distribution_strategy: A `tf.distribute.Strategy` for the models, or None.
            Defaults to None.
        directory: Path of the folder that holds the project, or None for the current
            one. Defaults to None.
        project_name: String, name of the folder of the search, or None for
            "untitled_project". Defaults to None.
        logger: Not used. KerasTuner has it for older programs.
        tuner_id: String, name of this process among KerasTuner's own workers, or None.
            Defaults to None.
        overwrite: Boolean, whether to delete a search of the same name. If False, that
            search is resumed. Defaults to False.
        executions_per_trial: Integer, the number of trainings per trial, with other
            initial weights. The score is their mean. Defaults to 1.
        scored_epoch: "last" to keep the weights of the last epoch of a trial, "best" to
            keep those of its best epoch. The score is the same. Defaults to "last".
        workers: Integer of at least 1, the number of processes that run trials, on Ray
            if there is more than one. Defaults to 1.
        ray_address: Address of a Ray cluster for the workers, such as "auto", or None
            for this machine. Defaults to None.
        threads_per_worker: Integer of at least 1, or None for a fair share of the cores
            of this machine. Defaults to None.
        log_dir: Path of a folder for TensorBoard, which no other search may use. The
            tab "HParams" has a row for each trial that has ended, and the tab "Dropout"
            the charts of the search. None to write nothing. Defaults to None.

    Raises:
        MissingPackages: If `log_dir` is given and TensorBoard is not installed.
        ModuleNotFoundError: If there are workers and Ray is not installed.
        RuntimeError: If another process writes to the project, or the project belongs
            to another algorithm.
        TypeError: If an argument is of the wrong type.
        ValueError: If there is no hypermodel, or an argument is out of range.

    Reference:
        [Jamieson and Talwalkar, 2016: Non-stochastic best arm
        identification](https://proceedings.mlr.press/v51/jamieson16.html)
    """

    def __init__(
        self,
        hypermodel: keras_tuner.HyperModel | Build | None = None,
        objective: Objective | None = None,
        max_epochs: int = 100,
        settings: Sequence[float | Mapping[str, object]] = SETTINGS,
        rungs: Sequence[float] = RUNGS,
        smoothing: int = 3,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
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
        scored_epoch: str = "last",
        workers: int = 1,
        ray_address: str | None = None,
        threads_per_worker: int | None = None,
        log_dir: str | os.PathLike | None = None,
    ):
        oracle = SuccessiveHalvingOracle(
            objective=objective,
            max_epochs=max_epochs,
            settings=settings,
            rungs=rungs,
            smoothing=smoothing,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        super().__init__(
            oracle,
            hypermodel,
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
            scored_epoch=scored_epoch,
            workers=workers,
            ray_address=ray_address,
            threads_per_worker=threads_per_worker,
            log_dir=log_dir,
        )
        if not self._is_keras_tuner_worker:
            oracle.settings_values()  # raises here, before anything is trained

    def reload(self) -> None:
        if not self._own_oracle.has_learned:
            # Building a model shows which hyperparameters move rates.
            self._populate_initial_space()
        super().reload()

    def _learn(self, model):
        super()._learn(model)
        if isinstance(model, keras.Model):
            self._own_oracle.learn(plan_of(model))

    def _scored(self, history):
        smoothing = self._own_oracle.smoothing
        metrics = {
            name: float(np.mean(values[-smoothing:]))
            for name, values in history.history.items()
        }
        return self._with_objective(metrics)


class GridSearch(keras_tuner.GridSearch, TrialEngine):
    """`keras_tuner.GridSearch` on models that are compiled once.

    See `TrialEngine` for how trials run, are stored and are resumed.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. May be None only if a subclass has its own `run_trial`.
            Defaults to None.
        objective: String, `keras_tuner.Objective`, or a list of these, whose sum
            counts. May be None if `run_trial` or `HyperModel.fit` returns a number to
            minimise. Defaults to None.
        max_trials: Integer, the largest number of trials, or None to try the whole
            grid. Defaults to None.
        seed: Integer, or None for a random one. Defaults to None.
        hyperparameters: `keras_tuner.HyperParameters` that are declared before the
            first build, or None. Defaults to None.
        tune_new_entries: Boolean, whether to search hyperparameters that are not in
            `hyperparameters`. If False, they have their defaults. Defaults to True.
        allow_new_entries: Boolean, whether the hypermodel may declare hyperparameters
            that are not in `hyperparameters`. Defaults to True.
        max_retries_per_trial: Integer, the number of times to repeat a trial that
            failed. Defaults to 0.
        max_consecutive_failed_trials: Integer, the number of trials that may fail one
            after another before the search stops. Defaults to 3.
        max_model_size: Integer, the number of parameters above which a trial fails, or
            None for no limit. Defaults to None.
        optimizer: Optimizer that takes the place of the model's, or None. Defaults to
            None.
        loss: Loss that takes the place of the model's, or None. Defaults to None.
        metrics: Metrics that take the place of the model's, or None. Defaults to None.
        distribution_strategy: A `tf.distribute.Strategy` for the models, or None.
            Defaults to None.
        directory: Path of the folder that holds the project, or None for the current
            one. Defaults to None.
        project_name: String, name of the folder of the search, or None for
            "untitled_project". Defaults to None.
        logger: Not used. KerasTuner has it for older programs.
        tuner_id: String, name of this process among KerasTuner's own workers, or None.
            Defaults to None.
        overwrite: Boolean, whether to delete a search of the same name. If False, that
            search is resumed. Defaults to False.
        executions_per_trial: Integer, the number of trainings per trial, with other
            initial weights. The score is their mean. Defaults to 1.
        scored_epoch: "best" to score a training by its best epoch, as KerasTuner does;
            "last" by its last one, as it would be without early stopping. The weights
            that are kept are those of that epoch. Defaults to "best".
        workers: Integer of at least 1, the number of processes that run trials, on Ray
            if there is more than one. Defaults to 1.
        ray_address: Address of a Ray cluster for the workers, such as "auto", or None
            for this machine. Defaults to None.
        threads_per_worker: Integer of at least 1, or None for a fair share of the cores
            of this machine. Defaults to None.
        log_dir: Path of a folder for TensorBoard, which no other search may use. The
            tab "HParams" has a row for each trial that has ended, and the tab "Dropout"
            the charts of the search. None to write nothing. Defaults to None.

    Raises:
        MissingPackages: If `log_dir` is given and TensorBoard is not installed.
        ModuleNotFoundError: If there are workers and Ray is not installed.
        RuntimeError: If another process writes to the project, or the project belongs
            to another algorithm.
        TypeError: If an argument is of the wrong type.
        ValueError: If there is no hypermodel, or an argument is out of range.
    """

    def __init__(
        self,
        hypermodel: keras_tuner.HyperModel | Build | None = None,
        objective: Objective | None = None,
        max_trials: int | None = None,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
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
        scored_epoch: str = "best",
        workers: int = 1,
        ray_address: str | None = None,
        threads_per_worker: int | None = None,
        log_dir: str | os.PathLike | None = None,
    ):
        self.seed = seed  # as KerasTuner's
        oracle = GridSearchOracle(
            objective=objective,
            max_trials=max_trials,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        # Not that of KerasTuner's class, which makes its own oracle.
        TrialEngine.__init__(
            self,
            oracle,
            hypermodel,
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
            scored_epoch=scored_epoch,
            workers=workers,
            ray_address=ray_address,
            threads_per_worker=threads_per_worker,
            log_dir=log_dir,
        )
