import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream import config
from tfdream.datasets.preparation.prepare import prepare
from tfdream.errors import ConfigError
from tfdream.runs import TransferRun
from tfdream.training import transfer_losses
from tfdream.training.train import TrainOptions, train

RATE = 8000
EXPERIMENT = """
task: transfer
prepare: {sample_rate: 8000, clip_seconds: 1.0, folds: 2}
frontend: {kind: mel, stft: {n_fft: 512, hop_samples: 256}, bands: 16, top_db: 90}
model:
  name: attention
  options: {units: 8, heads: 2, encoder_blocks: 1, decoder_units: 8, decoder_blocks: 1, kernel: 3}
training: {epochs: 2, batch_size: 4, crop_seconds: 0.5, noise_share: 0.5,
  band_limit_share: 0.5}
"""


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    path = tmp_path_factory.mktemp("transfer") / "experiment.yaml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="module")
def aligned_dataset(tmp_path_factory, experiment):
    """Three scores on two instruments, in each of two folds."""
    folder = tmp_path_factory.mktemp("aligned")
    time = np.arange(RATE) / RATE
    rows = ["path,label,group,fold"]
    for fold in (0, 1):
        for instrument, decay in (("dull", 3.0), ("bright", 0.5)):
            for score in range(3):
                partials = np.arange(1, 9)[:, None]
                hertz = 200 + 60 * score + 30 * fold
                wave = np.exp(-decay * partials) * np.sin(2 * np.pi * hertz * partials * time)
                path = folder / f"{instrument}{fold}" / f"{fold}-{score}.wav"
                path.parent.mkdir(exist_ok=True)
                soundfile.write(path, 0.3 * wave.sum(axis=0) / np.abs(wave).max(), RATE)
                rows.append(f"{path.relative_to(folder)},{instrument}{fold},{fold},{fold}")
    (folder / "manifest.csv").write_text("\n".join(rows))
    dataset = tmp_path_factory.mktemp("aligned_dataset") / "dataset"
    prepare(folder, dataset, config.load_experiment(experiment).prepare)
    return dataset


@pytest.fixture(scope="module")
def transfer_run(aligned_dataset, experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    return folder, train(config.load_experiment(experiment), aligned_dataset, folder)


def test_the_result_has_every_loss_and_the_baseline(transfer_run):
    _, result = transfer_run
    names = {"loss", "level_db", "timbre", "onsets_db", "floor_db"}
    validation = {f"val_{name}" for name in names} | {"val_equalizer_db"}
    assert set(result["metrics"]) == names | validation
    assert (result["clips"], result["epochs"], result["test_fold"]) == (6, 2, 0)
    assert np.isfinite(list(result["metrics"].values())).all()


def test_a_continued_run_equals_one_trained_at_once(
    transfer_run, aligned_dataset, experiment, tmp_path
):
    for epochs in (1, 2):
        settings = config.load_experiment(experiment, [f"training.epochs={epochs}"])
        train(settings, aligned_dataset, tmp_path / "run")
    once, parts = (TransferRun.open(each) for each in (transfer_run[0], tmp_path / "run"))
    for first, second in zip(once.network.get_weights(), parts.network.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_training_reduces_the_loss(aligned_dataset, experiment, tmp_path):
    settings = config.load_experiment(
        experiment,
        [
            *("training.epochs=25", "training.learning_rate=0.01", "training.warmup_epochs=0"),
            *("training.equalizer_db=0", "training.noise_share=0", "training.band_limit_share=0"),
        ],
    )
    train(settings, aligned_dataset, tmp_path / "run", TrainOptions(test_fold=0))
    rows = (tmp_path / "run/history.csv").read_text().splitlines()
    column = rows[0].split(",").index("level_db")
    first, last = (float(row.split(",")[column]) for row in (rows[1], rows[-1]))
    assert last < 0.9 * first


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("frontend.level_range=min_max", "frontend.kind=mel"),
        ("training.crop_seconds=2", "longer than prepare.clip_seconds=1"),
    ],
)
def test_settings_that_do_not_fit_are_errors(experiment, setting, message):
    with pytest.raises(ConfigError, match=message):
        config.load_experiment(experiment, [setting])


