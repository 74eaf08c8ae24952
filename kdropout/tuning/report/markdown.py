"""The report as Markdown: the answer, then tables, then how it was measured."""

import os
import pathlib
import re

from kdropout import _statistics
from kdropout._files import replacing
from kdropout.tuning.report.confirmation import BASELINE, CONFIDENCE, trial_of
from kdropout.tuning.report.importance import REPEATS
from kdropout.tuning.report.pictures import FILES, has_curves
from kdropout.tuning.report.records import (
    NoCompletedTrial,
    completed,
    failed,
    fixed_rates,
    ranked,
)
from kdropout.tuning.report.score_format import better_sign, format_of
from kdropout.tuning.report.verdict import name_of
from kdropout.version import __version__

_FILE = "report.md"
_TITLE = "# The best dropout rates"

# Further rows are only in report.json.
_MOST_TRIALS = 10
_MOST_FEATURES = 24
_MOST_FAILURES = 10
_MOST_OF_FRONT = 20

_CAPTIONS = {
    "trials": "Scores in the order of the trials",
    "histories": "The objective over the epochs of each trial",
    "pareto": "Trials by their objectives, with the Pareto front",
    "importance": "Importance of each layer",
    "marginals": "Expected score over the rate of each layer",
    "confirmation": "Gains of the settings",
}


def render(report, has_pictures=True):
    """Return the whole text of `report.md`, or all of it but the pictures."""
    parts = [
        _TITLE,
        *_answer(report.answer),
        _rates(report),
        _front(report),
        _importance(report),
        _confirmation(report),
        _trials(report),
        _failed_trials(report.trials),
        "## How it was measured",
        *_how_it_was_measured(report),
    ]
    text = "\n\n".join(part for part in parts if part)
    if not has_pictures:
        pictures = [_picture(name) for name in FILES]
        paragraphs = text.split("\n\n")
        text = "\n\n".join(part for part in paragraphs if part not in pictures)
    return f"{text}\n"


def save_without_answer(error: NoCompletedTrial, folder: str | os.PathLike) -> None:
    """Write a `report.md` for a search in which no trial has completed.

    Args:
        error: `NoCompletedTrial`, the reason.
        folder: Path of an existing folder.
    """
    parts = [_TITLE, escape(error.reason), _failed_trials(error.trials)]
    with replacing(pathlib.Path(folder) / _FILE) as temporary:
        text = "\n\n".join(part for part in parts if part)
        temporary.write_text(f"{text}\n", encoding="utf-8")


# The answer, and the tables.


def _answer(answer):
    """The parts with which the terminal and the page also begin."""
    return [
        escape(answer.verdict),
        escape(answer.advice),
        code_block(f"import kdropout\n\n{answer.code}"),
        f"Next: {escape(answer.next_step)}",
    ]


def _rates(report):
    before = report.baseline
    header = ["layer", "rate to use"]
    if before:
        header.insert(1, "rate before")
    rows = []
    for path, rate in report.best_rates.items():
        row = [escape(path), _number(rate)]
        if before:
            row.insert(1, _number(before.get(path)))
        rows.append(row)
    text = "## The rates\n\n" + _table(header, rows)
    others = report.best_other_values
    if not others:
        return text
    rows = [[escape(name), escape(value_text(value))] for name, value in others.items()]
    return f"{text}\n\n{_table(['hyperparameter', 'value to use'], rows)}"


def _front(report):
    """The section on the Pareto front, or "" if there is one objective."""
    front = report.pareto_front
    if not front:
        return ""
    formats = [_format_of(report, name) for name, _ in report.objectives]
    rows = [
        [
            escape(trial.trial_id),
            *[
                scores.score(trial.metrics[name])
                for scores, (name, _) in zip(formats, report.objectives, strict=True)
            ],
            _first_rates(trial),
        ]
        for trial in front[:_MOST_OF_FRONT]
    ]
    names = [
        f"{escape(name)} ({better_sign(direction)} is better)"
        for name, direction in report.objectives
    ]
    more = len(front) - _MOST_OF_FRONT
    note = f"\n\nThe file report.json lists {more} more." if more > 0 else ""
    return (
        f"## Pareto front: {len(front)} of {len(completed(report.trials))} trials\n\n"
        "No other trial is better than these in one objective without being worse in "
        "another. The score of the search is the sum, so it depends on the units, and "
        "the front does not. Each value is that of one trial, so the front is partly "
        f"luck.\n\n{_table(['trial', *names, 'rates'], rows)}{note}\n\n"
        f"{_picture('pareto')}"
    )


