"""The report: best rates, JSON, Markdown, files and pictures."""

import json
import re

import keras
import numpy as np
import pytest
from matplotlib import image

import kdropout
from kdropout.tuning import Report
from kdropout.tuning.report import Confirmation, TrialRecord, choose_candidates, confirm
from kdropout.tuning.report.markdown import code_block, escape
from kdropout.tuning.report.pictures import (
    draw_confirmation,
    draw_histories,
    draw_trials,
    farthest,
    new_figure,
    shape_of,
    short_all,
    two_lines,
)

TREES = 20
ODD = ("a|b", "<b>bold</b>", "`x` *y* _z_", "with\nline", "$cost$", "[link](x)")


def score(rates):
    return 0.4 + sum((rate - 0.3) ** 2 for rate in rates.values())


@pytest.fixture(scope="module")
def make_report(make_trials, make_train):
    def make(paths=("drop1", "drop2"), num_trials=15, confirmed=True, **arguments):
        trials = make_trials(score, paths, num_trials, noise=0.01)
        message = "Traceback\nValueError: a | pipe <b>"
        rates = dict.fromkeys(paths, 0.1)
        trials.insert(
            1, TrialRecord("bad", {}, rates, None, {}, "FAILED", None, message)
        )
        found = None
        if confirmed:
            candidates = choose_candidates(trials, "min", top=2)
            found = confirm(candidates, make_train(score, 0), (7, 8, 9), "min")
        settings = {"baseline": dict.fromkeys(paths, 0.5), "trees": TREES, **arguments}
        return Report(trials, "val_loss", "min", confirmation=found, **settings)

    return make


@pytest.fixture(scope="module")
def report(make_report):
    return make_report()


def test_best_rates_without_confirmation_are_those_of_the_best_trial(make_report):
    report = make_report(confirmed=False)
    best = min((t for t in report.trials if t.completed), key=lambda trial: trial.score)
    assert report.best_rates == best.rates
    assert report.best_values == best.values
    assert report.recommended is None


def test_best_rates_are_those_that_scored_best_with_new_seeds(make_trials):
    trials = make_trials(score, ("a", "b"), 5)
    candidates = choose_candidates(trials, "min", top=2, uniform=0.7)
    # The first won by luck: the second setting of the search is the better one.
    means = dict(zip(candidates, [0.9, 0.9, 0.5, 0.3], strict=True))
    table = {tuple(rates.values()): means[label] for label, rates in candidates.items()}
    found = confirm(
        candidates,
        # A better setting needs differences that vary between seeds, or nothing is
        # shown.
        lambda rates, seed: table[tuple(rates.values())] * (1 + seed / 99),
        range(3),
        "min",
    )
    report = Report(trials, "val_loss", "min", confirmation=found, trees=TREES)
    assert report.recommended == "search 2"
    assert report.best_rates == candidates["search 2"]
    assert report.best_values == {
        f"rate/{path}": rate for path, rate in report.best_rates.items()
    }


def test_best_rates_can_be_set(report):
    drops = [kdropout.layers.Dropout(0.5, name=name) for name in ("drop1", "drop2")]
    model = keras.Sequential([keras.Input((3,)), *drops])
    kdropout.set_rates(model, report.best_rates)
    for path, rate in kdropout.rates(model).items():
        assert rate == pytest.approx(report.best_rates[path])


def test_setting_given_by_hyperparameters_has_the_rates_of_its_trial():
    trials = [
        TrialRecord(str(i), {"rate/d/steps": 10 * i, "rate/d/end": r}, {"d": r}, 1 / i)
        for i, r in [(1, 0.2), (2, 0.4)]
    ]
    candidates = choose_candidates(trials, "min", top=1, use_values=True)
    found = confirm(
        candidates,
        lambda values, seed: len(values) * (1 + seed / 999),
        (1, 2),
        "max",
    )
    assert found.candidates["search 1"] == {"rate/d/steps": 20, "rate/d/end": 0.4}
    report = Report(trials, "val_loss", "min", confirmation=found, trees=TREES)
    assert report.best_rates == {"d": 0.4}
    assert report.best_values == {"rate/d/steps": 20, "rate/d/end": 0.4}


