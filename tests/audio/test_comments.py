"""Comments in the tags of written files, which repeat bit for bit."""

import av
import numpy as np
import pytest
import soundfile
from strategies import noise

from tfdream import audio
from tfdream.audio import writer as writers
from tfdream.audio.decoders import ogg
from tfdream.audio.decoders.base import MAX_COMMENT_BYTES
from tfdream.errors import AudioError

RATE = 8000
SAMPLES = noise(30_000, 2)
FORMATS = [("a.wav", 16), ("a.wav", 24), ("a.wav", 32), ("a.flac", 24), ("a.ogg", None)]
COMMENT = '{"key": "Grüße, ' + MAX_COMMENT_BYTES // 4 * "x" + '"}'
EACH_FORMAT = pytest.mark.parametrize(("name", "bits"), FORMATS)


def write(path, bits, comment=COMMENT):
    audio.write_blocks(path, [SAMPLES], RATE, 2, bits, comment=comment)


@EACH_FORMAT
def test_a_comment_is_read_again_and_changes_no_sample(tmp_path, name, bits):
    write(tmp_path / name, bits)
    write(tmp_path / f"plain-{name}", bits, comment=None)
    assert audio.read_comment(tmp_path / name) == COMMENT
    assert audio.read_comment(tmp_path / f"plain-{name}") is None
    tagged, plain = (soundfile.read(tmp_path / f"{each}{name}")[0] for each in ("", "plain-"))
    np.testing.assert_array_equal(tagged, plain)


def test_wav_files_have_no_date(tmp_path):
    """libsndfile stores the time of measurement beside the peaks of floats."""
    path = tmp_path / "a.wav"
    write(path, 32)
    content = path.read_bytes()
    dated = content.replace(b"PEAK\x18\0\0\0\1\0\0\0\0\0\0\0", b"PEAK\x18\0\0\0\1\0\0\0date")
    assert dated != content
    path.write_bytes(dated)
    writers._remove_variation(path)
    assert path.read_bytes() == content


def test_ogg_files_have_no_random_number(tmp_path):
    path = tmp_path / "a.ogg"
    write(path, None)
    content = path.read_bytes()
    assert content[14:18] == bytes(4)
    ogg.set_serial(path, b"abcd")
    assert path.read_bytes() != content
    with av.open(str(path)) as container:  # the checksums are valid
        assert sum(frame.samples for frame in container.decode(audio=0)) == len(SAMPLES)
    ogg.set_serial(path)
    assert path.read_bytes() == content


def test_a_comment_that_does_not_fit_is_an_error(tmp_path):
    with pytest.raises(AudioError, match=f"tags of {MAX_COMMENT_BYTES + 1} bytes"):
        write(tmp_path / "a.wav", 16, (MAX_COMMENT_BYTES + 1) * "x")
    assert list(tmp_path.iterdir()) == []


def test_foreign_comments_have_a_limited_size(tmp_path):
    with soundfile.SoundFile(tmp_path / "a.flac", "w", RATE, 1) as file:
        file.comment = (MAX_COMMENT_BYTES + 1) * "x"
        file.write(np.zeros(100))
    with pytest.raises(AudioError, match="has a comment of more than"):
        audio.read_comment(tmp_path / "a.flac")


@pytest.mark.slow
def test_comments_are_read_by_another_process(tmp_path):
    write(tmp_path / "a.wav", 16)
    assert audio.read_comment(tmp_path / "a.wav", isolated=True) == COMMENT
    (tmp_path / "b.wav").write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(AudioError, match=r"b\.wav' cannot be decoded"):
        audio.read_comment(tmp_path / "b.wav", isolated=True)
