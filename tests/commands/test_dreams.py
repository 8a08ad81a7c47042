"""Dreams of files, folders and layers, and what steers them."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from calling import EAGERLY, FEW_STEPS, answer, dream, invoke, names, refusal
from click.testing import CliRunner

from tfdream.cli import main
from tfdream.commands.console import PARTIAL_FAILURE


@pytest.fixture(scope="module")
def song(song, tmp_path_factory):
    """Two tiles of the song, the second one not quite full."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    samples, rate = soundfile.read(song, dtype="int16")
    soundfile.write(path, samples[:15000], rate, "PCM_16")
    return path


@EAGERLY
def test_a_second_dream_of_a_folder_skips_finished_files(trained, album, tmp_path):
    output = tmp_path / "out"
    result = answer(*dream(trained, album, output), exit_code=PARTIAL_FAILURE)
    files = ["a.flac", "a.flac.json", "b.wav", "b.wav.json"]
    assert names(output) == files
    assert sorted(each["output"] for each in result["files"]) == [
        str(output / "a.flac"),
        str(output / "b.wav"),
    ]
    (skipped,) = result["skipped"]
    assert skipped["path"] == str(album / "bad.wav")
    assert "cannot be decoded" in skipped["reason"]
    assert result["skipped_existing"] == []
    before = {path: path.read_bytes() for path in output.iterdir()}
    again = answer(*dream(trained, album, output), exit_code=PARTIAL_FAILURE)
    assert (again["files"], len(again["skipped_existing"]), len(again["skipped"])) == ([], 2, 1)
    assert {path: path.read_bytes() for path in output.iterdir()} == before


@pytest.mark.slow
def test_outputs_of_other_settings_are_only_replaced_with_force(trained, album, tmp_path):
    output = tmp_path / "out"
    answer(*dream(trained, album, output), exit_code=PARTIAL_FAILURE)
    before = {path: path.read_bytes() for path in output.glob("*.wav")}
    refused = invoke(*dream(trained, album, output, steps=2))
    *skipped, error = refused.stderr.splitlines()
    assert (refused.exit_code, len(skipped)) == (1, 3)
    assert "none of 3 files could be processed" in error
    assert sum("--force" in line for line in skipped) == 2
    assert {path: path.read_bytes() for path in output.glob("*.wav")} == before
    result = answer(*dream(trained, album, output, "--force", steps=2), exit_code=PARTIAL_FAILURE)
    assert (len(result["files"]), result["skipped_existing"]) == (2, [])
    assert all(path.read_bytes() != content for path, content in before.items())


@pytest.mark.slow
def test_outputs_of_another_duration_are_replaced(trained, album, tmp_path):
    """The settings of a dream are not only those of its recipe."""
    output = tmp_path / "out"
    answer(*dream(trained, album, output, "--seconds", 0.5), exit_code=PARTIAL_FAILURE)
    result = answer(*dream(trained, album, output, "--force"), exit_code=PARTIAL_FAILURE)
    assert result["skipped_existing"] == []
    assert soundfile.info(output / "b.wav").frames == 8000


@pytest.mark.slow
def test_outputs_of_another_guide_are_replaced(trained, album, song, tmp_path):
    output, guided = tmp_path / "out", ("--objective", "guide_dot(conv1)", "--force")
    first = dream(trained, album, output, *guided, "--guide", song)
    answer(*first, exit_code=PARTIAL_FAILURE)
    second = dream(trained, album, output, *guided, "--guide", album / "b.wav")
    result = answer(*second, exit_code=PARTIAL_FAILURE)
    assert result["skipped_existing"] == []


@pytest.mark.slow
def test_force_replaces_outputs_of_the_same_settings(trained, album, tmp_path):
    output = tmp_path / "out"
    answer(*dream(trained, album, output), exit_code=PARTIAL_FAILURE)
    result = answer(*dream(trained, album, output, "--force"), exit_code=PARTIAL_FAILURE)
    assert (len(result["files"]), result["skipped_existing"]) == (2, [])


@EAGERLY
def test_several_files_are_written_to_a_folder(trained, album, tmp_path):
    sources = (album / "b.wav", album / "live")
    result = answer(*dream(trained, *sources, tmp_path / "out"))
    assert [each["output"] for each in result["files"]] == [
        str(tmp_path / "out/b.wav"),
        str(tmp_path / "out/a.flac"),
    ]


