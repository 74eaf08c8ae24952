"""The report as Markdown: first the answer, then tables, then how it was measured."""

import pathlib

from kdropout.files import replacing
from kdropout.tuning.report.markdown_confirmation import render_confirmation
from kdropout.tuning.report.markdown_text import (
    MOST_FAILURES,
    code_block,
    escape,
    picture,
    table,
)
from kdropout.tuning.report.measured import how_it_was_measured
from kdropout.tuning.report.scale import scale_of
from kdropout.tuning.report.trials import completed, failed, ranked
from kdropout.tuning.report.verdict import better_sign

FILE = "report.md"
TITLE = "# The best dropout rates"

# More rows than these are left to report.json.
MOST_TRIALS = 10
MOST_FEATURES = 24


def render(report):
    """The whole text of `report.md`."""
    parts = [
        TITLE,
        *_answer(report.answer),
        _rates(report),
        _importance(report),
        render_confirmation(report),
        _trials(report),
        _failures(report.trials),
        "## How it was measured",
        *how_it_was_measured(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def save_without_answer(error, folder):
    """Write a `report.md` of a search in which no trial has completed.

    Args:
        error: `NoCompletedTrial`.
        folder: Path of a folder that is there.
    """
    parts = [TITLE, escape(error.reason), _failures(error.trials)]
    with replacing(pathlib.Path(folder) / FILE) as temporary:
        text = "\n\n".join(part for part in parts if part)
        temporary.write_text(f"{text}\n", encoding="utf-8")


def _answer(answer):
    """What the terminal and the page begin with, too."""
    return [
        escape(answer.verdict),
        escape(answer.advice),
        code_block(f"import kdropout\n\n{answer.code}"),
        f"Next: {escape(answer.next_step)}",
    ]


def _rates(report):
    before = report.baseline
    header = ["layer", *(["rate before"] if before else []), "rate to use"]
    rows = []
    for path, rate in report.best_rates.items():
        was = [_number(before.get(path))] if before else []
        rows.append([escape(path), *was, _number(rate)])
    return "## The rates\n\n" + table(header, rows)


def _importance(report):
    importance = report.importance
    title = "## Importance of each layer"
    if not importance.features:
        return f"{title}\n\nUnknown: {importance.problem}."
    lines = [title]
    if importance.reliable:
        lines.append(
            "Importance: how much worse the scores are explained if the rate of the "
            f"layer is shuffled among the trials (R2 = {importance.r2:.2f} without)."
        )
    else:
        lines.append(
            f"**Unreliable**: {importance.problem}. Do not read it as a ranking."
        )
    rows = [
        [escape(one.name), f"{one.mean:.2f} +- {one.std:.2f}"]
        for one in importance.features[:MOST_FEATURES]
    ]
    lines.append(table(["layer", "importance"], rows))
    left = len(importance.features) - MOST_FEATURES
    if left > 0:
        lines.append(f"{left} less important ones are in report.json.")
    lines += [picture("importance"), picture("marginals")]
    return "\n\n".join(lines)


def _trials(report):
    scale = scale_of(report.objective, [one.score for one in completed(report.trials)])
    best = ranked(report.trials, report.direction)
    rows = [
        [escape(one.trial_id), scale.score(one.score), _all(one)]
        for one in best[:MOST_TRIALS]
    ]
    score = f"{escape(report.objective)} ({better_sign(report.direction)} is better)"
    title = f"## The best of {len(best)} completed trials"
    cells = table(["trial", score, "rates"], rows)
    return "\n\n".join([title, cells, picture("trials")])


def _all(trial):
    rates = [f"{rate:.3g}" for rate in trial.rates.values()]
    more = len(rates) - MOST_TRIALS
    return ", ".join(rates[:MOST_TRIALS]) + (f" and {more} more" if more > 0 else "")


def _failures(trials):
    lost = failed(trials)
    if not lost:
        return ""
    rows = [[escape(one.trial_id), escape(one.reason)] for one in lost[:MOST_FAILURES]]
    more = len(lost) - MOST_FAILURES
    note = f"\n\n{more} more are in report.json." if more > 0 else ""
    title = f"## Failed trials: {len(lost)} of {len(trials)}"
    return f"{title}\n\n{table(['trial', 'what went wrong'], rows)}{note}"


def _number(value):
    return "" if value is None else f"{value:.4g}"
