"""Models of a job: built in, from a function, or from a file."""

import cloudpickle
import keras
import keras_tuner
import numpy as np
import pytest

import kdropout
from kdropout.tuning import Job, JobError
from kdropout.tuning.job import Description, uci_network
from kdropout.tuning.job.models import build_architecture
from kdropout.tuning.job.uci_network import LiveWeightDecay


def describe(shape, dtype="float32", task="classification", **rest):
    usual = {
        "target_shape": (),
        "num_classes": 3,
        "num_tokens": None,
        "num_samples": 12,
    }
    return Description(task, shape, dtype, **(usual | rest))


IMAGE = describe((8, 8, 2))
TOKENS = {"dtype": "int32", "num_tokens": 5}

BUILT_IN = {
    "mlp": (
        {"architecture": "mlp", "units": [4, 5]},
        describe((6,)),
        ["dense1_drop", "dense2_drop"],
    ),
    "mlp with dropped inputs, of images": (
        {"architecture": "mlp", "units": [4], "input_dropout": True},
        IMAGE,
        ["input_drop", "dense1_drop"],
    ),
    "mlp of a regression": (
        {"architecture": "mlp", "units": [4]},
        describe((6,), task="regression", num_classes=None, target_shape=(2,)),
        ["dense1_drop"],
    ),
    "cnn": (
        {"architecture": "cnn", "filters": [2, 3], "units": [4]},
        IMAGE,
        ["conv1_drop", "conv2_drop", "dense1_drop"],
    ),
    "transformer of classes": (
        {"architecture": "transformer", "embedding_dim": 4, "num_heads": 2}
        | {"num_blocks": 1, "feed_forward_dim": 6},
        describe((7,), **TOKENS),
        ["embedding_drop", "block1_attention_drop", "block1_feed_forward_drop"],
    ),
    "transformer of tokens": (
        {"architecture": "transformer", "embedding_dim": 4, "num_heads": 2}
        | {"num_blocks": 2, "feed_forward_dim": 6, "rate": 0.25},
        describe((7,), target_shape=(7,), **TOKENS),
        ["embedding_drop"]
        + [f"block{i}_{n}_drop" for i in (1, 2) for n in ("attention", "feed_forward")],
    ),
}


def make_arrays(data, samples=12):
    generator = np.random.default_rng(0)
    if data.num_tokens:
        x = generator.integers(0, data.num_tokens, (samples, *data.input_shape))
    else:
        x = generator.normal(size=(samples, *data.input_shape)).astype("float32")
    if data.num_classes:
        y = generator.integers(0, data.num_classes, (samples, *data.target_shape))
    else:
        y = generator.normal(size=(samples, *data.target_shape)).astype("float32")
    return x, y


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.slow] if n.startswith("transformer") else [])
        for n in BUILT_IN
    ],
)
def test_architecture_trains_saves_and_has_its_dropout(name, tmp_path):
    settings, data, layers = BUILT_IN[name]
    job = Job(model=settings)
    model = job.make_hypermodel(type("Data", (), {"description": data})).build()
    assert kdropout.rates(model) == dict.fromkeys(layers, job.model.rate)
    x, y = make_arrays(data)
    before = [np.array(w) for w in model.get_weights()]
    loss = model.train_on_batch(x, y, return_dict=True)
    assert np.isfinite(loss["loss"])
    moved = zip(before, model.get_weights(), strict=True)
    assert any((one != two).any() for one, two in moved)
    outputs = model.predict(x, verbose=0)
    if data.task == "classification":
        assert outputs.shape == (12, *data.target_shape, data.num_classes)
        np.testing.assert_allclose(outputs.sum(-1), 1.0, rtol=1e-5)
        assert set(loss) == {"loss", "accuracy"}
    else:
        assert outputs.shape == (12, *data.target_shape)
        assert set(loss) == {"loss", "root_mean_squared_error"}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), outputs, rtol=1e-5)


def test_token_is_predicted_only_from_earlier_ones():
    settings, data, _ = BUILT_IN["transformer of tokens"]
    model = build_architecture(Job(model=settings).model, data)
    x, _ = make_arrays(data, 3)
    changed = x.copy()
    changed[:, 4] = (changed[:, 4] + 1) % data.num_tokens
    one, two = model.predict(x, verbose=0), model.predict(changed, verbose=0)
    np.testing.assert_allclose(one[:, :4], two[:, :4], atol=1e-6)
    assert (np.abs(one[:, 4:] - two[:, 4:]).max((0, 2)) > 1e-6).all()


