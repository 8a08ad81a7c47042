from pathlib import Path

import pytest
from calling import names

from tfdream import audio
from tfdream.config import DreamConfig, TranslateConfig
from tfdream.errors import AudioError
from tfdream.io.atomic import temporary_path, write_bytes
from tfdream.synthesis.rendering import notes, sidecar
from tfdream.synthesis.rendering.sidecar import check_output

PROVENANCE = {"command": "dream"}


@pytest.mark.parametrize("name", ["song.wav", "link.wav", "folder/../song.wav"])
def test_an_output_never_replaces_what_it_is_made_of(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "song.wav").write_text("precious")
    (tmp_path / "link.wav").symlink_to("song.wav")
    with pytest.raises(AudioError, match="would replace its own input"):
        check_output(tmp_path / name, None, True, (None, tmp_path / "song.wav"))
    check_output(tmp_path / "new.wav", None, False, (None, tmp_path / "song.wav"))


def test_the_sidecar_has_to_find_its_place_too(tmp_path):
    longest = tmp_path / f"{'a' * 246}.wav"
    check_output(longest, None, False)
    with pytest.raises(AudioError, match=r"\.wav\.json' has a name of 256 bytes"):
        check_output(longest.with_name(f"a{longest.name}"), None, False)
    sidecar.write(tmp_path / "b.wav", PROVENANCE, {})
    check_output(tmp_path / "b.wav", None, False)  # somebody moved the file that belongs to it
    (tmp_path / "c.wav.json").write_text('{"mine": 1}')
    with pytest.raises(AudioError, match=r"c\.wav\.json' exists already; .*--force"):
        check_output(tmp_path / "c.wav", None, False)
    (tmp_path / "a.wav.json").mkdir()
    with pytest.raises(AudioError, match=r"a\.wav\.json' is a folder"):
        check_output(tmp_path / "a.wav", None, True)


@pytest.mark.parametrize("there", [False, True])
def test_an_output_is_claimed_until_its_sidecar_is_there(tmp_path, there):
    output = tmp_path / "a.wav"
    if there:
        output.touch()
    assert sidecar.status(output, PROVENANCE) is None  # it may be anybody's
    with sidecar.claim(output, PROVENANCE):
        output.touch()
        assert sidecar.status(output, PROVENANCE) == "interrupted"
        sidecar.write(output, PROVENANCE, {})
    assert sidecar.status(output, PROVENANCE) == "complete"
    assert names(tmp_path) == ["a.wav", "a.wav.json"]


