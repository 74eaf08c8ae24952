"""Reads the data of the page from TensorBoard or from a folder of logs."""

import contextlib
import gc
import logging
import os

from tensorboard.context import RequestContext
from tensorboard.data.provider import RunTagFilter

from kdropout_dashboard import plain
from kdropout_dashboard.tags import PLUGIN

# The name of the plugin under which TensorBoard keeps scalars.
SCALARS = "scalars"

logger = logging.getLogger("tensorboard")


class Source:
    """Wraps a data provider of TensorBoard, with the requests of this page.

    TensorBoard keeps at most `kept_steps` steps of a series, or all if it is 0.
    """

    def __init__(self, provider, kept_steps=0, context=None, experiment=""):
        self.kept_steps = kept_steps
        self.provider = provider
        self._context = context or RequestContext()
        self._experiment = experiment

    def described(self, tags, runs=None):
        """Return when descriptions were last written: {run: {tag: (step, time)}}."""
        series = self._ask(self.provider.list_tensors, PLUGIN, runs, tags)
        return {
            run: {tag: (s.max_step, s.max_wall_time) for tag, s in by_tag.items()}
            for run, by_tag in series.items()
        }

    def descriptions(self, tags, runs):
        """Return a dict from run to its latest description of each tag, a dict."""
        read = self.provider.read_tensors
        try:
            found = self._ask(read, PLUGIN, runs, tags, downsample=10)
        except Exception:  # one unreadable run fails the whole request
            found = {}
            for run in runs:
                try:
                    found |= self._ask(read, PLUGIN, [run], tags, downsample=10)
                except Exception:
                    found[run] = {}
        return {
            run: {tag: _latest(by_tag.get(tag)) for tag in tags}
            for run, by_tag in found.items()
        }

    def last_points(self, run):
        """Return a dict from tag to the last point of each series of a run."""
        read = self.provider.read_last_scalars
        return self._ask(read, SCALARS, [run], None).get(run, {})

    def columns(self, run, tags, most, timed=None):
        """Return a dict from tag to at most `most` steps and values, and some times.

        The times are those at which the values of the tag `timed` were written.
        """
        if not tags:
            return {}, []
        read = self.provider.read_scalars
        with _no_collection():
            found = self._ask(read, SCALARS, [run], tags, downsample=most)
            series = found.get(run, {})
            columns = {
                tag: ([p.step for p in points], [p.value for p in points])
                for tag, points in series.items()
            }
            return columns, [p.wall_time for p in series.get(timed, [])]

    def _ask(self, method, plugin, runs, tags, **arguments):
        return method(
            self._context,
            experiment_id=self._experiment,
            plugin_name=plugin,
            run_tag_filter=RunTagFilter(runs=runs, tags=tags),
            **arguments,
        )


def _latest(data):
    """The most recent content."""
    if not data:
        return {}
    latest = max(reversed(data), key=lambda datum: datum.wall_time)
    return plain.content(latest.numpy)


@contextlib.contextmanager
def _no_collection():
    """Disable the garbage collector.

    TensorBoard makes an object for each point, and none of them is part of a cycle.
    200,000 objects trigger passes over all objects of the process, which take 0.6 s.
    Reading takes 0.1 s.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def open_log(folder, on_run=None):
    """Return a `Source` with all steps of all runs in a folder.

    `on_run` is called before each run is read, with the name of the run, its number
    from 1, and the number of runs. Reading 200,000 numbers takes about 5 s.
    """
    from tensorboard.backend.event_processing import plugin_event_multiplexer, tag_types

    from kdropout_dashboard.local_provider import LocalProvider

    folder = os.fspath(folder)
    if not os.path.isdir(folder):
        raise ValueError(
            f"'folder' must be an existing folder of logs. Received: folder={folder!r}"
        )
    multiplexer = plugin_event_multiplexer.EventMultiplexer(
        size_guidance={tag_types.TENSORS: 0}
    )
    multiplexer.AddRunsFromDirectory(folder)
    runs = sorted(multiplexer.Runs())
    for number, run in enumerate(runs, 1):
        if on_run is not None:
            on_run(run, number, len(runs))
        try:
            multiplexer.GetAccumulator(run).Reload()
        except Exception as error:  # use the data before the damage
            logger.warning("Run '%s' could not be read to the end. %s", run, error)
    return Source(LocalProvider(multiplexer, folder))
