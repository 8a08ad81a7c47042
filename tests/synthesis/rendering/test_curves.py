"""Curves: settings over time, in seconds, in beats, or from another recording."""

import numpy as np
import pytest
import soundfile
from calling import EAGERLY, dream, invoke

from tfdream.commands.options import as_overrides
from tfdream.commands.rendering import Rendering, parse_follower
from tfdream.config import (
    CurveConfig,
    DreamConfig,
    GenerateConfig,
    MusaicConfig,
    RhythmConfig,
    TimbreConfig,
    TranslateConfig,
    load,
    validate,
)
from tfdream.errors import AudioError, ConfigError
from tfdream.signal.rhythm import find_beats
from tfdream.signal.timbre import MelAnalysis, normalize_power
from tfdream.synthesis.dream import Dreamer
from tfdream.synthesis.generate import FrameGenerator
from tfdream.synthesis.mapping.content import ContentGains
from tfdream.synthesis.rendering.curved_processor import CurvedProcessor
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.rendering.process import process_file
from tfdream.synthesis.rendering.sources import Source
from tfdream.synthesis.rendering.tiles import TileGrid
from tfdream.synthesis.rendering.timelines import Timeline, Timelines

RATE = 8000
SECONDS = np.arange(0, 4, 0.01)


def value(seconds, **settings):
    return Timeline.sample(CurveConfig(**settings), 4)(seconds)


# Curves


def test_values_between_points_are_eased():
    points = [[0.5, 0.2], [1.5, 1.0], [3, 0.5]]
    linear = value(SECONDS, points=points)
    np.testing.assert_allclose(linear, np.interp(SECONDS, *np.array(points).T), atol=1e-5)
    smooth = value(SECONDS, points=points, easing="smooth")
    assert smooth[SECONDS == 1.0] == pytest.approx(0.6)
    assert np.abs(np.diff(smooth)).max() < 1.6 * np.abs(np.diff(linear)).max()
    step = value(SECONDS, points=points, easing="step")
    assert set(step.round(3)) == {np.float32(each) for each in (0.2, 1.0, 0.5)}


def test_a_curve_repeats_with_the_time_of_its_last_point():
    saw = value(SECONDS, points=[[0, 0], [1, 1]], repeat=True)
    inside = (SECONDS % 1 > 0.01) & (SECONDS % 1 < 0.99)
    np.testing.assert_allclose(saw[inside], SECONDS[inside] % 1, atol=1e-4)


def test_beats_of_a_tempo_begin_with_the_output():
    at_90 = value(SECONDS, points=[[0, 0], [3, 1]], unit="beats", tempo=90)
    np.testing.assert_allclose(at_90, np.minimum(SECONDS / 2, 1), atol=1e-5)


def test_a_loop_has_the_values_of_its_start_after_its_end():
    line = Timeline.sample(CurveConfig(points=[[0, 0], [1, 1]]), 1, period_seconds=1.0)
    np.testing.assert_allclose(line([0.25, 1.25]), [0.25, 0.25], atol=1e-5)


@pytest.mark.parametrize("period_seconds", [1.0, 0.9973])
def test_the_end_of_a_loop_continues_into_its_start(period_seconds):
    curve = CurveConfig(points=[[0, 0], [1, 1]])
    line = Timeline.sample(curve, period_seconds, period_seconds=period_seconds)
    seconds = period_seconds + np.arange(-0.01, 0.01, 1e-5)
    # Within 5 ms, the value falls from its highest one to 0: by 0.002 in 10 µs.
    assert np.abs(np.diff(line(seconds))).max() < 0.0021
    assert line(period_seconds - 0.006) > 0.97
    assert line(period_seconds) == pytest.approx(0, abs=1e-5)


@pytest.fixture(scope="module")
def drums(tmp_path_factory):
    """Noise bursts, two in a second, one of them at 0.3 s; every fourth one has a bass."""
    seconds = np.arange(8 * RATE) / RATE
    since = (seconds - 0.3) % 0.5
    samples = np.random.default_rng(0).uniform(-0.3, 0.3, len(seconds)) * np.exp(-30 * since)
    is_first = np.floor((seconds - 0.3) / 0.5) % 4 == 0
    samples += 0.5 * is_first * np.sin(2 * np.pi * 80 * seconds) * np.exp(-10 * since)
    path = tmp_path_factory.mktemp("drums") / "drums.wav"
    soundfile.write(path, samples, RATE)
    return path


def test_beats_are_detected(drums):
    points = {"points": [[0, 0], [1, 1], [2, 1]], "easing": "step", "repeat": True}
    config = DreamConfig(curves={"mix": {"unit": "beats", **points}})
    mix = Timelines.of(config, drums).continuous["mix"]
    values = mix(0.55 + 0.5 * np.arange(2, 13))  # in the middle of successive beats
    assert set(values.round(3)) == {0, 1}
    assert (values[1:] != values[:-1]).all()
    assert (mix(0.38 + 0.5 * np.arange(2, 13)) == values).all()


@pytest.mark.parametrize("tempo", [50, 60, 120])
def test_the_tempo_of_a_pattern_of_drums_is_found(tempo):
    """A kick or a snare on every beat, and a hi-hat between two beats."""
    rate, seconds = 22050, 24
    time = np.arange(rate * seconds) / rate
    place = time * tempo / 60
    since = (place % 1) * 60 / tempo
    noise = np.random.default_rng(0).uniform(-1, 1, len(time))
    kick = np.sin(2 * np.pi * 60 * time) * np.exp(-15 * since) * (place % 2 < 1)
    snare = noise * np.exp(-30 * since) * (place % 2 >= 1)
    hat = np.diff(noise, prepend=0) * np.exp(-60 * (((place + 0.5) % 1) * 60 / tempo))
    drums = (0.4 * kick + 0.2 * snare + 0.05 * hat).astype(np.float32)
    analysis = MelAnalysis(rate)
    levels = normalize_power(analysis.stream_to_power([drums[:, np.newaxis]]))
    frames_per_second = rate / analysis.spec.hop_samples
    grid = find_beats(levels, frames_per_second, 4)
    found = 60 * frames_per_second / grid.beat_frames
    # Half and double tempo have beats at the same or at every second place.
    assert min(abs(found / tempo - ratio) / ratio for ratio in (0.5, 1, 2)) < 0.02


def test_a_recording_without_beats_needs_a_tempo(song):
    config = DreamConfig(curves={"mix": {"unit": "beats", "points": [[0, 0]]}})
    with pytest.raises(AudioError, match="has no regular beats for a curve in beats; give a tempo"):
        Timelines.of(config, song)


def test_a_setting_follows_the_loudness_of_a_recording(drums, tmp_path):
    line = value(SECONDS, follow=str(drums), range=[0.2, 0.9])
    assert line.min() == pytest.approx(0.2, abs=0.02)
    assert line.max() == pytest.approx(0.9, abs=0.02)
    beats = 0.325 + 0.5 * np.arange(7)
    assert (line[(100 * beats).astype(int)] > line[(100 * (beats - 0.1)).astype(int)]).all()
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), RATE)
    with pytest.raises(AudioError, match="is silent, so no curve can follow it"):
        value(0, follow=str(tmp_path / "silent.wav"))


def test_the_value_of_a_followed_recording_holds_to_its_end(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 400 * np.arange(2 * RATE) / RATE)
    soundfile.write(tmp_path / "tone.wav", tone, RATE)
    line = value(SECONDS, follow=str(tmp_path / "tone.wav"))
    np.testing.assert_allclose(line[SECONDS <= 2], 1, atol=0.02)
    assert not line[SECONDS > 2.01].any()


def test_a_curve_that_follows_a_long_recording_stays_in_time(tmp_path):
    rate, seconds = 1010, 60  # 0.05 s are 50.5 samples
    samples = np.full(rate * seconds, 1e-3)
    samples[-rate:] = 0.5
    soundfile.write(tmp_path / "long.wav", samples, rate)
    line = Timeline.sample(CurveConfig(follow=str(tmp_path / "long.wav")), seconds)
    times = np.arange(58, 60, 0.01)
    assert times[line(times) > 0.5][0] == pytest.approx(59, abs=0.05)


# Settings


@pytest.mark.parametrize(
    ("name", "curve", "words"),
    [
        ("mix", {"points": [[0, 0], [1, 1.5]]}, "mix=1.5"),
        ("mix", {}, "either points or follow"),
        ("mix", {"points": [[1, 0], [1, 1]]}, "not ascending"),
        ("mix", {"points": [[0, 0]], "repeat": True}, "repeat needs points"),
        ("mix", {"points": [[0, 0]], "tempo": 90}, "tempo=90 is for unit=beats"),
        ("mixx", {"points": [[0, 0]]}, "'mixx' is not a setting"),
        ("optimizer.kind", {"points": [[0, 0]]}, "'optimizer.kind' is not a number"),
        ("optimizer", {"points": [[0, 0]]}, "'optimizer' is not a number"),
        ("seed", {"points": [[0, 0]]}, "'seed' cannot be a curve, because"),
        ("octaves.count", {"points": [[0, 1]]}, "number of sizes"),
        ("tiles.seconds", {"points": [[0, 1]]}, "tiles have one length"),
        ("canvas.stft.n_fft", {"points": [[0, 512]]}, "one size"),
        ("filter.low_hz", {"points": [[0, 512]]}, "whole file"),
        ("mix", {"follow": ""}, "at least 1 character"),
        ("mix", {"follow": "", "repeat": True}, "at least 1 character"),
        ("mask.frequency_hz.junk.0", {"points": [[0, 512]]}, "junk.0' is not a setting"),
        ("mask.frequency_hz.2", {"points": [[0, 512]]}, "'mask.frequency_hz.2' is not a setting"),
        ("canvas.bound_db", {"points": [[0, 0]]}, "value of the curves does not fit: canvas.bound"),
        ("mask.time_seconds.0", {"points": [[0, 1]]}, "'mask.time_seconds' is null; set it, too"),
    ],
)
def test_settings_that_cannot_vary_are_errors(name, curve, words):
    with pytest.raises(ConfigError) as caught:
        settings = {"mask": {"frequency_hz": [100, 900]}, "curves": {name: curve}}
        validate(settings, DreamConfig, "test")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def frequency_curves(lowest, highest):
    """Settings with a curve for each limit of the range of frequencies."""
    curves = {"mask.frequency_hz.0": lowest, "mask.frequency_hz.1": highest}
    return {"mask": {"frequency_hz": [1, 2000]}, "curves": curves}


LINE, STEP = {"points": [[0, 100], [1, 5000]]}, {"easing": "step"}


@pytest.mark.parametrize(
    ("lowest", "highest"),
    [
        (LINE, {"points": [[0, 1000], [1, 8000]]}),
        (LINE, {"points": [[0, 1000], [0.9, 8000]]}),
        (LINE, {"points": [[0, 1000], [2, 8000]], "unit": "beats", "tempo": 120}),
        (LINE | {"repeat": True}, {"points": [[0, 1000], [1, 8000]], "repeat": True}),
        ({"follow": "a.wav", "range": [100, 5000]}, {"follow": "a.wav", "range": [1000, 8000]}),
        (LINE | {"unit": "beats"}, {"points": [[0, 5001], [1, 8000]]}),
    ],
)
def test_curves_that_fit_at_every_time_are_valid(lowest, highest):
    assert validate(frequency_curves(lowest, highest), DreamConfig, "test").curves


@pytest.mark.parametrize(
    ("lowest", "highest"),
    [
        (LINE, {"points": [[0, 9000], [1, 4000]]}),
        (LINE, {"points": [[0, 1000], [2, 8000]]}),
        (LINE, {"points": [[0, 1000], [0.5, 8000], [0.75, 3000], [1, 8000]]}),
        ({"points": [[0, 5000], [1, 100]]} | STEP, {"points": [[0, 6000], [1, 200]]}),
        (LINE | {"easing": "smooth"}, {"points": [[0, 200], [1, 5100]]}),
        (LINE | {"repeat": True}, {"points": [[0, 1000], [2, 8000]], "repeat": True}),
        ({"follow": "a.wav", "range": [100, 5000]}, {"follow": "a.wav", "range": [8000, 1000]}),
        (LINE | {"unit": "beats"}, {"points": [[0, 1000], [1, 8000]]}),
    ],
)
def test_curves_that_contradict_each_other_at_some_time_are_errors(lowest, highest):
    with pytest.raises(ConfigError, match="leaves nothing to change"):
        validate(frequency_curves(lowest, highest), DreamConfig, "test")


@pytest.mark.parametrize(
    ("schema", "settings", "name"),
    [
        (MusaicConfig, {"method": "musaic"}, "semitones"),
        (TranslateConfig, {"composition": {}}, "composition.semitones"),
        (TranslateConfig, {"composition": {}}, "composition.dictionary_frames"),
        (TimbreConfig, {"method": "timbre"}, "residual_share"),
    ],
)
def test_what_is_computed_once_for_a_style_cannot_vary(schema, settings, name):
    curves = {name: {"points": [[0, 100], [1, 200]]}}
    with pytest.raises(ConfigError, match=f"'{name}' cannot be a curve, because the .* the same"):
        validate(settings | {"curves": curves}, schema, "test")


