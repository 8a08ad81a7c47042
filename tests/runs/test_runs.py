import json
import shutil

import h5py
import keras
import numpy as np
import pytest
from calling import answer

from tfdream.config import ModelConfig
from tfdream.errors import ConfigError, ModelError, TfdreamError
from tfdream.models import classifiers
from tfdream.runs import FORMAT, GenerationRun, Run, TranslationRun, open_run
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.training.classification import build_classifier


@pytest.fixture
def copy(trained, tmp_path):
    """A run in another folder than it was trained in, which a test may damage."""
    return shutil.copytree(trained[0], tmp_path / "elsewhere" / "moved")


def silent_input(run):
    return np.zeros((1, *run.frontend.shape(run.input_samples)), np.float32)


def test_an_opened_run_has_configuration_labels_frontend_and_versions(run, experiment):
    assert run.config == experiment
    assert run.labels == ["noise", "tones"]
    assert (run.sample_rate, run.input_samples) == (8000, 8000)
    assert isinstance(run.frontend, SpectrogramFrontend)
    assert run.info.versions["tensorflow"].startswith("2.")


def test_a_repeated_label_is_an_error(copy):
    path = copy / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"labels": ["noise", "noise"]}))
    with pytest.raises(ModelError, match=r"labels.*a label is repeated"):
        Run.open(copy)


def test_a_created_run_can_be_opened(run, tmp_path):
    Run(tmp_path / "new", run.config, run.info).create()
    opened = Run.open(str(tmp_path / "new"))
    assert (opened.config, opened.info) == (run.config, run.info)


def test_more_epochs_continue_a_run_without_a_cosine(run, configure, tmp_path):
    Run(tmp_path / "constant", configure(), run.info).create()
    Run(tmp_path / "constant", configure("training.epochs=9"), run.info).check_continues()
    cosine = "training.schedule=cosine"
    Run(tmp_path / "cosine", configure(cosine), run.info).create()
    longer = Run(tmp_path / "cosine", configure(cosine, "training.epochs=9"), run.info)
    with pytest.raises(ConfigError, match=r"training.epochs, on which the learning rate"):
        longer.check_continues()


def test_a_folder_is_opened_by_its_task(trained, translation, generation):
    for (folder, _), kind in (
        (trained, Run),
        (translation, TranslationRun),
        (generation, GenerationRun),
    ):
        opened = open_run(folder)
        assert type(opened) is kind
        assert (opened.config, opened.info) == (kind.open(folder).config, kind.open(folder).info)


def test_a_run_of_another_task_is_refused(trained, translation, generation):
    descriptions = {
        Run: ("a classifier", trained[0]),
        TranslationRun: ("a translation", translation[0]),
        GenerationRun: ("a sequence model", generation[0]),
    }
    for kind, (required, _) in descriptions.items():
        for other, (actual, folder) in descriptions.items():
            if kind is not other:
                with pytest.raises(ModelError, match=rf"' is {actual} .*; {required} .*required"):
                    kind.open(folder)


def equal(weights, others):
    return all(np.array_equal(one, other) for one, other in zip(weights, others, strict=True))


def test_generators_have_the_stored_weights(translation, translation_run):
    generators = translation_run.generators
    again = TranslationRun.open(translation[0]).generators
    initial = translation_run.build_networks().generator.get_weights()
    for direction in ("forward", "backward"):
        weights = getattr(generators, direction).get_weights()
        assert equal(weights, getattr(again, direction).get_weights())
        assert not equal(weights[:1], initial[:1])
    forward, backward = generators.forward.get_weights(), generators.backward.get_weights()
    assert not equal(forward[:1], backward[:1])


def test_layers_are_listed_without_the_initial_weights(run, tmp_path, monkeypatch):
    """A stored run loads no other file and downloads nothing."""
    monkeypatch.setattr("tfdream.runs.tasks.classifiers.build", lambda config, *_: config.options)
    model = run.config.model.model_copy(update={"options": {"weights": "imagenet"}})
    stored = Run(tmp_path, run.config.model_copy(update={"model": model}), run.info)
    assert stored.build_model(initial_weights=False) == {"weights": "random"}
    assert stored.build_model() == {"weights": "imagenet"}
    stored.create()
    opened = []
    monkeypatch.setattr("tfdream.models.inspect.layers", lambda model: opened.append(model) or [])
    answer("layers", tmp_path)
    assert opened == [{"weights": "random"}]


def test_models_have_the_stored_weights(run, generation_run):
    for stored, initial, again in (
        (run.model, run.build_model(), Run.open(run.folder).model),
        (
            generation_run.sequence_model,
            generation_run.build_sequence_model(),
            GenerationRun.open(generation_run.folder).sequence_model,
        ),
    ):
        assert not equal(stored.get_weights()[:1], initial.get_weights()[:1])
        assert equal(stored.get_weights(), again.get_weights())


def test_a_cleared_run_has_its_description_only(translation, tmp_path):
    run = TranslationRun.open(shutil.copytree(translation[0], tmp_path / "run"))
    run.clear()
    files = {path.name for path in run.folder.rglob("*") if path.is_file()}
    assert files == {"run.json", "config.yaml"}