def _format_of(report, name):
    values = [trial.metrics.get(name) for trial in completed(report.trials)]
    return format_of(name, [value for value in values if value is not None])


def _importance(report):
    importance = report.importance
    title = "## Importance of each layer"
    if not importance.features:
        return f"{title}\n\nUnknown: {importance.problem}."
    parts = [title]
    if importance.reliable:
        parts.append(
            "The importance of a layer is the loss of R2 when its rate is shuffled "
            f"among the trials. R2 without shuffling: {importance.r2:.2f}."
        )
    else:
        parts.append(
            f"**Unreliable**: {importance.problem}. Do not read the table as a ranking."
        )
    rows = [
        [escape(feature.name), f"{feature.mean:.2f} +- {feature.std:.2f}"]
        for feature in importance.features[:_MOST_FEATURES]
    ]
    parts.append(_table(["layer", "importance"], rows))
    left = len(importance.features) - _MOST_FEATURES
    if left > 0:
        parts.append(f"The file report.json lists {left} less important layers.")
    parts += [_picture("importance"), _picture("marginals")]
    return "\n\n".join(parts)


def _trials(report):
    done = completed(report.trials)
    scores = format_of(report.objective, [trial.score for trial in done])
    best = ranked(report.trials, report.direction)
    others = list(best[0].other_values)
    rows = [
        [
            escape(trial.trial_id),
            _score_cell(scores, trial),
            _first_rates(trial),
            *[escape(value_text(trial.other_values.get(name))) for name in others],
        ]
        for trial in best[:_MOST_TRIALS]
    ]
    score = f"{escape(report.objective)} ({better_sign(report.direction)} is better)"
    title = f"## The best of {len(best)} completed trials"
    names = ["trial", score, "rates", *map(escape, others)]
    if best[0].rung:  # the order is not that of the scores
        names.append("epochs")
        rows = [
            [*row, str(trial.epochs)] for row, trial in zip(rows, best, strict=False)
        ]
    cells = _table(names, rows)
    pictures = [_picture("trials")]
    if has_curves(report):
        pictures.append(_picture("histories"))
    return "\n\n".join([title, cells, *pictures])


def _score_cell(scores, trial):
    """The score of a trial, with the deviation between its trainings."""
    score = scores.score(trial.score)
    if trial.std is None:
        return score
    return f"{score} (std {scores.number(trial.std, trial.std)})"


def _first_rates(trial):
    rates = [f"{rate:.3g}" for rate in trial.rates.values()]
    more = len(rates) - _MOST_TRIALS
    return ", ".join(rates[:_MOST_TRIALS]) + (f" and {more} more" if more > 0 else "")


def _failed_trials(trials):
    lost = failed(trials)
    if not lost:
        return ""
    rows = [
        [escape(trial.trial_id), escape(trial.reason)]
        for trial in lost[:_MOST_FAILURES]
    ]
    more = len(lost) - _MOST_FAILURES
    note = f"\n\nThe file report.json lists {more} more." if more > 0 else ""
    title = f"## Failed trials: {len(lost)} of {len(trials)}"
    return f"{title}\n\n{_table(['trial', 'what went wrong'], rows)}{note}"


# The confirmation.


def _confirmation(report):
    """The section on the confirmation of a report, or "" if there is none."""
    confirmation = report.confirmation
    if confirmation is None:
        return ""
    scores = format_of(confirmation.measure, confirmation.scores.values())
    parts = ["## Confirmation with new seeds", _settings(report, scores)]
    rows = [
        [
            _setting_name(report, comparison.label),
            escape(name_of(comparison.reference)),
            *_gain(scores, comparison, confirmation.unit),
        ]
        for comparison in confirmation.comparisons
        if comparison.reference != BASELINE
    ]
    if rows:
        parts.append(_table(["setting", "against", "gain", "verdict"], rows))
    if confirmation.failures:
        parts.append(_failed_trainings(confirmation))
    return "\n\n".join([*parts, _picture("confirmation")])


