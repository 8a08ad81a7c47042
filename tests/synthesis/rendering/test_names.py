"""Names of outputs in a folder."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from calling import EAGERLY, answer, dream, names, refusal

from tfdream.errors import ConfigError
from tfdream.synthesis.rendering.batch import destinations
from tfdream.synthesis.rendering.names import Names


def test_names_have_the_fields_of_the_pattern():
    fields = {"config": "dream/intense", "model": "run", "seed": "7", "command": "dream"}
    named = Names("{command}-{stem}-{config}-{model}-{seed}", fields)
    assert named.of(Path("a/song.mp3")) == "dream-song-dream-intense-run-7.flac"
    assert named.of(Path("a/song.ogg")).endswith(".ogg")


@pytest.mark.parametrize(
    "pattern",
    ["{title}", "{stem", "{stem!r}", "{stem:9}", "{}", "../{stem}", "a/{stem}", "", "..",
     "{stem.__class__}"],
)  # fmt: skip
def test_other_patterns_are_errors(pattern):
    with pytest.raises(ConfigError, match="name "):
        Names(pattern)


def test_numbered_names_replace_no_file(tmp_path):
    for name in ("a.flac", "a-1.flac.json"):
        (tmp_path / name).touch()
    numbered = Names(number=True)
    assert numbered.free(tmp_path / "a.flac").name == "a-2.flac"
    assert Names().free(tmp_path / "a.flac").name == "a.flac"
    assert numbered.free(tmp_path / "b.flac").name == "b.flac"
    same = destinations(["x/a.wav", "y/a.flac"], tmp_path, names=Names("take", number=True))
    assert [path.name for path in same.values()] == ["take.wav", "take.flac"]


@EAGERLY
def test_outputs_are_named_and_numbered_by_the_commands(trained, generation, tmp_path):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, np.zeros(8000), 8000)
    out = tmp_path / "out"
    out.mkdir()
    output = out / "a-recommended-5.wav"
    output.touch()
    call = dream(trained, tmp_path / "a.wav", tmp_path / "b.wav", out)
    answer(*call, "--name", "{stem}-{config}-{seed}", "--seed", 5, "--number")
    made = ["a-recommended-5-1.wav", "b-recommended-5.wav"]
    assert names(out) == sorted([output.name, *made, *(f"{name}.json" for name in made)])
    assert output.stat().st_size == 0
    assert answer(*dream(trained, tmp_path / "a.wav", output, "--number"))["output"] == str(
        out / "a-recommended-5-2.wav"
    )
    assert "field other than" in refusal(*call, "--name", "{title}")
    generate = ("generate", tmp_path, "--model", generation[0], "--seconds", 0.2, "--seed", 3)
    assert answer(*generate, "--name", "take-{seed}")["output"] == str(tmp_path / "take-3.flac")
