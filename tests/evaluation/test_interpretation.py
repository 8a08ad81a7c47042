import pytest

from tfdream.evaluation.interpretation import interpret


def told(**result):
    (sentence,) = interpret(result)
    return sentence


def test_nothing_is_said_of_what_is_not_there():
    assert interpret({}) == []
    assert interpret({"floor_rise_db": None, "notes": [], "path": "x"}) == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("content_chroma_similarity", 0.89, "Harmony: 0.89 of 1; the chords are those of the"),
        ("content_chroma_similarity", 0.6, "Harmony: 0.60 of 1; no nearer than other pieces"),
        ("onset_correlation", 1.0, "Rhythm: 1.00 of 1; unchanged"),
        ("floor_rise_db", -6.0, "Noise floor: -6.0 dB in the soft parts; cleaner"),
        ("floor_rise_db", 43.5, "Noise floor: +43.5 dB in the soft parts; hiss"),
        ("loudness_change_lu", 0.4, "Loudness: +0.4 LU; as loud as it was"),
        ("clipped_samples", 0, "Clipping: 0 samples at full scale; clean"),
    ],
)
def test_a_figure_has_a_verdict(name, value, text):
    sentence = told(**{name: value})
    assert sentence.text.startswith(text)
    assert (sentence.name, sentence.value) == (name, value)


@pytest.mark.parametrize(
    ("before", "after", "rendered", "verdict"),
    [
        (1.0, 3.0, 2.95, "the file has it"),
        (1.0, 15.0, 3.4, "a part of it is lost on the way to the file"),
        (0.33, 0.0001, 0.0006, "the file has it"),  # a loss falls
        (-2.0, 4.0, -2.0, "nearly all of it is lost on the way to the file"),
        (1.0, 1.0, 1.0, "nothing was reached"),
    ],
)
@pytest.mark.parametrize("name", ["objective", "style_loss"])
def test_what_was_asked_for_is_weighed_against_the_file(name, before, after, rendered, verdict):
    values = zip(("before", "after", "rendered"), (before, after, rendered), strict=True)
    sentence = told(**{f"{name}_{when}": value for when, value in values})
    assert sentence.text.endswith(verdict)
    assert sentence.value == rendered


def test_a_translation_and_where_it_stopped():
    sentence = told(picture_change=0.1, picture_error_rendered=0.05)
    assert "50% of what the generator changed in the picture is heard" in sentence.text
    stopped = told(interrupted=True, changed_seconds=3.0, audio_seconds=10.0)
    assert stopped.text == "Interrupted: 3.0 of 10.0 s are changed; the rest is the original"


def test_a_style_comes_nearer_or_not():
    assert told(style_distance_before=0.4, style_distance_after=0.3).text.endswith("nearer")
    assert "no nearer" in told(style_distance_before=0.4, style_distance_after=0.5).text
    assert "one recording" in told(style_distance_before=0.4, style_distance_after=1e-3).text


def test_a_classifier_names_what_it_hears():
    heard = {
        "label_before": "rock",
        "label_after": "folk",
        "label_style": "folk",
        "probabilities_before": {"rock": 0.9, "folk": 0.1},
        "probabilities_after": {"rock": 0.3, "folk": 0.7},
    }
    label, of_style = interpret(heard)
    assert label.text == "Classifier: folk (70%); rock before"
    assert of_style.text.startswith("Classifier on the style's folk: 70%, 10% before; the")
    unchanged = {
        **heard,
        "label_after": "rock",
        "probabilities_after": heard["probabilities_before"],
    }
    label, of_style = interpret(unchanged)
    assert label.text == "Classifier: rock (90%); as before"
    assert of_style.text.endswith("it is not heard as such")
