"""The self-contained page in a browser."""

import json
import re

import pytest

from kdropout_dashboard import page
from tests.dashboard import browser as browsers
from tests.dashboard.payloads import page_of, rate_at, search, training

pytestmark = pytest.mark.slow

FEW = [f"encoder/block_{row}/drop" for row in range(3)]
MANY = [f"encoder/block_{row}/drop" for row in range(12)]
HOSTILE = [
    "<img src=x onerror=\"document.title='broken in'\">",
    "</script><script>document.title='broken in'</script>",
    "\"quotes\" & 'more' &lt;",
    "slashes/of/../a\\path",
    "Größe 層 \u202e \U0001f600",
    "x" * 500,
    "__proto__",
]
SCORES = [0.9, 0.5, None, 0.7, 0.3, 0.8, None, 0.6]
BEST, WORST = 4, 0


def readout(row, epoch, paths=FEW):
    deciders = ("you", "schedule Ramp", "gradient")
    rate = f"{rate_at(row, epoch):.4g}"
    name, place = paths[row], f"epoch {epoch + 1}"  # the number that Keras prints
    return f"{name}: {place}, rate {rate}, decided by {deciders[row % 3]}"


def test_table_has_the_layers_in_model_order_with_their_rates(open_page):
    reader = open_page([training("run", FEW[::-1], 5)])
    assert reader.paths() == FEW[::-1]
    shown = [cell.text for cell in reader.all("layer-rate")]
    assert shown == [f"{rate_at(row, 4):.4g}" for row in range(3)]
    rows = [row.text.split("\n")[-1] for row in reader.all("layer-row")]
    assert "schedule Ramp" in rows[1] and "DropPath" in rows[1]


@pytest.mark.parametrize(("row", "epoch"), [(0, 0), (1, 7), (2, 19)])
def test_pointer_on_the_heat_map_reads_its_cell(open_page, row, epoch):
    reader = open_page([training("run", FEW, 20)])
    cells = reader.one("heat-map", "canvas")
    reader.hover(cells, (epoch + 0.5) / 20, (row + 0.5) / 3)
    assert reader.text("rate-readout") == readout(row, epoch)


def test_keys_read_the_same_cells_as_the_pointer(open_page):
    reader = open_page([training("run", FEW, 20)])
    hint = reader.text("rate-readout")
    reader.press("heat-map", "END", "ARROW_DOWN", "ARROW_LEFT")
    assert reader.text("rate-readout") == readout(1, 18)
    reader.press("heat-map", "HOME", "PAGE_DOWN", "ARROW_UP")
    assert reader.text("rate-readout") == readout(0, 10)
    reader.press("rate-chart", "ARROW_DOWN", "ARROW_RIGHT")
    assert reader.text("rate-readout") == readout(1, 11)
    reader.press("rate-chart", "ESCAPE")
    assert reader.text("rate-readout") == hint


def test_pointer_near_the_lines_reads_the_nearest_one(open_page):
    reader = open_page([training("run", FEW, 20)])
    area = reader.one("rate-chart", ".area")
    # The axis ends at 0.5. The pointer is a little above the value, like a hand's.
    height = 1 - rate_at(2, 5) / 0.5 - 0.02
    reader.hover(area, 5.5 / 20, height)
    assert reader.text("rate-readout") == readout(2, 5)


def test_all_charts_share_one_cursor(open_page):
    reader = open_page([training("run", FEW, 20)])
    reader.hover(reader.one("heat-map", "canvas"), 12.5 / 20, 0.5)
    lines = [
        reader.one(chart, ".overlay .cursor").get_dom_attribute("x1")
        for chart in ("heat-map", "rate-chart", "gap-chart")
    ]
    assert len(set(lines)) == 1 and float(lines[0]) > 0
    expected = "Epoch 13: clean gap of loss 0.121, naive gap -0.08"
    assert reader.text("gap-readout") == expected
    reader.hover(reader.one("gap-chart", ".area"), 3.5 / 20, 0.5)
    rates = [rate_at(row, 3) for row in range(3)]
    span = f"from {min(rates):.4g} to {max(rates):.4g}"
    assert reader.text("rate-readout") == f"epoch 4: rates {span}"


def test_gap_is_described_in_a_sentence(open_page):
    reader = open_page([training("run", FEW, 20)])
    assert reader.text("gap-sentence") == (
        "At epoch 20 the clean gap of loss is 0.191 (above 0: overfitting). The naive "
        "gap is -0.01. The target of GapController is 0.1 \u00b1 0.02."
    )
    assert "target 0.1" in reader.text("gap-chart")


def test_metric_of_the_gap_can_be_chosen(open_page):
    loss = training("run", FEW, 5)["gaps"][0]
    accuracy = loss | {"metric": "accuracy", "clean": [-0.5] * 5, "naive": [None] * 5}
    reader = open_page([training("run", FEW, 5, gaps=[loss, accuracy])])
    assert reader.one("metric").is_displayed()
    reader.one("metric").send_keys("accuracy")
    assert reader.text("gap-sentence") == (
        "At epoch 5 the clean gap of accuracy is -0.5 (not above 0: no overfitting)."
    )
    assert "target" not in reader.text("gap-chart")


def test_missing_value_is_not_drawn_as_0(open_page):
    values = [[None, None, 0.2, 0.3], [0.0, 0.0, 0.0, 0.0]]
    epoch = {"steps": [0, 1, 2, 3], "values": values}
    rates = {"epoch": epoch, "batch": None}
    reader = open_page([training("run", FEW[:2], 4, rates=rates)])
    assert reader.colour(0.2, 0.25)[3] == 0
    assert reader.colour(0.2, 0.75)[3] == 255
    assert reader.colour(0.9, 0.25) != reader.colour(0.6, 0.25)
    reader.hover(reader.one("heat-map", "canvas"), 0.2, 0.25)
    assert "epoch 1, rate none" in reader.text("rate-readout")


def test_chosen_layers_are_highlighted_in_the_charts(open_page):
    reader = open_page([training("run", MANY, 5)])
    assert reader.all("rate-chart", ".line:not(.faint)") == []
    buttons = reader.all("layer-row", "button")
    buttons[7].click()
    reader.press_in(buttons[2], "ENTER")
    pressed = [button.get_dom_attribute("aria-pressed") for button in buttons]
    assert [row for row in range(12) if pressed[row] == "true"] == [2, 7]
    lines = reader.all("rate-chart", ".line:not(.faint)")
    assert [one.get_dom_attribute("data-line") for one in lines] == [MANY[2], MANY[7]]
    strokes = reader.all("rate-chart", ".line:not(.faint) path:first-child")
    assert len({one.value_of_css_property("stroke") for one in strokes}) == 2
    assert len({one.get_dom_attribute("stroke-dasharray") for one in strokes}) == 2
    buttons[2].click()
    assert len(reader.all("rate-chart", ".line:not(.faint)")) == 1


def test_few_layers_differ_by_dash_and_are_labelled(open_page):
    reader = open_page([training("run", FEW, 5)])
    lines = reader.all("rate-chart", ".line path:first-child")
    assert len({line.get_dom_attribute("stroke-dasharray") for line in lines}) == 3
    assert all(path.split("/")[1] in reader.text("rate-chart") for path in FEW)


def test_filter_applies_to_table_and_charts(open_page):
    reader = open_page([training("run", MANY, 5)])
    reader.one("filter").send_keys("BLOCK_1")
    assert reader.paths() == [MANY[1], MANY[10], MANY[11]]
    assert len(reader.all("rate-chart", ".line")) == 3
    reader.hover(reader.one("heat-map", "canvas"), 0.9, 0.5)
    assert reader.text("rate-readout") == readout(10, 4, MANY)
    reader.one("filter").send_keys("nothing")
    assert reader.paths() == []
    assert 'contains "BLOCK_1nothing"' in reader.text("note")


