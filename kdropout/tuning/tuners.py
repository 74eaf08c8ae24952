"""KerasTuner's tuners, which are faster if trials differ only in rates."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import keras
import keras_tuner
import numpy as np

from kdropout.tuning.budget import MedianStopping, Timeout
from kdropout.tuning.halving import RUNGS, SETTINGS
from kdropout.tuning.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
    SuccessiveHalvingOracle,
)
from kdropout.tuning.trials import Build, TrialEngine

if TYPE_CHECKING:
    import tensorflow as tf

Objective: TypeAlias = str | keras_tuner.Objective | list[str | keras_tuner.Objective]


class RandomSearch(keras_tuner.RandomSearch, TrialEngine):
    """`keras_tuner.RandomSearch` on models that are compiled once.

    `TrialEngine` describes how trials run, are stored and are resumed.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. May be None only if a subclass has its own `run_trial`.
            Defaults to None.
        objective: String, `keras_tuner.Objective`, or a list of these, whose sum is
            optimised. May be None if `run_trial` or `HyperModel.fit` returns a number
            to minimise. Defaults to None.
        max_trials: Integer, the largest number of trials. The search ends earlier if
            the space is exhausted. Defaults to 10.
        seed: Integer, or None for a random one. Defaults to None.
        hyperparameters: `keras_tuner.HyperParameters` that are declared before the
            first build, or None. Defaults to None.
        tune_new_entries: Boolean, whether to search hyperparameters that are not in
            `hyperparameters`. If False, they keep their defaults. Defaults to True.
        allow_new_entries: Boolean, whether the hypermodel may declare hyperparameters
            that are not in `hyperparameters`. Defaults to True.
        max_retries_per_trial: Integer, the number of times to repeat a trial that
            failed. Defaults to 0.
        max_consecutive_failed_trials: Integer. The search stops after this many failed
            trials in a row. Defaults to 3.
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
        gpus_per_worker: float | None = None,
        log_dir: str | os.PathLike | None = None,
        timeout: Timeout | None = None,
        patience: int | None = None,
        median_stopping: bool | MedianStopping | Mapping[str, int] = False,
        initial_trials: Sequence[float | Mapping[str, object]] | None = None,
        retry_failed: bool = False,
    ):
        self.seed = seed  # KerasTuner's class has this attribute
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
        # The constructor of KerasTuner's class would make another oracle.
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
            gpus_per_worker=gpus_per_worker,
            log_dir=log_dir,
            timeout=timeout,
            patience=patience,
            median_stopping=median_stopping,
            initial_trials=initial_trials,
            retry_failed=retry_failed,
        )


