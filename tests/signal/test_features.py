"""Hand-made features: physical properties, their frontend, and commands that reject it."""

import multiprocessing
import pickle

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfdream.config import (
    DreamConfig,
    StftSpec,
    TransferConfig,
    load,
    validate,
)
from tfdream.errors import ConfigError, ModelError
from tfdream.export import export
from tfdream.runs import Run
from tfdream.signal import features
from tfdream.signal.features import autocorrelogram, clip_features, compute, feature_names
from tfdream.signal.frontends import (
    build,
)
from tfdream.signal.frontends.features import FeatureFrontendConfig
from tfdream.synthesis.dream import dream
from tfdream.synthesis.inversion import analyze
from tfdream.synthesis.transfer import transfer

RATE = 22050
BIN_HZ = RATE / 2048
HOP_SECONDS = 512 / RATE
KINDS = ["features", "autocorrelogram"]
each_kind = pytest.mark.parametrize("kind", KINDS)


def tone(hz, seconds=2.0, rate=RATE):
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def clicks(bpm, seconds=10.0):
    samples = np.zeros(round(seconds * RATE), np.float32)
    samples[(np.arange(0, seconds, 60 / bpm) * RATE).astype(int)] = 1
    return samples


def noise(samples, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


def named_features(samples, rate=RATE):
    return dict(zip(feature_names(), clip_features(samples, rate), strict=True))


def computed(kind, samples):
    return compute(FeatureFrontendConfig(kind=kind), RATE, samples)


# Statistics of a clip


def test_every_feature_has_a_distinct_name():
    assert len(set(feature_names())) == len(feature_names()) == 2 * (12 + 4 + 20)
    assert clip_features(noise(5000), RATE).shape == (len(feature_names()),)


def test_the_centroid_of_a_tone_is_its_frequency():
    for hz in (500, 1000, 4000):
        result = named_features(tone(hz, seconds=10))  # long, so that the edges count little
        assert result["centroid_hz mean"] == pytest.approx(hz, abs=BIN_HZ)
        assert result["rolloff_hz mean"] == pytest.approx(hz, abs=2 * BIN_HZ)  # the main lobe


def test_noise_has_a_larger_bandwidth_than_a_tone():
    result = named_features(noise(2 * RATE))
    assert result["centroid_hz mean"] == pytest.approx(RATE / 4, rel=0.02)
    # The deviation of a uniform distribution is its width divided by the square root of 12.
    assert result["bandwidth_hz mean"] == pytest.approx(RATE / 2 / 12**0.5, rel=0.02)
    assert result["rolloff_hz mean"] == pytest.approx(0.85 * RATE / 2, rel=0.02)
    assert named_features(tone(1000))["bandwidth_hz mean"] < 0.1 * result["bandwidth_hz mean"]


@pytest.mark.parametrize("detuned", [1.0, 2 ** (0.3 / 12)])
def test_a_tone_has_its_pitch_class(detuned):
    """This includes tones of an instrument that is tuned 30 cents higher."""
    for hz, pitch in [(440, "A"), (261.63, "C"), (739.99, "F#"), (880, "A")]:
        result = named_features(tone(hz * detuned))
        chroma = {name: value for name, value in result.items() if name.startswith("chroma")}
        means = {name: value for name, value in chroma.items() if name.endswith("mean")}
        assert max(means, key=means.get) == f"chroma {pitch} mean"


def test_a_tone_crosses_zero_twice_a_period():
    for rate, hz in [(8000, 100.5), (22050, 1000.5), (44100, 100.5)]:
        result = named_features(tone(hz, seconds=20, rate=rate), rate)
        # The first and last frames extend half a window beyond the clip, without crossings.
        assert result["zero_crossing_rate mean"] == pytest.approx(2 * hz / rate, rel=0.02)


def test_changes_within_a_clip_appear_in_deviations():
    steady = named_features(tone(1000, seconds=6))
    changing = named_features(np.concatenate([tone(1000, seconds=3), tone(3000, seconds=3)]))
    assert changing["centroid_hz mean"] == pytest.approx(2000, rel=0.02)
    # Half of the frames are 1000 Hz below the mean, half 1000 Hz above.
    assert changing["centroid_hz deviation"] == pytest.approx(1000, rel=0.02)
    assert steady["centroid_hz deviation"] < 200


def test_silence_has_only_one_feature_other_than_0():
    result = named_features(np.zeros(RATE, np.float32))
    assert np.isfinite(list(result.values())).all()
    assert {name for name, value in result.items() if value} == {"mfcc 0 mean"}


# The autocorrelogram


@pytest.mark.parametrize("bpm", [90, 120, 180])
def test_the_autocorrelation_of_clicks_peaks_after_a_beat(bpm):
    result = autocorrelogram(clicks(bpm), RATE)
    beat = 60 / bpm / HOP_SECONDS
    searched = np.arange(8, 1.5 * beat).astype(int)  # after the click itself, before two beats
    assert searched[result[searched].argmax()] == pytest.approx(beat, abs=1)


def test_a_lag_is_a_hop():
    spec = StftSpec(n_fft=1024, hop_samples=256)
    result = autocorrelogram(clicks(120), RATE, lags=100, spec=spec)
    searched = np.arange(16, 60)
    assert searched[result[searched].argmax()] == pytest.approx(0.5 * RATE / 256, abs=1)


def test_values_are_relative_to_lag_0():
    for samples in (clicks(120), noise(RATE), tone(1000), np.zeros(RATE)):
        result = autocorrelogram(samples, RATE)
        assert result[0] == 1
        assert (np.abs(result) <= 1).all()


def test_lags_beyond_the_clip_are_0():
    result = autocorrelogram(noise(10 * 512), RATE, lags=51)
    assert result[:5].all()
    assert not result[11:].any()  # it has 11 frames


# Both


@each_kind
def test_features_do_not_depend_on_the_level(kind):
    samples = noise(2 * RATE) * clicks(120, 2) + 0.1 * tone(440)
    expected = computed(kind, samples)
    for gain in (0.5, 1e-3, 3.0):
        scaled = computed(kind, gain * samples)
        np.testing.assert_allclose(scaled, expected, rtol=1e-3, atol=1e-3)  # float32


@each_kind
@settings(max_examples=5, deadline=None, derandomize=True)
@given(samples=st.integers(1, 2049))
@example(samples=1)
@example(samples=511)
@example(samples=2047)
@example(samples=2048)
def test_clips_of_any_length_have_features(kind, samples):
    for clip in (noise(samples), np.zeros(samples, np.float32), np.ones(samples, np.float32)):
        result = computed(kind, clip)
        assert result.shape == (features.size(FeatureFrontendConfig(kind=kind)),)
        assert result.dtype == np.float32
        assert np.isfinite(result).all()


@pytest.mark.slow
def test_features_are_equal_in_other_processes():
    work = [(FeatureFrontendConfig(kind=kind), RATE, noise(RATE)) for kind in KINDS]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.starmap(compute, work)
    for arguments, result in zip(work, elsewhere, strict=True):
        np.testing.assert_array_equal(result, compute(*arguments))


def test_lags_are_an_error_with_features():
    with pytest.raises(ConfigError, match="lags belong to kind=autocorrelogram"):
        validate({"kind": "features", "lags": 7}, FeatureFrontendConfig, "it")
    config = FeatureFrontendConfig(kind="features")
    assert validate(config.model_dump(), FeatureFrontendConfig, "it") == config


# The frontend


@pytest.fixture(params=[{"kind": kind} for kind in KINDS] + [{"kind": KINDS[1], "lags": 7}])
def frontend(request):
    return build(FeatureFrontendConfig(**request.param), RATE)


def batch(clips=3, samples=5000):
    return np.stack([noise(samples, seed) for seed in range(clips)])


def test_clips_of_a_batch_are_independent(frontend):
    waveforms = batch()
    result = frontend(tf.constant(waveforms))
    assert result.shape == (3, *frontend.shape(waveforms.shape[1]))
    assert result.dtype == tf.float32
    expected = [frontend.compute(samples) for samples in waveforms]
    np.testing.assert_array_equal(result[..., 0], expected)


def test_a_batch_may_be_empty(frontend):
    assert frontend(tf.zeros([0, 5000])).shape == (0, *frontend.shape(5000))


@pytest.mark.parametrize("signature", [[2, 5000], [None, 5000], [None, None]])
def test_a_graph_has_the_static_shape(frontend, signature):
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec(signature, tf.float32)])
    def call(waveform):
        result = frontend(waveform)
        shapes.append(result.shape.as_list())
        return result

    result = call(tf.constant(batch(2)))
    assert shapes == [[signature[0], *frontend.shape(5000)]]
    np.testing.assert_array_equal(result, frontend(tf.constant(batch(2))))