def test_report_survives_a_round_trip_through_json(report, make_report):
    for one in (report, make_report(confirmed=False, num_trials=1, baseline=None)):
        again = Report.from_json(one.to_json())
        assert again.to_json() == one.to_json()
        assert again.trials == one.trials
        assert again.importance == one.importance
        assert again.marginals == one.marginals
        assert again.confirmation == one.confirmation
        assert again.verdict == one.verdict
        assert again.to_markdown() == one.to_markdown()


def test_json_is_valid_with_nonfinite_numbers(make_trials):
    trials = make_trials(score, ("a",), 3)
    trials.append(TrialRecord("x", {}, {"a": 0.1}, np.nan, {"loss": np.inf}))

    def refuse(name):
        raise AssertionError(name)

    text = Report(trials, "val_loss", "min", trees=TREES).to_json()
    content = json.loads(text, parse_constant=refuse)
    assert content["trials"][-1]["score"] is None
    assert content["trials"][-1]["message"] == "The score was NaN."


def test_markdown_begins_with_the_verdict_and_the_line_to_use_it(report):
    text = report.to_markdown()
    verdict = text.index(report.verdict)
    assert verdict < text.index("kdropout.set_rates(model, {")
    code = re.search(r"kdropout\.set_rates\(model, ({.*})\)", text).group(1)
    for path, rate in eval(code).items():  # noqa: S307 - the line that a user would paste
        assert rate == pytest.approx(report.best_rates[path], rel=1e-3)
    assert "Failed trials: 1 of 16" in text
    assert "seeds 7, 8, 9" in text
    assert "Bonferroni" in text


def test_markdown_shows_unusual_names_unchanged(make_report):
    text = make_report(paths=ODD, confirmed=False).to_markdown()
    tables = [line for line in text.splitlines() if line.startswith("|")]
    for line in tables:
        assert "<b>" not in line
    rates = text[text.index("## The rates") : text.index("## Importance")]
    rows = [line for line in rates.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(ODD)
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 4  # three cells each
    assert r"| a\|b |" in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert r"ValueError: a \| pipe &lt;b&gt;" in text


def test_code_has_a_longer_fence_than_its_backticks():
    block = code_block("x = '```'")
    assert block.startswith("````python\n")
    assert block.endswith("\n````")


def test_underscores_within_words_need_no_escape():
    assert escape("block_1/drop_out _x_") == r"block_1/drop_out \_x\_"


def test_unreliable_importance_is_reported_in_markdown(make_report):
    text = make_report(num_trials=5, confirmed=False).to_markdown()
    assert "**Unreliable**: only 5 trials completed" in text


def test_save_writes_report_and_pictures(report, tmp_path):
    folder = tmp_path / "new" / "folder"
    written = report.save(folder)
    names = {"report.md", "report.json", "trials.png", "importance.png"}
    names |= {"marginals.png", "confirmation.png", "trials.csv"}
    assert {path.name for path in folder.iterdir()} == names
    assert set(written) == {folder / name for name in names}
    assert (folder / "report.md").read_text(encoding="utf-8") == report.to_markdown()
    text = (folder / "report.json").read_text(encoding="utf-8")
    assert Report.from_json(text).to_json() == report.to_json()
    for name in re.findall(r"\]\((\w+\.png)\)", report.to_markdown()):
        assert_picture(folder / name)


def test_failing_picture_leaves_the_earlier_report_complete(
    report, tmp_path, monkeypatch
):
    report.save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(
        "matplotlib.backends.backend_agg.FigureCanvasAgg.print_png", fail
    )
    with pytest.raises(OSError, match="disk full"):
        report.save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("paths", "num_trials", "confirmed"),
    [
        (("drop",), 1, False),
        pytest.param(("drop",), 4, True, marks=pytest.mark.slow),
        pytest.param(
            tuple(f"encoder/block_{i}/attention/drop" for i in range(12)),
            12,
            True,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            tuple(f"block{i}" for i in range(27)), 6, False, marks=pytest.mark.slow
        ),
        pytest.param((*ODD, "層"), 5, True, marks=pytest.mark.slow),
    ],
    ids=["one trial", "one layer", "12 layers", "27 layers", "odd names"],
)
def test_pictures_of_few_and_many_layers_are_drawn(
    make_report, tmp_path, paths, num_trials, confirmed
):
    report = make_report(paths=paths, num_trials=num_trials, confirmed=confirmed)
    report.plot(tmp_path / "all.png")
    assert_picture(tmp_path / "all.png")
    for path in report.save(tmp_path):
        if path.suffix == ".png":
            assert_picture(path)
    assert (tmp_path / "confirmation.png").exists() == confirmed


