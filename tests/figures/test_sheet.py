import shutil

import numpy as np
import pytest

from tfdream import figures
from tfdream.errors import ConfigError
from tfdream.figures.sheet import (
    RANGE_DB,
    name,
    new_figure,
    power_to_level_db,
    round_hz,
    sheet,
    shortened,
)

PERFECT = {"recall": 1.0, "precision": 1.0, "f1": 1.0, "clips": 1}


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.wav", "png"])
def test_another_extension_is_refused_with_those_that_are_known(trained, song, tmp_path, name):
    draw = [
        lambda output: figures.spectrograms([song], output),
        lambda output: figures.history(trained[0], output),
        lambda output: figures.confusion(["a"], [[1]], output),
        lambda output: figures.per_class(["a"], [[1]], [PERFECT], output),
        lambda output: figures.filters([], output),
        lambda output: figures.grams([], [], output),
        figures.check_writable,
    ]
    for one in draw:
        with pytest.raises(ConfigError, match=rf"'{name}' does not end in one of: .png, .svg"):
            one(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["folder.png", "file/a.png", f"{'a' * 252}.png"])
def test_a_figure_that_can_never_be_written_is_refused(tmp_path, name):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="output '"):
        figures.check_writable(tmp_path / name)


def test_a_figure_takes_the_place_of_the_old_one(tmp_path, assert_picture):
    shutil.copy(__file__, tmp_path / "old.png")
    with sheet(tmp_path / "old.png", 1):
        pass
    assert_picture(tmp_path / "old.png")


def test_what_goes_wrong_in_drawing_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), sheet(tmp_path / "new.png", 1):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_letters_that_the_typeface_lacks_are_no_warning(tmp_path, assert_picture, recwarn):
    with sheet(tmp_path / "song.svg", 1) as (axis,):
        name(axis, "椎名林檎 – A$AP _^ K$ नमस्ते")
    assert_picture(tmp_path / "song.svg")
    assert not recwarn.list


def test_more_than_can_be_drawn_is_drawn_smaller(tmp_path):
    with new_figure(tmp_path / "tall.svg", 10_000) as figure:
        assert figure.get_figheight() * figure.dpi < 2**16


def test_a_long_name_keeps_its_ends():
    assert shortened("a short one") == "a short one"
    found = shortened("a" * 200 + "end.wav", 21)
    assert len(found) == 21
    assert found.startswith("aaa")
    assert found.endswith("…aaaend.wav")


def test_levels_are_ten_times_the_logarithm_of_power_and_end_at_the_range():
    power = np.array([1.0, 0.1, 1e-3, 1e-30, 0.0])
    np.testing.assert_allclose(
        power_to_level_db(power, 1.0), [0, -10, -30, -RANGE_DB, -RANGE_DB], atol=1e-9
    )
    assert (power_to_level_db(np.zeros(3), 0.0) == -RANGE_DB).all()  # silence


def test_ticks_are_round_and_apart():
    hz = np.geomspace(40, 20_000)
    assert list(round_hz(hz, np.linspace(0, 1, len(hz)))[:3]) == [50, 100, 200]
    linear = np.linspace(0, 20_000, 100)
    assert list(round_hz(linear, linear / 20_000)) == [500, 2000, 5000, 10_000, 20_000]
