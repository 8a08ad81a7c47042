import numpy as np
import pytest
import soundfile
from calling import answer, refusal

from tfdream import audio
from tfdream.figures.parts.strongest import StrongestMoments
from tfdream.models import inspect
from tfdream.runs import Run

RATE = 8000

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A recording of silence with a click in its third second, and one of noise."""
    folder = tmp_path_factory.mktemp("recordings")
    click = np.zeros(3 * RATE)
    click[round(2.5 * RATE)] = 0.9
    soundfile.write(folder / "click.wav", click, RATE)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 2 * RATE)
    soundfile.write(folder / "noise.wav", noise, RATE)
    return folder


def test_moments_are_those_of_the_largest_activations(run, recordings):
    strongest = StrongestMoments(run, "conv1", count=2)
    strongest.add(recordings / "noise.wav")
    waveform = soundfile.read(recordings / "noise.wav", dtype="float32")[0].reshape(2, RATE)
    activations = inspect.tap(run.model, ["conv1"])(run.frontend(waveform))["conv1"].numpy()
    for channel in range(strongest.channels):
        first, second = strongest.of(channel)
        of_clips = activations[..., channel].max((1, 2))
        assert first.activation == pytest.approx(of_clips.max(), rel=1e-4)
        assert second.activation == pytest.approx(of_clips.min(), rel=1e-4)
        assert first.clip_seconds == of_clips.argmax()
        column = activations[of_clips.argmax(), ..., channel].max(0).argmax()
        assert first.seconds == pytest.approx((column + 0.5) / activations.shape[2])


def test_channels_without_a_time_axis_have_moments_in_the_middle(run, recordings):
    strongest = StrongestMoments(run, "embedding", count=1)
    strongest.add(recordings / "noise.wav")
    assert strongest.of(0)[0].seconds == 0.5
    assert len(strongest.most_selective(3)) == 3


def test_each_recording_is_read_once_for_the_inputs_of_all_moments(run, recordings, monkeypatch):
    strongest = StrongestMoments(run, "conv1", count=2)
    for name in ("click.wav", "noise.wav"):
        strongest.add(recordings / name)
    rows = [strongest.of(channel) for channel in range(strongest.channels)]
    opened = []
    reader = audio.Reader
    monkeypatch.setattr(audio, "Reader", lambda path: opened.append(path) or reader(path))
    inputs = strongest.inputs(rows)
    assert sorted(opened) == sorted({moment.path for row in rows for moment in row})
    monkeypatch.undo()
    for row, clips in zip(rows, inputs, strict=True):
        for moment, actual in zip(row, clips, strict=True):
            clip = audio.clip(moment.path, moment.clip_seconds, RATE, RATE)
            np.testing.assert_allclose(actual, run.frontend(clip[np.newaxis])[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["features", "autocorrelogram"])
def test_inputs_without_a_time_axis_are_refused(run, configure, recordings, tmp_path, kind):
    Run(tmp_path / "run", configure(f"frontend={{kind: {kind}}}"), run.info).create()
    arguments = ("plot", "channels", recordings, tmp_path / "a.png", "--model", tmp_path / "run")
    assert f"frontend.kind={kind}, whose inputs have no time axis" in refusal(*arguments)


def test_the_command_draws_given_channels_of_all_files_of_a_folder(run, recordings, tmp_path):
    arguments = ("plot", "channels", recordings, tmp_path / "a.png", "--model", run.folder)
    result = answer(*arguments, "--layer", "conv1", "--channel", 1, "--channel", 3)
    assert result["layer"] == "conv1"
    assert [row["channel"] for row in result["channels"]] == [1, 3]
    assert {moment["path"] for moment in result["channels"][0]["moments"]} == {
        str(recordings / name) for name in ("click.wav", "noise.wav")
    }
    assert "is not one of the 4 channels of 'conv1'" in refusal(
        *arguments, "--layer", "conv1", "--channel", 4
    )
