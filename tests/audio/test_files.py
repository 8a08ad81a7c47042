"""Audio files, read and written in blocks."""

import errno
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import join, noise, seeds, stream

from tfdream import audio
from tfdream.errors import AudioError, TfdreamError

RATE = 8000
LOSSLESS = [(".wav", 16), (".wav", 24), (".wav", 32), (".flac", 16), (".flac", 24)]


def sine(samples, hz, rate, amplitude=0.5):
    angle = 2 * np.pi * hz * np.arange(samples) / rate
    return (amplitude * np.sin(angle)).astype(np.float32)[:, None]


# Reading


@pytest.mark.parametrize(
    ("channels", "rate", "reason"),
    [
        (65, RATE, "has 65 channels, more than 64"),
        (1, 1, "has a sample rate of 1 Hz, outside 1000 to 768000 Hz"),
        (1, 2**31 - 1, "has a sample rate of 2147483647 Hz"),
    ],
)
def test_an_implausible_header_is_rejected(tmp_path, message, channels, rate, reason):
    soundfile.write(tmp_path / "a.wav", noise(10, channels), rate)
    assert reason in message(audio.info, tmp_path / "a.wav")


def test_a_header_that_claims_gigabytes_costs_no_memory(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(100), RATE, "PCM_16")
    content = bytearray(path.read_bytes())
    content[4:8], content[40:44] = b"\xff\xff\xff\xff", b"\xf0\xff\xff\xff"
    path.write_bytes(content)
    assert len(audio.read(path)[0]) == 100


def test_a_signaling_nan_is_rejected_without_a_warning(tmp_path, message):
    samples = np.zeros((20, 2), np.float32)
    samples.view(np.uint32)[-1] = 0x7F800001  # the last values: NumPy's loop over vectors quiets it
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert "has NaN" in message(audio.read, tmp_path / "a.wav")


@pytest.mark.parametrize("sample", [1e30, np.inf, -np.inf, np.nan])
def test_samples_whose_squares_overflow_are_rejected_with_their_position(tmp_path, message, sample):
    samples = noise(2 * RATE, 2)
    samples[RATE + 800, 1] = sample
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    text = message(audio.read, tmp_path / "a.wav")
    assert f"'{tmp_path / 'a.wav'}' has NaN, infinite or absurdly large samples near 1.10 s" in text
    with audio.Reader(tmp_path / "a.wav") as reader:
        assert "near 1.10 s" in message(lambda: list(reader.blocks(1000)))


def test_integers_stored_as_floats_are_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(100) * 2**31, RATE, "FLOAT")
    assert audio.measure_level(tmp_path / "a.wav").peak > 1e9


def test_a_path_that_is_not_a_file_is_an_audio_error(tmp_path, message):
    paths = {name: tmp_path / f"{name}.wav" for name in ("folder", "pipe", "device", "loop")}
    paths["folder"].mkdir()
    paths["device"].symlink_to("/dev/zero")
    paths["loop"].symlink_to(paths["loop"])
    for path in (*paths.values(), tmp_path, tmp_path / "missing.wav"):
        problem = "is a folder, but" if path.is_dir() else "does not exist or is not a file"
        assert problem in message(audio.read, path) or path.is_symlink()
        assert str(path) in message(audio.info, path)
    message(audio.read, tmp_path / f"{'a' * 300}.wav")


def test_a_path_may_be_a_string(tmp_path):
    path = str(tmp_path / "a.wav")
    audio.write(path, noise(10), RATE)
    assert audio.info(path).samples == len(audio.read(path)[0]) == 10
    assert audio.measure_level(path).peak > 0
    assert len(audio.clip(path, 0, 5, RATE)) == 5
    with audio.excerpt(path, 0.0, 0.001) as part:
        assert audio.info(part).samples == 8


@given(st.binary(max_size=200), st.sampled_from([".wav", ".flac", ".ogg", ".mp3", ".aiff"]))
def test_any_bytes_are_audio_or_an_audio_error(tmp_path, content, extension):
    path = tmp_path / f"a{extension}"
    path.write_bytes(content)
    try:
        audio.read(path)
    except TfdreamError as error:
        assert str(error).splitlines() == [str(error)]


