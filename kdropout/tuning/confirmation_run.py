"""The confirmation of a search: training its best settings again, on new seeds."""

import json
import pathlib
import sys
import textwrap
from typing import Any

import keras
import keras_tuner
from tqdm import tqdm

from kdropout import _validation
from kdropout._duration import time_text
from kdropout._files import write_json
from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.inspection import dropout_layers
from kdropout.rate_rules.ramped import RampedRate
from kdropout.schedules import Ramp
from kdropout.tuning import histories
from kdropout.tuning import report as reports
from kdropout.tuning.objectives import name_of, parts_of
from kdropout.tuning.progress import bar_class
from kdropout.tuning.report import (
    CrossValidation,
    Report,
    choose_candidates,
    scores_from_plain,
    scores_to_plain,
)
from kdropout.tuning.report.confirmation import seeds_to_see, visible_effect
from kdropout.tuning.report.importance import measure_importance
from kdropout.tuning.report.records import is_schedule
from kdropout.tuning.space.plan import plan_of
from kdropout.tuning.trial_records import (
    searched_dimensions,
    trial_curves,
    trial_histories,
    trial_records,
)
from kdropout.tuning.trials import TrialEngine

# The scores of the confirmation so far, in the folder of the search or of the job.
CONFIRMATION_FILE = "confirmation.json"

# A search does not reach executions with these numbers, so the initial weights are new.
_FIRST_SEED = 1000


def report_of(tuner: TrialEngine, epochs: int | None = None) -> Report:
    """Return the report of a search that a tuner has run.

    It makes no claim, because a search cannot show whether its rates help. Use
    `tuning.confirm` for that.

    Args:
        tuner: A tuner of `kdropout.tuning`, after `search`.
        epochs: Integer, the number of epochs of each trial, or None if it is not known.
            The report only shows it. Defaults to None.

    Returns:
        `kdropout.tuning.Report`. It has the trials whose models have all layers of the
        best one.

    Raises:
        RuntimeError: If no trial has completed.
        TypeError: If `tuner` is not a tuner of `kdropout.tuning`.
        ValueError: If the tuner has no hypermodel, or the search moved no rates.

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
    ...     report = tuning.report_of(tuner)
    >>> list(report.best_rates)
    ['drop']
    """
    _, records, dimensions, curves = _results(tuner, epochs)
    objective = tuner.oracle.objective
    return Report(
        records,
        name_of(objective),
        objective.direction,
        dimensions=dimensions,
        curves=curves,
        objectives=parts_of(objective),
    )


