"""TensorBoard reads every event file, with all names, and no event is lost."""

import copy
import json
import pickle
import subprocess
import sys

import pytest

from kdropout import _event_log
from kdropout._event_log import RunLog
from tests.event_log.reading import read

NAMES = (
    "<img src=x onerror=alert(1)>",
    "a \"quoted\" 'name'/with/slashes\\",
    "слой/层/🙂",
    "x" * 500,
)


def steps_and_values(folder, tag):
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


def test_no_file_exists_before_the_first_write(tmp_path):
    log = RunLog(tmp_path / "run")
    log.flush()
    log.close()
    assert not (tmp_path / "run").exists()


def test_scalars_are_read_back(tmp_path):
    log = RunLog(tmp_path / "deep" / "run")
    for step, value in ((0, 0.5), (3, 0.25), (2**40, float("nan"))):
        log.write(_event_log.scalars({"a": value, "b": -1.0}), step)
    log.flush()  # before closing, because another process reads while the training runs
    assert steps_and_values(tmp_path / "deep" / "run", "a")[:2] == [(0, 0.5), (3, 0.25)]
    (step, value) = steps_and_values(tmp_path / "deep" / "run", "a")[2]
    assert step == 2**40 and value != value
    assert steps_and_values(tmp_path / "deep" / "run", "b")[0] == (0, -1.0)


def test_log_of_a_failed_training_closes_its_file(tmp_path):
    log = RunLog(tmp_path)
    log.write(_event_log.scalars({"a": 0.5}), 0)
    del log  # a ResourceWarning would be an error here
    assert steps_and_values(tmp_path, "a") == [(0, 0.5)]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_kept_unchanged(tmp_path, name):
    log = RunLog(tmp_path)
    log.write(_event_log.scalars({name: 1.0}), 0)
    log.write(_event_log.description("kdropout/run", {"path": name}), 0)
    log.close()
    assert read(tmp_path).Tags()["scalars"] == [name]
    (event,) = read(tmp_path).Tensors("kdropout/run")
    assert json.loads(event.tensor_proto.string_val[0]) == {"path": name}


def test_description_is_marked_as_ours(tmp_path):
    log = RunLog(tmp_path)
    log.write(_event_log.description("kdropout/run", {"format": 1}), 0)
    log.close()
    metadata = read(tmp_path).summary_metadata["kdropout/run"]
    assert metadata.plugin_data.plugin_name == "kdropout"
    assert metadata.data_class == 2  # tensor; TensorBoard drops data without a class


def test_numbers_outside_of_json_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        _event_log.description("kdropout/run", {"value": float("nan")})


def test_truncated_file_is_read_up_to_the_cut(tmp_path):
    log = RunLog(tmp_path)
    for step in range(10):
        log.write(_event_log.scalars({"a": 0.5}), step)
    log.close()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-7])
    assert [step for step, _ in steps_and_values(tmp_path, "a")] == [*range(9)]


def test_two_logs_of_one_folder_have_separate_files(tmp_path):
    first, second = RunLog(tmp_path), RunLog(tmp_path)
    first.write(_event_log.scalars({"a": 1.0}), 0)
    second.write(_event_log.scalars({"a": 2.0}), 1)
    first.close()
    second.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert {*steps_and_values(tmp_path, "a")} == {(0, 1.0), (1, 2.0)}


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda log: pickle.loads(pickle.dumps(log))]
)
def test_copy_of_an_open_log_begins_a_separate_file(tmp_path, duplicate):
    log = RunLog(tmp_path)
    log.open()
    other = duplicate(log)
    other.write(_event_log.scalars({"a": 1.0}), 0)
    other.close()
    log.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_unwritable_folder_is_reported_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        RunLog(tmp_path / "file").open()


def test_layout_shows_all_rates_and_each_gap_with_its_margin(tmp_path):
    from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

    log = RunLog(tmp_path)
    log.write(_event_log.layout(["loss", "accuracy"]), 0)
    log.close()
    (event,) = read(tmp_path).Tensors("custom_scalars__config__")
    layout = Layout.FromString(event.tensor_proto.string_val[0])
    (category,) = layout.category
    assert category.chart[0].multiline.tag == ["^dropout_rate/"]
    margins = [chart.margin.series[0] for chart in category.chart[1:]]
    assert [m.value for m in margins] == [
        "overfitting_gap/loss",
        "overfitting_gap/accuracy",
    ]
    assert margins[0].lower == "overfitting_gap/naive_loss"
    assert margins[0].upper == "overfitting_gap/loss"


def test_writing_does_not_import_tensorflow(tmp_path):
    program = (
        "import sys\n"
        "sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "import importlib.util, types\n"
        "package = types.ModuleType('kdropout')\n"
        "package.__path__ = [importlib.util.find_spec('kdropout')"
        ".submodule_search_locations[0]]\n"
        "sys.modules['kdropout'] = package\n"
        "from kdropout import _event_log\n"
        "from kdropout._event_log import RunLog\n"
        f"log = RunLog({str(tmp_path)!r})\n"
        "log.write(_event_log.scalars({'a': 1.0}), 0)\n"
        "log.write(_event_log.description('kdropout/run', {}), 0)\n"
        "log.write(_event_log.layout(['loss']), 0)\n"
        "log.close()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert steps_and_values(tmp_path, "a") == [(0, 1.0)]
