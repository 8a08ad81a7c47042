import json
import shutil

import h5py
import keras
import numpy as np
import pytest

from tfdream.config import ModelConfig
from tfdream.errors import ModelError, TfdreamError
from tfdream.models import classifiers
from tfdream.runs import FORMAT, Run, TranslationRun, open_run
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend


@pytest.fixture
def copy(trained, tmp_path):
    """A run that may be damaged; it lies elsewhere than where it was trained."""
    return shutil.copytree(trained[0], tmp_path / "elsewhere" / "moved")


def black(run):
    return np.zeros((1, *run.frontend.shape(run.clip_samples)), np.float32)


def test_a_run_knows_what_its_network_was_trained_for(run, experiment):
    assert run.config == experiment
    assert run.labels == ["noise", "tones"]
    assert (run.sample_rate, run.clip_samples) == (8000, 8000)
    assert isinstance(run.frontend, SpectrogramFrontend)
    assert run.info.versions["tensorflow"].startswith("2.")


def test_a_run_comes_back_as_it_was_created(run, tmp_path):
    Run(tmp_path / "new", run.config, run.info).create()
    opened = Run.open(tmp_path / "new")
    assert (opened.config, opened.info) == (run.config, run.info)


def test_a_folder_is_opened_as_the_run_that_it_is(trained, translation):
    for folder, kind in ((trained[0], Run), (translation[0], TranslationRun)):
        opened = open_run(folder)
        assert type(opened) is kind
        assert (opened.config, opened.info) == (kind.open(folder).config, kind.open(folder).info)


def test_a_run_of_another_task_says_what_it_is_and_what_is_wanted(trained, translation):
    classifier, cyclegan = "one of a classifier", "one of a translation"
    with pytest.raises(ModelError, match=rf"' is {cyclegan}.*; this takes {classifier}"):
        Run.open(translation[0])
    with pytest.raises(ModelError, match=rf"' is {classifier}.*; this takes {cyclegan}"):
        TranslationRun.open(trained[0])


def test_generators_have_the_kept_weights_and_not_fresh_ones(translation, translation_run):
    generators = translation_run.generators
    again = TranslationRun.open(translation[0]).generators
    fresh = translation_run.build_networks().generator
    for own, other in ((generators.forward, again.forward), (generators.backward, again.backward)):
        pairs = zip(own.get_weights(), other.get_weights(), strict=True)
        assert all(np.array_equal(one, two) for one, two in pairs)
        assert not np.array_equal(own.get_weights()[0], fresh.get_weights()[0])
    assert not np.array_equal(generators.forward.get_weights()[0], again.backward.get_weights()[0])


def test_a_run_that_is_cleared_keeps_only_its_description(translation, tmp_path):
    run = TranslationRun.open(shutil.copytree(translation[0], tmp_path / "run"))
    run.clear()
    assert {path.name for path in run.folder.rglob("*") if path.is_file()} == {
        "run.json",
        "config.yaml",
    }


def test_the_model_has_the_kept_weights_and_not_fresh_ones(run):
    kept, fresh = run.model.get_weights(), run.build_model().get_weights()
    assert not np.array_equal(kept[0], fresh[0])
    again = Run.open(run.folder).model.get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(kept, again, strict=True))


def test_a_moved_run_answers_the_same(run, copy):
    moved = Run.open(copy)
    assert np.array_equal(moved.model(black(run)), run.model(black(run)))
    # Nothing in it names the place where it was written, but for the record of what train said.
    for name in ("run.json", "config.yaml"):
        assert str(run.folder.parent) not in (copy / name).read_text()


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_what_is_no_run_folder_is_a_model_error(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=place):
        Run.open(tmp_path / place)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "x"}', '{"labels": 3}'])
def test_a_foreign_description_is_a_model_error(copy, content):
    (copy / "run.json").write_text(content)
    with pytest.raises(ModelError, match="moved"):
        Run.open(copy)


@pytest.mark.parametrize("content", ["", "a: [", "- 1", "frontend: {kind: none}", "x: 1", "\0"])
def test_a_damaged_configuration_is_a_model_error(copy, content):
    (copy / "config.yaml").write_text(content)
    with pytest.raises(ModelError, match="moved"):
        Run.open(copy)


def test_a_missing_configuration_is_a_model_error_that_names_it(copy):
    (copy / "config.yaml").unlink()
    with pytest.raises(ModelError, match=r"config\.yaml"):
        Run.open(copy)


def test_a_newer_format_asks_for_a_newer_program(copy):
    content = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(content | {"format": FORMAT + 1}))
    with pytest.raises(ModelError, match="newer tfdream"):
        Run.open(copy)


def test_a_run_without_weights_says_what_is_missing(copy):
    Run.open(copy).weights_path.unlink()
    with pytest.raises(ModelError, match="no weights yet; train at least one epoch"):
        _ = Run.open(copy).model


def garbage(path):
    path.write_bytes(b"none" * 100)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def foreign(path):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    network.save_weights(path)


def other_sizes(path):
    config = ModelConfig(name="lil_data", options={"filters": [3, 5]})
    classifiers.build(config, (129, 126, 1), 2).save_weights(path)


def without_a_layer(path):
    with h5py.File(path, "a") as file:
        del file["layers/conv2d"]


def elsewhere(path):
    with h5py.File(path, "a") as file:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = h5py.ExternalLink("/etc/passwd", "/x")


def packed_zeros(path):
    with h5py.File(path, "a") as file:
        del file["layers/conv2d/vars/0"]
        file.create_dataset(
            "layers/conv2d/vars/0", (1 << 40,), "f4", chunks=(1024,), compression="gzip"
        )


def pickle_that_would_run(path):
    path.write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")


DAMAGES = [
    *(garbage, truncate, empty, foreign, other_sizes),
    *(elsewhere, packed_zeros, pickle_that_would_run),
]


@pytest.mark.parametrize("damage", [*DAMAGES, without_a_layer])
def test_damaged_or_foreign_weights_are_a_model_error(copy, damage):
    run = Run.open(copy)
    damage(run.weights_path)
    with pytest.raises(ModelError, match="cannot be loaded"):
        _ = run.model


def test_weights_that_are_no_numbers_are_a_model_error(copy):
    run = Run.open(copy)
    with h5py.File(run.weights_path, "a") as file:
        file["layers/conv2d/vars/0"][...] = np.nan
    with pytest.raises(ModelError, match="holds NaN or infinite weights"):
        _ = run.model


def test_a_description_never_runs_code(copy, monkeypatch):
    monkeypatch.chdir(copy)
    Run.open(copy).config_path.write_text("!!python/object/apply:os.system ['touch hacked']")
    with pytest.raises(ModelError, match="could not determine a constructor"):
        Run.open(copy)
    assert not (copy / "hacked").exists()


class Unsaveable:
    """A network whose disk is full."""

    def get_weights(self):
        return []

    def save_weights(self, path):
        path.write_bytes(b"half of it")
        raise OSError("no space left on device")


def test_a_failed_save_keeps_the_weights_of_before(copy):
    run = Run.open(copy)
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    with pytest.raises(OSError, match="no space"):
        run.save_weights(Unsaveable())
    with pytest.raises(OSError, match="no space"):
        run.save_resume_state(Unsaveable(), [])
    after = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    assert after == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_resume_state_is_a_model_error_with_a_way_out(copy, damage):
    run = Run.open(copy)
    damage(run.resume_path)
    model = run.build_model()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    with pytest.raises(TfdreamError, match=r"is damaged .*--force"):
        run.load_resume_state(model)
