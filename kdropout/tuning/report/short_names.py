"""Names short enough for a picture, and still different."""

import os

# A longer name would leave no room for what it names.
LONGEST = 34
DOTS = "..."


def short(name, longest=LONGEST):
    """A name with its middle left out, if it is too long.

    >>> short("encoder/block_11/attention/dropout", 20)
    'encoder/b.../dropout'
    """
    name = " ".join(name.split())
    if len(name) <= longest:
        return name
    tail = (longest - len(DOTS)) // 2
    return f"{name[: longest - len(DOTS) - tail]}{DOTS}{name[-tail:]}"


def short_all(names, longest=LONGEST):
    """Names cut as by `short`, or to where they differ if that made them equal.

    >>> short_all(["encoder/block_1/attention", "encoder/block_2/attention"], 16)
    ['.../block_1/a...', '.../block_2/a...']
    """
    names = [" ".join(name.split()) for name in names]
    cut = [short(name, longest) for name in names]
    alike = [name for name, one in zip(names, cut, strict=True) if cut.count(one) > 1]
    start = len(os.path.commonprefix(alike))
    return [
        _around(name, start, longest) if name in alike else one
        for name, one in zip(names, cut, strict=True)
    ]


def two_lines(name, room):
    """A name of at most two lines of `room` letters, broken after "/" or "_".

    >>> two_lines("encoder/block_11/dropout", 18)
    'encoder/block_11/\\ndropout'
    """
    if len(name) <= room:
        return name
    end = max(name.rfind(mark, 0, room) + 1 for mark in "/_")
    if len(name) - end > room:
        end = room
    return f"{name[:end]}\n{name[end:]}"


def _around(name, start, longest):
    """The part of a name around `start`, of `longest` letters with its dots."""
    room = longest - 2 * len(DOTS)
    slash = name.rfind("/", 0, start)
    begin = slash if start - slash < room else start - room // 2
    begin = max(0, begin)
    end = begin + room
    return (DOTS if begin else "") + name[begin:end] + (DOTS if end < len(name) else "")