def test_rates_by_training_step_are_shown(open_page):
    epoch = {"steps": [0, 1], "values": [[0.1, 0.2]]}
    batch = {"steps": [0, 50, 100], "values": [[0.1, 0.15, 0.2]]}
    rates = {"epoch": epoch, "batch": batch}
    reader = open_page([training("run", FEW[:1], 2, rates=rates)])
    reader.one("axis", "input[value=step]").click()
    reader.hover(reader.one("heat-map", "canvas"), 0.5, 0.5)
    assert "training step 50, rate 0.15," in reader.text("rate-readout")
    # The number of steps per epoch is unknown, so the gap has no such axis.
    assert (
        reader.text("gap-readout") == "Training step 50: no gap of loss is known here"
    )


def test_single_epoch_is_a_dot(open_page):
    reader = open_page([training("run", FEW, 1)])
    dots = reader.all("rate-chart", ".line .alone")
    assert all(
        re.fullmatch(r"M[\d.]+,[\d.]+h0", d.get_dom_attribute("d")) for d in dots
    )
    assert len(dots) == 3


def test_spike_survives_more_epochs_than_pixels(open_page):
    values = [0.1] * 3000
    values[1501] = 0.5
    epoch = {"steps": list(range(3000)), "values": [values]}
    rates = {"epoch": epoch, "batch": None}
    reader = open_page([training("run", FEW[:1], 3000, rates=rates)])
    drawn = reader.one("rate-chart", ".line path:first-child").get_dom_attribute("d")
    heights = [float(y) for y in re.findall(r",([\d.]+)", drawn)]
    top = float(reader.one("rate-chart", ".area").get_dom_attribute("y"))
    assert min(heights) == top
    assert len(heights) < 20


def test_last_cell_of_200_layers_and_1000_epochs_can_be_read(open_page):
    paths = [f"layer_{row}" for row in range(200)]
    reader = open_page([training("run", paths, 1000)])
    assert len(reader.all("layer-row")) == 200
    reader.press("heat-map", "END", *["ARROW_DOWN"] * 199)
    assert reader.text("rate-readout") == readout(199, 999, paths)


def test_terms_and_drop_fractions_have_columns(open_page):
    reader = open_page(
        [
            training(
                "run",
                FEW[:2],
                2,
                terms=[
                    {
                        "name": "entropy_term",
                        "steps": [0, 1],
                        "values": [[-0.5, -0.25], [None, None]],
                    }
                ],
                drop_fractions={"steps": [1], "values": [[0.31], [0.29]]},
            )
        ]
    )
    heads = [cell.text for cell in reader.all("layer-table", "thead th")]
    assert heads[-2:] == ["Dropped", "Entropy term"]
    cells = [cell.text for cell in reader.all("layer-row", "td")]
    assert cells[4:6] == ["0.31", "-0.25"]
    assert cells[10:12] == ["0.29", "\u2013"]


def test_run_can_be_switched(open_page):
    reader = open_page(
        [training("one", FEW, 5), training("two", MANY, 9)],
        [search("two", SCORES)],
    )
    groups = reader.all("run-picker", "optgroup")
    labels = [group.get_dom_attribute("label") for group in groups]
    assert labels == ["Trainings", "Searches"]
    reader.choose_run("two")
    assert reader.paths() == MANY
    reader.choose_run("two", "search")
    assert reader.all("training") == []
    reader.choose_run("one")
    assert reader.paths() == FEW


def test_dark_and_light_differ_and_follow_the_system(open_page, browser):
    browsers.set_dark(browser, False)
    reader = open_page([training("run", FEW, 5)])
    seen = []
    for dark in (False, True):
        browsers.set_dark(browser, dark)
        theme = "dark" if dark else "light"
        selector = f":root[data-theme={theme}] body"
        (body,) = reader.wait(
            lambda selector=selector: browser.find_elements("css selector", selector)
        )
        ink = body.value_of_css_property("color")
        paper = body.value_of_css_property("background-color")
        seen.append((ink, paper, tuple(reader.colour(0.5, 0.5))))
        assert _contrast(ink, paper) >= 4.5
        muted = reader.one("rate-readout").value_of_css_property("color")
        assert _contrast(muted, paper) >= 4.5
    browsers.set_dark(browser, False)
    assert all(light != dark for light, dark in zip(*seen, strict=True))


