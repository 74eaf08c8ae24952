"""What an event holds, as TensorBoard's own messages."""

import json

# The name under which the Dropout tab of TensorBoard looks for what we describe.
PLUGIN = "kdropout"


def scalars(values):
    """A summary of several numbers.

    Args:
        values: Dict from tag to float.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(
        value=[
            Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()
        ]
    )


def description(tag, content):
    """A summary of plain data, which also makes the Dropout tab appear.

    Args:
        tag: String, such as "kdropout/run".
        content: What JSON can hold.
    """
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.util.tensor_util import make_tensor_proto

    metadata = summary_pb2.SummaryMetadata(
        # Without a class of data, TensorBoard would drop it.
        data_class=summary_pb2.DATA_CLASS_TENSOR,
        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name=PLUGIN),
    )
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    tensor = make_tensor_proto(text.encode())
    summary = summary_pb2.Summary()
    summary.value.add(tag=tag, metadata=metadata, tensor=tensor)
    return summary
