"""Every file is decoded up to its last sample, whatever its header states."""

import numpy as np
import pytest
import soundfile
from audio_files import decoded, encode, with_frames, without_xing
from strategies import noise

from tfdream import audio

RATE = 44100
SAMPLES = 30_000


def sines(samples=SAMPLES, channels=2, rate=RATE):
    """Smooth sound, which lossy codecs preserve."""
    seconds = np.arange(samples) / rate
    hz = 220 * np.arange(1, channels + 1)
    return (0.5 * np.sin(2 * np.pi * hz * seconds[:, None])).astype(np.float32)


def read(path):
    """Return samples, header and damage."""
    with audio.Reader(path) as reader:
        return np.concatenate(list(reader.blocks())), reader.info, reader.damage


@pytest.fixture(scope="module")
def mp3(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("mp3") / "a.mp3", sines(), RATE, "libmp3lame")


LOSSY = [
    ("a.mp3", "libmp3lame", None),
    ("a.m4a", "aac", None),
    ("a.mp4", "aac", None),
    ("a.aac", "aac", "adts"),
    ("a.mka", "aac", None),
    ("a.opus", "libopus", None),
    ("a.webm", "libopus", None),
    ("a.ac3", "ac3", None),
    ("a.wma", "wmav2", None),
]


@pytest.mark.parametrize(("name", "codec", "container"), LOSSY)
def test_lossy_formats_are_read_whole_and_aligned(tmp_path, name, codec, container):
    rate = 48000 if codec == "libopus" else RATE
    original = sines(rate=rate)
    path = encode(tmp_path / name, original, rate, codec, container)
    samples, info, damage = read(path)
    assert info[:2] == (rate, 2)
    assert info.samples is None
    assert not damage
    assert damage.decoded_samples == audio.count_samples(path) == len(samples)
    assert audio.seconds(path) == len(samples) / audio.info(path).sample_rate
    np.testing.assert_array_equal(samples, decoded(path))
    if name in ("a.mp3", "a.m4a", "a.mp4", "a.opus", "a.webm"):  # their headers have the delay
        assert 0 <= len(samples) - len(original) < 2048
        middle = slice(5000, 20_000)
        error = np.linalg.norm(samples[middle] - original[middle])
        assert error < 0.1 * np.linalg.norm(original[middle])


@pytest.mark.parametrize(
    ("name", "codec", "sample_format", "bits"),
    [
        ("a.m4a", "alac", "s16p", 16),
        ("b.m4a", "alac", "s32p", 24),
        ("a.mka", "flac", "s16", 16),
        ("a.ogg", "flac", "s32", 24),
        ("a.tta", "tta", "s16", 16),
    ],
)
def test_lossless_formats_are_exact(tmp_path, name, codec, sample_format, bits):
    steps = 2.0 ** (bits - 1)
    original = np.round(noise(SAMPLES, 2) * steps) / steps
    path = encode(tmp_path / name, original, RATE, codec, sample_format=sample_format)
    samples, info, damage = read(path)
    np.testing.assert_array_equal(samples, original.astype(np.float32))
    assert info.samples in (SAMPLES, None)  # mka rounds it to milliseconds
    assert not damage


@pytest.mark.parametrize(
    ("name", "codec", "sample_format"),
    [("a.wv", "wavpack", "s16p"), ("a.mka", "pcm_s16le", "s16"), ("a.tta", "tta", "s16")],
)
@pytest.mark.parametrize("channels", [6, 8])
def test_each_of_many_channels_is_read(tmp_path, name, codec, sample_format, channels):
    original = np.round(noise(SAMPLES, channels) * 2**15) / 2**15
    path = encode(tmp_path / name, original, RATE, codec, sample_format=sample_format)
    np.testing.assert_array_equal(read(path)[0], original.astype(np.float32))


@pytest.mark.parametrize("bits", [16, 24])
def test_alac_of_whole_packets_in_caf_is_complete(tmp_path, bits):
    """libav loses the last packet, and so all of the shorter file."""
    for length in (4096, 3 * 4096):
        original = sines(length)
        soundfile.write(tmp_path / "a.caf", original, RATE, f"ALAC_{bits}", format="CAF")
        samples, info, damage = read(tmp_path / "a.caf")
        np.testing.assert_allclose(samples, original, atol=2.0 ** (1 - bits))
        assert info.samples == length
        assert not damage


def test_alac_of_32_bits_in_caf_is_exact(tmp_path):
    """libsndfile decodes packets that are not compressed, such as those of noise, wrongly."""
    original = noise(SAMPLES, 1)
    soundfile.write(tmp_path / "a.caf", original, RATE, "ALAC_32", format="CAF")
    np.testing.assert_allclose(read(tmp_path / "a.caf")[0], original, atol=2.0**-24)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_flac_decodes_to_the_bits_of_libsndfile(tmp_path, subtype):
    soundfile.write(tmp_path / "a.flac", noise(SAMPLES, 2), RATE, subtype)
    expected, _ = soundfile.read(tmp_path / "a.flac", dtype="float32")
    np.testing.assert_array_equal(read(tmp_path / "a.flac")[0], expected)


def test_mp3_with_a_missing_or_wrong_length_is_read_whole(tmp_path, mp3):
    content = mp3.read_bytes()
    for name, changed in {
        "missing": without_xing(content),
        "half": with_frames(content, 13),
        "joined": content + content,
        "named.wav": content,
    }.items():
        path = tmp_path / name
        path.write_bytes(changed)
        samples, info, damage = read(path)
        assert info.samples is None
        # Without the header, the delay, padding and the frame of the header are decoded as well.
        whole = 2 * SAMPLES if name == "joined" else SAMPLES
        assert whole <= len(samples) < whole + 3 * 1152
        assert not damage.truncated


