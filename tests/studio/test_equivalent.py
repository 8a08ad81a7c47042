"""The shown command does the same as the job."""

import json
import shlex

import pytest
from calling import EAGERLY, answer

from tfdream.cli import main
from tfdream.studio.equivalent import arguments, command
from tfdream.studio.tasks import TASKS, Job
from tfdream.studio.work import carry_out, write_report

pytestmark = EAGERLY
FEW = ("optimizer.steps=2", "tiles.overlap_seconds=0.05")


@pytest.fixture
def song(source):
    return str(source / "tones" / "0.wav")


@pytest.fixture
def style(source):
    return str(source / "noise" / "1.wav")


def same(job, tmp_path):
    """Return the result of a job after a comparison with the file that the command writes."""
    result = carry_out(job, tmp_path / "page" / job.output_name)
    written = tmp_path / "command" / job.output_name
    answer(*shlex.split(command(job, written))[1:])
    assert written.read_bytes() == (tmp_path / "page" / job.output_name).read_bytes()
    return result


def test_a_dream_is_bit_identical(song, trained, tmp_path):
    overrides = (*FEW, "seed=3", 'canvas={"kind": "waveform"}', "optimizer.step_size=1e-05")
    job = Job(
        "dream",
        song,
        recipe="dream/subtle",
        overrides=overrides,
        run=str(trained[0]),
        start_seconds=0.5,
        seconds=1.5,
        bits=16,
        keep_falling=True,
        part="harmonic",
        loop=True,
    )
    result = same(job, tmp_path)
    assert result["samples"] == 12000


def test_a_guided_dream_is_bit_identical(song, style, trained, tmp_path):
    overrides = (*FEW, 'objective="guide_match()"')
    job = Job("dream", song, style, "dream/recommended", overrides, str(trained[0]))
    same(job, tmp_path)


@pytest.mark.parametrize("recipe", ["transfer/timbre_regression"])
def test_a_transfer_is_bit_identical(recipe, song, style, tmp_path):
    same(Job("transfer", song, style, recipe, ("style_strength=0.5",)), tmp_path)


def test_a_transfer_network_is_passed_on(song, style, transfer, tmp_path):
    same(Job("transfer", song, style, "transfer/timbre", run=str(transfer[0])), tmp_path)


def test_a_prediction_and_a_comparison_are_equal(song, style, trained):
    job = Job("predict", song, style, run=str(trained[0]), unknown_below=0.4)
    assert carry_out(job, "") == answer(*arguments(job, ""))
    job = Job("compare", song, style)
    assert carry_out(job, "") == answer(*arguments(job, ""))


def test_missing_choices_appear_as_names():
    assert command(Job("transfer", recipe="transfer/timbre")) == (
        "tfdream transfer AUDIO STYLE music-transfer.flac --config transfer/timbre"
    )
    assert command(Job("compare")) == "tfdream compare AUDIO RESULT"


# Options without a control, and the reason.
EXCLUDED = {
    "--json": "The page shows the result.",
    "--force": "The page overwrites nothing.",
    "--format": "For standard output.",
    "--stems": "Files of other programs; use the command line.",
    "--name": "The page names its results.",
    "--number": "The page numbers its results.",
    "--save-every": "The previews show intermediate results.",
    "--figure": "The report page contains it.",
    "--report": "A button writes it.",
    "--tensorboard": "For TensorBoard; use the command line.",
    "--judge": "Choose the task compare with a network.",
    "--style": "Choose the task compare; the style distance needs the command line.",
    "--video": "Use the command line.",
}
# Options that are short for settings.
SETTINGS = {
    *("--objective", "--layer", "--from", "--mix", "--repeats", "--seed", "--filter"),
    *("--style-strength", "--keep", "--temperature", "--curve", "--follow"),
}


@pytest.mark.parametrize("task", list(TASKS))
def test_every_option_has_a_control_or_is_excluded(task):
    everything = Job(
        task,
        *("first", "second", TASKS[task].recipe, ("seed=1",), "run", "jazz", 1.0, 2.0, 16, True),
        *(0.5, "flac", "mid", True),
    )
    given = {each for each in arguments(everything, "out.flac") if each.startswith("--")}
    options = {
        parameter.opts[-1]
        for parameter in main.commands[task].params
        if parameter.opts[0][0] == "-"
    }
    assert options - given == options & (EXCLUDED.keys() | SETTINGS)


def test_generation_and_translation_have_their_options():
    job = Job("generate", recipe="generate/recommended", run="composer", seconds=4.0)
    assert arguments(job, "new.flac") == shlex.split(
        "generate new.flac --model composer --config generate/recommended --seconds 4.0"
    )
    job = Job("translate", "a.wav", recipe="translate/recommended", run="gan", to="jazz")
    assert arguments(job, "b.flac")[-2:] == ["--to", "jazz"]


def test_a_report_page_is_written(song, trained, tmp_path):
    job = Job("dream", song, None, "dream/recommended", FEW, str(trained[0]))
    result = carry_out(job, tmp_path / job.output_name)
    write_report(job, json.loads(json.dumps(result)), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "tfdream dream" in text
    assert "onset_correlation" in text
