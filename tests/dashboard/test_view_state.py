"""The choices of the user: kept in the address, and applied to charts and files."""

import csv
import io
import struct
import xml.etree.ElementTree

import pytest
from selenium.webdriver.common.by import By

from tests.dashboard import browser as browsers
from tests.dashboard.board import write_training
from tests.dashboard.logs import training as read_training
from tests.dashboard.logs import write
from tests.dashboard.payloads import by_epoch, metric, page_of, search, training

pytestmark = pytest.mark.slow

PATHS = [f"encoder/block_{row}/drop" for row in range(3)]
LOSS = [0.9, 0.6, 0.5, 0.7, 0.8, 0.85, 0.8, 0.9, 0.95, 1.0]
SIZE = len(LOSS)


def run(name, **changes):
    changes = {
        "metrics": [metric("loss", "min", LOSS), metric("auc", "max", LOSS)],
        "training_steps": by_epoch([50 * (epoch + 1) for epoch in range(SIZE)]),
        "times": by_epoch([30 * (epoch + 1) for epoch in range(SIZE)]),
    } | changes
    return training(name, PATHS, SIZE, **changes)


def ticks(reader, chart):
    """Return the numbers below a chart."""
    texts = reader.all(chart, ".axis text[text-anchor=middle]")
    return [float(one.text) for one in texts if not one.text.isalpha()]


def zoom_of(reader):
    return [
        float(reader.one(f"zoom-{end}").get_property("value")) for end in ("from", "to")
    ]


def test_link_shows_the_same_in_a_new_window(open_page, browser):
    names = ["a & b=c", "second#1,2", "third"]
    payloads = page_of([run(name) for name in names], [search("s", [0.5])])
    reader = open_page(payloads=payloads)
    reader.choose_run("second#1,2")
    reader.one("compare", "summary").click()
    reader.one("compare", "input[value='a & b=c']").click()
    reader.wait(lambda: len(reader.all("run-row")) == 2)
    reader.all("layer-row", "button")[2].click()
    reader.one("metric").send_keys("auc")
    reader.one("axis", "input[value=step]").click()
    reader.drag(reader.one("score-chart", ".area"), 0.2, 0.6)
    reader.set("smoothing", 0.5)
    reader.one("filter").send_keys("BLOCK")
    reader.one("layer-table", "[data-sort=rate]").click()

    def view():
        return (
            reader.one("run-picker").get_dom_attribute("title"),
            [row.text for row in reader.all("run-row")],
            [
                one.get_dom_attribute("aria-pressed")
                for one in reader.all("layer-row", "button")
            ],
            reader.paths(),
            zoom_of(reader),
            [
                one.get_dom_attribute("d")
                for one in reader.all("score-chart", ".base path")
            ],
            [
                one.get_dom_attribute("d")
                for one in reader.all("rate-chart", ".base path")
            ],
            [
                one.get_dom_attribute("stroke")
                for one in reader.all("score-chart", ".base path")
            ],
            reader.one("filter").get_property("value"),
            reader.text("score-sentence"),
        )

    before, link = view(), browser.current_url
    assert "second%25231%252C2" in link
    browser.get("about:blank")
    reader.open(link)
    reader.wait(lambda: len(reader.all("run-row")) == 2)
    assert view() == before
    browser.refresh()
    reader.wait(lambda: len(reader.all("run-row")) == 2)
    assert view() == before
    assert len(before[5]) > 3 and before[4] != [25.0, 525.0]


def test_address_of_a_run_that_is_gone_is_reported(open_page):
    choices = "#run=training%3Agone&runs=0%3Agone"
    reader = open_page([run("a"), run("b")], choices=choices)
    assert 'The run "gone" was removed' in reader.text("message")
    reader.choose_run("a")
    assert reader.paths() == PATHS
    choices = "#run=training%3Aa&runs=0%3Aa%2C1%3Agone"
    choices += "&layers=no%2Cencoder%252Fblock_0%252Fdrop"
    reader = open_page([run("a"), run("b")], choices=choices)
    reader.wait(lambda: "gone" in reader.text("note"))
    assert reader.text("note") == (
        'The run "gone" is not in this log folder. '
        "This run does not have 1 highlighted layer."
    )
    assert reader.paths() == PATHS


@pytest.mark.parametrize(
    "choices",
    [
        "#run=%&zoom=a,b&axis=toString&smoothing=x&runs=%E0%A4%A&sort=-nothing",
        "#zoom=5,1&metric=none&runs=1%2C2&parts=a,b&brush=%5B",
        "#zoom=1e9,2e9&smoothing=7&run=search:",
        "#&&=&a&__proto__=1&constructor=2",
    ],
)
def test_address_without_meaning_shows_a_page(open_page, choices):
    reader = open_page([run("a")], choices=choices)
    if "search:" in choices:
        assert "was removed" in reader.text("message")
        return
    assert reader.paths() == PATHS
    assert len(reader.all("score-chart", ".line")) >= 1


