"""Parts of recordings and loops."""

import numpy as np
import pytest
import soundfile
from calling import invoke
from strategies import noise

from tfdream import audio
from tfdream.commands.rendering import _stems
from tfdream.config import FilterConfig, RenderConfig
from tfdream.errors import AudioError, ConfigError
from tfdream.synthesis.rendering.mixdown import seam
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.rendering.process import process_file
from tfdream.synthesis.rendering.sources import prepared
from tfdream.synthesis.rendering.tiles import TileGrid

RATE = 8000
SAMPLES = 3 * RATE
CONFIG = RenderConfig(tiles={"overlap_seconds": 0.25})


class Change:
    """Replaces tiles by a function of their channels and times; a tile processor."""

    sample_rate, steps, goal = RATE, 1, None
    grid = TileGrid(samples=RATE, overlap=RATE // 4)

    def __init__(self, function):
        self.function, self.compared = function, []

    def process(self, tiles, on_step=lambda value, render: None, apply=True):
        seconds = (tiles.starts[:, np.newaxis] + np.arange(self.grid.samples)) / RATE
        changed = self.function(tiles.channels, seconds[..., np.newaxis])
        return changed.astype(np.float32), {}

    def compare(self, original, changed):
        self.compared.append((original.waveforms, changed.waveforms))
        return {}


@pytest.fixture
def path(tmp_path):
    """Noise in two channels; of a file with 32 bits."""
    path = tmp_path / "in.wav"
    soundfile.write(path, noise(SAMPLES, 2, peak=0.3), RATE, "FLOAT")
    return path


def process(path, function, config=CONFIG, **options):
    """Return the output of a change, and the processor."""
    processor, output = Change(function), path.with_name("out.wav")
    options = RenderOptions(bits=32, **options)
    with prepared(path, options, config) as source:
        result = process_file(source, output, processor, config, options)
    return soundfile.read(output, dtype="float32")[0], processor, result


# Parts


def test_a_part_and_its_rest_are_the_recording(path):
    original, _ = soundfile.read(path, dtype="float32")
    for part in ("harmonic", "percussive", "mid", "side"):
        output, _, result = process(path, lambda channels, seconds: channels, part=part)
        np.testing.assert_allclose(output, original, atol=1e-7)  # half a unit of float32
        assert (result["channels"], result["samples"]) == original.shape[::-1]


@pytest.mark.parametrize("options", [{"seconds": 2.0}, {"loop": True}, {"part": "mid"}])
def test_messages_name_the_file_of_the_caller(tmp_path, caplog, options):
    soundfile.write(tmp_path / "in.wav", noise(SAMPLES, 2, peak=0.3) + 0.2, RATE, "FLOAT")
    process(tmp_path / "in.wav", lambda channels, _: channels, **options)
    assert f"'{tmp_path / 'in.wav'}': DC offset of 0.2" in caplog.text


def test_notes_are_those_of_the_recording_and_of_the_part(tmp_path):
    """The recording is truncated and has two equal channels, so that their difference is silent."""
    path, stem = tmp_path / "in.wav", tmp_path / "drums.wav"
    sound = noise(SAMPLES, 1, peak=0.3) * [1, 1]
    soundfile.write(path, sound, RATE, "FLOAT")
    path.write_bytes(path.read_bytes()[: -8 * RATE])
    soundfile.write(stem, 0.2 + 0 * sound[:-RATE], RATE, "FLOAT")
    truncated = "truncated: header states 3.00 s, decoded 2.00 s"
    for options, expected in (
        ({}, []),
        ({"part": "side"}, ["the part 'side': silent"]),
        ({"part": "side", "seconds": 1.5}, ["the part 'side': silent"]),
        ({"part": "side", "loop": True}, ["the part 'side': silent"]),
        (
            {"part": "drums", "stems": {"drums": str(stem)}},
            ["the part 'drums': silent", "the part 'drums': DC offset of 0.20"],
        ),
    ):
        _, _, result = process(path, lambda channels, _: channels, **options)
        assert result["notes"] == [truncated, *expected], options


def test_only_the_part_changes(path):
    original, _ = soundfile.read(path, dtype="float32")
    for part, sign in (("mid", 1), ("side", -1)):
        output, processor, _ = process(path, lambda channels, seconds: 0 * channels, part=part)
        removed = (original[:, 0] + sign * original[:, 1]) / 2
        expected = original - np.stack([removed, sign * removed], axis=1)
        np.testing.assert_allclose(output, expected, atol=1e-6)
        before, after = processor.compared[1]
        np.testing.assert_allclose(before[0], removed[6000:14000], atol=1e-6)
        np.testing.assert_allclose(after, 0, atol=1e-6)


@pytest.mark.parametrize(
    "filters",
    [
        {"low_hz": 300},
        {"low_hz": 300, "high_hz": 2000},
        {"gate_db": -40},  # exact, because nothing of the part is left
    ],
)
@pytest.mark.parametrize("loop", [False, True])
def test_measures_are_those_of_the_filtered_part(path, filters, loop):
    config = CONFIG.model_copy(update={"filter": FilterConfig(**filters)})
    options = {"part": "harmonic", "loop": loop}
    _, processor, _ = process(path, lambda channels, _: 0 * channels, config, **options)
    for _, after in processor.compared:
        np.testing.assert_allclose(after, 0, atol=1e-6)


def test_a_short_recording_is_separated_without_padding(path, monkeypatch):
    lengths = []

    def separate(channels):
        lengths.append(channels.shape[-1])
        return channels, channels

    monkeypatch.setattr("librosa.effects.hpss", separate)
    with prepared(path, RenderOptions(part="harmonic"), CONFIG):
        assert lengths == [SAMPLES]


def test_clicks_are_percussive_and_tones_harmonic(tmp_path):
    seconds = np.arange(SAMPLES) / RATE
    tone = 0.2 * np.sin(2 * np.pi * 440 * seconds)
    clicks = np.zeros(SAMPLES)
    clicks[2000::4000] = 0.8
    soundfile.write(tmp_path / "in.wav", tone + clicks, RATE, "FLOAT")
    inside = slice(2500, -2500)
    for part, expected in (("harmonic", clicks), ("percussive", tone)):
        rest, _, _ = process(tmp_path / "in.wav", lambda channels, _: 0 * channels, part=part)
        error = np.square(rest - expected)[inside].sum() / np.square(expected)[inside].sum()
        assert error < 0.15, part


@pytest.mark.parametrize("name", ["rest", "component", "あ" * 83])
def test_the_name_of_a_recording_does_not_change_its_parts(path, name):
    renamed = path.rename(path.with_name(f"{name}.wav"))
    original, _ = soundfile.read(renamed, dtype="float32")
    for part in ("harmonic", "mid"):
        output, _, _ = process(renamed, lambda channels, _: channels, part=part, loop=True)
        np.testing.assert_allclose(output[: RATE // 2], original[: RATE // 2], atol=1e-6)


def test_separation_does_not_depend_on_the_level(tmp_path):
    """The harmonic part of a loud file exceeds full scale."""
    sound = noise(SAMPLES, 1, peak=0.1) + 0.3 * np.sin(np.arange(SAMPLES) / 5)[:, np.newaxis]
    rests = []
    for factor in (1, 8):
        soundfile.write(tmp_path / "in.wav", factor * sound, RATE, "FLOAT")
        with prepared(tmp_path / "in.wav", RenderOptions(part="harmonic"), CONFIG) as source:
            rests.append(soundfile.read(source.mixdown.rest)[0] / factor)
    np.testing.assert_allclose(rests[1], rests[0], atol=1e-6)


def test_the_rest_of_a_stem_is_bit_identical(path, tmp_path):
    drums = noise(SAMPLES, 2, peak=0.2, seed=1)
    drums[RATE:] = 0
    soundfile.write(tmp_path / "drums.wav", drums, RATE, "FLOAT")
    options = {"part": "drums", "stems": {"drums": str(tmp_path / "drums.wav"), "bass": str(path)}}
    original, _ = soundfile.read(path, dtype="float32")
    output, _, _ = process(path, lambda channels, _: 2 * channels, **options)
    np.testing.assert_array_equal(output[RATE:], original[RATE:])
    np.testing.assert_allclose(output, original + drums, atol=1e-6)
    part = {"start_seconds": 0.5, "seconds": 1.5}
    excerpt, _, _ = process(path, lambda channels, _: 2 * channels, **options, **part)
    np.testing.assert_array_equal(excerpt[RATE // 2 :], original[RATE : 2 * RATE])
    np.testing.assert_allclose(excerpt, output[RATE // 2 : 2 * RATE], atol=1e-6)


def test_parts_that_do_not_fit_are_errors(path, tmp_path):
    soundfile.write(tmp_path / "mono.wav", noise(SAMPLES), RATE)
    soundfile.write(tmp_path / "short.wav", noise(100, 2), RATE)
    for source, options, words in (
        (path, {"part": "bass"}, "none of harmonic"),
        (path, {"stems": {"a": "b.wav"}}, "stems are given"),
        (
            path,
            {"part": "a", "stems": {"a": "mono.wav"}},
            r"mono.wav' has 8000 Hz and 1 channel, .* 2 channels;",
        ),
        (
            path,
            {"part": "a", "stems": {"a": "short.wav"}},
            "short.wav' has 100 samples, the recording",
        ),
        (tmp_path / "mono.wav", {"part": "side"}, "needs 2 channels"),
    ):
        stems = {name: str(tmp_path / file) for name, file in options.get("stems", {}).items()}
        with pytest.raises((AudioError, ConfigError), match=words):
            process(source, lambda channels, _: channels, **{**options, "stems": stems})
    assert not (tmp_path / "out.wav").exists()
    result = invoke("dream", path, tmp_path / "out.wav", "--stems", "a")
    assert (result.exit_code, "is not NAME=AUDIO" in result.stderr) == (2, True)
    result = invoke("dream", path, tmp_path / "out.wav", "--stems", "a=b.wav,a=c.wav")
    assert (result.exit_code, "'a' is given twice" in result.stderr) == (2, True)


def test_paths_of_stems_may_have_commas():
    stems = _stems(None, None, ("drums=a,b.wav,bass=c.wav", "rest=d.wav"))
    assert stems == {"drums": "a,b.wav", "bass": "c.wav", "rest": "d.wav"}


@pytest.mark.parametrize(
    ("text", "stems"),
    [
        ("drums=a,c=d.wav", {"drums": "a,c=d.wav"}),
        ("drums=a,c=d.wav,bass=c.wav", {"drums": "a,c=d.wav", "bass": "c.wav"}),
        ("bass=c.wav,drums=a,c=d.wav", {"bass": "c.wav", "drums": "a,c=d.wav"}),
    ],
)
def test_paths_of_existing_stems_are_not_split(text, stems, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("a,c=d.wav", "c.wav"):
        (tmp_path / path).touch()
    assert _stems(None, None, (text,)) == stems


def test_the_loudness_is_that_of_the_filtered_recording(tmp_path):
    """What a filter removes is not replaced by a gain of what is left."""
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(SAMPLES) / RATE)
    soundfile.write(tmp_path / "in.wav", tone, RATE, "FLOAT")
    config = RenderConfig(normalize="loudness", filter={"low_hz": 2000})
    output, _, result = process(tmp_path / "in.wav", lambda channels, _: channels / 2, config)
    assert result["gain_db"] == pytest.approx(6.02, abs=0.01)
    assert np.abs(output[RATE:-RATE]).max() < 0.001


# Loops


@pytest.fixture
def loop(tmp_path):
    """A tone of 440 Hz, whose end continues into its start."""
    path = tmp_path / "in.wav"
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(SAMPLES) / RATE)
    soundfile.write(path, tone, RATE, "FLOAT")
    return path


def test_a_change_of_a_loop_has_no_step_at_its_seam(loop):
    def drift(channels, seconds):
        return channels * (1 + 0.3 * seconds)

    output, _, result = process(loop, drift)
    _, _, looped = process(loop, drift, loop=True)
    assert "seam_step" not in result
    assert seam(loop.with_name("out.wav")) == {
        name: looped[name] for name in ("seam_step", "largest_step")
    }
    assert looped["seam_step"] <= looped["largest_step"]
    assert len(output) == looped["samples"] == SAMPLES


def test_a_random_change_of_a_loop_is_continuous_at_its_seam(loop):
    """Each tile has another level, as if each were optimized to another result."""
    levels = iter([0.9, 0.1, 0.8, 0.2, 0.7, 0.3])

    def vary(channels, _):
        return channels + next(levels) / 4

    _, _, looped = process(loop, vary, loop=True)
    assert looped["seam_step"] <= looped["largest_step"]


@pytest.mark.parametrize("stated", [SAMPLES // 2, 2 * SAMPLES])
def test_a_loop_has_the_decoded_length_whatever_the_header_states(tmp_path, stated):
    path = tmp_path / "in.flac"
    soundfile.write(path, noise(SAMPLES, 1, peak=0.3), RATE)
    content = bytearray(path.read_bytes())
    content[22:26] = stated.to_bytes(4, "big")  # the low bits of the number of samples
    path.write_bytes(content)
    assert audio.count_samples(path) == SAMPLES
    output, _, result = process(path, lambda channels, _: channels, loop=True)
    assert len(output) == result["samples"] == SAMPLES


@pytest.mark.parametrize("seconds", [3.0, 0.25])
def test_the_start_of_a_filtered_loop_follows_its_end(tmp_path, seconds):
    """Filtered without the end before it, it would have a transient of 0.03 after the seam."""
    path, count = tmp_path / "in.wav", round(seconds * RATE)
    times = np.arange(count) / RATE
    tones = (0.3 * np.sin(2 * np.pi * hertz * times) for hertz in (16, 56, 1000))
    soundfile.write(path, sum(tones), RATE, "FLOAT")
    config = RenderConfig(tiles={"overlap_seconds": 0}, filter={"low_hz": 40}, normalize="limit")
    output, _, _ = process(path, lambda channels, _: channels, config, loop=True)
    original, _ = soundfile.read(path, dtype="float32")
    repeated = np.tile(original, 9 if seconds < 1 else 3)[:, np.newaxis]
    expected = np.concatenate(list(audio.apply_filters([repeated], RATE, config.filter)))
    middle = len(repeated) // count // 2 * count
    np.testing.assert_allclose(output, expected[middle : middle + count, 0], atol=1e-3)


def test_a_loop_shorter_than_a_tile_is_repeated_to_its_end(loop):
    """The tone has whole periods in 0.1 s, so a repetition continues it."""
    sound, _ = soundfile.read(loop, dtype="float32")
    soundfile.write(loop, sound[: RATE // 10], RATE, "FLOAT")
    seen = []

    def change(channels, _):
        seen.append(channels[0, :, 0])
        return channels

    _, processor, result = process(loop, change, loop=True)
    np.testing.assert_allclose(seen[0], sound[:RATE], atol=1e-6)
    for compared in processor.compared[0]:
        np.testing.assert_allclose(compared[0], sound[:RATE], atol=1e-6)
    assert result["notes"] == []
    _, _, result = process(loop, change)
    assert result["notes"] == ["padded from 0.10 s"]


def test_an_unchanged_loop_is_the_recording(path):
    original, _ = soundfile.read(path, dtype="float32")
    output, processor, _ = process(path, lambda channels, _: channels, part="side", loop=True)
    np.testing.assert_allclose(output, original, atol=2e-7)
    for before, after in processor.compared:
        np.testing.assert_allclose(before, after, atol=1e-6)