def confirm(
    tuner: TrialEngine,
    *args: Any,
    test_data: Any = None,
    top: int = 3,
    seeds: int = 10,
    metric: str | None = None,
    verbose: int = 1,
    **kwargs: Any,
) -> Report:
    """Train the best settings of a search again, to show whether they help.

    The best settings of the search, the best single rate for all layers, and no dropout
    are trained with the same new seeds, and compared in pairs. The report says "better"
    only if an interval that holds for all comparisons together excludes 0.

    The scores are kept in the folder of the search. A later call does not repeat these
    trainings, for example after an interruption or with more seeds.

    Args:
        tuner: A tuner of `kdropout.tuning`, after `search`.
        *args: Positional arguments of `search`, such as the training data.
        test_data: Data that the search did not use: a tuple `(x, y)` of arrays, or a
            dataset of batches. None to compare the settings on `validation_data`, whose
            scores the search has already seen, or on the rows of each fold. Defaults to
            None.
        top: Integer of at least 1, the number of settings of the search. Defaults to 3.
        seeds: Integer of at least 2, the number of trainings of each setting. With
            `folds` and without `test_data`, it is the number of cross-validations, each
            on another partition of the rows. Defaults to 10.
        metric: String, name of the metric of the model that compares the settings, such
            as "accuracy" or "loss". None for that of the objective, or of the first of
            several. Defaults to None.
        verbose: Integer, 1 to show progress, 0 to hide it. Defaults to 1.
        **kwargs: Keyword arguments of `search`, such as `epochs`, `batch_size`,
            `validation_data` and `folds`. Pass the same values as to `search`.

    Returns:
        `kdropout.tuning.Report` with its confirmation. The confirmation is None if no
        trial with dropout has completed.

    Raises:
        RuntimeError: If no trial has completed.
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range, the tuner has no hypermodel, the
            search moved no rates, or `metric` is not known.

    Example:

    >>> import tempfile
    >>> from kdropout import tuning
    >>> def build(hp):
    ...     model = keras.Sequential([
    ...         keras.Input((4,)), kdropout.layers.Dropout(0.5, name="drop"),
    ...         keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return tuning.tune_rates(hp, model)
    >>> data = {"x": np.ones((8, 4)), "y": np.ones((8, 1))}
    >>> data["validation_data"] = (data["x"], data["y"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tuner = tuning.RandomSearch(
    ...         build, "val_loss", max_trials=3, directory=folder)
    ...     tuner.search(**data, verbose=0)
    ...     report = tuning.confirm(tuner, **data, seeds=2, verbose=0)
    >>> report.confirmation.seeds
    (1000, 1001)
    """
    top = _validation.integer("top", top, low=1)
    seeds = _validation.integer("seeds", seeds, low=2)
    model, records, dimensions, curves = _results(tuner, kwargs.get("epochs"))
    if "epochs" not in kwargs and hasattr(tuner.oracle, "max_epochs"):
        kwargs["epochs"] = tuner.oracle.max_epochs
    objective = tuner.oracle.objective
    args, kwargs = tuner.by_folds(args, kwargs, test_data)
    held_out = _held_out(test_data, kwargs)
    first = _first_of(objective)
    metric = _checked_metric(metric, first, _logged_names(model, held_out))
    importance = measure_importance(records, dimensions)
    run = ConfirmationRun(
        tuner,
        held_out=held_out,
        has_test=test_data is not None,
        metric=metric,
        direction=_direction_of(metric, first, model),
        arguments=kwargs,
        positional=args,
        file=pathlib.Path(tuner.project_dir) / CONFIRMATION_FILE,
    )
    return Report(
        records,
        name_of(objective),
        objective.direction,
        confirmation=run.run(records, importance, top, seeds, verbose > 0),
        dimensions=dimensions,
        importance=importance,
        curves=curves,
        objectives=parts_of(objective),
    )


def _results(tuner, epochs):
    """The best model before training, and records, dimensions, curves of the trials."""
    if not isinstance(tuner, TrialEngine):
        raise _validation.type_error("tuner", "a tuner of kdropout.tuning", tuner)
    if tuner.hypermodel is None:
        raise _validation.value_error("tuner", "a tuner with a hypermodel", None)
    model = tuner.build_best_model()
    plan = plan_of(model)
    if plan is None or not plan.names:
        raise _validation.argument_error(
            ValueError,
            "tuner",
            "must have searched rates. Received: a hypermodel that does not call "
            "kdropout.tuning.tune_rates.",
        )
    trials = [
        trial
        for trial in tuner.oracle.trials.values()
        if plan.names <= trial.hyperparameters.values.keys()
    ]
    known = trial_histories(trials, tuner.project_dir)
    records = trial_records(trials, plan, epochs, known)
    curves = trial_curves(known, tuner.oracle.objective)
    return model, records, searched_dimensions(trials, plan), curves


def _held_out(test_data, kwargs):
    """The data that compare the settings. With folds, these are those of the first."""
    if "folds" in kwargs:
        return kwargs["folds"].of_training(0).held_out
    if test_data is not None:
        return test_data
    validation_data = kwargs.get("validation_data")
    if validation_data is None:
        raise _validation.argument_error(
            ValueError,
            "test_data",
            "must be data that compare the settings, such as a tuple (x, y). Received: "
            "neither 'test_data' nor 'validation_data'.",
        )
    return validation_data


def _first_of(objective):
    """An objective, or the first of several."""
    parts = parts_of(objective)
    return keras_tuner.Objective(*parts[0]) if parts else objective


def _checked_metric(metric, objective, names):
    """The name of the metric that compares the settings, one of `names`."""
    if metric is not None and not isinstance(metric, str):
        raise _validation.type_error("metric", "a string or None", metric)
    chosen = objective.name.removeprefix("val_") if metric is None else metric
    if chosen in names:
        return chosen
    raise _validation.argument_error(
        ValueError,
        "metric",
        "must be a metric of the model, because it compares the settings. Received: "
        f"metric={metric!r}, for the objective '{objective.name}'."
        f"{_validation.nearest(chosen, names)} The metrics are: {', '.join(names)}",
    )


def _direction_of(metric, objective, model):
    if metric == objective.name.removeprefix("val_"):
        return objective.direction
    return "min" if lower_is_better(metric, model, {}) else "max"


