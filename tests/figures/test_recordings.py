import shutil

import numpy as np
import pytest
import soundfile

from tfdream import figures
from tfdream.errors import AudioError

MAGIC = [".png", ".svg", ".pdf"]


@pytest.mark.parametrize("extension", MAGIC)
def test_spectrograms_of_any_two_files(song, tmp_path, extension, assert_picture):
    soundfile.write(tmp_path / "short.wav", np.zeros((10, 2)), 44100)
    output = tmp_path / f"both{extension}"
    figures.spectrograms([song, tmp_path / "short.wav"], output, ["a song"], [3, 2, 1])
    assert_picture(output)


@pytest.mark.parametrize("samples", [1, 8000])
@pytest.mark.parametrize("linear", [False, True])
def test_silence_can_be_drawn(tmp_path, samples, linear, assert_picture):
    soundfile.write(tmp_path / "silence.wav", np.zeros((samples, 8)), 8000)
    output = tmp_path / "silence.png"
    scale = figures.FrequencyScale(max_hz=3000, linear=linear)
    figures.spectrograms([tmp_path / "silence.wav"], output, waveforms=True, scale=scale)
    assert_picture(output)


def test_dollars_in_names_are_no_formulas(song, tmp_path, assert_picture):
    name = "A$AP _^ K$ \\frac ölig.wav"
    shutil.copy(song, tmp_path / name)
    figures.spectrograms([tmp_path / name, song], tmp_path / "two.svg", [name])
    assert_picture(tmp_path / "two.svg")


def test_a_recording_that_cannot_be_read_is_an_audio_error(tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav"):
        figures.spectrograms([tmp_path / "gone.wav"], tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []
