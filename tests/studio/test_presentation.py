"""Texts of the page."""

import html
import re
import string
from pathlib import Path

import pytest

from tfdream.studio import presentation
from tfdream.studio.events import Step
from tfdream.studio.history import Entry
from tfdream.studio.job import Job
from tfdream.studio.jobs import Status
from tfdream.studio.literal import literal
from tfdream.studio.presentation import findings, players, status_value

SPECIAL = f"a_b ${{c}} {{{{d}}}} <i> {string.punctuation}"
PACKAGE = Path(presentation.__file__).parent


@pytest.mark.parametrize(
    ("task", "value", "shown"),
    [("dream", 1.5, "objective 1.5"), ("transfer", 2.5, "loss 2.5"), ("generate", None, "")],
)
def test_the_value_of_a_step_has_the_name_of_the_task(task, value, shown):
    step = Step(1, 2, float("nan") if value is None else value)
    text = html.unescape(status_value(Status(running=Job(task), step=step))["text"])
    assert text.endswith(f"; {shown}" if shown else " s")


def test_a_stopped_generation_states_what_is_generated():
    result = {"generated_seconds": 4.5, "seed": 0, "interrupted": True}
    text = html.unescape(findings([Entry(Path("0001-new"), Job("generate"), result, "")]))
    assert "Stopped: 4.5 s are generated." in text


def is_literal(text):
    """Return whether a text has no other punctuation than that of character references."""
    return not set(re.sub(r"&#\d+;", "", text)) & set(string.punctuation)


def test_no_language_of_the_page_interprets_a_text():
    assert is_literal(literal(SPECIAL))
    assert html.unescape(literal(SPECIAL)) == SPECIAL
    text = status_value(Status(message=SPECIAL))["text"]
    assert is_literal(text)
    assert html.unescape(text) == f"Error: {SPECIAL}"


def test_players_contain_no_text_that_a_template_interprets(source, tmp_path):
    name = f"0001-{SPECIAL.replace('/', '')}"
    job = Job("dream", str(tmp_path / name / "a`${b}.wav"), recipe="dream/subtle", run="genres")
    entry = Entry(tmp_path / name, job, {"output": "{{c}}.wav"}, "")
    entry.folder.mkdir()
    for path in (Path(job.first), entry.output_path):
        path.write_bytes((source / "tones" / "0.wav").read_bytes())
    entry.presentation("video").touch()
    original, result = players([entry])
    assert html.unescape(original["description"]).startswith("a`${b}.wav, ")
    assert html.unescape(result["name"]).startswith(name)
    for player in (original, result):
        assert all(is_literal(text) for key, text in player.items() if key != "number")
    assert result["video"]


def test_templates_do_not_escape_references():
    """The stash of three braces is HTML; that of two would show the references."""
    for template in ("players.html", "status.html"):
        text = (PACKAGE / template).read_text(encoding="utf-8")
        stashes = set(re.findall(r"\{\{+[\w.]+\}+", text))
        others = {"{{else}}", "{{number}}", "{{value.total}}", "{{value.done}}"}
        assert all(stash.startswith("{{{") for stash in stashes - others)


def test_findings_show_names_of_files_as_they_are():
    name = "__take_1__ [x](y) ~~b~~ $$c$$.wav"
    result = {"files": [{"path": f"songs/{name}", "error": "'a' is *short*"}]}
    text = findings([Entry(Path("0001-new"), Job("predict"), result, "")])
    assert is_literal(text.removeprefix("- "))
    assert f"{name}: 'a' is *short*" in html.unescape(text)
