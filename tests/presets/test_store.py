import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from calling import answer, invoke, refusal

from tfdream.errors import ConfigError, ModelError
from tfdream.io.checksums import file_sha256
from tfdream.presets import Source, downloads, find, install, list_presets, remove
from tfdream.runs import Run, named


def state(name):
    return find(name).state


def test_a_run_is_installed_listed_shown_opened_by_name_and_removed(carded, models, run, song):
    assert answer("models", "install", "noise", "--from", carded) == {"installed": ["noise"]}
    assert {path.name for path in (models / "noise").iterdir()} == {
        *("run.json", "config.yaml", "model.weights.h5", "card.yaml")
    }
    (row,) = (row for row in answer("models", "list")["models"] if row["name"] == "noise")
    assert row == {"name": "noise", "state": "installed", "title": "Noise or tones"}
    shown = answer("models", "show", "noise")
    assert shown["labels"] == ["noise", "tones"]
    assert (shown["sample_rate"], shown["clip_seconds"], shown["model"]) == (8000, 1.0, "lil_data")
    assert shown["card"]["training_data"][0]["license"] == "CC0-1.0"
    by_name, by_folder = answer("predict", "noise", song), answer("predict", run.folder, song)
    assert by_name == by_folder
    assert answer("models", "remove", "noise")["removed"] == str(models / "noise")
    assert not list(models.iterdir())
    assert "there is no preset 'noise'" in refusal("models", "show", "noise")


def test_a_folder_takes_precedence_over_a_preset_of_the_same_name(
    carded, tmp_path, monkeypatch, models
):
    install("both", Source(carded))
    monkeypatch.chdir(tmp_path)
    assert Run.open("both").folder == models / "both"
    shutil.copytree(carded, "both")
    assert str(Run.open("both").folder) == "both"


def test_an_unknown_name_is_one_error_that_suggests_a_similar_preset(carded):
    install("noise", Source(carded))
    with pytest.raises(ModelError, match=r"did you mean 'noise'.*tfdream models list"):
        Run.open("noize")


def test_an_archive_is_installed_if_its_hash_is_the_required_one(carded, tmp_path):
    path = tmp_path / "run.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for file in carded.iterdir():
            if file.is_file():
                packed.write(file, f"run/{file.name}")
    with pytest.raises(ModelError, match=f"the SHA-256 {file_sha256(path)}, not 00"):
        install("noise", Source(path, sha256="00"))
    install("noise", Source(path, sha256=file_sha256(path).upper()))
    assert Run.open("noise").labels == ["noise", "tones"]


def test_a_damaged_run_is_not_installed_and_leaves_nothing(carded, models):
    weights = carded / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        install("noise", Source(carded))
    assert not list(models.iterdir())


def test_an_installed_preset_is_replaced_with_force_only(carded):
    install("noise", Source(carded))
    with pytest.raises(ConfigError, match="--force replaces it"):
        install("noise", Source(carded))
    (carded / "card.yaml").unlink()
    (preset,) = install("noise", Source(carded), force=True)
    assert preset.title == ""


@pytest.mark.parametrize("is_file", [False, True])
def test_what_is_not_a_preset_is_never_replaced(carded, models, is_file):
    target = models / "drums" if is_file else models / "drums" / "thesis.wav"
    target.parent.mkdir(parents=True)
    target.write_text("precious")
    for force in (False, True):
        with pytest.raises(ConfigError, match=r"'.*drums' exists and is not a preset"):
            install("drums", Source(carded), force)
    assert target.read_text() == "precious"


def test_errors_name_the_source_instead_of_a_temporary_folder(carded, tmp_path, models):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=f"^'{tmp_path}/empty' is not a run folder"):
        install("noise", Source(tmp_path / "empty"))
    (carded / "model.weights.h5").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=f"^'{carded}/model.weights.h5' cannot be loaded"):
        install("noise", Source(carded))
    assert not list(models.iterdir())


def test_a_damaged_card_is_listed_and_named_when_it_is_shown(carded, models):
    install("noise", Source(carded))
    (models / "noise" / "card.yaml").write_text("title: [")
    (row,) = (row for row in answer("models", "list")["models"] if row["name"] == "noise")
    assert row == {"name": "noise", "state": "installed", "title": "damaged card"}
    assert Run.open("noise").labels == ["noise", "tones"]
    assert "card.yaml' cannot be read" in refusal("models", "show", "noise")