def _settings(report, scores):
    confirmation, rows = report.confirmation, []
    for label in confirmation.candidates:
        measured = list(confirmation.scores_of(label).values())
        row = [
            _setting_name(report, label),
            _mean_score(scores, measured, confirmation),
            str(len(measured)),
            *_gain(scores, confirmation.comparison(label, BASELINE), confirmation.unit),
        ]
        rows.append(row)
    sign = better_sign(confirmation.direction)
    header = [
        "setting",
        f"{escape(confirmation.measure)} ({sign} is better)",
        f"{confirmation.unit}s",
        "gain over no dropout",
        "verdict",
    ]
    return _table(header, rows)


def _setting_name(report, label):
    """The label of a setting, followed by its trial if the search found it."""
    setting = report.confirmation.candidates[label]
    trial = trial_of(setting, report.trials, report.direction)
    remarks = []
    if trial is not None and label in report.confirmation.search:
        remarks.append(f"trial {trial.trial_id}")
    for name in report.best_trial.other_values:
        remarks.append(f"{name} {value_text(setting.get(name))}")
    return escape(f"{label} ({', '.join(remarks)})" if remarks else label)


def _mean_score(scores, measured, confirmation):
    if len(measured) < 2:
        return scores.score(measured[0]) if measured else "none"
    interval = _statistics.interval(measured, ratio=confirmation.ratio)
    if not scores.holds_score(interval):
        mean = scores.score(interval.mean)
        return f"{mean} (too few {confirmation.unit}s for an interval)"
    mean = scores.number(interval.mean, interval.half_width)
    width = scores.number(interval.half_width, interval.half_width)
    return f"{mean} +- {width} {scores.unit}".rstrip()


def _gain(scores, comparison, unit):
    """The cells of a comparison: its gain and its verdict."""
    if comparison is None:
        return ["", ""]
    gain = comparison.gain
    if gain is None:
        return [f"too few {unit}s", comparison.verdict]
    if comparison.verdict == "undecided" and not scores.holds_difference(gain):
        mean = scores.amount(gain.mean, 0.0)
        return [f"{mean} (too few {unit}s for an interval)", comparison.verdict]
    mean = scores.number(gain.mean, gain.half_width)
    width = scores.amount(gain.half_width, gain.half_width)
    return [f"{mean} +- {width}", comparison.verdict]


def _failed_trainings(confirmation):
    lost = list(confirmation.failures.items())
    rows = [
        [escape(label), str(seed), escape(message)]
        for (label, seed), message in lost[:_MOST_FAILURES]
    ]
    cells = _table(["setting", "seed", "what went wrong"], rows)
    return f"{len(lost)} trainings failed:\n\n{cells}"


# The section on how it was measured.


def _how_it_was_measured(report):
    """List of paragraphs, of which empty ones are left out."""
    task = f"Task: {escape(report.task)}." if report.task else ""
    return [
        task,
        _about_search(report),
        _about_forest(report),
        _about_confirmation(report.confirmation),
    ]


