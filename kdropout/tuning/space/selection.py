"""Which layers of a model each entry of a space decides on."""

from kdropout import _validation
from kdropout.inspection import dropout_layers, matching, select_layers
from kdropout.rate_rules.ramped import RampedRate
from kdropout.tuning.space.groups import make_group
from kdropout.tuning.space.rules import check_can_set
from kdropout.tuning.space.schedules import Schedules


def select_groups(model, space, prefix="rate", layers=None):
    """The groups of layers that a space makes of the layers of a model.

    Args:
        model: A model whose dropout layers are live.
        space: What `parse` returned.
        prefix: What the names of hyperparameters begin with.
        layers: What `dropout_layers(model)` returns, where that is known.

    Returns:
        List of `Group`, in the order of the space. Each layer is in one at most.

    Raises:
        TypeError: If a gradient or the inputs decide the rate of a layer named.
        ValueError: If a pattern has no layers, or nothing is left to search. Errors of
            one entry have the attribute `pattern`.
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
            "must leave something to search. Received: fixed rates only. Give a pair "
            "of bounds, such as (0.0, 0.5), or tuning.Rates for some layers. "
            "kdropout.set_rates sets rates without a search.",
        )
    return groups


def _by_pattern(model, layers, space):
    """Dict from pattern to the paths left to it: the last that matches has a layer."""
    last = {}
    for pattern in space:
        try:
            # If nothing matches, `select_layers` raises.
            matches = matching(layers, pattern) or select_layers(
                model, pattern, argument="space"
            )
        except ValueError as error:
            if layers:
                error.pattern = pattern  # else it is about the model
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
                f"must leave a layer to each pattern. Received: '{pattern}', all of "
                "whose layers match a later pattern, which counts. Put the narrower "
                "pattern behind the wider one, or leave it out.",
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
    """Paths of the layers that a space without patterns is about."""
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
            "must hold a dropout layer whose rate was given as a number. Received: "
            f"'{model.name}', in which others decide: {decided}. To replace a schedule,"
            " name its layer in a dict: 'space' {path: ...}.",
        )
    return paths
