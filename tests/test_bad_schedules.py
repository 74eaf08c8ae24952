"""Schedules refuse bad arguments, name them and say what to do."""

import pytest

from kdropout import schedules
from tests.tools import Case, arguments_without_case, assert_refused, name_of

NAN, INF = float("nan"), float("inf")


def rising(step):
    return 0.1 * step


CASES = [
    # Schedules
    Case(
        "ramp start",
        lambda: schedules.Ramp(-0.1, 0.5, 10),
        ValueError,
        ["'start' must be", "a number in [0, 1]", "start=-0.1"],
    ),
    Case(
        "ramp end",
        lambda: schedules.Ramp(0.1, "0.5", 10),
        TypeError,
        ["'end' must be", "a number in [0, 1]", "end='0.5'"],
    ),
    Case(
        "ramp steps 0",
        lambda: schedules.Ramp(0.1, 0.5, 0),
        ValueError,
        ["'steps' must be", "an integer of at least 1", "steps=0"],
    ),
    Case(
        "ramp steps float",
        lambda: schedules.Ramp(0.1, 0.5, 10.0),
        TypeError,
        ["'steps' must be", "an integer of at least 1", "steps=10.0"],
    ),
    Case(
        "ramp begin",
        lambda: schedules.Ramp(0.1, 0.5, 10, begin=-1),
        ValueError,
        ["'begin' must be", "an integer of at least 0", "begin=-1"],
    ),
    Case(
        "ramp curve",
        lambda: schedules.Ramp(0.1, 0.5, 10, curve="cubic"),
        ValueError,
        [
            "'curve' must be",
            "one of 'linear', 'cosine', 'exponential'",
            "curve='cubic'",
        ],
    ),
    Case(
        "ramp of a shape",
        lambda: schedules.Ramp(0.1, 0.5, 10, shape="cosine"),
        DeprecationWarning,
        ["the argument 'shape' of Ramp", "its name is 'curve' now"],
    ),
    Case(
        "ramp exponential from 0",
        lambda: schedules.Ramp(0.0, 0.5, 10, curve="exponential"),
        ValueError,
        [
            "'start' and 'end' must be above 0",
            "start=0.0, end=0.5",
            "Use curve='cosine', or a small rate such as 0.001",
        ],
    ),
    Case(
        "curriculum rate",
        lambda: schedules.Curriculum(1.1, 0.1),
        ValueError,
        ["'rate' must be", "a number in [0, 1]", "rate=1.1"],
    ),
    Case(
        "curriculum gamma",
        lambda: schedules.Curriculum(0.5, 0),
        ValueError,
        ["'gamma' must be", "a number in (0, 3.40282e+38]", "gamma=0.0"],
    ),
    Case(
        "early rate",
        lambda: schedules.EarlyDropout(True, 10),
        TypeError,
        ["'rate' must be", "a number in [0, 1]", "rate=True"],
    ),
    Case(
        "early steps",
        lambda: schedules.EarlyDropout(0.5, 1),
        ValueError,
        ["'steps' must be", "an integer of at least 2", "steps=1"],
    ),
    Case(
        "early curve",
        lambda: schedules.EarlyDropout(0.5, 9, curve="cosine"),
        ValueError,
        ["'curve' must be", "one of 'linear', 'constant'", "curve='cosine'"],
    ),
    Case(
        "late rate",
        lambda: schedules.LateDropout(NAN, 10),
        ValueError,
        ["'rate' must be", "a number in [0, 1]", "rate=nan"],
    ),
    Case(
        "late steps",
        lambda: schedules.LateDropout(0.5, None),
        TypeError,
        ["'steps' must be", "an integer of at least 1", "steps=None"],
    ),
    Case(
        "cyclic high below low",
        lambda: schedules.Cyclic(0.5, 0.2, 10),
        ValueError,
        ["'high' must be", "a number in [0.5, 1]", "high=0.2"],
    ),
    Case(
        "cyclic low",
        lambda: schedules.Cyclic(-INF, 0.2, 10),
        ValueError,
        ["'low' must be", "a number in [0, 1]", "low=-inf"],
    ),
    Case(
        "cyclic period",
        lambda: schedules.Cyclic(0.1, 0.2, 1),
        ValueError,
        ["'period' must be", "an integer of at least 2", "period=1"],
    ),
    Case(
        "join empty",
        lambda: schedules.Join([], []),
        ValueError,
        [
            "'schedules' must be",
            "a sequence of schedules of kdropout and numbers in [0, 1]",
            "schedules=[]",
        ],
    ),
    Case(
        "join of a number",
        lambda: schedules.Join(0.5, []),
        TypeError,
        [
            "'schedules' must be",
            "a sequence of schedules of kdropout and numbers",
            "schedules=0.5",
        ],
    ),
    Case(
        "join with a rate above",
        lambda: schedules.Join([0.5, 1.5], [9]),
        ValueError,
        ["'schedules' must be", "a number in [0, 1]", "schedules=1.5"],
    ),
    Case(
        "join with a schedule of another",
        lambda: schedules.Join([rising], []),
        TypeError,
        [
            "'schedules' must be",
            "a sequence of schedules of kdropout",
            "schedules=<function rising",
        ],
    ),
    Case(
        "join boundaries missing",
        lambda: schedules.Join([0.1, 0.2], []),
        ValueError,
        [
            "'boundaries' must be",
            "1 increasing integers of at least 1",
            "boundaries=[]",
        ],
    ),
    Case(
        "join boundaries falling",
        lambda: schedules.Join([0.1, 0.2, 0.3], [9, 9]),
        ValueError,
        [
            "'boundaries' must be",
            "2 increasing integers of at least 1",
            "boundaries=[9, 9]",
        ],
    ),
    Case(
        "join boundary float",
        lambda: schedules.Join([0.1, 0.2], [9.5]),
        TypeError,
        ["'boundaries' must be", "an integer of at least 1", "boundaries=9.5"],
    ),
    Case(
        "join boundaries number",
        lambda: schedules.Join([0.1, 0.2], 9),
        TypeError,
        ["'boundaries' must be", "1 increasing integers of at least 1", "boundaries=9"],
    ),
    Case(
        "depth 0",
        lambda: schedules.depth_rates(0, 0.5),
        ValueError,
        ["'depth' must be", "an integer of at least 1", "depth=0"],
    ),
    Case(
        "depth last",
        lambda: schedules.depth_rates(4, 1.5),
        ValueError,
        ["'last' must be", "a number in [0, 1]", "last=1.5"],
    ),
    Case(
        "depth first",
        lambda: schedules.depth_rates(4, 0.5, first="0"),
        TypeError,
        ["'first' must be", "a number in [0, 1]", "first='0'"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_input_error_names_argument_value_and_remedy(case):
    assert_refused(case)


def test_every_argument_of_every_schedule_has_a_case():
    names = set(schedules.__all__) - {"RateSchedule"}
    public = [getattr(schedules, name) for name in names]
    assert arguments_without_case(public, CASES) == set()
