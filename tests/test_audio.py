import errno
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tfdream import audio
from tfdream.errors import AudioError

RATE = 8000
CEILING = 0.999  # of the limiter, and so of every file that `write` writes
LOSSLESS = [(".wav", 16), (".wav", 24), (".wav", 32), (".flac", 16), (".flac", 24)]


def noise(samples, channels=1, peak=0.9, seed=0):
    values = np.random.default_rng(seed).uniform(-peak, peak, (samples, channels))
    return values.astype(np.float32)


def sine(samples, hz, rate, amplitude=0.5):
    angle = 2 * np.pi * hz * np.arange(samples) / rate
    return (amplitude * np.sin(angle)).astype(np.float32)[:, None]


def cut(samples, length):
    """A stream of blocks of `length` samples."""
    return (samples[start : start + length] for start in range(0, len(samples), length))


def join(blocks):
    return np.concatenate(list(blocks))


def message(call, *arguments, **settings):
    """The text of the AudioError, which is one line."""
    with pytest.raises(AudioError) as caught:
        call(*arguments, **settings)
    text = str(caught.value)
    assert text.splitlines() == [text]
    return text


# Files


@pytest.mark.parametrize(
    ("channels", "rate", "reason"),
    [
        (65, RATE, "has 65 channels, more than 64"),
        (1, 1, "has a rate of 1 Hz, beyond 1000 to 768000 Hz"),
        (1, 2**31 - 1, "has a rate of 2147483647 Hz"),
    ],
)
def test_a_header_that_no_recording_has_is_refused(tmp_path, channels, rate, reason):
    soundfile.write(tmp_path / "a.wav", noise(10, channels), rate)
    assert reason in message(audio.info, tmp_path / "a.wav")


def test_a_header_that_promises_gigabytes_costs_none(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(100), RATE, "PCM_16")
    content = bytearray(path.read_bytes())
    content[4:8], content[40:44] = b"\xff\xff\xff\xff", b"\xf0\xff\xff\xff"
    path.write_bytes(content)
    assert len(audio.read(path)[0]) == 100


@pytest.mark.parametrize("sample", [1e30, np.inf, np.nan])
def test_samples_whose_squares_overflow_are_refused(tmp_path, sample):
    values = noise(100)
    values[50] = sample
    soundfile.write(tmp_path / "a.wav", values, RATE, "FLOAT")
    assert "holds NaN, infinite or absurdly large samples" in message(
        audio.read, tmp_path / "a.wav"
    )


def test_integers_that_were_taken_for_floats_are_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(100) * 2**31, RATE, "FLOAT")
    assert audio.loudness(tmp_path / "a.wav").peak > 1e9


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "loop", "long"])
def test_what_is_no_file_is_an_audio_error(tmp_path, kind):
    path = tmp_path / "a.wav"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":  # opening it would wait for ever
        os.mkfifo(path)
    elif kind == "long":
        path = tmp_path / f"{'a' * 300}.wav"
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    message(audio.read, path)


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize(("extension", "bits"), LOSSLESS)
def test_what_is_written_is_read_back(tmp_path, extension, bits, channels):
    path = tmp_path / f"a{extension}"
    samples = noise(3001, channels)
    audio.write(path, samples, 44100, bits)
    loaded, rate = audio.read(path)
    assert (rate, loaded.dtype, loaded.shape) == (44100, np.float32, (3001, channels))
    assert audio.info(path) == (44100, channels, 3001)
    step = 0 if bits == 32 else 2.0 ** (1 - bits)  # of the integers; libsndfile rounds to one
    assert np.abs(loaded - samples).max() <= step


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("samples", [1, 100, 5000])
def test_vorbis_keeps_length_and_sound(tmp_path, channels, samples):
    path = tmp_path / "a.ogg"
    wave = sine(samples, 440, RATE).repeat(channels, axis=1)
    audio.write(path, wave, RATE)
    loaded, rate = audio.read(path)
    assert (rate, loaded.shape) == (RATE, wave.shape)
    if samples > 1000:  # a lossy codec errs by some per cent, a misplaced sample by far more
        assert np.linalg.norm(loaded - wave) / np.linalg.norm(wave) < 0.1


@pytest.mark.slow
def test_a_long_vorbis_file_does_not_crash(tmp_path):
    """One call of libvorbis with millions of samples overflows the stack and kills the process."""
    script = (
        "import sys, numpy, pathlib; from tfdream import audio;"
        "audio.write(pathlib.Path(sys.argv[1]), numpy.zeros(4_000_000, numpy.float32), 8000)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "a.ogg"], check=True)
    assert audio.info(tmp_path / "a.ogg").samples == 4_000_000


def test_one_dimension_is_mono(tmp_path):
    samples = noise(100)
    audio.write(tmp_path / "a.wav", samples[:, 0], RATE, 32)
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav")[0], samples)


def test_without_bits_24_are_written(tmp_path):
    audio.write(tmp_path / "a.wav", noise(10), RATE)
    audio.write(tmp_path / "a.flac", noise(10), RATE)
    assert {soundfile.info(path).subtype for path in tmp_path.iterdir()} == {"PCM_24"}


def test_the_extension_may_be_in_capitals(tmp_path):
    audio.write(tmp_path / "A.FLAC", noise(10), RATE)
    assert soundfile.info(tmp_path / "A.FLAC").format == "FLAC"


def test_too_loud_samples_are_limited_not_wrapped(tmp_path):
    samples = sine(4000, 100, RATE, amplitude=2.0)
    audio.write(tmp_path / "a.wav", samples, RATE, 16)
    loaded, _ = audio.read(tmp_path / "a.wav")
    assert np.abs(loaded).max() <= CEILING + 2**-15  # one step of 16 bits
    assert (loaded * samples >= 0).all()


@pytest.mark.parametrize("length", [1, 7, 1000, 3001, 10_000])
@pytest.mark.parametrize("extension", [".wav", ".flac", ".ogg"])
def test_blocks_join_to_the_whole(tmp_path, extension, length):
    path = tmp_path / f"a{extension}"
    audio.write(path, noise(3001, 2), RATE)
    with audio.Reader(path) as reader:
        blocks = list(reader.blocks(length))
        assert [len(block) for block in blocks[:-1]] == [length] * (len(blocks) - 1)
        again = join(reader.blocks(length))  # from the start, a second time
    whole, _ = audio.read(path)
    np.testing.assert_array_equal(join(blocks), whole)
    np.testing.assert_array_equal(again, whole)


@pytest.mark.parametrize("extension", [".wav", ".flac"])  # Vorbis codes by what it gets at once
def test_blocks_written_join_to_the_whole(tmp_path, extension):
    samples = noise(3001, 2)
    with audio.Writer(tmp_path / f"blocks{extension}", RATE, 2) as writer:
        for block in cut(samples, 701):
            writer.write(block)
    assert writer.written == (RATE, 2, 3001, np.abs(samples).max())
    audio.write(tmp_path / f"whole{extension}", samples, RATE)
    np.testing.assert_array_equal(
        audio.read(tmp_path / f"blocks{extension}")[0],
        audio.read(tmp_path / f"whole{extension}")[0],
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_file_with_samples_that_are_no_numbers_is_named_with_the_place(tmp_path, value):
    samples = noise(2 * RATE, 2)
    samples[RATE + 10, 1] = value
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    text = message(audio.read, tmp_path / "a.wav")
    assert str(tmp_path / "a.wav") in text
    with audio.Reader(tmp_path / "a.wav") as reader:
        text = message(lambda: list(reader.blocks(1000)))
        assert "near 1.00 s" in text


@pytest.mark.parametrize("extension", [".wav", ".flac"])
def test_a_file_without_samples_is_an_error(tmp_path, extension):
    path = tmp_path / f"a{extension}"
    soundfile.write(path, np.zeros((0, 1)), RATE)
    assert str(path) in message(audio.read, path)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.raw", "a.aiff"])
@pytest.mark.parametrize("content", [b"", b"This is no music.", b"RIFF\xff\xff\xff\xffWAVE"])
def test_what_is_not_audio_is_an_error(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert str(path) in message(audio.read, path)
    assert str(path) in message(audio.info, path)


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_flac_file_cut_short_is_an_error(tmp_path, kept):
    path = tmp_path / "a.flac"
    audio.write(path, noise(50_000), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert str(path) in message(audio.read, path)


def test_a_missing_file_or_a_folder_is_an_error(tmp_path):
    assert "does not exist" in message(audio.read, tmp_path / "none.wav")
    assert str(tmp_path) in message(audio.info, tmp_path)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "bits", "named"),
    [
        ("a.mp3", RATE, 1, None, r"\.wav, \.flac, \.ogg"),
        ("a", RATE, 1, None, "extension"),
        ("a.wav", RATE, 1, 8, "bits=8.*16, 24, 32"),
        ("a.wav", RATE, 1, 0, "bits=0"),
        ("a.flac", RATE, 1, 32, "bits=32.*16, 24"),
        ("a.ogg", RATE, 1, 16, "bits=16.*none"),
        ("a.flac", 900_000, 1, None, "a.flac"),
        ("a.flac", RATE, 9, None, "a.flac"),
        ("a.wav", 0, 1, None, "a.wav"),
    ],
)
def test_a_format_that_cannot_hold_it_is_an_error(tmp_path, name, rate, channels, bits, named):
    with pytest.raises(AudioError, match=named):
        audio.write(tmp_path / name, noise(10, channels), rate, bits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "bits"), [("a.wav", 8), ("a.mp3", None), ("a.ogg", 24)])
def test_a_format_can_be_checked_before_the_work(tmp_path, name, bits):
    text = message(audio.check_writable, tmp_path / name, bits)
    assert text == message(audio.Writer, tmp_path / name, RATE, 1, bits)
    audio.check_writable(tmp_path / "a.flac", 24)


@pytest.mark.parametrize("extension", [".wav", ".flac", ".ogg"])
@pytest.mark.parametrize("interruption", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_writer_leaves_what_was_there(tmp_path, extension, interruption):
    path = tmp_path / f"a{extension}"
    for before in (None, b"old"):
        with pytest.raises(interruption), audio.Writer(path, RATE, 1) as writer:
            writer.write(noise(1000))
            raise interruption
        assert [file.read_bytes() for file in tmp_path.iterdir()] == ([before] if before else [])
        path.write_bytes(b"old")


@pytest.mark.parametrize("block", [noise(10, 1), noise(10, 3), np.full((10, 2), np.nan, "f")])
def test_a_block_that_does_not_fit_is_an_error_and_leaves_nothing(tmp_path, block):
    def write():
        with audio.Writer(tmp_path / "a.wav", RATE, 2) as writer:
            writer.write(noise(10, 2))
            writer.write(block)

    assert str(tmp_path / "a.wav") in message(write)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("samples", [np.full(100, np.nan), np.zeros(0), np.zeros((0, 2))])
def test_nothing_is_written_that_could_not_be_read(tmp_path, samples, bits):
    assert str(tmp_path / "a.wav") in message(
        audio.write, tmp_path / "a.wav", samples.astype(np.float32), RATE, bits
    )
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    assert "file" in message(audio.write, tmp_path / "file" / "a.wav", noise(10), RATE)
    (tmp_path / "folder.wav").mkdir()
    assert "folder.wav" in message(audio.write, tmp_path / "folder.wav", noise(10), RATE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.wav"]


@pytest.mark.parametrize("extension", [".wav", ".flac", ".ogg"])
@pytest.mark.parametrize("missing_bytes", [1, 1000, 50_000])
def test_a_full_disk_is_an_error_and_keeps_the_old_file(tmp_path, extension, missing_bytes):
    """Also when the disk is full only as the file is closed, of which libsndfile tells nothing."""
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


def test_an_error_of_the_system_while_reading_is_an_audio_error(tmp_path, monkeypatch):
    audio.write(tmp_path / "a.wav", noise(10), RATE)

    def fail(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(soundfile.SoundFile, "read", fail)
    assert "Input/output error" in message(audio.read, tmp_path / "a.wav")


# Loudness


@pytest.mark.parametrize("extension", [".wav", ".flac"])
def test_loudness_is_measured_over_all_samples(tmp_path, extension):
    samples = noise(150_001, 2)  # more than two blocks
    samples[77_777, 1] = -0.95
    path = tmp_path / f"a{extension}"
    audio.write(path, samples, RATE)
    found = audio.loudness(path)
    assert found.peak == pytest.approx(0.95, abs=2**-23)  # of 24 bits
    assert found.mean_square == pytest.approx(np.mean(samples.astype(np.float64) ** 2), rel=1e-5)


def test_a_gain_is_asked_for_once_all_is_known(tmp_path):
    samples = noise(5000, 2, peak=3.0)
    asked = []

    def gain(found):
        asked.append(found)
        return 0.25

    written = audio.write_blocks(tmp_path / "a.wav", cut(samples, 700), RATE, 2, 32, gain)
    (found,) = asked
    assert found.peak == np.abs(samples).max()
    assert found.mean_square == pytest.approx(np.mean(samples.astype(np.float64) ** 2), rel=1e-6)
    loaded, _ = audio.read(tmp_path / "a.wav")
    np.testing.assert_array_equal(loaded, samples * np.float32(0.25))
    assert written == (RATE, 2, 5000, np.abs(loaded).max())
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(("extension", "bits"), LOSSLESS)
def test_a_gain_to_full_scale_is_no_overflow(tmp_path, extension, bits):
    samples = noise(5000, 2, peak=2.5)
    path = tmp_path / f"a{extension}"
    audio.write_blocks(path, [samples], RATE, 2, bits, lambda found: 1 / found.peak)
    loaded, _ = audio.read(path)
    step = 0 if bits == 32 else 2.0 ** (1 - bits)
    # The highest integer is a step below full scale; wrapped around it would be at the other end.
    np.testing.assert_allclose(loaded, samples / np.abs(samples).max(), atol=1.5 * step + 1e-6)


GAINS = pytest.mark.parametrize("gain", [None, lambda found: 0.5], ids=["limited", "scaled"])


@GAINS
def test_the_longest_name_can_be_written(tmp_path, gain):
    path = tmp_path / f"{'a' * 251}.wav"
    audio.write_blocks(path, [noise(500, 1)], RATE, 1, gain=gain)
    assert list(tmp_path.iterdir()) == [path]


@GAINS
def test_silence_stays_silence(tmp_path, gain):
    silence = np.zeros((500, 2), np.float32)
    assert audio.write_blocks(tmp_path / "a.wav", [silence], RATE, 2, gain=gain).peak == 0
    assert not audio.read(tmp_path / "a.wav")[0].any()


@GAINS
@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_interrupted_blocks_leave_what_was_there(tmp_path, gain, interruption):
    (tmp_path / "a.wav").write_bytes(b"old")

    def blocks():
        yield noise(100)
        raise interruption

    with pytest.raises(interruption):
        audio.write_blocks(tmp_path / "a.wav", blocks(), RATE, 1, gain=gain)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@GAINS
def test_blocks_of_what_is_no_number_are_an_error(tmp_path, gain):
    text = message(
        audio.write_blocks, tmp_path / "a.wav", [np.full((10, 1), np.nan)], RATE, 1, gain=gain
    )
    assert "NaN" in text
    assert str(tmp_path / "a.wav") in text
    assert list(tmp_path.iterdir()) == []


def test_floats_are_written_as_they_are(tmp_path):
    samples = np.concatenate([noise(3000, 2, peak=0.1), noise(3000, 2, peak=50.0)])
    written = audio.write_floats(tmp_path / "a.wav", cut(samples, 701), 44100, 2)
    loaded, rate = audio.read(tmp_path / "a.wav")
    np.testing.assert_array_equal(loaded, samples)
    assert written == (44100, 2, 6000, np.abs(samples).max())
    assert rate == 44100


@pytest.mark.parametrize(
    ("extension", "writable"),
    [(".wav", True), (".flac", True), (".ogg", True), (".mp3", False), ("", False), ("wav", False)],
)
def test_formats_that_can_be_written_are_known(tmp_path, extension, writable):
    assert audio.is_writable(extension) is writable
    if writable:
        audio.check_writable(tmp_path / f"a{extension}")


# Parts


@pytest.mark.parametrize(
    ("start", "seconds", "first", "count"),
    [(0.0, 0.5, 0, 4000), (0.25, None, 2000, 6000), (0.25, 0.5, 2000, 4000), (0.9, 5.0, 7200, 800)],
)
def test_an_excerpt_is_a_slice(tmp_path, start, seconds, first, count):
    samples = noise(RATE, 2)
    soundfile.write(tmp_path / "a.wav", samples, RATE, "FLOAT")
    with audio.excerpt(tmp_path / "a.wav", start, seconds) as part:
        loaded, rate = audio.read(part)
        assert rate == RATE
        np.testing.assert_array_equal(loaded, samples[first : first + count])
        assert audio.info(part).samples == count
    assert not part.exists()
    assert not part.parent.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_an_excerpt_of_all_is_the_file_itself(tmp_path):
    audio.write(tmp_path / "a.flac", noise(100), RATE)
    with audio.excerpt(tmp_path / "a.flac", 0.0, None) as part:
        assert part == tmp_path / "a.flac"
    assert part.exists()


def test_an_excerpt_has_a_sample_at_least(tmp_path):
    audio.write(tmp_path / "a.wav", noise(100), RATE)
    with audio.excerpt(tmp_path / "a.wav", 0.0, 1e-9) as part:
        assert audio.info(part).samples == 1


def test_an_excerpt_of_what_is_behind_the_end_is_an_error(tmp_path):
    audio.write(tmp_path / "a.wav", noise(RATE), RATE)
    for start in (1.0, 7.5):
        with (
            pytest.raises(AudioError, match=rf"start={start:g} s .*a\.wav' \(1\.00 s\)"),
            audio.excerpt(tmp_path / "a.wav", start, None),
        ):
            pass


def test_an_excerpt_of_nothing_is_an_error(tmp_path):
    with (
        pytest.raises(AudioError, match=r"gone\.wav' does not exist"),
        audio.excerpt(tmp_path / "gone.wav", 1.0, None),
    ):
        pass


def test_an_excerpt_goes_also_when_its_use_fails(tmp_path):
    audio.write(tmp_path / "a.wav", noise(RATE), RATE)
    with pytest.raises(KeyboardInterrupt), audio.excerpt(tmp_path / "a.wav", 0.5, None) as part:
        raise KeyboardInterrupt
    assert not part.exists()


# Streams


def test_mid_is_the_mean_of_the_channels():
    samples = noise(100, 3)
    middle = join(audio.mid(cut(samples, 7)))
    assert middle.shape == (100, 1)
    np.testing.assert_allclose(middle[:, 0], samples.mean(axis=1), atol=1e-7)  # float32
    np.testing.assert_array_equal(join(audio.mid([samples[:, :1]])), samples[:, :1])


RATES = [(44100, 22050), (22050, 44100), (48000, 44100), (8000, 11025), (44100, 16000)]


@pytest.mark.parametrize("length", [1, 13, 997, 4096])
@pytest.mark.parametrize("rates", RATES)
def test_resampling_does_not_depend_on_the_blocks(rates, length):
    samples = noise(5003, 2)
    np.testing.assert_array_equal(
        join(audio.resample(cut(samples, length), *rates)),
        join(audio.resample([samples], *rates)),
    )


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("hz", [100, 1000, 3000])
def test_a_sine_stays_a_sine_in_its_place(rates, hz):
    source_rate, target_rate = rates
    resampled = join(audio.resample([sine(source_rate // 2, hz, source_rate)], *rates))
    assert len(resampled) == pytest.approx(target_rate / 2, abs=1)
    expected = sine(len(resampled), hz, target_rate)
    # Half a sample's shift at the highest tone would be an error of 0.05 to 0.3. The sine is cut at
    # both ends, where the filter rings for some hundred samples.
    inside = slice(500, -500)
    np.testing.assert_allclose(resampled[inside], expected[inside], atol=1e-4)


def test_what_the_new_rate_cannot_hold_is_removed():
    resampled = join(audio.resample([sine(44100, 15_000, 44100)], 44100, 22050))
    # An alias would have amplitude 0.5; soxr's high quality promises 20 bits, less at the ends.
    assert np.abs(resampled[500:-500]).max() < 1e-5


def test_the_same_rate_is_passed_through():
    samples = noise(100, 2)
    for before, after in zip(
        cut(samples, 7), audio.resample(cut(samples, 7), RATE, RATE), strict=True
    ):
        np.testing.assert_array_equal(after, before)


def test_channels_are_resampled_alike():
    mono = noise(3000)
    both = join(audio.resample([np.concatenate([mono, -mono], axis=1)], 44100, 16000))
    np.testing.assert_array_equal(both[:, 0], -both[:, 1])


LENGTHS = [1, 3, 10, 64, 99, 100, 101, 1000]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("wanted", LENGTHS)
def test_rechunking_is_slicing(length, wanted):
    samples = noise(100, 2)
    chunks = list(audio.rechunk(cut(samples, length), wanted))
    slices = list(cut(samples, wanted))
    assert len(chunks) == len(slices)
    for chunk, expected in zip(chunks, slices, strict=True):
        np.testing.assert_array_equal(chunk, expected)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    ("start", "end"), [(0, 0), (5, 0), (0, 5), (13, 29), (50, 50), (60, 70), (100, 0), (0, 200)]
)
def test_trimming_is_slicing(length, start, end):
    samples = noise(100, 2)
    trimmed = list(audio.trim(cut(samples, length), start, end))
    expected = samples[start : max(100 - end, 0)]
    assert sum(len(block) for block in trimmed) == len(expected)
    if len(expected):
        np.testing.assert_array_equal(join(trimmed), expected)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("wanted", [*LENGTHS, None])
def test_the_head_is_a_slice(length, wanted):
    samples = noise(100, 2)
    np.testing.assert_array_equal(join(audio.head(cut(samples, length), wanted)), samples[:wanted])


def test_behind_the_head_nothing_is_asked_for():
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield noise(10)

    assert len(join(audio.head(endless(), 30))) == 30
    assert len(asked) == 3


def test_streams_of_nothing_stay_empty():
    for stream in (
        audio.head([], 5),
        audio.mid([]),
        audio.resample([], 44100, RATE),
        audio.rechunk([], 5),
        audio.trim([], 1, 1),
        audio.limit([], RATE),
    ):
        assert list(stream) == []


def test_streams_hold_no_more_than_they_need():
    """Constant memory: of an endless stream, a few blocks are asked for before the first comes."""
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield noise(1000)

    chain = audio.limit(audio.trim(audio.rechunk(endless(), 700), 100, 1500), RATE)
    next(chain)
    assert len(asked) < 10


# Limiter


def loud_passages(channels=2):
    """Quiet noise with single peaks, a loud passage, and peaks at both ends."""
    samples = noise(6000, channels, peak=0.5)
    samples[2000:2600] *= 6
    samples[[0, 1000, 1001, 4000, 5999], 0] = [3.0, -1.5, 1.2, 10.0, -2.0]
    return samples


@pytest.mark.parametrize("ceiling", [0.999, 0.5, 0.1])
def test_limited_samples_stay_under_the_ceiling(ceiling):
    limited = join(audio.limit([loud_passages()], RATE, ceiling))
    assert limited.dtype == np.float32
    assert np.abs(limited).max() <= ceiling * (1 + 2e-7)  # gain and product are rounded to float32


@pytest.mark.parametrize("length", [1, 10, 79, 80, 81, 1000])  # it looks ahead by 40 samples
def test_limiting_does_not_depend_on_the_blocks(length):
    samples = loud_passages()
    np.testing.assert_allclose(
        join(audio.limit(cut(samples, length), RATE)),
        join(audio.limit([samples], RATE)),
        rtol=1e-6,  # the sum of a convolution may be rounded otherwise
    )


@pytest.mark.parametrize("length", [1, 50, 3000])
def test_what_is_under_the_ceiling_is_not_touched(length):
    samples = noise(3000, 2, peak=CEILING)
    np.testing.assert_array_equal(join(audio.limit(cut(samples, length), RATE)), samples)


def test_what_is_far_from_a_peak_is_not_touched():
    samples = noise(3000, 2, peak=0.9)
    samples[1500] = 4.0
    limited = join(audio.limit([samples], RATE, look_ahead_seconds=0.005))
    changed = np.flatnonzero((limited != samples).any(axis=1))
    assert changed[0] >= 1500 - 2 * 40  # the gain falls and rises over twice the 5 ms
    assert changed[-1] <= 1500 + 2 * 40


def test_the_gain_is_smooth_and_the_same_for_both_channels():
    samples = np.full((3000, 2), 0.5, np.float32)
    samples[:, 1] = -0.25
    samples[1500, 0] = 4.0
    limited = join(audio.limit([samples], RATE))
    gain = limited / samples
    np.testing.assert_allclose(gain[:, 0], gain[:, 1], rtol=1e-6)  # float32
    assert gain.max() <= 1
    assert gain[1500, 0] == pytest.approx(CEILING / 4, rel=1e-6)
    # A Hann window of 81 samples that slides over a step of 0.75 moves it by at most 2/82 each.
    assert np.abs(np.diff(gain[:, 0])).max() <= 0.75 * 2 / 82 * 1.01


def test_silence_is_limited_to_silence():
    assert not join(audio.limit([np.zeros((500, 2), np.float32)], RATE)).any()


@pytest.mark.parametrize("extension", [".wav", ".flac", ".ogg", ".mp3", ".aiff", ".opus"])
def test_common_extensions_are_known(extension):
    assert extension in audio.EXTENSIONS
    assert ".txt" not in audio.EXTENSIONS


def test_the_head_of_an_mp3_is_called_damaged(tmp_path):
    soundfile.write(tmp_path / "whole.mp3", noise(RATE, 1), RATE)
    (tmp_path / "head.mp3").write_bytes((tmp_path / "whole.mp3").read_bytes()[:60])
    assert message(audio.read, tmp_path / "head.mp3").endswith("cannot be decoded: damaged data")


def test_an_empty_file_is_called_empty(tmp_path):
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match=r"empty.wav' is empty"):
        audio.Reader(tmp_path / "empty.wav")


def test_a_name_that_is_not_unicode_is_refused(tmp_path):
    path = tmp_path / "caf\udce9.wav"
    soundfile.write(path.open("wb"), noise(10, 1), RATE, format="WAV")
    assert "not valid Unicode; rename it" in message(audio.read, path)
