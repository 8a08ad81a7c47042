import numpy as np
import pytest
import soundfile
from calling import answer

from tfdream.evaluation.measures.classes import ClassMeasure
from tfdream.evaluation.prediction import predict

# Tracing graphs takes longer than classifying three clips.
pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture
def other(source):
    return source / "noise" / "1.wav"


def test_probabilities_are_those_of_predict(run, song, other):
    files = predict(run, [song, other])["files"]
    result = ClassMeasure(run)(song, other)
    assert result["probabilities_before"] == files[0]["probabilities"]
    assert result["probabilities_after"] == files[1]["probabilities"]
    assert (result["label_before"], result["label_after"]) == tuple(each["label"] for each in files)
    assert "label_style" not in result


def test_style_is_classified_too(run, song, other):
    result = ClassMeasure(run, style=other)(song, song)
    assert result["probabilities_style"] == predict(run, [other])["files"][0]["probabilities"]


def test_the_band_above_that_of_the_classifier_is_stated(run, song, tmp_path):
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, 16000)
    soundfile.write(tmp_path / "wide.wav", samples, 16000)
    result = ClassMeasure(run)(tmp_path / "wide.wav", song)
    assert result["probabilities_highest_hz"] == 4000
    assert result["probabilities_uncovered_db"]["before"] == pytest.approx(-3, abs=0.2)
    (note,) = result["notes"]
    assert note.startswith("probabilities: the network covers 0 to 4 kHz")
    assert "notes" not in ClassMeasure(run)(song, song)


def test_command_reports_the_classes(run, song, other):
    result = answer("compare", song, other, "--model", run.folder)
    assert set(result["probabilities_after"]) == set(run.labels)
    assert any(text.startswith("Classifier: ") for text in result["assessment"])
