"""What the import of the package does."""

import importlib
import os
import platform

import pytest

import tfdream

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


@pytest.mark.parametrize(
    ("machine", "chosen", "expected"),
    [("x86_64", None, "1"), ("AMD64", None, "1"), ("x86_64", "0", "0"), ("arm64", None, None)],
)
def test_tensorflow_uses_onednn_unless_the_user_decides(monkeypatch, machine, chosen, expected):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setenv(ONEDNN, chosen or "")  # so that the original is restored
    if chosen is None:
        monkeypatch.delenv(ONEDNN)
    importlib.reload(tfdream)
    assert os.environ.get(ONEDNN) == expected
