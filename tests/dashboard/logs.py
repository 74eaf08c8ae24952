"""Writes invalid event files, and returns the data that the page gets of a folder."""

import json

from tensorboard.compat.proto import summary_pb2
from tensorboard.util.tensor_util import make_tensor_proto

from kdropout import _event_log
from kdropout._event_log import RunLog
from kdropout_dashboard import reader
from kdropout_dashboard.source import open_log


def write(folder, *events):
    """Write (tag or dict of scalars, content or None, step) into a run."""
    log = RunLog(folder)
    for what, content, step in events:
        if isinstance(what, dict):
            log.write(_event_log.scalars(what), step)
        else:
            log.write(_event_log.description(what, content), step)
    log.close()


def text_of(tag, text):
    """Make a summary like `event_log.description`, with any text."""
    summary = _event_log.description(tag, {})
    summary.value[0].tensor.CopyFrom(make_tensor_proto(text))
    return summary


def scalar_of(tag, tensor):
    """Make a summary in the place of a scalar, with any tensor."""
    summary = _event_log.description(tag, {})
    summary.value[0].metadata.plugin_data.plugin_name = "scalars"
    summary.value[0].metadata.data_class = summary_pb2.DATA_CLASS_SCALAR
    summary.value[0].tensor.CopyFrom(tensor)
    return summary


def training(folder, run=".", **arguments):
    payload = reader.training(open_log(folder), run, **arguments)
    json.dumps(payload, allow_nan=False)
    return payload


def search(folder, run="."):
    payload = reader.search(open_log(folder), run)
    json.dumps(payload, allow_nan=False)
    return payload
