"""Invalid parts of logs are ignored."""

import numpy as np
import pytest
from tensorboard.compat.proto import summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

from kdropout import _event_log
from kdropout._event_log import RunLog
from kdropout_dashboard import reader
from kdropout_dashboard.source import open_log
from tests.dashboard.board import write_training
from tests.dashboard.logs import scalar_of, search, text_of, training, write


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'"text"',
        b"9" * 5_000,
        b'{"layers": [{"path": "z"}]}',
        b'{"format": 2, "layers": [{"path": "z"}]}',
        b'{"format": 1, "layers": {"path": "z"}, "target": []}',
        b'{"format": 1, "layers": [null, 1, "z", [], {}, {"path": 3}, {"path": ""}]}',
        b'{"format": 1, "layers": 5, "target": {"metric": "loss", "value": NaN}}',
        b'{"format": 1, "target": {"metric": ["loss"], "value": 1}}',
        b'{"format": 1, "target": {"metric": "loss", "value": true}}',
        b'{"format": 1, "target": {"metric": "loss", "value": 1' + b"0" * 400 + b"}}",
        [b"{}", b"{}"],
        3.5,
        [1, 2, 3],
    ],
)
def test_invalid_description_is_ignored(tmp_path, content):
    log = RunLog(tmp_path)
    log.write(text_of("kdropout/run", content), 0)
    log.write(_event_log.scalars({"dropout_rate/a": 0.5}), 0)
    log.close()
    payload = training(tmp_path)
    assert payload["target"] is None
    assert payload["layers"] == [
        {"path": "a", "kind": "", "decided_by": "", "rate": 0.5}
    ]


def test_tensor_that_tensorboard_cannot_read_is_ignored(tmp_path):
    broken = text_of("kdropout/trial", b"{}")
    broken.value[0].tensor.dtype = 99
    whole = _event_log.description(
        "kdropout/trial", {"format": 1, "trial_id": "1", "score": 0.5}
    )
    write(tmp_path, ("kdropout/search", {"format": 1, "objective": "val_loss"}, 0))
    for name, summary in (("0", broken), ("1", whole)):
        log = RunLog(tmp_path / name)
        log.write(summary, 0)
        log.close()
    payload = search(tmp_path)
    assert payload["objective"] == "val_loss"
    assert [(t["id"], t["score"]) for t in payload["trials"]] == [("1", 0.5)]


def test_series_without_numbers_do_not_hide_the_others(tmp_path):
    write_training(tmp_path, {"a": [0.5]})
    huge = make_tensor_proto(1)
    huge.tensor_shape.dim.add(size=10**13)  # more than fits in memory
    log = RunLog(tmp_path)
    for path, tensor in (
        ("b", make_tensor_proto([1.0, 2.0])),
        ("c", make_tensor_proto("text")),
        ("d", huge),
    ):
        log.write(scalar_of(f"dropout_rate/{path}", tensor), 0)
    log.close()
    assert [layer["path"] for layer in training(tmp_path)["layers"]] == ["a"]


def test_data_that_tensorboard_would_drop_are_ignored(tmp_path):
    summary = _event_log.description("kdropout/run", {"format": 1})
    summary.value[0].metadata.data_class = summary_pb2.DATA_CLASS_UNKNOWN
    log = RunLog(tmp_path)
    log.write(summary, 0)
    log.close()
    assert reader.runs(open_log(tmp_path)) == {"runs": []}


def test_announced_series_without_values_is_ignored(tmp_path):
    write_training(tmp_path / "whole", {"a": [0.5]})
    for tag in ("kdropout/run", "kdropout/search"):
        summary = _event_log.description(tag, {})
        summary.value[0].ClearField("tensor")
        log = RunLog(tmp_path / "announced")
        log.write(summary, 0)
        log.close()
    source = open_log(tmp_path)
    assert [run["name"] for run in reader.runs(source)["runs"]] == ["whole"]
    assert reader.training(source, "announced") is None
    assert reader.search(source, "announced") is None


def test_rates_stored_in_other_forms_are_read(tmp_path):
    write(tmp_path, ("kdropout/run", {"format": 1}, 0))
    log = RunLog(tmp_path)
    for step, value in enumerate(
        (np.float64(0.5), np.float32(0.25), np.float16(0.125), np.int32(1))
    ):
        tensor = make_tensor_proto(value)
        if step == 1:  # packed in the way of TensorFlow
            tensor.ClearField("float_val")
            tensor.tensor_content = value.tobytes()
        log.write(scalar_of("dropout_rate/a", tensor), step)
    log.close()
    assert training(tmp_path)["rates"]["epoch"]["values"] == [[0.5, 0.25, 0.125, 1.0]]


def test_truncated_file_is_read_up_to_the_cut(tmp_path):
    write_training(tmp_path, {"a": [0.125, 0.25, 0.5]})
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    assert training(tmp_path)["rates"]["epoch"] == {
        "steps": [0, 1],
        "values": [[0.125, 0.25]],
    }


def test_invalid_file_does_not_hide_the_other_runs(tmp_path):
    write_training(tmp_path / "whole", {"a": [0.5]})
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "events.out.tfevents.1.x").write_bytes(b"noise" * 99)
    (tmp_path / "records").mkdir()
    with open(tmp_path / "records" / "events.out.tfevents.1.x", "wb") as file:
        RecordWriter(file).write(b"a record, but no event")
        file.flush()
    assert [run["name"] for run in reader.runs(open_log(tmp_path))["runs"]] == ["whole"]


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"'folder' must be an existing folder .*nowhere"
    ):
        open_log(tmp_path / "nowhere")


def test_unknown_training_or_search_is_not_found(tmp_path):
    write_training(tmp_path / "run", {"a": [0.5]})
    source = open_log(tmp_path)
    for name in ("", ".", "ru", "run/", "\0", "<b>'é", "x" * 500):
        assert reader.training(source, name) is None
    assert reader.search(source, "run") is None
