import json

import numpy as np
import pytest
import soundfile
from calling import EAGERLY, answer, names, refusal

from tfdream.config import ExplainConfig, TilesConfig, load
from tfdream.errors import AudioError, ConfigError
from tfdream.runs import Run
from tfdream.synthesis.explain import explain
from tfdream.synthesis.explainer import Explainer
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.rendering.tiles import Tiles

RATE = 8000
CONFIG = ExplainConfig(
    stft={"n_fft": 256, "hop_samples": 64},
    blur_seconds=0.02,
    blur_hz=60,
    optimizer={"steps": 12, "step_size": 1.0},
    tiles={"overlap_seconds": 0.1},
)

ONE_STEP = CONFIG.model_copy(update={"optimizer": CONFIG.optimizer.model_copy(update={"steps": 1})})


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """A tone at 1 kHz in the left channel, and noise in both; 1.6 s at 16 kHz."""
    path = tmp_path_factory.mktemp("mixture") / "mixture.wav"
    rng = np.random.default_rng(0)
    seconds = np.arange(round(1.6 * 2 * RATE)) / (2 * RATE)
    tone = 0.3 * np.sin(2 * np.pi * 1000 * seconds)
    noise = 0.02 * rng.standard_normal((len(seconds), 2))
    soundfile.write(path, noise + tone[:, None] * [1, 0], 2 * RATE)
    return path


