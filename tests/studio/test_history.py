"""Finished jobs on disk, and recordings that are kept."""

import subprocess
import sys

import pytest
import yaml
from calling import names

from tfdream import config
from tfdream.errors import AudioError, ConfigError
from tfdream.studio import server
from tfdream.studio.equivalent import command
from tfdream.studio.history import History, locked
from tfdream.studio.job import Job
from tfdream.studio.tasks import TASKS, load, recipes_by_task, run_task, runs_for
from tfdream.studio.uploads import Limits, keep

JOB = Job("dream", "music/song.mp3", None, "dream/subtle", ("seed=4",), "genres")


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "studio")


def test_entries_survive_a_restart_with_all_settings(history):
    folder = history.reserve(JOB)
    history.add(folder, JOB, {"peak": 0.5})
    (entry,) = History(history.folder).entries()
    assert entry.job == JOB
    assert entry.result == {"peak": 0.5}
    assert entry.name == "0001-song-dream"
    assert "subtle, seed 4" in entry.title


def test_entries_do_not_depend_on_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("{mix: 0.5}")
    history = History("studio")
    stems = (("drums", "studio/inputs/drums.wav"),)
    job = Job("dream", "studio/inputs/a.wav", "b.wav", "mine.yaml", run="genres", stems=stems)
    folder = history.reserve(job)
    output = folder / job.output_name
    output.touch()
    history.add(folder, job, {"output": str(output)})
    (entry,) = history.entries()
    assert (entry.job, entry.result["output"]) == (job, str(output))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (moved,) = History(tmp_path / "studio").entries()
    assert moved.job.first == str(tmp_path / "studio/inputs/a.wav")
    assert moved.job.second == str(tmp_path / "b.wav")
    assert (moved.job.recipe, moved.job.run) == (str(tmp_path / "mine.yaml"), "genres")
    assert moved.job.stems == (("drums", str(tmp_path / "studio/inputs/drums.wav")),)
    assert moved.result["output"] == str(moved.output)


