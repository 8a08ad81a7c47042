import numpy as np
import pytest
import soundfile
import tensorflow as tf
from melodies import FEW_ACTIVATIONS, NOTES, OTHER_ORDER, RATE, melody
from scipy import signal

from tfdream import audio
from tfdream.config.musaic import ActivationConfig, MusaicConfig
from tfdream.errors import AudioError
from tfdream.synthesis.musaic import ContentSpectrum, Dictionary, Musaic, activate
from tfdream.synthesis.musaic.analysis import FrameAnalysis
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.transfer import MusaicTransfer, transfer

_BANDS = [
    signal.butter(4, band, "bandpass", fs=RATE, output="sos") for band in ((150, 800), (1500, 3500))
]

# Eager execution gives the same results; tracing the graph takes longer.
pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dull content, a bright style with the same notes in another order, and their target."""
    folder = tmp_path_factory.mktemp("musaic")
    sounds = {
        "content": melody(NOTES, -14),
        "style": melody(OTHER_ORDER, -3),
        "target": melody(NOTES, -3),
        "silent": np.zeros(RATE),
        "short": melody([0], -14, 0.03),
        "stereo": np.stack([melody(NOTES, -14), np.zeros(RATE * 3 // 2)], axis=1),
    }
    for name, samples in sounds.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE, "FLOAT")
    return folder


def recipe(**changes):
    return MusaicConfig(
        **{"method": "musaic", "semitones": 0, "activations": FEW_ACTIVATIONS} | changes
    )


def transferred(folder, output, config, content="content", style="style"):
    result = transfer(folder / f"{content}.wav", folder / f"{style}.wav", output, config)
    return result, audio.read(output)[0]


def reference(target, dictionary, config):
    """The updates of the paper, one activation at a time."""
    segments, atoms, bands = dictionary.shape
    frames = dictionary.reshape(-1, bands)
    values = np.ones((len(frames), len(target)))
    for iteration in range(config.iterations + 1):
        if iteration:
            left = 1 - iteration / config.iterations
            reach = config.repetition_frames
            repeated = np.stack([
                values[:, max(0, n - reach) : n + reach + 1].max(axis=1) for n in range(len(target))
            ], axis=1)  # fmt: skip
            values = np.where(values >= repeated, values, left * values)
            least = np.sort(values, axis=0)[-config.polyphony]
            values = np.where(values >= least, values, left * values)
            sums = np.zeros_like(values)
            for k, n in np.ndindex(values.shape):
                for step in range(-config.continuity_frames, config.continuity_frames + 1):
                    inside = 0 <= k % atoms + step < atoms and 0 <= n + step < len(target)
                    sums[k, n] += values[k + step, n + step] if inside else 0
            values = sums
        ratio = target.T / (frames.T @ values)
        values = values * (frames @ ratio) / frames.sum(axis=1, keepdims=True)
    return values.T.reshape(len(target), segments, atoms)


def test_activations_are_those_of_a_reference():
    rng = np.random.default_rng(0)
    target, dictionary = rng.uniform(0.1, 1, (7, 6)), rng.uniform(0.1, 1, (2, 5, 6))
    config = ActivationConfig(polyphony=3, repetition_frames=1, continuity_frames=2, iterations=4)
    (result,) = activate(
        tf.constant(target[np.newaxis], tf.float32), tf.constant(dictionary, tf.float32), config
    ).numpy()
    np.testing.assert_allclose(result, reference(target, dictionary, config), rtol=1e-4, atol=1e-6)


def spectra(samples):
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::256] * np.hanning(1024)
    magnitudes = np.abs(np.fft.rfft(frames))
    return magnitudes / np.linalg.norm(magnitudes)


def test_the_order_of_sums_is_fixed():
    """TensorFlow adds the terms of AddN in any order, so that `redo` would give other samples.

    Grappler makes an AddN of sums that are terms of other sums.
    """
    target, dictionary = (tf.TensorSpec(shape) for shape in ([1, None, 8], [2, 5, 8]))
    graph = tf.function(lambda *inputs: activate(*inputs, ActivationConfig()))
    operations = graph.get_concrete_function(target, dictionary).graph.get_operations()
    sums = [each for each in operations if each.type in ("AddN", "AddV2")]
    assert sums
    for each in sums:
        assert each.type == "AddV2"
        assert not {term.op.type for term in each.inputs} & {"AddV2"}


def test_a_style_with_the_notes_of_the_content_reproduces_them(folder, tmp_path):
    result, samples = transferred(folder, tmp_path / "out.wav", recipe())
    target = spectra(audio.read(folder / "target.wav")[0][:, 0])
    content = spectra(audio.read(folder / "content.wav")[0][:, 0])
    similarity = (spectra(samples[:, 0]) * target).sum()
    assert similarity > 0.85 > (content * target).sum() + 0.1
    assert result["style_loss_rendered"] < 0.5 * result["style_loss_before"]
    # The musaic of the padding after the content is not written.
    assert result["style_loss_rendered"] == pytest.approx(result["style_loss_after"], rel=5e-3)


def test_strength_moves_from_the_content_to_the_style(folder, tmp_path):
    results = []
    for strength in (0.0, 0.5, 1.0):
        path = tmp_path / f"{strength}.wav"
        result, samples = transferred(folder, path, recipe(style_strength=strength))
        results.append(result)
        if not strength:
            original = audio.read(folder / "content.wav")[0]
            np.testing.assert_allclose(samples, original, atol=1e-6)  # 24 bits
    styles, contents = (
        [result[f"{name}_loss_rendered"] for result in results] for name in ("style", "content")
    )
    assert styles == sorted(styles, reverse=True)
    assert contents == sorted(contents)
    assert contents[0] == pytest.approx(0, abs=1e-5)


def test_the_note_mask_removes_notes_that_the_content_does_not_have(folder, tmp_path):
    foreign_note = 10
    chords = melody(OTHER_ORDER, -3) + melody([foreign_note] * 3, -3)
    soundfile.write(tmp_path / "style.wav", chords, RATE, "FLOAT")
    foreign_hz = 220 * 2 ** (foreign_note / 12)
    foreign = np.abs(np.fft.rfftfreq(1024, 1 / RATE) - foreign_hz) < 10
    shares, losses = [], []
    for mask in (0.0, 0.5, 1.0):
        result = transfer(
            folder / "content.wav",
            tmp_path / "style.wav",
            tmp_path / f"{mask}.wav",
            recipe(note_mask=mask),
        )
        spectrum = spectra(audio.read(tmp_path / f"{mask}.wav")[0][:, 0])
        shares.append((spectrum[:, foreign] ** 2).sum())
        losses.append(result["content_loss_rendered"])
    assert max(shares[1:]) < 0.5 * shares[0]
    assert losses == sorted(losses, reverse=True)


def test_envelopes_follow_the_content_in_each_range(folder, tmp_path):
    """Pulses below 1 kHz and a steady sound above: a total level would pulse in both."""
    rng = np.random.default_rng(1)
    seconds = np.arange(2 * RATE) / RATE
    low, high = (signal.sosfilt(band, rng.standard_normal(2 * RATE)) for band in _BANDS)
    low *= np.where(np.sin(2 * np.pi * 3 * seconds) > 0, 1, 0.05)
    soundfile.write(folder / "pulses.wav", 0.1 * (low + 0.3 * high), RATE, "FLOAT")
    soundfile.write(folder / "noise.wav", 0.1 * rng.standard_normal(2 * RATE), RATE, "FLOAT")
    ripple_db = []
    for semitones in (0, 3):
        config = recipe(envelope_semitones=semitones, note_mask=0)
        output = tmp_path / f"{semitones}.wav"
        _, samples = transferred(folder, output, config, "pulses", "noise")
        upper = signal.sosfilt(_BANDS[1], samples[:, 0])
        power = np.mean(upper[: 12 * (len(upper) // 12)].reshape(12, -1) ** 2, axis=1)
        ripple_db.append(np.std(10 * np.log10(power)))
    assert ripple_db[1] < 0.5 * ripple_db[0]


def test_the_equalizer_has_single_notes_only_without_smoothing(folder):
    deviations = []
    for semitones in (0.0, 4.0):
        config = recipe(equalizer_semitones=semitones)
        dictionary = Dictionary.from_file(folder / "style.wav", RATE, config)
        flat = np.ones_like(dictionary.power)
        level_db = 10 * np.log10(Musaic(dictionary, config).equalizer(flat).numpy())
        deviations.append(np.abs(np.diff(level_db)).max())
    assert deviations[1] < 0.2 * deviations[0]


def test_tiles_give_the_result_of_the_whole(folder, tmp_path):
    outputs = []
    for seconds in (1.0, 3.0):
        config = recipe(tiles={"seconds": seconds, "overlap_seconds": 0.25})
        path = tmp_path / f"{seconds}.wav"
        transferred(folder, path, config)
        outputs.append(audio.read(path)[0][:, 0])
    # In six iterations, a frame depends on those of 0.29 s before and after.
    same = slice(round(0.65 * RATE))
    np.testing.assert_allclose(outputs[0][same], outputs[1][same], atol=1e-4)
    assert (spectra(outputs[0]) * spectra(outputs[1])).sum() > 0.95


def test_the_mean_spectrum_of_a_content_has_each_frame_once(tmp_path):
    """The last tile overlaps its neighbor, of which the high tone is a part."""
    seconds = np.arange(12 * RATE) / RATE
    low, high = (np.sin(2 * np.pi * hertz * seconds) for hertz in (300, 2000))
    wave = np.where((seconds > 7) & (seconds < 10), high, low)
    soundfile.write(tmp_path / "content.wav", 0.3 * wave, RATE, "FLOAT")
    analysis = FrameAnalysis(RATE)
    content = ContentSpectrum.from_file(tmp_path / "content.wav", analysis)
    assert content.samples == len(wave)
    power = content.power.reshape(-1) / content.power.sum()
    (whole,) = analysis.analyze(tf.constant(0.3 * wave[np.newaxis], tf.float32))[1].numpy()
    expected = whole.sum(axis=0) / whole.sum()
    strongest = expected.argsort()[-4:]
    np.testing.assert_allclose(power[strongest], expected[strongest], rtol=0.02)


def test_contents_of_many_lengths_have_tiles_of_few_lengths(folder, tmp_path):
    transfers = MusaicTransfer(folder / "style.wav", recipe())
    lengths = set()
    for seconds in (1.0, 1.1, 1.2, 2.6, 3.0, 4.4):
        soundfile.write(tmp_path / "content.wav", np.zeros(round(seconds * RATE)), RATE)
        grid = transfers.prepare(tmp_path / "content.wav").grid
        assert grid.samples >= seconds * RATE
        lengths.add(grid.samples / RATE)
    assert lengths == {1.25, 5.0}


def test_an_excerpt_is_composed_as_a_file_of_it(folder, tmp_path):
    excerpt = audio.read(folder / "content.wav")[0][RATE // 2 : RATE]
    soundfile.write(tmp_path / "excerpt.wav", excerpt, RATE, "FLOAT")
    transfers = MusaicTransfer(folder / "style.wav", recipe())
    part = RenderOptions(start_seconds=0.5, seconds=0.5)
    of_part = transfers.prepare(folder / "content.wav", part)
    of_file = transfers.prepare(tmp_path / "excerpt.wav")
    assert of_part.grid == of_file.grid
    assert np.array_equal(of_part.equalizer, of_file.equalizer)


def test_channels_keep_their_levels(folder, tmp_path):
    _, samples = transferred(folder, tmp_path / "out.wav", recipe(), content="stereo")
    assert samples.shape == (RATE * 3 // 2, 2)
    assert np.abs(samples[:, 1]).max() < 1e-6
    # The other one has the level of the content.
    content = audio.read(folder / "content.wav")[0]
    assert samples[:, 0].std() == pytest.approx(content.std(), rel=0.3)


@pytest.mark.parametrize("content", ["short", "silent"])
def test_short_and_silent_files_stay_finite(folder, tmp_path, content):
    result, samples = transferred(folder, tmp_path / "out.wav", recipe(), content=content)
    assert len(samples) == result["samples"] == len(audio.read(folder / f"{content}.wav")[0])
    assert np.abs(samples).max() < (1e-6 if content == "silent" else 1)
    _, samples = transferred(folder, tmp_path / "other.wav", recipe(), style="short")
    assert np.isfinite(samples).all()


@pytest.fixture
def _with_graphs(eagerly):
    tf.config.run_functions_eagerly(False)
    yield
    tf.config.run_functions_eagerly(True)


@pytest.mark.slow
@pytest.mark.usefixtures("_with_graphs")
def test_contents_may_differ_in_length_and_channels(folder):
    config = recipe()
    dictionary = Dictionary.from_file(folder / "style.wav", RATE, config)
    musaic, flat = Musaic(dictionary, config), tf.ones(len(dictionary.power))
    for samples, channels in ((3000, 1), (4000, 1), (4000, 2)):
        clip = tf.random.stateless_uniform([1, samples, channels], [1, 2])
        assert musaic.compose(clip, flat, tf.zeros(1)).shape == clip.shape


def test_a_silent_style_is_rejected(folder, tmp_path):
    with pytest.raises(AudioError, match="silent"):
        transferred(folder, tmp_path / "out.wav", recipe(), style="silent")


def test_the_dictionary_is_spread_over_a_long_style(tmp_path):
    soundfile.write(tmp_path / "style.wav", melody(range(24), -3), RATE, "FLOAT")
    whole, part, shifted = (
        Dictionary.from_file(tmp_path / "style.wav", RATE, recipe(**settings))
        for settings in ({}, {"dictionary_frames": 128}, {"dictionary_frames": 192, "semitones": 1})
    )
    assert whole.stft.shape[0] >= 12
    assert part.stft.shape[0] == 2
    np.testing.assert_array_equal(part.stft.numpy(), whole.stft.numpy()[[0, -1]])
    assert shifted.stft.shape[0] == 3
    small = recipe(dictionary_frames=64, semitones=6)  # less than a segment for each shift
    segments, atoms, _ = Dictionary.from_file(tmp_path / "style.wav", RATE, small).stft.shape
    assert 32 < segments * atoms <= 64
    norms = np.linalg.norm(whole.magnitudes, axis=-1)
    assert set(norms.round(5).ravel()) <= {0.0, 1.0}


def test_copies_are_shifted_in_pitch(tmp_path):
    soundfile.write(tmp_path / "style.wav", melody([0], 0, 2.5), RATE, "FLOAT")
    low, own, high = Dictionary.from_file(
        tmp_path / "style.wav", RATE, recipe(semitones=1, dictionary_frames=192)
    ).magnitudes.numpy()[:, 4]
    bands_per_semitone = 3
    top = slice(own.size // 2, own.size - bands_per_semitone)  # where bands are equally wide
    for shifted, step in ((low, -bands_per_semitone), (high, bands_per_semitone)):
        assert (np.roll(own, step)[top] @ shifted[top]) > 2 * (own[top] @ shifted[top])
