import shutil

import numpy as np
import pytest

from tfdream.errors import ConfigError
from tfdream.figures.parts.sheet import (
    RANGE_DB,
    check_writable,
    encode,
    new_figure,
    new_subplots,
    power_to_level_db,
    round_hz,
    set_title,
    shorten,
    write,
)

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def test_format_follows_the_extension_and_replaces_the_file(tmp_path):
    figure, _ = new_subplots(1)
    for extension, magic in MAGIC.items():
        output = tmp_path / f"figure{extension}"
        shutil.copy(__file__, output)
        write(figure, str(output))
        assert output.read_bytes().startswith(magic)
    assert len(list(tmp_path.iterdir())) == len(MAGIC)


def test_other_extensions_are_rejected_with_those_available(tmp_path):
    for name in ("figure.jpg", "figure", "figure.wav", "png"):
        for call in (check_writable, lambda output: write(new_figure(2), output)):
            with pytest.raises(ConfigError, match=rf"'{name}' does not end in one of: .png, .svg"):
                call(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_unwritable_outputs_are_rejected(tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    for name in ("folder.png", "file/a.png", f"{'a' * 252}.png"):
        with pytest.raises(ConfigError, match="output '"):
            check_writable(tmp_path / name)


def test_letters_that_the_typeface_lacks_give_no_warning(recwarn):
    figure, (axis,) = new_subplots(1)
    set_title(axis, "椎名林檎 – A$AP _^ K$ नमस्ते")
    assert encode(figure, "svg").startswith(MAGIC[".svg"])
    assert not recwarn.list


def test_height_is_limited_to_what_can_be_drawn():
    figure = new_figure(10_000)
    assert figure.get_figheight() * figure.dpi < 2**16


def test_long_titles_lose_their_middle():
    assert shorten("a short one") == "a short one"
    shortened = shorten("a" * 200 + "end.wav", 21)
    assert len(shortened) == 21
    assert shortened.startswith("aaa")
    assert shortened.endswith("…aaaend.wav")


def test_levels_are_decibels_of_power_limited_to_the_range():
    power = np.array([1.0, 0.1, 1e-3, 1e-30, 0.0])
    np.testing.assert_allclose(
        power_to_level_db(power, 1.0), [0, -10, -30, -RANGE_DB, -RANGE_DB], atol=1e-9
    )
    assert (power_to_level_db(np.zeros(3), 0.0) == -RANGE_DB).all()  # silence


def test_ticks_are_round_and_do_not_overlap():
    hz = np.geomspace(40, 20_000)
    assert list(round_hz(hz, np.linspace(0, 1, len(hz)))[:3]) == [50, 100, 200]
    linear = np.linspace(0, 20_000, 100)
    assert list(round_hz(linear, linear / 20_000)) == [500, 2000, 5000, 10_000, 20_000]