def _logged_names(model, held_out):
    """The names that an evaluation of the model on one batch logs."""
    if isinstance(held_out, (tuple, list)):
        batch = keras.tree.map_structure(lambda array: array[:1], tuple(held_out))
        return list(model.test_on_batch(*batch, return_dict=True))
    return list(model.evaluate(held_out, steps=1, verbose=0, return_dict=True))


class ConfirmationRun:
    """The confirmation of one search, which can be interrupted and continued.

    Args:
        tuner: `TrialEngine` of the search.
        held_out: Data on which the settings are compared: a tuple `(x, y)` or
            `(x, y, sample_weight)`, or a dataset. Folds have their own.
        has_test: Boolean, whether these are test data.
        metric: String, name of the metric that compares the settings.
        direction: "min" or "max": the direction in which the metric is better.
        arguments: Dict of keyword arguments of `search`, with `folds` as a `Folds`.
        file: Path of the file that keeps the scores.
        positional: Tuple of positional arguments of `search`. Defaults to ().
    """

    def __init__(
        self,
        tuner,
        held_out,
        has_test,
        metric,
        direction,
        arguments,
        file,
        positional=(),
    ):
        self._tuner = tuner
        self._held_out = held_out
        self._metric = metric
        self._folds = arguments.get("folds")
        self._has_test = has_test
        kinds = [] if self._folds is None else [f"{self._folds.number}-fold"]
        kinds += ["test"] if has_test else []
        self._measure = f"{' '.join(kinds) or 'validation'} {metric}"
        self._direction = direction
        self._arguments = arguments
        self._positional = positional
        self._file = file
        self._kept = _read_scores(file)
        self._hp = tuner.get_best_hyperparameters()[0]

    def run(self, records, importance, top, seeds, show):
        """Return the `Confirmation`, or None if there is nothing to confirm."""
        objective = self._tuner.oracle.objective
        candidates = choose_candidates(
            records,
            objective.direction,
            top=top,
            importance=importance,
            use_values=any(map(is_schedule, records)),
        )
        if len(candidates) < 2:
            return None  # the best trials have no dropout
        first, number, cross_validation = _FIRST_SEED, seeds, None
        if self._folds is not None:
            first *= self._folds.number  # the first fold of a new partition
        if self._folds is not None and not self._has_test:
            number *= self._folds.number
            cross_validation = CrossValidation(self._folds.number, self._folds.ratio)
        seeds = range(first, first + number)
        if show:
            self._announce(candidates, seeds, cross_validation)
        with ConfirmationProgress(
            candidates, seeds, self._measure, show, cross_validation
        ) as progress:
            return reports.confirm(
                candidates,
                self._train,
                seeds,
                self._direction,
                measure=self._measure,
                progress=progress.update,
                save=lambda scores: self._save(candidates, scores),
                partial=self._earlier(candidates),
                cross_validation=cross_validation,
            )

    def _announce(self, candidates, seeds, cross_validation):
        """Print how many trainings follow, how long they take, and what they can show.

        This goes to standard error, like all progress.
        """
        done = sum(seed in seeds for _, seed in self._earlier(candidates))
        number = len(candidates) * len(seeds) - done
        if not number:
            return
        project, ended = self._tuner.project_dir, self._tuner.oracle.end_order
        trained = histories.of_trials(project, ended)
        seconds = histories.seconds_per_epoch(trained.values())
        text = f"Confirmation: {number} trainings"
        if seconds is not None:
            epochs = self._arguments.get("epochs", 1)
            text += f", at most about {time_text(number * epochs * seconds)}"
        if self._tuner.budget.timeout is not None:
            text += ", which the timeout of the search does not include"
        text += f". {_about_effect(list(candidates), len(seeds), cross_validation)}"
        print(textwrap.fill(text, 88), file=sys.stderr, flush=True)

    def _train(self, setting, seed):
        """Train a model with this setting, and return the score of its best epoch."""
        hp = self._hp.copy()
        hp.values.update({n: value for n, value in setting.items() if n in hp.values})

        def prepare(model):
            plan = plan_of(model)
            if plan.names <= setting.keys():
                plan.assign(model, setting)
            else:
                _give_rates(model, setting)

        model = self._tuner.train_anew(
            hp, seed, prepare, *self._positional, **self._arguments
        )
        held_out = self._held_out
        if self._folds is not None:
            held_out = self._folds.of_training(seed).held_out
        return evaluate(model, held_out)[self._metric]

    def _save(self, candidates, scores):
        """Write the scores so far, and earlier ones that this run does not need.

        A later run with another metric, more seeds or more trials may need them.
        """
        now = [
            {"measure": self._measure, **score}
            for score in scores_to_plain(candidates, scores)
        ]
        written = [_training(score) for score in now]
        others = [score for score in self._kept if _training(score) not in written]
        write_json(self._file, {"scores": [*others, *now]})

    def _earlier(self, candidates):
        """The scores of these candidates from earlier runs."""
        plain = [score for score in self._kept if score["measure"] == self._measure]
        return scores_from_plain(candidates, plain)