class BayesianOptimization(keras_tuner.BayesianOptimization, TrialEngine):
    """`keras_tuner.BayesianOptimization` on models that are compiled once.

    It never proposes the same values twice. If the Gaussian process proposes values
    that were tried before, the best of several random new points replaces them.
    `TrialEngine` describes how trials run, are stored and are resumed.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. May be None only if a subclass has its own `run_trial`.
            Defaults to None.
        objective: String, `keras_tuner.Objective`, or a list of these, whose sum is
            optimised. May be None if `run_trial` or `HyperModel.fit` returns a number
            to minimise. Defaults to None.
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
            `hyperparameters`. If False, they keep their defaults. Defaults to True.
        allow_new_entries: Boolean, whether the hypermodel may declare hyperparameters
            that are not in `hyperparameters`. Defaults to True.
        max_retries_per_trial: Integer, the number of times to repeat a trial that
            failed. Defaults to 0.
        max_consecutive_failed_trials: Integer. The search stops after this many failed
            trials in a row. Defaults to 3.
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
        gpus_per_worker: float | None = None,
        log_dir: str | os.PathLike | None = None,
        timeout: Timeout | None = None,
        patience: int | None = None,
        median_stopping: bool | MedianStopping | Mapping[str, int] = False,
        initial_trials: Sequence[float | Mapping[str, object]] | None = None,
        retry_failed: bool = False,
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
        # The constructor of KerasTuner's class would make another oracle.
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
            gpus_per_worker=gpus_per_worker,
            log_dir=log_dir,
            timeout=timeout,
            patience=patience,
            median_stopping=median_stopping,
            initial_trials=initial_trials,
            retry_failed=retry_failed,
        )


class Hyperband(keras_tuner.Hyperband, TrialEngine):
    """`keras_tuner.Hyperband` on models that are compiled once.

    A trial that is promoted continues exactly where it stopped: with the last weights,
    the state of the optimizer, the clocks of schedules, the rates and the seeds. It
    sees the data in the order that a single training would have. KerasTuner continues
    with the weights of the best epoch and a new optimizer instead.

    The first rounds of Hyperband are short, which favours low rates.
    `SuccessiveHalving` avoids this. `TrialEngine` describes how trials run, are stored
    and are resumed.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. May be None only if a subclass has its own `run_trial`.
            Defaults to None.
        objective: String, `keras_tuner.Objective`, or a list of these, whose sum is
            optimised. May be None if `run_trial` or `HyperModel.fit` returns a number
            to minimise. Defaults to None.
        max_epochs: Integer, the largest number of epochs of a trial. Defaults to 100.
        factor: Integer of at least 2, the factor by which epochs grow and the number
            of trials shrinks from round to round. Defaults to 3.
        hyperband_iterations: Integer, the number of times to run the whole algorithm.
            Defaults to 1.
        seed: Integer, or None for a random one. Defaults to None.
        hyperparameters: `keras_tuner.HyperParameters` that are declared before the
            first build, or None. Defaults to None.
        tune_new_entries: Boolean, whether to search hyperparameters that are not in
            `hyperparameters`. If False, they keep their defaults. Defaults to True.
        allow_new_entries: Boolean, whether the hypermodel may declare hyperparameters
            that are not in `hyperparameters`. Defaults to True.
        max_retries_per_trial: Integer, the number of times to repeat a trial that
            failed. Defaults to 0.
        max_consecutive_failed_trials: Integer. The search stops after this many failed
            trials in a row. Defaults to 3.
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
        gpus_per_worker: float | None = None,
        log_dir: str | os.PathLike | None = None,
        timeout: Timeout | None = None,
        patience: int | None = None,
        median_stopping: bool | MedianStopping | Mapping[str, int] = False,
        initial_trials: Sequence[float | Mapping[str, object]] | None = None,
        retry_failed: bool = False,
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
        # The constructor of KerasTuner's class would make another oracle.
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
            gpus_per_worker=gpus_per_worker,
            log_dir=log_dir,
            timeout=timeout,
            patience=patience,
            median_stopping=median_stopping,
            initial_trials=initial_trials,
            retry_failed=retry_failed,
        )

    def _build_hypermodel(self, hp):
        # The weights come from the saved state, and not from the best epoch.
        return TrialEngine._build_hypermodel(self, hp)