def test_files_that_are_not_audio_are_named(tmp_path, message):
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3", "a.raw", "a.aiff"):
        for content in (b"", b"This is no music.", b"RIFF\xff\xff\xff\xffWAVE"):
            path = tmp_path / name
            path.write_bytes(content)
            assert str(path) in message(audio.read, path)
            assert str(path) in message(audio.info, path)


def test_a_file_without_samples_is_an_error(tmp_path, message):
    for extension in (".wav", ".flac"):
        path = tmp_path / f"a{extension}"
        soundfile.write(path, np.zeros((0, 1)), RATE)
        assert f"'{path}' is empty" in message(audio.read, path)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match=r"empty.wav' is empty$"):
        audio.Reader(tmp_path / "empty.wav")


def test_a_truncated_mp3_file_is_damaged_data(tmp_path, message):
    soundfile.write(tmp_path / "whole.mp3", noise(RATE, 1), RATE)
    (tmp_path / "head.mp3").write_bytes((tmp_path / "whole.mp3").read_bytes()[:60])
    assert "cannot be decoded: damaged data" in message(audio.read, tmp_path / "head.mp3")


def test_a_name_that_is_not_unicode_is_rejected(tmp_path, message):
    path = tmp_path / "caf\udce9.wav"
    soundfile.write(path.open("wb"), noise(10, 1), RATE, format="WAV")
    assert "not valid Unicode; rename it" in message(audio.read, path)


