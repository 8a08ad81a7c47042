"""Hand-made features: what physics says of them, their frontend, and what refuses it."""

import multiprocessing
import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

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


def named(samples, rate=RATE, **settings):
    return dict(zip(feature_names(), clip_features(samples, rate, **settings), strict=True))


def of(kind, samples):
    return compute(FeatureFrontendConfig(kind=kind), RATE, samples)


# Statistics of a clip


def test_every_number_has_a_name_of_its_own():
    assert len(set(feature_names())) == len(feature_names()) == 2 * (12 + 4 + 20)
    assert clip_features(noise(5000), RATE).shape == (len(feature_names()),)


@pytest.mark.parametrize("hz", [500, 1000, 4000])
def test_a_tone_has_its_centre_at_its_frequency(hz):
    # A tone that has begun before and goes on, but for the clip's own ends.
    found = named(tone(hz, seconds=10))
    assert found["centroid_hz mean"] == pytest.approx(hz, abs=BIN_HZ)
    assert found["rolloff_hz mean"] == pytest.approx(hz, abs=2 * BIN_HZ)  # the window's main lobe


def test_noise_is_broader_than_a_tone():
    found = named(noise(2 * RATE))
    assert found["centroid_hz mean"] == pytest.approx(RATE / 4, rel=0.02)
    # Of what is even from 0 Hz to half the rate: its width over the square root of 12.
    assert found["bandwidth_hz mean"] == pytest.approx(RATE / 2 / 12**0.5, rel=0.02)
    assert found["rolloff_hz mean"] == pytest.approx(0.85 * RATE / 2, rel=0.02)
    assert named(tone(1000))["bandwidth_hz mean"] < 0.1 * found["bandwidth_hz mean"]


@pytest.mark.parametrize(("hz", "pitch"), [(440, "A"), (261.63, "C"), (739.99, "F#"), (880, "A")])
@pytest.mark.parametrize("detuned", [1.0, 2 ** (0.3 / 12)])
def test_a_tone_is_of_its_pitch_class(hz, pitch, detuned):
    """Also on an instrument that is tuned 30 cents higher."""
    found = named(tone(hz * detuned))
    chroma = {name: value for name, value in found.items() if name.startswith("chroma")}
    means = {name: value for name, value in chroma.items() if name.endswith("mean")}
    assert max(means, key=means.get) == f"chroma {pitch} mean"


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
@pytest.mark.parametrize("hz", [100.5, 1000.5])
def test_a_tone_crosses_zero_twice_a_period(hz, rate):
    found = named(tone(hz, seconds=20, rate=rate), rate)
    # The frames at the ends reach half a window over them, where nothing crosses.
    assert found["zero_crossing_rate mean"] == pytest.approx(2 * hz / rate, rel=0.02)


def test_what_changes_has_deviations():
    steady = named(tone(1000, seconds=6))
    changing = named(np.concatenate([tone(1000, seconds=3), tone(3000, seconds=3)]))
    assert changing["centroid_hz mean"] == pytest.approx(2000, rel=0.02)
    # Half the frames 1000 Hz under the mean, half of them above it.
    assert changing["centroid_hz deviation"] == pytest.approx(1000, rel=0.02)
    assert steady["centroid_hz deviation"] < 200


def test_silence_has_no_features_but_a_finite_level():
    found = named(np.zeros(RATE, np.float32))
    assert np.isfinite(list(found.values())).all()
    assert {name for name, value in found.items() if value} == {"mfcc 0 mean"}


# The autocorrelogram


@pytest.mark.parametrize("bpm", [90, 120, 180])
def test_clicks_repeat_after_a_beat(bpm):
    found = autocorrelogram(clicks(bpm), RATE)
    beat = 60 / bpm / HOP_SECONDS
    searched = np.arange(8, 1.5 * beat).astype(int)  # behind the click itself, before two beats
    assert searched[found[searched].argmax()] == pytest.approx(beat, abs=1)


def test_a_lag_is_a_hop():
    spec = StftSpec(n_fft=1024, hop_samples=256)
    found = autocorrelogram(clicks(120), RATE, lags=100, spec=spec)
    searched = np.arange(16, 60)
    assert searched[found[searched].argmax()] == pytest.approx(0.5 * RATE / 256, abs=1)


def test_lag_0_is_the_measure_of_the_others():
    for samples in (clicks(120), noise(RATE), tone(1000), np.zeros(RATE)):
        found = autocorrelogram(samples, RATE)
        assert found[0] == 1
        assert (np.abs(found) <= 1).all()


def test_lags_beyond_the_clip_are_empty():
    found = autocorrelogram(noise(10 * 512), RATE, lags=51)
    assert found[:5].all()
    assert not found[11:].any()  # it has 11 frames


# Both


@each_kind
@pytest.mark.parametrize("gain", [0.5, 1e-3, 3.0])
def test_the_level_changes_nothing(kind, gain):
    samples = noise(2 * RATE) * clicks(120, 2) + 0.1 * tone(440)
    found, wanted = of(kind, gain * samples), of(kind, samples)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)  # float32


@each_kind
@pytest.mark.parametrize("samples", [1, 2, 511, 2047, 2048, 2049])
def test_any_length_will_do(kind, samples):
    for clip in (noise(samples), np.zeros(samples, np.float32), np.ones(samples, np.float32)):
        found = of(kind, clip)
        assert found.shape == (features.size(FeatureFrontendConfig(kind=kind)),)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


@pytest.mark.slow
def test_the_same_samples_have_the_same_features_in_any_process():
    work = [(FeatureFrontendConfig(kind=kind), RATE, noise(RATE)) for kind in KINDS]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.starmap(compute, work)
    for arguments, found in zip(work, elsewhere, strict=True):
        np.testing.assert_array_equal(found, compute(*arguments))


def test_features_need_no_tensorflow_and_librosa_only_when_called():
    script = (
        "import sys, numpy; from tfdream.signal.features import clip_features\n"
        "assert 'librosa' not in sys.modules\n"
        "clip_features(numpy.ones(9), 8000); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "librosa" in loaded
    assert not {"tensorflow", "keras"} & set(loaded)


def test_lags_do_not_go_with_features():
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


def test_a_batch_is_its_clips_one_by_one(frontend):
    waveforms = batch()
    found = frontend(tf.constant(waveforms))
    assert found.shape == (3, *frontend.shape(waveforms.shape[1]))
    assert found.dtype == tf.float32
    wanted = [frontend.compute(samples) for samples in waveforms]
    np.testing.assert_array_equal(found[..., 0], wanted)


def test_a_batch_may_be_empty(frontend):
    assert frontend(tf.zeros([0, 5000])).shape == (0, *frontend.shape(5000))


@pytest.mark.parametrize("signature", [[2, 5000], [None, 5000], [None, None]])
def test_a_graph_knows_the_shape(frontend, signature):
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec(signature, tf.float32)])
    def call(waveform):
        found = frontend(waveform)
        shapes.append(found.shape.as_list())
        return found

    found = call(tf.constant(batch(2)))
    assert shapes == [[signature[0], *frontend.shape(5000)]]
    np.testing.assert_array_equal(found, frontend(tf.constant(batch(2))))


def test_the_frontend_travels_to_other_processes(frontend):
    again = pickle.loads(pickle.dumps(frontend))
    np.testing.assert_array_equal(again.compute(noise(99)), frontend.compute(noise(99)))


def test_the_sample_rate_counts():
    config = FeatureFrontendConfig(kind="features")
    centroid = feature_names().index("centroid_hz mean")
    slow, fast = (build(config, rate).compute(noise(5000))[centroid] for rate in (8000, 16000))
    assert fast == pytest.approx(2 * slow)


# What needs a gradient or an image


@pytest.fixture(
    scope="module", params=[("features", "feature_cnn"), ("autocorrelogram", "autocorrelogram_cnn")]
)
def heard(request, run, configure, tmp_path_factory):
    """A run on features, with fresh weights."""
    kind, name = request.param
    changes = (f"frontend={{kind: {kind}}}", f"model={{name: {name}}}")
    folder = tmp_path_factory.mktemp(kind) / "run"
    created = Run(folder, configure(*changes), run.info)
    created.create()
    created.save_weights(created.build_model())
    return Run.open(folder)


def test_a_run_on_features_listens_at_its_own_rate(heard):
    assert heard.frontend.sample_rate == heard.sample_rate != RATE
    inputs = heard.frontend(tf.constant(batch(2, heard.clip_samples)))
    assert heard.model(inputs, training=False).shape == (2, len(heard.labels))


def test_there_is_no_dream_of_features(heard, song, tmp_path):
    with pytest.raises(ConfigError, match=r"hand-made features.*no gradient.*frontend\.kind=mel"):
        dream(song, tmp_path / "new.wav", heard, DreamConfig())
    assert not list(tmp_path.iterdir())


def test_there_is_no_transfer_by_features(heard, song, tmp_path):
    layers = "style_layers={conv1: 1}"
    config = load("transfer/lil_data", TransferConfig, [layers, "content_layers={}"])
    with pytest.raises(ConfigError, match=r"hand-made features.*no gradient.*frontend\.kind=mel"):
        transfer(song, song, tmp_path / "new.wav", config, heard)
    assert not list(tmp_path.iterdir())


def test_features_are_not_exported(heard, tmp_path):
    kind = heard.config.frontend.kind
    with pytest.raises(ModelError, match=rf"frontend\.kind={kind}.*SavedModel cannot hold"):
        export(heard, tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_features_are_no_spectrogram(heard, song, tmp_path):
    kind = heard.config.frontend.kind
    with pytest.raises(ConfigError, match=rf"frontend\.kind={kind} gives no spectrogram"):
        analyze(song, tmp_path / "new.npz", heard.config)
    assert not list(tmp_path.iterdir())
