"""Outputs that are made again from their tags."""

import json
import shutil

import numpy as np
import pytest
import soundfile
from calling import EAGERLY, answer, refusal

from tfdream import audio
from tfdream.config import DreamConfig, GenerateConfig, TimbreConfig, TranslateConfig
from tfdream.errors import AudioError, ConfigError
from tfdream.io import documents
from tfdream.runs import Run
from tfdream.runs.info import WEIGHTS_FILE
from tfdream.synthesis.dream import Dreamer, dream
from tfdream.synthesis.generate import Generation, generate
from tfdream.synthesis.redo import redo
from tfdream.synthesis.rendering import tags
from tfdream.synthesis.rendering.options import OutputOptions, RenderOptions
from tfdream.synthesis.transfer import build_transfer, transfer
from tfdream.synthesis.translate import Translation, translate

OVERLAP = {"overlap_seconds": 0.05}
CONFIG = DreamConfig(optimizer={"steps": 1}, tiles=OVERLAP, seed=3)
PART = RenderOptions(bits=16, start_seconds=0.25, seconds=1.2)


@pytest.fixture(scope="module")
def folder(song, run, tmp_path_factory, step_by_step):
    """A recording and its dream."""
    folder = tmp_path_factory.mktemp("redo")
    samples, rate = soundfile.read(song)
    soundfile.write(folder / "song.wav", samples[:12000], rate, "PCM_16")
    with step_by_step():
        dream(folder / "song.wav", folder / "dreamt.flac", run, CONFIG, options=PART)
    return folder