@EAGERLY
def test_a_file_is_written_to_an_existing_folder(trained, album, tmp_path):
    (tmp_path / "out").mkdir()
    answer(*dream(trained, album / "b.wav", tmp_path / "out"))
    assert names(tmp_path / "out") == ["b.wav", "b.wav.json"]


def test_a_folder_without_decodable_files_is_an_error(trained, album, tmp_path):
    assert "cannot be decoded" in refusal(*dream(trained, album / "bad.wav", tmp_path / "out.wav"))
    (tmp_path / "out").mkdir()
    assert "cannot be decoded" in refusal(*dream(trained, album / "bad.wav", tmp_path / "out"))
    assert names(tmp_path / "out") == []


def test_writing_a_file_to_its_folder_is_an_error(trained, album):
    before = names(album)
    assert "would overwrite itself" in refusal(*dream(trained, album / "b.wav", album, "--force"))
    assert names(album) == before


@pytest.mark.slow
def test_an_output_name_with_layer_gives_a_file_for_each_layer(trained, album, tmp_path):
    layers = ("--layer", "conv1", "--layer", "conv2")
    figure = tmp_path / "both.png"
    result = answer(
        *dream(trained, album / "b.wav", tmp_path / "of-{layer}.wav", *layers),
        *("--figure", figure),
    )
    assert [each["objective"] for each in result["files"]] == [
        "layer_norm(conv1)",
        "layer_norm(conv2)",
    ]
    assert names(tmp_path) == [
        *("album", "both.png", "of-conv1.wav", "of-conv1.wav.json"),
        *("of-conv2.wav", "of-conv2.wav.json"),
    ]
    alone = dream(trained, album / "b.wav", tmp_path / "alone.wav", "--layer", "conv2")
    answer(*alone)
    assert (tmp_path / "alone.wav").read_bytes() == (tmp_path / "of-conv2.wav").read_bytes()


def test_a_video_of_the_outputs_of_several_layers_is_refused(trained, album, tmp_path):
    layers = ("--layer", "conv1", "--layer", "conv2", "--video", tmp_path / "out.mp4")
    result = invoke(*dream(trained, album / "b.wav", tmp_path / "of-{layer}.wav", *layers))
    assert result.exit_code == 2
    assert "--video shows one output" in result.stderr


@EAGERLY
def test_outputs_of_layers_are_numbered(trained, album, tmp_path):
    (tmp_path / "of-conv1.wav").touch()
    result = answer(
        *dream(trained, album / "b.wav", tmp_path / "of-{layer}.wav", "--layer", "conv1"),
        "--number",
    )
    assert [Path(each["output"]).name for each in result["files"]] == ["of-conv1-1.wav"]


@pytest.mark.slow
def test_several_layers_are_summed(trained, album, tmp_path):
    layers = ("--layer", "conv1", "--layer", "conv2")
    result = answer(*dream(trained, album / "b.wav", tmp_path / "out.wav", *layers))
    assert result["objective"] == "layer_norm(conv1) + layer_norm(conv2)"
    assert names(tmp_path) == ["album", "out.wav", "out.wav.json"]


@pytest.mark.slow
def test_options_are_settings_of_the_recipe(trained, album, tmp_path):
    guide = album / "live/a.flac"
    result = answer(
        *dream(trained, album / "b.wav", tmp_path / "out.wav", steps=2),
        *("--objective", "guide_match(conv2)", "--guide", guide, "--mix", 0.5, "--repeats", 2),
        *("--start", 0.25, "--seconds", 0.5, "--save-every", 2, "--set", "normalize=0.5"),
    )
    assert (result["samples"], result["steps"], result["snapshots"]) == (
        4000,
        4,
        [str(tmp_path / "out-2.wav"), str(tmp_path / "out-4.wav")],
    )
    sidecar = json.loads((tmp_path / "out.wav.json").read_text())
    assert (sidecar["config"]["mix"], sidecar["config"]["repeats"]) == (0.5, 2)
    assert (sidecar["guide"], sidecar["source"]) == (str(guide), str(album / "b.wav"))
    assert (sidecar["start_seconds"], sidecar["seconds"]) == (0.25, 0.5)
    noise = dream(trained, album / "b.wav", tmp_path / "noise.wav", "--from", "noise")
    answer(*noise, "--set", "canvas={kind: waveform}", "--set", "optimizer.step_size=0.001")
    assert json.loads((tmp_path / "noise.wav.json").read_text())["config"]["init"] == "noise"