# Losses


def levels(seed, frames=20, bands=16):
    return 40 * tf.random.stateless_uniform([2, frames, bands], [seed, 0])


def test_the_losses_of_the_target_and_of_the_content_are_zero():
    content, target = levels(1), levels(2)
    weights = tf.ones([16])
    of_target = transfer_losses.compute(target, content, target, weights)
    of_content = transfer_losses.compute(content, content, target, weights)
    tolerance = 2e-3  # of the root near zero
    assert float(tf.reduce_max(of_target.level_db)) < tolerance
    assert float(tf.reduce_max(of_target.timbre)) < tolerance
    assert float(tf.reduce_max(of_content.onsets_db)) == 0
    assert float(tf.reduce_max(of_content.floor_db)) == 0


def test_losses_equal_their_definition_in_numpy():
    content, target, output = (levels(seed).numpy() for seed in (1, 2, 3))
    weights = np.linspace(0.5, 1.5, 16).astype(np.float32)
    losses = transfer_losses.compute(
        tf.constant(output), tf.constant(content), tf.constant(target), tf.constant(weights)
    )
    error = output - target  # all within 80 dB
    level_db = np.sqrt((weights * error**2).mean(axis=2)).mean(axis=1)
    np.testing.assert_allclose(losses.level_db, level_db, rtol=1e-5)
    from scipy.fft import dct

    mfcc = dct(error.mean(axis=1), axis=1, norm="ortho")[:, 1:14]
    np.testing.assert_allclose(losses.timbre, np.linalg.norm(mfcc, axis=1), rtol=1e-4)
    rise = [np.maximum(np.diff(each, axis=1), 0).mean(axis=2) for each in (output, content)]
    onsets_db = np.abs(rise[0] - rise[1]).mean(axis=1)
    np.testing.assert_allclose(losses.onsets_db, onsets_db, rtol=1e-5)


def test_noise_in_soft_bands_is_a_rise_of_the_floor():
    content = tf.concat([tf.zeros([1, 4, 8]), tf.fill([1, 4, 8], -75.0)], axis=2)
    noisy = tf.maximum(content, -65.0)
    losses = transfer_losses.compute(noisy, content, content, tf.ones([16]))
    assert float(losses.floor_db[0]) == pytest.approx(10 * 32 / 33)


def test_relative_levels_have_the_power_of_the_reference():
    shifted = transfer_losses.relative_levels(levels(4) - 70)
    power = (10 ** (shifted.numpy() / 10)).sum(axis=2).mean(axis=1)
    np.testing.assert_allclose(10 * np.log10(power), 25, atol=1e-4)


def test_an_equalizer_matches_the_mean_power_of_every_band():
    equalized = transfer_losses.equalize(levels(1), levels(2)).numpy()
    means = [(10 ** (each / 10)).mean(axis=1) for each in (equalized, levels(2).numpy())]
    np.testing.assert_allclose(*means, rtol=1e-4)


def test_random_equalizers_have_the_deviation_and_differ():
    curves = transfer_losses.random_equalizer(tf.constant([3, 4]), 400, 80, 5.0).numpy()
    assert curves.shape == (400, 1, 80)
    assert curves.std() == pytest.approx(5, rel=0.1)
    assert np.abs(np.diff(curves, axis=2)).max() < 5  # smooth


def test_random_floors_are_audible_in_their_share():
    floors = transfer_losses.random_floor(tf.constant([3, 4]), 400, 80, 0.25).numpy()
    audible = (floors > -150).all(axis=(1, 2))
    assert audible.mean() == pytest.approx(0.25, abs=0.08)


def test_a_band_limit_removes_all_bands_above_it():
    curves = transfer_losses.random_band_limit(tf.constant([3, 4]), 200, 40, 0.5).numpy()[:, 0]
    removed = (curves < -100).sum(axis=1)
    assert (removed > 0).mean() == pytest.approx(0.5, abs=0.12)
    assert 0 < removed.max() <= 24  # at least 0.4 of the bands stay
    assert all((row[: 40 - count] == 0).all() for row, count in zip(curves, removed, strict=True))