def test_other_address_in_the_same_window_is_followed(open_page, browser):
    reader = open_page([run("a"), run("b")])
    browser.execute_script("location.hash = 'run=training%3Ab&axis=time'")
    reader.wait(
        lambda: (
            reader.one("run-picker").get_dom_attribute("title") == "b"
            and "minutes" in reader.text("score-chart")
        )
    )


def test_drag_zooms_all_charts_and_a_double_click_ends_it(open_page):
    reader = open_page([run("a")])
    assert zoom_of(reader) == [0.5, 10.5]
    charts = ("score-chart", "gap-chart", "rate-chart", "heat-map")
    for chart in charts:
        part = "canvas" if chart == "heat-map" else ".area"
        reader.drag(reader.one(chart, part), 0.2, 0.5)
        low, high = zoom_of(reader)
        assert low == pytest.approx(2.5, abs=0.1)
        assert high == pytest.approx(5.5, abs=0.1)
        assert all(set(ticks(reader, one)) == {3, 4, 5} for one in charts)
        # No layer was highlighted by the click that ends the movement.
        assert reader.all("layer-row", "[aria-pressed=true]") == []
        reader.one("zoom-all").click()
        assert zoom_of(reader) == [0.5, 10.5]
    reader.drag(reader.one("score-chart", ".area"), 0.2, 0.5)
    reader.driver.execute_script(
        "arguments[0].dispatchEvent(new MouseEvent('dblclick', { bubbles: true }))",
        reader.one("gap-chart"),
    )
    assert zoom_of(reader) == [0.5, 10.5]


def test_zoomed_values_use_the_whole_height(open_page):
    reader = open_page([run("a")])
    reader.set("zoom-from", 2)
    reader.set("zoom-to", 3)
    texts = reader.all("score-chart", ".axis text[text-anchor=end]")
    heights = [float(one.text) for one in texts]
    assert min(heights) == 0.5 and max(heights) == 0.6
    reader.hover(reader.one("score-chart", ".area"), 0.9, 0.5)
    assert reader.text("score-readout").startswith("Epoch 3:")


def test_keys_zoom_around_the_cursor(open_page):
    reader = open_page([run("a")])
    reader.press("score-chart", "HOME", *["ARROW_RIGHT"] * 4)
    reader.driver.switch_to.active_element.send_keys("+")
    assert zoom_of(reader) == [2.75, 7.75]
    reader.driver.switch_to.active_element.send_keys("-")
    assert zoom_of(reader) == [0.5, 10.5]
    reader.driver.switch_to.active_element.send_keys("++0")
    assert zoom_of(reader) == [0.5, 10.5]


@pytest.mark.parametrize(
    ("axis", "place", "title"),
    [
        ("epoch", "Epoch 4", "epoch"),
        ("step", "Training step 200", "training step"),
        ("time", "2 minutes since the start", "minutes since the start"),
    ],
)
def test_axis_can_be_chosen(open_page, axis, place, title):
    reader = open_page([run("a")])
    reader.one("axis", f"input[value={axis}]").click()
    for chart in ("score-chart", "gap-chart", "rate-chart", "heat-map"):
        assert title in reader.text(chart)
    reader.hover(reader.one("score-chart", ".area"), 3.5 / SIZE, 0.5)
    assert reader.text("score-readout").startswith(place)
    assert reader.text("gap-readout").startswith(place)
    assert f"{place.lower()}: rates from" in reader.text("rate-readout")


def test_smoothing_keeps_the_values_readable(open_page):
    reader = open_page([run("a")])
    reader.set("smoothing", 0.5)
    raw, smooth = reader.all("score-chart", ".line path:first-child")
    assert raw.get_dom_attribute("opacity") == "0.3"
    assert raw.get_dom_attribute("d") != smooth.get_dom_attribute("d")
    reader.press("score-chart", "HOME", "ARROW_RIGHT")
    average = (0.25 * 0.9 + 0.5 * 0.6) / 0.75
    expected = f"val_loss 0.6 (smoothed {average:.4g})"
    assert reader.text("score-readout").endswith(expected)
    assert "lowest at epoch 3: 0.5" in reader.text("score-sentence")


