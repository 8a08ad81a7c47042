import pytest
from calling import answer

from tfdream.evaluation.classification import predict
from tfdream.evaluation.measures.classes import ClassMeasure

# To build graphs takes longer than to hear three clips.
pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture
def other(source):
    return source / "noise" / "1.wav"


def test_verdicts_are_those_of_predict(run, song, other):
    files = predict(run, [song, other])["files"]
    told = ClassMeasure(run)(song, other)
    assert told["probabilities_before"] == files[0]["probabilities"]
    assert told["probabilities_after"] == files[1]["probabilities"]
    assert (told["label_before"], told["label_after"]) == tuple(each["label"] for each in files)
    assert "label_style" not in told


def test_a_style_is_heard_too(run, song, other):
    told = ClassMeasure(run, style=other)(song, song)
    assert told["probabilities_style"] == predict(run, [other])["files"][0]["probabilities"]


def test_the_command_tells_what_is_heard(run, song, other):
    told = answer("compare", song, other, "--model", run.folder)
    assert set(told["probabilities_after"]) == set(run.labels)
    assert any(sentence.startswith("Classifier: ") for sentence in told["assessment"])