def test_hostile_names_are_shown_as_text(open_page, browser):
    dimensions = search("s", [])["dimensions"]
    dimensions[0] |= {"name": HOSTILE[0], "layers": [HOSTILE[0]]}
    dimensions[1] |= {"levels": [HOSTILE[1], HOSTILE[5]]}
    trainings = [training(name, HOSTILE, 3) for name in HOSTILE]
    for layer in (layer for one in trainings for layer in one["layers"]):
        layer |= {"kind": HOSTILE[0], "decided_by": HOSTILE[5]}
    reader = open_page(
        trainings,
        [search(name, SCORES, dimensions=dimensions) for name in HOSTILE],
    )
    for name in HOSTILE:
        reader.driver.execute_script(
            "const [picker, name] = arguments;"
            "picker.value = `training:${name}`;"
            "picker.dispatchEvent(new Event('change'));",
            reader.one("run-picker"),
            name,
        )
        reader.wait(lambda: reader.all("training"))
        assert reader.one("run-picker").get_dom_attribute("title") == name
    assert reader.paths() == HOSTILE
    reader.press("heat-map", "HOME", "ARROW_DOWN", "ARROW_UP")
    assert reader.text("rate-readout").startswith(HOSTILE[0])
    reader.press("heat-map", *["ARROW_DOWN"] * 5)
    assert reader.one("rate-readout").get_dom_attribute("title") == "x" * 500
    reader.choose_run("x" * 500, "search")
    reader.press("parallel", "HOME")
    assert "<img src=x onerror=" in reader.text("trial-readout")
    assert "<script>do\u2026" in reader.text("trial-readout")
    wide = browser.execute_script(
        "return document.documentElement.scrollWidth > window.innerWidth"
    )
    assert not wide
    assert browser.title == "Dropout rates"
    made = browser.find_elements("css selector", "img, body script")
    assert made == []
    assert len(browsers.requested_addresses(browser)) == 1


def test_page_sends_no_requests(open_page, browser):
    reader = open_page([training("run", FEW, 5)], [search("s", SCORES)])
    reader.choose_run("s", "search")
    (address,) = browsers.requested_addresses(browser)
    assert address == browser.current_url.partition("#")[0]
    refused = browser.execute_async_script(
        "const done = arguments[0];"
        "addEventListener('securitypolicyviolation', (e) => done(e.violatedDirective));"
        "fetch('http://127.0.0.1:9/').catch(() => {});"
    )
    assert refused == "connect-src"
    assert len(browsers.console_errors(browser)) > 0


def test_page_without_runs_says_how_to_get_them(open_page):
    reader = open_page()
    assert "TensorBoardRates" in reader.text("message")
    assert not reader.one("run-picker").is_enabled()


def test_run_without_data_is_reported(open_page):
    payloads = page_of([training("run", FEW, 5)])
    payloads["runs"] = [{"name": "constructor", "kind": "training"}]
    reader = open_page(payloads=payloads)
    assert "was removed" in reader.text("message")


def test_run_without_rates_is_reported(open_page):
    changes = {"rates": {"epoch": None, "batch": None}, "gaps": [], "target": None}
    reader = open_page([training("run", FEW, 0, **changes)])
    assert "no rates yet" in reader.text("note")
    assert not reader.one("heat-map").is_displayed()
    assert "put OverfittingGap before TensorBoardRates" in reader.text("gap-sentence")
    assert [cell.text for cell in reader.all("layer-rate")] == ["\u2013"] * 3


