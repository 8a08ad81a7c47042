"""What the documentation names exists: files, sections, commands, options, configurations."""

import re
import shlex
from pathlib import Path

import click
import pytest
from calling import commands

from tfdream import config
from tfdream.cli import main

PROJECT = Path(__file__).parents[1]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
README = PAGES[0].read_text(encoding="utf-8")


def anchors(page):
    """The sections of a page, as links name them."""
    titles = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def calls():
    """Every call of tfdream in an example, as words."""
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("tfdream "):
                    yield shlex.split(line.replace("…", ""), comments=True)[1:]


def found(words, command=main):
    """The command that words call, and what is left of them."""
    while isinstance(command, click.Group):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        path, _, section = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.is_file(), target
        assert not section or section in anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_that_are_named_exist(page):
    for script in re.findall(r"\btools/[\w/]+\.(?:py|sh)\b", page.read_text(encoding="utf-8")):
        assert (PROJECT / script).is_file(), script


@pytest.mark.parametrize("words", [*calls()], ids=" ".join)
def test_examples_call_what_there_is(words):
    command, words = found(words)
    known = {option for parameter in command.params for option in parameter.opts}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    asked = {word for word in words if re.fullmatch(r"--?[a-z][\w-]*", word)}
    assert asked <= known


def test_every_command_is_told_of():
    rows = "\n".join(re.findall(r"(?m)^\| `tfdream .*$", README))
    missing = [name for name in map(" ".join, commands()) if f"`tfdream {name}" not in rows]
    assert not missing


def test_every_configuration_is_told_of():
    rows = README.partition("## Configurations")[2].partition("## ")[0]
    names = re.findall(r"`([^`]+)`", rows)
    endings = tuple(name.removeprefix("…") for name in names if name.startswith("…"))
    assert not [n for n in config.names() if n not in names and not n.endswith(endings)]
