import shutil

import numpy as np
import pytest
from calling import EAGERLY

from tfdream.config import ModelConfig
from tfdream.datasets.batches import LabeledPipeline
from tfdream.errors import ConfigError, ModelError
from tfdream.evaluation.classification import predict_dataset
from tfdream.models import classifiers, inspect
from tfdream.runs import Run
from tfdream.training.classification import ClassificationTask
from tfdream.training.pretrained import FeatureExtractor, layers_after, load_weights
from tfdream.training.train import TrainOptions, train

HEAD = ("training.trainable=head", "training.epochs=2")


def from_run(configure, run, *overrides):
    return configure(f"training.pretrained={run.folder}", *overrides)


def start(network, config, run, dataset, labels=None):
    """Let a network start with the weights that a configuration names."""
    info = run.info.model_copy(update={"labels": labels or run.labels})
    load_weights(network, Run(run.folder, config, info), dataset)


def weights(network):
    return {layer.name: layer.get_weights() for layer in network.layers if layer.get_weights()}


def assert_equal_layers(first, second, names):
    for name in names:
        for actual, expected in zip(first[name], second[name], strict=True):
            np.testing.assert_array_equal(actual, expected)


def test_a_network_starts_with_the_weights_of_another(configure, run, loaded):
    config = from_run(configure, run)
    network = run.build_model()
    start(network, config, run, loaded)
    assert_equal_layers(weights(network), weights(run.model), weights(run.model))


def test_a_network_starts_with_the_standardization_of_another(configure, run, loaded, monkeypatch):
    model, shape = ModelConfig(name="mel_cnn"), (32, 32, 1)
    earlier = classifiers.build(model, shape, len(run.labels))
    images = np.random.default_rng(0).normal(3, 2, (8, *shape)).astype(np.float32)
    earlier.get_layer("standardize").adapt(images)
    monkeypatch.setattr(Run, "model", earlier)
    network = classifiers.build(model, shape, len(run.labels))
    start(network, from_run(configure, run), run, loaded)
    np.testing.assert_array_equal(network(images), earlier(images))


def test_the_head_of_other_labels_is_new(configure, run, loaded):
    network = run.build_model()
    fresh = weights(network)["logits"]
    start(network, from_run(configure, run), run, loaded, ["rock", "jazz"])
    assert_equal_layers({"logits": fresh}, weights(network), ["logits"])
    assert_equal_layers(weights(network), weights(run.model), set(weights(network)) - {"logits"})


def test_embeddings_are_those_of_the_network(run, loaded):
    frontend = FeatureExtractor(run.frontend, run.model, "embedding")
    waveform = np.random.default_rng(0).uniform(-0.3, 0.3, (2, 8000)).astype(np.float32)
    expected = inspect.tap(run.model, ["embedding"])(run.frontend(waveform))["embedding"]
    np.testing.assert_allclose(frontend(waveform), expected, rtol=1e-4, atol=1e-5)
    assert frontend.shape(8000) == expected.shape[1:]


@pytest.fixture(scope="module")
def head(configure, run, dataset, step_by_step, tmp_path_factory):
    """A run whose head was trained for two epochs, and the result; its source is removed."""
    folder = tmp_path_factory.mktemp("head")
    copy = shutil.copytree(run.folder, folder / "pretrained")
    config = configure(f"training.pretrained={copy}", *HEAD)
    with step_by_step():
        result = train(config, dataset, folder / "run", TrainOptions(test_fold=0))
    shutil.rmtree(copy)
    return Run.open(folder / "run"), result


def test_the_head_alone_is_trained_and_the_run_needs_no_other_file(head, run, loaded):
    trained, result = head
    fixed = set(weights(run.model)) - set(layers_after(run.model, "embedding"))
    assert_equal_layers(weights(trained.model), weights(run.model), fixed)
    assert result["epochs"] == 2
    predictions = predict_dataset(trained, loaded, [0])
    accuracy = np.mean(predictions.probabilities.argmax(axis=1) == predictions.labels)
    assert result["metrics"]["val_accuracy"] == pytest.approx(accuracy)
    assert accuracy > 0.8


