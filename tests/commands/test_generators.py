"""Generators through their commands."""

import pytest
import soundfile
from calling import answer, invoke, refusal


def test_a_generator_is_trained_and_generates(dataset, generation, generation_path, tmp_path):
    assert answer("train", generation_path, dataset, generation[0]) == generation[1]
    out = tmp_path / "out.flac"
    answered = answer(
        *("generate", out, "--model", generation[0], "--seconds", 0.25, "--seed", 4, "--bits", 16),
        *("--set", "phase.iterations=2", "--figure", tmp_path / "out.png"),
    )
    assert (answered["samples"], answered["sample_rate"], answered["channels"]) == (2000, 8000, 1)
    assert (answered["seed"], answered["temperature"]) == (4, 0)
    assert soundfile.info(out).subtype == "PCM_16"
    assert (tmp_path / "out.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "{run}"], "is required here"),
        (["--model", "{generation}", "--temperature", "1"], "temperature=1"),
        (["--model", "{generation}", "--prompt", "{gone}"], "does not exist"),
        (["--model", "{generation}", "--set", "phase.init=original"], "has no original"),
        (["--model", "{generation}", "--figure", "x.jpg"], "x.jpg"),
    ],
)
def test_invalid_arguments_are_errors(generation, trained, tmp_path, arguments, words):
    places = {"run": trained[0], "generation": generation[0], "gone": tmp_path / "gone.wav"}
    given = [argument.format(**places) for argument in arguments]
    assert words in refusal("generate", tmp_path / "out.wav", *given)
    assert not list(tmp_path.iterdir())


def test_a_judge_of_a_generator_is_a_usage_error(dataset, generation_path, trained, tmp_path):
    call = ("train", generation_path, dataset, tmp_path / "run", "--judge", trained[0])
    result = invoke(*call)
    assert result.exit_code == 2
    assert "require a CONFIG with task=translate" in result.stderr