def test_sampled_run_is_reported(open_page):
    reader = open_page([training("run", FEW, 5, sampled=True)])
    assert "--samples_per_plugin" in reader.text("note")


def test_search_draws_a_line_per_finished_trial(open_page):
    reader = open_page([], [search("s", SCORES)])
    assert len(reader.all("parallel", "path.trial")) == 6
    assert reader.text("facts") == (
        "6 trials finished, 2 failed. "
        "Trial 0004 has the lowest val_loss of the search: 0.3."
    )
    assert "best: 0.3" in reader.text("parallel")
    (best,) = reader.all("parallel", "path.best")
    assert best.get_dom_attribute("data-trial") == "0004"
    scores = [row.text.split()[2] for row in reader.all("trial-row")]
    assert scores == ["0.3", "0.5", "0.6", "0.7", "0.8", "0.9"]


def test_answer_of_a_report_comes_first(open_page):
    answer = {
        "verdict": "The rates found are better <b>than</b> none.",
        "advice": "Use the rates of trial 0001.",
        "code": "kdropout.set_rates(model, {'first': 0.05})",
        "next_step": "Train the final model with this setting.",
    }
    payloads = page_of([], [search("s", SCORES), search("other", SCORES)])
    reader = open_page(payloads=payloads | {"answers": {"s": answer}})
    assert reader.text("answer").split("\n") == [
        answer["verdict"],
        answer["advice"],
        answer["code"],
        "Next: Train the final model with this setting.",
    ]
    assert reader.text("search").startswith(answer["verdict"])
    reader.choose_run("other", "search")
    reader.wait(lambda: not reader.one("answer").is_displayed())
    reader.choose_run("s", "search")
    reader.wait(lambda: reader.one("answer").is_displayed())


def test_report_without_an_answer_gives_the_reason(open_page):
    payloads = page_of([], [search("s", [None, None])])
    verdict = "None of 2 trials has completed. All 2 that ended failed with one error."
    reader = open_page(payloads=payloads | {"answers": {"s": {"verdict": verdict}}})
    assert reader.text("answer") == verdict


def test_trials_of_later_rungs_rank_first_for_all_scores(open_page):
    payload = search("s", [0.1, 0.2, 0.5, 0.4])
    for trial, rung in zip(payload["trials"], (0, 0, 1, 2), strict=True):
        trial["rung"] = rung
    reader = open_page([], [payload])
    places = []
    reader.press("parallel", "HOME")
    for _ in range(4):
        places.append(reader.text("trial-readout").split(":")[0])
        reader.press("parallel", "ARROW_RIGHT")
    assert places == ["Trial 0003", "Trial 0002", "Trial 0000", "Trial 0001"]


def test_trials_are_read_by_keys_and_pointer(open_page):
    reader = open_page([], [search("s", SCORES)])
    best = (
        "Trial 0004: val_loss 0.3, rank 1 of 6, 5 epochs, first 0.2, schedule constant"
    )
    worst = (
        "Trial 0000: val_loss 0.9, rank 6 of 6, 5 epochs, first 0, schedule constant"
    )
    reader.press("parallel", "HOME")
    assert reader.text("trial-readout") == best
    reader.press("parallel", "END")
    assert reader.text("trial-readout") == worst
    # At the ends of the lines, their order is that of the scores.
    end = reader.one("parallel", "path.best").rect
    reader.hover(reader.one("parallel", "path.best"), 0.995, 0.01)
    assert end["width"] > 100
    assert reader.text("trial-readout") == best
    (row,) = reader.all("trial-table", "tr.pointed")
    assert row.text.startswith("1 0004")


def test_trial_without_a_value_skips_that_axis(open_page):
    payload = search("s", [0.5, 0.4])
    payload["trials"][0]["values"] = [0.2, None]
    reader = open_page([], [payload])
    best, other = reader.all("parallel", "path.trial")[::-1]
    assert best.get_dom_attribute("d").count("L") == 2
    # Both ends are separate, so they are dots, without a line over the unknown part.
    assert re.fullmatch("(M[0-9.]+,[0-9.]+h0){2}", other.get_dom_attribute("d"))
    reader.press("parallel", "END")
    assert reader.text("trial-readout").endswith("first 0.2, schedule none")


