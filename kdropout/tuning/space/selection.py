"""Selection of the layers of a model for each entry of a space."""

from kdropout import _validation
from kdropout.inspection import dropout_layers, matching, select_layers
from kdropout.rate_rules.ramped import RampedRate
from kdropout.tuning.space.groups import make_group
from kdropout.tuning.space.rules import check_can_set
from kdropout.tuning.space.schedules import Schedules


def select_groups(model, space, prefix="rate", layers=None):
    """Divide the layers of a model into groups, one for each entry of a space.

    An error about one entry of the space has the attribute `pattern`. `layers` is the
    result of `dropout_layers(model)`, if it is known.
    """
    layers = dropout_layers(model) if layers is None else layers
    if isinstance(space, dict):
        chosen = _by_pattern(model, layers, space)
    else:
        chosen = {"*": _free(model, layers, space)}
        space = {"*": space}
    groups = [
        make_group(pattern, paths, space[pattern], prefix)
        for pattern, paths in chosen.items()
    ]
    if not any(group.hyperparameters() for group in groups):
        raise _validation.argument_error(
            ValueError,
            "space",
            "must contain something to search. Received: fixed rates only. Give a pair "
            "of bounds, such as (0.0, 0.5), or tuning.Rates for some layers. To set "
            "rates without a search, use kdropout.set_rates.",
        )
    return groups


def _by_pattern(model, layers, space):
    """Dict from pattern to its paths, where the last pattern that matches counts."""
    last = {}
    for pattern in space:
        try:
            # If nothing matches, `select_layers` raises.
            matches = matching(layers, pattern) or select_layers(
                model, pattern, argument="space"
            )
        except ValueError as error:
            if layers:
                error.pattern = pattern  # otherwise the error is about the model
            raise
        last.update(dict.fromkeys(matches, pattern))
    chosen = {
        pattern: [path for path in layers if last.get(path) == pattern]
        for pattern in space
    }
    for pattern, paths in chosen.items():
        if not paths:
            overlap = _validation.argument_error(
                ValueError,
                "space",
                "must leave at least one layer to each pattern. Received: "
                f"'{pattern}', whose layers all match a later pattern, and the last "
                "match counts. Put the narrower pattern after the wider one, or remove "
                "it.",
            )
            overlap.pattern = pattern
            raise overlap
        for path in paths:
            try:
                check_can_set(path, layers[path])
            except TypeError as error:
                error.pattern = pattern
                raise
    return chosen


def _free(model, layers, choice):
    """Paths of the layers to which a space without patterns applies."""
    paths = []
    for path, layer in layers.items():
        rule = layer._rate_rule
        again = isinstance(choice, Schedules) and isinstance(rule, RampedRate)
        if rule.settable or again:
            paths.append(path)
    if not paths:
        decided = ", ".join(
            f"'{path}' ({layer._rate_rule.decided_by})"
            for path, layer in layers.items()
        )
        raise _validation.argument_error(
            ValueError,
            "model",
            "must contain a dropout layer whose rate was given as a number. Received: "
            f"'{model.name}', whose rates are decided otherwise: {decided}. To replace "
            "a schedule, name its layer in a dict: space={path: ...}.",
        )
    return paths