def test_the_frontend_can_be_pickled(frontend):
    again = pickle.loads(pickle.dumps(frontend))
    np.testing.assert_array_equal(again.compute(noise(99)), frontend.compute(noise(99)))


def test_frequencies_are_proportional_to_the_sample_rate():
    config = FeatureFrontendConfig(kind="features")
    centroid = feature_names().index("centroid_hz mean")
    slow, fast = (build(config, rate).compute(noise(5000))[centroid] for rate in (8000, 16000))
    assert fast == pytest.approx(2 * slow)


# Commands that require a gradient or an image


@pytest.fixture(
    scope="module", params=[("features", "feature_cnn"), ("autocorrelogram", "autocorrelogram_cnn")]
)
def feature_run(request, run, configure, tmp_path_factory):
    """A run on features, with fresh weights."""
    kind, name = request.param
    changes = (f"frontend={{kind: {kind}}}", f"model={{name: {name}}}")
    folder = tmp_path_factory.mktemp(kind) / "run"
    created = Run(folder, configure(*changes), run.info)
    created.create()
    created.save_weights(created.build_model())
    return Run.open(folder)


def test_a_run_on_features_uses_its_sample_rate(feature_run):
    assert feature_run.frontend.sample_rate == feature_run.sample_rate != RATE
    inputs = feature_run.frontend(tf.constant(batch(2, feature_run.input_samples)))
    assert feature_run.model(inputs, training=False).shape == (2, len(feature_run.labels))