def test_higher_scores_are_further_up_if_the_objective_is_maximized(open_page):
    reader = open_page([], [search("s", SCORES, direction="max")])
    assert "highest val_loss of the search: 0.9" in reader.text("facts")
    assert "higher is better (up)" in reader.text("parallel")
    (best,) = reader.all("parallel", "path.best")
    last = float(best.get_dom_attribute("d").rsplit(",", 1)[1])
    others = [
        float(one.get_dom_attribute("d").rsplit(",", 1)[1])
        for one in reader.all("parallel", "path.trial:not(.best)")
    ]
    assert last < min(others)


def test_diverged_trial_does_not_squeeze_the_others(open_page):
    reader = open_page([], [search("s", [*SCORES, 1e6])])
    assert reader.text("note") == (
        "1 trial with val_loss worse than 0.9 lies at the lower edge of the charts."
    )
    assert len(reader.all("parallel", "path.trial")) == 7


GAINS = {
    "title": "A gain is a difference in points of accuracy.",
    "rows": [
        {
            "setting": "search 1",
            "reference": "no dropout",
            "gains": [1.0, 2.0, 3.0],
            "mean": 2.0,
            "low": 0.5,
            "high": 3.5,
            "unit": "points",
            "verdict": "better",
        },
        {
            "setting": "<b>0.3</b> everywhere",
            "reference": "no dropout",
            "gains": [-1.0],
            "mean": None,
            "low": None,
            "high": None,
            "unit": "",
            "verdict": "undecided",
        },
    ],
}


def test_gains_of_a_confirmation_are_drawn_on_one_scale_with_their_numbers(open_page):
    payloads = page_of([], [search("s", SCORES)])
    payloads["answers"] = {"s": {"verdict": "Better.", "gains": GAINS}}
    reader = open_page(payloads=payloads)
    rows = [row.text for row in reader.all("gain")]
    assert "search 1 against no dropout" in rows[0]
    assert "2 points (0.5 to 3.5)" in rows[0] and rows[0].endswith("better")
    assert "<b>0.3</b> everywhere" in rows[1] and "too few scores" in rows[1]
    assert len(reader.all("gain", ".pair")) == 4
    assert (
        len(reader.all("gain", ".interval")) == 3
        and len(reader.all("gain", ".gain")) == 1
    )
    zero, *_ = reader.all("gain", ".zero")
    left = float(zero.get_dom_attribute("x1"))
    ends = [
        float(line.get_dom_attribute("x1")) for line in reader.all("gain", ".interval")
    ]
    scale = (ends[2] - left) / 3.5
    assert ends[1] == pytest.approx(left + 0.5 * scale, abs=0.1)
    reader = open_page([], [search("s", SCORES)])
    assert not reader.one("gains").is_displayed()


OBJECTIVES = [
    {"name": "val_loss", "direction": "min"},
    {"name": "val_accuracy", "direction": "max"},
]


def with_objectives(values, objectives=OBJECTIVES):
    """A search with several objectives, whose trials have these values."""
    payload = search("s", [one - two for one, two, *_ in values], objectives=objectives)
    for trial, measured in zip(payload["trials"], values, strict=True):
        trial["objectives"] = list(measured)
    return payload