def test_order_of_tokens_matters():
    settings, data, _ = BUILT_IN["transformer of classes"]
    model = build_architecture(Job(model=settings).model, data)
    x = np.arange(7).reshape(1, 7) % 5
    outputs = model.predict(np.concatenate([x, x[:, ::-1]]), verbose=0)
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-6


def test_job_compiles_with_its_settings():
    job = Job(
        model={
            "architecture": "mlp",
            "units": [4],
            "loss": "mae",
            "metrics": [],
            "optimizer": {"name": "SGD", "learning_rate": 0.25, "momentum": 0.5},
        },
        data={"sklearn": "diabetes"},
    )
    checked = job.check()
    optimizer = checked.model.optimizer
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert (
        float(np.array(optimizer.learning_rate)) == 0.25 and optimizer.momentum == 0.5
    )
    assert checked.model.loss == "mae"
    assert checked.build.build().optimizer is not optimizer


def test_losses_metrics_and_optimizers_may_have_arguments(job_of):
    text = """\
        data: {sklearn: breast_cancer}
        model:
          architecture: mlp
          units: [4]
          loss: {class_name: BinaryFocalCrossentropy, config: {gamma: 3.5}}
          metrics:
            - accuracy
            - {class_name: auc, config: {curve: PR, name: auc_pr}}
            - {class_name: PrecisionAtRecall, config: {recall: 0.75}}
          optimizer:
            class_name: Adam
            config:
              learning_rate:
                class_name: ExponentialDecay
                config:
                  {initial_learning_rate: 0.5, decay_steps: 10, decay_rate: 0.9}
        objective: val_auc_pr
        """
    job = job_of(text)
    assert job.objective.resolved_direction == "max"
    assert job_of(job.to_yaml()).model_dump() == job.model_dump()
    checked = job.check()
    assert checked.model.loss.gamma == 3.5
    assert checked.metrics == ("accuracy", "auc_pr", "precision_at_recall")
    assert "loss binary_focal_crossentropy" in checked.task
    assert float(np.array(checked.model.optimizer.learning_rate)) == 0.5
    # A trial builds equal objects again.
    again = checked.build.build()
    assert again.loss is not checked.model.loss
    assert again.loss.get_config() == checked.model.loss.get_config()
    assert float(np.array(again.optimizer.learning_rate)) == 0.5


@pytest.mark.parametrize(
    "settings, units, loss",
    [
        ({}, 2, "sparse_categorical_crossentropy"),
        ({"metrics": ["accuracy"]}, 2, "sparse_categorical_crossentropy"),
        ({"metrics": ["AUC"]}, 1, "binary_crossentropy"),
        ({"metrics": ["accuracy", "precision"]}, 1, "binary_crossentropy"),
        ({"metrics": [{"class_name": "Recall"}]}, 1, "binary_crossentropy"),
        ({"loss": "binary_crossentropy"}, 1, "binary_crossentropy"),
        ({"loss": "sparse_categorical_crossentropy"}, 2, None),
    ],
)
def test_two_classes_have_one_output_if_loss_or_metrics_need_it(settings, units, loss):
    model = {"architecture": "mlp", "units": [4], **settings}
    checked = Job(model=model, data={"sklearn": "breast_cancer"}).check()
    assert checked.model.output_shape == (None, units)
    assert checked.build.chosen_loss in (loss, None)
    assert checked.model.loss == (loss or settings["loss"])


def test_three_classes_have_three_outputs_with_any_metric():
    model = {"architecture": "mlp", "metrics": ["AUC"]}
    data = Job(data={"sklearn": "iris"}).make_data()
    built = build_architecture(Job(model=model).model, data.description)
    assert built.output_shape == (None, 3)


def test_builder_can_be_sent_to_another_process_and_sets_the_rates():
    job = Job(
        model={"architecture": "mlp", "units": [4, 4]},
        data={"sklearn": "iris"},
        space={"*": {"values": [0.25, 0.5], "tie": "shared"}, "dense2_drop": 0.125},
    )
    build = cloudpickle.loads(cloudpickle.dumps(job.make_hypermodel(job.make_data())))
    hp = keras_tuner.HyperParameters()
    hp.values["rate/*"] = 0.5
    model = build(hp)
    assert kdropout.rates(model) == {"dense1_drop": 0.5, "dense2_drop": 0.125}
    assert list(hp.values) == ["rate/*"]


