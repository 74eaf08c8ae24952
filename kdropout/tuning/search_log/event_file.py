"""Event files that are written whole, once."""

import hashlib
import io
import itertools
import json
import os
import time

from kdropout.event_log import EventWriter, file_name

# Our own files in a log folder, by what they tell of.
EXPERIMENT, MARGINALS, TRIAL = "experiment", "marginals", "trial"


def write_once(folder, kind, content, summaries):
    """Write an event file, unless one of the same content is there.

    It takes the place of one with other content, and whoever reads the folder sees all
    of it or none: so what was killed, or is resumed, doubles nothing.

    Args:
        folder: `pathlib.Path` of the run, made if it is not there.
        kind: String, one of the above.
        content: What JSON can hold, that decides whether it is the same.
        summaries: Function that makes a sequence of `Summary`.
    """
    text = json.dumps(content, sort_keys=True)
    end = f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    earlier = list(folder.glob(_pattern(kind)))
    if any(path.name.endswith(f".{end}.kdropout") for path in earlier):
        return
    folder.mkdir(parents=True, exist_ok=True)
    # TensorBoard leaves off a file once it has seen one of a later name, and a training
    # of the trial may have begun its own within this second.
    name = file_name(f"{time.time() + 1:017.6f}", end)
    # Whatever has "tfevents" in its name is read at once.
    temporary = folder / f".{kind}.new"
    try:
        temporary.write_bytes(_records(summaries()))
        os.replace(temporary, folder / name)
    finally:
        temporary.unlink(missing_ok=True)
    for path in earlier:
        path.unlink(missing_ok=True)


def trials_in(folder):
    """The event files of trials in a log folder, a list of `pathlib.Path`."""
    return sorted(folder.glob(f"*/{_pattern(TRIAL)}"))


def clear(folder):
    """Delete what `write_once` wrote to a log folder and to its trials."""
    ours = (folder.glob(_pattern(kind)) for kind in (EXPERIMENT, MARGINALS))
    for path in itertools.chain(*ours, trials_in(folder)):
        path.unlink(missing_ok=True)


def _pattern(kind):
    return f"events.out.tfevents.*.{kind}-*.kdropout"


def _records(summaries):
    """The bytes of an event file."""
    file = io.BytesIO()
    writer = EventWriter(file)
    for summary in summaries:
        writer.write(summary, step=0)
    return file.getvalue()
