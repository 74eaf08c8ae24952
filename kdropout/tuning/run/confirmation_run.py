"""Trains the best settings of a search again, with new seeds."""

import json

from tqdm import tqdm

from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.files import write_json
from kdropout.layer_walk import dropout_layers
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
        data: `kdropout.tuning.job.Data`.
        arguments: Dict of the arguments of `fit`.
        folder: `pathlib.Path` of the output.
    """

    def __init__(self, job, tuner, data, arguments, folder):
        self._job = job
        self._tuner = tuner
        self._data = data
        self._arguments = arguments
        self._file = folder / FILE
        self._hp = tuner.get_best_hyperparameters()[0]
        self._metric = _metric(job)

    def run(self, records, plan, show):
        """The `Confirmation`, or None if the search found nothing to confirm.

        Args:
            records: Sequence of `TrialRecord`.
            plan: `kdropout.tuning.RatePlan` of the model.
            show: Whether to show progress.
        """
        settings = plan.settings(self._hp.values).values()
        candidates = choose_candidates(
            records,
            self._job.objective.resolved_direction,
            top=self._job.confirm.top,
            use_values=any(isinstance(setting, Ramp) for setting in settings),
        )
        if len(candidates) < 2:
            return None  # no dropout at all came out best
        seeds = range(_FIRST_SEED, _FIRST_SEED + self._job.confirm.seeds)
        bar = tqdm(
            total=len(candidates) * len(seeds),
            desc="Confirmation",
            disable=None if show else True,  # None: where there is no terminal
        )
        with bar:
            return confirm(
                candidates,
                self._train,
                seeds,
                self._direction(),
                measure=self._measure(),
                progress=lambda done, *_: bar.update(done - bar.n),
                save=lambda scores: write_json(
                    self._file, scores_to_plain(candidates, scores)
                ),
                partial=self._earlier(candidates),
            )

    def _train(self, setting, seed):
        """What a model with these rates scores, after its best epoch."""

        def prepare(model):
            plan = plan_of(model)
            if plan.names <= setting.keys():
                plan.assign(model, setting)
            else:
                give_rates(model, setting)

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
        model = self._tuner.get_best_models()[0]
        known = self._job.objective.directions
        return "min" if lower_is_better(self._metric, model, known) else "max"

    def _earlier(self, candidates):
        try:
            return scores_from_plain(candidates, json.loads(self._file.read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # there is none, or none that can be used: it is trained anew


def _metric(job):
    """What the settings are compared by, as the model calls it."""
    if job.confirm.metric is not None:
        return job.confirm.metric
    if job.objective.needs_gap and job.objective.gap_limit is None:
        return "loss"  # a gap is not what a model is judged by
    return job.objective.metric.removeprefix("val_")


def give_rates(model, rates):
    """Give layers constant rates, also those whose schedule was searched.

    Args:
        model: A model that went through `tune_rates`.
        rates: Dict from path to rate.
    """
    layers = dropout_layers(model)
    for path, rate in rates.items():
        rule = layers[path].rate_rule
        if isinstance(rule, RampedRate):
            rule.set_ramp(layers[path], Ramp(rate, rate, steps=1))
        else:
            layers[path].rate = rate
