"""Several runs in the same charts, and whether they made the model better."""

import pytest

from tests.dashboard import browser as browsers
from tests.dashboard.board import write_training
from tests.dashboard.logs import training as read_training
from tests.dashboard.payloads import by_epoch, metric, page_of, rate_at, training

pytestmark = pytest.mark.slow

PATHS = ["encoder/block_0/drop", "encoder/block_1/drop"]
LOSS = [0.9, 0.6, 0.5, 0.7]
OTHER = [0.8, None, 0.45]


def run(name, validation, **changes):
    clean = [None if value is None else value / 2 for value in validation]
    noisy = [None if value is None else value + 1 for value in validation]
    loss = metric("loss", "min", validation, clean=clean, training=noisy)
    auc = metric("auc", "max", [1 - (value or 0) for value in validation])
    changes = {"metrics": [loss, auc]} | changes
    return training(name, PATHS, len(validation), **changes)


@pytest.fixture
def two(open_page):
    """The page with two of three runs in the charts."""
    reader = open_page([run("first", LOSS), run("second", OTHER), run("third", LOSS)])
    compare(reader, "second")
    return reader


def compare(reader, *names):
    """Mark runs in the list of runs."""
    details = reader.one("compare")
    if details.get_dom_attribute("open") is None:
        reader.one("compare", "summary").click()
    for name in names:
        reader.one("compare", f'input[value="{name}"]').click()


def rows(reader):
    return [" ".join(row.text.split()) for row in reader.all("run-row")]


def strokes(reader, chart):
    """Return the colours of the lines in a chart by key."""
    return {
        line.get_dom_attribute("data-line"): line.find_element(
            "css selector", "path"
        ).value_of_css_property("stroke")
        for line in reader.all(chart, ".line")
    }


def test_loss_and_its_best_epoch_are_shown(open_page):
    reader = open_page([run("first", LOSS)])
    assert reader.text("score-sentence") == (
        "val_loss is lowest at epoch 3: 0.5. At epoch 4, the last one, val_loss is 0.7."
    )
    assert rows(reader) == ["first 0.5 3 0.021 0.7 4"]
    assert [*strokes(reader, "score-chart")] == [
        f"first\n{part}" for part in ("validation", "clean", "training")
    ]
    assert len(reader.all("best-sign")) == 1
    reader.hover(reader.one("score-chart", ".area"), 1.5 / 4, 0.5)
    assert reader.text("score-readout") == (
        "Epoch 2:\nfirst: val_loss 0.6, clean 0.3, noisy 1.6"
    )
    # The same place is marked in the other charts.
    assert reader.text("gap-readout").startswith("Epoch 2: clean gap of loss 0.011")


def test_best_epoch_of_a_metric_whose_higher_values_are_better(open_page):
    reader = open_page([run("first", LOSS)])
    reader.one("metric").send_keys("auc")
    assert "val_auc is highest at epoch 3: 0.5" in reader.text("score-sentence")
    assert "No gap of auc was measured" in reader.text("gap-sentence")
    metrics = [metric("mine", None, LOSS)]
    reader = open_page([run("first", LOSS, metrics=metrics, gaps=[])])
    assert "Whether a lower value is better is not known" in reader.text(
        "score-sentence"
    )
    assert reader.all("best-sign") == []


def test_lines_of_the_score_can_be_chosen(open_page):
    reader = open_page([run("first", LOSS)])
    reader.one("parts", "input[value=training]").click()
    assert [*strokes(reader, "score-chart")] == [
        f"first\n{part}" for part in ("validation", "clean")
    ]


def test_log_without_losses_is_reported(open_page):
    reader = open_page([training("old", PATHS, 3)])
    assert "an earlier version did not" in reader.text("score-sentence")
    assert not reader.one("score-chart").is_displayed()
    assert reader.one("gap-chart").is_displayed()


