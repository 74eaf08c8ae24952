"""The key `space` of a job: what may become of the rate of each layer."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from kdropout.tuning.job.settings import invalid, invalid_parts
from kdropout.tuning.space.parsing import parse_all, to_plain
from kdropout.tuning.space.rates import Rates
from kdropout.validation import shorten


def _read_space(value):
    """A mapping from patterns to what `kdropout.tuning.space.parse` makes of each."""
    if not isinstance(value, Mapping):
        raise invalid(
            f"must be a mapping of 'key: value'. Received: {shorten(value)}. Write one "
            "such as {'*': [0.0, 0.5]}"
        )
    if not value:
        raise invalid(
            "must name at least one layer, or '*' for all. Received: an empty mapping."
        )
    # Without any settings, they are the defaults.
    entries = {name: Rates() if entry == {} else entry for name, entry in value.items()}
    space, errors = parse_all(entries)
    if errors:
        # The first name in a key is that of the argument.
        raise invalid_parts([(error.key[1:], error.problem) for error in errors])
    if all(isinstance(choice, float) for choice in space.values()):
        raise invalid(
            "must leave a rate to search for, such as [0.0, 0.8]. Received: numbers "
            f"only, {shorten(value)}"
        )
    return space


def plain_space(space):
    """The space of a job as plain values, from which the same job can be made."""
    return {pattern: to_plain(choice) for pattern, choice in space.items()}


Space = Annotated[
    dict[str, Any],
    BeforeValidator(_read_space),
    PlainSerializer(plain_space),
    WithJsonSchema({"type": "object"}),
]
