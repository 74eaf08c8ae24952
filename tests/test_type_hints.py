"""Every public function has type hints, as `py.typed` promises."""

import inspect

import pytest

import kdropout
from kdropout import (
    callbacks,
    inference,
    layers,
    rate_rules,
    schedules,
    testing,
    tuning,
)
from kdropout.tuning import report

pytestmark = pytest.mark.on_one_backend

NAMESPACES = [
    kdropout,
    callbacks,
    inference,
    layers,
    rate_rules,
    schedules,
    tuning,
    report,
]


def public_callables():
    """Return a dict from name to function, with the methods of public classes."""
    found = {"testing.check_layer": testing.check_layer}
    for namespace in NAMESPACES:
        for name in namespace.__all__:
            value = getattr(namespace, name)
            if inspect.isclass(value) and value.__module__.startswith("kdropout"):
                for method, function in vars(value).items():
                    is_public = method == "__init__" or not method.startswith("_")
                    if inspect.isfunction(function) and is_public:
                        found[f"{namespace.__name__}.{name}.{method}"] = function
            elif inspect.isfunction(value):
                found[f"{namespace.__name__}.{name}"] = value
    for name in ("identity_at_zero", "note_dropped"):
        found[f"layers.{name}"] = getattr(layers, name)
    return found


def without_hints(function):
    """Return the names of parameters without a type, and "return" without one."""
    signature = inspect.signature(function)
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is parameter.empty
        and name != "self"
        and parameter.kind not in variable
    ]
    is_init = function.__name__ == "__init__"
    if signature.return_annotation is signature.empty and not is_init:
        names.append("return")
    return names


@pytest.mark.parametrize("name", public_callables())
def test_parameters_and_result_have_types(name):
    assert without_hints(public_callables()[name]) == []


def test_missing_hint_is_found():
    def function(rate: float, seed, *args, **kwargs):
        """Has no type for `seed` and the result."""

    assert without_hints(function) == ["seed", "return"]