def test_what_ends_between_an_output_and_its_sidecar_is_known_as_ours(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("full")

    output = tmp_path / "a.wav"
    with pytest.raises(SystemExit), sidecar.claim(output, PROVENANCE):
        output.touch()
        raise SystemExit
    assert sidecar.status(output, PROVENANCE) == "interrupted"
    assert names(tmp_path) == ["a.wav", "a.wav.json"]
    sidecar.path_of(output).unlink()
    output.unlink()
    monkeypatch.setattr("tfdream.io.atomic.write_bytes", fail)
    with pytest.raises(OSError, match="full"), sidecar.claim(output, PROVENANCE):
        output.touch()
        sidecar.write(output, PROVENANCE, {})
    assert sidecar.status(output, PROVENANCE) == "interrupted"


def test_the_sidecar_of_a_replaced_output_is_replaced_too(tmp_path):
    output = tmp_path / "a.wav"
    with sidecar.claim(output, PROVENANCE):
        output.touch()
        sidecar.write(output, PROVENANCE, {})
    other = {"command": "dream", "seed": 1}
    with pytest.raises(KeyboardInterrupt), sidecar.claim(output, other):
        raise KeyboardInterrupt
    assert sidecar.status(output, PROVENANCE) == "complete"
    with pytest.raises(KeyboardInterrupt), sidecar.claim(output, other):
        write_bytes(output, b"other")
        raise KeyboardInterrupt
    assert sidecar.status(output, PROVENANCE) is None
    assert sidecar.status(output, other) == "interrupted"


@pytest.mark.parametrize("earlier", [None, {"command": "dream", "seed": 1}])
def test_the_mark_of_a_killed_process_remains_until_the_output_is_described(tmp_path, earlier):
    output = tmp_path / "a.wav"
    output.touch()
    if earlier:
        sidecar.write(output, earlier, {})
    temporary_path(sidecar.path_of(output)).touch()
    with pytest.raises(KeyboardInterrupt), sidecar.claim(output, PROVENANCE):
        raise KeyboardInterrupt
    for provenance in (PROVENANCE, earlier or PROVENANCE):
        assert sidecar.status(output, provenance) == "interrupted"
    with sidecar.claim(output, PROVENANCE):
        write_bytes(output, b"new")
        sidecar.write(output, PROVENANCE, {})
    assert sidecar.status(output, PROVENANCE) == "complete"
    assert names(tmp_path) == ["a.wav", "a.wav.json"]


def test_a_mark_without_an_output_is_removed(tmp_path):
    output = tmp_path / "a.wav"
    temporary_path(sidecar.path_of(output)).touch()
    with pytest.raises(KeyboardInterrupt), sidecar.claim(output, PROVENANCE):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_an_output_that_was_not_replaced_is_not_claimed(tmp_path):
    output = tmp_path / "a.wav"
    output.touch()
    with pytest.raises(KeyboardInterrupt), sidecar.claim(output, PROVENANCE):
        raise KeyboardInterrupt
    assert names(tmp_path) == ["a.wav"]


def test_what_ends_before_the_output_leaves_no_claim(tmp_path):
    with pytest.raises(KeyboardInterrupt), sidecar.claim(tmp_path / "a.wav", PROVENANCE):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_stop_while_an_output_is_claimed_leaves_no_claim(tmp_path, monkeypatch):
    def stop(path):
        touch(path)
        raise SystemExit

    touch = Path.touch
    monkeypatch.setattr(Path, "touch", stop)
    with pytest.raises(SystemExit), sidecar.claim(tmp_path / "a.wav", PROVENANCE):
        pass
    assert names(tmp_path) == []


def test_what_a_start_from_noise_does_not_replace_is_noted():
    config = DreamConfig(init="noise", canvas={"kind": "waveform"})
    (note,) = notes.start_notes(config, audio.Written(44100, 2, 1, 0.5), 22050)
    assert "differences between the channels and frequencies above 11.025 kHz remain" in note
    assert not list(notes.start_notes(config, audio.Written(22050, 1, 1, 0.5), 22050))
    assert not list(notes.start_notes(DreamConfig(), audio.Written(44100, 2, 1, 0.5), 22050))


@pytest.mark.parametrize(("start", "is_noted"), [(1.9, False), (2.0, True), (30.0, True)])
def test_times_after_the_end_of_an_output_are_noted(start, is_noted):
    config = DreamConfig(mask={"time_seconds": [start, 40]})
    written = audio.Written(8000, 1, 16000, 0.5)
    found = list(notes.mask_notes(config, written))
    assert ["time_seconds begins" in each for each in found] == [True] * is_noted
    assert not list(notes.mask_notes(DreamConfig(), written))


@pytest.mark.parametrize(
    ("kind", "optimizer", "is_noted"),
    [
        ("waveform", {"step_size": 2.5}, True),
        ("waveform", {"step_size": 0.01}, False),
        ("waveform", {"step_size": 2.5, "kind": "sgd"}, False),
        ("gains", {"step_size": 2.5}, False),
    ],
)
def test_steps_of_samples_beyond_full_scale_are_noted(kind, optimizer, is_noted):
    config = DreamConfig(canvas={"kind": kind}, optimizer=optimizer)
    found = list(notes.step_notes(config))
    assert ["times full scale" in each for each in found] == [True] * is_noted
    assert not list(notes.step_notes(TranslateConfig()))
