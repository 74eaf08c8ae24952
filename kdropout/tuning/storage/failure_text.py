"""Why a trial failed, in one line."""

import re

_LONGEST = 500  # characters: TensorFlow's messages may hold a whole graph
_COLOURS = re.compile(r"\x1b\[\d*m")


def failure_text(message):
    """What a traceback says at its end, without what Keras adds to it.

    The traceback itself stays in the file of the trial.

    Args:
        message: String, a traceback or anything else.

    Returns:
        String of one line.

    Example:

    >>> from kdropout.tuning.storage.failure_text import failure_text
    >>> failure_text('''Traceback (most recent call last):
    ...   File "models.py", line 7, in call
    ...     raise ValueError("broken")
    ... ValueError: Exception encountered when calling Block.call().
    ...
    ... broken
    ...
    ... Arguments received by Block.call():''')
    'ValueError: Exception encountered when calling Block.call(). broken'
    """
    lines = _COLOURS.sub("", message).splitlines()
    frames = [i for i, line in enumerate(lines) if line.startswith('  File "')]
    begin = frames[-1] + 1 if frames else 0
    while frames and begin < len(lines) and lines[begin].startswith(" "):
        begin += 1
    text = " ".join("\n".join(lines[begin:]).split())
    text = text.partition(" Arguments received by ")[0]
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
