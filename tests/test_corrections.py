"""The table of corrections: every row names files, settings and tests that exist."""

import re
import sys
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCH = ROOT / "tools" / "bench"
ROWS = [
    line.strip("|\n ").split(" | ")
    for line in (ROOT / "docs/reproduce/corrections.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| row")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].replace(" ", "-"))
def test_a_row_names_a_setting_and_a_test_and_a_number(row):
    _, published, setting, test, number = row
    assert published and re.search(r"\d", number)
    for name in re.findall(r"[\w/]+\.yaml", setting):
        assert files("tfdream").joinpath("configs", name).is_file()
    for name in re.findall(r"tools/[\w/]+\.py", setting):
        assert (ROOT / name).is_file()
    file, function = test.strip("`").split("::")
    assert f"def {function}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


def test_elementwise_exp_is_timed_for_every_size(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCH))
    monkeypatch.delitem(sys.modules, "parts", raising=False)
    elementwise = import_module("parts.elementwise")
    for name, value in {"_SIZES": (8, 80), "_ITERATIONS": 2, "_ROUNDS": 1}.items():
        monkeypatch.setattr(elementwise, name, value)
    costs = elementwise.measure(tmp_path)
    assert [re.findall(r"of ([\d,]+) values", cost.what) for cost in costs] == [["8"], ["80"]]
    assert all(cost.seconds > 0 for cost in costs)
