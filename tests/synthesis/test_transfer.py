import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream.config import TransferConfig, validate
from tfdream.errors import AudioError, ConfigError, ModelError
from tfdream.synthesis.ascent.gram import extract_grams, full_tiles
from tfdream.synthesis.audio_model import FeatureNetwork
from tfdream.synthesis.transfer import transfer

# To build a graph takes longer than a few steps.
EAGERLY = pytest.mark.usefixtures("eagerly")

RATE = 8000
CLIP = RATE // 2
TINY = {
    "network": {
        "kind": "features",
        "name": "random_conv1d",
        "options": {"filters": 64},
        "sample_rate": RATE,
        "clip_seconds": 0.5,
        "frontend": {"kind": "log1p", "stft": {"n_fft": 256, "hop_samples": 64}},
    },
    "style_layers": {"conv1": 500},
    "content_layers": {"conv1": 1},
    "gram_normalization": "mse",
    "canvas": {"kind": "waveform"},
    "optimizer": {"kind": "lbfgs", "steps": 15, "step_size": 1e-3},
    "tiles": {"overlap_seconds": 0.05},
}
RUN = {"network": {"kind": "run"}, "style_layers": {"conv1": 1}, "content_layers": {"conv2": 1}}


def recipe(**changes):
    return validate(TINY | changes, TransferConfig, "test")


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def power_above(path, hz):
    samples = read(path).mean(axis=1)
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    return spectrum[np.fft.rfftfreq(len(samples), 1 / RATE) > hz].sum() / spectrum.sum()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A low chord of 1.2 s, and 0.9 s of bright noise."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    seconds = np.arange(round(1.2 * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * hz * seconds) for hz in (220, 330, 440)) / 6
    bright = np.diff(rng.standard_normal(round(0.9 * RATE)), prepend=0) / 8
    soundfile.write(folder / "content.wav", chord, RATE, "PCM_16")
    soundfile.write(folder / "style.wav", bright, RATE, "PCM_16")
    return folder


def run_it(files, output, config=None, **settings):
    config = config or recipe()
    return transfer(files / "content.wav", files / "style.wav", output, config, **settings)


@pytest.fixture(scope="module")
def result(files, tmp_path_factory):
    output = tmp_path_factory.mktemp("transferred") / "out.wav"
    return run_it(files, output), output


def test_the_style_comes_and_is_heard(result, files):
    told, output = result
    assert told["style_loss_after"] < told["style_loss_before"] / 10
    # 16 bits, cross-fades and the neighbors of a tile lie between what is seen and heard.
    assert told["style_loss_rendered"] < told["style_loss_before"] / 5
    assert power_above(output, 1000) > 100 * power_above(files / "content.wav", 1000)


def test_the_answer_has_what_tools_rely_on(result):
    told, output = result
    assert {
        "style_loss_before", "style_loss_after", "style_loss_rendered", "content_loss_rendered",
        "steps", "audio_seconds", "compute_seconds", "sample_rate", "channels", "samples", "peak",
    } <= set(told)  # fmt: skip
    assert told["samples"] == len(read(output)) == round(1.2 * RATE)


def test_the_sidecar_tells_how_to_make_it_again(result):
    told, output = result
    sidecar = json.loads(output.with_name("out.wav.json").read_text())
    assert sidecar["result"]["style_loss_after"] == told["style_loss_after"]
    assert validate(sidecar["config"], TransferConfig, "sidecar") == recipe()


@EAGERLY
@pytest.mark.parametrize(
    "start",
    [*(pytest.param(start, marks=pytest.mark.slow) for start in ("content", "style")), "noise"],
)
def test_the_same_seed_gives_the_same_file(files, tmp_path, start):
    config = recipe(init=start, optimizer={"kind": "lbfgs", "steps": 3, "step_size": 1e-3})
    for name in ("a.wav", "b.wav"):
        run_it(files, tmp_path / name, config)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.slow
def test_strength_goes_from_the_content_to_the_style(files, tmp_path):
    told = [
        run_it(files, tmp_path / f"{strength}.wav", recipe(style_strength=strength))
        for strength in (0.0, 0.5, 1.0)
    ]
    styles = [each["style_loss_after"] for each in told]
    contents = [each["content_loss_after"] for each in told]
    assert styles[0] > styles[1] > styles[2]
    assert contents[0] <= contents[1] < contents[2]
    assert contents[0] == pytest.approx(0, abs=1e-6)