def _about_search(report):
    done, lost = completed(report.trials), failed(report.trials)
    left = len(report.trials) - len(done) - len(lost)
    text = (
        f"Search: {len(report.trials)} trials, {len(done)} completed, {len(lost)} "
        f"failed{f', {left} unfinished' if left else ''}. The report uses only the "
        f"completed ones. Score: {escape(report.objective)}, "
        f"{better_sign(report.direction)} is better. kdropout {__version__}."
    )
    stopped = [trial for trial in done if trial.stopped_after is not None]
    if stopped:
        text += (
            f" The median of earlier trials stopped {len(stopped)} of the completed "
            "trials early. Their scores are those up to then, so importance and curves "
            "show rates that learn slowly as worse than they are."
        )
    number = max((len(trial.scores) for trial in done), default=0)
    if number:
        text += (
            f" A score is the mean over {number} trainings, such as one for each fold. "
            "The std is the standard deviation between them."
        )
    fixed = fixed_rates(report.trials)
    if fixed:
        names = ", ".join(
            f"{escape(path)} ({rate:.3g})" for path, rate in fixed.items()
        )
        text += f" Rates that are the same in all trials: {names}."
    if len({trial.epochs for trial in done}) > 1:
        text += (
            " The trials had different numbers of epochs. For importance and curves, "
            "each trial is compared with those of the same number of epochs."
        )
    if any(trial.rung for trial in done):
        text += (
            " Late halving stopped half of the settings at each rung, so trials with "
            "more epochs rank first."
        )
    return text


def _about_forest(report):
    importance = report.importance
    if not importance.features:
        return ""
    return (
        f"Importance: a random forest of {report.trees} trees predicts the scores from "
        "the rates. R2 is measured out of bag: each trial is predicted by the trees "
        f"that have not seen it. R2 here is {importance.r2:.2f}. The importance of a "
        "layer is the loss of R2 when its rates are shuffled among the trials (mean +- "
        f"standard deviation over {REPEATS} shuffles). Layers with equal rates in all "
        "trials form one group. A curve shows the mean prediction over the trials as "
        "one rate changes, and its band shows the standard deviation over the trees. "
        "Importance and curves describe the trials of this search. They do not show "
        "whether the rates help."
    )


def _about_confirmation(confirmation):
    if confirmation is None:
        return (
            "Not confirmed. The best score of a search is partly luck. Only trainings "
            "with new seeds show how much of it is."
        )
    count, unit = len(confirmation.comparisons), confirmation.unit
    text = (
        f"Confirmation: {_trainings_of(confirmation)} The search chose a setting by "
        "its score, so that score is partly luck. A score is given as mean +- half of "
        "the 95 % interval of Student's t. A gain is a difference paired by "
        f"{unit}, positive where the setting is better, with its "
        f"{100 * CONFIDENCE:g} % interval."
    )
    if confirmation.cross_validation is not None:
        text += (
            " The trainings of different folds share rows. So the intervals are "
            "widened (Nadeau and Bengio) until they hold for other rows of the same "
            "kind."
        )
    if count > 1:
        text += (
            f" With {count} comparisons, it is more likely that one looks good by "
            "chance. So the intervals are widened (Bonferroni) until all of them hold "
            f"together with {100 * CONFIDENCE:g} %."
        )
    return f"{text} The verdict is 'better' or 'worse' only if the interval excludes 0."


def _trainings_of(confirmation):
    """A sentence on the trainings, and one on what is new in them."""
    if confirmation.cross_validation is None:
        seeds = ", ".join(map(str, confirmation.seeds))
        return (
            f"every setting was trained with the seeds {seeds}, which the search did "
            "not use. The scores on new seeds do not have the bias of the search."
        )
    return (
        f"every setting was trained on {confirmation.repetitions} new "
        f"{confirmation.repetitions_text}, with new initial weights for each fold. "
        "The search has seen the same rows in other folds."
    )


# Markdown.


def escape(text):
    """Escape the text of a user, such as the name of a layer, for Markdown.

    >>> escape("a|b <i> drop_1 *x*")
    'a\\\\|b &lt;i&gt; drop_1 \\\\*x\\\\*'
    """
    text = " ".join(text.split())
    text = re.sub(r"([\\`*\[\]|~#$])", r"\\\1", text)
    # An underscore within a word needs no escape.
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code_block(code):
    """Put code between fences that are longer than any fence in it."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{code}\n{fence}"


def _picture(name):
    """A picture of `pictures.FILES`."""
    return f"![{_CAPTIONS[name]}]({FILES[name]})"


def _table(header, rows):
    """A table of cells that are already escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def value_text(value):
    """Return the text of a value of a hyperparameter."""
    return str(value) if isinstance(value, (str, bool)) else _number(value)


def _number(value):
    return "" if value is None else f"{value:.4g}"
