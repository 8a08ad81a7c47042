import logging

import pytest

from tfdream.models.parts import processor
from tfdream.models.parts.processor import multiplies_bfloat16


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512_bf16 amx_tile\n", True),
        ("Features\t: fp asimd bf16\n", True),
        ("flags\t\t: fpu avx2\n", False),
        ("flags\t\t: fpu not_avx512_bf16\n", False),
        ("processor : 0\n", None),
    ],
)
def test_flags_show_whether_the_processor_multiplies_bfloat16(tmp_path, text, expected):
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert multiplies_bfloat16(path) is expected


def test_the_capability_is_unknown_without_the_file(tmp_path):
    assert multiplies_bfloat16(tmp_path / "cpuinfo") is None


@pytest.mark.parametrize(("able", "warned"), [(True, False), (False, True), (None, False)])
def test_emulated_bfloat16_gives_a_warning(monkeypatch, caplog, able, warned):
    monkeypatch.setattr(processor, "multiplies_bfloat16", lambda: able)
    with caplog.at_level(logging.WARNING, "tfdream"):
        processor.warn_of_slow_bfloat16("precision=bfloat16")
    assert ("precision=bfloat16" in caplog.text) == warned