def test_front_of_several_objectives_is_drawn_above_the_other_trials(open_page):
    values = [(0.3, 0.7), (0.35, 0.7), (0.4, 0.9), (0.45, 0.85), (0.25, 0.6)]
    reader = open_page([], [with_objectives(values)])
    assert len(reader.all("pareto", ".front")) == 3
    assert len(reader.all("pareto", ".trial-dot")) == 2
    assert "val_loss, lower is better" in reader.text("pareto")
    assert "val_accuracy, higher is better" in reader.text("pareto")
    # The keyboard goes over the trials from left to right.
    reader.press("pareto", "HOME")
    said = "Trial 0004: val_loss -0.35, val_loss 0.25, val_accuracy 0.6, rank"
    assert reader.text("trial-readout").startswith(said)
    reader.press("pareto", "END")
    assert reader.text("trial-readout").startswith("Trial 0003")
    (diamond, *_) = reader.all("pareto", ".front")
    reader.hover(diamond, 0.5, 0.5)
    assert reader.text("trial-readout").startswith("Trial ")


def test_three_objectives_have_two_charts_and_one_has_none(open_page):
    objectives = [*OBJECTIVES, {"name": "gap_loss", "direction": "min"}]
    values = [(0.3, 0.7, 0.1), (0.35, 0.7, 0.1), (0.4, 0.9, None)]
    reader = open_page([], [with_objectives(values, objectives)])
    assert len(reader.all("pareto")) == 2
    assert len(reader.all("pareto", ".front")) == 2  # one in each chart
    reader = open_page([], [search("s", SCORES)])
    assert not reader.all("pareto")


def test_marginals_have_mean_band_and_trials(open_page):
    marginal = {
        "name": "rate/first",
        "grid": [0.0, 0.4, 0.8],
        "mean": [0.8, 0.4, 0.7],
        "spread": [0.1, None, 0.1],
    }
    reader = open_page([], [search("s", SCORES, marginals=[marginal])])
    assert len(reader.all("marginal")) == 2
    assert len(reader.all("marginals", ".mean")) == 1
    assert len(reader.all("marginals", ".band")) == 1
    assert len(reader.all("marginals", ".trial-dot")) == 12
    drawn = reader.one("marginals", ".mean").get_dom_attribute("d")
    assert drawn.count("L") == 1  # the point without a spread is omitted
    assert "UNRELIABLE" not in reader.text("search")


def test_unreliable_curves_are_labelled(open_page):
    curve = {"grid": [0.0, 0.8], "mean": [0.8, 0.4], "spread": [0.1, 0.1]}
    changes = {"marginals": [curve | {"name": "rate/first"}], "problem": "few trials"}
    reader = open_page([], [search("s", SCORES, **changes)])
    assert "UNRELIABLE: few trials." in reader.text("search")


def test_search_without_finished_trials_is_reported(open_page):
    reader = open_page([], [search("s", [None, None])])
    assert reader.text("facts") == "0 trials finished, 2 failed."
    assert "No trial of this search has finished" in reader.text("note")
    assert not reader.one("parallel").is_displayed()


def test_search_without_finished_trials_gives_the_reason(open_page):
    payload = search("s", [None, None, None])
    for trial, reason in zip(
        payload["trials"], ("The score was NaN.",) * 2 + ("x",), strict=True
    ):
        trial["reason"] = reason
    reader = open_page([], [payload])
    assert "2 trials: The score was NaN. 1 trial: x" in reader.text("note")


def test_page_refuses_values_that_are_not_numbers():
    with pytest.raises(ValueError, match="Out of range float values"):
        page.render(page_of([training("run", FEW, 1, target=float("nan"))]))


def test_page_has_all_of_its_data():
    payloads = page_of([training(name, HOSTILE, 2) for name in HOSTILE])
    text = page.render(payloads)
    pattern = r'<script type="application/json">(.*?)</script>'
    (data,) = re.findall(pattern, text, re.DOTALL)
    assert json.loads(data) == payloads


def _contrast(one, other):
    """Return the contrast ratio of two CSS colours by the formula of WCAG 2."""
    bright = []
    for colour in (one, other):
        levels = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
        linear = [
            v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in levels
        ]
        weights = (0.2126, 0.7152, 0.0722)
        bright.append(sum(w * v for w, v in zip(weights, linear, strict=True)))
    return (max(bright) + 0.05) / (min(bright) + 0.05)
