"""The documentation names existing files, sections, commands, options and configurations."""

import configparser
import json
import re
import shlex
from pathlib import Path

import click
import pytest
from calling import commands

from tfdream import config
from tfdream.cli import main
from tfdream.commands.rendering import parse_curve

PROJECT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        *(PROJECT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
        *sorted((PROJECT / "docs").rglob("*.md")),
    )
}
EACH_PAGE = pytest.mark.parametrize("page", PAGES)


def without_code(text):
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(page):
    """Return the anchors of the sections of a page."""
    titles = re.findall(r"(?m)^#+ (.+)$", without_code(PAGES[page]))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def example_calls():
    """Yield the arguments of every call of tfdream in the examples."""
    for text in PAGES.values():
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("tfdream "):
                    yield shlex.split(line.replace("…", ""), comments=True)[1:]


@EACH_PAGE
def test_links_have_targets(page):
    for target in re.findall(r"\]\(([^)]+)\)", without_code(PAGES[page])):
        if target.startswith("https://"):
            continue
        path, _, section = target.partition("#")
        linked = (PROJECT / page).parent / path if path else PROJECT / page
        assert linked.exists(), target
        name = linked.resolve().relative_to(PROJECT).as_posix()
        assert not section or section in anchors(name), target


@EACH_PAGE
def test_named_files_exist(page):
    pattern = r"\b(?:tools|tests|examples|tfdream)/[\w/]+\.(?:py|sh|yaml|ipynb)\b"
    for name in re.findall(pattern, without_code(PAGES[page])):
        assert (PROJECT / name).is_file(), name


def split_call(words):
    """Return the command that words call, and its arguments."""
    command = main
    while isinstance(command, click.Group) and not words[0].startswith("-"):
        command, words = command.get_command(click.Context(command), words[0]), words[1:]
    return command, words


def option_names(command):
    names = {"--help"}
    for parameter in command.get_params(click.Context(command)):
        names |= {*parameter.opts, *parameter.secondary_opts}
    return names


def test_examples_use_existing_commands_and_options():
    for words in example_calls():
        command, arguments = split_call(words)
        options = {word for word in arguments if re.fullmatch(r"--?[a-z][\w-]*", word)}
        assert options <= option_names(command), words


def test_option_tables_name_existing_options():
    available = set().union(*(option_names(split_call([*words, "-"])[0]) for words in commands()))
    for row in re.findall(r"(?m)^\| `([^|]+) \|", PAGES["docs/steering.md"]):
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", row)) <= available, row


@pytest.mark.parametrize(
    ("section", "name", "schema"),
    [
        ("A dream", "dream/recommended", config.DreamConfig),
        ("A transfer", "transfer/texture", config.TransferConfig),
        ("A translation", "translate/recommended", config.TranslateConfig),
    ],
)
def test_option_tables_name_existing_settings(section, name, schema):
    rows = PAGES["docs/steering.md"].partition(f"## {section}\n")[2].partition("\n## ")[0]
    number = 0
    for span in re.findall(r"`([^`]+)`", rows):
        words = shlex.split(span)
        for setting in (word for word in words if re.match(r"[a-z][a-z_.]+=", word)):
            number += 1
            if words[0] == "--curve":
                curve = dict([parse_curve(setting)])
                config.load(name, schema, [f"curves={json.dumps(curve)}"])
            elif words[0] == "train":
                config.load("recommended_translation", config.TranslationExperiment, [setting])
            else:
                config.load(name, schema, [setting])
    assert number


def test_readme_lists_every_command_and_is_short():
    rows = "\n".join(re.findall(r"(?m)^\| `tfdream .*$", PAGES["README.md"]))
    assert not [name for name in map(" ".join, commands()) if f"`tfdream {name}" not in rows]
    assert len(PAGES["README.md"].splitlines()) <= 200


def test_readme_states_the_clips_and_folds_of_its_configuration():
    settings = config.load_experiment("lil_data").prepare
    stated = f"cut into {settings.clip_seconds:g} s clips, in {settings.folds} folds by track"
    assert f"--config lil_data    # {stated}" in PAGES["README.md"]


def test_every_configuration_is_described():
    prose = re.sub(r"```.*?```", "", PAGES["docs/configurations.md"], flags=re.DOTALL)
    names = re.findall(r"`([^`]+)`", prose)
    endings = tuple(name.removeprefix("…") for name in names if name.startswith("…"))
    assert not [n for n in config.names() if n not in names and not n.endswith(endings)]


def test_every_dependency_has_a_reason():
    settings = configparser.ConfigParser()
    settings.read(PROJECT / "setup.cfg")
    extras = settings["options.extras_require"].values()
    lines = "\n".join([settings["options"]["install_requires"], *extras]).split("\n")
    names = {match.group() for line in lines if (match := re.match(r"[\w-]+(\[and-cuda\])?", line))}
    documented = set(re.findall(r"[\w-]+(?:\[and-cuda\])?", PAGES["docs/dependencies.md"]))
    assert names - {"tfdream"} <= documented


def test_every_package_has_a_reference_page():
    modules = (PROJECT / "tfdream").iterdir()
    packages = {path.stem for path in modules if (path / "__init__.py").is_file()}
    modules = {"errors", "export", "runs"}
    assert {f"docs/api/{name}.md" for name in packages | modules} <= PAGES.keys()
