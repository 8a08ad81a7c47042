"""YAML configurations: changed texts of the packaged ones, and values that do not fit."""

from pathlib import Path

import pytest
import yaml
from fuzzing import edits, fuzz, mutate, replace_all, replacements, values
from hypothesis import strategies as st

import tfdream
from tfdream import config
from tfdream.config import (
    DreamConfig,
    GenerateConfig,
    TranslateConfig,
    load_experiment,
)
from tfdream.errors import ConfigError

CONFIGS = {
    path: path.read_text()
    for path in sorted((Path(tfdream.__file__).parent / "configs").rglob("*.yaml"))
}
SCHEMAS = {
    "dream": DreamConfig,
    "translate": TranslateConfig,
    "generate": GenerateConfig,
}
TOKENS = ["&a ", "*a", "!!int ", "!!python/name:os.system ", "<<: ", "- ", "? ", "[", "{", "|\n"]
TOKENS += ["!!timestamp ", "!!binary ", "0x" + "f" * 5000, "1:" * 99, '"\\ud800"', "\t", "\0", "%"]
texts = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(TOKENS)), min_size=1, max_size=3)


def load(path, content):
    """Read a configuration as a command reads it."""
    schema = SCHEMAS.get(path.parent.name)
    try:
        if path.parent.name == "transfer":
            config.load_transfer(str(content))
            return
        load_experiment(str(content)) if schema is None else config.load(content, schema)
    except ConfigError as error:
        assert "\n" not in str(error)


@pytest.mark.fuzz
def test_changed_texts_are_read_or_reported(tmp_path):
    def yaml_texts(original, changes, insertions):
        text = mutate(CONFIGS[original].encode(), changes).decode("utf-8", "surrogateescape")
        for position, token in insertions:
            index = int(position * len(text))
            text = text[:index] + token + text[index:]
        path = tmp_path / "config.yaml"
        path.write_text(text, errors="surrogateescape")
        load(original, path)

    fuzz(yaml_texts, st.sampled_from(list(CONFIGS)), edits, texts)


@pytest.mark.fuzz
def test_other_values_are_accepted_or_reported(tmp_path):
    def yaml_values(original, changes, added):
        content = replace_all(yaml.safe_load(CONFIGS[original]), changes)
        if isinstance(content, dict):
            content |= added
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(content))
        load(original, path)

    fuzz(
        yaml_values,
        st.sampled_from(list(CONFIGS)),
        replacements,
        st.dictionaries(st.text(max_size=8), values, max_size=1),
    )