def test_all_of_the_style_counts(files):
    config = recipe()
    listener = FeatureNetwork.build(config.network)
    textures = extract_grams(files / "style.wav", listener, config)
    assert textures["conv1"].positions == 2 * listener.frontend.shape(CLIP)[1]


@EAGERLY
@pytest.mark.parametrize(
    "changes",
    [
        {"gram": "time"},
        pytest.param(
            {"octaves": {"count": 2, "scale": 2.0, "axes": "time"}}, marks=pytest.mark.slow
        ),
        {"canvas": {"kind": "log_magnitude", "phase": {"iterations": 0}, "headroom_db": None}},
        pytest.param({"canvas": {"kind": "gains", "bound_db": 12}}, marks=pytest.mark.slow),
        {"optimizer": {"kind": "adam", "steps": 10, "step_size": 0.002}},
    ],
    ids="-".join,
)
def test_every_way_lowers_the_style_loss(files, tmp_path, changes):
    few = {"optimizer": {"kind": "lbfgs", "steps": 5, "step_size": 1e-3}}
    told = run_it(files, tmp_path / "out.wav", recipe(**few | changes))
    assert told["style_loss_after"] < told["style_loss_before"]


@EAGERLY
def test_it_stops_when_it_no_longer_pays(files, tmp_path):
    optimizer = {"kind": "lbfgs", "steps": 200, "step_size": 1e-3, "tolerance": 0.5, "patience": 2}
    told = run_it(files, tmp_path / "out.wav", recipe(optimizer=optimizer))
    assert told["steps"] < 200


@pytest.mark.slow
def test_the_loss_is_reported_step_by_step(files, tmp_path):
    heard = []
    told = run_it(files, tmp_path / "out.wav", progress=lambda *report: heard.append(report))
    assert len(heard) == told["steps"]
    assert all(done <= total for done, total, _ in heard)
    assert -heard[14][2] < -heard[0][2]  # within the first tile


@EAGERLY
def test_the_network_of_a_run_can_be_listened_through(run, files, tmp_path):
    config = recipe(**RUN, gram_normalization="gatys", optimizer={"kind": "adam", "steps": 5})
    told = run_it(files, tmp_path / "out.wav", config, run=run)
    assert np.isfinite(told["style_loss_rendered"])


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (RUN, ConfigError, "--model"),
        ({"style_layers": {"conv9": 1}}, ModelError, "conv9"),
        ({"octaves": {"count": 2}}, ConfigError, "octaves"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(files, tmp_path, changes, error, words):
    with pytest.raises(error, match=words) as caught:
        run_it(files, tmp_path / "out.wav", recipe(**changes))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes",
    [
        {"style_layers": {}},
        {"init": "noise", "canvas": {"kind": "gains"}},
        {"style_strength": 0.5, "content_layers": {}},
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes):
    with pytest.raises(ConfigError):
        recipe(**changes)


def test_a_run_beside_a_feature_network_is_refused(run, files, tmp_path):
    with pytest.raises(ConfigError, match="--model"):
        run_it(files, tmp_path / "out.wav", run=run)


@EAGERLY
def test_a_short_style_is_repeated_and_a_missing_one_said(files, tmp_path):
    short = tmp_path / "short.wav"
    soundfile.write(short, read(files / "style.wav")[:500], RATE, "PCM_16")
    config = recipe(optimizer={"kind": "adam", "steps": 2})
    told = transfer(files / "content.wav", short, tmp_path / "out.wav", config)
    assert np.isfinite(told["style_loss_after"])
    with pytest.raises(AudioError, match="does not exist"):
        transfer(files / "content.wav", tmp_path / "no.wav", tmp_path / "out2.wav", config)


def test_style_tiles_are_full_and_end_with_the_recording(files):
    config = recipe()
    listener = FeatureNetwork.build(config.network)
    tiles = list(full_tiles(files / "style.wav", listener, config))
    whole = read(files / "style.wav")[:, 0]
    assert [tile.shape for tile in tiles] == [(1, CLIP)] * 2
    np.testing.assert_array_equal(tiles[-1][0], whole[-CLIP:])
    assert tf.is_tensor(listener.frontend(tf.constant(tiles[0])))