def _about_effect(labels, number, cross_validation):
    """A sentence on the effect that a number of seeds or folds can show."""
    if cross_validation is not None:
        effect = visible_effect(labels, number, cross_validation)
        return (
            f"The {number} folds show an effect of about {effect:.1f} standard "
            "deviations of the differences between folds. More of them show little "
            "more, because they have the same rows."
        )
    needed = seeds_to_see(1.0, labels)
    enough = "are enough" if number >= needed else "are too few"
    return (
        f"The {number} seeds {enough} to see an effect as large as one standard "
        "deviation of the differences between seeds, for which about "
        f"{needed} are needed."
    )


def evaluate(model, data):
    """Return the dict of the metrics of a model on a tuple of arrays or a dataset."""
    if not isinstance(data, (tuple, list)):
        return model.evaluate(data, verbose=0, return_dict=True)
    x, y, *weight = data
    weight = weight[0] if weight else None
    return model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)


def _read_scores(file):
    """Read the scores in a file, a list of dicts."""
    try:
        content = json.loads(file.read_text())
        # kdropout 0.1 wrote the measure once.
        shared = {"measure": content["measure"]} if "measure" in content else {}
        scores = [{**shared, **score} for score in content["scores"]]
        return [{name: score[name] for name in _FIELDS} for score in scores]
    except FileNotFoundError:
        return []
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"'{file}' must contain the scores of the confirmation so far, but cannot "
            f"be read: {error!r}. Delete the file to run the trainings of the "
            "confirmation again."
        ) from None


_FIELDS = ("measure", "label", "setting", "seed", "score")


def _training(score):
    """The training that a score in a file belongs to."""
    return score["measure"], score["setting"], score["seed"]


def _give_rates(model, rates):
    """Set constant rates, even for layers whose schedule was searched."""
    layers = dropout_layers(model)
    for path, layer in layers.items():
        if path not in rates:
            continue
        rate, rule = rates[path], layer._rate_rule
        if isinstance(rule, RampedRate):
            rule.set_ramp(layer, Ramp(rate, rate, steps=1))
        else:
            layer.rate = rate


class ConfirmationProgress:
    """Shows a bar if the output can, or prints one line for each seed or fold."""

    def __init__(self, labels, seeds, measure, show, cross_validation=None):
        self._labels, self._seeds = list(labels), list(seeds)
        self._show = show
        self._folds = cross_validation and cross_validation.folds
        self._scores = {}
        kind = bar_class(sys.stderr) if show else None
        has_bar = kind is not None
        self._bar = (kind or tqdm)(
            total=len(self._labels) * len(self._seeds),
            desc="Confirmation",
            disable=not has_bar,
            dynamic_ncols=True,
        )
        if show and not has_bar:
            count = len(self._labels)
            new = "on new partitions" if self._folds else "with new seeds"
            self._say(f"Confirmation: {count} settings {new}, {measure}")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()

    def update(self, done, total, label, seed, score):
        """Show the result of a training, with the arguments of `progress`."""
        self._bar.update(done - self._bar.n)
        self._scores[label, seed] = "failed" if score is None else f"{score:.4g}"
        if self._bar.disable and self._show and label == self._labels[-1]:
            scores = [
                f"{setting} {self._scores[setting, seed]}"
                for setting in self._labels
                if (setting, seed) in self._scores  # others were trained earlier
            ]
            index = self._seeds.index(seed)
            number = f"{index + 1}/{len(self._seeds)}"
            self._say(f"{self._name(index)} ({number}): {', '.join(scores)}")

    def _name(self, index):
        """The name of a seed, or of a fold."""
        if not self._folds:
            return f"Seed {self._seeds[index]}"
        repetition, fold = divmod(index, self._folds)
        return f"Partition {repetition + 1}, fold {fold + 1}"

    def _say(self, line):
        print(line, file=sys.stderr, flush=True)