@pytest.mark.slow
@EAGERLY
def test_the_head_may_begin_at_another_layer(configure, run, dataset, loaded, tmp_path):
    config = from_run(configure, run, "training.trainable=head", "training.features=conv2")
    result = train(config, dataset, tmp_path / "run", TrainOptions(test_fold=0))
    assert result["epochs"] == 2
    trained, before = weights(Run.open(tmp_path / "run").model), weights(run.model)
    assert_equal_layers(trained, before, ["conv1", "conv2"])
    assert np.abs(trained["embedding"][0] - before["embedding"][0]).max() > 1e-4
    network = run.build_model()
    config = from_run(configure, run, "training.trainable=head", "training.features=conv9")
    with pytest.raises(ModelError, match="layer 'conv9' is not in the model"):
        start(network, config, run, loaded)


@pytest.mark.slow
@EAGERLY
def test_interrupted_training_of_a_head_continues_exactly(head, configure, run, dataset, tmp_path):
    for epochs in (1, 2):
        config = from_run(configure, run, *HEAD, f"training.epochs={epochs}")
        train(config, dataset, tmp_path / "run", TrainOptions(test_fold=0))
    first, second = (weights(each.model) for each in (head[0], Run.open(tmp_path / "run")))
    assert_equal_layers(first, second, first)


def test_a_run_that_does_not_fit_is_refused(configure, run, loaded, tmp_path):
    network = run.build_model()
    for overrides, message in (
        (("frontend.stft.n_fft=512",), "another frontend"),
        (("training.pretrained=missing",), "not a run folder"),
    ):
        config = from_run(configure, run, *overrides)
        with pytest.raises((ConfigError, ModelError), match=message):
            start(network, config, run, loaded)
    wider = ("model.options.filters=[5, 9]", "model.options.dense_units=17")
    for overrides, message in (
        (wider, "no layer of the model"),
        (("model.options.dense_units=17", *HEAD), "has no weights for the layers embedding"),
    ):
        config = from_run(configure, run, *overrides)
        other = Run(tmp_path, config, run.info).build_model()
        with pytest.raises(ConfigError, match=message):
            start(other, config, run, loaded)


def test_a_run_that_was_trained_on_held_out_tracks_is_refused(configure, run, dataset, tmp_path):
    config = from_run(configure, run, *HEAD)
    message = (
        r"training\.pretrained=.* was trained on 4 tracks of fold 1, which this training holds"
    )
    with pytest.raises(ConfigError, match=message):
        train(config, dataset, tmp_path / "run", TrainOptions(test_fold=1))


def test_the_tracks_of_the_pretrained_run_count_as_seen(configure, run, loaded, tmp_path):
    """Here, they have other labels than those of the dataset."""
    earlier = shutil.copytree(run.folder, tmp_path / "earlier")
    opened = Run.open(earlier)
    info = opened.info.model_copy(update={"trained_tracks": ["seen"]})
    Run(earlier, opened.config, info).create()
    config = configure(f"training.pretrained={earlier}")
    described = ClassificationTask.describe(config, [loaded], 0)
    assert set(described.trained_tracks) == {*loaded.track_digests([1, 2]), "seen"}


def test_settings_that_do_not_fit_a_head_are_refused(configure, run):
    with pytest.raises(ConfigError, match=r"training\.pretrained"):
        configure("training.trainable=head")
    with pytest.raises(ConfigError, match="needs an image"):
        from_run(configure, run, *HEAD, "training.augmentation=[{kind: time_mask, width: 0.1}]")


def test_inputs_of_a_head_are_cached(configure, run):
    config = from_run(configure, run, *HEAD, "training.memory_gigabytes=1e-6")
    assert not LabeledPipeline(config, run.frontend).is_cached(30)
    frontend = FeatureExtractor(run.frontend, run.model, "embedding")
    assert LabeledPipeline(config, frontend).is_cached(30)