def test_table_of_layers_is_sorted_by_its_headings(open_page):
    rates = [0.3, None, 0.1]
    payload = run("a")
    for layer, rate in zip(payload["layers"], rates, strict=True):
        layer["rate"] = rate
    reader = open_page([payload])
    heading = "[data-sort=rate]"
    orders = [[2, 0, 1], [0, 2, 1], [0, 1, 2]]
    for order, state in zip(orders, ("ascending", "descending", None), strict=True):
        reader.press_in(reader.one("layer-table", heading), "ENTER")
        assert reader.paths() == [PATHS[row] for row in order]
        (cell,) = reader.all("layer-table", f"th:has({heading})")
        assert cell.get_dom_attribute("aria-sort") == state
        # The focus stays, so that the next key sorts again.
        focused = reader.driver.switch_to.active_element
        assert focused.get_dom_attribute("data-sort") == "rate"


def rows(content):
    return list(csv.reader(io.StringIO(content.decode())))


def test_csv_of_each_section_equals_the_logs(open_page, tmp_path):
    logs = tmp_path / "logs"
    written = {"one, two": [0.25, 0.5, 0.125], 'a "b"': [1.5, 2.5]}
    for name, values in written.items():
        write_training(
            logs / name,
            {'d,"1"': [v / 10 for v in values], "d2": [0.5] * len(values)},
            metrics=[{"val_loss": v, "loss": v + 1} for v in values],
            gaps=[{"loss": -v, "naive_loss": v} for v in values],
        )
        for epoch in range(len(values)):
            steps = {"progress/training_steps": 10.0 * (epoch + 1)}
            write(logs / name, (steps, None, epoch))
    reader = open_page([read_training(logs, name) for name in written])
    reader.one("compare", "summary").click()
    reader.one("compare", "input:not([disabled])[type=checkbox]").click()
    reader.wait(lambda: len(reader.all("run-row")) == 2)
    reader.set("zoom-to", 2)  # files have everything
    reader.set("smoothing", 0.9)
    head, *found = rows(reader.download(tmp_path, "score", "CSV"))
    names = ["run", "epoch", "training_step", "seconds"]
    assert head == [*names, "val_loss", "clean_loss", "loss"]
    expected = [
        [name, f"{e + 1}", f"{10 * (e + 1)}", f"{v:g}", "", f"{v + 1:g}"]
        for name, values in written.items()
        for e, v in enumerate(values)
    ]
    assert [[*row[:3], *row[4:]] for row in found] == expected
    assert all(0 <= float(row[3]) < 60 for row in found)
    assert rows(reader.download(tmp_path, "gap", "CSV")) == [
        ["run", "epoch", "gap_loss", "naive_gap_loss"],
        *(
            [name, f"{e + 1}", f"{-v:g}", f"{v:g}"]
            for name, values in written.items()
            for e, v in enumerate(values)
        ),
    ]
    assert rows(reader.download(tmp_path, "rates", "CSV")) == [
        ["epoch", 'd,"1"', "d2"],
        *(
            [f"{e + 1}", f"{v / 10:g}", "0.5"]
            for e, v in enumerate(written["one, two"])
        ),
    ]


def test_pictures_look_like_the_page(open_page, tmp_path, browser):
    reader = open_page([run("a")])
    for section in ("score", "gap", "rates"):
        drawing = xml.etree.ElementTree.fromstring(
            reader.download(tmp_path, section, "SVG")
        )
        width, height = (int(drawing.get(name)) for name in ("width", "height"))
        lines = [one for one in drawing.iter() if one.tag.endswith("}path")]
        assert any((one.get("stroke") or "").startswith("rgb") for one in lines)
        assert not any("var(" in (one.get("stroke") or "") for one in lines)
        picture = reader.download(tmp_path, section, "PNG")
        assert struct.unpack(">II", picture[16:24]) == (2 * width, 2 * height)
        assert len(picture) > 5_000
    assert browsers.console_errors(browser) == []


def test_everything_is_reached_by_the_keyboard(open_page, browser):
    reader = open_page([run("a"), run("b")])
    reader.one("compare", "summary").click()
    body = browser.find_element(By.TAG_NAME, "body")
    body.click()
    seen = set()
    for _ in range(70):
        reader.press_keys("TAB")
        focused = browser.switch_to.active_element
        seen.add(
            focused.get_dom_attribute("data-testid")
            or focused.get_dom_attribute("aria-label")
            or focused.get_dom_attribute("type")
            or focused.tag_name
        )
    assert {
        "run-picker",
        "summary",
        "compare-filter",
        "checkbox",
        "metric",
        "radio",
        "zoom-from",
        "zoom-to",
        "smoothing",
        "score-chart",
        "gap-chart",
        "rate-chart",
        "heat-map",
        "filter",
        "Download layers as CSV",
        "Download dropout rates as PNG",
        "Show the layers of a",
    } <= seen
