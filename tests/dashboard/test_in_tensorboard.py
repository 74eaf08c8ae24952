"""The tab in a real TensorBoard, from the training to the view of a user."""

import urllib.parse

import keras
import numpy as np
import pytest
from selenium.webdriver.common.by import By

import kdropout
from kdropout import callbacks, schedules, tuning
from tests.dashboard import browser as browsers
from tests.dashboard.board import start_tensorboard, write_training
from tests.dashboard.page_reader import PageReader

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(80, 6)).astype("float32")
Y = GENERATOR.normal(size=(80, 1)).astype("float32")
EPOCHS, TRIALS = 6, 4
HOSTILE = "<img src=x onerror=\"document.title='broken in'\">"

# Both ways in which TensorBoard reads files; one of them behind a proxy.
WAYS = {"rust": (), "python": ("--load_fast=false", "--path_prefix", "/behind/proxy")}


def make_model(*rates):
    layers = [
        kdropout.layers.Dropout(rate, name=f"drop{index}")
        for index, rate in enumerate(rates)
    ]
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(8), *layers, keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    return model


def train(model, folder, epochs=EPOCHS, first=0):
    """Return the history of a training with a controller."""
    return model.fit(
        X[:60],
        Y[:60],
        validation_data=(X[60:], Y[60:]),
        epochs=epochs,
        initial_epoch=first,
        batch_size=30,
        callbacks=[
            callbacks.OverfittingGap((X[:60], Y[:60])),
            callbacks.RateLogger(),
            callbacks.TensorBoardRates(folder),
            callbacks.GapController(0.01, gain=5.0, layers="drop0"),
        ],
        verbose=0,
    ).history


class Logs:
    """Trains and searches, and writes the logs."""

    def __init__(self, folder):
        self.folder = folder
        keras.utils.set_random_seed(0)
        # Each epoch has two training steps.
        rates = (0.3, schedules.Ramp(0.1, 0.9, 2 * EPOCHS), 0.5)
        self.models = {"first": make_model(*rates), "second": make_model(0.2, 0.4)}
        self.histories = {
            name: train(model, folder / name) for name, model in self.models.items()
        }
        self.tuner = tuning.RandomSearch(
            lambda hp: tuning.tune_rates(hp, make_model(0.5, 0.5)),
            "val_loss",
            max_trials=TRIALS,
            seed=1,
            directory=folder.parent / "search",
            log_dir=folder / "search",
        )
        self.tuner.search(
            X[:60], Y[:60], validation_data=(X[60:], Y[60:]), epochs=2, verbose=0
        )

    def trials(self):
        return self.tuner.oracle.get_best_trials(TRIALS)


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    made = Logs(tmp_path_factory.mktemp("in_tensorboard") / "logs")
    write_training(made.folder / "hostile", {HOSTILE: [0.25, 0.5]})
    return made


@pytest.fixture(scope="module", params=WAYS)
def board(request, browser, logs, tmp_path_factory):
    """Start a TensorBoard that has read the logs."""
    output = tmp_path_factory.mktemp("board") / "output.txt"
    with start_tensorboard(logs.folder, output, *WAYS[request.param]) as running:
        yield running


@pytest.fixture(scope="module")
def tab(browser, board):
    """Return the reader of the open tab."""
    browser.get("about:blank")
    browsers.requested_addresses(browser)
    reader = PageReader(browser)
    reader.open_tab(board.address)
    reader.wait(lambda: len(options(reader)) == 4)
    yield reader
    browser.switch_to.default_content()
    browser.get("about:blank")  # otherwise it would send further requests
    errors = browsers.console_errors(browser)
    # TensorBoard asks for its fonts without the prefix.
    assert [error for error in errors if "/font-roboto/" not in error] == []


def options(reader):
    return [option.text for option in reader.all("run-picker", "option")]


def test_tab_lists_the_runs_and_the_layers(tab):
    assert options(tab) == ["first", "hostile", "second", "search"]
    tab.choose_run("first")
    assert tab.paths() == ["drop0", "drop1", "drop2"]
    rows = [row.text for row in tab.all("layer-row")]
    deciders = ("GapController", "schedule Ramp", "you")
    assert all(one in row for one, row in zip(deciders, rows, strict=True))


@pytest.mark.parametrize(("layer", "epoch"), [(0, 0), (0, 3), (1, 5), (2, 2)])
def test_values_on_hover_equal_those_of_history(tab, logs, layer, epoch):
    tab.choose_run("first")
    cells = tab.one("heat-map", "canvas")
    tab.hover(cells, (epoch + 0.5) / EPOCHS, (layer + 0.5) / 3)
    rate = logs.histories["first"][f"rate/drop{layer}"][epoch]
    expected = f"drop{layer}: epoch {epoch + 1}, rate {rate:.4g}"
    assert tab.text("rate-readout").startswith(expected)
    gap, naive = (
        logs.histories["first"][name][epoch] for name in ("gap_loss", "naive_gap_loss")
    )
    told = tab.text("gap-readout")
    expected = f"clean gap of loss {gap:.4g}, naive gap {naive:.4g}"
    assert told == f"Epoch {epoch + 1}: {expected}"


def test_runs_can_be_switched(tab, logs):
    tab.choose_run("first")
    tab.choose_run("second")
    tab.wait(lambda: tab.paths() == ["drop0", "drop1"])
    rates = [cell.text for cell in tab.all("layer-rate")]
    history = logs.histories["second"]
    assert rates == [f"{history[f'rate/drop{n}'][-1]:.4g}" for n in (0, 1)]


