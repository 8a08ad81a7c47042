"""Parts of files."""

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import noise

from tfdream import audio
from tfdream.audio import files
from tfdream.audio.notes import examine
from tfdream.errors import AudioError

RATE = 8000


@given(st.integers(0, RATE - 1), st.none() | st.integers(1, 2 * RATE))
@example(0, 4000)
@example(2000, None)
@example(7200, 5 * RATE)
def test_an_excerpt_is_a_slice(tmp_path, first, count):
    samples = noise(RATE, 2)
    soundfile.write(tmp_path / "a.wav", samples, RATE, "FLOAT")
    expected = samples[first : None if count is None else first + count]
    with audio.excerpt(tmp_path / "a.wav", first / RATE, count and count / RATE) as part:
        loaded, rate = audio.read(part)
        assert rate == RATE
        np.testing.assert_array_equal(loaded, expected)
        assert audio.info(part).samples == len(expected)
        is_whole = not first and count is None
        assert (part == tmp_path / "a.wav") == is_whole
    if not is_whole:
        assert not part.exists()
        assert not part.parent.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_clip_is_a_slice_of_the_mid_signal(tmp_path):
    samples = noise(RATE, 2)
    soundfile.write(tmp_path / "a.wav", samples, RATE, "FLOAT")
    mid = np.pad(samples.mean(axis=1), (0, 1000))
    np.testing.assert_array_equal(audio.clip(tmp_path / "a.wav", 0.25, 100, RATE), mid[2000:2100])
    np.testing.assert_array_equal(audio.clip(tmp_path / "a.wav", 0.9, 1800, RATE), mid[7200:])
    with pytest.raises(AudioError, match=r"start=1 s is beyond the end of '.*a\.wav'"):
        audio.clip(tmp_path / "a.wav", 1.0, 100, RATE)


def test_an_excerpt_of_the_whole_file_is_the_file_itself(tmp_path):
    audio.write(tmp_path / "a.flac", noise(100), RATE)
    with audio.excerpt(tmp_path / "a.flac", 0.0, None) as part:
        assert part == tmp_path / "a.flac"
    assert part.exists()


def test_an_excerpt_has_at_least_one_sample(tmp_path):
    audio.write(tmp_path / "a.wav", noise(100), RATE)
    with audio.excerpt(tmp_path / "a.wav", 0.0, 1e-9) as part:
        assert audio.info(part).samples == 1


def test_an_excerpt_beyond_the_end_is_an_error(tmp_path):
    audio.write(tmp_path / "a.wav", noise(RATE), RATE)
    for start in (1.0, 7.5):
        with (
            pytest.raises(AudioError, match=rf"start={start:g} s .*a\.wav' \(1\.00 s\)"),
            audio.excerpt(tmp_path / "a.wav", start, None),
        ):
            pass


def test_a_file_is_decoded_once_for_an_excerpt_beyond_its_end(tmp_path, monkeypatch):
    audio.write(tmp_path / "a.wav", noise(RATE), RATE)
    opened = []
    open_decoder = files.open_decoder
    monkeypatch.setattr(
        files, "open_decoder", lambda *given: opened.append(given) or open_decoder(*given)
    )
    with (
        pytest.raises(AudioError, match=r"\(1\.00 s\)"),
        audio.excerpt(tmp_path / "a.wav", 2.0, 0.5),
    ):
        pass
    assert len(opened) == 1


def test_an_excerpt_of_a_missing_file_is_an_error(tmp_path):
    with (
        pytest.raises(AudioError, match=r"gone\.wav' does not exist"),
        audio.excerpt(tmp_path / "gone.wav", 1.0, None),
    ):
        pass


def test_an_excerpt_is_removed_after_an_error(tmp_path):
    audio.write(tmp_path / "a.wav", noise(RATE), RATE)
    with pytest.raises(KeyboardInterrupt), audio.excerpt(tmp_path / "a.wav", 0.5, None) as part:
        raise KeyboardInterrupt
    assert not part.exists()


def test_an_excerpt_of_a_damaged_file_has_its_damage(tmp_path):
    path = tmp_path / "truncated.wav"
    soundfile.write(path, noise(RATE), RATE, "PCM_16")
    path.write_bytes(path.read_bytes()[: 44 + 2 * 5000])
    for seconds in (0.25, None):
        with audio.part_of(path, 0.125, seconds) as part:
            assert part.damage == audio.Damage(RATE, 5000, truncated=True)
            assert examine(part.path, RATE, damage=part.damage) == [
                "truncated: header states 1.00 s, decoded 0.62 s"
            ]


def test_an_excerpt_before_samples_that_cannot_be_used_notes_them(tmp_path):
    samples = noise(3 * audio.BLOCK_SAMPLES)
    samples[-1] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, "FLOAT")
    with audio.part_of(tmp_path / "a.wav", 0.0, 1.0) as part:
        assert part.damage.truncated
        assert part.damage.decoded_samples == 2 * audio.BLOCK_SAMPLES
