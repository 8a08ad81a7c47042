import shutil

import numpy as np
import pytest
from calling import EAGERLY

from tfdream.errors import ConfigError, ModelError
from tfdream.evaluation.classification import predict_dataset
from tfdream.runs import Run
from tfdream.training.distillation import Distillation
from tfdream.training.train import TrainOptions, train


@pytest.fixture
def cross_validation(trained, tmp_path):
    """The folder of a cross-validation whose fold 0 is the trained run."""
    shutil.copytree(trained[0], tmp_path / "cv" / "fold0")
    return tmp_path / "cv"


def taught(configure, run, *overrides, teachers=None):
    """Return a run with the same labels and folds, and with teachers."""
    names = ", ".join(str(each) for each in teachers or [run.folder])
    config = configure(f"training.teachers=[{names}]", *overrides)
    return Run(run.folder, config, run.info)


def test_the_loss_is_between_the_output_and_the_mean_of_the_teachers(
    configure, run, loaded, cross_validation
):
    student = taught(
        configure, run, "training.teacher_weight=0.25", teachers=[run.folder, cross_validation]
    )
    distillation = Distillation(student, run.model, loaded)
    shape = run.frontend.shape(run.input_samples)
    inputs = np.random.default_rng(0).random((3, *shape), np.float32)
    logits = np.random.default_rng(1).standard_normal((3, 2)).astype(np.float32)
    targets = run.model(inputs).numpy()  # both teachers are the same run
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = 0.75 * 2.0 - 0.25 * (targets * log_probabilities).sum(axis=1).mean()
    assert float(distillation.mix(2.0, inputs, logits)) == pytest.approx(expected, rel=1e-5)


@EAGERLY
def test_a_network_learns_the_output_of_its_teacher(
    configure, run, dataset, loaded, cross_validation, folder
):
    """Here it exchanges the labels. The run does not need its teacher afterwards."""
    teacher = Run.open(cross_validation / "fold0")
    logits = teacher.model.get_layer("logits")
    # The factor is for an output that is as certain as a label.
    logits.set_weights([20 * weights[..., ::-1] for weights in logits.get_weights()])
    teacher.save_weights(teacher.model)
    overrides = ("training.teacher_weight=1", "training.batch_size=8", "model.options.filters=[4]")
    config = taught(configure, run, *overrides, teachers=[cross_validation]).config
    train(config, dataset, folder, TrainOptions(test_fold=0))
    shutil.rmtree(cross_validation)
    predictions = predict_dataset(Run.open(folder), loaded, run.info.training_folds)
    assert np.mean(predictions.probabilities.argmax(axis=1) == predictions.labels) < 0.3


@pytest.mark.slow
@EAGERLY
def test_interrupted_training_continues_exactly(configure, run, dataset, tmp_path, assert_same_run):
    for name, epochs in (("whole", [2]), ("parts", [1, 2])):
        for count in epochs:
            config = taught(configure, run, f"training.epochs={count}").config
            train(config, dataset, tmp_path / name, TrainOptions(test_fold=0))
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("frontend.stft.n_fft=512",), "another frontend"),
        (("input_seconds=0.5",), "inputs of 8000 samples instead of 4000"),
    ],
)
def test_teachers_have_the_same_inputs(overrides, message, configure, run, loaded):
    with pytest.raises(ConfigError, match=message):
        Distillation(taught(configure, run, *overrides), run.model, loaded)


def test_teachers_have_the_same_labels(configure, run, loaded):
    student = taught(configure, run)
    student.info = run.info.model_copy(update={"labels": ["jazz", "rock"]})
    with pytest.raises(ConfigError, match="has the labels noise, tones instead of jazz, rock"):
        Distillation(student, run.model, loaded)


def test_no_teacher_has_seen_a_track_that_is_held_out(configure, run, dataset, folder):
    config = taught(configure, run).config
    with pytest.raises(ConfigError, match="was trained on 4 tracks of fold 1"):
        train(config, dataset, folder, TrainOptions(test_fold=1))
    assert not folder.exists()


def test_a_missing_teacher_is_an_error(configure, run, dataset, folder):
    config = taught(configure, run, teachers=["missing"]).config
    with pytest.raises(ModelError, match="'missing'"):
        train(config, dataset, folder)
    assert not folder.exists()


def test_a_head_has_no_teachers(configure, run):
    with pytest.raises(ConfigError, match="teachers need an image"):
        configure(
            *("training.trainable=head", f"training.pretrained={run.folder}"),
            f"training.teachers=[{run.folder}]",
        )
