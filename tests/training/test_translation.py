import json
import math
import shutil

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream.datasets import records, unpaired
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.preparation.prepare import prepare
from tfdream.errors import ConfigError, DatasetError, ModelError
from tfdream.runs import TranslationRun
from tfdream.training.image_pool import ImagePool
from tfdream.training.translation import CollapseDetector, train_translation

LEARNT = {
    *("loss", "cycle", "identity", "generator_forward", "generator_backward"),
    *("discriminator_forward", "discriminator_backward", "spread_forward", "spread_backward"),
}
VALIDATED = {"val_loss", "val_cycle", "val_identity"}
# One step an epoch, and nothing held out.
SHORT = ("training.epochs=1", "training.batch_size=12", "training.pool_images=12")
ALONE = ("training.validate_on=none", *SHORT)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def copy(translation, folder):
    """A run that may be changed."""
    return shutil.copytree(translation[0], folder)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """Prepares a dataset of some labels, of short tracks: `make(a=2, b=1)`."""

    def make(folds=2, **tracks):
        folder = tmp_path_factory.mktemp("datasets")
        rng = np.random.default_rng(0)
        for label, count in tracks.items():
            (folder / "source" / label).mkdir(parents=True)
            for number in range(count):
                path = folder / "source" / label / f"{number}.wav"
                soundfile.write(path, rng.uniform(-0.1, 0.1, 8000), 8000)
        return folder, folds

    def prepared(config, name="dataset", **how):
        folder, folds = make(**how)
        settings = config.prepare.model_copy(update={"folds": folds})
        prepare(folder / "source", folder / name, settings, workers=1)
        return folder / name

    return prepared


@pytest.fixture(scope="module")
def falling(configure_translation, dataset, step_by_step, tmp_path_factory):
    """A run of one epoch in which the rate falls, of the genres in the other order, unwatched.

    One fold is garbage: reading one record of it would be an error.
    """
    folder = tmp_path_factory.mktemp("falling")
    damaged = shutil.copytree(dataset, folder / "dataset")
    for shard in records.load(damaged).fold_shards([1]):
        (damaged / shard.name).write_bytes(bytes(shard.bytes))
    config = configure_translation(*ALONE, "training.decay_epochs=1", "labels=[tones, noise]")
    with step_by_step():
        train_translation(config, damaged, folder / "run", 1, watcher=lambda *_: pytest.fail())
    return folder / "run", config


def test_the_result_is_what_the_command_promises(translation):
    folder, result = translation
    assert (result["run"], result["epochs"]) == (str(folder), 2)
    assert (result["labels"], result["test_fold"]) == (["noise", "tones"], 0)
    assert result["examples_per_second"] > 0
    assert 0 <= result["data_wait_fraction"] <= 1
    assert set(result["metrics"]) == LEARNT | VALIDATED
    assert json.loads((folder / "metrics.json").read_text()) == result


def test_a_run_folder_holds_all_that_it_needs_and_nothing_half_written(translation):
    assert {path.name for path in translation[0].iterdir()} == {
        *("run.json", "config.yaml", "model.weights.h5", "resume.weights.h5", "history.csv"),
        *("metrics.json", "judged.csv", "tensorboard"),
    }


def test_the_history_has_every_loss_and_they_fall(translation, history):
    first, second = history(translation[0])
    assert set(first) == {"epoch", *LEARNT, *VALIDATED}
    assert second["loss"] < first["loss"]
    assert second["val_loss"] < first["val_loss"]
    assert second["spread_forward"] > 0


def test_four_networks_are_counted(translation, translation_run):
    pair = translation_run.build_networks()
    assert translation[1]["parameters"] == 2 * sum(each.count_params() for each in pair)


