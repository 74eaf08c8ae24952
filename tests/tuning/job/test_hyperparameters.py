"""The key `hyperparameters`: other numbers that are searched with the rates."""

import dataclasses
import pathlib

import keras
import keras_tuner
import pytest

from kdropout.tuning import Job, JobError, load_job

LEARNING_RATE = "model.optimizer.learning_rate"
UNITS, BATCH_SIZE = "model.units", "training.batch_size"


def job_with(hyperparameters, **settings):
    model = settings.pop("model", {"architecture": "mlp", "units": (8, 8)})
    return Job(
        data={"sklearn": "iris"},
        model=model,
        hyperparameters=hyperparameters,
        **settings,
    )


def builder_of(job):
    return job.make_hypermodel(job.make_data())


def values_in(build, **values):
    """The hyperparameters after a build in which these have other values."""
    hp = keras_tuner.HyperParameters()
    build(hp)
    hp.values.update(values)
    return hp, build(hp)


def test_a_learning_rate_reaches_the_optimizer():
    build = builder_of(job_with({LEARNING_RATE: [1e-4, 1e-1]}))
    hp, model = values_in(build, **{LEARNING_RATE: 0.0625})
    assert float(model.optimizer.learning_rate) == 0.0625
    assert {"rate/dense1_drop", "rate/dense2_drop", LEARNING_RATE} == set(hp.values)
    (declared,) = [entry for entry in hp.space if entry.name == LEARNING_RATE]
    assert declared.sampling == "log"
    assert declared.default == pytest.approx(0.001)  # that of Adam


def test_a_number_keeps_the_rest_of_the_optimizer():
    optimizer = {"name": "sgd", "momentum": 0.5, "learning_rate": 0.25}
    model = {"architecture": "mlp", "units": (8,), "optimizer": optimizer}
    build = builder_of(job_with({LEARNING_RATE: [1e-3, 1.0]}, model=model))
    hp, built = values_in(build)
    assert float(built.optimizer.learning_rate) == 0.25
    assert built.optimizer.momentum == 0.5
    assert isinstance(built.optimizer, keras.optimizers.SGD)


@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd",
        {"name": "sgd", "learning_rate": 0.125},
        {"class_name": "SGD", "config": {"learning_rate": 0.125}},
    ],
)
def test_any_form_of_an_optimizer_takes_numbers(optimizer):
    model = {"architecture": "mlp", "units": (8,), "optimizer": optimizer}
    build = builder_of(job_with({LEARNING_RATE: [0.1, 1.0]}, model=model))
    hp, built = values_in(build)
    default = 0.1 if optimizer == "sgd" else 0.125
    assert float(built.optimizer.learning_rate) == pytest.approx(default)
    assert isinstance(built.optimizer, keras.optimizers.SGD)
    _, built = values_in(build, **{LEARNING_RATE: 0.5})
    assert float(built.optimizer.learning_rate) == 0.5


@pytest.mark.parametrize(
    "loss",
    [
        "categorical_crossentropy",
        {"class_name": "CategoricalCrossentropy", "config": {"from_logits": True}},
    ],
)
def test_label_smoothing_is_an_argument_of_the_loss(loss):
    model = {"architecture": "mlp", "units": (8,), "loss": loss}
    job = job_with({"model.loss.label_smoothing": [0.1, 0.3]}, model=model)
    _, built = values_in(builder_of(job), **{"model.loss.label_smoothing": 0.25})
    assert built.loss.label_smoothing == 0.25
    if isinstance(loss, dict):
        assert built.loss.get_config()["from_logits"]


def test_metrics_keep_their_names_in_all_trials():
    metrics = [{"class_name": "AUC", "config": {"curve": "PR"}}]
    model = {"architecture": "mlp", "units": (8,), "metrics": metrics}
    build = builder_of(job_with({LEARNING_RATE: [0.1, 1.0]}, model=model))
    for _ in range(2):
        _, built = values_in(build)
        (metric,) = built.get_compile_config()["metrics"]
        assert metric["config"]["name"] == "auc"


