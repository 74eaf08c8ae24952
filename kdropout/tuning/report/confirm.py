"""Trains the best settings again, with new seeds."""

import math

from kdropout import validation
from kdropout.tuning.report.candidates import BASELINE
from kdropout.tuning.report.confirmation import Confirmation
from kdropout.tuning.report.trials import check_direction


def confirm(
    candidates,
    train,
    seeds,
    direction,
    measure="score",
    progress=None,
    save=None,
    partial=None,
):
    """Train every candidate with every seed.

    All candidates meet a seed before the next one begins, so that what is there after
    an interruption can be compared. An exception in one training is noted, and the
    others go on.

    Args:
        candidates: Dict from label to setting, as `choose_candidates` returns it. A
            setting is a dict, handed to `train` as it is. "no dropout" must be there.
        train: Function `train(setting, seed) -> score` that builds a new model, trains
            it and returns a float. The seed must decide all that is random.
        seeds: Sequence of at least 2 different integers, none used in the search.
        direction: "min" or "max", what a better score is.
        measure: String, name of the score. Defaults to "score".
        progress: Function `progress(done, total, label, seed, score)`, called after
            each training; the score is None if it failed. Defaults to none.
        save: Function `save(scores)`, called after each training that did not fail
            with a dict from (label, seed) to score. Defaults to none.
        partial: Such a dict, of an earlier call with the same candidates. What is in it
            is not trained again. Defaults to none.

    Returns:
        `Confirmation`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range, or "no dropout" is missing.

    Example:

    >>> from kdropout.tuning.report import confirm
    >>> candidates = {"no dropout": {"drop": 0.0}, "search 1": {"drop": 0.4}}
    >>> found = confirm(
    ...     candidates, lambda rates, seed: rates["drop"] + 0.1 * seed, [7, 8], "max"
    ... )
    >>> found.scores["search 1", 7]
    1.1
    """
    candidates = check_candidates(candidates)
    seeds = check_seeds(seeds)
    check_direction(direction)
    for name, function in (("train", train), ("progress", progress), ("save", save)):
        if not callable(function) and (name == "train" or function is not None):
            raise TypeError(validation.received(name, "a function", function))
    if not isinstance(measure, str):
        raise TypeError(validation.received("measure", "a string", measure))
    earlier = check_scores("partial", {} if partial is None else partial)
    pairs = [(label, seed) for seed in seeds for label in candidates]
    scores = {pair: earlier[pair] for pair in pairs if pair in earlier}
    failures = {}
    for done, (label, seed) in enumerate(pairs, 1):
        if (label, seed) in scores:
            continue
        try:
            scores[label, seed] = _score(train(dict(candidates[label]), seed))
        except Exception as error:  # whatever a user's training raises
            failures[label, seed] = f"{type(error).__name__}: {error}"
        else:
            if save:
                save(dict(scores))
        if progress:
            progress(done, len(pairs), label, seed, scores.get((label, seed)))
    return Confirmation(candidates, seeds, direction, measure, scores, failures)


def check_candidates(candidates):
    """A copy of `candidates`.

    Raises:
        TypeError: If it is no dict from strings to dicts.
        ValueError: If it lacks "no dropout" or anything to compare with it.
    """
    if not isinstance(candidates, dict) or not all(
        isinstance(label, str) and isinstance(setting, dict)
        for label, setting in candidates.items()
    ):
        expected = "a dict from labels to dicts of rates"
        raise TypeError(validation.received("candidates", expected, candidates))
    if BASELINE not in candidates or len(candidates) < 2:
        expected = f"a dict with '{BASELINE}' and at least one other label"
        raise ValueError(validation.received("candidates", expected, list(candidates)))
    return {label: dict(setting) for label, setting in candidates.items()}


def check_seeds(seeds):
    """The seeds as a tuple of at least 2 different integers, or an error."""
    if not isinstance(seeds, (list, tuple, range)):
        expected = "a sequence of integers, such as range(100, 105)"
        raise TypeError(validation.received("seeds", expected, seeds))
    seeds = tuple(validation.integer("seeds", seed) for seed in seeds)
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        expected = "at least 2 different integers, because an interval needs two scores"
        raise ValueError(validation.received("seeds", expected, seeds))
    return seeds


def check_scores(name, scores):
    """A copy of a dict from (label, seed) to finite score, or an error."""
    if not isinstance(scores, dict) or not all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in scores
    ):
        expected = "a dict from (label, seed) to score"
        raise TypeError(validation.received(name, expected, scores))
    return {pair: validation.number(name, score) for pair, score in scores.items()}


def _score(value):
    if isinstance(value, (bool, str)) or value is None:
        raise TypeError(f"'train' must return a number. Received: {value!r}")
    score = float(value)
    if not math.isfinite(score):
        raise ValueError(f"'train' must return a finite number. Received: {score}")
    return score
