"""The charts of TensorBoard's tab "Custom Scalars"."""

from kdropout.event_log import tags


def layout(metrics):
    """A summary that lays out all rates in one chart, and a chart for each gap.

    Between the naive and the clean gap, the chart shades what the naive one hides.

    Args:
        metrics: Sequence of the names of metrics of which there is a gap.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.custom_scalar import layout_pb2, metadata
    from tensorboard.util.tensor_util import make_tensor_proto

    rates = layout_pb2.Chart(
        title="dropout rates",
        multiline=layout_pb2.MultilineChartContent(tag=[f"^{tags.RATE}/"]),
    )
    gaps = [_gap_chart(layout_pb2, metric) for metric in metrics]
    category = layout_pb2.Category(title="Dropout", chart=[rates, *gaps])
    text = layout_pb2.Layout(category=[category]).SerializeToString()
    summary = Summary()
    summary.value.add(
        tag=metadata.CONFIG_SUMMARY_TAG,
        metadata=metadata.create_summary_metadata(),
        tensor=make_tensor_proto(text),
    )
    return summary


def _gap_chart(layout_pb2, metric):
    clean, naive = tags.gap(metric), tags.naive_gap(metric)
    series = layout_pb2.MarginChartContent.Series(value=clean, lower=naive, upper=clean)
    return layout_pb2.Chart(
        title=f"overfitting gap of {metric}, shaded down to the naive gap",
        margin=layout_pb2.MarginChartContent(series=[series]),
    )
