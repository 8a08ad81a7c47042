"""The shown command does the same as the job."""

import dataclasses
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from calling import EAGERLY, answer, invoke
from markupsafe import escape

from tfdream.cli import main
from tfdream.errors import AudioError, ConfigError
from tfdream.studio.equivalent import arguments, command
from tfdream.studio.job import EXTENSIONS, TASKS_OF, Job
from tfdream.studio.settings_panel import describe
from tfdream.studio.tasks import TASKS, load
from tfdream.studio.work import carry_out, present

pytestmark = EAGERLY
FEW = ("optimizer.steps=2", "tiles.overlap_seconds=0.05")


@pytest.fixture
def song(song):
    return str(song)


@pytest.fixture
def style(style):
    return str(style)


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
        start_seconds=0.1,
        seconds=1.5,
        bits=16,
        keep_falling=True,
        part="harmonic",
        loop=True,
    )
    result = same(job, tmp_path)
    assert result["samples"] == 12000


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        (Job("dream", "-x.wav", recipe="dream/subtle", name="-{stem}"), "./-x.wav ./--x.flac"),
        (Job("transfer", "a.wav", "-y.wav", "transfer/timbre"), "a.wav ./-y.wav a-transfer.flac"),
        (Job("generate", recipe="generate/recommended", run="a", name="-b"), "./-b.flac"),
        (Job("predict", "-x.wav", "-y.wav", run="-run"), "./-run ./-x.wav ./-y.wav"),
        (Job("compare", "-x.wav", "-y.wav"), "./-x.wav ./-y.wav"),
    ],
)
def test_arguments_are_no_options(job, shown):
    assert command(job).startswith(f"tfdream {job.task} {shown}")