def test_only_the_temperature_of_generated_audio_varies():
    hot = {"points": [[0, 0.5], [4, 2]]}
    assert validate({"curves": {"temperature": hot}}, GenerateConfig, "test").curves
    for name, curve in (("crossfade_seconds", hot), ("temperature", hot | {"unit": "beats"})):
        with pytest.raises(ConfigError):
            validate({"curves": {name: curve}}, GenerateConfig, "test")


class Louder:
    """Adds 0.25 to every sample; a tile processor without measures."""

    sample_rate, steps, goal = RATE, 1, None
    grid = TileGrid(samples=RATE, overlap=RATE // 4)

    def __init__(self, added=0.25):
        self.added = added

    def process(self, tiles, on_step=lambda value, render: None, apply=True):
        return tiles.channels + np.float32(self.added * apply), {}

    def compare(self, original, changed):
        return {}


def test_mix_varies_from_sample_to_sample(tmp_path):
    soundfile.write(tmp_path / "in.wav", np.zeros(4 * RATE), RATE)
    config = DreamConfig(normalize="limit", curves={"mix": {"points": [[1, 0], [3, 1]]}})
    lines = Timelines.of(config, tmp_path / "in.wav")
    source = Source(tmp_path / "in.wav", timelines=lines)
    process_file(source, tmp_path / "out.wav", Louder(), config, RenderOptions(bits=32))
    change, _ = soundfile.read(tmp_path / "out.wav")
    seconds = np.arange(len(change)) / RATE
    np.testing.assert_allclose(change, 0.25 * np.clip((seconds - 1) / 2, 0, 1), atol=1e-5)


class Samples(np.ndarray):
    """Values of a timeline that are too many for a loop in Python."""

    def __iter__(self):
        raise AssertionError("the values are iterated over")


def test_the_values_of_a_long_timeline_are_not_iterated_over_for_each_tile():
    line = Timeline(np.linspace(1, 2, 1001).view(Samples))
    curve = {"points": [[0, 1], [5, 2]]}
    config = DreamConfig(curves={"optimizer.step_size": curve})
    built = []

    def build(each):
        built.append(each.optimizer.step_size)
        return Louder()

    processor = CurvedProcessor(config, Timelines(by_tile={"optimizer.step_size": line}), build)
    for value in np.linspace(1, 2, 1000):
        processor._processor({"optimizer.step_size": value})
    np.testing.assert_allclose(sorted(built), np.linspace(1, 2, 101))


def test_other_settings_have_one_value_in_each_tile(tmp_path):
    soundfile.write(tmp_path / "in.wav", np.zeros(4 * RATE), RATE)
    curve = {"points": [[0, 1], [2, 5]], "easing": "step"}
    config = DreamConfig(normalize="limit", curves={"optimizer.step_size": curve})
    built = []

    def build(each):
        built.append(each.optimizer.step_size)
        return Louder(0.1 * each.optimizer.step_size)

    lines = Timelines.of(config, tmp_path / "in.wav")
    processor = CurvedProcessor(config, lines, build)
    process_file(
        tmp_path / "in.wav", tmp_path / "out.wav", processor, config, RenderOptions(bits=32)
    )
    change, _ = soundfile.read(tmp_path / "out.wav")
    assert sorted(built) == [1, 5]
    np.testing.assert_allclose(change[: RATE + 1], 0.1, atol=1e-5)
    np.testing.assert_allclose(change[2 * RATE :], 0.5, atol=1e-5)


def test_settings_that_depend_on_each_other_are_not_rounded_apart(tmp_path):
    soundfile.write(tmp_path / "in.wav", np.zeros(20 * RATE), RATE)
    curves = {
        "mask.frequency_hz.0": {"points": [[0, 100], [10, 2000], [20, 4000]]},
        "mask.frequency_hz.1": {"points": [[0, 130], [10, 2100], [20, 20000]]},
    }
    config = DreamConfig(mask={"frequency_hz": [100, 200]}, curves=curves)
    limits = []
    processor = CurvedProcessor(
        config,
        Timelines.of(config, tmp_path / "in.wav"),
        lambda each: limits.append(each.mask.frequency_hz) or Louder(0.1),
    )
    for middle in (2.5, 7.5, 17.5):
        low, high = (float(line(middle)) for line in processor.lines.values())
        processor._processor(dict(zip(curves, (low, high), strict=True)))
        np.testing.assert_allclose(limits[-1], (low, high), atol=200)


@EAGERLY
def test_the_strength_of_a_mapping_varies_within_tiles(song, source):
    from tfdream.synthesis.mapping import RegressionTimbre

    model = RegressionTimbre(source / "noise" / "0.wav", 0.3)
    config = RhythmConfig(method="rhythm")  # the settings of all mappings
    line = Timeline.sample(CurveConfig(points=[[0, 0], [2, 1]]), 4)
    whole = ContentGains.from_file(song, model, config.style_strength)
    varied = ContentGains.from_file(song, model, line)
    spec, rate = whole.analysis.spec, whole.analysis.sample_rate
    frames = np.arange(len(whole.gain_db)) * spec.hop_samples / rate
    expected = np.minimum(frames / 2, 1)[:, np.newaxis] * whole.gain_db
    np.testing.assert_allclose(varied.gain_db, expected, atol=1e-3)


@EAGERLY
def test_the_bound_of_gains_varies_from_frame_to_frame(run, song):
    config = DreamConfig(
        optimizer={"steps": 1, "step_size": 50},
        curves={"canvas.bound_db": {"points": [[0.45, 0.01], [0.55, 20]]}},
    )
    optimizer = Dreamer(run, config).processor(Source(song, timelines=Timelines.of(config, song)))
    canvas = optimizer.compiled.canvas
    samples, _ = soundfile.read(song, dtype="float32")
    context = canvas.analyze(samples[np.newaxis, :RATE], [0.0])
    gain_db = canvas._gain_db(canvas.start(context) + 1e6, context).numpy()[0]
    seconds = np.linspace(0, 1, len(gain_db))
    assert gain_db[seconds < 0.44].max() < 0.011
    np.testing.assert_allclose(gain_db[seconds > 0.56], 20, rtol=1e-3)


def test_the_temperature_of_generated_frames_varies(generation_run):
    class Recorder(FrameGenerator):
        temperatures = ()

        def _next_frames(self, count, temperature):
            self.temperatures += (temperature,)
            return super()._next_frames(count, 0.0)

    line = Timeline.sample(CurveConfig(points=[[0, 0], [1, 2]]), 1)
    generator = Recorder(generation_run, GenerateConfig(), None, line)
    assert len(generator.frames(63)) == 63
    assert generator.temperatures == pytest.approx((0, 0.5, 1.0, 1.5, 2.0)[: len(
        generator.temperatures)], abs=0.05)  # fmt: skip


def test_curves_of_the_command_line_have_a_form(trained, song, tmp_path):
    for option, text, words in (
        ("--curve", "mix", "is not SETTING=TIME:VALUE"),
        ("--curve", "mix=0:0,b", "'b' is not TIME:VALUE"),
        ("--curve", "mix=0:0@swing", "'@swing' is none of"),
        ("--follow", "mix=", "is not SETTING=AUDIO"),
        ("--follow", "mix=@0:1", "is not SETTING=AUDIO"),
        ("--follow", "mix=a.wav@loud:soft", "is not @LOW:HIGH"),
    ):
        result = invoke(*dream(trained, song, tmp_path / "out.wav"), option, text)
        assert (result.exit_code, words in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("path", ["live@home/drums.wav", "live@home.wav", "a:b@c/d:e.wav"])
def test_a_followed_recording_may_have_an_at_sign(path):
    whole = {"follow": path, "range": [0.0, 1.0]}
    assert parse_follower(f"mix={path}") == ("mix", whole)
    assert parse_follower(f"mix={path}@0.2:0.9") == ("mix", whole | {"range": [0.2, 0.9]})


@pytest.mark.parametrize(
    "curves",
    [
        ("--curve", "mix=0:0", "--curve", "mix=0:1"),
        ("--follow", "mix=a.wav", "--follow", "mix=b.wav"),
        ("--curve", "mix=0:0", "--follow", "mix=a.wav"),
    ],
)
def test_a_setting_has_one_curve(curves, trained, song, tmp_path):
    result = invoke(*dream(trained, song, tmp_path / "out.wav"), *curves)
    assert result.exit_code == 2
    assert "'mix'" in result.stderr


def test_curves_and_options_contain_any_characters():
    guitar = "\N{GUITAR}.wav"
    curves = {"mix": {"follow": guitar, "range": [0.0, 1.0]}}
    given = Rendering(None, None, False, curves).overrides
    given += as_overrides(objective="class_logit('\N{GUITAR}')")
    config = load("dream/recommended", DreamConfig, given)
    assert config.curves["mix"].follow == guitar
    assert "\N{GUITAR}" in config.objective