def test_dreams_with_features_are_an_error(feature_run, song, tmp_path):
    with pytest.raises(ConfigError, match=r"hand-made features.*no gradient.*frontend\.kind=mel"):
        dream(song, tmp_path / "new.wav", feature_run, DreamConfig())
    assert not list(tmp_path.iterdir())


def test_transfers_with_features_are_an_error(feature_run, song, tmp_path):
    layers = "style_layers={conv1: 1}"
    config = load("transfer/lil_data", TransferConfig, [layers, "content_layers={}"])
    with pytest.raises(ConfigError, match=r"hand-made features.*no gradient.*frontend\.kind=mel"):
        transfer(song, song, tmp_path / "new.wav", config, feature_run)
    assert not list(tmp_path.iterdir())


def test_exporting_features_is_an_error(feature_run, tmp_path):
    kind = feature_run.config.frontend.kind
    with pytest.raises(
        ModelError, match=rf"frontend\.kind={kind}.*cannot be part of an exported network"
    ):
        export(feature_run, tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_spectrograms_of_features_are_an_error(feature_run, song, tmp_path):
    kind = feature_run.config.frontend.kind
    with pytest.raises(ConfigError, match=rf"frontend\.kind={kind} does not give a spectrogram"):
        analyze(song, tmp_path / "new.npz", feature_run.config)
    assert not list(tmp_path.iterdir())
