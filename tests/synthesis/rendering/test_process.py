import pytest
from calling import names

from tfdream.errors import AudioError
from tfdream.synthesis.rendering.process import check_output, claimed, made, write_sidecar

MAKING = {"command": "dream"}


@pytest.mark.parametrize("name", ["song.wav", "link.wav", "folder/../song.wav"])
def test_an_output_never_replaces_what_it_is_made_of(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "song.wav").write_text("precious")
    (tmp_path / "link.wav").symlink_to("song.wav")
    with pytest.raises(AudioError, match="would replace what it is made of"):
        check_output(tmp_path / name, None, True, (None, tmp_path / "song.wav"))
    check_output(tmp_path / "new.wav", None, False, (None, tmp_path / "song.wav"))


def test_the_sidecar_has_to_find_its_place_too(tmp_path):
    longest = tmp_path / f"{'a' * 246}.wav"
    check_output(longest, None, False)
    with pytest.raises(AudioError, match=r"\.wav\.json' has a name of 256 bytes"):
        check_output(longest.with_name(f"a{longest.name}"), None, False)
    write_sidecar(tmp_path / "b.wav", MAKING, {})
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
    assert made(output, MAKING) is None  # it may be anybody's
    with claimed(output):
        output.touch()
        assert made(output, MAKING) == "interrupted"
        write_sidecar(output, MAKING, {})
    assert made(output, MAKING) == "whole"
    assert names(tmp_path) == ["a.wav", "a.wav.json"]


def test_what_ends_between_an_output_and_its_sidecar_is_known_as_ours(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("full")

    output = tmp_path / "a.wav"
    with pytest.raises(SystemExit), claimed(output):
        output.touch()
        raise SystemExit
    assert made(output, MAKING) == "interrupted"
    monkeypatch.setattr("tfdream.io.atomic.write_bytes", fail)
    with pytest.raises(OSError, match="full"), claimed(output):
        write_sidecar(output, MAKING, {})
    assert made(output, MAKING) == "interrupted"


def test_what_ends_before_the_output_leaves_no_claim(tmp_path):
    with pytest.raises(KeyboardInterrupt), claimed(tmp_path / "a.wav"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []
