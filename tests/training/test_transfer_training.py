import numpy as np
import pytest
import tensorflow as tf
from calling import answer

from tfdream.datasets import manifest
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.errors import ConfigError, DatasetError
from tfdream.training import transfer_losses
from tfdream.training.train import TrainOptions, train


def test_the_result_has_every_loss_and_the_baseline(transfer):
    _, result = transfer
    names = {"loss", "level_db", "timbre", "onsets_db", "floor_db"}
    validation = {f"val_{name}" for name in names} | {"val_equalizer_db"}
    assert set(result["metrics"]) == names | validation
    assert (result["clips"], result["epochs"], result["test_fold"]) == (6, 2, 0)
    assert np.isfinite(list(result["metrics"].values())).all()


@pytest.mark.usefixtures("eagerly")
def test_a_continued_run_equals_one_trained_at_once(
    transfer, aligned_dataset, configure_transfer, assert_same_run, folder
):
    for epochs in (1, 2):
        train(configure_transfer(f"training.epochs={epochs}"), aligned_dataset, folder)
    assert_same_run(transfer[0], folder)


@pytest.mark.slow
def test_training_reduces_the_loss(aligned_dataset, configure_transfer, history, folder):
    """The steps are compiled, as those of other runs are."""
    config = configure_transfer(
        *("training.epochs=4", "training.batch_size=1", "training.learning_rate=0.03"),
        *("training.equalizer_db=0", "training.noise_share=0", "training.band_limit_share=0"),
    )
    train(config, aligned_dataset, folder, TrainOptions(test_fold=0))
    rows = history(folder)
    assert rows[-1]["level_db"] < 0.95 * rows[0]["level_db"]


@pytest.mark.slow
def test_two_devices_train(aligned_dataset, configure_transfer, start_training, wait_for_result,
                           history, folder):  # fmt: skip
    """Each has random equalizers and parts of its own."""
    config = configure_transfer("training.epochs=1", "training.batch_size=2")
    wait_for_result(start_training(config, aligned_dataset, folder, devices=2))
    (row,) = history(folder)
    assert np.isfinite(list(row.values())).all()


def test_the_recordings_of_a_score_are_in_one_fold(
    source, transfer_path, configure_transfer, tmp_path, folder
):
    """The files of both instruments have the same names."""
    answer("prepare", source, tmp_path, "--config", transfer_path, "--workers", 1)
    fold_of = {
        name: shard.fold for shard in manifest.load(tmp_path).shards for name in shard.tracks
    }
    assert set(fold_of.values()) == {0, 1}
    for number in range(6):
        assert fold_of[f"noise/{number}.wav"] == fold_of[f"tones/{number}.wav"]
    prepare(source, folder, configure_transfer().prepare, PrepareOptions(workers=1))
    with pytest.raises(DatasetError, match=r"the score '\d' of .* is in the folds \[0, 1\]"):
        train(configure_transfer(), folder, tmp_path / "run")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("frontend.level_range=min_max", "level_range=min_max .* task=transfer needs levels in dB"),
        ("frontend.size=[32,32]", r"needs frontend.kind=mel without size, .* size=\(32, 32\)"),
        ("training.crop_seconds=2", "longer than prepare.clip_seconds=1"),
        ("training.crop_seconds=0.001", "greater than or equal to 0.01"),
        ("training.crop_seconds=0.04", "crop_seconds=0.04 is shorter than the two frames"),
        (
            "training={warmup_epochs: 1, schedule: plateau, validate_on: next}",
            "warmup_epochs=1 .*schedule='plateau'",
        ),
    ],
)
def test_settings_that_do_not_fit_are_errors(configure_transfer, setting, message):
    with pytest.raises(ConfigError, match=message):
        configure_transfer(setting)


@pytest.mark.parametrize(
    ("setting", "difference"),
    [
        ("frontend.bands=16", "frontend.bands=16 instead of 47"),
        ("frontend.stft.hop_samples=128", "frontend.stft.hop_samples=128 instead of 256"),
        ("frontend.min_hz=50", "frontend.min_hz=50 instead of 0"),
        ("frontend.max_hz=3000", "frontend.max_hz=3000 instead of 4000"),
        ("frontend.top_db=80", "frontend.top_db=80 instead of 90"),
    ],
)
def test_levels_that_differ_from_those_of_transfers_are_errors(
    aligned_dataset, configure_transfer, folder, setting, difference
):
    with pytest.raises(ConfigError, match=f"a transfer network at 8000 Hz .*{difference}"):
        train(configure_transfer(setting), aligned_dataset, folder)
    assert not folder.exists()


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
