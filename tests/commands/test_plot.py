"""The options of the figures' commands, on tiny networks and sounds."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from calling import answer, invoke, refusal


def draw(*arguments):
    """Run a command that draws a figure and return its JSON object."""
    result = answer("plot", *arguments)
    assert Path(result["figure"]).read_bytes()[:4] in (b"\x89PNG", b"<?xm", b"%PDF")
    return result


def test_spectrograms_with_waveforms(song, source, tmp_path):
    draw(
        *("spectrograms", song, source / "noise/0.wav", tmp_path / "a.png", "--waveforms"),
        *("--n-fft", 512, "--hop", 256, "--title", "tones", "--max-hz", 2000, "--linear"),
    )


def test_invalid_windows_are_rejected(song, tmp_path):
    output = tmp_path / "a.png"
    line = refusal("plot", "spectrograms", song, output, "--n-fft", 512, "--hop", 400)
    assert "hop_samples=400 is longer than n_fft/2=256" in line
    assert "n_fft=7" in refusal("plot", "spectrograms", song, output, "--n-fft", 7)
    assert "hop_samples=0" in refusal("plot", "spectrograms", song, output, "--hop", 0)
    assert not output.exists()


def test_more_titles_than_files_are_a_usage_error(song, tmp_path):
    result = invoke(
        "plot", "spectrograms", song, tmp_path / "a.png", "--title", "a", "--title", "b"
    )
    assert result.exit_code == 2
    assert "--title is given 2 times for 1 AUDIO" in result.stderr


def test_classes(dataset, tmp_path):
    draw("classes", dataset, tmp_path / "classes.svg")
    text = (tmp_path / "classes.svg").read_text(encoding="utf-8")
    assert "fold 2" in text
    assert "19" in text  # clips of noise: five tracks of three, one of four


def test_filters(trained, tmp_path):
    result = draw("filters", trained[0], tmp_path / "one.png", "--layer", "conv2")
    assert result["layers"] == ["conv2"]
    line = refusal("plot", "filters", trained[0], tmp_path / "no.png", "--layer", "pool1")
    assert "layer 'pool1' is not a convolution of the model; use one of: conv1, conv2" in line


def test_octaves(trained, song, tmp_path):
    result = draw(
        *("octaves", song, song, tmp_path / "a.png", "--model", trained[0], "--start", 0.5),
        *("--set", "octaves.count=2", "--title", "before"),
    )
    assert result["shapes"] == [[92, 90, 1], [129, 126, 1]]
    where = ("octaves", song, tmp_path / "b.png", "--model", trained[0])
    assert "beyond the end" in refusal("plot", *where, "--start", 60)
    assert "leaves nothing" in refusal("plot", *where, "--set", "octaves.count=40")


@pytest.mark.usefixtures("eagerly")
def test_gram_matrices(trained, song, source, tmp_path):
    result = draw(
        *("gram", song, source / "noise/0.wav", tmp_path / "a.svg", "--model", trained[0]),
        *("--config", "transfer/lil_data", "--layer", "conv1", "--title", "A$AP"),
    )
    assert result["layers"] == ["conv1"]
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "conv1: relative difference" in text
    where = ("gram", song, tmp_path / "b.png", "--config", "transfer/lil_data")
    assert "give one with --model" in refusal("plot", *where)
    assert "not in the model" in refusal("plot", *where, "--model", trained[0], "--layer", "conv9")
    line = refusal("plot", "gram", song, tmp_path / "b.png", "--config", "transfer/timbre")
    assert "method=timbre has no Gram matrices; use" in line
    assert "transfer/texture" in line


def test_autocorrelograms(song, tmp_path):
    soundfile.write(tmp_path / "one.wav", np.zeros((1, 8)), 44100)
    draw(
        *("autocorrelograms", song, tmp_path / "one.wav", tmp_path / "a.png", "--seconds", 1),
        *("--set", "prepare.sample_rate=8000", "--set", "frontend.lags=20"),
    )
    line = refusal("plot", "autocorrelograms", song, tmp_path / "b.png", "--config", "lil_data")
    assert "frontend.kind=amplitude" in line
