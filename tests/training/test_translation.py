import json
import math
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream import audio
from tfdream.datasets import manifest
from tfdream.datasets.clip_set import ClipSet
from tfdream.errors import ConfigError, DatasetError, ModelError
from tfdream.runs import TranslationRun
from tfdream.training import optimizers
from tfdream.training.distributed import ClusterConfig
from tfdream.training.image_pool import ImagePool
from tfdream.training.train import TrainOptions, train
from tfdream.training.translation import CollapseDetector, TranslationTask

METRICS = {
    *("loss", "cycle", "identity", "generator_forward", "generator_backward"),
    *("discriminator_forward", "discriminator_backward", "spread_forward", "spread_backward"),
}
VALIDATION_METRICS = {"val_loss", "val_cycle", "val_identity"}
# One step per epoch.
SHORT = ("training.epochs=1", "training.batch_size=12", "training.pool_images=12")
WITHOUT_VALIDATION = ("training.validate_on=none", *SHORT)


def read_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def copy(translation, folder):
    """A run that a test may change."""
    return shutil.copytree(translation[0], folder)


@pytest.fixture(scope="module")
def decaying(configure_translation, dataset, step_by_step, tmp_path_factory):
    """A run of one epoch with a decaying rate and the labels in the other order, and its config.

    Nothing is validated on. Reading one record of the test fold would be an error.
    """
    folder = tmp_path_factory.mktemp("decaying")
    damaged = shutil.copytree(dataset, folder / "dataset")
    for shard in manifest.load(damaged).fold_shards([1]):
        (damaged / shard.name).write_bytes(bytes(shard.bytes))
    config = configure_translation(
        *WITHOUT_VALIDATION, "training.decay_share=0.5", "labels=[tones, noise]"
    )
    with step_by_step():
        train(
            config,
            damaged,
            folder / "run",
            TrainOptions(test_fold=1),
            preview=lambda *_: pytest.fail("there are no clips for a preview"),
        )
    return folder / "run", config


def test_the_history_has_every_loss_and_they_decrease(translation, history):
    folder, result = translation
    assert result["labels"] == ["noise", "tones"]
    assert set(result["metrics"]) == METRICS | VALIDATION_METRICS
    first, second = history(folder)
    assert set(first) == {"epoch", *METRICS, *VALIDATION_METRICS}
    assert second["val_loss"] < first["val_loss"]
    assert second["spread_forward"] > 0


def test_the_parameters_of_four_networks_are_counted(translation, translation_run):
    networks = translation_run.build_networks()
    assert translation[1]["parameters"] == 2 * sum(each.count_params() for each in networks)


def test_excerpts_of_each_label_are_stored(translation, translation_run, dataset):
    """All clips in the order of the clip set, because they are shorter than a minute."""
    folds = translation_run.info.training_folds
    assert translation_run.info.test_fold not in folds
    for label in translation_run.labels:
        clips = ClipSet.from_folds(manifest.load(dataset), folds, label).waveforms()
        excerpts, rate = audio.read(translation_run.existing_excerpts(label))
        assert rate == translation_run.sample_rate
        # The limiter of a file with integer samples may change samples at full scale alone.
        np.testing.assert_allclose(excerpts[:, 0], np.concatenate(list(clips)), atol=2**-15)


def test_excerpts_are_part_of_the_run(copy):
    run = TranslationRun.open(copy)
    before = run.fingerprint()
    run.excerpt_path("tones").unlink()
    assert run.fingerprint() != before
    with pytest.raises(ModelError, match=r"has no excerpts of tones .* train it again"):
        run.existing_excerpts("tones")
    run.clear()
    assert not run.excerpt_path("noise").exists()


# Batches


@pytest.fixture(scope="module")
def make_task(loaded, configure_translation, tmp_path_factory):
    """A function that makes the task of an experiment with overrides."""
    folder = tmp_path_factory.mktemp("tasks")

    def make(*overrides, datasets=(loaded,), test_fold=0):
        config = configure_translation(*overrides)
        info = TranslationTask.describe(config, datasets, test_fold)
        with ClusterConfig().joined(folder) as workers:
            return TranslationTask(TranslationRun(folder, config, info), datasets, workers)

    return make