@pytest.fixture(scope="module")
def explained(mixture, run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    steps = []
    result = explain(
        mixture,
        folder / "part.wav",
        run,
        CONFIG,
        rest=folder / "rest.wav",
        progress=lambda done, total, value, note="": steps.append((done, total)),
    )
    return folder, result, steps


def test_part_and_rest_add_up_to_the_recording_at_the_rate_of_the_network(explained, mixture):
    folder, result, _ = explained
    part, rest = (soundfile.read(folder / f"{name}.wav")[0] for name in ("part", "rest"))
    original = soundfile.read(mixture)[0]
    assert part.shape == rest.shape == (len(original) // 2, 2)
    assert (result["sample_rate"], result["channels"], result["samples"]) == (RATE, 2, len(part))
    # Below 3 kHz, decimation by two keeps the signal; the resampler's filter ends there.
    spectrum = np.fft.rfft(original[:, 0])[: len(part) // 2] / 2
    total = np.fft.rfft((part + rest)[:, 0])[: len(part) // 2]
    low = slice(0, round(3000 * 1.6))
    np.testing.assert_allclose(total[low], spectrum[low], atol=1e-3 * np.abs(spectrum).max())


def test_the_scores_are_those_of_what_is_written(explained, run):
    folder, result, steps = explained
    assert result["label"] in run.labels
    assert steps[-1] == (24, 24)  # two tiles
    assert result["confidence_rendered"] == pytest.approx(result["confidence_kept"], abs=0.05)
    assert 0 < result["share_kept"] < 1
    assert result["faithfulness"] == pytest.approx(
        result["confidence"] - result["confidence_removed"]
    )
    sidecar = json.loads((folder / "part.wav.json").read_text())
    assert (sidecar["command"], sidecar["label"]) == ("explain", result["label"])


def test_part_and_rest_have_a_sidecar_each(explained):
    folder, result, _ = explained
    assert names(folder) == ["part.wav", "part.wav.json", "rest.wav", "rest.wav.json"]
    part, rest = (
        json.loads((folder / f"{name}.wav.json").read_text()) for name in ("part", "rest")
    )
    assert part.pop("result") == result
    written = rest.pop("result")
    assert written["output"] == str(folder / "rest.wav")
    peak = np.abs(soundfile.read(folder / "rest.wav")[0]).max()
    assert written["peak"] == pytest.approx(peak, abs=2**-23)  # of 24 bits
    assert (written["confidence"], rest) == (result["confidence"], part)


@EAGERLY
def test_part_and_rest_have_the_notes_on_their_own_level(run, mixture, tmp_path):
    sound, rate = soundfile.read(mixture)
    soundfile.write(tmp_path / "loud.wav", 20 * sound, rate, "FLOAT")
    loud, part, rest = (tmp_path / f"{name}.wav" for name in ("loud", "part", "rest"))
    explain(loud, part, run, ONE_STEP, rest=rest)
    reductions = set()
    for name in ("part", "rest"):
        result = json.loads((tmp_path / f"{name}.wav.json").read_text())["result"]
        reduction = f"reduced by up to {result['peak_reduction_db']:.1f} dB"
        assert [note for note in result["notes"] if note.endswith(reduction)]
        reductions.add(reduction)
    assert len(reductions) == 2


@EAGERLY
def test_a_part_and_a_rest_that_fail_in_a_measure_are_interrupted(
    mixture, run, tmp_path, monkeypatch
):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Explainer, "mean_probabilities", fail)
    with pytest.raises(KeyboardInterrupt):
        explain(mixture, tmp_path / "a.wav", run, ONE_STEP, "tones", rest=tmp_path / "b.wav")
    assert names(tmp_path) == ["a.wav", "a.wav.json", "b.wav", "b.wav.json"]
    for name in ("a.wav", "b.wav"):
        assert json.loads((tmp_path / f"{name}.json").read_text())["result"]["interrupted"] is True


def test_the_part_supports_the_label_more_than_a_random_part_of_the_same_share(explained):
    _, result, _ = explained
    assert result["confidence_kept"] - result["confidence_removed"] > (
        result["random_kept"] - result["random_removed"]
    )


def test_random_masks_keep_the_given_share(run):
    explainer = Explainer(run, CONFIG)
    rng = np.random.default_rng(1)
    channels = rng.standard_normal((2, run.input_samples, 1)).astype(np.float32)
    tiles = Tiles(channels, np.ones(2), np.array([0, 1]), np.zeros(2, int))
    share = np.array([0.2, 0.6])
    sound = explainer.analyze(tiles)
    mask = explainer.random_mask(sound, share, tiles.starts)
    np.testing.assert_allclose(explainer.evaluate(sound, mask, 0).share, share, atol=1e-3)


def test_an_output_of_too_many_channels_is_refused_before_the_first_step(run, tmp_path):
    soundfile.write(tmp_path / "many.wav", np.full((2 * RATE, 9), 0.1), RATE)
    steps = []
    with pytest.raises(AudioError, match=r"part\.flac' .* 9 channels .* use \.wav"):
        explain(
            tmp_path / "many.wav",
            tmp_path / "part.flac",
            run,
            CONFIG,
            progress=lambda done, total, value, note="": steps.append(done),
        )
    assert steps == []


def test_the_same_seed_gives_the_same_bytes_and_a_stop_removes_nothing_more(
    explained, mixture, run, tmp_path
):
    folder, _, _ = explained
    explain(mixture, tmp_path / "again.wav", run, CONFIG)
    assert (tmp_path / "again.wav").read_bytes() == (folder / "part.wav").read_bytes()
    stopped = explain(
        mixture, tmp_path / "stopped.wav", run, CONFIG, progress=lambda done, *_: done >= 2
    )
    assert stopped["interrupted"] is True


@EAGERLY
def test_the_command_writes_a_part_of_a_file(mixture, run, tmp_path):
    config = tmp_path / "explain.yaml"
    config.write_text(json.dumps(CONFIG.model_dump(mode="json")))
    arguments = (
        *("explain", mixture, run.folder, tmp_path / "part.flac", "--label", "tones"),
        *("--config", config, "--set", "optimizer.steps=1", "--start", 0.2, "--seconds", 1),
    )
    result = answer(*arguments, "--figure", tmp_path / "part.png")
    assert (result["label"], result["audio_seconds"]) == ("tones", 1.0)
    assert (tmp_path / "part.png").stat().st_size > 1000
    assert "exists already" in refusal(*arguments)
    assert "did you mean 'tones'" in refusal(*arguments[:4], "--label", "tone", "--force")


@EAGERLY
def test_a_recording_that_makes_the_scores_unreliable_is_noted(run, tmp_path, caplog):
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(3 * RATE // 2), RATE)
    options = RenderOptions(seconds=0.5)
    result = explain(path, tmp_path / "part.wav", run, ONE_STEP, options=options)
    assert result["notes"] == ["silent", "padded from 0.50 s"]
    assert f"'{path}': silent; padded from 0.50 s" in caplog.text


def test_arguments_that_do_not_fit_are_refused(mixture, run, tmp_path, configure):
    with pytest.raises(AudioError, match="would replace the output"):
        explain(mixture, tmp_path / "a.wav", run, CONFIG, rest=tmp_path / "a.wav")
    with pytest.raises(AudioError, match="would replace its own input"):
        explain(
            mixture,
            tmp_path / "a.wav",
            run,
            CONFIG,
            rest=mixture,
            options=RenderOptions(force=True),
        )
    features = configure("frontend={kind: features}")
    with pytest.raises(ConfigError, match="has no gradient"):
        Explainer(Run(tmp_path, features, run.info), CONFIG)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.03, "fewer than the window of 256"), (0.5, "require an input of")]
)
def test_tiles_that_do_not_fit_are_refused(run, seconds, words):
    tiles = {"seconds": seconds, "overlap_seconds": 0}
    with pytest.raises(ConfigError, match=words):
        Explainer(run, CONFIG.model_copy(update={"tiles": TilesConfig(**tiles)}))


def test_the_packaged_recipe_is_the_default_of_the_settings():
    assert load("explain/recommended", ExplainConfig) == ExplainConfig()