def test_a_preset_of_another_version_must_be_installed_again(carded, models):
    install("noise", Source(carded))
    config = models / "noise" / "config.yaml"
    config.write_text(config.read_text().replace("prepare:", "prepare:\n  gain: 0.9"))
    message = refusal("models", "show", "noise")
    assert "unknown setting 'prepare.gain'" in message
    assert "install it again: tfdream models install noise --force, with --from FILE" in message


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a b", "x" * 65])
def test_names_that_are_no_names_of_folders_are_refused(carded, name):
    with pytest.raises(ConfigError, match="may have letters"):
        install(name, Source(carded))


def test_of_a_linked_preset_the_link_is_removed(carded, models):
    models.mkdir(parents=True, exist_ok=True)
    (models / "linked").symlink_to(carded, target_is_directory=True)
    remove("linked")
    assert not (models / "linked").exists()
    assert (carded / "run.json").is_file()


def test_presets_of_the_package_are_neither_replaced_nor_removed(carded, tmp_path, monkeypatch):
    packaged = tmp_path / "packaged"
    shutil.copytree(carded, packaged / "noise")
    monkeypatch.setattr(named, "PACKAGED", packaged)
    monkeypatch.setattr("tfdream.presets.store.PACKAGED", packaged)
    monkeypatch.setattr("tfdream.presets.catalog.PACKAGED", packaged)
    assert state("noise") == "packaged"
    with pytest.raises(ConfigError, match="part of the package"):
        install("noise", Source(carded), force=True)
    with pytest.raises(ModelError, match="part of the package"):
        remove("noise")


def test_arguments_that_do_not_fit_are_refused(carded):
    with pytest.raises(ConfigError, match="not available for download"):
        install("noise")
    with pytest.raises(ConfigError, match="SHA-256"):
        install("noise", Source(url="https://example.org/a.zip"))
    with pytest.raises(ConfigError, match=r"^--sha256 needs --from or --url$"):
        install("noise", Source(sha256="00"))
    with pytest.raises(ConfigError, match=r"^--sha256 00 is not 64 hexadecimal digits$"):
        install("noise", Source(url="https://example.org/a.zip", sha256="00"))
    with pytest.raises(ModelError, match="does not exist"):
        install("noise", Source(carded / "missing"))
    for arguments in (("--url", "https://a"), ("--url", "https://a", "--from", carded)):
        assert invoke("models", "install", "noise", *arguments).exit_code == 2


@pytest.fixture
def download(carded, monkeypatch, tmp_path):
    """A download of two presets, and its file."""
    file = tmp_path / "file.bin"
    file.write_bytes(b"content")

    def convert(path, folder):
        assert path.read_bytes() == b"content"
        for name in ("first", "second"):
            shutil.copytree(carded, folder / name)

    module = SimpleNamespace(
        PRESETS=("first", "second"),
        TITLE="Two presets",
        URL="http://localhost/file.bin",
        SHA256=file_sha256(file),
        convert=convert,
    )
    monkeypatch.setattr(downloads, "names", lambda: ["pair"])
    monkeypatch.setattr(downloads, "load", lambda name: module)
    return file


@pytest.mark.parametrize("name", ["pair", "second"])
def test_a_download_installs_all_its_presets(download, name):
    assert [state("first"), state("second")] == ["download", "download"]
    assert answer("models", "show", "first")["install"] == "tfdream models install pair"
    assert answer("models", "install", name, "--from", download)["installed"] == ["first", "second"]
    assert {preset.name: preset.state for preset in list_presets()}["second"] == "installed"


def test_another_file_than_the_download_is_refused(download):
    download.write_bytes(b"other")
    with pytest.raises(ModelError, match="download it again"):
        install("pair", Source(download))


def test_another_hash_than_that_of_the_download_is_refused(download):
    with pytest.raises(ConfigError, match="--sha256 00 is not the SHA-256 of the download 'pair'"):
        install("pair", Source(download, sha256="00"))
    install("pair", Source(download, sha256=file_sha256(download).upper()))


def test_an_interrupted_replacement_keeps_all_earlier_presets(download, models, monkeypatch):
    install("pair", Source(download))
    for name in ("first", "second"):
        (models / name / "mark").write_text("earlier")
    rename = Path.rename

    def fail_once(path, target):
        if path.name == "second" and target == models / "second":
            monkeypatch.setattr(Path, "rename", rename)
            raise OSError("no space left")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(OSError, match="no space"):
        install("pair", Source(download), force=True)
    assert sorted(path.name for path in models.iterdir()) == ["first", "second"]
    assert all((models / name / "mark").exists() for name in ("first", "second"))
    install("pair", Source(download), force=True)
    assert not any((models / name / "mark").exists() for name in ("first", "second"))


def test_weights_of_a_preset_are_those_of_the_run(carded, run):
    install("noise", Source(carded))
    for actual, expected in zip(
        Run.open("noise").model.get_weights(), run.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(actual, expected)