def test_pictures_of_a_search_over_schedules_are_drawn(tmp_path):
    trials = [
        TrialRecord(
            str(i),
            {"rate/d/end": 0.1 * (i % 5), "rate/d/shape": "ab"[i % 2]},
            {"d": 0.1 * (i % 5)},
            float(i % 7),
        )
        for i in range(12)
    ]
    report = Report(trials, "val_loss", "min", trees=TREES)
    assert [one.kind for one in report.marginals] == ["rate", "shape"]
    report.plot(tmp_path / "all.png")
    assert_picture(tmp_path / "all.png")
    assert "'rate/d/shape': 'a'" in report.to_markdown()


def test_reports_of_uninformative_trials_are_complete(tmp_path):
    trials = [TrialRecord(str(i), {}, {"a": 0.2}, 0.5) for i in range(3)]
    report = Report(trials, "val_loss", "min")
    assert report.importance.features == report.marginals == ()
    assert "no rate differs" in report.to_markdown()
    report.save(tmp_path)
    assert_picture(tmp_path / "importance.png")


def test_diverged_trial_does_not_squeeze_the_picture():
    scores = np.array([0.3, 0.4, 0.5, 0.45, 1e6])
    assert farthest(scores, "min") < 2.0
    assert farthest(-scores, "max") > -2.0
    assert farthest(np.array([0.3, 0.4, 0.5]), "min") == 0.5


@pytest.mark.parametrize(
    ("ids", "shown", "label"),
    [
        (["00", "01", "02"], [0, 1, 2], "trial"),
        (["a", "01", "b"], [1, 2, 3], "order of the trial"),
        (["02", "01", "00"], [1, 2, 3], "order of the trial"),
    ],
)
def test_picture_of_the_trials_numbers_them_like_the_search(ids, shown, label):
    trials = [TrialRecord(one, {}, {"a": 0.1}, 0.5 + i) for i, one in enumerate(ids)]
    axes = new_figure(4, 3).subplots()
    draw_trials(Report(trials, "val_loss", "min"), axes)
    assert axes.lines[0].get_xdata().tolist() == shown
    assert axes.get_xlabel() == label


def make_curves(trials):
    """Curves that fall to the score of their trial, the first epoch at twice of it."""
    return {
        trial.trial_id: {epoch: trial.score * (1 + 1 / epoch) for epoch in range(1, 5)}
        for trial in trials
        if trial.completed
    }


def drawn_histories(report):
    axes = new_figure(6, 4).subplots()
    draw_histories(report, axes)
    return axes


def test_curves_are_drawn_into_a_file_and_linked_in_markdown(make_trials, tmp_path):
    trials = make_trials(score, ("a",), 6)
    trials.append(TrialRecord("nan", {}, {"a": 0.2}, np.nan))
    curves = {**make_curves(trials), "nan": {1: 0.7}}
    report = Report(trials, "val_loss", "min", trees=TREES, curves=curves)
    assert "](histories.png)" in report.to_markdown()
    assert tmp_path / "histories.png" in report.save(tmp_path)
    assert_picture(tmp_path / "histories.png")
    axes = drawn_histories(report)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    best = report.best_trial
    assert labels == [
        "failed (1)",
        f"trial {best.trial_id}, best score: {best.score:.4g}",
    ]
    assert len(axes.lines) == 1 + 6 + 2  # failed, completed, and the best with a halo
    np.testing.assert_allclose(axes.lines[-1].get_ydata()[0], 2 * best.score)


