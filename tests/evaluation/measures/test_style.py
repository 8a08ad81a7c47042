import json

import numpy as np
import pytest
import soundfile

from tfdream.errors import AudioError
from tfdream.evaluation.measures import style
from tfdream.evaluation.measures.style import StyleDistance

RATE = 22050


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Bright noise that comes and goes, a chord, and half of each."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    times = np.arange(2 * RATE) / RATE
    noise = 0.05 * np.diff(rng.standard_normal(len(times)), prepend=0) * (1 + np.sin(20 * times))
    chord = sum(np.sin(2 * np.pi * hz * times) for hz in (220, 330, 440)) / 20
    sounds = {"noise": noise, "chord": chord, "both": (noise + chord) / 2, "silence": 0 * noise}
    sounds["soft"] = noise / 8
    for name, sound in sounds.items():
        soundfile.write(folder / f"{name}.wav", sound, RATE, "FLOAT")
    wide = np.stack([noise, noise], axis=1).repeat(2, axis=0)
    soundfile.write(folder / "stereo.wav", wide, 2 * RATE, "FLOAT")
    return lambda name: folder / f"{name}.wav"


@pytest.fixture(scope="module")
def judge(files):
    """A judge with few filters, whose tiles are those of the recipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "_FILTERS", 64)
        return StyleDistance(files("noise"))


def test_it_is_zero_for_the_style_itself_at_any_volume(judge, files):
    assert judge.to(files("noise")) == pytest.approx(0, abs=1e-4)
    assert judge.to(files("soft")) == pytest.approx(0, abs=1e-4)


def test_it_falls_as_the_style_is_mixed_in(judge, files):
    told = judge(files("chord"), files("both"))
    assert 0.01 < told["style_distance_after"] < told["style_distance_before"]
    assert told["notes"][0] == "the original (2.00 s) is repeated to 10 s for style_distance"
    json.dumps(told, allow_nan=False)


def test_silence_has_no_distance(judge, files):
    told = judge(files("noise"), files("silence"))
    assert told["style_distance_after"] is None
    assert told["style_distance_before"] is not None
    with pytest.raises(AudioError, match=r"silence.*no loudness.*give another --style"):
        StyleDistance(files("silence"))


def test_the_judge_is_not_the_recipe(judge):
    from tfdream import config
    from tfdream.config import TransferConfig

    recipe = config.load(style.RECIPE, TransferConfig)
    assert judge.config.network.options["seed"] != recipe.network.options["seed"]
    assert judge.config.network.frontend == recipe.network.frontend


@pytest.mark.slow
def test_rate_and_channels_do_not_matter(judge, files):
    # Samples that are held twice have images above 11 kHz, which the judge does not hear.
    assert judge.to(files("stereo")) < 0.05
