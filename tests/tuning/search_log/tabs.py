"""The data that the tabs of TensorBoard show of a folder, read by its own backend."""

from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.context import RequestContext
from tensorboard.data.provider import ListHyperparametersResult
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

from kdropout_dashboard import reader
from kdropout_dashboard.source import open_log

# The filter of the HParams tab with its initial buttons.
STATUSES = (
    api_pb2.STATUS_UNKNOWN,
    api_pb2.STATUS_SUCCESS,
    api_pb2.STATUS_FAILURE,
    api_pb2.STATUS_RUNNING,
)


def hparams(folder):
    """Return the columns of the tab "HParams", and its rows by name.

    Returns:
        Tuple of the `Experiment`, without its time, and a dict from the name of a row
        to its hyperparameters, metrics and status.
    """
    context = backend_context.Context(_context(folder))
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=1000,
        allowed_statuses=STATUSES,
        aggregation_type=api_pb2.AGGREGATION_AVG,
    )
    handler = list_session_groups.Handler(RequestContext(), context, "", request)
    rows = {}
    for group in handler.run().session_groups:
        (session,) = group.sessions
        rows[group.name] = (
            {name: _plain(value) for name, value in group.hparams.items()},
            {metric.name.tag: metric.value for metric in group.metric_values},
            api_pb2.Status.Name(session.status),
        )
    metadata = context.hparams_metadata(RequestContext(), "")
    nothing = ListHyperparametersResult(hyperparameters=[], session_groups=[])
    experiment = context.experiment_from_metadata(
        RequestContext(), "", True, metadata, nothing
    )
    experiment.ClearField("time_created_secs")
    return experiment, rows


def dropout(folder, run="."):
    """Return the data that the Dropout tab shows of a search."""
    return reader.search(open_log(folder), run)


def _context(folder):
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    return base_plugin.TBContext(data_provider=provider, logdir=str(folder))


def _plain(value):
    return getattr(value, value.WhichOneof("kind"))
