"""What holds of every command."""

import json
import os
import subprocess
import sys

import pytest
from calling import commands, invoke

import tfdream

EVERY = pytest.mark.parametrize("name", list(commands()), ids=" ".join)


@EVERY
def test_every_command_explains_itself_and_speaks_json(name):
    result = invoke(*name, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout
    description = result.stdout.splitlines()[2].strip()
    assert description.endswith((".", ",", ":")) or len(description) > 20


@EVERY
def test_an_unknown_option_is_a_usage_error(name):
    result = invoke(*name, "--no-such-option")
    assert result.exit_code == 2
    assert result.stdout == ""


def test_another_project_s_backends_are_not_ours(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("MPLBACKEND", "module://of.a.notebook")
    assert invoke("configs").exit_code == 0
    assert (os.environ["KERAS_BACKEND"], os.environ["MPLBACKEND"]) == ("tensorflow", "agg")


def test_help_answers_without_tensorflow():
    script = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from tfdream.cli import main\n"
        "for arguments in ['--help', 'dream --help', '--version', 'configs --json']:\n"
        "    assert CliRunner().invoke(main, arguments).exit_code == 0\n"
        "slow = {'tensorflow', 'keras', 'librosa', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "tfdream", "configs", "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "lil_data" in json.loads(done.stdout)["configs"]


def test_the_version_is_that_of_the_package():
    assert tfdream.__version__ in invoke("--version").stdout
