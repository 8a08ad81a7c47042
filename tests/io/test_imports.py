import sys

from tfdream.io import imports


def test_every_search_for_keras_finds_the_shorter_import(monkeypatch):
    """TensorFlow searches for Keras before it imports it."""
    finder = imports._Finder()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    for _ in range(2):
        assert isinstance(finder.find_spec("keras", None).loader, imports._Loader)
    assert finder.find_spec("keras.layers", None) is None
    with imports._hidden(["sklearn", "no_such_package"]):
        assert sys.modules["no_such_package"] is None
    assert "no_such_package" not in sys.modules
