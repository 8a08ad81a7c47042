import json

import numpy as np
import pytest
import soundfile
import soxr

from tfdream.errors import AudioError
from tfdream.evaluation.measures import style
from tfdream.evaluation.measures.style import StyleDistance

RATE = 22050


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Amplitude-modulated bright noise, a chord, and mixtures of both."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    times = np.arange(2 * RATE) / RATE
    # Below 8 kHz, so that conversions of the sample rate do not remove the highest part.
    bright = soxr.resample(np.diff(rng.standard_normal(2 * 16000), prepend=0), 16000, RATE)
    noise = 0.05 * bright * (1 + np.sin(20 * times))
    chord = sum(np.sin(2 * np.pi * hz * times) for hz in (220, 330, 440)) / 20
    sounds = {"noise": noise, "chord": chord, "both": (noise + chord) / 2, "silence": 0 * noise}
    sounds["soft"] = noise / 8
    for name, sound in sounds.items():
        soundfile.write(folder / f"{name}.wav", sound, RATE, "FLOAT")
    wide = soxr.resample(np.stack([noise, noise], axis=1), RATE, 2 * RATE)
    soundfile.write(folder / "stereo.wav", wide, 2 * RATE, "FLOAT")
    return lambda name: folder / f"{name}.wav"


@pytest.fixture(scope="module")
def measure(files):
    """The measure with few filters, and the tiles of the recipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "_FILTERS", 64)
        return StyleDistance(files("noise"))


def test_distance_of_the_style_itself_is_zero_at_any_volume(measure, files):
    assert measure.distance_of(files("noise")) == pytest.approx(0, abs=1e-4)
    assert measure.distance_of(files("soft")) == pytest.approx(0, abs=1e-4)


def test_distance_decreases_as_the_style_is_mixed_in(measure, files):
    result = measure(files("chord"), files("both"))
    assert 0.01 < result["style_distance_after"] < result["style_distance_before"]
    assert result["notes"][0] == "the original (2.00 s) is repeated to 10 s for style_distance"
    json.dumps(result, allow_nan=False)


def test_silence_has_no_distance(measure, files):
    result = measure(files("noise"), files("silence"))
    assert result["style_distance_after"] is None
    assert result["style_distance_before"] is not None
    with pytest.raises(AudioError, match=r"silence.*no loudness.*use another style"):
        StyleDistance(files("silence"))


def test_seed_differs_from_the_recipe(measure):
    from tfdream import config
    from tfdream.config import TransferConfig

    recipe = config.load(style.RECIPE, TransferConfig)
    assert measure.config.network.options["seed"] != recipe.network.options["seed"]
    assert measure.config.network.frontend.stft == recipe.network.frontend.stft
    assert measure.config.network.frontend.level_dbfs is None


@pytest.mark.slow
def test_sample_rate_and_channels_do_not_matter(measure, files):
    assert measure.distance_of(files("stereo")) < 0.05
