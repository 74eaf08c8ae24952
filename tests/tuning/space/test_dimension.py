"""The dimensions of a search describe its hyperparameters."""

import dataclasses
import json

import keras
import keras_tuner
import pytest

import kdropout
from kdropout import tuning
from kdropout.tuning.space.dimension import Dimension, dimensions_of

PATHS = ("first", "second", "third")


def dimensions_over(space, paths=PATHS):
    layers = [kdropout.layers.Dropout(0.5, name=path) for path in paths]
    hp = keras_tuner.HyperParameters()
    model = tuning.tune_rates(hp, keras.Sequential(layers), space)
    return dimensions_of(tuning.plan_of(model))


def test_free_layers_have_one_dimension_each_with_bounds_and_grid():
    first, *_ = dimensions_over({"first": tuning.Rates(0.1, 0.3, step=0.1)})
    assert first == Dimension(
        name="rate/first",
        layers=("first",),
        kind="rate",
        low=0.1,
        high=0.3,
        grid=(0.1, 0.2, 0.3),
        label="first",
    )
    assert dimensions_over((0.0, 0.8))[2].grid == ()


@pytest.mark.parametrize(
    ("tie", "names", "labels", "rates_of"),
    [
        ("shared", ["rate/*"], ["* (3 layers)"], [""]),
        (
            "linear",
            ["rate/*/first", "rate/*/last"],
            ["*/first", "*/last"],
            ["", ""],
        ),
        ("rising", [f"rate/{path}" for path in PATHS], list(PATHS), list(PATHS)),
    ],
)
def test_tied_layers_share_a_dimension(tie, names, labels, rates_of):
    dimensions = dimensions_over({"*": tuning.Rates(tie=tie)})
    assert [dimension.name for dimension in dimensions] == names
    assert [dimension.label for dimension in dimensions] == labels
    assert [dimension.rate_of for dimension in dimensions] == rates_of
    assert all(dimension.layers == PATHS for dimension in dimensions)


def test_parts_of_a_schedule_have_one_dimension_each():
    shapes = ("linear", "cosine")
    space = tuning.Schedules(0.1, (0.2, 0.6), (5, 50), shapes, tie="shared")
    end, steps, shape = dimensions_over({"*": space})
    assert (end.kind, end.low, end.high) == ("end", 0.2, 0.6)
    assert (end.label, end.sets_rate) == ("*/end (3 layers)", True)
    assert (steps.kind, steps.low, steps.high) == ("steps", 5, 50)
    assert (shape.kind, shape.levels) == ("shape", shapes)
    assert (shape.label, shape.sets_rate) == ("*/shape", False)
    assert [shape.number(value) for value in ("cosine", "other")] == [1, None]
    assert steps.number(7) == 7


def test_json_keeps_a_dimension_also_in_the_form_of_earlier_versions():
    shape = Dimension("rate/a/shape", ("a",), "shape", 0, 1, ("linear", "cosine"))
    assert Dimension.from_plain(json.loads(json.dumps(shape.plain()))) == shape
    fields = ("name", "layers", "kind", "low", "high", "levels")
    earlier = {name: dataclasses.asdict(shape)[name] for name in fields}
    assert Dimension.from_plain(json.loads(json.dumps(earlier))) == shape
