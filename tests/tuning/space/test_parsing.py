"""A space in the plain data of a file equals the space of the objects."""

import pytest
from keras import tree

from kdropout.tuning import Rates, Schedules
from kdropout.tuning.space import parse


@pytest.mark.parametrize(
    "plain, parsed",
    [
        (None, Rates()),
        (0.5, 0.5),
        (0, 0.0),
        ((0.1, 0.5), Rates(0.1, 0.5)),
        ([0.1, 0.5], Rates(0.1, 0.5)),
        ({"*": {"low": 0.1}}, {"*": Rates(0.1)}),
        ({"a": 0.5, "b*": [0, 0.5]}, {"a": 0.5, "b*": Rates(0.0, 0.5)}),
        (
            {"a": {"low": 0, "high": 0.6, "step": 0.2, "tie": "shared"}},
            {"a": Rates(0.0, 0.6, step=0.2, tie="shared")},
        ),
        (
            {"a": {"low": 0.01, "high": 0.5, "sampling": "log", "default": 0.1}},
            {"a": Rates(0.01, 0.5, sampling="log", default=0.1)},
        ),
        ({"a": {"values": [0.1, 0.05]}}, {"a": Rates(values=(0.05, 0.1))}),
        (
            {"a": {"schedule": {"start": 0, "end": [0.1, 0.5], "steps": 100}}},
            {"a": Schedules(0.0, (0.1, 0.5), 100)},
        ),
        (
            {
                "a": {
                    "schedule": {
                        "start": {"low": 0.1, "high": 0.5, "step": 0.2},
                        "end": 0.6,
                        "steps": [10, 100],
                        "curve": ["linear", "cosine"],
                        "tie": "shared",
                    }
                }
            },
            {
                "a": Schedules(
                    Rates(0.1, 0.5, step=0.2),
                    0.6,
                    (10, 100),
                    ("linear", "cosine"),
                    "shared",
                )
            },
        ),
    ],
)
def test_plain_data_and_objects_mean_the_same(plain, parsed):
    assert parse(plain) == parsed
    assert parse(parsed) == parsed


def test_layers_may_be_named_like_settings_where_it_is_clear():
    space = {"low": Rates(0.0, 0.5), "step": 0.3}
    assert parse(space) == space
    space = {"low": 0.1, "drop": (0.0, 0.5)}
    assert parse(space) == {"low": 0.1, "drop": Rates(0.0, 0.5)}


def test_plain_data_is_not_changed():
    plain = {"a": {"schedule": {"start": {"low": 0.1}, "end": 0.5, "steps": [1, 9]}}}
    copy = tree.map_structure(lambda leaf: leaf, plain)
    parse(plain)
    assert plain == copy


def test_shapes_and_bounds_are_kept_in_one_form():
    one = Schedules(0, [0.1, 0.5], [10, 20], ["cosine"])
    assert one == Schedules(0.0, Rates(0.1, 0.5), (10, 20), "cosine")
    assert hash(one) == hash(Schedules(0.0, Rates(0.1, 0.5), (10, 20), "cosine"))
