"""Translations through their commands."""

import json
import shutil

import pytest
from calling import answer, invoke, refusal


@pytest.mark.slow
def test_training_a_finished_translation_prints_its_result_and_scores(
    translation, trained, dataset, translation_path
):
    answered = answer("train", translation_path, dataset, translation[0], "--judge", trained[0])
    (judged,) = answered.pop("judged")
    assert judged["epoch"] == 2
    assert 0 <= judged["share_to_noise_after"] <= 1
    assert answered == translation[1]


@pytest.mark.slow
def test_scores_of_earlier_epochs_are_not_those_of_the_result(
    translation, trained, dataset, translation_path, tmp_path
):
    folder = shutil.copytree(translation[0], tmp_path / "run")
    header, before, _ = (folder / "judged.csv").read_text().splitlines()
    (folder / "judged.csv").write_text(f"{header}\n{before}\n")
    call = ("train", translation_path, dataset, folder, "--judge", trained[0], "--json")
    result = invoke(*call)
    assert json.loads(result.stdout)["judged"] == []
    assert "no scores of epoch 2: " in result.stderr


@pytest.mark.slow
def test_a_translation_is_exported(translation, tmp_path):
    answered = answer("export", translation[0], tmp_path / "saved_model")
    assert answered["labels"] == ["noise", "tones"]


@pytest.mark.slow
def test_a_second_dataset_gives_the_other_genre(
    source, translation_path, trained, tmp_path, eagerly
):
    for label in ("noise", "tones"):
        shutil.copytree(source / label, tmp_path / "source" / label / label)
        where = (tmp_path / "source" / label, tmp_path / label)
        answer("prepare", *where, "--config", translation_path, "--workers", 1)
    short = [word for each in ("epochs=1", "batch_size=12", "pool_images=0") for word in
             ("--set", f"training.{each}")]  # fmt: skip
    call = ("train", translation_path, tmp_path / "tones", tmp_path / "run", *short)
    answered = answer(*call, "--second", tmp_path / "noise", "--judge", trained[0])
    assert (answered["labels"], answered["epochs"]) == (["tones", "noise"], 1)
    (judged,) = answered["judged"]
    assert judged["epoch"] == 1
    assert 0 <= judged["share_to_noise_after"] <= 1
    assert "choose two" in refusal(*call, "--force")  # of one dataset with one label
    result = invoke("plot", "history", tmp_path / "run", tmp_path / "history.png")
    assert result.exit_code == 0
