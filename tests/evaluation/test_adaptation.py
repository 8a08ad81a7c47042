import keras
import numpy as np
import pytest

from tfdream.datasets import manifest
from tfdream.evaluation import adaptation, classification
from tfdream.evaluation.adaptation import adapted, random_choice
from tfdream.evaluation.classification import evaluate, predict_dataset
from tfdream.runs import Run

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def normalized(run, configure, tmp_path_factory):
    """A run whose network has batch normalization, with initial weights."""
    settings = configure(
        *("frontend={kind: raw}", "model={name: raw_conv1d, options: {dense_units: 4}}"),
        "input_seconds=0.25",
    )
    normalized = Run(tmp_path_factory.mktemp("normalized"), settings, run.info)
    keras.utils.set_random_seed(0)
    normalized.save_weights(normalized.build_model())
    return normalized


def statistics(run, name="norm0"):
    layer = run.model.get_layer(name)
    return layer.moving_mean.numpy(), layer.moving_variance.numpy()


def test_the_statistics_of_training_have_the_weight_of_16_clips(normalized):
    rng = np.random.default_rng(0)
    inputs = rng.normal(0.5, 0.1, (48, *normalized.model.input_shape[1:])).astype(np.float32)
    before = keras.Model(
        normalized.model.inputs, normalized.model.get_layer("norm0").input
    ).predict(inputs, verbose=0)
    mean, variance = statistics(adapted(normalized, inputs))
    axes = tuple(range(before.ndim - 1))
    np.testing.assert_allclose(mean, 0.75 * before.mean(axes), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(variance, 0.75 * before.var(axes) + 0.25, rtol=1e-3)
    # The run itself keeps the initial statistics.
    assert [np.ptp(values) for values in statistics(normalized)] == [0, 0]


def test_adaptation_compensates_for_another_level(normalized, dataset, monkeypatch):
    """For many clips, the weight of the statistics of training vanishes."""
    monkeypatch.setattr(adaptation, "_BATCH_SIZE", 4 * 37)  # without graphs, batches take time
    folds = [0, 1, 2]
    inputs = classification._sample(normalized, manifest.load(dataset), folds)
    assert len(inputs) == 4 * 37  # every quarter of every clip of the dataset
    many = np.tile(inputs, (3, 1, 1))
    loud, quiet = (adapted(normalized, gain * many).classify(gain * inputs) for gain in (100, 30))
    np.testing.assert_allclose(quiet, loud, atol=0.02)
    assert np.abs(normalized.classify(30 * inputs) - normalized.classify(100 * inputs)).max() > 0.1


def test_held_out_clips_are_evaluated_with_their_own_statistics(normalized, dataset):
    plain, other = (evaluate(normalized, dataset, [0], adapt) for adapt in (False, True))
    inputs = classification._sample(normalized, manifest.load(dataset), [0])
    expected = predict_dataset(adapted(normalized, inputs), manifest.load(dataset), [0])
    row = next(row for row in other["per_track"])
    clips = expected.tracks == row["path"]
    assert row["probability"] == pytest.approx(expected.probabilities[clips].mean(axis=0).max())
    assert other["clips"] == plain["clips"]
    assert other != plain


def test_each_clip_is_chosen_equally_often():
    counts = np.zeros(20)
    for first in range(20):  # the choice is the same for every call, so the clips change places
        chosen = list(random_choice(np.roll(np.arange(20), first), 5))
        assert len(chosen) == len(set(chosen)) == 5
        counts[chosen] += 1
    assert (counts == 5).all()
    assert list(random_choice(range(3), 5)) == [0, 1, 2]
