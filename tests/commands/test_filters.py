"""Filters of results on the command line."""

import numpy as np
import pytest
import soundfile
from calling import EAGERLY, FEW_STEPS, answer, invoke


def level_above_db(path, hz):
    """Level above a frequency, relative to the whole."""
    samples, rate = soundfile.read(path)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), axis=0)) ** 2
    above = np.fft.rfftfreq(len(samples), 1 / rate) > hz
    return 10 * np.log10(power[above].sum() / power.sum() + 1e-20)


@EAGERLY
def test_a_dream_is_filtered(trained, source, tmp_path):
    output, noise = tmp_path / "dream.wav", source / "noise/1.wav"
    call = ("dream", noise, output, "--model", trained[0], "--layer", "conv1", *FEW_STEPS)
    result = answer(*call, "--seconds", 1, "--filter", "100-2000", "--set", "filter.gate_db=-90")
    assert result["samples"] == soundfile.info(output).frames == 8000
    assert level_above_db(noise, 2300) > -5
    assert level_above_db(output, 2300) < -50
    sidecar = output.with_name("dream.wav.json").read_text()
    assert '"high_hz": 2000.0' in sidecar


@EAGERLY
def test_generated_music_is_filtered(generation, tmp_path):
    output = tmp_path / "new.wav"
    answer(
        *("generate", output, "--model", generation[0], "--seconds", 1, "--filter", "-1000"),
        *("--set", "phase.iterations=1"),
    )
    assert level_above_db(output, 1200) < -50


@pytest.mark.parametrize("band", ["loud", "100", "-", "a-b"])
def test_a_band_has_two_frequencies(band, song, tmp_path):
    result = invoke("dream", song, tmp_path / "out.wav", "--filter", band)
    assert result.exit_code == 2
    assert "is not a band in Hz such as 40-8000" in result.stderr