def images_of(task, clip_set):
    waveforms = tf.constant(np.stack(list(clip_set.waveforms())))
    return task.run.frontend(waveforms).numpy()


def positions(images, batches):
    """Return the position of each image of some batches among all images."""
    found = np.concatenate(batches)
    distances = np.abs(images[None] - found[:, None]).max(axis=(2, 3, 4))
    assert (distances.min(axis=1) < 1e-3).all()  # float16
    assert (np.sort(distances, axis=1)[:, 1] > 1e-2).all()
    return distances.argmin(axis=1).tolist()


def test_an_epoch_has_every_clip_of_the_larger_domain(make_task, loaded):
    """Domains are shuffled separately, and later epochs are reproduced, with or without cache."""
    for labels, memory in ((["noise", "tones"], 0), (["tones", "noise"], 2)):
        task = make_task(
            *(f"labels={labels}", f"training.memory_gigabytes={memory}"),
            *("training.batch_size=4", "training.validate_on=none", "frontend.size=[16, 16]"),
        )
        sizes = [domain.clips for domain in task.domains]
        assert sorted(sizes) == [12, 13]
        assert (task.batch_size, task.steps) == (4, max(sizes) // 4)
        batches = list(task.training_batches(0).take(2 * task.steps).as_numpy_iterator())
        orders = []
        for domain, images in zip(task.domains, zip(*batches, strict=True), strict=True):
            assert domain.dataset is loaded
            assert {(each.shape, each.dtype.name) for each in images} == {
                ((4, 16, 16, 1), "float32")
            }
            assert 0 <= np.min(images) < np.max(images) <= 1
            orders.append(positions(images_of(task, domain), images))
        halves = [tuple(half) for order in orders for half in (order[:12], order[12:])]
        assert len(set(halves)) == 4
        assert {len(set(half)) for half in halves} == {12}
        # Pairs change: of 12, one in the mean is the same by chance.
        assert sum(one == other for one, other in zip(*orders, strict=True)) < 10
        resumed = task.training_batches(1).take(task.steps).as_numpy_iterator()
        for pair, same in zip(batches[task.steps :], resumed, strict=True):
            assert np.array_equal(pair[0], same[0])
            assert np.array_equal(pair[1], same[1])


def test_a_batch_larger_than_both_domains_repeats_them(make_task):
    task = make_task("training.batch_size=15", "training.pool_images=15")
    assert task.steps == 1
    for domain, images in zip(task.domains, next(iter(task.training_batches(0))), strict=True):
        clips = positions(images_of(task, domain), [images.numpy()])
        assert len(clips) == 15
        assert len(set(clips)) == domain.clips


def test_an_epoch_may_have_any_number_of_steps(make_task):
    assert make_task("training.steps_per_epoch=7").steps == 7


def test_validation_has_every_clip_in_order_and_full_batches(make_task):
    task = make_task("training.batch_size=4", test_fold=1)
    batches = task.validation_batches()
    assert int(batches.cardinality()) == 2
    streams = zip(*batches.as_numpy_iterator(), strict=True)
    for domain, images in zip(task.preview_sets, streams, strict=True):
        assert {len(each) for each in images} == {4}
        expected = [clip % domain.clips for clip in range(8)]
        assert positions(images_of(task, domain), images) == expected


def test_the_metrics_are_those_of_the_stored_weights(translation, translation_run, make_task):
    forward, backward = translation_run.generators.forward, translation_run.generators.backward
    cycles, identities = [], []
    for first, second in make_task().validation_batches():
        x, y = 2 * first - 1, 2 * second - 1
        cycles.append(np.mean(np.abs(backward(forward(x)) - x)))
        cycles[-1] += np.mean(np.abs(forward(backward(y)) - y))
        identities.append(np.mean(np.abs(forward(y) - y)) + np.mean(np.abs(backward(x) - x)))
    metrics = translation[1]["metrics"]
    assert metrics["val_cycle"] == pytest.approx(np.mean(cycles), rel=1e-4)  # float32
    assert metrics["val_identity"] == pytest.approx(np.mean(identities), rel=1e-4)


# Continued runs


@pytest.mark.slow
def test_epochs_may_be_trained_one_by_one_with_or_without_previews(
    translation, configure_translation, dataset, folder, eagerly, stored_arrays, assert_same_run
):
    """The other run had previews and was trained at once."""
    result = train(configure_translation("training.epochs=1"), dataset, folder)
    assert result["epochs"] == 1
    pools = [array for (_, name), array in stored_arrays(folder).items() if "pool" in name]
    assert any(array.any() for array in pools)
    keras.utils.set_random_seed(77)  # random numbers drawn in between do not matter
    steps = []
    train(configure_translation(), dataset, folder, progress=lambda *numbers: steps.append(numbers))
    count = len(steps)
    assert steps == [(done, 2 * count) for done in range(count + 1, 2 * count + 1)]
    assert_same_run(folder, translation[0])


@pytest.mark.slow
def test_interrupted_training_continues_exactly(
    configure_translation, dataset, tmp_path, history, interrupt_at, assert_same_run
):
    """With graphs and every option; of 2 steps per epoch, it is interrupted in the second epoch."""
    config = configure_translation(
        *("model.name=temporal_cnn", "training.steps_per_epoch=2", "training.average_decay=0.7"),
        *("training.contrastive_weight=1", "training.contrastive_layers=[trunk_input]"),
        *("training.onset_weight=2", "training.augmentation=[{kind: roll}]", "training.epochs=3"),
    )
    train(config, dataset, tmp_path / "complete")
    with pytest.raises(KeyboardInterrupt):
        train(config, dataset, tmp_path / "parts", progress=interrupt_at(3))
    assert len(history(tmp_path / "parts")) == 1
    train(config, dataset, tmp_path / "parts")
    assert_same_run(tmp_path / "parts", tmp_path / "complete")


def test_more_epochs_are_refused_if_the_rate_depends_on_their_number(decaying, dataset):
    folder, config = decaying
    options = TrainOptions(test_fold=1)
    assert train(config, dataset, folder, options)["epochs"] == 1
    more = config.training.model_copy(update={"epochs": 2})
    with pytest.raises(ConfigError, match=r"other settings.*--force"):
        train(config.model_copy(update={"training": more}), dataset, folder, options)


@pytest.mark.slow
def test_force_replaces_a_run_in_half_precision_that_is_reloaded_in_float32(
    configure_translation, dataset, copy, eagerly, history
):
    before = keras.config.dtype_policy()
    config = configure_translation("training.mixed_precision=true", *SHORT)
    result = train(config, dataset, copy, TrainOptions(force=True))
    assert keras.config.dtype_policy() is before
    assert result["epochs"] == len(history(copy)) == 1
    assert np.isfinite(list(result["metrics"].values())).all()
    assert not (copy / "judged.csv").exists()
    run = TranslationRun.open(copy)
    assert run.config.training.mixed_precision
    for generator in (run.generators.forward, run.generators.backward):
        assert {weight.dtype for weight in generator.weights} == {"float32"}
        assert {layer.compute_dtype for layer in generator.layers} == {"float32"}


# Divergence and collapse


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_an_error(
    configure_translation, dataset, folder, eagerly, monkeypatch
):
    def build(training, steps_per_epoch):
        return keras.optimizers.SGD(1e39)  # infinite in float32

    monkeypatch.setattr(optimizers, "build_for_translation", build)
    config = configure_translation(*WITHOUT_VALIDATION, "training.epochs=2")
    with pytest.raises(ModelError, match=r"(nan|finite) after epoch 1; lower training.learning"):
        train(config, dataset, folder)
    with pytest.raises(ModelError, match="has no weights"):
        _ = TranslationRun.open(folder).generators


@pytest.mark.slow
def test_the_state_before_a_divergence_stays(
    configure_translation, dataset, translation, copy, eagerly, monkeypatch, assert_same_run
):
    monkeypatch.setattr(ImagePool, "exchange", lambda pool, images: images * math.nan)
    with pytest.raises(ModelError, match=r"is nan after epoch 3; lower training.learning"):
        train(configure_translation("training.epochs=3"), dataset, copy)
    assert_same_run(copy, translation[0])


def rows_with_spread(*spreads):
    return [{"spread_forward": spread, "spread_backward": 0.5} for spread in spreads]


def test_a_generator_whose_spread_falls_to_almost_zero_has_collapsed():
    for before in ([0.5], [0.001, 0.3, 0.05]):
        with pytest.raises(ModelError, match=r"after epoch 5 .*spread_forward=0.010.*learning_rat"):
            CollapseDetector(rows_with_spread(*before)).on_epoch_end(4, rows_with_spread(0.01)[0])


def test_a_generator_with_spread_or_without_an_earlier_one_has_not_collapsed():
    for before, now in (([], 0.0), ([0.05], 0.01), ([0.5, 0.3], 0.03), ([0.5], math.nan)):
        CollapseDetector(rows_with_spread(*before)).on_epoch_end(4, rows_with_spread(now)[0])


# Folds, labels and datasets


def test_the_test_fold_is_not_read_without_validation(decaying):
    run = TranslationRun.open(decaying[0])
    info = run.info
    assert (info.test_fold, info.validation_fold, info.training_folds) == (1, None, [0, 2])
    assert set(json.loads(run.metrics_path.read_text())["metrics"]) == METRICS
    assert not run.events_path.joinpath("translations").exists()


def test_labels_have_the_order_of_the_configuration(decaying):
    assert TranslationRun.open(decaying[0]).labels == ["tones", "noise"]


def relabel(loaded, *labels, folder=None, fingerprint=None):
    """Return a dataset's description with other labels."""
    return loaded.model_copy(
        update={
            "labels": list(labels),
            "folder": Path(folder or loaded.folder),
            "fingerprint": fingerprint or loaded.fingerprint,
        }
    )


def test_labels_that_are_not_clear_are_refused(configure_translation, loaded):
    for labels, overrides, message in (
        (["a"], (), r"has the labels a; choose two"),
        (["a", "b", "c"], (), r"the labels a, b, c; choose two, .*'labels=\[a, b\]'"),
        (["a", "b"], ("labels=[a, jazz]",), r"label 'jazz' is not one of .*: a, b"),
    ):
        config = configure_translation(*overrides)
        with pytest.raises(ConfigError, match=message):
            TranslationTask.describe(config, [relabel(loaded, *labels)], 0)


def test_two_datasets_have_different_labels(configure_translation, loaded):
    first, second, third = (
        relabel(loaded, *labels, folder=name, fingerprint=f"of {name}")
        for name, labels in (("first", "ab"), ("second", "c"), ("third", "c"))
    )
    info = TranslationTask.describe(configure_translation(), [first, second], 0)
    assert info.labels == ["first", "c"]
    assert info.dataset == "first and second"
    assert info.dataset_fingerprint == "of first of second"
    named = configure_translation("labels=[x, y]")
    assert TranslationTask.describe(named, [second, third], 0).labels == ["x", "y"]
    same = first.model_copy(update={"folder": Path("other/../first")})
    for datasets, message in (
        ([first, same], "is given for both labels"),
        ([second, third], "both datasets have the label 'c'; name the labels"),
    ):
        with pytest.raises(ConfigError, match=message):
            TranslationTask.describe(configure_translation(), datasets, 0)


def test_a_label_of_a_second_dataset_is_selected(
    configure_translation, loaded, make_task, monkeypatch
):
    other = relabel(loaded, "c", folder="other", fingerprint="another")
    monkeypatch.chdir(loaded.folder)
    here = relabel(loaded, *loaded.labels, folder=".")
    for first in (loaded, here):
        datasets = (first, other)
        complete = TranslationTask.describe(configure_translation(), datasets, 0)
        assert (complete.labels, complete.dataset) == (["dataset", "c"], "dataset and other")
    named = configure_translation("labels=[jazz, c]")
    with pytest.raises(ConfigError, match="label 'jazz' is not one of"):
        TranslationTask.describe(named, [loaded, other], 0)
    task = make_task("labels=[tones, x]", datasets=(loaded, other))
    assert [domain.label for domain in task.domains] == ["tones", None]
    assert task.domains[0].clips < task.domains[1].clips
    assert [domain.label for domain in task._validation_domains] == ["tones", None]


def rewrite(folder, change):
    """Change the content of a dataset's manifest."""
    path = folder / manifest.MANIFEST
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_label_without_validation_clips_is_an_error_before_a_run_is_replaced(
    configure_translation, configure_generation, dataset, copy, tmp_path
):
    def change(content):
        for shard in content["shards"]:
            if shard["fold"] == 0:
                shard["track_labels"] = [0] * len(shard["track_labels"])

    rare = shutil.copytree(dataset, tmp_path / "dataset")
    rewrite(rare, change)
    before = read_files(copy)
    for configure in (configure_translation, configure_generation):
        with pytest.raises(DatasetError, match=r"no clip of 'tones' in the folds \[0\]"):
            train(configure("training.seed=1"), rare, copy, TrainOptions(0, force=True))
        assert read_files(copy) == before


@pytest.mark.slow
def test_two_datasets_are_trained_on(configure_translation, dataset, tmp_path, folder, eagerly):
    def change(content):
        content["labels"] = ["c"]
        content["fingerprint"] = "another"
        for shard in content["shards"]:
            shard["track_labels"] = [0] * len(shard["track_labels"])

    first = shutil.copytree(dataset, tmp_path / "first")
    second = shutil.copytree(dataset, tmp_path / "second")
    rewrite(second, change)
    config = configure_translation(*SHORT)
    result = train(config, first, folder, TrainOptions(second_dataset=str(second)))
    assert result["labels"] == ["first", "c"]
    info = TranslationRun.open(folder).info
    assert info.dataset == "first and second"
    assert info.dataset_fingerprint == f"{manifest.load(first).fingerprint} another"
    with pytest.raises(ConfigError, match=r"another dataset.*--force"):
        train(config, second, folder, TrainOptions(second_dataset=first))


# Variants


@pytest.mark.slow
def test_the_graph_of_half_precision_trains(configure_translation, dataset, folder):
    result = train(configure_translation("training.mixed_precision=true"), dataset, folder)
    assert np.isfinite(list(result["metrics"].values())).all()


@pytest.mark.slow
def test_the_small_cyclegan_trains(configure_translation, dataset, folder, history):
    config = configure_translation(
        "model={name: small_cyclegan, options: {filters: 2, blocks: 1, units: 8}}",
        "frontend.size=[64, 64]",
        "training.adversarial=cross_entropy",
        "training.identity_weight=0",
    )
    train(config, dataset, folder)
    first, second = history(folder)
    assert second["loss"] < first["loss"]
    assert second["identity"] == 0


@pytest.mark.slow
def test_two_devices_train_like_one(
    configure_translation,
    dataset,
    tmp_path,
    start_training,
    wait_for_result,
    history,
    stored_arrays,
):
    """Including pools and spreads, which the devices share."""
    assert len(tf.config.list_logical_devices("CPU")) == 1
    config = configure_translation("training.learning_rate=0.0001")
    wait_for_result(start_training(config, dataset, tmp_path / "two", devices=2))
    train(config, dataset, tmp_path / "one")
    for one, two in zip(history(tmp_path / "one"), history(tmp_path / "two"), strict=True):
        # Gradients are summed in another order: errors of 10⁻⁷, which Adam's steps of a fixed size
        # amplify where a gradient is almost zero.
        assert two == pytest.approx(one, rel=3e-4)
    pools = [
        {name: array for (_, name), array in stored_arrays(tmp_path / each).items()
         if "pool" in name}
        for each in ("one", "two")
    ]  # fmt: skip
    assert pools[0].keys() == pools[1].keys()
    for name, array in pools[0].items():
        # A few pixels differ by this; another image would differ a hundred times as much.
        np.testing.assert_allclose(pools[1][name], array, atol=1e-2)