def test_lists_are_chosen_as_a_whole():
    build = builder_of(job_with({UNITS: {"values": [[8, 8], [4, 16]]}}))
    hp, model = values_in(build, **{UNITS: "[4, 16]"})
    assert [model.get_layer(f"dense{n}").units for n in (1, 2)] == [4, 16]
    assert hp.values[UNITS] == "[4, 16]"


def test_integers_stay_integers():
    model = {"architecture": "transformer", "embedding_dim": 8, "num_heads": 2}
    job = Job(
        data={"text": "text.txt"},
        model=model,
        hyperparameters={"model.feed_forward_dim": {"low": 4, "high": 9}},
    )
    hp = keras_tuner.HyperParameters()
    choice = job.hyperparameters["model.feed_forward_dim"]
    assert choice.declare(hp, "n", None) == 4
    assert type(hp.space[0]) is keras_tuner.engine.hyperparameters.Int


def test_the_batch_size_is_an_argument_of_fit():
    build = builder_of(job_with({BATCH_SIZE: {"values": [16, 64]}}))
    hp, _ = values_in(build)
    assert build.fit_arguments(hp) == {"batch_size": 16}
    hp.values[BATCH_SIZE] = 64
    assert build.fit_arguments(hp) == {"batch_size": 64}
    assert builder_of(job_with({})).fit_arguments(hp) == {}