def test_a_system_error_while_reading_is_an_audio_error(tmp_path, monkeypatch, message):
    audio.write(tmp_path / "a.wav", noise(10), RATE)

    def fail(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(soundfile.SoundFile, "read", fail)
    assert "Input/output error" in message(audio.read, tmp_path / "a.wav")


def test_another_decoder_can_be_selected(tmp_path, monkeypatch):
    """Every reader gets its samples from `audio.decode.open_decoder`."""

    class Constant:
        info = audio.AudioInfo(RATE, 2, 1000, 1000)
        damage = None
        is_open = True

        def blocks(self):
            yield np.full((1000, 2), 0.25, np.float32)

        def close(self):
            self.is_open = False

    decoder = Constant()
    monkeypatch.setattr(audio.files, "open_decoder", lambda path, isolated: decoder)
    samples, rate = audio.read(tmp_path / "a.video")
    assert rate == RATE
    np.testing.assert_array_equal(samples, np.full((1000, 2), 0.25))
    assert not decoder.is_open


# Writing


def test_written_samples_are_read_back(tmp_path):
    for extension, bits in LOSSLESS:
        for channels in (1, 2, 8):
            path = tmp_path / f"a{extension}"
            samples = noise(3001, channels)
            audio.write(path, samples, 44100, bits)
            loaded, rate = audio.read(path)
            assert (rate, loaded.dtype, loaded.shape) == (44100, np.float32, (3001, channels))
            assert audio.info(path)[:3] == (44100, channels, 3001)
            # One step of the integers, which libsndfile rounds to; floats are exact.
            step = 0 if bits == 32 else 2.0 ** (1 - bits)
            assert np.abs(loaded - samples).max() <= step


@given(seeds, st.integers(1, 3000), st.integers(1, 8), st.sampled_from([8000, 44100, 192000]))
def test_a_float_file_is_exact(tmp_path, seed, samples, channels, rate):
    values = noise(samples, channels, seed=seed)
    path = tmp_path / "a.wav"
    audio.write(path, values, rate, 32)
    loaded, loaded_rate = audio.read(path)
    assert loaded_rate == rate
    assert np.array_equal(loaded, values)


def test_vorbis_preserves_length_and_waveform(tmp_path):
    path = tmp_path / "a.ogg"
    for channels in (1, 2, 8):
        for samples in (1, 100, 5000):
            wave = sine(samples, 440, RATE).repeat(channels, axis=1)
            audio.write(path, wave, RATE)
            loaded, rate = audio.read(path)
            assert (rate, loaded.shape) == (RATE, wave.shape)
            if samples > 1000:  # a lossy codec errs by some percent, a shifted sample by far more
                assert np.linalg.norm(loaded - wave) / np.linalg.norm(wave) < 0.1


@pytest.mark.slow
def test_a_long_vorbis_file_does_not_crash(tmp_path):
    """One call of libvorbis with millions of samples overflows the stack and kills the process."""
    script = (
        "import sys, numpy; from tfdream import audio;"
        "audio.write(sys.argv[1], numpy.zeros(4_000_000, numpy.float32), 8000)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "a.ogg"], check=True)
    assert audio.info(tmp_path / "a.ogg").samples == 4_000_000


@given(st.integers(1, 10_000), st.sampled_from([".wav", ".flac", ".ogg"]))
@example(1, ".wav")
@example(10_000, ".ogg")
def test_blocks_join_to_the_whole_file(tmp_path, length, extension):
    path = tmp_path / f"a{extension}"
    audio.write(path, noise(3001, 2), RATE)
    with audio.Reader(path) as reader:
        blocks = list(reader.blocks(length))
        assert [len(block) for block in blocks[:-1]] == [length] * (len(blocks) - 1)
        again = join(reader.blocks(length), 2)  # from the start, a second time
    whole, _ = audio.read(path)
    np.testing.assert_array_equal(join(blocks, 2), whole)
    np.testing.assert_array_equal(again, whole)


@pytest.mark.parametrize("extension", [".wav", ".flac"])  # Vorbis depends on the blocks
def test_a_file_written_in_blocks_equals_one_written_at_once(tmp_path, extension):
    samples = noise(3001, 2)
    with audio.Writer(tmp_path / f"blocks{extension}", RATE, 2) as writer:
        for block in stream(samples, [701]):
            writer.write(block)
    assert writer.written[:4] == (RATE, 2, 3001, np.abs(samples).max())
    audio.write(tmp_path / f"whole{extension}", samples, RATE)
    np.testing.assert_array_equal(
        audio.read(tmp_path / f"blocks{extension}")[0],
        audio.read(tmp_path / f"whole{extension}")[0],
    )


@pytest.mark.parametrize("extension", [".wav", ".flac", ".ogg"])
@pytest.mark.parametrize("interruption", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_writer_leaves_the_old_file(tmp_path, extension, interruption):
    path = tmp_path / f"a{extension}"
    for before in (None, b"old"):
        with pytest.raises(interruption), audio.Writer(path, RATE, 1) as writer:
            writer.write(noise(1000))
            raise interruption
        assert [file.read_bytes() for file in tmp_path.iterdir()] == ([before] if before else [])
        path.write_bytes(b"old")


@pytest.mark.parametrize("block", [noise(10, 1), noise(10, 3), np.full((10, 2), np.nan, "f")])
def test_an_unsuitable_block_is_an_error_and_leaves_no_file(tmp_path, message, block):
    def write():
        with audio.Writer(tmp_path / "a.wav", RATE, 2) as writer:
            writer.write(noise(10, 2))
            writer.write(block)

    assert str(tmp_path / "a.wav") in message(write)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("samples", [np.full(100, np.nan), np.zeros(0), np.zeros((0, 2))])
def test_unreadable_files_are_not_written(tmp_path, message, samples, bits):
    assert str(tmp_path / "a.wav") in message(
        audio.write, tmp_path / "a.wav", samples.astype(np.float32), RATE, bits
    )
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_created_is_an_error(tmp_path, message):
    (tmp_path / "file").touch()
    assert "file" in message(audio.write, tmp_path / "file" / "a.wav", noise(10), RATE)
    (tmp_path / "folder.wav").mkdir()
    assert "folder.wav" in message(audio.write, tmp_path / "folder.wav", noise(10), RATE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.wav"]


@pytest.mark.parametrize("extension", [".wav", ".flac", ".ogg"])
@pytest.mark.parametrize("missing_bytes", [1, 1000, 50_000])
def test_a_full_disk_is_an_error_and_leaves_the_old_file(
    tmp_path, message, extension, missing_bytes
):
    """Also if the disk is full only when the file is closed, which libsndfile does not report."""
    resource = pytest.importorskip("resource", reason="Windows cannot limit the size of a file")
    path = tmp_path / f"a{extension}"
    samples = noise(100_000, 2)
    audio.write(path, samples, 44100)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(len(before) - missing_bytes, 1000), hard))
    try:
        text = message(audio.write, path, samples, 44100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(path) in text
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before