def test_two_runs_have_both_values_at_the_pointer(two):
    for chart, place in (("score-chart", 2.5 / 4), ("gap-chart", 2.5 / 4)):
        two.hover(two.one(chart, ".area"), place, 0.5)
        assert two.text("score-readout").split("\n") == [
            "Epoch 3:",
            "first: val_loss 0.5, clean 0.25, noisy 1.5",
            "second: val_loss 0.45, clean 0.225, noisy 1.45",
        ]
        assert two.text("gap-readout").split("\n") == [
            "Epoch 3:",
            "first: clean gap 0.021, naive gap -0.18",
            "second: clean gap 0.021, naive gap -0.18",
        ]
        mean = (rate_at(0, 2) + rate_at(1, 2)) / 2
        assert two.text("runs-readout").split("\n") == [
            "Epoch 3:",
            f"first: mean rate {mean:.4g}",
            f"second: mean rate {mean:.4g}",
        ]
    # The second run has no fourth epoch.
    two.press("score-chart", "END")
    assert two.text("score-readout").endswith("second: no value here")


def test_values_of_overlaid_runs_equal_the_logs(open_page, tmp_path):
    written = {"low": [0.25, 0.5, 0.125], "high": [1.5, 2.5, 3.5]}
    for name, values in written.items():
        metrics = [{"val_loss": v, "loss": v + 1} for v in values]
        rates = {"drop": [v / 10 for v in values]}
        gaps = [{"loss": -v} for v in values]
        write_training(tmp_path / name, rates, metrics=metrics, gaps=gaps)
    reader = open_page([read_training(tmp_path, name) for name in written])
    compare(reader, "high")
    reader.press("score-chart", "HOME")
    for epoch in range(3):
        assert reader.text("score-readout").split("\n") == [
            f"Epoch {epoch + 1}:",
            *(
                f"{name}: val_loss {values[epoch]:g}, noisy {values[epoch] + 1:g}"
                for name, values in written.items()
            ),
        ]
        assert reader.text("gap-readout").split("\n")[1:] == [
            f"{name}: clean gap {-values[epoch]:g}, naive gap none"
            for name, values in written.items()
        ]
        assert reader.text("runs-readout").split("\n")[1:] == [
            f"{name}: mean rate {values[epoch] / 10:g}"
            for name, values in written.items()
        ]
        reader.press("score-chart", "ARROW_RIGHT")


def test_best_run_is_named_and_luck_with_it(two):
    assert two.text("score-sentence") == (
        "second has the lowest val_loss: 0.45 at epoch 3. Next is first with 0.5 at "
        "epoch 3. Each line is one training, so a difference may be luck."
    )
    assert len(two.all("best-sign")) == 2
    assert rows(two) == [
        "first \u00d7 0.5 3 0.021 0.7 4",
        "second \u00d7 0.45 3 0.021 0.45 3",
    ]


def test_run_has_one_colour_in_all_charts_and_keeps_it(two):
    def colours():
        found = {}
        for chart in ("score-chart", "gap-chart", "rate-chart"):
            for key, stroke in strokes(two, chart).items():
                found.setdefault(key.split("\n")[0], set()).add(stroke)
        for row in two.all("run-row"):
            swatch = row.find_element("css selector", ".swatch path")
            name = row.get_dom_attribute("data-run")
            found[name].add(swatch.value_of_css_property("stroke"))
        return found

    before = colours()
    assert all(len(found) == 1 for found in before.values())
    assert before["first"] != before["second"]
    compare(two, "third")
    two.wait(lambda: len(rows(two)) == 3)
    (remove,) = two.driver.find_elements(
        "css selector", "[aria-label='Remove first from the charts']"
    )
    two.press_in(remove, "ENTER")
    two.wait(lambda: len(rows(two)) == 2)
    assert colours()["second"] == before["second"]
    compare(two, "first")
    two.wait(lambda: len(rows(two)) == 3)
    after = colours()
    assert {name: after[name] for name in before} == before


