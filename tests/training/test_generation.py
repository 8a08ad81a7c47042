import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.datasets import records
from tfdream.datasets.clip_set import ClipSet
from tfdream.errors import ConfigError, DatasetError, ModelError
from tfdream.runs import GenerationRun, open_run
from tfdream.training.generation import image_to_frames, train_generation

CODES = (
    "model={name: product_codes, options: {units: 6, numbers: 3, entries: 4, width: 6, "
    "dropout: 0.2, input_dropout: 0.1}}"
)


def test_the_result_is_what_the_command_promises(generation):
    folder, result = generation
    assert (result["run"], result["epochs"], result["test_fold"]) == (str(folder), 2, 0)
    assert result["clips"] == 12  # four tracks of tones in the other folds
    assert result["examples_per_second"] > 0
    assert set(result["metrics"]) == {"loss", "val_loss"}
    assert json.loads((folder / "metrics.json").read_text()) == result


def test_a_run_folder_holds_all_that_it_needs_and_nothing_half_written(generation):
    assert {path.name for path in generation[0].iterdir()} == {
        *("run.json", "config.yaml", "model.weights.h5", "resume.weights.h5", "history.csv"),
        *("metrics.json", "tensorboard"),
    }
    assert list((generation[0] / "tensorboard" / "generated").iterdir())


def test_the_loss_falls_and_the_held_out_one_is_that_of_the_kept_weights(
    generation, generation_run, dataset, history
):
    first, second = history(generation[0])
    assert second["loss"] < first["loss"]
    found = records.load(dataset)
    side = ClipSet(dataset, found, found.fold_shards([0]), "tones")
    clips = np.stack(list(side.waveforms()))
    frames = image_to_frames(generation_run.frontend(tf.constant(clips)))
    # Six clips, the first two twice: batches of four are full.
    repeated = tf.concat([frames, frames[:2]], axis=0)
    loss = float(generation_run.generator.loss_of(repeated))
    assert second["val_loss"] == pytest.approx(loss, rel=1e-4)  # float32


def test_a_generator_s_run_knows_its_label(generation, generation_run):
    assert generation_run.labels == ["tones"]
    assert isinstance(open_run(generation[0]), GenerationRun)
    assert np.asarray(generation_run.generator.openings).any()
    assert -80 < float(generation_run.generator.reference_db) < 0


# Going on


@pytest.mark.slow
def test_one_epoch_and_another_are_two_whoever_watches(
    generation, configure_generation, dataset, folder, assert_same_run
):
    """The run that they are compared with was watched, and trained at once."""
    train_generation(configure_generation("training.epochs=1"), dataset, folder)
    keras.utils.set_random_seed(77)  # whatever ran in between must not matter
    steps = []
    train_generation(
        configure_generation(), dataset, folder, progress=lambda *numbers: steps.append(numbers)
    )
    assert steps == [(4, 6), (5, 6), (6, 6)]
    assert_same_run(folder, generation[0])


@pytest.mark.slow
def test_one_epoch_and_another_are_two_with_codebooks_and_dropout(
    configure_generation, dataset, tmp_path, assert_same_run
):
    two = configure_generation(CODES)
    train_generation(two, dataset, tmp_path / "whole")
    train_generation(configure_generation(CODES, "training.epochs=1"), dataset, tmp_path / "parts")
    train_generation(two, dataset, tmp_path / "parts")
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.slow
def test_interrupted_training_goes_on_as_if_nothing_had_happened(
    generation, configure_generation, dataset, folder, history, assert_same_run
):
    def interrupt(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_generation(configure_generation(), dataset, folder, progress=interrupt)
    assert len(history(folder)) == 1
    train_generation(configure_generation(), dataset, folder)
    assert_same_run(folder, generation[0])


@pytest.mark.parametrize("change", ["label=noise", "model.options.units=7", "training.seed=1"])
def test_other_settings_are_refused(configure_generation, dataset, generation, change):
    with pytest.raises(ConfigError, match=r"other settings.*--force"):
        train_generation(configure_generation(change), dataset, generation[0])


def test_a_finished_run_is_left_as_it_is(
    configure_generation, dataset, generation, folder, assert_same_run
):
    shutil.copytree(generation[0], folder)
    called = []
    train_generation(configure_generation(), dataset, folder, progress=lambda *_: called.append(1))
    assert not called
    assert_same_run(folder, generation[0])


# What is learnt


@pytest.mark.slow
def test_the_first_examples_alone_can_be_learnt(configure_generation, dataset, folder, history):
    config = configure_generation(
        "examples=2", "training.validate_on=none", "training.epochs=30", "training.preview_every=30"
    )
    result = train_generation(config, dataset, folder)
    assert result["clips"] == 2
    assert set(result["metrics"]) == {"loss"}
    losses = [row["loss"] for row in history(folder)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ("label=jazz", ConfigError, r"label: 'jazz' is not one of .*has noise, tones"),
        ("examples=99", ConfigError, r"examples=99 is more than the 12 clips"),
        ("prepare.clip_seconds=2", DatasetError, r"clip_seconds=1, the configuration wants 2"),
    ],
)
def test_what_is_not_there_is_one_clear_error(
    configure_generation, dataset, folder, change, kind, words
):
    with pytest.raises(kind, match=words):
        train_generation(configure_generation(change), dataset, folder)
    assert not folder.exists()


@pytest.mark.slow
def test_a_loss_that_is_not_a_number_is_an_error(configure_generation, dataset, folder, eagerly):
    config = configure_generation(
        "training.learning_rate=1e38", "training.validate_on=none", "examples=4"
    )
    with pytest.raises(ModelError, match=r"the loss is nan after epoch \d"):
        train_generation(
            config.model_copy(
                update={"training": config.training.model_copy(update={"learning_rate": np.inf})}
            ),
            dataset,
            folder,
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("frontend.kind=phase", "frontend.kind=phase shows more"),
        ("frontend.size=[32, 32]", r"frontend.size=\[32, 32\] gives frames"),
        ("training.checkpoint=best", "use validate_on=next"),
        ("examples=0", "examples=0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(configure_generation, change, words):
    with pytest.raises(ConfigError, match=words):
        configure_generation(change)
