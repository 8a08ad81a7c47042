import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream.config import TransferConfig, load_transfer, validate
from tfdream.errors import AudioError, ConfigError, ModelError
from tfdream.signal.frontends.raw import RawFrontend
from tfdream.synthesis.ascent import losses
from tfdream.synthesis.ascent.gram import extract_grams, full_tiles
from tfdream.synthesis.audio_model import FeatureNetwork
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.rendering.sources import Source
from tfdream.synthesis.rendering.tiles import TileGrid
from tfdream.synthesis.rendering.timelines import Timeline, Timelines
from tfdream.synthesis.transfer import GradientTransfer, transfer

# Eager execution gives the same results; tracing the graph takes longer than a few steps.
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


def transfer_files(files, output, config=None, **settings):
    config = config or recipe()
    return transfer(files / "content.wav", files / "style.wav", output, config, **settings)


@pytest.fixture(scope="module")
def result(files, tmp_path_factory):
    output = tmp_path_factory.mktemp("transferred") / "out.wav"
    return transfer_files(files, output), output


def test_the_style_loss_falls_in_the_written_file_too(result, files):
    values, output = result
    assert values["style_loss_after"] < values["style_loss_before"] / 10
    # Rounding and crossfades with the neighbors of a tile are applied after the optimization.
    assert values["style_loss_rendered"] < values["style_loss_before"] / 5
    assert power_above(output, 1000) > 100 * power_above(files / "content.wav", 1000)


def test_the_result_has_the_documented_keys(result):
    values, output = result
    assert {
        "style_loss_before", "style_loss_after", "style_loss_rendered", "content_loss_rendered",
        "steps", "audio_seconds", "compute_seconds", "sample_rate", "channels", "samples", "peak",
    } <= set(values)  # fmt: skip
    assert values["samples"] == len(read(output)) == round(1.2 * RATE)


def test_the_sidecar_has_the_result_and_the_settings(result):
    values, output = result
    sidecar = json.loads(output.with_name("out.wav.json").read_text())
    assert sidecar["result"]["style_loss_after"] == values["style_loss_after"]
    assert validate(sidecar["config"], TransferConfig, "sidecar") == recipe()


@EAGERLY
@pytest.mark.parametrize(
    "start",
    [*(pytest.param(start, marks=pytest.mark.slow) for start in ("content", "style")), "noise"],
)
def test_the_same_seed_gives_the_same_file(files, tmp_path, start):
    config = recipe(init=start, optimizer={"kind": "lbfgs", "steps": 2, "step_size": 1e-3})
    for name in ("a.wav", "b.wav"):
        transfer_files(files, tmp_path / name, config, options=RenderOptions(seconds=0.8))
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.slow
def test_strength_moves_from_the_content_to_the_style(files, tmp_path):
    results = [
        transfer_files(files, tmp_path / f"{strength}.wav", recipe(style_strength=strength))
        for strength in (0.0, 0.5, 1.0)
    ]
    styles = [each["style_loss_after"] for each in results]
    contents = [each["content_loss_after"] for each in results]
    assert styles[0] > styles[1] > styles[2]
    assert contents[0] <= contents[1] < contents[2]
    assert contents[0] == pytest.approx(0, abs=1e-6)


def test_tiles_adapt_to_a_file_that_is_a_little_longer(files, tmp_path):
    soundfile.write(tmp_path / "content.wav", np.zeros(CLIP + 5), RATE)
    for tolerance, samples in ((0.0, CLIP), (0.05, CLIP + 5)):
        config = recipe(tiles={"overlap_seconds": 0.05, "tolerance": tolerance})
        grid = GradientTransfer(files / "style.wav", config).prepare(tmp_path / "content.wav").grid
        assert grid.samples == samples
        assert grid.count(CLIP + 5) == (1 if tolerance else 2)
    part = GradientTransfer(files / "style.wav", config).prepare(
        tmp_path / "content.wav", RenderOptions(start_seconds=0.1)
    )
    assert part.grid.samples == CLIP


@pytest.mark.parametrize(("kind", "name"), [("continuous", "mix"), ("by_tile", "repeats")])
def test_tiles_adapt_to_files_with_curves_too(files, tmp_path, kind, name):
    soundfile.write(tmp_path / "content.wav", np.zeros(CLIP + 5), RATE)
    config = recipe(tiles={"overlap_seconds": 0.05, "tolerance": 0.05})
    timelines = Timelines(**{kind: {name: Timeline(np.ones(1))}})
    processor = GradientTransfer(files / "style.wav", config).processor(
        Source(tmp_path / "content.wav", timelines=timelines)
    )
    assert processor.grid.samples == CLIP + 5


def test_the_texture_of_a_little_more_than_ten_seconds_needs_one_tile():
    config = load_transfer("transfer/texture")
    network = config.network
    samples = round(network.clip_seconds * network.sample_rate)
    grid = TileGrid.build(config.tiles, samples, network.sample_rate)
    content = round(10.006 * network.sample_rate)
    assert grid.count(content) == 2
    assert grid.fitted(content, config.tiles.tolerance).count(content) == 1


