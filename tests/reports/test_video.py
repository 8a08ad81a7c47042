"""Videos of results, decoded again."""

import tracemalloc

import av
import numpy as np
import pytest
import soundfile
from calling import EAGERLY, answer, dream, invoke, refusal

from tfdream import audio
from tfdream.errors import AudioError, ConfigError
from tfdream.reports import video

RATE = 8000


@pytest.fixture(scope="module", autouse=True)
def _without_layout():
    """Draw figures with their layout here: the cursor is placed on the axes."""


def tone(path, hertz, channels=1):
    samples = 0.5 * np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE)
    soundfile.write(path, np.repeat(samples[:, np.newaxis], channels, axis=1), RATE)
    return path


def decoded(path):
    """Return the frames of a video as RGB, its samples `[channels, samples]` and their rate."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    return frames, np.concatenate(blocks, axis=1), rate


def hertz_of(samples, rate):
    return np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples)


def white_columns(frame):
    """Return the columns that are white in the middle of the spectrogram."""
    return np.flatnonzero((frame[200:560].min(axis=2) > 200).all(axis=0) & (
        np.arange(frame.shape[1]) < 1100))  # fmt: skip


@pytest.mark.slow
def test_a_cursor_moves_over_the_spectrogram_of_the_sound(tmp_path):
    path = tone(tmp_path / "a.wav", 440, channels=2)
    video.write(tmp_path / "out.mp4", [path], ["a title"])
    frames, samples, rate = decoded(tmp_path / "out.mp4")
    assert len(frames) == 50
    assert frames[0].shape == (720, 1280, 3)
    assert samples.shape[0] == 2
    assert samples.shape[1] / rate == pytest.approx(2, abs=0.1)
    assert hertz_of(samples[0], rate) == pytest.approx(440, abs=2)
    places = [np.median(white_columns(frames[number])[-2:]) for number in (10, 20, 30, 40)]
    assert np.diff(places) == pytest.approx(np.diff(places).mean(), abs=2)
    assert np.diff(places).min() > 150
    assert {file.name for file in tmp_path.iterdir()} == {"a.wav", "out.mp4"}


@pytest.mark.slow
def test_several_files_take_turns(tmp_path):
    paths = [tone(tmp_path / f"{hertz}.wav", hertz) for hertz in (440, 880)]
    video.write(tmp_path / "out.mp4", paths)
    frames, samples, rate = decoded(tmp_path / "out.mp4")
    half = samples.shape[1] // 2
    margin = rate // 10
    assert hertz_of(samples[0, margin : half - margin], rate) == pytest.approx(440, abs=4)
    assert hertz_of(samples[0, half + margin :], rate) == pytest.approx(880, abs=4)
    difference = np.abs(frames[20].astype(int) - frames[30]).mean()
    assert difference > 2 * np.abs(frames[10].astype(int) - frames[20]).mean()


def test_one_of_many_files_is_open_at_a_time(tmp_path, monkeypatch):
    """Constant signals show the turns and the fades, here longer than a turn."""
    paths = [tmp_path / f"{number}.wav" for number in range(40)]
    for number, path in enumerate(paths):
        soundfile.write(path, np.full((RATE, 3), number / 40), RATE, "FLOAT")
    open_files, most = [], []
    reader = audio.Reader

    class Counted(reader):
        def __init__(self, path):
            super().__init__(path)
            open_files.append(path)
            most.append(len(open_files))

        def __exit__(self, *_):
            open_files.remove(self.path)
            super().__exit__()

    monkeypatch.setattr(audio, "Reader", Counted)
    mixed = np.concatenate(list(video._turns(paths, 1.0)))
    assert (max(most), open_files) == (1, [])
    assert mixed.shape == (RATE, 2)
    turn, fade = RATE / 40, 0.05 * RATE
    expected = np.zeros(RATE)
    for number in range(1, 40):
        weight = np.clip((np.arange(RATE) - number * turn) / fade, 0, 1)
        expected += weight * (number / 40 - expected)
    np.testing.assert_allclose(mixed[:, 0], expected, atol=1e-6)


def test_blocks_are_not_kept_in_memory(tmp_path):
    path, seconds = tmp_path / "a.wav", 400
    soundfile.write(path, np.zeros((seconds * RATE, 1)), RATE, "PCM_16")
    tracemalloc.start()
    try:
        samples = sum(len(block) for block in video._turns([path], seconds))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert samples == seconds * RATE
    whole_bytes = samples * np.dtype(np.float32).itemsize
    assert peak_bytes < whole_bytes / 4


def test_a_codec_that_every_build_has_replaces_a_missing_one(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    video.write(tmp_path / "out.mp4", [tone(tmp_path / "a.wav", 440)])
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"


def test_videos_that_cannot_be_written_are_errors(tmp_path):
    path = tone(tmp_path / "a.wav", 440)
    with pytest.raises(ConfigError, match=r"does not end in \.mp4"):
        video.write(tmp_path / "out.avi", [path])
    with pytest.raises(ConfigError, match="is a folder"):
        (tmp_path / "folder.mp4").mkdir()
        video.write(tmp_path / "folder.mp4", [path])
    with pytest.raises(ConfigError, match="would replace its own input"):
        (tmp_path / "film.mp4").touch()
        video.write(tmp_path / "film.mp4", [path, tmp_path / "film.mp4"])
    with pytest.raises(AudioError, match="does not exist"):
        video.write(tmp_path / "out.mp4", [tmp_path / "gone.wav"])
    assert {file.name for file in tmp_path.iterdir()} == {"a.wav", "film.mp4", "folder.mp4"}


@EAGERLY
def test_a_dream_is_filmed_step_by_step(trained, song, tmp_path):
    output = tmp_path / "out.wav"
    call = dream(trained, song, output, "--video", tmp_path / "out.mp4", steps=2)
    answer(*call, "--save-every", 1, "--seconds", 1)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].frames == 25
    assert "does not end in .mp4" in refusal(
        *dream(trained, song, tmp_path / "b.wav", "--video", tmp_path / "b.mov")
    )
    film = tmp_path / "film.mp4"
    film.write_bytes((tmp_path / "out.mp4").read_bytes())
    assert "would replace its own input" in refusal(
        *dream(trained, film, tmp_path / "b.wav", "--video", film)
    )
    assert film.read_bytes() == (tmp_path / "out.mp4").read_bytes()
    several = invoke(*dream(trained, song, song, tmp_path, "--video", tmp_path / "c.mp4"))
    assert (several.exit_code, "and --video need one file as AUDIO" in several.stderr) == (2, True)
