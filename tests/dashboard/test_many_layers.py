"""Names, equal lines and the space of a page with few, many and odd layers."""

import pytest

from tests.dashboard import browser as browsers
from tests.dashboard.payloads import metric, rate_at, search, training

pytestmark = pytest.mark.slow


def names_in(reader, testid, selector):
    return [one.text for one in reader.all(testid, selector)]


def with_rates(paths, values):
    """A training whose layers have these rates by epoch."""
    steps = list(range(len(values[0])))
    epoch = {"steps": steps, "values": values}
    rates = {"epoch": epoch, "batch": None}
    return training("run", paths, len(steps), rates=rates)


def test_shared_parts_of_names_are_cut_and_named_once(open_page):
    paths = [f"encoder/block_{row}/drop" for row in range(3)]
    reader = open_page([training("run", paths, 5)])
    short = ["block_0", "block_1", "block_2"]
    assert names_in(reader, "layer-row", "button") == short
    assert names_in(reader, "heat-map", "text.layer") == short
    assert sorted(names_in(reader, "rate-chart", "text.layer")) == short
    assert reader.text("common-path") == "All paths are encoder/\u2026/drop"
    titles = [
        button.get_dom_attribute("title")
        for button in reader.all("layer-row", "button")
    ]
    assert titles == paths
    reader.press("heat-map", "HOME")
    assert reader.text("rate-readout").startswith(paths[0])


def test_one_layer_keeps_its_name(open_page):
    reader = open_page([training("run", ["encoder/drop"], 5)])
    assert names_in(reader, "layer-row", "button") == ["encoder/drop"]
    assert not reader.one("common-path").is_displayed()


def test_long_names_that_differ_in_one_character_stay_different(open_page):
    paths = [f"{'x' * 150}{letter}{'y' * 150}" for letter in "abcd"]
    reader = open_page([training("run", paths, 5)])
    for testid, selector in (("layer-row", "button"), ("heat-map", "text.layer")):
        shown = names_in(reader, testid, selector)
        assert len(set(shown)) == 4
        assert all(letter in name for letter, name in zip("abcd", shown, strict=True))


def test_equal_lines_are_one_with_a_count(open_page):
    paths = [f"block_{row}" for row in range(40)]
    values = [[0.1, 0.2, 0.3] if row % 2 else [0.3, 0.3, 0.3] for row in range(40)]
    values[7] = [0.1, 0.2, 0.4]
    reader = open_page([with_rates(paths, values)])
    lines = reader.all("rate-chart", ".line:not(.faint)")
    drawn = [one.get_dom_attribute("data-line") for one in lines]
    assert drawn == ["block_0", "block_1", "block_7"]
    labels = set(names_in(reader, "rate-chart", "text.layer"))
    assert labels == {"block_0 \u00d720", "block_1 \u00d719", "block_7"}
    # Each layer keeps its row, with the colour of its line.
    assert reader.paths() == paths
    strokes = [
        one.get_dom_attribute("stroke")
        for one in reader.all("layer-row", ".swatch path")
    ]
    assert len(set(strokes)) == 3 and strokes[1] == strokes[3] != strokes[7]
    reader.press("heat-map", "HOME", "ARROW_DOWN", "ARROW_DOWN", "ARROW_DOWN")
    assert reader.text("rate-readout").startswith("block_3: epoch 1, rate 0.1,")
    assert reader.one("rate-chart", ".overlay .dot").is_displayed()


@pytest.mark.parametrize("count", [2, 40, 500])
def test_loss_and_gap_are_in_sight_with_any_number_of_layers(open_page, browser, count):
    loss = [metric("loss", "min", [0.5, 0.4])]
    paths = [f"layer_{row}" for row in range(count)]
    reader = open_page([training("run", paths, 2, metrics=loss)])
    size = browser.execute_script("return [innerWidth, innerHeight]")
    for chart in ("score-chart", "gap-chart"):
        box = reader.one(chart).rect
        assert box["y"] + box["height"] < size[1]
    table = reader.one("layer-table").rect
    rates = [reader.one(chart).rect for chart in ("rate-chart", "heat-map")]
    if count == 2:  # the lines get the space that the heat map does not need
        assert rates[0]["height"] > 350
    if count == 500:
        assert table["height"] <= 640 and rates[1]["height"] < 1_100
    assert len(reader.all("layer-row")) == count


def test_500_layers_are_read_to_the_last(open_page):
    paths = [f"layer_{row}" for row in range(500)]
    reader = open_page([training("run", paths, 500)])
    reader.press("heat-map", "END", *["ARROW_DOWN"] * 499)
    rate = f"{rate_at(499, 499):.4g}"
    assert reader.text("rate-readout").startswith(f"layer_499: epoch 500, rate {rate}")


def test_10000_epochs_are_drawn_and_zoomed(open_page):
    size = 10_000
    values = [0.5 + 0.1 * (epoch % 7) for epoch in range(size)]
    values[7_777] = 0.25
    loss = [metric("loss", "min", values)]
    reader = open_page([training("run", ["a", "b"], size, metrics=loss)])
    assert "lowest at epoch 7778: 0.25" in reader.text("score-sentence")
    reader.set("zoom-from", 7_770)
    reader.set("zoom-to", 7_785)
    reader.press("score-chart", "HOME", *["ARROW_RIGHT"] * 8)
    assert reader.text("score-readout").endswith("Epoch 7778:\nrun: val_loss 0.25")


@pytest.mark.parametrize("width", [390, 800, 1300, 1920])
@pytest.mark.parametrize("dark", [False, True])
def test_search_fits_screens(open_page, browser, width, dark):
    browsers.set_dark(browser, dark)
    browsers.set_width(browser, width)
    try:
        reader = open_page([], [search("s", [0.5, 0.25, 0.125, None])])
        assert browser.execute_script(
            "return document.documentElement.scrollWidth <= innerWidth"
        )
        assert reader.one("history").rect["width"] > 300
    finally:
        browsers.set_width(browser, None)
        browsers.set_dark(browser, False)
