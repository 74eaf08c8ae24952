"""Trains the best settings of a search again, with new seeds."""

import json
import sys

from tqdm import tqdm

from kdropout._files import write_json
from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.inspection import dropout_layers
from kdropout.rate_rules.ramped import RampedRate
from kdropout.schedules import Ramp
from kdropout.tuning.report import (
    choose_candidates,
    confirm,
    scores_from_plain,
    scores_to_plain,
)
from kdropout.tuning.space import plan_of

FILE = "confirmation.json"

# Numbers of executions that no search reaches, so that the initial weights are new.
_FIRST_SEED = 1000


class ConfirmationRun:
    """The confirmation of one job, which can be taken up again.

    Args:
        job: `kdropout.tuning.job.Job`.
        tuner: Its tuner, after the search.
        checked: `kdropout.tuning.job.Checked`, the data and a model of the job.
        arguments: Dict of the arguments of `fit`.
        folder: `pathlib.Path` of the output.
    """

    def __init__(self, job, tuner, checked, arguments, folder):
        self._job = job
        self._tuner = tuner
        self._data = checked.data
        self._model = checked.model
        self._arguments = arguments
        self._file = folder / FILE
        self._kept = _read(self._file)
        self._hp = tuner.get_best_hyperparameters()[0]
        self._metric = _metric(job)

    def run(self, records, plan, importance, show):
        """The `Confirmation`, or None if the search found nothing to confirm."""
        settings = plan.settings(self._hp.values).values()
        candidates = choose_candidates(
            records,
            self._job.objective.resolved_direction,
            top=self._job.confirm.top,
            importance=importance,
            use_values=any(isinstance(setting, Ramp) for setting in settings),
        )
        if len(candidates) < 2:
            return None  # no dropout at all came out best
        seeds = range(_FIRST_SEED, _FIRST_SEED + self._job.confirm.seeds)
        measure = self._measure()
        with ConfirmationProgress(candidates, seeds, measure, show) as progress:
            return confirm(
                candidates,
                self._train,
                seeds,
                self._direction(),
                measure=measure,
                progress=progress.update,
                save=lambda scores: self._save(candidates, scores),
                partial=self._earlier(candidates),
            )

    def _train(self, setting, seed):
        """What a model with these rates scores, after its best epoch."""

        def prepare(model):
            plan = plan_of(model)
            if plan.names <= setting.keys():
                plan.assign(model, setting)
            else:
                _give_rates(model, setting)

        model = self._tuner.train_anew(self._hp, seed, prepare, **self._arguments)
        x, y = self._measured()
        return model.evaluate(x, y, verbose=0, return_dict=True)[self._metric]

    def _measured(self):
        held_out = self._data.validation if self._data.test is None else self._data.test
        return held_out if isinstance(held_out, tuple) else (held_out, None)

    def _measure(self):
        kind = "validation" if self._data.test is None else "test"
        return f"{kind} {self._metric}"

    def _direction(self):
        known = self._job.objective.directions
        lower = lower_is_better(self._metric, self._model, known)
        return "min" if lower else "max"

    def _save(self, candidates, scores):
        """Write the scores so far, and those of trainings that are not asked for now.

        A later run may ask for them again: with another metric, more seeds, or after
        more trials.
        """
        now = [
            {"measure": self._measure(), **score}
            for score in scores_to_plain(candidates, scores)
        ]
        written = [_training(score) for score in now]
        others = [score for score in self._kept if _training(score) not in written]
        write_json(self._file, {"scores": [*others, *now]})

    def _earlier(self, candidates):
        """The scores that other runs of the job have left for these candidates."""
        measure = self._measure()
        plain = [score for score in self._kept if score["measure"] == measure]
        return scores_from_plain(candidates, plain)


def _read(file):
    """The scores in a file: list of dicts."""
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
            f"'{file}' must hold the scores of the confirmation so far. It cannot be "
            f"read: {error!r}. Delete it, and the trainings of the confirmation are "
            "run again."
        ) from None


_FIELDS = ("measure", "label", "setting", "seed", "score")


def _training(score):
    """Which training a score in a file is of."""
    return score["measure"], score["setting"], score["seed"]


def _metric(job):
    """What the settings are compared by, as the model calls it."""
    if job.confirm.metric is not None:
        return job.confirm.metric
    if job.objective.needs_gap and job.objective.gap_limit is None:
        return "loss"  # a gap is not what a model is judged by
    return job.objective.metric.removeprefix("val_")


def _give_rates(model, rates):
    """Give layers constant rates, also those whose schedule was searched."""
    layers = dropout_layers(model)
    for path, rate in rates.items():
        rule = layers[path]._rate_rule
        if isinstance(rule, RampedRate):
            rule.set_ramp(layers[path], Ramp(rate, rate, steps=1))
        else:
            layers[path].rate = rate


class ConfirmationProgress:
    """A bar on a terminal; elsewhere one line for each seed.

    Args:
        labels: Sequence of the labels of the settings.
        seeds: Sequence of the seeds.
        measure: String, name of the score.
        show: Whether to show anything.
    """

    def __init__(self, labels, seeds, measure, show):
        self._labels, self._seeds = list(labels), list(seeds)
        self._show = show
        self._scores = {}
        has_bar = show and sys.stderr.isatty()
        self._bar = tqdm(
            total=len(self._labels) * len(self._seeds),
            desc="Confirmation",
            disable=not has_bar,
            dynamic_ncols=True,
        )
        if show and not has_bar:
            count = len(self._labels)
            self._say(f"Confirmation: {count} settings with new seeds, {measure}")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()

    def update(self, done, total, label, seed, score):
        """Called after each training, as `confirm` calls `progress`."""
        self._bar.update(done - self._bar.n)
        self._scores[label, seed] = "failed" if score is None else f"{score:.4g}"
        if self._bar.disable and self._show and label == self._labels[-1]:
            scores = [
                f"{setting} {self._scores[setting, seed]}"
                for setting in self._labels
                if (setting, seed) in self._scores  # others were trained before
            ]
            number = f"{self._seeds.index(seed) + 1}/{len(self._seeds)}"
            self._say(f"Seed {seed} ({number}): {', '.join(scores)}")

    def _say(self, line):
        print(line, file=sys.stderr, flush=True)