def test_a_moved_run_has_the_same_outputs(run, copy):
    moved = Run.open(copy)
    assert np.array_equal(moved.model(silent_input(run)), run.model(silent_input(run)))
    # Of the original folder, only metrics.json has the name: it is the result of train.
    for name in ("run.json", "config.yaml"):
        assert str(run.folder.parent) not in (copy / name).read_text()


def test_other_folders_and_files_are_model_errors(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("missing", "file"):
        with pytest.raises(ModelError, match=name):
            Run.open(tmp_path / name)


def test_invalid_descriptions_are_model_errors(copy):
    for name, contents in (
        ("run.json", ["", "{", "[]", "{}", '{"format": "x"}', '{"labels": 3}']),
        ("config.yaml", ["", "a: [", "- 1", "frontend: {kind: none}", "x: 1", "\0"]),
    ):
        valid = (copy / name).read_text()
        for content in contents:
            (copy / name).write_text(content)
            with pytest.raises(ModelError, match="moved"):
                Run.open(copy)
        (copy / name).write_text(valid)
    Run.open(copy)


def test_a_missing_configuration_is_named(copy):
    (copy / "config.yaml").unlink()
    with pytest.raises(ModelError, match=r"config\.yaml"):
        Run.open(copy)


def test_other_formats_are_refused(copy):
    content = json.loads((copy / "run.json").read_text())
    for version in (FORMAT - 1, FORMAT + 1):
        (copy / "run.json").write_text(json.dumps(content | {"format": version}))
        with pytest.raises(ModelError, match=rf"has format {version}, .* reads format {FORMAT}"):
            Run.open(copy)


def test_a_run_without_weights_is_reported(copy):
    Run.open(copy).weights_path.unlink()
    with pytest.raises(ModelError, match="has no weights; train at least one epoch"):
        _ = Run.open(copy).model


def write_garbage(path):
    path.write_bytes(b"none" * 100)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_nothing(path):
    path.write_bytes(b"")


def write_other_network(path):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    network.save_weights(path)


def write_other_sizes(path):
    config = ModelConfig(name="lil_data", options={"filters": [3, 5]})
    classifiers.build(config, (129, 126, 1), 2).save_weights(path)


def remove_layer(path):
    with h5py.File(path, "a") as file:
        del file["layers/conv2d"]


def link_to_another_file(path):
    with h5py.File(path, "a") as file:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = h5py.ExternalLink("/etc/passwd", "/x")


def compress_zeros(path):
    with h5py.File(path, "a") as file:
        del file["layers/conv2d/vars/0"]
        file.create_dataset(
            "layers/conv2d/vars/0", (1 << 40,), "f4", chunks=(1024,), compression="gzip"
        )


def write_pickle(path):
    path.write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")


DAMAGES = [
    *(write_garbage, truncate, write_nothing, write_other_network, write_other_sizes),
    *(link_to_another_file, compress_zeros, write_pickle),
]


def test_damaged_or_other_weights_are_model_errors(copy):
    run = Run.open(copy)
    valid = run.weights_path.read_bytes()
    for damage in (*DAMAGES, remove_layer):
        run.weights_path.write_bytes(valid)
        damage(run.weights_path)
        with pytest.raises(ModelError, match="cannot be loaded"):
            _ = run.model


def test_invalid_weights_are_a_model_error(copy):
    run = Run.open(copy)
    with h5py.File(run.weights_path, "a") as file:
        file["layers/conv2d/vars/0"][...] = np.nan
    with pytest.raises(ModelError, match="contains NaN or infinite weights"):
        _ = run.model


def test_a_configuration_never_runs_code(copy, monkeypatch):
    monkeypatch.chdir(copy)
    Run.open(copy).config_path.write_text("!!python/object/apply:os.system ['touch hacked']")
    with pytest.raises(ModelError, match="could not determine a constructor"):
        Run.open(copy)
    assert not (copy / "hacked").exists()


class FullDisk:
    """A network that cannot be written because the disk is full."""

    def get_weights(self):
        return []

    def save_weights(self, path):
        path.write_bytes(b"half of it")
        raise OSError("no space left on device")


def test_a_failed_save_leaves_the_earlier_files(copy):
    run = Run.open(copy)
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    with pytest.raises(OSError, match="no space"):
        run.save_weights(FullDisk())
    with pytest.raises(OSError, match="no space"):
        run.save_resume_state(FullDisk(), [])
    after = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    assert after == before


def test_a_damaged_resume_state_is_an_error_with_a_remedy(copy):
    run = Run.open(copy)
    valid = run.resume_path.read_bytes()
    for damage in DAMAGES:
        run.resume_path.write_bytes(valid)
        damage(run.resume_path)
        model = build_classifier(run.build_model(), run.config.training, 1)
        with pytest.raises(TfdreamError, match=r"is damaged .*--force"):
            run.load_resume_state(model)
