import melodies
import numpy as np
import pytest
import soundfile
from calling import EAGERLY

from tfdream import audio
from tfdream.config.recipes import TimbreConfig
from tfdream.errors import AudioError
from tfdream.synthesis.mapping import ContentGains, GainProcessor, RegressionTimbre, base, content
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.rendering.process import process_file
from tfdream.synthesis.rendering.tiles import Tiles
from tfdream.synthesis.transfer import MappingTransfer

RATE = 16000


def melody(semitones, tilt_db, rate=RATE):
    return melodies.melody(semitones, tilt_db, note_seconds=0.4, rate=rate, deviation=0.03)


NOTES = [0, 4, 7, 12, 7, 4]
OTHER_NOTES = [2, 5, 9, 5, 2, 14]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dull content, a bright style, and the target: the content's notes, bright."""
    folder = tmp_path_factory.mktemp("timbre")
    for name, notes, tilt in (
        ("content", NOTES, -12),
        ("style", OTHER_NOTES, -3),
        ("target", NOTES, -3),
    ):
        soundfile.write(folder / f"{name}.wav", melody(notes, tilt), RATE, "FLOAT")
    return folder


def gain_processor(content, style, config, start_seconds=0.0):
    gains = ContentGains.from_file(content, style, config.style_strength, start_seconds)
    return GainProcessor(gains, config)


def transfer(folder, output, content="content", style="style", **settings):
    config = TimbreConfig(method="timbre", **settings)
    processor = gain_processor(
        folder / f"{content}.wav",
        RegressionTimbre(folder / f"{style}.wav", config.residual_share),
        config,
    )
    result = process_file(folder / f"{content}.wav", output, processor)
    samples, rate = audio.read(output)
    return result, samples, rate