@pytest.mark.parametrize(
    "objective", ["- 2*total_variation()", "layer_norm('conv1') - 0.1*total_variation()"]
)
@pytest.mark.slow
def test_objectives_are_parsed(trained, tmp_path, objective):
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 8000), 8000)
    output = tmp_path / "out.wav"
    result = answer(
        "dream", path, output, "--model", trained[0], "--objective", objective, *FEW_STEPS
    )
    assert result["objective_after"] > result["objective_before"]


@EAGERLY
def test_an_existing_file_is_only_replaced_with_force(trained, song, tmp_path):
    output = tmp_path / "out.wav"
    shutil.copy(song, output)
    arguments = ("dream", song, output, "--model", trained[0], *FEW_STEPS)
    assert "--force" in refusal(*arguments)
    answer(*arguments, "--force")
    assert output.read_bytes() != song.read_bytes()
    assert "would replace its own input" in refusal(
        "dream", output, output, "--model", trained[0], "--force"
    )


# Folders of any channels and rates


@pytest.fixture
def mixed(tmp_path):
    """Recordings of different channels and sample rates, and a damaged one between them."""
    rng = np.random.default_rng(0)
    (tmp_path / "mixed").mkdir()
    for name, rate, channels in (("a", 8000, 1), ("c", 8000, 2), ("d", 11025, 3), ("e", 8000, 1)):
        samples = rng.uniform(-0.1, 0.1, (rate // 2, channels))
        soundfile.write(tmp_path / f"mixed/{name}.wav", samples, rate)
    (tmp_path / "mixed/b.wav").write_text("no audio")
    return tmp_path / "mixed"


def check_folder(result, source, output, longer=0):
    """Check that all but the damaged file were processed, at their rates and channels."""
    assert [Path(each["path"]).name for each in result["skipped"]] == ["b.wav"]
    assert [Path(each["output"]).name for each in result["files"]] == [
        "a.wav",
        "c.wav",
        "d.wav",
        "e.wav",
    ]
    for each in result["files"]:
        before = soundfile.info(source / Path(each["output"]).name)
        after = soundfile.info(each["output"])
        assert (after.samplerate, after.channels) == (before.samplerate, before.channels)
        assert after.frames == before.frames + round(longer * before.samplerate)
        assert isinstance(each["notes"], list)


@pytest.mark.slow
@EAGERLY
def test_a_folder_may_mix_channels_and_rates(trained, mixed, tmp_path):
    result = answer(*dream(trained, mixed, tmp_path / "out"), exit_code=PARTIAL_FAILURE)
    check_folder(result, mixed, tmp_path / "out")


@EAGERLY
def test_a_folder_of_contents_gets_one_style(mixed, song, tmp_path):
    settings = ("network.options.filters=8", "network.clip_seconds=1", "optimizer.steps=1")
    sets = [word for each in settings for word in ("--set", each)]
    preset = ("--config", "transfer/random_conv1d")
    call = ("transfer", mixed, song, tmp_path / "out", *preset, *sets)
    check_folder(answer(*call, exit_code=PARTIAL_FAILURE), mixed, tmp_path / "out")
    again = answer(*call, exit_code=PARTIAL_FAILURE)
    assert (again["files"], len(again["skipped_existing"])) == ([], 4)


@EAGERLY
def test_a_folder_is_translated(translation, mixed, tmp_path):
    call = ("translate", mixed, tmp_path / "out", "--model", translation[0])
    result = answer(*call, "--set", "tiles.overlap_seconds=0.05", exit_code=PARTIAL_FAILURE)
    check_folder(result, mixed, tmp_path / "out")


def test_a_folder_of_prompts_is_continued(generation, mixed, tmp_path):
    call = ("generate", tmp_path / "out", "--prompt", mixed, "--model", generation[0])
    result = answer(
        *(*call, "--seconds", 0.25, "--set", "phase.iterations=2"), exit_code=PARTIAL_FAILURE
    )
    check_folder(result, mixed, tmp_path / "out", longer=0.25)


@pytest.mark.parametrize("command", ["dream", "transfer", "translate", "generate"])
def test_a_folder_needs_a_folder_as_output(trained, mixed, tmp_path, command):
    output = tmp_path / "out.wav"
    arguments = {
        "dream": (mixed, output, "--model", trained[0]),
        "transfer": (mixed, mixed / "a.wav", output),
        "translate": (mixed, output, "--model", trained[0]),
        "generate": (output, "--prompt", mixed, "--model", trained[0]),
    }
    result = invoke(command, *arguments[command])
    assert result.exit_code == 2
    assert "needs a folder" in " ".join(result.stderr.replace("│", " ").split())


# Levels, falling objectives, and results without a report


@EAGERLY
def test_a_loud_file_is_scaled_and_its_peak_reported(trained, tmp_path):
    samples = np.random.default_rng(0).uniform(-2.83, 2.83, (4000, 2))
    soundfile.write(tmp_path / "loud.wav", samples, 8000, "FLOAT")
    call = dream(
        trained, tmp_path / "loud.wav", tmp_path / "out.wav", "--set", "normalize=loudness"
    )
    result = answer(*call)
    loaded, _ = soundfile.read(tmp_path / "out.wav")
    assert result["peak"] == pytest.approx(np.abs(loaded).max(), abs=1e-6)
    assert result["peak"] == pytest.approx(0.999, abs=1e-3)
    assert result["gain_db"] < -4
    assert any("beyond full scale" in note for note in result["notes"])
    assert any("dB above full scale" in note for note in result["notes"])


FALLING = ("--set", "canvas={kind: waveform}", "--set", "optimizer={kind: gradient, step_size: 50}")


@EAGERLY
def test_a_falling_objective_leaves_the_file_unchanged(trained, song, tmp_path):
    call = ("dream", song, tmp_path / "out.wav", "--model", trained[0], *FALLING)
    call = (*call, "--objective=-layer_norm(conv1)", "--set", "optimizer.steps=1", "--bits", 16)
    result = answer(*call, "--set", "tiles.overlap_seconds=0.05", "--set", "normalize=loudness")
    assert result["objective_fell"] is True
    assert result["unchanged_tiles"] == 2
    assert result["objective_after"] == result["objective_before"]
    assert any("in 2 of 2 tiles" in note for note in result["notes"])
    np.testing.assert_array_equal(
        soundfile.read(tmp_path / "out.wav", dtype="int16")[0],
        soundfile.read(song, dtype="int16")[0],
    )
    fallen = answer(*call, "--force", "--keep-falling")
    assert (fallen["objective_fell"], fallen["unchanged_tiles"]) == (True, 0)
    assert fallen["objective_after"] < fallen["objective_before"]


def test_a_report_on_too_short_a_file_is_refused_before_the_work(trained, tmp_path):
    soundfile.write(tmp_path / "short.wav", np.full(80, 0.1), 8000)
    call = dream(trained, tmp_path / "short.wav", tmp_path / "out.wav")
    assert "at least 0.093 s" in refusal(*call, "--report", tmp_path / "page.html")
    assert names(tmp_path) == ["short.wav"]


@EAGERLY
def test_a_silent_file_is_reported_and_stays_silent(trained, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    result = invoke(*dream(trained, tmp_path / "silent.wav", tmp_path / "out.wav"))
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert "silent.wav': silent" in line
    assert not soundfile.read(tmp_path / "out.wav")[0].any()


def test_a_silent_style_is_refused(song, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    line = refusal("transfer", song, tmp_path / "silent.wav", tmp_path / "out.wav")
    assert "is silent; use another recording" in line
    assert names(tmp_path) == ["silent.wav"]


# Standard output

FEW_ITERATIONS = ("--set", "phase.iterations=2")


def pipe(*arguments):
    """Run a command whose output is audio; return its bytes, and the lines of standard error."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.stderr
    return done.stdout_bytes, done.stderr.splitlines()


@EAGERLY
def test_audio_is_written_to_standard_output(trained, song, tmp_path):
    answer(*dream(trained, song, tmp_path / "out.flac", "--bits", 16))
    sound, lines = pipe(*dream(trained, song, "-", "--bits", 16, "--json", "--format", "flac"))
    assert sound == (tmp_path / "out.flac").read_bytes()
    result = json.loads(lines[-1])
    assert (result["output"], result["samples"]) == ("-", soundfile.info(song).frames)
    assert names(tmp_path) == ["out.flac", "out.flac.json"]


@EAGERLY
def test_messages_on_standard_output_contain_its_name(trained, song, tmp_path):
    samples, rate = soundfile.read(song)
    soundfile.write(tmp_path / "loud.wav", 2 / np.abs(samples).max() * samples, rate, "FLOAT")
    _, lines = pipe(*dream(trained, tmp_path / "loud.wav", "-", "--mix", 0))
    assert any(line.startswith("'-': peaks beyond full scale are reduced") for line in lines)


@pytest.mark.slow
@EAGERLY
def test_every_recipe_writes_wav_to_standard_output(song, translation, generation, tmp_path):
    calls = (
        ("transfer", song, song, "-"),
        ("translate", song, "-", "--model", translation[0], "--set", "tiles.overlap_seconds=0.05"),
        ("generate", "-", "--model", generation[0], "--seconds", 0.25, *FEW_ITERATIONS),
    )
    for call in calls:
        sound, lines = pipe(*call)
        with soundfile.SoundFile(io.BytesIO(sound)) as file:
            assert (file.format, file.subtype, file.samplerate) == ("WAV", "PCM_24", 8000)
            assert f"samples: {file.frames}" in lines
        assert "output: -" in lines


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{song}", "{song}", "-"), "OUTPUT - is standard output and takes one file"),
        (("{folder}", "-"), "a folder as AUDIO needs a folder"),
        (("{song}", "-", "--save-every", "1"), "--save-every writes several files"),
        (("{song}", "out.wav", "--format", "flac"), "--format is for OUTPUT -"),
        (("{song}", "out.wav", "--name", "x"), "--name is for an OUTPUT folder; 'out.wav' is one"),
        (("{song}", "-", "--name", "x"), "--name is for an OUTPUT folder; '-' is one file"),
        (("{song}", "-", "--format", "mp3"), "is not one of 'wav', 'flac', 'ogg'"),
    ],
)
def test_options_that_do_not_fit_the_output_are_refused(trained, song, arguments, words):
    given = [each.format(song=song, folder=song.parent) for each in arguments]
    result = invoke("dream", *given, "--model", trained[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in " ".join(result.stderr.replace("│", " ").split())


def test_a_terminal_is_refused(trained, song, monkeypatch):
    monkeypatch.setattr("tfdream.commands.standard_output._is_terminal", lambda: True)
    result = invoke("dream", song, "-", "--model", trained[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "OUTPUT - is the terminal" in result.stderr


@EAGERLY
def test_a_part_of_a_truncated_file_is_noted(trained, song, tmp_path):
    (tmp_path / "cut.wav").write_bytes(song.read_bytes()[:20_000])
    call = dream(trained, tmp_path / "cut.wav", tmp_path / "out.wav", "--seconds", 0.5)
    result = answer(*call)
    assert "truncated: header states 1.88 s, decoded 1.25 s" in result["notes"]


@EAGERLY
def test_force_replaces_no_stem_and_no_followed_recording(trained, song, tmp_path):
    other = shutil.copy(song, tmp_path / "other.wav")
    content = other.read_bytes()
    for options in (
        ("--part", "drums", "--stems", f"drums={other}"),
        ("--follow", f"mix={other}"),
    ):
        text = refusal(*dream(trained, song, other, *options, "--force"))
        assert "would replace its own input" in text
    assert other.read_bytes() == content


@EAGERLY
def test_missing_intermediate_results_are_noted(trained, song, tmp_path, caplog):
    folder = tmp_path / "songs"
    folder.mkdir()
    shutil.copy(song, folder / "a.wav")
    answer(*dream(trained, folder, tmp_path / "out", "--seconds", 1))
    answer(*dream(trained, folder, tmp_path / "out", "--seconds", 1, "--save-every", 1))
    assert "exists without intermediate results; --force computes it again" in caplog.text
    answer(*dream(trained, song, tmp_path / "b.wav", "--seconds", 1, "--save-every", 500))
    assert "has no intermediate results: its number of steps is" in caplog.text


@EAGERLY
def test_what_is_kept_leaves_the_curves_of_a_transfer(song, tmp_path):
    output = tmp_path / "out.wav"
    call = ("transfer", song, song, output, "--config", "transfer/texture", *FEW_STEPS)
    answer(
        *(*call, "--keep", "rhythm", "--curve", "mix=0:0,1:1"),
        *("--set", "network.options={filters: 4, kernel_size: 3, seed: 0}"),
        *("--set", "network.clip_seconds=1"),
    )
    settings = json.loads(output.with_name("out.wav.json").read_text())["config"]
    assert settings["keep"] == ["rhythm"]
    assert settings["curves"]["mix"]["points"] == [[0, 0], [1, 1]]
