import shutil

import numpy as np
import pytest
import soundfile

from tfdream.errors import AudioError, ModelError
from tfdream.evaluation import adaptation
from tfdream.evaluation.prediction import predict

# Eager execution gives the same results; tracing a graph takes longer than a few clips.
pytestmark = pytest.mark.usefixtures("eagerly")

RATE = 8000


def only(run, path):
    (entry,) = predict(run, [path])["files"]
    return entry


def tone(rate, seconds, channels=1):
    wave = 0.2 * np.sin(2 * np.pi * 700 * np.arange(round(rate * seconds)) / rate)
    wave += 0.2 * np.sin(2 * np.pi * 1234 * np.arange(round(rate * seconds)) / rate)
    return np.stack([wave] * channels, axis=1)


def test_probabilities_of_any_file_sum_to_one(run, tmp_path):
    cases = [(8000, 1, 3.0), (44100, 2, 2.5), (11025, 3, 1.0), (48000, 1, 20.0), (8000, 1, 0.2)]
    for rate, channels, seconds in cases:
        path = tmp_path / "tone.wav"
        soundfile.write(path, tone(rate, seconds, channels), rate)
        entry = only(run, path)
        assert entry["path"] == str(path)
        assert list(entry["probabilities"]) == run.labels
        assert sum(entry["probabilities"].values()) == pytest.approx(1)
        assert entry["probabilities"][entry["label"]] == max(entry["probabilities"].values())
        assert entry["seconds"] == pytest.approx(
            seconds, abs=2 / rate + 1 / RATE
        )  # the resampler's


def test_files_shorter_than_a_sample_are_handled(run, tmp_path):
    path = tmp_path / "click.wav"
    for samples in (1, 2, 5):
        soundfile.write(path, np.full(samples, 0.5), 48000)
        try:
            assert sum(only(run, path)["probabilities"].values()) == pytest.approx(1)
        except AudioError as error:
            assert "shorter than a sample at 8000 Hz" in str(error)


def test_sample_rate_and_channels_hardly_matter(run, tmp_path):
    probabilities = []
    for rate, channels in [(8000, 1), (8000, 2), (44100, 2)]:
        path = tmp_path / f"{rate}-{channels}.wav"
        soundfile.write(path, tone(rate, 3.0, channels), rate, "FLOAT")
        probabilities.append(only(run, path)["probabilities"]["tones"])
    assert probabilities[1] == pytest.approx(probabilities[0], abs=1e-6)
    # A range of 80 dB includes the resampler's transients at the file's ends.
    assert probabilities[2] == pytest.approx(probabilities[0], abs=0.1)


def test_incomplete_clips_are_weighted_by_their_length(run, source, tmp_path):
    samples, _ = soundfile.read(source / "noise/1.wav")
    parts = {
        "whole": samples[:RATE],
        "rest": samples[RATE : RATE + 2000],
        "both": samples[: RATE + 2000],
    }
    chance = {}
    for name, part in parts.items():
        soundfile.write(tmp_path / f"{name}.wav", part, RATE)
        chance[name] = only(run, tmp_path / f"{name}.wav")["probabilities"]["noise"]
    # A whole clip, and a quarter of one.
    assert chance["both"] == pytest.approx(0.8 * chance["whole"] + 0.2 * chance["rest"], abs=1e-6)


def test_prediction_does_not_depend_on_other_files(run, source, song):
    alone = only(run, song)
    _, together = predict(run, [source / "noise/0.wav", song])["files"]
    assert together == alone


def test_unreadable_files_are_reported_and_others_classified(run, song, tmp_path):
    (tmp_path / "text.wav").write_text("none")
    entries = predict(run, [tmp_path / "text.wav", song, tmp_path / "gone.wav"])["files"]
    assert [entry["path"] for entry in entries] == [
        str(tmp_path / "text.wav"),
        str(song),
        str(tmp_path / "gone.wav"),
    ]
    assert "cannot be decoded" in entries[0]["error"]
    assert "label" in entries[1]
    assert "does not exist" in entries[2]["error"]