def test_numbers_of_a_model_that_compiles_itself(tmp_path, monkeypatch):
    (tmp_path / "own_models.py").write_text(
        "import keras, kdropout\n"
        "def build(width=8):\n"
        "    layers = [keras.Input((4,)), keras.layers.Dense(width),\n"
        "              kdropout.layers.Dropout(0.5, name='drop'),\n"
        "              keras.layers.Dense(3, activation='softmax')]\n"
        "    model = keras.Sequential(layers)\n"
        "    optimizer = keras.optimizers.AdamW(0.5, weight_decay=0.25)\n"
        "    model.compile(optimizer, 'sparse_categorical_crossentropy')\n"
        "    return model\n"
    )
    file = tmp_path / "job.yaml"
    file.write_text(
        "model: {build: own_models:build}\n"
        "data: {sklearn: iris}\n"
        "hyperparameters:\n"
        "  model.optimizer.learning_rate: [1e-3, 1.0]\n"
        "  model.optimizer.weight_decay: [1e-3, 1.0]\n"
        "  model.arguments.width: {values: [4, 16]}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    build = builder_of(load_job(file))
    chosen = {LEARNING_RATE: 0.125, "model.optimizer.weight_decay": 0.75}
    _, model = values_in(build, **chosen, **{"model.arguments.width": 16})
    assert isinstance(model.optimizer, keras.optimizers.AdamW)
    assert float(model.optimizer.learning_rate) == 0.125
    assert model.optimizer.weight_decay == 0.75
    assert model.layers[0].units == 16


def test_the_job_survives_yaml(tmp_path):
    given = {
        LEARNING_RATE: [1e-4, 1e-1],
        UNITS: {"values": [[8, 8], [4, 16]]},
        BATCH_SIZE: {"low": 16, "high": 64},
    }
    job = job_with(given)
    file = tmp_path / "job.yaml"
    file.write_text(job.to_yaml())
    assert load_job(file).hyperparameters == job.hyperparameters
    assert load_job(file).decisive() == job.decisive()


# Bad input.


@dataclasses.dataclass(frozen=True)
class Bad:
    """A value of `hyperparameters`, and parts of the message."""

    name: str
    yaml: str
    says: list[str]


BAD = [
    Bad("a list", "[1, 2]", ["hyperparameters: must be a mapping", "[1, 2]"]),
    Bad(
        "a key that cannot be searched",
        "{training.epochs: [1, 2]}",
        ["hyperparameters.training.epochs: is not a key that can be searched"],
    ),
    Bad(
        "a misspelt key",
        "{learning_rate: [0.1, 0.2]}",
        ["is not a key that can be searched", "Did you mean"],
    ),
    Bad(
        "a rate",
        "{dense1_drop: [0.1, 0.2]}",
        ["Rates belong under 'space'"],
    ),
    Bad(
        "one number",
        "{model.optimizer.learning_rate: 0.1}",
        ["must be a pair of numbers or a mapping", "set the key itself"],
    ),
    Bad(
        "three numbers",
        "{training.batch_size: [16, 32, 64]}",
        ["must be a pair of numbers", "{values: [...]}"],
    ),
    Bad(
        "bounds in the wrong order",
        "{model.optimizer.learning_rate: [0.1, 0.01]}",
        ["high: must be above low=0.1. Received: 0.01"],
    ),
    Bad(
        "equal values",
        "{training.batch_size: {values: [16, 16]}}",
        ["values: must have at least two different entries"],
    ),
    Bad(
        "an unknown option",
        "{training.batch_size: {low: 1, high: 2, stp: 1}}",
        ["stp: is not a known key"],
    ),
    Bad(
        "only one bound",
        "{training.batch_size: {low: 1}}",
        ["high: is required"],
    ),
    Bad(
        "values and bounds",
        "{training.batch_size: {low: 1, high: 3, values: [1, 2]}}",
        ["must have either 'low' and 'high', or 'values'"],
    ),
    Bad(
        "a logarithm of zero",
        "{model.optimizer.momentum: {low: 0.0, high: 0.5, sampling: log}}",
        ["low: must be above 0 with sampling: log. Received: 0.0"],
    ),
    Bad(
        "a value that is not valid",
        "{training.batch_size: {values: [16, 0]}}",
        ["hyperparameters.training.batch_size", "must be at least 1. Received: 0"],
    ),
    Bad(
        "an unknown key of the model",
        "{model.unit: {values: [[8, 8], [4, 4]]}}",
        ["hyperparameters.model.unit: is not a known key", "'units'"],
    ),
    Bad(
        "a number of a loss that is not set",
        "{model.loss.label_smoothing: [0.1, 0.2]}",
        ["hyperparameters.model.loss.label_smoothing", "Set model.loss"],
    ),
    Bad(
        "an unknown number of the optimizer",
        "{model.optimizer.learning_rat: [0.1, 0.2]}",
        ["hyperparameters.model.optimizer.learning_rat", "learning_rat"],
    ),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_bad_hyperparameters_are_refused_with_their_line(case, job_of):
    with pytest.raises(JobError) as caught:
        job_of(f"data: {{sklearn: iris}}\nhyperparameters: {case.yaml}\n")
    message = str(caught.value)
    assert "line 2" in message
    for text in case.says:
        assert text in message


def test_values_that_change_the_dropout_layers_are_refused(job_of):
    job = job_of(
        """
        data: {sklearn: iris}
        hyperparameters:
          model.units: {values: [[8], [8, 8]]}
        """
    )
    with pytest.raises(JobError, match=r"line 4.*must not change the dropout layers"):
        job.check()


def test_a_value_of_which_no_model_can_be_built_is_refused(job_of):
    job = job_of(
        """
        data: {text: text.txt}
        model: {architecture: transformer, embedding_dim: 8, num_heads: 2}
        hyperparameters:
          model.num_heads: {values: [2, 3]}
        """
    )
    pathlib.Path("text.txt").write_text("to be or not to be " * 60)
    with pytest.raises(JobError, match=r"with 3, model.num_heads must divide"):
        job.check()


def test_a_schedule_is_not_a_number(tmp_path, job_of):
    layers = [keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    model.compile(keras.optimizers.SGD(schedule), "mse")
    model.save(tmp_path / "model.keras")
    job = job_of(
        """
        model: {file: model.keras}
        data: {sklearn: iris}
        hyperparameters: {model.optimizer.learning_rate: [0.1, 0.2]}
        """
    )
    with pytest.raises(JobError, match="cannot be searched, because the model has a"):
        job.check()
