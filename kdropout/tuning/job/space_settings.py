"""The key `space` of a job: what may become of the rate of each layer."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from kdropout.tuning.job.settings import KIND, Count, Settings, invalid, member, tag_of
from kdropout.tuning.job.yaml_tree import shorten
from kdropout.tuning.space.rates import Rates
from kdropout.tuning.space.schedules import Schedules

Rate = Annotated[float, Field(ge=0.0, le=1.0)]


def _check_pair(value):
    if value[0] >= value[1]:
        raise invalid(
            "must be [low, high] with low below high. Received: "
            f"[{value[0]:g}, {value[1]:g}]"
        )
    return value


RatePair = Annotated[
    tuple[Rate, Rate], Field(strict=False), AfterValidator(_check_pair)
]
CountPair = Annotated[
    tuple[Count, Count], Field(strict=False), AfterValidator(_check_pair)
]


def _number_or(kind, pair, number):
    """A number, or a [low, high] list that is searched."""
    tag = f"{KIND}pair"

    def check(value):
        if isinstance(value, bool) or not isinstance(value, (int, float, list, tuple)):
            raise invalid(
                f"must be {kind}, or a list [low, high]. Received: {shorten(value)}"
            )
        return value

    return Annotated[
        Annotated[number, Tag(f"{KIND}number")] | Annotated[pair, Tag(tag)],
        Discriminator(
            lambda value: tag if isinstance(value, (list, tuple)) else f"{KIND}number"
        ),
        BeforeValidator(check),
    ]


class RatesSettings(Settings):
    """Rates that are searched."""

    low: Rate = Field(0.0, description="Lowest rate.")
    high: Rate = Field(0.8, description="Highest rate.")
    step: Annotated[float, Field(gt=0.0)] | None = Field(
        None,
        description="Distance of the rates tried; with sampling: log, their ratio. "
        "Defaults to none: any rate.",
    )
    sampling: Literal["linear", "log", "reverse_log"] = Field(
        "linear", description="Scale on which rates are drawn evenly."
    )
    values: Annotated[tuple[Rate, ...], Field(strict=False, min_length=2)] | None = (
        Field(None, description="The rates to try, in place of low, high and step.")
    )
    across: Literal["free", "shared", "linear", "rising", "falling"] = Field(
        "free",
        description="free: each layer its own. shared: one for all. linear: first and "
        "last, and a straight line between. rising, falling: each its own, in that "
        "order from input to output.",
    )
    default: Rate | None = Field(
        None, description="Rate tried first. Defaults to that of the layer."
    )

    @model_validator(mode="after")
    def _check(self):
        _make(Rates, self)
        return self


class ScheduleSettings(Settings):
    """A ramp from one rate to another, of which any part may be searched."""

    start: _number_or("a rate", RatePair, Rate) = Field(
        description="Rate at the beginning: a number, or [low, high].",
        json_schema_extra={"kind": "rate, or [low, high]"},
    )
    end: _number_or("a rate", RatePair, Rate) = Field(
        description="Rate at the end: a number, or [low, high].",
        json_schema_extra={"kind": "rate, or [low, high]"},
    )
    steps: _number_or("a number of training steps", CountPair, Count) = Field(
        description="Length in training steps (batches): a number, or [low, high].",
        json_schema_extra={"kind": "integer, or [low, high]"},
    )
    shape: Any = Field(
        "linear",
        description="linear, cosine or exponential, or a list of those.",
        json_schema_extra={"kind": "text, or list of texts"},
    )
    across: Literal["free", "shared"] = Field(
        "free", description="free: each layer its own. shared: one for all."
    )

    @model_validator(mode="after")
    def _check(self):
        _make(Schedules, self)
        return self


class ScheduledSettings(Settings):
    """A layer whose rate follows a schedule."""

    schedule: ScheduleSettings


def _make(kind, settings):
    """Refuse settings of which `kind` cannot be made, at the key that it names."""
    try:
        kind(**settings.model_dump(exclude_unset=True))
    except (TypeError, ValueError) as error:
        named = re.match(r"'(\w+)'(?: |: '\w+' )", str(error))
        if named is None or named[1] not in type(settings).model_fields:
            raise invalid(str(error)) from None
        raise invalid(str(error)[named.end() :], named[1]) from None


def _kind(value):
    if isinstance(value, (dict, Settings)):
        scheduled = "schedule" in dict(value)
        return tag_of(ScheduledSettings if scheduled else RatesSettings)
    return f"{KIND}pair" if isinstance(value, (list, tuple)) else f"{KIND}number"


def _check_kind(value):
    kinds = (int, float, list, tuple, dict, Settings)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise invalid(
            "must be a rate, a list [low, high], a mapping such as {low: 0, high: 0.5} "
            f"or a mapping {{schedule: ...}}. Received: {shorten(value)}"
        )
    return value


Entry = Annotated[
    Annotated[Rate, Tag(f"{KIND}number")]
    | Annotated[RatePair, Tag(f"{KIND}pair")]
    | member(RatesSettings)
    | member(ScheduledSettings),
    Discriminator(_kind),
    BeforeValidator(_check_kind),
]


def _check_space(value):
    if not value:
        raise invalid(
            "must name at least one layer, or '*' for all. Received: an empty mapping."
        )
    if all(isinstance(entry, float) for entry in value.values()):
        raise invalid(
            "must leave a rate to search for, such as [0.0, 0.8]. Received: numbers "
            f"only, {shorten(value)}"
        )
    return value


Space = Annotated[dict[str, Entry], AfterValidator(_check_space)]


def plain_space(space):
    """The space as plain values, as `kdropout.tuning.tune_rates` takes it."""
    if space is None:
        return None
    return {
        pattern: (
            entry.model_dump(exclude_unset=True)
            if isinstance(entry, Settings)
            else entry
        )
        for pattern, entry in space.items()
    }