def test_no_readable_file_is_an_error(run, tmp_path):
    with pytest.raises(AudioError, match=r"a\.wav' does not exist"):
        predict(run, [tmp_path / "a.wav", tmp_path / "b.wav"])


# Notes and rejection


def test_notes_are_reasons_to_doubt_an_answer(run, song, tmp_path):
    rng = np.random.default_rng(0)
    signals = {
        "silent": np.zeros(2 * RATE),
        "short": rng.uniform(-0.5, 0.5, 80),
        "constant": np.full(2 * RATE, 0.2),
        "loud": np.clip(rng.uniform(-2, 2, 2 * RATE), -1, 1),
    }
    paths = [tmp_path / f"{name}.wav" for name in signals]
    for path, signal in zip(paths, signals.values(), strict=True):
        soundfile.write(path, signal, RATE, "PCM_16")
    copy = shutil.copy(song, tmp_path / "copy.wav")
    answers = predict(run, [*paths, song, copy])["files"]
    assert list(answers[0]) == ["path", "label", "probabilities", "seconds", "notes"]
    silent, short, constant, loud, first, second = (entry["notes"] for entry in answers)
    assert silent == ["silent"]
    assert "padded from 0.01 s" in short
    assert constant == ["silent", "DC offset of 0.20"]
    assert loud[0].startswith("clipped: ")
    assert second == [*first, f"duplicate of '{song}'"]


def test_a_file_that_is_given_twice_is_a_duplicate_of_itself(run, song):
    first, second = (entry["notes"] for entry in predict(run, [song, song])["files"])
    assert second == [*first, f"duplicate of '{song}'"]


def test_narrow_files_are_noted(run, tmp_path):
    """The network's sample rate is 8 kHz, the file's 4 kHz."""
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "narrow.wav", rng.uniform(-0.5, 0.5, 8000), 4000)
    assert only(run, tmp_path / "narrow.wav")["notes"] == ["nothing above 2 kHz"]


def test_uncertain_and_silent_files_are_unknown_on_request(run, song, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    paths = [song, tmp_path / "silent.wav"]
    plain = predict(run, paths)["files"]
    assert all(entry["label"] in run.labels for entry in plain)
    largest = max(plain[0]["probabilities"].values())
    below, above = (
        predict(run, paths, threshold)["files"] for threshold in (largest - 1e-3, largest + 1e-3)
    )
    assert [entry["label"] for entry in below] == [plain[0]["label"], "unknown"]
    assert [entry["label"] for entry in above] == ["unknown", "unknown"]
    assert above[0]["probabilities"] == plain[0]["probabilities"]


# Adaptation


def test_networks_are_adapted_to_clips_with_sound(run, song, tmp_path, monkeypatch):
    adapted = []

    def record(run, inputs):
        adapted.append(inputs)
        return run

    monkeypatch.setattr(adaptation, "adapted", record)
    (tmp_path / "text.wav").write_text("none")
    soundfile.write(tmp_path / "silent.wav", np.zeros(3 * RATE), RATE)
    paths = [song, tmp_path / "text.wav", tmp_path / "silent.wav"]
    assert predict(run, paths, adapt=True) == predict(run, paths)
    (inputs,) = adapted
    assert inputs.shape == (2, *run.frontend.shape(run.input_samples))  # the song has 1.9 s
    with pytest.raises(AudioError, match="no sound to adapt the network to; omit --adapt"):
        predict(run, paths[1:], adapt=True)
    with pytest.raises(AudioError, match=r"text\.wav' cannot be decoded"):
        predict(run, paths[1:2], adapt=True)


def test_networks_without_batch_normalization_cannot_be_adapted(run, song):
    with pytest.raises(ModelError, match="has no batch normalization to adapt; omit --adapt"):
        predict(run, [song], adapt=True)
