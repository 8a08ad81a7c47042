"""Properties of every command."""

import json
import os
import re
import subprocess
import sys
from functools import partial

import pytest
from calling import commands, invoke

import tfdream
from tfdream import config
from tfdream.commands.console import PARTIAL_FAILURE
from tfdream.commands.rendering import parse_curve, parse_follower


def test_every_command_has_a_description_and_json_output():
    names = list(commands())
    assert ("plot", "spectrograms") in names
    for name in names:
        result = invoke(*name, "--help")
        assert result.exit_code == 0, name
        assert "--json" in result.stdout, name
        description = result.stdout.splitlines()[2].strip()
        assert description.endswith((".", ",", ":")) or len(description) > 20, name


def test_examples_of_settings_are_valid():
    """With the recipe that is the default, or any experiment where one is required."""
    loaders = {
        "compare-models": [
            partial(config.load_transfer, f"transfer/random_{kind}")
            for kind in ("conv1d", "rnn", "bilstm")
        ],
        "dream": [partial(config.load, "dream/recommended", config.DreamConfig)],
        "explain": [partial(config.load, "explain/recommended", config.ExplainConfig)],
        "generate": [partial(config.load, "generate/recommended", config.GenerateConfig)],
        "plot autocorrelograms": [partial(config.load_experiment, "autocorrelogram_cnn")],
        "plot gram": [partial(config.load_transfer, "transfer/texture")],
        "plot octaves": [partial(config.load, "dream/dreaming_in_music", config.DreamConfig)],
        "transfer": [partial(config.load_transfer, "transfer/timbre")],
        "translate": [partial(config.load, "translate/recommended", config.TranslateConfig)],
    }
    experiment = [partial(config.load_experiment, "recommended")]
    found = set()
    for name in commands():
        text = " ".join(invoke(*name, "--help").stdout.split())
        examples = re.findall(r"Override a setting, such as (\S+)\. ", text)
        for load in loaders.get(" ".join(name), experiment) if examples else ():
            load(examples)
            found.add(" ".join(name))
        curves = re.findall(r"Vary a setting over time, such as (\S+): ", text)
        curves += re.findall(r"loudness of another recording, such as (\S+), ", text)
        for curve in curves:
            parse = parse_follower if ".wav" in curve else parse_curve
            for load in loaders[" ".join(name)]:
                load([f"curves={json.dumps(dict([parse(curve)]))}"])
    assert found > set(loaders)


def test_unknown_options_are_usage_errors():
    for name in commands():
        result = invoke(*name, "--no-such-option")
        assert result.exit_code == 2, name
        assert result.stdout == "", name


def test_backends_of_the_environment_are_replaced(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("MPLBACKEND", "module://of.a.notebook")
    assert invoke("configs").exit_code == 0
    assert (os.environ["KERAS_BACKEND"], os.environ["MPLBACKEND"]) == ("tensorflow", "agg")


def test_help_and_missing_inputs_do_not_import_tensorflow():
    script = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from tfdream.cli import main\n"
        "for arguments in ['--help', 'dream --help', '--version', 'configs --json']:\n"
        "    assert CliRunner().invoke(main, arguments).exit_code == 0\n"
        "slow = {'tensorflow', 'keras', 'librosa', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not slow, slow\n"
        "assert CliRunner().invoke(main, 'plot --help').exit_code == 0\n"
        "assert CliRunner().invoke(main, 'plot octaves --help').exit_code == 0\n"
        "slow = {'tensorflow', 'keras', 'librosa', 'sklearn'} & set(sys.modules)\n"
        "assert not slow, slow\n"
        "for arguments in ['dream gone.wav a.wav', 'predict genres gone.wav', 'layers gone',\n"
        "                  'dream --model gone a.wav b.wav', 'transfer gone.wav a.wav b.wav',\n"
        "                  'evaluate genres gone', 'generate a.wav --prompt gone --model genres',\n"
        "                  'monitor gone']:\n"
        "    result = CliRunner().invoke(main, arguments)\n"
        "    assert result.exit_code == 1, arguments\n"
        "    assert result.stderr.startswith('Error: ') and 'gone' in result.stderr, arguments\n"
        "assert not {'tensorflow', 'tensorboard'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_module_runs_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "tfdream", "configs", "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "lil_data" in json.loads(done.stdout)["configs"]


@pytest.mark.slow
def test_only_the_result_and_own_messages_are_printed(trained, song, source):
    """TensorFlow's libraries print on their registration unless they are told not to."""
    bad = source.parent / "bad.mp3"
    bad.write_bytes(b"ID3" + bytes(500))
    done = subprocess.run(
        [sys.executable, "-m", "tfdream", "predict", trained[0], song, bad, "--json"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"},
    )
    assert done.returncode == PARTIAL_FAILURE
    assert len(json.loads(done.stdout)["files"]) == 2
    assert done.stderr == ""


def test_version_is_that_of_the_package():
    assert tfdream.__version__ in invoke("--version").stdout