@pytest.fixture
def outputs(folder, tmp_path):
    """Copies of the recording and its dream, whose tag has the path of the first recording."""
    for name in ("song.wav", "dreamt.flac"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    return tmp_path


def tag_of(path):
    return json.loads(audio.read_comment(path))


def with_tag(path, output, tag):
    """Write the samples of a file with another tag."""
    samples, rate = audio.read(path)
    text = tag if isinstance(tag, str) else json.dumps(tag)
    audio.write_blocks(output, [samples], rate, samples.shape[1], 16, comment=text)
    return output


@EAGERLY
def test_a_dream_is_made_again_bit_for_bit(folder, tmp_path):
    again = answer("redo", folder / "dreamt.flac", tmp_path / "again.flac")
    assert again["identical"]
    assert again["different_versions"] == {}
    assert (tmp_path / "again.flac").read_bytes() == (folder / "dreamt.flac").read_bytes()
    sidecars = [json.loads((each.parent / f"{each.name}.json").read_text()) for each in
                (folder / "dreamt.flac", tmp_path / "again.flac")]  # fmt: skip
    assert sidecars[0]["config"] == sidecars[1]["config"]


@EAGERLY
def test_transfers_translations_and_generated_audio_are_made_again(
    folder, translation_run, generation_run, tmp_path
):
    song = folder / "song.wav"
    timbre = TimbreConfig(method="timbre", tiles=OVERLAP)
    transfer(song, folder / "dreamt.flac", tmp_path / "a.wav", timbre, options=PART)
    translate(
        song, tmp_path / "b.wav", translation_run, TranslateConfig(tiles=OVERLAP), "noise", PART
    )
    generate(
        *(tmp_path / "c.ogg", generation_run, GenerateConfig(phase={"init": "pghi"})),
        *(0.2, song, OutputOptions()),
    )
    for name in ("a.wav", "b.wav", "c.ogg"):
        assert redo(tmp_path / name)["identical"]
    assert (tmp_path / "a-redo.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()


def test_tags_have_checksums_but_no_date_and_no_labels(folder):
    tag = tag_of(folder / "dreamt.flac")
    assert set(tag["inputs"]) == {"source", "run/folder"}
    assert all(len(digest) == 64 for digest in tag["inputs"].values())
    assert set(tag["run"]) == {"folder"}
    assert tag["versions"]["tfdream"]


def test_checksums_of_translations_include_the_excerpts(translation_run, tmp_path):
    shutil.copytree(translation_run.folder, tmp_path / "run")
    before = tags.fingerprint("run/folder", tmp_path / "run")
    for excerpt in (tmp_path / "run").glob("excerpts_*"):
        excerpt.write_bytes(b"")
    assert tags.fingerprint("run/folder", tmp_path / "run") != before


def test_the_state_of_a_run_is_that_of_its_files_without_their_content(run, monkeypatch):
    monkeypatch.setattr(documents, "_read", None)  # a folder of recordings needs many states
    state = tags.with_inputs({"run": {"folder": str(run.folder)}})["inputs"]["run/folder"]
    assert state["bytes"] > run.weights_path.stat().st_size


def test_sidecars_show_whether_an_input_was_replaced(
    folder, run, translation_run, generation_run, tmp_path
):
    song, timbre = tmp_path / "song.wav", TimbreConfig(method="timbre", tiles=OVERLAP)
    shutil.copytree(run.folder, tmp_path / "run")
    shutil.copy(folder / "song.wav", song)
    recipes = [
        Dreamer(Run.open(tmp_path / "run"), CONFIG),
        build_transfer(song, timbre),
        Translation(translation_run, TranslateConfig(tiles=OVERLAP)),
        Generation(generation_run, GenerateConfig(), 0.2),
    ]

    def inputs():
        return [recipe.provenance(song, PART)["inputs"] for recipe in recipes]

    before = inputs()
    assert inputs() == before
    assert before[0]["source"]["bytes"] == song.stat().st_size
    soundfile.write(song, np.zeros(12000), 8000, "PCM_16")
    (tmp_path / "run" / WEIGHTS_FILE).touch()
    replaced = [{place for place in old if old[place] != new[place]}
                for old, new in zip(before, inputs(), strict=True)]  # fmt: skip
    assert replaced == [{"source", "run/folder"}, {"content", "style"}, {"source"}, {"prompt"}]


def test_settings_that_do_not_fit_into_tags_are_errors(folder, run):
    curve = {"points": [[number / 7, 0.123456789] for number in range(2000)]}
    config = DreamConfig(curves={"mix": curve})
    with pytest.raises(ConfigError, match="use curves with fewer points"):
        dream(folder / "song.wav", folder / "long.flac", run, config)
    assert not list(folder.glob("long*"))


def test_inputs_that_are_missing_or_changed_are_errors(outputs):
    output, song = outputs / "dreamt.flac", outputs / "song.wav"
    tag = tag_of(output)
    moved = with_tag(output, outputs / "moved.flac", tag | {"source": str(outputs / "gone.wav")})
    assert "gone.wav', does not exist; give the unchanged one with --input source=PATH" in refusal(
        "redo", moved
    )
    soundfile.write(song, np.zeros(100), 8000)
    with pytest.raises(AudioError, match=r"song.wav', has changed or cannot be read"):
        redo(moved, inputs={"source": song})
    with pytest.raises(ConfigError, match=r"input 'sorce' .* \(did you mean 'source'\?\)"):
        redo(output, inputs={"sorce": song})
    changed = tag | {"inputs": tag["inputs"] | {"run/folder": 64 * "0"}}
    with pytest.raises(AudioError, match=r"the run/folder of .* has changed"):
        redo(with_tag(output, outputs / "other.flac", changed))
    piped = tag | {"source": "-", "inputs": tag["inputs"] | {"source": None}}
    with pytest.raises(AudioError, match="but a pipe"):
        redo(with_tag(output, outputs / "piped.flac", piped))
    assert not list(outputs.glob("*-redo*"))


@EAGERLY
def test_a_moved_input_gives_the_same_bytes(outputs):
    tag = tag_of(outputs / "dreamt.flac")
    moved = with_tag(
        outputs / "dreamt.flac", outputs / "moved.flac", tag | {"source": "elsewhere.wav"}
    )
    assert redo(moved, inputs={"source": outputs / "song.wav"})["identical"]


@EAGERLY
def test_other_versions_are_reported(outputs, caplog):
    tag = tag_of(outputs / "dreamt.flac")
    tag["versions"]["numpy"] = "0.1"
    older = with_tag(outputs / "dreamt.flac", outputs / "older.flac", tag)
    result = redo(older)
    assert list(result["different_versions"]) == ["numpy"]
    assert "instead of 0.1), so samples may differ" in caplog.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command": "format"}, "command='format'"),
        ({"config": {"steps": 3}}, "unknown setting"),
        ({"config": 3}, "config"),
        ({"inputs": []}, "inputs"),
        ({"bits": 7}, "bits"),
        ({"source": 5}, "source"),
        ({"more": 5}, "unknown setting 'more'"),
    ],
)
def test_tags_are_validated_like_configurations(outputs, change, words):
    tag = tag_of(outputs / "dreamt.flac") | change
    with pytest.raises(ConfigError, match="the tag of") as caught:
        redo(with_tag(outputs / "dreamt.flac", outputs / "bad.flac", tag))
    assert words in str(caught.value)
    assert not (outputs / "bad-redo.flac").exists()


def test_files_without_a_tag_and_impossible_outputs_are_errors(outputs):
    output = outputs / "dreamt.flac"
    for text in (" ", "a comment", "[" * 10000, '{"a": 1}'):
        with pytest.raises(AudioError, match="has no tag of tfdream"):
            redo(with_tag(output, outputs / "foreign.flac", text))
    with pytest.raises(AudioError, match=r"use the extension \.flac"):
        redo(output, outputs / "a.wav")
    with pytest.raises(AudioError, match="would replace the file itself"):
        redo(output, output, force=True)
    (outputs / "dreamt-redo.flac").write_bytes(b"mine")
    assert "--force" in refusal("redo", output)
