import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.datasets.clip_set import ClipSet
from tfdream.errors import ConfigError, ModelError
from tfdream.runs import GenerationRun
from tfdream.training.generation import image_to_frames
from tfdream.training.train import train

PRODUCT_CODES = (
    "model={name: product_codes, options: {units: 6, numbers: 3, entries: 4, width: 6, "
    "dropout: 0.2, input_dropout: 0.1}}"
)


def test_the_result_has_the_clips_of_the_label(generation):
    _, result = generation
    assert result["clips"] == 12  # four tracks of tones in the other folds
    assert set(result["metrics"]) == {"loss", "val_loss"}


def test_the_validation_loss_is_that_of_the_stored_weights(
    generation, generation_run, loaded, history
):
    clips = np.stack(list(ClipSet.from_folds(loaded, [0], "tones").waveforms()))
    frames = image_to_frames(generation_run.frontend(tf.constant(clips)))
    # Six clips, the first two twice: batches of four are filled up.
    repeated = tf.concat([frames, frames[:2]], axis=0)
    loss = float(generation_run.sequence_model.mean_nll(repeated))
    assert history(generation[0])[-1]["val_loss"] == pytest.approx(loss, rel=1e-4)  # float32


def test_a_run_has_its_label_and_the_statistics_of_its_clips(generation_run):
    assert generation_run.labels == ["tones"]
    assert np.asarray(generation_run.sequence_model.initial_frames).any()
    assert -80 < float(generation_run.sequence_model.reference_db) < 0


# Continued runs


@pytest.mark.slow
def test_epochs_may_be_trained_one_by_one_with_or_without_previews(
    generation, configure_generation, dataset, folder, assert_same_run
):
    """The other run had previews and was trained at once."""
    train(configure_generation("training.epochs=1"), dataset, folder)
    keras.utils.set_random_seed(77)  # random numbers drawn in between do not matter
    steps = []
    train(configure_generation(), dataset, folder, progress=lambda *numbers: steps.append(numbers))
    assert steps == [(4, 6), (5, 6), (6, 6)]
    assert_same_run(folder, generation[0])


@pytest.mark.slow
def test_codebooks_and_dropout_continue_exactly(
    configure_generation, dataset, tmp_path, assert_same_run
):
    two_epochs = configure_generation(PRODUCT_CODES)
    train(two_epochs, dataset, tmp_path / "complete")
    config = configure_generation(PRODUCT_CODES, "training.epochs=1")
    train(config, dataset, tmp_path / "parts")
    train(two_epochs, dataset, tmp_path / "parts")
    assert_same_run(tmp_path / "parts", tmp_path / "complete")


@pytest.mark.slow
def test_interrupted_training_continues_exactly(
    generation, configure_generation, dataset, folder, history, interrupt_at, assert_same_run
):
    with pytest.raises(KeyboardInterrupt):
        train(configure_generation(), dataset, folder, progress=interrupt_at(5))
    assert len(history(folder)) == 1
    train(configure_generation(), dataset, folder)
    assert_same_run(folder, generation[0])


# One-to-many training


def test_without_teacher_forcing_the_loss_is_that_of_the_generation(
    configure_generation, dataset, folder, history, loaded
):
    config = configure_generation("training.teacher_forcing=false", "training.epochs=1")
    train(config, dataset, folder)
    model = GenerationRun.open(folder).sequence_model
    clips = np.stack(list(ClipSet.from_folds(loaded, [0], "tones").waveforms()))
    frames = image_to_frames(GenerationRun.open(folder).frontend(tf.constant(clips)))
    repeated = tf.concat([frames, frames[:2]], axis=0)  # batches of four are filled up
    loss = float(model.free_running_nll(repeated))
    assert history(folder)[-1]["val_loss"] == pytest.approx(loss, rel=1e-4)  # float32


def test_a_model_that_samples_needs_teacher_forcing(configure_generation, dataset, folder):
    config = configure_generation(PRODUCT_CODES, "training.teacher_forcing=false")
    with pytest.raises(ConfigError, match=r"model\.name=product_codes samples its output"):
        train(config, dataset, folder)


# Examples and errors


@pytest.mark.slow
def test_the_first_examples_alone_can_be_learned(configure_generation, dataset, folder, history):
    config = configure_generation(
        "examples=2", "training.validate_on=none", "training.epochs=30", "training.preview_every=30"
    )
    result = train(config, dataset, folder)
    assert result["clips"] == 2
    assert set(result["metrics"]) == {"loss"}
    losses = [row["loss"] for row in history(folder)]
    assert losses[-1] < 0.5 * losses[0]


def test_missing_labels_and_examples_are_refused(configure_generation, dataset, folder):
    for change, message in (
        ("label=jazz", r"label 'jazz' is not one of .*: noise, tones"),
        ("examples=99", r"examples=99 is more than the 12 training clips"),
    ):
        with pytest.raises(ConfigError, match=message):
            train(configure_generation(change), dataset, folder)
        assert not folder.exists()


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_an_error(configure_generation, dataset, folder, eagerly):
    config = configure_generation("training.validate_on=none", "examples=4")
    training = config.training.model_copy(update={"learning_rate": np.inf})
    with pytest.raises(ModelError, match=r"(nan|finite) after epoch \d"):
        train(config.model_copy(update={"training": training}), dataset, folder)


def test_contradictory_settings_are_refused(configure_generation):
    for change, message in (
        ("frontend.kind=phase", "frontend.kind=phase "),
        ("frontend.size=[32, 32]", r"frontend.size=\[32, 32\] "),
        ("training.checkpoint=best", "use validate_on=next"),
        ("examples=0", "examples=0"),
    ):
        with pytest.raises(ConfigError, match=message):
            configure_generation(change)
