"""How the numbers of a report came about, in sentences."""

from kdropout.tuning.report.confirmation import CONFIDENCE
from kdropout.tuning.report.features import fixed_rates
from kdropout.tuning.report.importance import REPEATS
from kdropout.tuning.report.markdown_text import escape
from kdropout.tuning.report.trials import completed, failed
from kdropout.tuning.report.verdict import better_sign
from kdropout.version import __version__


def how_it_was_measured(report):
    """List of paragraphs in Markdown."""
    task = f"Task: {escape(report.task)}." if report.task else ""
    paragraphs = [task, _search(report), _forest(report), _confirmation(report)]
    return [paragraph for paragraph in paragraphs if paragraph]


def _search(report):
    done, lost = len(completed(report.trials)), len(failed(report.trials))
    left = len(report.trials) - done - lost
    text = (
        f"Search: {len(report.trials)} trials, {done} completed, {lost} failed"
        f"{f', {left} unfinished' if left else ''}. Only completed ones are used. "
        f"Score: {escape(report.objective)}, {better_sign(report.direction)} is "
        f"better. kdropout {__version__}."
    )
    fixed = fixed_rates(report.trials)
    if fixed:
        names = ", ".join(
            f"{escape(path)} ({rate:.3g})" for path, rate in fixed.items()
        )
        text += f" The same in all trials: {names}."
    if len({trial.epochs for trial in completed(report.trials)}) > 1:
        text += (
            " Trials had different numbers of epochs: for importance and curves, each "
            "is compared with those of as many epochs."
        )
    return text


def _forest(report):
    importance = report.importance
    if not importance.features:
        return ""
    return (
        f"Importance: a random forest of {report.trees} trees learns the scores from "
        "the rates. R2 is taken out of bag: each trial is predicted by the trees that "
        "have not seen it. The importance of a layer is the loss of R2 if its rates "
        f"are shuffled among the trials, mean +- standard deviation over {REPEATS} "
        "shuffles. Layers with equal rates in all trials are one group. R2 here: "
        f"{importance.r2:.2f}. The curves are the mean prediction over the trials with "
        "one rate moved, the band the standard deviation over the trees. Both tell of "
        "the trials of this search, not whether the rates help."
    )


def _confirmation(report):
    confirmation = report.confirmation
    if confirmation is None:
        return (
            "Not confirmed. The best score of a search is partly luck; only trainings "
            "with new seeds tell how much."
        )
    count = len(confirmation.comparisons)
    seeds = ", ".join(map(str, confirmation.seeds))
    text = (
        f"Confirmation: every setting trained with the seeds {seeds}, which the search "
        "did not use. A setting was chosen by its score in the search, so that score "
        "is partly luck; these are not. Scores: mean +- half of the 95 % interval of "
        "Student's t. Gains: differences paired by seed, positive where the setting is "
        f"better, with {100 * CONFIDENCE:g} % intervals."
    )
    if count > 1:
        text += (
            f" With {count} comparisons one would look good by chance far more often, "
            "so their intervals are widened (Bonferroni) to hold all together with "
            f"{100 * CONFIDENCE:g} %."
        )
    return f"{text} 'better' or 'worse' only where the interval excludes 0."
