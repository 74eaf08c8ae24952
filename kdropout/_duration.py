"""Durations as texts."""


def time_text(seconds):
    """Return a duration as a short text.

    >>> from kdropout._duration import time_text
    >>> time_text(5.04), time_text(95), time_text(7260)
    ('5 s', '1 min 35 s', '2 h 1 min')
    """
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
