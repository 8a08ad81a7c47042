import pytest

from tfdream.errors import AudioError
from tfdream.synthesis.recording import check_output


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
    (tmp_path / "a.wav.json").mkdir()
    with pytest.raises(AudioError, match=r"a\.wav\.json' is a folder"):
        check_output(tmp_path / "a.wav", None, False)
