import json
import math

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream import audio
from tfdream.config import GenerateConfig, PhaseConfig
from tfdream.errors import AudioError, ConfigError, ModelError
from tfdream.runs import GenerationRun
from tfdream.signal.frontends import build
from tfdream.synthesis import generate as generating
from tfdream.synthesis.generate import Generation, generate
from tfdream.synthesis.prompt import Prompt
from tfdream.synthesis.rendering.batch import process_folder
from tfdream.synthesis.rendering.options import DEFAULT_OUTPUT, OutputOptions
from tfdream.synthesis.vocoder import StreamingVocoder

RATE = 8000
QUICK = GenerateConfig(phase={"init": "pghi", "iterations": 4})


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out.wav"


@pytest.fixture(scope="module")
def prompt(tmp_path_factory):
    """Stereo, at another rate, one channel louder than the other."""
    path = tmp_path_factory.mktemp("prompt") / "prompt.wav"
    seconds = np.arange(17640) / 11025
    sound = 0.3 * np.sin(2 * np.pi * 440 * seconds) + 0.1 * np.sin(2 * np.pi * 1000 * seconds)
    soundfile.write(path, np.stack([sound, 0.5 * sound], axis=1), 11025, "PCM_16")
    return path


@pytest.fixture(scope="module")
def continued(generation_run, prompt, tmp_path_factory):
    """The result of half a second after the prompt, and its file."""
    path = tmp_path_factory.mktemp("continued") / "out.wav"
    return generate(path, generation_run, QUICK, seconds=0.5, prompt=prompt), path


