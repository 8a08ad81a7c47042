"""The stored reference results against this stack; see docs/reference_results.md."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools" / "bench" / "reference.py"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["reference"]


def test_the_page_can_be_read_and_written(reference, tmp_path):
    measures = [
        reference.Measure("dream", "peak", 0.5, reference.ROUNDING),
        reference.Measure("predict", "files/0/probabilities/a", 1e-9, reference.RANDOM),
    ]
    page = tmp_path / "page.md"
    for _ in range(2):  # the section of a stack is replaced
        reference.write(reference.Reference(measures, {"dream": 1.0}), page)
    stored = reference.read(page)
    assert list(stored) == [reference.stack()]
    assert not list(reference.differences(measures, stored[reference.stack()]))
    changed = [measures[0]._replace(value=0.6), measures[1]._replace(name="new")]
    lines = list(reference.differences(changed, stored[reference.stack()]))
    assert lines[0] == "dream peak: 0.6 instead of 0.5 (tolerance 0.1 × + 0.01)"
    assert lines[1] == "predict new is not stored"


@pytest.mark.slow
def test_this_stack_agrees_with_the_stored_results(reference, tmp_path):
    stored = reference.read()
    assert stored, "run tools/bench/reference.py"
    measures = reference.measure(tmp_path).measures
    lines = [
        f"{stack}: {line}"
        for stack, values in stored.items()
        for line in reference.differences(measures, values)
    ]
    assert not lines, "\n".join(lines)
