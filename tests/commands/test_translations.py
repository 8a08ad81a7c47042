"""Translations through their commands."""

import shutil

import pytest
from calling import answer, invoke, refusal


@pytest.mark.slow
def test_a_finished_translation_is_told_again_with_its_verdict(
    translation, trained, dataset, translation_path
):
    told = answer("train", translation_path, dataset, translation[0], "--judge", trained[0])
    (judged,) = told.pop("judged")
    assert judged["epoch"] == 2
    assert 0 <= judged["share_to_noise_after"] <= 1
    assert told == translation[1]


@pytest.mark.slow
def test_a_translation_is_exported_too(translation, tmp_path):
    told = answer("export", translation[0], tmp_path / "saved_model")
    assert told["labels"] == ["noise", "tones"]


@pytest.mark.slow
def test_a_dataset_of_each_genre_is_taken(source, translation_path, trained, tmp_path, eagerly):
    for label in ("noise", "tones"):
        shutil.copytree(source / label, tmp_path / "source" / label / label)
        where = (tmp_path / "source" / label, tmp_path / label)
        answer("prepare", *where, "--config", translation_path, "--workers", 1)
    short = [word for each in ("epochs=1", "batch_size=12", "pool_images=0") for word in
             ("--set", f"training.{each}")]  # fmt: skip
    call = ("train", translation_path, tmp_path / "tones", tmp_path / "run", *short)
    told = answer(*call, "--second", tmp_path / "noise", "--judge", trained[0])
    assert (told["labels"], told["epochs"]) == (["tones", "noise"], 1)
    (judged,) = told["judged"]
    assert judged["epoch"] == 1
    assert 0 <= judged["share_to_noise_after"] <= 1
    assert "choose two" in refusal(*call, "--force")  # of one dataset with one label
    result = invoke("plot", "history", tmp_path / "run", tmp_path / "history.png")
    assert result.exit_code == 0