def test_hostile_names_are_shown_as_text(tab, browser):
    tab.choose_run("hostile")
    tab.wait(lambda: tab.paths() == [HOSTILE])
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert browser.execute_script("return top.document.title") != "broken in"


def test_losses_equal_those_of_history(tab, logs):
    tab.choose_run("first")
    history = logs.histories["first"]
    tab.press("score-chart", "HOME")
    for epoch in range(EPOCHS):
        names = {"val_loss": "val_loss", "clean": "clean_loss", "noisy": "loss"}
        values = [f"{n} {history[key][epoch]:.4g}" for n, key in names.items()]
        assert tab.text("score-readout").split("\n") == [
            f"Epoch {epoch + 1}:",
            f"first: {', '.join(values)}",
        ]
        tab.press("score-chart", "ARROW_RIGHT")
    losses = history["val_loss"]
    best = int(np.argmin(losses))
    assert f"lowest at {'the last ' * (best == EPOCHS - 1)}epoch" in tab.text(
        "score-sentence"
    )
    assert f"{losses[best]:.4g}" in tab.text("score-sentence")


def test_link_of_tensorboard_shows_the_same(tab, browser):
    tab.choose_run("second")
    tab.one("compare", "summary").click()
    tab.one("compare", "input[value=first]").click()
    tab.wait(lambda: len(tab.all("run-row")) == 2)
    tab.one("axis", "input[value=step]").click()
    tab.set("zoom-from", 3)
    link = browser.execute_script("return parent.location.href")
    assert "#kdropout&p.kdropout.run=training%3Asecond" in link
    try:
        for reload in (False, True):
            browser.switch_to.default_content()
            if reload:
                browser.refresh()
            else:
                browser.get("about:blank")
                browser.get(link)
            tab.enter_tab()
            tab.wait(lambda: len(tab.all("run-row")) == 2)
            assert tab.one("run-picker").get_dom_attribute("title") == "second"
            assert tab.one("zoom-from").get_property("value") == "3"
            assert tab.one("axis", "input[value=step]").is_selected()
            assert browser.execute_script("return parent.location.href") == link
        # TensorBoard removes the choices from the address when it shows another tab.
        for name in ("scalars", "kdropout"):
            browser.execute_script(f"parent.location.hash = '{name}'")
        tab.wait(
            lambda: (
                "p.kdropout.zoom"
                in browser.execute_script("return parent.location.href")
            )
        )
        assert tab.one("zoom-from").get_property("value") == "3"
    finally:
        tab.one("zoom-all").click()
        tab.one("axis", "input[value=epoch]").click()
        tab.one("compare", "summary").click()
        tab.one("compare", "input[value=first]").click()
        tab.wait(lambda: len(tab.all("run-row")) == 1)


def test_search_shows_its_trials(tab, logs):
    tab.choose_run("search", "search")
    best = logs.trials()[0]
    told = tab.text("search")
    assert f"{TRIALS} trials finished. Trial {best.trial_id} has the lowest" in told
    assert f"{best.score:.4g}" in told


def test_tab_follows_the_dark_mode_of_tensorboard(tab, browser):
    colour = "return getComputedStyle(document.body).backgroundColor"
    light = browser.execute_script(colour)
    browser.execute_script("parent.document.body.classList.add('dark-mode')")
    dark = tab.wait(lambda: (now := browser.execute_script(colour)) != light and now)
    brightness = [sum(map(int, one[4:-1].split(","))) for one in (light, dark)]
    assert brightness[0] > 3 * 200 and brightness[1] < 3 * 80


def test_no_request_leaves_the_origin(tab, board, browser):
    asked = browsers.requested_addresses(browser)
    asked = [one for one in map(urllib.parse.urlsplit, asked) if one.scheme != "chrome"]
    assert len(asked) > 20
    own = urllib.parse.urlsplit(board.address).netloc
    assert {one.netloc for one in asked} == {own}


def test_new_epoch_appears_on_the_open_page(tab, logs):
    tab.choose_run("second")
    tab.wait(lambda: tab.paths() == ["drop0", "drop1"])
    past = logs.histories["second"]
    seen = len(past["rate/drop0"])
    more = train(logs.models["second"], logs.folder / "second", seen + 1, seen)
    for name, values in more.items():
        past[name] += values
    tab.wait(lambda: f"epoch {seen + 1} " in tab.text("training"))
    cells = tab.one("heat-map", "canvas")
    tab.hover(cells, (seen + 0.5) / (seen + 1), 0.25)
    expected = f"drop0: epoch {seen + 1}, rate {past['rate/drop0'][-1]:.4g}"
    tab.wait(lambda: tab.text("rate-readout").startswith(expected))


def test_hparams_tab_lists_every_trial_with_rates_and_best_score(board, browser, logs):
    browser.switch_to.default_content()
    browser.get("about:blank")
    browser.get(f"{board.address}/#hparams")
    expected = ["rate/drop0", "rate/drop1", "best val_loss"]
    for trial in logs.trials():
        values = (*trial.hyperparameters.values.values(), trial.score)
        expected += [trial.trial_id, *(f"{value:.5g}" for value in values)]

    def missing():
        # The table is in shadow roots.
        text = browser.execute_script(
            "const texts = [];"
            "const walk = (node) => {"
            "  if (node.nodeType === 3) texts.push(node.data.trim());"
            "  if (node.shadowRoot) walk(node.shadowRoot);"
            "  for (const child of node.childNodes) walk(child);"
            "};"
            "walk(document.body); return texts.join(' ');"
        )
        return [one for one in expected if one not in text]

    reader = PageReader(browser)
    reader.wait(lambda: not missing())
    assert missing() == []
