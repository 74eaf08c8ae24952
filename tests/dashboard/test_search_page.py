"""The view of a search: filters, history, importance and doubt."""

import csv
import io

import pytest

from tests.dashboard.payloads import search

pytestmark = pytest.mark.slow

SCORES = [0.9, 0.5, None, 0.7, 0.3, 0.8, None, 0.6]
CURVE = {"name": "rate/first", "grid": [0.0, 0.8], "mean": [0.8, 0.4], "spread": [0, 0]}
IMPORTANCE = [
    {"name": "rate/first", "mean": 0.125, "std": 0.05},
    {"name": "schedule", "mean": 0.5, "std": 0.1},
]


def shown(reader):
    return [row.text.split()[1] for row in reader.all("trial-row")]


def kept_lines(reader):
    lines = reader.all("parallel", ".trial:not(.out)")
    return {line.get_dom_attribute("data-trial") for line in lines}


def field(reader, label):
    (found,) = reader.all("trial-filter", f"[aria-label='{label}']")
    return found


def fill(reader, label, value):
    reader.driver.execute_script(
        "const [field, value] = arguments; field.value = value;"
        "field.dispatchEvent(new Event('change', { bubbles: true }));",
        field(reader, label),
        value,
    )


def test_brushing_an_axis_filters_all_charts(open_page):
    reader = open_page([], [search("s", SCORES)])
    assert shown(reader) == ["0004", "0001", "0007", "0003", "0005", "0000"]
    axis = reader.all("parallel", ".upright")[0].find_element("css selector", "line")
    # The axis is from 0 to 0.8; the rates are 0, 0.05, 0.1 and so on.
    reader.drag_down(axis, 0.55, 0.85)
    assert set(shown(reader)) == {"0003", "0004", "0005", "0007"}
    assert kept_lines(reader) == {"0003", "0004", "0005", "0007"}
    assert reader.text("kept-count") == "(4 of 6 match)"
    assert len(reader.all("marginals", ".trial-dot.out")) == 2 * 2
    assert len(reader.all("history", ".trial-dot.out")) == 2
    # The ranks are those among all trials, and the keys go over the matching ones.
    reader.press("parallel", "END")
    assert "Trial 0005: val_loss 0.8, rank 5 of 6" in reader.text("trial-readout")
    link = reader.driver.current_url
    reader.driver.get("about:blank")
    reader.open(link)
    reader.wait(lambda: set(shown(reader)) == {"0003", "0004", "0005", "0007"})
    reader.one("brush-clear").find_element("xpath", "../..").find_element(
        "css selector", "summary"
    ).click()
    reader.one("brush-clear").click()
    assert len(shown(reader)) == 6 and reader.text("kept-count") == ""


def test_keyboard_filters_like_the_pointer(open_page):
    reader = open_page([], [search("s", SCORES)])
    reader.press_in(reader.one("trial-filter", "summary"), "ENTER")
    fill(reader, "val_loss to", 0.6)
    assert shown(reader) == ["0004", "0001", "0007"]
    fill(reader, "first from", 0.1)
    assert shown(reader) == ["0004", "0007"]
    reader.driver.execute_script(
        "const [select] = arguments; select.selectedIndex = 2;"
        "select.dispatchEvent(new Event('change', { bubbles: true }));",
        field(reader, "schedule"),
    )
    assert shown(reader) == ["0007"]
    fill(reader, "first from", 0.9)
    assert shown(reader) == []
    reader.press("parallel", "HOME", "ARROW_DOWN", "END")
    assert "Point at a line" in reader.text("trial-readout")


def test_history_has_the_best_score_so_far(open_page):
    reader = open_page([], [search("s", SCORES)])
    assert len(reader.all("history", ".trial-dot")) == 6
    path = reader.one("history", ".mean").get_dom_attribute("d")
    # The first trial, then 0001, then 0004, to the end.
    assert path.count("V") == 2 and path.count("H") == 3
    reader.press("history", "HOME")
    assert reader.text("trial-readout").startswith("Trial 0000: val_loss 0.9")
    reader.press("history", "END")
    assert reader.text("trial-readout").startswith("Trial 0007: val_loss 0.6")
    texts = reader.all("history", ".axis text[text-anchor=middle]")
    assert {"0", "2", "4", "6"} <= {one.text for one in texts}
    reader = open_page([], [search("s", [0.5])])
    assert reader.one("history", ".mean").is_displayed()


def test_importance_is_shown_with_its_spread_and_doubt(open_page):
    changes = {"marginals": [CURVE], "importance": IMPORTANCE}
    reader = open_page([], [search("s", SCORES, **changes)])
    rows = [row.text for row in reader.all("importance-row")]
    assert rows == ["schedule 0.5 \u00b1 0.1", "first 0.125 \u00b1 0.05"]
    assert reader.all("importance", ".doubtful") == []
    assert "unreliable" not in reader.text("search").lower()
    reader = open_page([], [search("s", SCORES, problem="few trials", **changes)])
    assert len(reader.all("importance", ".doubtful")) == 2
    # The warning is in the chart that has the curve, and at both sections.
    (chart, other) = reader.all("marginal")
    assert "unreliable" in chart.text and "unreliable" not in other.text
    assert reader.text("search").count("UNRELIABLE: few trials.") == 2
    reader = open_page([], [search("s", SCORES)])
    assert not reader.one("importance").is_displayed()


def test_noise_of_the_scores_is_named_and_fits_the_axis(open_page):
    reader = open_page([], [search("s", [0.5, 0.501, 0.502], noise=0.1)])
    assert reader.text("noise") == (
        "By chance, the val_loss of a trial varies with a standard deviation of about "
        "0.1. 3 of 3 trials are within two of these of the best."
    )
    # The differences do not fill the axis, which has 4 standard deviations.
    ends = [
        float(line.get_dom_attribute("d").rsplit(",", 1)[1])
        for line in reader.all("parallel", ".trial")
    ]
    assert max(ends) - min(ends) < 5
    reader = open_page([], [search("s", [0.5, 0.501, 0.502])])
    assert "was not measured" in reader.text("noise")


def test_trials_are_sorted_and_downloaded(open_page, tmp_path):
    reader = open_page([], [search("s", SCORES)])
    for order in (["0000", "0001"], ["0007", "0005"], ["0004", "0001"]):
        reader.press_in(reader.one("trial-table", "[data-sort=trial]"), "ENTER")
        assert shown(reader)[:2] == order
    (button, *_) = reader.driver.find_elements(
        "css selector", "[aria-label='Download trials as CSV']"
    )
    content = reader.download_by(tmp_path, button, "csv").decode()
    rows = list(csv.reader(io.StringIO(content)))
    assert rows[0] == ["rank", "trial", "val_loss", "epochs", "rate/first", "schedule"]
    assert rows[1] == ["1", "0004", "0.3", "5", "0.2", "constant"]
    assert len(rows) == 7
