import gc
import sys

import pytest

from tfdream.io import imports


def test_every_search_for_keras_finds_the_shorter_import(monkeypatch):
    """TensorFlow searches for Keras before it imports it."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for _ in range(2):
        imports.shorten_imports()
    finder, *others = sys.meta_path
    assert not any(isinstance(each, imports._Finder) for each in others)
    for name in ("keras", "keras", "tensorflow"):
        assert isinstance(finder.find_spec(name, None).loader, imports._Loader)
    assert finder.find_spec("keras.layers", None) is None
    with imports._hidden(["sklearn", "no_such_package"]):
        assert sys.modules["no_such_package"] is None
    assert "no_such_package" not in sys.modules


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_collected_during_an_import(tmp_path, monkeypatch, enabled):
    (tmp_path / "large_package.py").write_text("import gc\nenabled = gc.isenabled()\n")
    monkeypatch.setattr(imports, "_HIDDEN", {"large_package": ()})
    monkeypatch.setattr(sys, "meta_path", [imports._Finder(), *sys.meta_path])
    monkeypatch.syspath_prepend(tmp_path)
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        import large_package

        assert not large_package.enabled
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()
        sys.modules.pop("large_package", None)
