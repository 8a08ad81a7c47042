import numpy as np
import pytest
import soundfile

from tfdream.errors import AudioError
from tfdream.figures.parts.overview import FrequencyScale
from tfdream.figures.spectrograms import Steps, View, plot_spectrograms


def test_files_share_axes_and_colors(song, tmp_path, inspect_figure):
    soundfile.write(tmp_path / "short.wav", np.zeros((10, 2)), 44100)
    paths = [str(song), tmp_path / "short.wav"]
    steps = Steps({"output": [3, 2, 1]}, "loss")
    shown = inspect_figure(plot_spectrograms(paths, ["A$AP _^ K$"], steps))
    assert shown.titles == ["A$AP _^ K$", "short.wav"]
    assert shown.labels == {
        *("frequency / Hz", "time / s", "level / dB", "loss", "step, over all tiles and octaves")
    }
    first, second, curve = shown.axes[:3]
    assert first.get_xlim() == second.get_xlim() == (0, soundfile.info(song).duration)
    assert first.get_ylim() == second.get_ylim() == (40, pytest.approx(22050))
    assert first.collections[0].get_clim() == (-80, 0)
    assert curve.lines[0].get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    assert curve.get_yscale() == "log"


def test_each_result_has_a_curve_of_its_steps(song, inspect_figure):
    steps = Steps({"after: $a$": [3, 2, 1], "after: b": [-1, 2]})
    curves = inspect_figure(plot_spectrograms([song], steps=steps)).axes[1]
    found = [line.get_xydata().tolist() for line in curves.lines]
    assert found == [[[1, 3], [2, 2], [3, 1]], [[1, -1], [2, 2]]]
    assert [text.get_text() for text in curves.get_legend().texts] == [r"after: \$a\$", "after: b"]
    assert curves.get_yscale() == "linear"


def test_silence_can_be_drawn(tmp_path, inspect_figure):
    for samples in (1, 8000):
        for linear in (False, True):
            soundfile.write(tmp_path / "silence.wav", np.zeros((samples, 8)), 8000)
            view = View(waveforms=True, scale=FrequencyScale(max_hz=3000, linear=linear))
            shown = inspect_figure(plot_spectrograms([tmp_path / "silence.wav"], view=view))
            waveform, spectrogram = shown.axes[:2]
            assert waveform.get_ylabel() == "amplitude"
            assert waveform.get_ylim() == (-1.05, 1.05)
            assert spectrogram.get_yscale() == ("linear" if linear else "log")
            assert spectrogram.get_ylim() == (0 if linear else 40, pytest.approx(3000))


def test_unreadable_file_is_an_audio_error(tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav"):
        plot_spectrograms([tmp_path / "gone.wav"])