def test_a_truncated_mp3_is_decoded_and_reported(tmp_path, mp3):
    path = tmp_path / "half.mp3"
    path.write_bytes(mp3.read_bytes()[: mp3.stat().st_size // 2])
    samples, _, damage = read(path)
    assert 0.3 * SAMPLES < len(samples) < 0.7 * SAMPLES
    assert damage.truncated
    assert SAMPLES <= damage.expected_samples < SAMPLES + 3 * 1152


def test_noise_inside_an_mp3_is_skipped_and_counted(tmp_path, mp3):
    content = bytearray(mp3.read_bytes())
    content[3000:3600] = np.random.default_rng(1).bytes(600)
    (tmp_path / "a.mp3").write_bytes(content)
    samples, _, damage = read(tmp_path / "a.mp3")
    assert len(samples) > 0.7 * SAMPLES
    assert damage.errors > 0


def test_flac_without_a_length_or_its_start_is_read_whole(tmp_path):
    original = noise(200_000, 1, seed=3)
    path = tmp_path / "a.flac"
    soundfile.write(path, original, RATE, "PCM_16")
    content = bytearray(path.read_bytes())
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    # The last 36 bits of these 8 bytes of the first metadata block are the number of samples.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    samples, info, damage = read(path)
    np.testing.assert_array_equal(samples, expected)
    assert info.samples is None
    assert not damage


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_truncated_flac_is_decoded_and_reported(tmp_path, share):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(50_000), RATE, "PCM_16")
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    samples, info, damage = read(path)
    assert 0 < len(samples) < 50_000
    np.testing.assert_array_equal(samples, expected[: len(samples)])
    assert info.samples == damage.expected_samples == 50_000
    assert damage.truncated


def test_rate_and_channels_that_change_midway_are_converted_to_the_first(tmp_path):
    # libav takes the rate of the first frame from the first five seconds.
    first = encode(tmp_path / "a.mp3", sines(96_000, 1, 16_000), 16_000, "libmp3lame")
    second = encode(tmp_path / "b.mp3", sines(44_100, 2), RATE, "libmp3lame")
    (tmp_path / "c.mp3").write_bytes(first.read_bytes() + second.read_bytes())
    samples, info, damage = read(tmp_path / "c.mp3")
    assert info[:2] == (16_000, 1)
    assert 112_000 <= len(samples) < 112_000 + 4 * 1152
    assert not damage.truncated


def test_the_first_audio_stream_of_a_video_is_read(tmp_path):
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=5)
        video.width = video.height = 32
        sound = file.add_stream("aac", rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sines(10_240).T), "fltp", "stereo")
        frame.sample_rate = RATE
        for part in (frame, None):
            file.mux(sound.encode(part))
        for _ in range(5):
            file.mux(video.encode(av.VideoFrame(32, 32, "yuv420p")))
        file.mux(video.encode(None))
    samples, info, damage = read(path)
    assert info[:2] == (RATE, 2)
    assert len(samples) >= 10_240
    assert not damage


def wav(path, size):
    """Write a wav file of 1000 samples whose header declares `size` bytes of samples."""
    soundfile.write(path, noise(1000, 1), RATE, "PCM_16")
    content = bytearray(path.read_bytes())
    content[40:44] = size.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF - 36, 0xFFFFFFFF - 36, 0])
def test_the_length_of_a_stream_is_not_truncation(tmp_path, size):
    samples, info, damage = read(wav(tmp_path / "a.wav", size))
    assert len(samples) == info.samples == 1000
    assert not damage


@pytest.mark.parametrize("extension", ["wav", "aiff", "w64", "au", "rf64"])
def test_a_truncated_pcm_file_is_decoded_and_reported(tmp_path, extension):
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, noise(4000, 1), RATE, "PCM_16")
    path.write_bytes(path.read_bytes()[:5000])
    samples, info, damage = read(path)
    assert 2000 < len(samples) == info.samples < 2500
    assert damage.truncated
    assert damage.expected_samples == pytest.approx(4000, rel=0.02)


def test_chained_and_truncated_ogg_files(tmp_path):
    path = tmp_path / "a.ogg"
    soundfile.write(path, noise(200_000, 1, seed=1), RATE)
    content = path.read_bytes()
    samples, info, damage = read(path)
    assert len(samples) == info.samples == 200_000
    assert not damage
    path.write_bytes(content + content)
    assert len(read(path)[0]) == pytest.approx(400_000, abs=2048)
    path.write_bytes(content[: len(content) // 2])
    samples, _, damage = read(path)
    assert 0 < len(samples) < 150_000
    assert damage.truncated


def test_damage_is_available_after_the_last_block(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(3000, 1), RATE)
    with audio.Reader(tmp_path / "a.wav") as reader:
        assert reader.damage is None
        list(reader.blocks())
        assert reader.damage == audio.Damage(3000, 3000)


@pytest.mark.parametrize(
    "names", ["'song.xyz' 'song.wav'", "'song.wav' 'song.flac'", "'song.WAV' 'song.flac'"]
)
def test_an_unknown_format_says_how_to_convert_it(tmp_path, message, names):
    path = tmp_path / names.split("'")[1]
    path.write_bytes(bytes(range(256)) * 8)
    assert f"ffmpeg -i {names}" in message(audio.read, path)


def test_playlists_do_not_open_other_files(tmp_path, message):
    soundfile.write(tmp_path / "a.wav", noise(3000, 1), RATE)
    playlists = {
        "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.wav\n#EXT-X-ENDLIST\n",
        "list.mp3": "ffconcat version 1.0\nfile a.wav\n",
    }
    for name, text in playlists.items():
        (tmp_path / name).write_text(text)
        message(audio.read, tmp_path / name)
