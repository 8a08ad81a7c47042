import json
import os

import pytest

from tfdream.io import documents


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "while parsing"),
        ("!!python/object/apply:os.system ['touch hacked']", "could not determine a constructor"),
        ("!!python/name:os.system", "could not determine a constructor"),
        ("a: &a [x]\nb: [*a, *a]", "alias in line 2"),
        ("a: &a [*a]", "alias in line 1"),
        ("[" * 20_000, "nested too deeply"),
        ("!!int ''", "does not fit its tag"),
        ("!!timestamp then", "does not fit its tag"),
        ("!!bool perhaps", "does not fit its tag"),
        ("2026-99-99", "month must be"),
        ("9" * 5000, "limit"),
    ],
)
def test_yaml_that_is_no_plain_data_is_refused(text, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=reason):
        documents.parse_yaml(text)
    assert not list(tmp_path.iterdir())


def test_a_bomb_of_aliases_is_refused_before_it_grows():
    """Nine lists of nine of the one before would be repeated 400 million times by who prints it."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(ValueError, match="alias in line 2"):
        documents.parse_yaml("\n".join(lines))


def test_plain_yaml_is_read(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text("a: {b: [1, 2.5, true, null, text]}\n")
    assert documents.read_yaml(path) == {"a": {"b": [1, 2.5, True, None, "text"]}}


@pytest.mark.parametrize("content", [b"{", b"[" * 200_000, b"\xff\xfe", b""])
def test_json_that_is_none_is_a_value_error(content, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        documents.read_json(path)


@pytest.mark.parametrize("read", [documents.read_json, documents.read_yaml])
def test_a_document_has_a_limited_size(read, tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MAX_BYTES", 100)
    path = tmp_path / "a"
    path.write_text(json.dumps(["x" * 90]))
    assert read(path) == ["x" * 90]
    path.write_text(json.dumps(["x" * 97]))
    with pytest.raises(ValueError, match="larger than 100 bytes"):
        read(path)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_not_found(kind, tmp_path):
    path = tmp_path / "run.json"
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":  # opening it would wait for ever
        os.mkfifo(path)
    with pytest.raises(FileNotFoundError):
        documents.read_json(path)