def test_function_receives_the_data_and_its_compiled_model_is_kept(tmp_path, job_of):
    (tmp_path / "their_models.py").write_text(
        "import keras\n"
        "class Inner:\n"
        "    @staticmethod\n"
        "    def build(data, units, compiled=True):\n"
        "        model = keras.Sequential([keras.Input(data.input_shape),\n"
        "            keras.layers.Dense(units, 'relu'),\n"
        "            keras.layers.Dropout(0.5, name='plain'),\n"
        "            keras.layers.Dense(data.num_classes, 'softmax')])\n"
        "        if compiled:\n"
        "            model.compile('rmsprop', 'sparse_categorical_crossentropy')\n"
        "        return model\n"
    )
    text = """\
        model:
          build: their_models:Inner.build
          arguments: {units: 4}
        data: {sklearn: wine}
        """
    checked = job_of(text).check()
    assert checked.hyperparameters.values == {"rate/plain": 0.5}
    assert checked.model.input_shape == (None, 13)
    assert isinstance(checked.model.optimizer, keras.optimizers.RMSprop)
    again = job_of(text, "model.optimizer=sgd").check().model
    assert isinstance(again.optimizer, keras.optimizers.SGD)
    new = job_of(text, "model.arguments.compiled=false").check().model
    assert isinstance(new.optimizer, keras.optimizers.Adam)


def test_saved_model_begins_with_its_weights(tmp_path, job_of):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, "relu"),
            kdropout.layers.Dropout(0.2, name="drop"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.save(tmp_path / "saved.keras")
    checked = job_of("model: {file: saved.keras}\ndata: {sklearn: iris}\n").check()
    for one, two in zip(model.get_weights(), checked.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert checked.hyperparameters.values == {"rate/drop": pytest.approx(0.2)}


def test_uci_network_needs_the_number_of_samples():
    data = describe((3,), task="regression", num_classes=None, num_samples=None)
    with pytest.raises(ValueError, match="'data' must have .*Received: num_samples=N"):
        uci_network.build(data)


def test_weight_decay_of_uci_follows_the_rate():
    data = describe((3,), task="regression", num_classes=None)
    model = uci_network.build(data, tau=0.5, units=4)
    x, y = make_arrays(data)
    kernels = [w for w in model.get_weights() if w.ndim == 2]
    squares = [float((w.astype("float64") ** 2).sum()) for w in kernels]
    for rates in ((0.05, 0.05), (0.0, 0.5), (1.0, 0.25)):
        kdropout.set_rates(model, {"input_drop": rates[0], "hidden_drop": rates[1]})
        # L2 = l^2 (1 - p) / (2 N tau), N = 12, for each layer of weights.
        expected = sum(
            1e-4 * (1 - p) / (2 * 12 * 0.5) * s
            for p, s in zip(rates, squares, strict=True)
        )
        penalty = sum(float(keras.ops.convert_to_numpy(p)) for p in model.losses)
        assert penalty == pytest.approx(expected, rel=1e-5)
        mean = ((model.predict(x, verbose=0)[:, 0] - y) ** 2).mean()
        logs = model.evaluate(x, y, verbose=0, return_dict=True)
        assert logs["loss"] == pytest.approx(mean + expected, rel=1e-4)
        assert logs["root_mean_squared_error"] == pytest.approx(mean**0.5, rel=1e-4)


def test_weight_decay_is_saved_with_the_current_rate():
    drop = kdropout.layers.Dropout(0.5)
    decay = LiveWeightDecay(2.0, drop)
    drop.rate = 0.25
    loaded = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(decay)
    )
    assert float(keras.ops.convert_to_numpy(loaded(np.ones((2, 2), "float32")))) == 6.0


@pytest.mark.parametrize(
    "architecture, says",
    [
        ("cnn", ["cnn needs images of shape", "Received: samples of"]),
        ("transformer", ["needs sequences of integers", "float32 samples"]),
    ],
)
def test_architecture_that_does_not_fit_a_table_is_refused(architecture, says):
    job = Job(model={"architecture": architecture}, data={"sklearn": "iris"})
    with pytest.raises(JobError) as raised:
        job.check()
    message = str(raised.value)
    assert "model.architecture" in message
    assert all(part in message for part in says), message


def test_number_of_heads_must_divide_the_embedding(tmp_path, job_of):
    (tmp_path / "t.txt").write_text("abc" * 300)
    text = "model: {architecture: transformer, num_heads: 3}\ndata: {text: t.txt}\n"
    with pytest.raises(
        JobError, match="line 1, model.num_heads: must divide embedding"
    ):
        job_of(text).check()
    with pytest.raises(JobError, match="mlp needs one array of floating-point inputs"):
        job_of("model: {architecture: mlp}\ndata: {text: t.txt}\n").check()
