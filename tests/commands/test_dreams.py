"""Dreams of files, folders and layers, and what steers them."""

import json
import shutil

import numpy as np
import pytest
import soundfile
from calling import EAGERLY, FEW_STEPS, answer, dream, names, refusal


@EAGERLY
def test_a_second_dream_of_a_folder_skips_finished_files(trained, album, tmp_path):
    output = tmp_path / "out"
    result = answer(*dream(trained, album, output))
    files = ["a.flac", "a.flac.json", "b.wav", "b.wav.json"]
    assert names(output) == files
    assert sorted(each["output"] for each in result["files"]) == [
        str(output / "a.flac"),
        str(output / "b.wav"),
    ]
    (skipped,) = result["skipped"]
    assert skipped["path"] == str(album / "bad.wav")
    assert "cannot be decoded" in skipped["reason"]
    assert result["kept"] == []
    before = {path: path.read_bytes() for path in output.iterdir()}
    again = answer(*dream(trained, album, output))
    assert (again["files"], len(again["kept"]), len(again["skipped"])) == ([], 2, 1)
    assert {path: path.read_bytes() for path in output.iterdir()} == before


@pytest.mark.slow
def test_outputs_of_other_settings_are_only_replaced_with_force(trained, album, tmp_path):
    output = tmp_path / "out"
    answer(*dream(trained, album, output))
    before = {path: path.read_bytes() for path in output.glob("*.wav")}
    assert "--force" in refusal(*dream(trained, album, output, steps=2))
    assert {path: path.read_bytes() for path in output.glob("*.wav")} == before
    result = answer(*dream(trained, album, output, "--force", steps=2))
    assert (len(result["files"]), result["kept"]) == (2, [])
    assert all(path.read_bytes() != content for path, content in before.items())


@pytest.mark.slow
def test_outputs_of_another_duration_are_replaced(trained, album, tmp_path):
    """The settings of a dream are not only those of its recipe."""
    output = tmp_path / "out"
    answer(*dream(trained, album, output, "--seconds", 0.5))
    result = answer(*dream(trained, album, output, "--force"))
    assert result["kept"] == []
    assert soundfile.info(output / "b.wav").frames == 8000


@pytest.mark.slow
def test_outputs_of_another_guide_are_replaced(trained, album, song, tmp_path):
    output, guided = tmp_path / "out", ("--objective", "guide_dot(conv1)", "--force")
    answer(*dream(trained, album, output, *guided, "--guide", song))
    result = answer(*dream(trained, album, output, *guided, "--guide", album / "b.wav"))
    assert result["kept"] == []


@pytest.mark.slow
def test_force_replaces_outputs_of_the_same_settings(trained, album, tmp_path):
    output = tmp_path / "out"
    answer(*dream(trained, album, output))
    result = answer(*dream(trained, album, output, "--force"))
    assert (len(result["files"]), result["kept"]) == (2, [])


@EAGERLY
def test_several_files_are_written_to_a_folder(trained, album, tmp_path):
    sources = (album / "b.wav", album / "live")
    result = answer(*dream(trained, *sources, tmp_path / "out"))
    assert [each["output"] for each in result["files"]] == [
        str(tmp_path / "out/b.wav"),
        str(tmp_path / "out/a.flac"),
    ]


@EAGERLY
def test_a_file_is_written_to_an_existing_folder(trained, album, tmp_path):
    (tmp_path / "out").mkdir()
    answer(*dream(trained, album / "b.wav", tmp_path / "out"))
    assert names(tmp_path / "out") == ["b.wav", "b.wav.json"]


def test_a_folder_without_decodable_files_is_an_error(trained, album, tmp_path):
    assert "cannot be decoded" in refusal(*dream(trained, album / "bad.wav", tmp_path / "out.wav"))
    (tmp_path / "out").mkdir()
    assert "cannot be decoded" in refusal(*dream(trained, album / "bad.wav", tmp_path / "out"))
    assert names(tmp_path / "out") == []