def test_the_metrics_are_those_of_the_kept_weights(translation, translation_run, dataset):
    found = records.load(dataset)
    sides = tuple(ClipSet(dataset, found, found.fold_shards([0]), label) for label in found.labels)
    forward, backward = translation_run.generators.forward, translation_run.generators.backward
    cycles, identities = [], []
    for first, second in unpaired.evaluation_batches(sides, translation_run.config):
        x, y = 2 * first - 1, 2 * second - 1
        cycles.append(np.mean(np.abs(backward(forward(x)) - x)))
        cycles[-1] += np.mean(np.abs(forward(backward(y)) - y))
        identities.append(np.mean(np.abs(forward(y) - y)) + np.mean(np.abs(backward(x) - x)))
    metrics = translation[1]["metrics"]
    assert metrics["val_cycle"] == pytest.approx(np.mean(cycles), rel=1e-4)  # float32
    assert metrics["val_identity"] == pytest.approx(np.mean(identities), rel=1e-4)


# Going on


@pytest.mark.slow
def test_one_epoch_and_another_are_two_whoever_watches(
    translation, configure_translation, dataset, folder, eagerly, state, assert_same_run
):
    """The run that they are compared with was watched, and trained at once."""
    result = train_translation(configure_translation("training.epochs=1"), dataset, folder)
    assert result["epochs"] == 1
    pools = [array for (_, name), array in state(folder).items() if "pool" in name]
    assert any(array.any() for array in pools)
    keras.utils.set_random_seed(77)  # whatever ran in between must not matter
    steps = []
    train_translation(
        configure_translation(), dataset, folder, progress=lambda *numbers: steps.append(numbers)
    )
    count = len(steps)
    assert steps == [(done, 2 * count) for done in range(count + 1, 2 * count + 1)]
    assert_same_run(folder, translation[0])


