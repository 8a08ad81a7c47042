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
        ("[" * 3_000, "nested too deeply"),
        ("!!int ''", "does not fit its tag"),
        ("!!timestamp then", "does not fit its tag"),
        ("!!bool perhaps", "does not fit its tag"),
        ("2026-99-99", "month must be"),
        ("9" * 5000, "limit"),
        (f"0x{'f' * 5000}", "limit"),
        (":".join(["1"] * 100_000), "limit"),
        (f"1.{'9' * 5000}", "limit"),
        ("9223372036854775808", "64 bits"),
        (r'a: ["\ud800"]', "not valid Unicode"),
    ],
)
def test_yaml_other_than_plain_data_is_rejected(text, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=reason):
        documents.parse_yaml(text)
    assert not list(tmp_path.iterdir())


def test_nested_aliases_are_rejected_before_they_expand():
    """Ten levels of nine aliases each would be printed as 3 billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(ValueError, match="alias in line 2"):
        documents.parse_yaml("\n".join(lines))


def test_plain_yaml_is_read(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text("a: {b: [1, 2.5, true, null, text]}\n")
    assert documents.read_yaml(path) == {"a": {"b": [1, 2.5, True, None, "text"]}}


@pytest.mark.parametrize(
    "content",
    [
        *(b"{", b"[" * 200_000, b"\xff\xfe", b"", b"9" * 5000, b"-9223372036854775809"),
        *(rb'{"\ud800": 1}', rb'[["\udfff"]]'),
    ],
)
def test_invalid_json_is_a_value_error(content, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        documents.read_json(path)


@pytest.mark.parametrize("read", [documents.read_json, documents.read_yaml])
def test_a_document_has_a_limited_size(read, tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MAX_BYTES", 100)
    monkeypatch.setattr(documents, "MAX_YAML_BYTES", 100)
    path = tmp_path / "a"
    path.write_text(json.dumps(["x" * 90]))
    assert read(path) == ["x" * 90]
    path.write_text(json.dumps(["x" * 97]))
    with pytest.raises(ValueError, match="larger than 100 bytes"):
        read(path)


def test_valid_escapes_are_accepted():
    assert documents.parse_json(r'["\ud83d\ude00", 9223372036854775807]') == ["😀", 2**63 - 1]
    assert documents.parse_yaml(r'"\U0001F600"') == "😀"


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_other_kinds_of_files_are_not_found(kind, tmp_path):
    path = tmp_path / "run.json"
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":  # opening it would block
        os.mkfifo(path)
    with pytest.raises(FileNotFoundError):
        documents.read_json(path)