def test_writing_a_file_to_its_folder_is_an_error(trained, album):
    before = names(album)
    assert "would overwrite itself" in refusal(*dream(trained, album / "b.wav", album, "--force"))
    assert names(album) == before


@pytest.mark.slow
def test_an_output_name_with_layer_gives_a_file_for_each_layer(trained, album, tmp_path):
    layers = ("--layer", "conv1", "--layer", "conv2")
    figure = tmp_path / "both.png"
    result = answer(
        *dream(trained, album / "b.wav", tmp_path / "of-{layer}.wav", *layers),
        *("--figure", figure),
    )
    assert [each["objective"] for each in result["files"]] == [
        "layer_norm(conv1)",
        "layer_norm(conv2)",
    ]
    assert names(tmp_path) == [
        *("album", "both.png", "of-conv1.wav", "of-conv1.wav.json"),
        *("of-conv2.wav", "of-conv2.wav.json"),
    ]
    alone = dream(trained, album / "b.wav", tmp_path / "alone.wav", "--layer", "conv2")
    answer(*alone)
    assert (tmp_path / "alone.wav").read_bytes() == (tmp_path / "of-conv2.wav").read_bytes()


@pytest.mark.slow
def test_several_layers_are_summed(trained, album, tmp_path):
    layers = ("--layer", "conv1", "--layer", "conv2")
    result = answer(*dream(trained, album / "b.wav", tmp_path / "out.wav", *layers))
    assert result["objective"] == "layer_norm(conv1) + layer_norm(conv2)"
    assert names(tmp_path) == ["album", "out.wav", "out.wav.json"]


@pytest.mark.slow
def test_options_are_settings_of_the_recipe(trained, album, tmp_path):
    guide = album / "live/a.flac"
    result = answer(
        *dream(trained, album / "b.wav", tmp_path / "out.wav", steps=2),
        *("--objective", "guide_match(conv2)", "--guide", guide, "--mix", 0.5, "--repeats", 2),
        *("--start", 0.25, "--seconds", 0.5, "--save-every", 2, "--set", "normalize=0.5"),
    )
    assert (result["samples"], result["steps"], result["snapshots"]) == (
        4000,
        4,
        [str(tmp_path / "out-2.wav"), str(tmp_path / "out-4.wav")],
    )
    sidecar = json.loads((tmp_path / "out.wav.json").read_text())
    assert (sidecar["config"]["mix"], sidecar["config"]["repeats"]) == (0.5, 2)
    assert (sidecar["guide"], sidecar["source"]) == (str(guide), str(album / "b.wav"))
    assert (sidecar["start_seconds"], sidecar["seconds"]) == (0.25, 0.5)
    noise = dream(trained, album / "b.wav", tmp_path / "noise.wav", "--from", "noise")
    answer(*noise, "--set", "canvas={kind: waveform}", "--set", "optimizer.step_size=0.001")
    assert json.loads((tmp_path / "noise.wav.json").read_text())["config"]["init"] == "noise"


@pytest.mark.parametrize(
    "objective", ["- 2*total_variation()", "layer_norm('conv1') - 0.1*total_variation()"]
)
@pytest.mark.slow
def test_objectives_are_parsed(trained, tmp_path, objective):
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 8000), 8000)
    output = tmp_path / "out.wav"
    result = answer(
        "dream", path, output, "--model", trained[0], "--objective", objective, *FEW_STEPS
    )
    assert result["objective_after"] > result["objective_before"]


@EAGERLY
def test_an_existing_file_is_only_replaced_with_force(trained, song, tmp_path):
    output = tmp_path / "out.wav"
    shutil.copy(song, output)
    arguments = ("dream", song, output, "--model", trained[0], *FEW_STEPS)
    assert "--force" in refusal(*arguments)
    answer(*arguments, "--force")
    assert output.read_bytes() != song.read_bytes()
    assert "would replace its own input" in refusal(
        "dream", output, output, "--model", trained[0], "--force"
    )