def levels(samples):
    """Levels of STFT cells in dB, down to 60 dB below the loudest."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 512)[::128] * np.hanning(512)
    power = np.abs(np.fft.rfft(frames)) ** 2
    return 10 * np.log10(np.maximum(power, power.max() * 1e-6))


def distance_db(samples, target):
    difference = levels(samples / samples.std()) - levels(target / target.std())
    return np.sqrt((difference**2).mean())


def test_the_result_is_nearer_to_the_target_than_content_and_style(folder, tmp_path):
    result, samples, _ = transfer(folder, tmp_path / "out.wav", style_strength=1.0)
    target = audio.read(folder / "target.wav")[0][:, 0]
    distances = {
        name: distance_db(audio.read(folder / f"{name}.wav")[0][:, 0], target)
        for name in ("content", "style")
    }
    assert distance_db(samples[:, 0], target) < 0.7 * min(distances.values())
    assert result["style_loss_rendered"] < 0.6 * result["style_loss_before"]
    assert result["style_loss_rendered"] == pytest.approx(result["style_loss_after"], rel=0.02)


@EAGERLY
def test_strength_moves_from_the_content_to_the_style(folder, tmp_path):
    losses = []
    for strength in (0.0, 0.5, 1.0):
        result, samples, _ = transfer(folder, tmp_path / f"{strength}.wav", style_strength=strength)
        losses.append(result["style_loss_rendered"])
        if not strength:
            original = audio.read(folder / "content.wav")[0]
            np.testing.assert_allclose(samples, original, atol=1e-6)  # 24 bits
    assert losses == sorted(losses, reverse=True)


def test_a_recording_as_its_own_style_hardly_changes(folder, tmp_path):
    result, _, _ = transfer(folder, tmp_path / "own.wav", style="content", residual_share=0.0)
    assert result["style_loss_before"] < 1
    assert result["content_loss_rendered"] < 0.1


def test_length_rate_and_channels_are_those_of_the_content(folder, tmp_path):
    stereo = np.stack([melody(NOTES, -12, 8000), np.zeros(6 * 3200)], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 8000, "FLOAT")
    config = TimbreConfig(method="timbre", tiles={"seconds": 1.0, "overlap_seconds": 0.1})
    processor = gain_processor(
        tmp_path / "stereo.wav", RegressionTimbre(folder / "style.wav", 0.3), config
    )
    process_file(tmp_path / "stereo.wav", tmp_path / "out.wav", processor)
    samples, rate = audio.read(tmp_path / "out.wav")
    assert (samples.shape, rate) == (stereo.shape, 8000)
    assert np.abs(samples[:, 1]).max() < 1e-6  # a silent channel stays silent


def test_bands_above_the_range_of_the_style_follow_its_highest_band(folder, tmp_path):
    soundfile.write(tmp_path / "low.wav", melody(OTHER_NOTES, -3, 8000), 8000, "FLOAT")
    config = TimbreConfig(method="timbre")
    processor = gain_processor(
        folder / "content.wav", RegressionTimbre(tmp_path / "low.wav", 0.3), config
    )
    above = processor.analysis.center_hz > 4000
    assert above.sum() > 5
    assert np.ptp(processor.content.gain_db[:, above], axis=1).max() == 0


def test_a_silent_style_is_rejected_and_a_silent_content_stays_silent(folder, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    config = TimbreConfig(method="timbre")
    transfer = MappingTransfer(folder / "style.wav", config)
    transfer(tmp_path / "silent.wav", tmp_path / "out.wav")
    assert not audio.read(tmp_path / "out.wav")[0].any()
    with pytest.raises(AudioError, match=r"style '.*silent\.wav' is silent"):
        gain_processor(
            folder / "content.wav", RegressionTimbre(tmp_path / "silent.wav", 0.3), config
        )


def test_an_excerpt_gets_the_gains_of_its_place_in_the_content(folder, tmp_path):
    config = TimbreConfig(method="timbre")
    content, style = folder / "content.wav", RegressionTimbre(folder / "style.wav", 0.3)
    complete, later = (
        gain_processor(content, style, config, start_seconds) for start_seconds in (0.0, 0.8)
    )
    first, second = (
        Tiles(np.zeros((1, 8192, 1), np.float32), np.ones(1), np.array([start]), np.zeros(1, int))
        for start in (12800, 0)
    )
    hop = complete.stft.hop_samples
    expected = complete._frames(complete.content.gain_db, first, hop)
    assert np.array_equal(later._frames(later.content.gain_db, second, hop), expected)


def test_an_excerpt_has_the_losses_of_the_same_excerpt_as_a_file(folder, tmp_path):
    samples, _ = audio.read(folder / "content.wav")
    soundfile.write(tmp_path / "long.wav", np.tile(samples, (4, 1)), RATE, "FLOAT")
    transfer = MappingTransfer(folder / "style.wav", TimbreConfig(method="timbre"))
    of_file = transfer(folder / "content.wav", tmp_path / "out.wav")
    part = RenderOptions(seconds=len(samples) / RATE)
    of_excerpt = transfer(tmp_path / "long.wav", tmp_path / "part.wav", part)
    # The music that follows the excerpt changes its last frames.
    for name in ("style_loss_before", "style_loss_after", "content_loss_after"):
        assert of_excerpt[name] == pytest.approx(of_file[name], rel=0.5), name


def test_a_style_is_analyzed_once_for_each_sample_rate(folder, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "slow.wav", melody(NOTES, -12, RATE // 2), RATE // 2)
    read = []

    def read_power(analysis, path):
        read.append((path.name, analysis.sample_rate))
        return original(analysis, path)

    original = base.read_power
    monkeypatch.setattr(base, "read_power", read_power)  # of styles
    transfer = MappingTransfer(folder / "style.wav", TimbreConfig(method="timbre"))
    contents = [folder / "content.wav", tmp_path / "slow.wav", folder / "target.wav"]
    gains = [transfer.prepare(content).content.gain_db for content in contents]
    assert read == [("style.wav", RATE), ("style.wav", RATE // 2)]
    alone = gain_processor(
        contents[-1], RegressionTimbre(folder / "style.wav", 0.3), TimbreConfig(method="timbre")
    )
    np.testing.assert_array_equal(gains[-1], alone.content.gain_db)


def test_a_content_is_analyzed_once_for_all_levels_of_a_curve(folder, tmp_path, monkeypatch):
    read = []

    def read_power(analysis, path):
        read.append(path.name)
        return base.read_power(analysis, path)

    monkeypatch.setattr(content, "read_power", read_power)
    config = TimbreConfig(
        method="timbre",
        tiles={"seconds": 0.5, "overlap_seconds": 0.1},
        curves={"noise_reduction_db": {"points": [[0, 0], [2, 12]]}},
    )
    MappingTransfer(folder / "style.wav", config)(folder / "content.wav", tmp_path / "out.wav")
    assert read == ["content.wav"]


@pytest.mark.parametrize("samples", [300, 4000])
def test_a_content_shorter_than_the_overlap_of_tiles_is_one_tile(folder, tmp_path, samples):
    soundfile.write(tmp_path / "short.wav", melody(NOTES, -12)[:samples], RATE, "FLOAT")
    transfer = MappingTransfer(folder / "style.wav", TimbreConfig(method="timbre"))
    result = transfer(tmp_path / "short.wav", tmp_path / "out.wav")
    assert result["samples"] == samples
    assert np.isfinite(audio.read(tmp_path / "out.wav")[0]).all()