def test_gram_matrices_are_of_all_frames_of_the_style(files):
    config = recipe()
    network = FeatureNetwork.build(config.network)
    grams = extract_grams(files / "style.wav", network, config)
    assert grams["conv1"].positions == 2 * network.frontend.shape(CLIP)[1]


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
        {"optimizer": {"kind": "adam", "steps": 4, "step_size": 0.002}},
    ],
    ids="-".join,
)
def test_other_settings_lower_the_style_loss(files, tmp_path, changes):
    few = {"optimizer": {"kind": "lbfgs", "steps": 3, "step_size": 1e-3}}
    values = transfer_files(files, tmp_path / "out.wav", recipe(**few | changes))
    assert values["style_loss_after"] < values["style_loss_before"]


@EAGERLY
def test_the_optimization_stops_when_the_loss_no_longer_falls(files, tmp_path):
    optimizer = {"kind": "lbfgs", "steps": 200, "step_size": 1e-3, "tolerance": 0.5, "patience": 2}
    values = transfer_files(files, tmp_path / "out.wav", recipe(optimizer=optimizer))
    assert values["steps"] < 200


@pytest.mark.slow
def test_the_loss_is_reported_step_by_step(files, tmp_path):
    reports = []
    values = transfer_files(
        files, tmp_path / "out.wav", progress=lambda *report: reports.append(report)
    )
    assert len(reports) == values["steps"]
    assert all(done <= total for done, total, _ in reports)
    assert -reports[14][2] < -reports[0][2]  # within the first tile


@EAGERLY
def test_the_network_can_be_that_of_a_run(run, files, tmp_path):
    config = recipe(**RUN, gram_normalization="gatys", optimizer={"kind": "adam", "steps": 2})
    values = transfer_files(files, tmp_path / "out.wav", config, run=run)
    assert np.isfinite(values["style_loss_rendered"])


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (RUN, ConfigError, "--model"),
        ({"style_layers": {"conv9": 1}}, ModelError, "conv9"),
        ({"octaves": {"count": 2}}, ConfigError, "octaves"),
        (
            {
                "network": {
                    **TINY["network"],
                    "name": "random_rnn",
                    "options": {"units": 3, "features": 4},
                },
                "style_layers": {"linear": 1},
                "content_layers": {},
                "tiles": {"seconds": 0.4, "overlap_seconds": 0},
            },
            ConfigError,
            r"layers linear require an input of shape .* do not set tiles.seconds",
        ),
        (
            {"style_strength": 0.5, "optimizer": {"kind": "adam", "jitter_seconds": 0.01}},
            ConfigError,
            r"optimizer.jitter_seconds=0.01 shifts the activations",
        ),
    ],
)
def test_settings_that_do_not_fit_are_errors_of_one_line_and_leave_no_file(
    files, tmp_path, changes, error, words
):
    with pytest.raises(error, match=words) as caught:
        transfer_files(files, tmp_path / "out.wav", recipe(**changes))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_samples_have_no_rhythm_to_keep(files):
    model = SimpleNamespace(frontend=RawFrontend(), sample_rate=RATE, input_samples=CLIP)
    with pytest.raises(ConfigError, match="keep=rhythm needs a network with images"):
        losses._kept("rhythm", model)


@pytest.mark.parametrize("name", ["musaic", "texture", "timbre_regression"])
def test_tiles_shorter_than_a_window_are_refused_by_every_method(files, tmp_path, name):
    tiles = ("tiles.seconds=0.01", "tiles.overlap_seconds=0")
    with pytest.raises(ConfigError, match=r"tiles.seconds=0.01 gives tiles of .*use at least"):
        transfer_files(files, tmp_path / "out.wav", load_transfer(f"transfer/{name}", tiles))
    assert not list(tmp_path.iterdir())


def test_a_style_of_tiles_shorter_than_a_window_is_an_error_of_one_line(files):
    config = recipe(tiles={"seconds": 0.01, "overlap_seconds": 0})
    with pytest.raises(ConfigError, match="80 samples is too short for n_fft=256") as caught:
        extract_grams(files / "style.wav", FeatureNetwork.build(config.network), config)
    assert "\n" not in str(caught.value)


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
        transfer_files(files, tmp_path / "out.wav", run=run)


@EAGERLY
def test_a_short_style_is_repeated_and_a_missing_one_is_an_error(files, tmp_path):
    short = tmp_path / "short.wav"
    soundfile.write(short, read(files / "style.wav")[:500], RATE, "PCM_16")
    config = recipe(optimizer={"kind": "adam", "steps": 2})
    values = transfer(files / "content.wav", short, tmp_path / "out.wav", config)
    assert np.isfinite(values["style_loss_after"])
    with pytest.raises(AudioError, match="does not exist"):
        transfer(files / "content.wav", tmp_path / "no.wav", tmp_path / "out2.wav", config)


def test_style_tiles_are_full_and_end_with_the_recording(files):
    config = recipe()
    network = FeatureNetwork.build(config.network)
    tiles = list(full_tiles(files / "style.wav", network, config))
    samples = read(files / "style.wav")[:, 0]
    assert [tile.shape for tile in tiles] == [(1, CLIP)] * 2
    np.testing.assert_array_equal(tiles[-1][0], samples[-CLIP:])
    assert tf.is_tensor(network.frontend(tf.constant(tiles[0])))


@pytest.mark.slow
def test_what_is_kept_changes_less(files, tmp_path):
    kept = ["rhythm", "harmony"]
    without, with_weight = (
        transfer_files(files, tmp_path / f"{weight}.wav", recipe(keep=kept, keep_weight=weight))
        for weight in (0, 100)
    )
    for name in kept:
        assert with_weight[f"{name}_loss_rendered"] < 0.7 * without[f"{name}_loss_rendered"]
