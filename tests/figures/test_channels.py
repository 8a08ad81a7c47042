import numpy as np
import pytest
import soundfile
from calling import answer, refusal

from tfdream.figures.parts.strongest import StrongestMoments
from tfdream.models import inspect

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