@pytest.mark.slow
def test_interrupted_training_goes_on_as_if_nothing_had_happened(
    configure_translation, dataset, tmp_path, history, assert_same_run
):
    """With graphs; of 2 steps an epoch, it is interrupted in the second one."""

    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    config = configure_translation("training.epochs=3")
    train_translation(config, dataset, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_translation(config, dataset, tmp_path / "parts", progress=interrupt)
    assert len(history(tmp_path / "parts")) == 1
    train_translation(config, dataset, tmp_path / "parts")
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_a_finished_run_is_left_as_it_is(configure_translation, dataset, translation, copy):
    called = []
    result = train_translation(
        configure_translation(), dataset, copy, progress=lambda *_: called.append(1)
    )
    assert not called
    assert result | {"run": ""} == translation[1] | {"run": ""}
    before, after = contents(translation[0]), contents(copy)
    before.pop("metrics.json"), after.pop("metrics.json")  # which name the folder
    assert before == after


@pytest.mark.parametrize(
    "change",
    [
        "training.seed=1",
        "training.cycle_weight=5",
        "training.pool_images=9",
        "model.options.filters=3",
        "labels=[tones, noise]",
    ],
)
def test_other_settings_are_refused(configure_translation, dataset, translation, change):
    before = contents(translation[0])
    with pytest.raises(ConfigError, match=r"other settings.*--force"):
        train_translation(configure_translation(change), dataset, translation[0])
    assert contents(translation[0]) == before


def test_a_classifier_s_run_is_not_continued(configure_translation, dataset, trained):
    with pytest.raises(ConfigError, match=r"other settings.*--force"):
        train_translation(configure_translation(), dataset, trained[0])


def test_more_epochs_are_refused_where_the_rate_falls_with_their_number(falling, dataset):
    folder, config = falling
    assert train_translation(config, dataset, folder, 1)["epochs"] == 1
    more = config.training.model_copy(update={"epochs": 2})
    with pytest.raises(ConfigError, match=r"other settings.*--force"):
        train_translation(config.model_copy(update={"training": more}), dataset, folder, 1)


@pytest.mark.slow
def test_force_starts_anew_in_half_precision_that_reloads_in_float32(
    configure_translation, dataset, copy, eagerly, history
):
    before = keras.config.dtype_policy()
    config = configure_translation("training.mixed_precision=true", *SHORT)
    result = train_translation(config, dataset, copy, force=True)
    assert keras.config.dtype_policy() is before
    assert result["epochs"] == len(history(copy)) == 1
    assert np.isfinite(list(result["metrics"].values())).all()
    assert not (copy / "judged.csv").exists()
    run = TranslationRun.open(copy)
    assert run.config.training.mixed_precision
    for generator in (run.generators.forward, run.generators.backward):
        assert {weight.dtype for weight in generator.weights} == {"float32"}
        assert {layer.compute_dtype for layer in generator.layers} == {"float32"}


# What breaks down


@pytest.mark.slow
def test_a_loss_that_is_not_a_number_is_an_error_that_names_the_rate(
    configure_translation, dataset, folder, eagerly
):
    config = configure_translation(*ALONE, "training.epochs=2", "training.learning_rate=1e39")
    with pytest.raises(ModelError, match=r"the loss is nan after epoch 1; lower training.learning"):
        train_translation(config, dataset, folder)
    with pytest.raises(ModelError, match="no weights yet"):
        _ = TranslationRun.open(folder).generators


@pytest.mark.slow
def test_what_earlier_epochs_learnt_outlives_a_breakdown(
    configure_translation, dataset, translation, copy, eagerly, monkeypatch, assert_same_run
):
    monkeypatch.setattr(ImagePool, "draw", lambda pool, images: images * math.nan)
    with pytest.raises(ModelError, match=r"the loss is nan after epoch 3; lower training.learning"):
        train_translation(configure_translation("training.epochs=3"), dataset, copy)
    assert_same_run(copy, translation[0])


def rows(*spreads):
    return [{"spread_forward": each, "spread_backward": 0.5} for each in spreads]


@pytest.mark.parametrize("before", [rows(0.5), rows(0.001, 0.3, 0.05)])
def test_a_generator_that_was_alive_and_makes_the_same_of_everything_has_collapsed(before):
    with pytest.raises(ModelError, match=r"after epoch 5 .*spread_forward 0.010.*learning_rate"):
        CollapseDetector(before).on_epoch_end(4, rows(0.01)[0])


@pytest.mark.parametrize(
    ("before", "now"),
    [([], 0.0), (rows(0.05), 0.01), (rows(0.5, 0.3), 0.03), (rows(0.5), math.nan)],
)
def test_a_generator_that_only_begins_or_still_differs_goes_on(before, now):
    CollapseDetector(before).on_epoch_end(4, rows(now)[0])


# What is trained on


def test_the_held_out_fold_is_not_even_read_where_nothing_is_validated(falling):
    run = TranslationRun.open(falling[0])
    info = run.info
    assert (info.test_fold, info.validation_fold, info.training_folds) == (1, None, [0, 2])
    assert set(json.loads(run.metrics_path.read_text())["metrics"]) == LEARNT
    assert not run.events_path.joinpath("translations").exists()


def test_genres_are_learnt_in_the_order_they_are_named(falling):
    assert TranslationRun.open(falling[0]).labels == ["tones", "noise"]


@pytest.mark.slow
def test_the_graph_of_half_precision_learns_too(configure_translation, dataset, folder):
    config = configure_translation("training.mixed_precision=true")
    result = train_translation(config, dataset, folder)
    assert np.isfinite(list(result["metrics"].values())).all()


@pytest.mark.slow
def test_the_small_cyclegan_learns(configure_translation, dataset, folder, history):
    config = configure_translation(
        "model={name: small_cyclegan, options: {filters: 2, blocks: 1, units: 8}}",
        "frontend.size=[64, 64]",
        "training.adversarial=cross_entropy",
        "training.identity_weight=0",
    )
    train_translation(config, dataset, folder)
    first, second = history(folder)
    assert second["loss"] < first["loss"]
    assert second["identity"] == 0


@pytest.mark.parametrize(
    ("tracks", "settings", "words"),
    [
        ({"a": 2}, (), r"has the labels a; choose two"),
        ({"a": 2, "b": 2, "c": 2}, (), r"the labels a, b, c; choose two, .*'labels=\[a, b\]'"),
        ({"a": 2, "b": 2}, ("labels=[a, jazz]",), r"'jazz' is not one of .*has a, b"),
    ],
)
def test_genres_that_are_not_clear_are_asked_for(
    configure_translation, datasets, folder, tracks, settings, words
):
    config = configure_translation(*settings)
    with pytest.raises(ConfigError, match=words):
        train_translation(config, datasets(config, **tracks), folder)
    assert not folder.exists()


@pytest.mark.slow
def test_two_datasets_have_the_names_of_their_labels_or_their_own(
    configure_translation, datasets, folder, eagerly
):
    config = configure_translation(*SHORT)
    first = datasets(config, "first", a=2, b=2)
    second = datasets(config, "second", c=2)
    result = train_translation(config, (first, second), folder)
    assert result["labels"] == ["first", "c"]
    info = TranslationRun.open(folder).info
    assert info.dataset == "first and second"
    prints = {records.load(each).fingerprint for each in (first, second)}
    assert set(info.dataset_fingerprint.split()) == prints
    with pytest.raises(ConfigError, match=r"another dataset.*--force"):
        train_translation(config, (second, first), folder)


def test_two_datasets_that_are_one_or_have_one_name_are_refused(
    configure_translation, datasets, folder
):
    config = configure_translation()
    first, second = (datasets(config, name, a=2) for name in ("first", "second"))
    with pytest.raises(ConfigError, match="is given as both genres"):
        train_translation(config, (first, first.parent / "." / "first"), folder)
    with pytest.raises(ConfigError, match="both datasets are of 'a'; name the genres"):
        train_translation(config, (first, second), folder)
    assert not folder.exists()


def test_a_genre_without_held_out_clips_is_noticed_before_a_run_is_replaced(
    configure_translation, datasets, copy
):
    before = contents(copy)
    config = configure_translation("training.batch_size=1", "training.epochs=1")
    rare = datasets(config, folds=3, a=3, b=1)
    found = records.load(rare)
    empty = next(
        fold
        for fold in found.folds
        if not any("b/" in track for shard in found.fold_shards([fold]) for track in shard.tracks)
    )
    with pytest.raises(DatasetError, match=rf"no clip of 'b' in the folds \[{empty}\]"):
        train_translation(config, rare, copy, empty, force=True)
    assert contents(copy) == before


@pytest.mark.parametrize("change", ["prepare.sample_rate=16000", "prepare.clip_seconds=0.5"])
def test_a_dataset_of_other_clips_is_refused(configure_translation, dataset, folder, change):
    with pytest.raises(DatasetError, match=f"{change.split('.')[1].split('=')[0]}=.*--set prepare"):
        train_translation(configure_translation(change), dataset, folder)


# Several devices


@pytest.mark.slow
def test_two_devices_learn_what_one_learns(
    configure_translation, dataset, tmp_path, start_training, ended, history, state
):
    """Pools and spreads included: the devices share them."""
    assert len(tf.config.list_logical_devices("CPU")) == 1
    config = configure_translation("training.learning_rate=0.0001")
    ended(start_training(config, dataset, tmp_path / "two", devices=2))
    train_translation(config, dataset, tmp_path / "one")
    for one, two in zip(history(tmp_path / "one"), history(tmp_path / "two"), strict=True):
        # Gradients are summed in another order: parts in 10⁷, which Adam's steps of a fixed size
        # enlarge where a gradient is nearly nothing.
        assert two == pytest.approx(one, rel=3e-4)
    pools = [
        {name: array for (_, name), array in state(tmp_path / each).items() if "pool" in name}
        for each in ("one", "two")
    ]
    assert pools[0].keys() == pools[1].keys()
    for name, array in pools[0].items():
        # Which a few pixels show; another image in a place would be a hundred times as far.
        np.testing.assert_allclose(pools[1][name], array, atol=1e-2)