def samples(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def test_the_result_without_a_prompt_has_the_given_length(generation_run, output):
    result = generate(output, generation_run, QUICK, seconds=0.7013)
    assert result["samples"] == len(samples(output)) == round(0.7013 * RATE)
    assert (result["sample_rate"], result["channels"]) == (RATE, 1)
    assert 0 < result["peak"] == pytest.approx(np.abs(samples(output)).max(), abs=1e-6)
    assert result["spectral_convergence_db"] < 0
    assert "interrupted" not in result
    sidecar = json.loads((output.parent / "out.wav.json").read_text())
    assert sidecar["command"] == "generate"
    assert sidecar["config"] == QUICK.model_dump(mode="json")
    assert sidecar["result"] == result


@pytest.mark.parametrize("seconds", [1 / RATE, 0.01])
def test_the_shortest_lengths_are_generated(generation_run, output, seconds):
    assert generate(output, generation_run, QUICK, seconds)["samples"] == round(seconds * RATE)


def test_the_same_seed_gives_the_same_file(generation_run, tmp_path):
    paths = [tmp_path / f"{number}.wav" for number in range(3)]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        generate(path, generation_run, QUICK.model_copy(update={"seed": seed}), seconds=0.3)
    first, same, other = (path.read_bytes() for path in paths)
    assert first == same != other


def test_a_prompt_is_continued_at_its_rate_with_its_channels(continued, prompt):
    result, output = continued
    before, after = samples(prompt), samples(output)
    joint = math.ceil(QUICK.crossfade_seconds * 11025)
    assert result["prompt_seconds"] == 1.6
    assert result["generated_seconds"] == pytest.approx(0.5, abs=1 / 11025)
    assert (result["sample_rate"], result["channels"]) == (11025, 2)
    assert len(after) == len(before) + round(0.5 * 11025)
    assert np.array_equal(after[: len(before) - joint], before[:-joint])
    new = after[len(before) :]
    assert np.allclose(new[:, 1], 0.5 * new[:, 0], atol=1e-4)  # 24 bits, and the sum of 16-bit ones


@pytest.mark.parametrize("seconds", [0.0133, 0.0111])
def test_a_crossfade_without_whole_samples_repeats_none(
    generation_run, prompt, output, monkeypatch, seconds
):
    """The output is the prompt if the crossfade is to the end of the prompt itself."""
    ending = Prompt.read(prompt, generation_run, seconds).ending
    end = ending[-round(seconds * RATE) :, np.newaxis]
    monkeypatch.setattr(StreamingVocoder, "stream", lambda self, chunks: iter([end]))
    config = QUICK.model_copy(update={"crossfade_seconds": seconds})
    generate(output, generation_run, config, 0.2, prompt)
    before, after = samples(prompt), samples(output)
    # The last samples are those of a resampled stream that ends there.
    same = len(before) - round(seconds * 11025) // 2
    assert np.allclose(after[:same], before[:same], atol=0.02)


def test_a_crossfade_that_is_longer_than_a_clip_is_refused(generation_run, prompt, output):
    config = QUICK.model_copy(update={"crossfade_seconds": 1.5})
    with pytest.raises(ConfigError, match=r"crossfade_seconds=1.5 is too long: the model reads"):
        generate(output, generation_run, config, 0.2, prompt)


def test_a_crossfade_that_is_too_long_stops_a_folder_of_prompts(generation_run, prompt, tmp_path):
    config = QUICK.model_copy(update={"crossfade_seconds": 1.5})
    generation = Generation(generation_run, config, 0.2)
    with pytest.raises(ConfigError, match=r"crossfade_seconds=1.5 is too long: the model reads"):
        process_folder([prompt.parent], tmp_path / "out", generation, DEFAULT_OUTPUT)


def test_a_prompt_is_continued_without_a_step(continued, prompt):
    """At the end of the prompt, no step between two samples is larger than elsewhere."""
    steps = np.abs(np.diff(samples(continued[1])[:, 0]))
    end = len(samples(prompt))
    joint = slice(end - 400, end + 400)
    elsewhere = np.concatenate([steps[: joint.start], steps[joint.stop :]])
    assert steps[joint].max() < 1.2 * elsewhere.max()


def test_channels_that_differ_have_the_levels_of_the_prompt(generation_run, tmp_path):
    """The second one is delayed by half of a period, which the mid signal does not show."""
    seconds = np.arange(round(1.6 * 11025)) / 11025
    first = 0.2 * np.random.default_rng(3).standard_normal(len(seconds))
    sound = np.stack([first, np.roll(first, 300), 0.1 * first, -first], axis=1).clip(-0.9, 0.9)
    soundfile.write(tmp_path / "prompt.wav", sound, 11025, "PCM_24")
    output = tmp_path / "out.wav"
    generate(output, generation_run, QUICK, 0.5, tmp_path / "prompt.wav")
    levels = samples(output)[len(sound) :].std(axis=0)
    assert levels / levels[0] == pytest.approx(sound.std(axis=0) / sound[:, 0].std(), rel=0.02)


def test_chunks_start_with_different_random_phases(generation_run):
    phase = PhaseConfig(init="random", iterations=0)
    vocoder = StreamingVocoder(generation_run.frontend, 0.0, phase, 64, seed=1)
    seeds = [vocoder._chunk_seed() for _ in range(3)]
    again = StreamingVocoder(generation_run.frontend, 0.0, phase, 64, seed=1)
    assert len(set(seeds)) == 3
    assert [again._chunk_seed() for _ in range(3)] == seeds


@pytest.fixture
def amplify(monkeypatch):
    """Return a function that makes the generated sound louder by a factor."""
    stream = StreamingVocoder.stream

    def patch(factor):
        def louder(self, chunks):
            return (factor * block for block in stream(self, chunks))

        monkeypatch.setattr(StreamingVocoder, "stream", louder)

    return patch


def test_the_gain_of_a_loud_prompt_is_reported(generation_run, tmp_path, prompt, amplify):
    amplify(500)
    sound, rate = soundfile.read(prompt)
    soundfile.write(tmp_path / "loud.wav", 6 * sound, rate, "FLOAT")
    result = generate(tmp_path / "out.flac", generation_run, QUICK, 0.5, tmp_path / "loud.wav")
    # The limiter attenuates by 6 dB more.
    expected = 6 - 20 * np.log10(6 * np.abs(sound).max() / audio.CEILING)
    assert result["gain_db"] == pytest.approx(expected, abs=0.01)
    assert expected < -1


@pytest.mark.parametrize("bits", [16, 32])
def test_peaks_without_a_prompt_are_limited_by_6_db_at_most(generation_run, output, amplify, bits):
    amplify(500)
    result = generate(output, generation_run, QUICK, 0.5, options=OutputOptions(bits=bits))
    assert result["peak"] == pytest.approx(audio.CEILING, abs=1e-3)
    assert result["peak_reduction_db"] + result["gain_db"] == pytest.approx(6)
    assert result["gain_db"] < -1


def test_peaks_of_a_continuation_that_are_reduced_are_reported(
    generation_run, tmp_path, prompt, amplify
):
    amplify(50)
    result = generate(tmp_path / "out.wav", generation_run, QUICK, 0.5, prompt)
    assert result["peak"] == pytest.approx(0.999, abs=1e-3)
    assert result["peak_reduction_db"] > 1
    assert any("peaks beyond full scale" in note for note in result["notes"])


def test_the_continuation_of_a_prompt_above_full_scale_is_limited_to_its_peak(
    generation_run, tmp_path, prompt, amplify
):
    amplify(500)
    sound, rate = soundfile.read(prompt)
    soundfile.write(tmp_path / "loud.wav", 6 * sound[:, :1], rate, "FLOAT")
    output, options = tmp_path / "out.wav", OutputOptions(bits=32)
    result = generate(output, generation_run, QUICK, 0.5, tmp_path / "loud.wav", options)
    peak = 6 * np.abs(sound).max()
    assert result["peak"] == pytest.approx(peak, abs=1e-3)
    integers = generate(tmp_path / "out.flac", generation_run, QUICK, 0.5, tmp_path / "loud.wav")
    assert integers["peak_reduction_db"] - result["peak_reduction_db"] == pytest.approx(
        20 * np.log10(peak / audio.CEILING), abs=1e-3
    )


@pytest.mark.parametrize("dither", [0, 2.0**-23])
def test_a_prompt_whose_channels_cancel_is_continued_at_its_level(
    generation_run, tmp_path, prompt, dither
):
    sound, rate = soundfile.read(prompt)
    noise = dither * np.random.default_rng(0).standard_normal((len(sound), 2))
    soundfile.write(tmp_path / "in.wav", sound[:, :1] * [1, -1] + noise, rate, "FLOAT")
    soundfile.write(tmp_path / "one.wav", sound[:, 0], rate, "FLOAT")
    results = {
        name: generate(
            tmp_path / f"{name}_out.wav", generation_run, QUICK, 0.5, tmp_path / f"{name}.wav"
        )
        for name in ("in", "one")
    }
    assert any("the loudest one is continued" in note for note in results["in"]["notes"])
    assert not any("silent" in note for note in results["in"]["notes"])
    found = samples(tmp_path / "in_out.wav")[len(sound) :]
    expected = samples(tmp_path / "one_out.wav")[len(sound) :]
    np.testing.assert_allclose(found, expected * [1, -1], atol=0.01)


def test_a_prompt_at_the_rate_of_the_model_is_continued(generation_run, song, output):
    generate(output, generation_run, QUICK, seconds=0.2, prompt=song)
    before, after = samples(song), samples(output)
    assert len(after) == len(before) + round(0.2 * RATE)
    assert np.array_equal(after[: len(before) - 160], before[:-160])


def test_a_prompt_that_is_resampled_to_nothing_is_refused(generation_run, tmp_path, output):
    soundfile.write(tmp_path / "click.wav", [0.5], 48000)
    with pytest.raises(AudioError, match=r"--prompt .* has a length of 0.000 s; give more than"):
        generate(output, generation_run, QUICK, 1.0, tmp_path / "click.wav")


def test_a_prompt_that_is_too_short_is_refused(generation_run, tmp_path, output):
    path = tmp_path / "click.wav"
    soundfile.write(path, np.full(200, 0.1), RATE)
    with pytest.raises(
        AudioError, match=r"--prompt .* has a length of 0.025 s; give more than 0.052 s"
    ):
        generate(output, generation_run, QUICK, 1.0, path)
    assert not output.exists()


@pytest.mark.parametrize("dither", [0, 1e-6])
def test_a_silent_prompt_is_continued(generation_run, tmp_path, output, dither):
    path = tmp_path / "silence.wav"
    noise = dither * np.random.default_rng(0).standard_normal((RATE, 1))
    soundfile.write(path, noise * [1, -0.9], RATE, "FLOAT")
    result = generate(output, generation_run, QUICK, 0.2, path)
    assert np.isfinite(samples(output)).all()
    assert any("has the level of the training data" in note for note in result["notes"])
    start = Prompt.read(path, generation_run, 0.02)
    assert start.reference_db == float(generation_run.sequence_model.reference_db)
    assert start.gains.tolist() == [1, 1]


def test_a_temperature_is_refused_for_a_deterministic_model(generation_run, output, tmp_path):
    config = QUICK.model_copy(update={"temperature": 0.5})
    with pytest.raises(ConfigError, match=r"temperature=0.5: the model is deterministic"):
        generate(output, generation_run, config, 0.2)
    assert generate(output, generation_run, QUICK.model_copy(update={"temperature": 0.0}), 0.2)
    curved = GenerateConfig(curves={"temperature": {"points": [[0, 0.5], [1, 1]]}})
    with pytest.raises(ConfigError, match=r"curves.temperature: the model is deterministic"):
        generate(tmp_path / "curved.wav", generation_run, curved, 0.2)


def test_the_phase_of_the_original_is_refused():
    with pytest.raises(ValueError, match="has no original"):
        GenerateConfig(phase={"init": "original"})


def test_a_run_of_another_task_is_refused(trained):
    with pytest.raises(ModelError, match=r"is a classifier .* is required here"):
        GenerationRun.open(trained[0])


def test_an_existing_output_is_not_replaced(generation_run, output):
    output.write_text("existing")
    with pytest.raises(AudioError, match="exists already"):
        generate(output, generation_run, QUICK, 0.2)
    assert output.read_text() == "existing"


def test_a_stopped_generation_writes_the_finished_part(generation_run, output, monkeypatch):
    monkeypatch.setattr(generating, "_CHUNK_SECONDS", 0.3)
    reports = []

    def stop(done, total):
        reports.append((done, total))
        return len(reports) == 2

    result = generate(output, generation_run, QUICK, seconds=1.5, progress=stop)
    assert result["interrupted"]
    assert 0.4 < result["audio_seconds"] < 0.7
    assert len(samples(output)) == result["samples"]


# The vocoder


@pytest.fixture(scope="module")
def frontend(generation_run):
    return build(generation_run.config.frontend, RATE)


@pytest.fixture(scope="module")
def chord(frontend):
    """Two seconds of sound, and its frames and level."""
    seconds = np.arange(2 * RATE) / RATE
    sound = sum(np.sin(2 * np.pi * hz * seconds) for hz in (300, 450, 1200)).astype(np.float32) / 6
    image, remainder = frontend.analyze(tf.constant(sound[np.newaxis]))
    return sound, image[0, :, :, 0].numpy().T, float(remainder.reference_db[0, 0, 0])


def test_chunks_join_without_a_step(frontend, chord):
    sound, frames, reference_db = chord
    vocoder = StreamingVocoder(
        frontend, reference_db, PhaseConfig(init="pghi", iterations=20), 80, 0
    )
    chunks = [vocoder.synthesize(part) for part in np.array_split(frames, 4)] + [vocoder.finish()]
    joined = np.concatenate(chunks)
    assert len(sound) - 2 * frontend.spec.n_fft < len(joined) <= len(sound)
    # The largest step of the tones, and a tolerance for the reconstructed phase.
    assert np.abs(np.diff(joined)).max() < 1.2 * np.abs(np.diff(sound)).max()
    assert vocoder.convergence_db() < -15


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.5])
def test_no_samples_are_lost_with_a_long_crossfade(frontend, chord, seconds):
    _, frames, reference_db = chord
    phase = PhaseConfig(init="random", iterations=0)
    vocoder = StreamingVocoder(frontend, reference_db, phase, round(seconds * RATE), 0)
    chunks = [vocoder.synthesize(part) for part in np.array_split(frames, 3)] + [vocoder.finish()]
    expected = (len(frames) - 1) * frontend.spec.hop_samples - frontend.spec.n_fft // 2
    assert len(np.concatenate(chunks)) == expected


def test_the_continuation_is_in_phase(frontend, chord):
    """The vocoder continues the first half of a chord with the frames of the second half."""
    sound, frames, reference_db = chord
    spec = frontend.spec
    half = len(sound) // 2
    whole = (half - spec.n_fft // 2) // spec.hop_samples + 1
    vocoder = StreamingVocoder(
        frontend, reference_db, PhaseConfig(init="pghi", iterations=20), 80, 0
    )
    vocoder.prime(frames[:whole], sound[:half])
    rest = vocoder.synthesize(frames[whole:])
    expected = sound[half - 80 :][: len(rest)]
    assert np.mean((rest - expected)[:1000] ** 2) < 0.1 * np.mean(expected[:1000] ** 2)