def test_report_without_lines_has_no_picture_of_curves(make_trials, tmp_path):
    trials = make_trials(score, ("a",), 3)
    trials.append(TrialRecord("bad", {}, {"a": 0.2}, None, status="FAILED"))
    one_epoch = {trial.trial_id: {5: 0.5} for trial in trials}
    for curves in (None, {}, one_epoch, {"bad": {1: 0.5, 2: 0.4}}, {"x": {1: 1, 2: 1}}):
        report = Report(trials, "val_loss", "min", trees=TREES, curves=curves)
        assert "histories.png" not in report.to_markdown()
        assert "curves" not in report.to_json()
    report.save(tmp_path)
    assert not (tmp_path / "histories.png").exists()


@pytest.mark.parametrize("direction", ["min", "max"])
def test_diverged_curve_does_not_squeeze_the_others(direction):
    sign = 1.0 if direction == "min" else -1.0
    trials = [
        TrialRecord(str(i), {}, {"a": 0.1}, sign * (1.0 + 0.1 * i)) for i in range(6)
    ]
    curves = make_curves(trials)
    curves["3"] = {1: sign * 1e6, 2: sign * 1e9}
    curves["4"] = {1: sign * 2.0}  # one epoch is a dot
    axes = drawn_histories(Report(trials, "score", direction, curves=curves))
    assert max(map(abs, axes.get_ylim())) < 10.0
    assert "o" in [line.get_marker() for line in axes.lines]


def test_recommended_trial_is_highlighted(make_report):
    report = make_report()
    report.curves = make_curves(report.trials)
    highlighted = report.trial_to_use or report.best_trial
    what = "recommended" if report.trial_to_use else "best score"
    (text,) = drawn_histories(report).get_legend().get_texts()
    assert text.get_text().startswith(f"trial {highlighted.trial_id}, {what}: ")


def test_equal_scores_of_a_long_name_are_drawn():
    trials = [TrialRecord(str(i), {}, {"a": 0.1}, 0.5) for i in range(2)]
    name = "val_$" + "long_name_" * 9
    curves = {"0": {1: 0.5, 2: 0.5}, "1": {1: 0.5, 2: 0.5}}
    axes = drawn_histories(Report(trials, name, "max", curves=curves))
    assert len(axes.figure.axes) == 1  # no bar of colours
    low, high = axes.get_ylim()
    assert low < 0.5 < high


@pytest.mark.parametrize("curves", [3, [{1: 0.5}], {"0": [0.5, 0.4]}])
def test_curves_of_a_wrong_type_are_refused(curves):
    trials = [TrialRecord("0", {}, {"a": 0.1}, 0.5)]
    with pytest.raises(TypeError, match="'curves' must be a dict from the id of a"):
        Report(trials, "val_loss", "min", curves=curves)


def test_interval_wider_than_all_scores_does_not_squeeze_the_picture():
    scores = {("no dropout", seed): 0.5 for seed in (0, 1)}
    scores |= {("search 1", 0): 0.52, ("search 1", 1): 0.62}
    chosen = {"no dropout": {"a": 0.0}, "search 1": {"a": 0.1}}
    found = Confirmation(chosen, (0, 1), "max", "accuracy", scores)
    trials = [TrialRecord("0", {}, {"a": 0.1}, 0.5)]
    axes = new_figure(4, 3).subplots()
    draw_confirmation(Report(trials, "val_loss", "min", confirmation=found), axes)
    assert max(map(abs, axes.get_xlim())) < 15.0
    assert "too few seeds" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(
    ("count", "shape"),
    [(1, (1, 1)), (2, (1, 2)), (4, (2, 2)), (12, (3, 4)), (24, (4, 6)), (30, (4, 6))],
)
def test_curves_fill_a_grid(count, shape):
    class Some:
        marginals = range(count)

    assert shape_of(Some()) == shape


def test_shortened_names_stay_different():
    names = [f"decoder/a_layer_with_a_long_name_{i}/dropout" for i in range(12)]
    short = short_all(names, 24)
    assert len(set(short)) == 12
    assert max(map(len, short)) <= 24
    assert short_all(["a", "b"]) == ["a", "b"]
    assert two_lines("x" * 30, 20) == "x" * 20 + "\n" + "x" * 10


def assert_picture(path):
    pixels = image.imread(path)
    height, width, _ = pixels.shape
    assert height > 200 and width > 200
    assert 0.003 < (pixels[..., :3].min(axis=-1) < 0.95).mean() < 0.7