def test_entries_do_not_need_their_recipe(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("{objective: layer_norm(conv3)}")
    history = History(tmp_path / "studio")
    job = Job("dream", "a.wav", recipe=str(recipe), run="genres", name="{stem}-{seed}")
    job.check()
    recipe.write_text("{objective: 1}")
    folder = history.reserve(job)
    (folder / job.output_name).touch()
    history.add(folder, job, {"output": str(folder / job.output_name)})
    recipe.unlink()
    assert history.entries()[0].output.name == "a-0.flac"


def test_settings_are_a_recipe(history):
    entry = history.add(history.reserve(JOB), JOB, {})
    settings = config.load(entry.settings_path, config.DreamConfig)
    assert settings == JOB.settings
    assert entry.settings_path.read_text().startswith("# tfdream dream music/song.mp3")


@pytest.mark.parametrize(
    ("task", "recipe"),
    [(task.name, recipe) for task in TASKS.values() for recipe in task.recipes()],
)
def test_settings_of_every_recipe_are_that_recipe(task, recipe, history):
    job = Job(task, "a.wav", "b.wav", recipe, run="genres")
    entry = history.add(history.reserve(job), job, {})
    assert entry.same_job == job
    assert load(task, str(entry.settings_path)) == job.settings


@pytest.mark.parametrize("change", ["edited", "invalid", "removed"])
def test_the_same_job_has_its_settings_whatever_happened_to_its_recipe(change, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("{mix: 0.5}")
    curves = 'curves={"mix": {"follow": "/music/drums.wav", "range": [0.2, 0.9]}}'
    job = Job("dream", "a.wav", None, str(recipe), ("seed=4", curves), "genres")
    history = History(tmp_path / "studio")
    history.add(history.reserve(job), job, {})
    (entry,) = history.entries()
    assert entry.same_job == job
    if change == "removed":
        recipe.unlink()
    else:
        recipe.write_text("{mix: 0.1}" if change == "edited" else "{mix: 5}")
    (entry,) = history.entries()
    again = entry.same_job
    assert (again.recipe, again.overrides) == (str(entry.settings_path), ())
    assert again.settings == job.settings
    assert again.with_seed(5).seed == 5
    assert f"--config {entry.settings_path}" in command(again)
    entry.settings_path.unlink()
    (entry,) = history.entries()
    assert entry.same_job.recipe == str(recipe)


def test_settings_without_a_recipe_are_the_choices(history):
    job = Job("predict", "song.mp3", run="genres")
    entry = history.add(history.reserve(job), job, {})
    assert yaml.safe_load(entry.settings_path.read_text())["run"] == "genres"


def test_numbers_ascend_and_nothing_is_overwritten(history):
    first, second = history.reserve(JOB), history.reserve(JOB)
    assert (first.name, second.name) == ("0001-song-dream", "0002-song-dream")


def test_folders_of_the_user_have_no_number(history):
    for other in ("20261130-live", "0001-song-dream"):
        (history.folder / other).mkdir()
    first, second = history.reserve(JOB), history.reserve(JOB)
    assert (first.name, second.name) == ("0002-song-dream", "0003-song-dream")


def test_folders_of_killed_jobs_are_removed_at_the_start(history):
    (history.reserve(JOB) / ".partial-song-dream.flac").touch()
    for other in ("inputs", "01-Intro"):  # the second one is a folder of the user
        (history.folder / other).mkdir()
    assert names(History(history.folder).folder) == ["01-Intro", "inputs"]


def test_finished_jobs_have_no_mark(history):
    folder = history.reserve(JOB)
    assert ".unfinished" in names(folder)
    history.add(folder, JOB, {})
    assert names(folder) == ["job.json", "settings.yaml"]


def test_a_folder_belongs_to_one_studio(tmp_path):
    lock = "from tfdream.studio.history import locked\nwith locked('studio'): print('free')"

    def start():
        command = [sys.executable, "-c", lock]
        return subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)

    with locked(tmp_path / "studio"):
        assert "folder 'studio' is used by another tfdream studio" in start().stderr
    assert start().stdout == "free\n"


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"), locked(tmp_path):
        pass


def test_a_recording_is_no_folder_of_the_studio(source):
    song = source / "tones" / "0.wav"
    with pytest.raises(ConfigError, match=r"0\.wav' is not a folder; name one"), locked(song):
        pass


def test_damaged_entries_are_left_out(history):
    folder = history.reserve(JOB)
    (folder / "job.json").write_text("{}")
    assert history.entries() == []
    with pytest.raises(ConfigError, match="no result '0001-song-dream'"):
        history.find("0001-song-dream")


def test_recordings_are_kept_once(source, tmp_path):
    upload = source / "tones" / "0.wav"
    kept = keep(upload, tmp_path / "inputs", Limits())
    assert kept == keep(upload, tmp_path / "inputs", Limits())
    assert kept.name == "0.wav"
    assert kept.read_bytes() == upload.read_bytes()


def test_paths_in_the_current_folder_are_relative(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = keep(source / "tones" / "0.wav", "inputs", Limits())
    assert kept.parts[0] == "inputs"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(megabytes=0.01), r"'0.wav' has 0\.1 MB, more than the limit of 0\.01 MB"),
        (Limits(minutes=0.05), r"'0.wav' lasts 0\.1 minutes, longer than the limit of 0\.05"),
    ],
)
def test_recordings_beyond_the_limits_are_refused(limits, message, source, tmp_path):
    with pytest.raises(AudioError, match=message) as refusal:
        keep(source / "tones" / "0.wav", tmp_path / "inputs", limits)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "inputs").exists()


def test_networks_are_offered_for_their_task(trained, translation, generation):
    folders = [str(each[0]) for each in (trained, translation, generation)]
    assert runs_for(TASKS["dream"], folders)[0] == "genres"
    assert folders[0] in runs_for(TASKS["predict"], folders)
    assert runs_for(TASKS["dream"], ["genres"]) == runs_for(TASKS["dream"])
    assert runs_for(TASKS["translate"], folders) == [folders[1]]
    assert runs_for(TASKS["generate"], folders) == [folders[2]]
    assert run_task("timbre") == "transfer"


def test_recipes_of_the_user_are_offered_for_their_task(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("{objective: layer_norm(conv3)}")
    assert recipes_by_task([str(path)] * 2)["dream"] == (str(path),)
    named = "dream, transfer, translate, generate; of transfer, because of .*style_strength"
    path.write_text("{method: timbre, style_strength: 2}")  # dream has neither of them
    with pytest.raises(ConfigError, match=named):
        recipes_by_task([str(path)])
    path.write_text("{mix: [")
    with pytest.raises(ConfigError, match=r"^config '.*mine\.yaml' cannot be read as YAML"):
        recipes_by_task([str(path)])
    with pytest.raises(ConfigError, match=r"missing\.yaml' is not a file; name a YAML file"):
        recipes_by_task([str(tmp_path / "missing.yaml")])


def test_a_missing_recipe_is_refused_before_the_folder_is_created(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "check_installed", lambda: None)
    folder = tmp_path / "studio"
    with (
        pytest.raises(ConfigError, match="'nothing' is not a file"),
        server.serving(folder, recipes=("nothing",)),
    ):
        pass
    assert not folder.exists()