def test_layers_are_those_of_the_chosen_run(open_page):
    other = run("second", OTHER) | {"layers": run("second", OTHER)["layers"][:1]}
    reader = open_page([run("first", LOSS), other])
    compare(reader, "second")
    assert reader.paths() == PATHS
    choose = reader.driver.find_element(
        "css selector", "[aria-label='Show the layers of second']"
    )
    reader.press_in(choose, "ENTER")
    reader.wait(lambda: reader.paths() == PATHS[:1])
    assert len(rows(reader)) == 2
    assert reader.one("run-picker").get_dom_attribute("title") == "second"


def test_highlighted_layer_is_compared_between_runs(two):
    two.all("layer-row", "button")[1].click()
    assert [*strokes(two, "rate-chart")] == [
        f"{name}\n{PATHS[1]}" for name in ("first", "second")
    ]
    two.press("rate-chart", "HOME")
    rate = f"{rate_at(1, 0):.4g}"
    assert two.text("runs-readout").split("\n")[1:] == [
        f"{name}: {PATHS[1]} {rate}" for name in ("first", "second")
    ]


def test_runs_are_found_by_name_and_added_together(open_page):
    trainings = [run(f"lr/{number}", LOSS) for number in range(30)]
    reader = open_page([run("other", LOSS), *trainings])
    reader.one("compare", "summary").click()
    reader.one("compare-filter").send_keys("lr/1")
    boxes = reader.all("compare", "input[type=checkbox]")
    assert len(boxes) == 11
    reader.one("compare", "button:first-of-type").click()
    reader.wait(lambda: len(rows(reader)) == 12)
    assert reader.text("compare-count") == "(12 of 31 shown)"
    styles = {
        (
            line.get_dom_attribute("stroke"),
            line.get_dom_attribute("stroke-dasharray"),
        )
        for line in reader.all("score-chart", ".line path:first-child")
    }
    assert len(styles) == 12
    reader.one("compare", "button:last-of-type").click()
    reader.wait(lambda: len(rows(reader)) == 1)


def test_runs_with_missing_values_and_different_lengths_are_drawn(open_page):
    nothing = {"metrics": [], "gaps": [], "rates": {"epoch": None, "batch": None}}
    diverged = [0.5, None, None, None]
    reader = open_page(
        [run("a", LOSS), run("b", diverged), run("c", [], **nothing), run("d", OTHER)]
    )
    compare(reader, "b", "c", "d")
    reader.wait(lambda: len(rows(reader)) == 4)
    assert rows(reader)[1].endswith("0.5 1 0.001 0.5 4")
    assert rows(reader)[2] == "c \u00d7" + " \u2013" * 5
    reader.press("score-chart", "END")
    told = reader.text("score-readout").split("\n")
    assert told[1] == "a: val_loss 0.7"
    assert told[2:] == ["b: val_loss none", "c: no value here", "d: no value here"]


@pytest.mark.parametrize("width", [390, 800, 1300, 1920])
@pytest.mark.parametrize("dark", [False, True])
def test_page_fits_screens(open_page, browser, width, dark):
    browsers.set_dark(browser, dark)
    browsers.set_width(browser, width)
    try:
        names = [f"digits/{'long_' * 9}{number}" for number in range(4)]
        payloads = page_of([run(name, LOSS, times=by_epoch([1, 2])) for name in names])
        reader = open_page(payloads=payloads)
        compare(reader, *names[1:])
        reader.wait(lambda: len(rows(reader)) == 4)
        assert browser.execute_script(
            "return document.documentElement.scrollWidth <= innerWidth"
        )
        for chart in ("score-chart", "gap-chart", "rate-chart", "heat-map"):
            box = reader.one(chart).rect
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            assert box["width"] > 300
    finally:
        browsers.set_width(browser, None)
        browsers.set_dark(browser, False)
