"""The five ways to decide the rate that the demo compares, as data."""

import dataclasses
from collections.abc import Callable

from kdropout.callbacks import GapController
from kdropout.rate_rules import LearnedRate
from kdropout.schedules import Curriculum

# Where the learned and the controlled rate start: too low for these data, so that
# there is something to find.
START = 0.3

# Nats. Chosen, with the end of the schedule, on seeds 100 to 104, which the demo
# does not use.
TARGET = 0.4
END = 0.7


@dataclasses.dataclass(frozen=True)
class Arm:
    """A way to decide the rate.

    Args:
        name: What files and folders are called.
        label: What people read.
        rate: Function of the number of training steps and of training samples that
            returns the argument `rate` of a dropout layer.
        callbacks: Function that returns the callbacks which move the rate.
    """

    name: str
    label: str
    rate: Callable
    callbacks: Callable = list


ARMS = (
    Arm("no_dropout", "no dropout", lambda steps, samples: 0.0),
    # What one takes who does not search.
    Arm("fixed", "fixed at 0.5", lambda steps, samples: 0.5),
    # A net learns the digits first and the wrong labels later. So the rate rises:
    # annealed from 0.5 to 0 instead, the net learns the noise by heart in the end,
    # with twice the test error of a fixed 0.5. The speed is the rule of the paper.
    Arm(
        "scheduled",
        f"scheduled, 0 to {END:g}",
        lambda steps, samples: Curriculum(END, gamma=10.0 / steps),
    ),
    # 1 / N is the authors' weight for cross-entropy.
    Arm(
        "learned",
        "learned by gradient",
        lambda steps, samples: LearnedRate(START, regularizer=1.0 / samples),
    ),
    Arm(
        "controlled",
        "gap controller",
        lambda steps, samples: START,
        lambda: [GapController(target=TARGET)],
    ),
)

BASELINE = ARMS[0]
