"""The parts of a report as plain data, for JSON, and back."""

import dataclasses

from kdropout.tuning.report.confirm import check_candidates, check_scores, check_seeds
from kdropout.tuning.report.confirmation import Confirmation
from kdropout.tuning.report.importance import FeatureImportance, Importance
from kdropout.tuning.report.marginal import Marginal
from kdropout.tuning.report.trial_record import TrialRecord
from kdropout.tuning.report.trials import check_direction


def scores_to_plain(candidates, scores):
    """The scores of `confirm` so far, with the settings that they belong to.

    Args:
        candidates: Dict from label to setting.
        scores: Dict from (label, seed) to score.

    Returns:
        List of dicts that JSON can hold.
    """
    return [
        {"label": label, "setting": candidates[label], "seed": seed, "score": score}
        for (label, seed), score in scores.items()
    ]


def scores_from_plain(candidates, plain):
    """The scores in such a list that belong to `candidates` as they are now.

    After more trials, the setting of "search 1" may be "search 2", or in none of them.

    Args:
        candidates: Dict from label to setting.
        plain: What `scores_to_plain` returned.

    Returns:
        Dict from (label, seed) to score, for `confirm(partial=...)`.
    """
    return {
        (label, one["seed"]): one["score"]
        for one in plain
        for label, setting in candidates.items()
        if setting == one["setting"]
    }


def confirmation_to_plain(confirmation):
    """A `Confirmation`, or None, as a dict; with what follows from it, for readers."""
    if confirmation is None:
        return None
    return {
        "candidates": confirmation.candidates,
        "seeds": list(confirmation.seeds),
        "direction": confirmation.direction,
        "measure": confirmation.measure,
        "scores": _pairs_to_plain(confirmation.scores, "score"),
        "failures": _pairs_to_plain(confirmation.failures, "message"),
        "comparisons": [dataclasses.asdict(one) for one in confirmation.comparisons],
    }


def confirmation_from_plain(plain):
    """The `Confirmation` of such a dict, or None."""
    if plain is None:
        return None
    scores = _pairs_from_plain(plain["scores"], "score")
    return Confirmation(
        check_candidates(plain["candidates"]),
        check_seeds(plain["seeds"]),
        check_direction(plain["direction"]),
        plain["measure"],
        check_scores("scores", scores),
        _pairs_from_plain(plain["failures"], "message"),
    )


def importance_from_plain(plain):
    """The `Importance` of the dict that `dataclasses.asdict` made of one."""
    features = [_with_tuples(FeatureImportance, one) for one in plain["features"]]
    return Importance(**{**plain, "features": tuple(features)})


def marginals_from_plain(plain):
    """The marginals of the dicts that `dataclasses.asdict` made of them."""
    return tuple(_with_tuples(Marginal, one) for one in plain)


def trials_from_plain(plain):
    """The trials of the dicts that `dataclasses.asdict` made of them."""
    return [TrialRecord(**one) for one in plain]


def _with_tuples(kind, plain):
    """JSON has lists only."""
    items = plain.items()
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in items})


def _pairs_to_plain(by_pair, name):
    return [
        {"label": label, "seed": seed, name: value}
        for (label, seed), value in by_pair.items()
    ]


def _pairs_from_plain(plain, name):
    return {(one["label"], one["seed"]): one[name] for one in plain}