def test_a_command_reads_and_writes_names_that_look_like_options(
    song, trained, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("-x.wav").write_bytes(Path(song).read_bytes())
    Path("-run").symlink_to(trained[0])
    job = Job("predict", "-x.wav", run="-run")
    assert answer(*arguments(job, "")) == carry_out(job, "")


# Options without a control, and the reason; docs/studio.md lists them.
EXCLUDED = {
    "--json": "The page shows the result.",
    "--force": "The page overwrites nothing.",
    "--format": "For standard output.",
    "--number": "Each result has a folder of its own, which is numbered.",
    "--adapt": "Statistics need many recordings; the page classifies one or two.",
    "--tensorboard": "Events are for TensorBoard; the report page contains the same measures.",
}
# Options that are short for settings.
SETTINGS = {
    *("--objective", "--layer", "--from", "--mix", "--repeats", "--seed", "--filter"),
    *("--style-strength", "--strength", "--keep", "--temperature", "--curve", "--follow"),
}
# Options that the argument for the output contains: the page writes each result under its name.
IN_OUTPUT = {"--name"}


def everything(task):
    """Return a job with all choices that a task has."""
    choices = dict.fromkeys(TASKS_OF, 1)
    files = {name: name for name in ("first", "second", "run", "style", "judge", "to")}
    return Job.of(
        task,
        {
            **choices,
            **files,
            "recipe": TASKS[task].recipe,
            "overrides": ("seed=1",),
            "part": "drums",
            "stems": (("drums", "drums.wav"),),
            "presentations": tuple(EXTENSIONS),
            "name": "{stem}-{seed}",
            "audio_format": "flac",
        },
    )


@pytest.mark.parametrize("task", list(TASKS))
def test_every_option_has_a_control_or_is_excluded(task):
    job = everything(task)
    given = {each for each in arguments(job, "out.flac") if each.startswith("--")}
    options = {
        parameter.opts[-1]
        for parameter in main.commands[task].params
        if parameter.opts[0][0] == "-"
    }
    assert given <= options
    assert options - given == options & (EXCLUDED.keys() | SETTINGS | IN_OUTPUT)


def test_options_that_are_short_for_settings_have_controls():
    keys = {each.key for task in TASKS.values() for recipe in task.recipes()
            for each in describe(load(task.name, recipe))}  # fmt: skip
    assert {"objective", "init", "mix", "repeats", "seed", "filter.low_hz", "filter.high_hz"} < keys
    assert {"style_strength", "strength", "keep", "temperature", "curves"} < keys


def test_the_documentation_lists_the_excluded_options():
    text = (Path(__file__).parents[2] / "docs" / "studio.md").read_text(encoding="utf-8")
    for option in EXCLUDED:
        assert f"| `{option}` |" in text


def test_every_choice_belongs_to_a_task():
    fields = {field.name for field in dataclasses.fields(Job)} - {"task"}
    assert fields == TASKS_OF.keys()
    assert {task for tasks in TASKS_OF.values() for task in tasks} == TASKS.keys()


def test_generation_and_translation_have_their_options():
    job = Job("generate", recipe="generate/recommended", run="composer", seconds=4.0)
    assert arguments(job, "new.flac") == shlex.split(
        "generate new.flac --model composer --config generate/recommended --seconds 4.0"
    )
    job = Job("translate", "a.wav", recipe="translate/recommended", run="gan", to="jazz")
    assert arguments(job, "b.flac")[-2:] == ["--to", "jazz"]


def test_presentations_are_written(song, trained, tmp_path):
    presentations = ("figure", "video")
    job = Job("dream", song, None, "dream/recommended", FEW, str(trained[0]), seconds=1.0)
    job = dataclasses.replace(job, presentations=presentations, judge=str(trained[0]), save_every=2)
    result = carry_out(job, tmp_path / job.output_name)
    assert len(result["snapshots"]) >= 1
    text = (tmp_path / "0-dream.html").read_text()
    assert "tfdream dream" in text
    assert "onset_correlation" in text
    assert "probabilities_before" in text
    assert (tmp_path / "0-dream.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "0-dream.mp4").read_bytes()[4:8] == b"ftyp"


def pages(job, tmp_path):
    """Return the report pages of a job and of its command, without command, folder and time."""
    job = dataclasses.replace(job, presentations=("report",))
    carry_out(job, tmp_path / "page" / job.output_name)
    written = tmp_path / "command" / job.output_name
    assert invoke(*shlex.split(command(job, written))[1:]).exit_code == 0
    texts = [(tmp_path / name / written.name).with_suffix(".html").read_text()
             for name in ("page", "command")]  # fmt: skip
    texts[1] = texts[1].replace(str(escape(command(job, written))), str(escape(command(job))))
    seconds = re.compile(r"(?<=seconds</th><td>)[\d.]+")
    moved = [text.replace(str(tmp_path / "page"), str(tmp_path / "command")) for text in texts]
    return [seconds.sub("", text) for text in moved]


def test_the_report_of_a_transfer_is_that_of_the_command(song, style, tmp_path):
    job = Job("transfer", song, style, "transfer/timbre_regression", ("style_strength=0.5",))
    page, reference = pages(job, tmp_path)
    assert page == reference
    assert "style_distance_after" in page


def test_the_report_of_a_generation_is_that_of_the_command(trained, generation, tmp_path):
    job = Job("generate", recipe="generate/recommended", run=str(generation[0]), seconds=0.25)
    page, reference = pages(dataclasses.replace(job, judge=str(trained[0])), tmp_path)
    assert page == reference
    assert "probabilities.tones" in page


def test_a_recording_that_is_too_short_for_a_report_is_refused_first(song, trained, tmp_path):
    job = Job("dream", song, None, "dream/recommended", FEW, str(trained[0]), seconds=0.05)
    with pytest.raises(AudioError, match=r"0\.050 s to process"):
        carry_out(dataclasses.replace(job, presentations=("report",)), tmp_path / job.output_name)
    assert not (tmp_path / job.output_name).exists()


def test_only_tasks_that_optimize_report_a_value(translation, source, tmp_path):
    values = []
    song = str(source / "tones" / "0.wav")
    job = Job("translate", song, recipe="translate/recommended", run=str(translation[0]))
    job = dataclasses.replace(job, overrides=("tiles.overlap_seconds=0.05",))
    carry_out(job, tmp_path / "a.flac", lambda done, total, value, note: values.append(value))
    assert values
    assert np.isnan(values).all()


def test_a_report_page_is_written_later_with_the_notes_of_the_job(song, trained, tmp_path):
    job = Job("dream", song, None, "dream/recommended", (*FEW, "seed=2"), str(trained[0]))
    job = dataclasses.replace(job, start_seconds=0.5, seconds=1.0, name="{stem}-{seed}")
    result = carry_out(job, tmp_path / job.output_name)
    stored = json.loads(json.dumps({**result, "notes": ["a note of the job"]}))
    present(job, stored, tmp_path / job.output_name, ["report"])
    text = (tmp_path / "0-2.html").read_text()
    assert "onset_correlation" in text
    assert "a note of the job" in text


@pytest.mark.slow
def test_a_dream_of_a_stem_with_a_curve_is_bit_identical(song, style, trained, tmp_path):
    curves = json.dumps({"mix": {"follow": style, "range": [0.2, 0.9]}})
    job = Job("dream", song, None, "dream/subtle", (*FEW, f"curves={curves}"), str(trained[0]))
    same(dataclasses.replace(job, part="drums", stems=(("drums", style),)), tmp_path)


@pytest.mark.slow
def test_a_comparison_measures_a_style(song, style, trained):
    job = Job("compare", song, style, run=str(trained[0]), style=style)
    assert carry_out(job, "") == answer(*arguments(job, ""))


@pytest.mark.parametrize("name", ["{artist}", "a/b", "{"])
def test_invalid_names_are_refused(name):
    job = Job("dream", "a.wav", recipe="dream/subtle", run="genres", name=name)
    with pytest.raises(ConfigError, match="name"):
        job.check()


def test_stems_need_a_part():
    job = Job("dream", "a.wav", recipe="dream/subtle", run="genres", stems=(("drums", "d.wav"),))
    with pytest.raises(ConfigError, match="choose drums under 'part'"):
        job.check()