class SuccessiveHalving(TrialEngine):
    """Trains a few settings side by side and stops the worse half at each rung.

    All settings train up to the first rung, which is half of the epochs by default. The
    better half continues to the next rung, and so on, until the best setting trains to
    the end. With the defaults, 4 settings cost as much as 2.75 trainings. A trial
    trains one setting between two rungs, and continues exactly where the previous trial
    of this setting stopped.

    The first rung is late because less dropout nearly always looks better early in a
    training: the network learns faster and has not yet overfitted.

    The search cannot find a rate that is not among its settings. In a study of sixteen
    small tasks, the test error was 1.1 points above that of the best of nine constant
    rates on classifications, and 5.9 points in the worst task, whose best rate was 0.8.
    On regressions it was 0.3 % above (1.3 %). Add 0.8 if many labels are wrong.

    The score of a trial is the mean of the objective over its last epochs. If two
    settings are equal, the earlier one continues. A trial that failed, or whose
    objective is NaN, does not continue. If `HyperModel.fit` or `run_trial` returns a
    number, this number is the score. `TrialEngine` describes how trials run, are stored
    and are resumed.

    `get_best_trials`, `get_best_models` and `get_best_hyperparameters` rank trials of
    later rungs first, and trials of the same rung by their score. So they begin with
    the setting that reached the end.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. May be None only if a subclass has its own `run_trial`.
            Defaults to None.
        objective: String, `keras_tuner.Objective`, or a list of these, whose sum is
            optimised. May be None if `run_trial` or `HyperModel.fit` returns a number
            to minimise. Defaults to None.
        max_epochs: Integer, the number of epochs of a whole training. Defaults to 100.
        settings: Sequence of at least 2 settings. A number in [0, 1) is the rate for
            all layers: each hyperparameter that sets a rate gets the closest allowed
            value. A dict maps names of hyperparameters, layer paths or globs to values.
            All other hyperparameters get their defaults. Settings that become equal
            count once. Defaults to (0.0, 0.2, 0.4, 0.6).
        rungs: Sequence of increasing fractions of `max_epochs` in (0, 1). At each of
            them, the better half of the settings continues, rounded up. Defaults to
            (0.5, 0.75).
        smoothing: Integer of at least 1, the number of last epochs over which the score
            is averaged. A trial with fewer epochs is averaged over all of them.
            Defaults to 3.
        seed: Integer, or None for a random one. Defaults to None.
        hyperparameters: `keras_tuner.HyperParameters` that are declared before the
            first build, or None. Defaults to None.
        tune_new_entries: Boolean, whether to search hyperparameters that are not in
            `hyperparameters`. If False, they keep their defaults. Defaults to True.
        allow_new_entries: Boolean, whether the hypermodel may declare hyperparameters
            that are not in `hyperparameters`. Defaults to True.
        max_retries_per_trial: Integer, the number of times to repeat a trial that
            failed. Defaults to 0.
        max_consecutive_failed_trials: Integer. The search stops after this many failed
            trials in a row. Defaults to 3.
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
        scored_epoch: "best" to keep the weights of the best epoch of a trial, or "last"
            to keep those of its last epoch. The score does not depend on it. Defaults
            to "best".
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
            gpus_per_worker=gpus_per_worker,
            log_dir=log_dir,
            timeout=timeout,
            patience=patience,
            median_stopping=median_stopping,
            initial_trials=initial_trials,
            retry_failed=retry_failed,
        )
        if not self._is_keras_tuner_worker:
            oracle.settings_values()  # raises here, before anything is trained

    def _scored(self, history):
        smoothing = self._own_oracle.smoothing
        metrics = {
            name: float(np.mean(values[-smoothing:]))
            for name, values in history.history.items()
        }
        return self._with_objective(metrics)


class GridSearch(keras_tuner.GridSearch, TrialEngine):
    """`keras_tuner.GridSearch` on models that are compiled once.

    `TrialEngine` describes how trials run, are stored and are resumed.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from the hyperparameters
            to a compiled model. May be None only if a subclass has its own `run_trial`.
            Defaults to None.
        objective: String, `keras_tuner.Objective`, or a list of these, whose sum is
            optimised. May be None if `run_trial` or `HyperModel.fit` returns a number
            to minimise. Defaults to None.
        max_trials: Integer, the largest number of trials, or None to try the whole
            grid. Defaults to None.
        seed: Integer, or None for a random one. Defaults to None.
        hyperparameters: `keras_tuner.HyperParameters` that are declared before the
            first build, or None. Defaults to None.
        tune_new_entries: Boolean, whether to search hyperparameters that are not in
            `hyperparameters`. If False, they keep their defaults. Defaults to True.
        allow_new_entries: Boolean, whether the hypermodel may declare hyperparameters
            that are not in `hyperparameters`. Defaults to True.
        max_retries_per_trial: Integer, the number of times to repeat a trial that
            failed. Defaults to 0.
        max_consecutive_failed_trials: Integer. The search stops after this many failed
            trials in a row. Defaults to 3.
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
        gpus_per_worker: float | None = None,
        log_dir: str | os.PathLike | None = None,
        timeout: Timeout | None = None,
        patience: int | None = None,
        median_stopping: bool | MedianStopping | Mapping[str, int] = False,
        initial_trials: Sequence[float | Mapping[str, object]] | None = None,
        retry_failed: bool = False,
    ):
        self.seed = seed  # KerasTuner's class has this attribute
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
        # The constructor of KerasTuner's class would make another oracle.
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
            gpus_per_worker=gpus_per_worker,
            log_dir=log_dir,
            timeout=timeout,
            patience=patience,
            median_stopping=median_stopping,
            initial_trials=initial_trials,
            retry_failed=retry_failed,
        )
