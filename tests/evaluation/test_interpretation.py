import pytest

from tfdream.evaluation.interpretation import interpret


def explain(**result):
    (finding,) = interpret(result)
    return finding


def test_undefined_measures_have_no_findings():
    assert interpret({}) == []
    assert interpret({"floor_rise_db": None, "notes": [], "path": "x"}) == []


def test_values_are_assessed():
    cases = [
        ("content_chroma_similarity", 0.89, "Harmony: 0.89 of 1; the chords are those of the"),
        ("content_chroma_similarity", 0.6, "Harmony: 0.60 of 1; no closer than unrelated pieces"),
        ("onset_correlation", 1.0, "Rhythm: 1.00 of 1; unchanged"),
        ("floor_rise_db", -6.0, "Noise floor: -6.0 dB in the soft parts; cleaner"),
        ("floor_rise_db", 43.5, "Noise floor: +43.5 dB in the soft parts; hiss"),
        ("loudness_change_lu", 0.4, "Loudness: +0.4 LU; as loud as it was"),
    ]
    for name, value, text in cases:
        finding = explain(**{name: value})
        assert finding.text.startswith(text)
        assert (finding.name, finding.value) == (name, value)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (0, 0, "0 samples in runs at full scale; clean"),
        (9, 0, "0 samples in runs at full scale; clean"),
        (9, 7, "7 samples in runs at full scale; no more than the 9 of the original"),
        (2, 7, "7 samples in runs at full scale; this distorts, the original has 2"),
    ],
)
def test_clipping_is_compared_with_the_original(before, after, text):
    finding = explain(clipped_samples_before=before, clipped_samples=after)
    assert (finding.name, finding.text) == ("clipped_samples", f"Clipping: {text}")


@pytest.mark.parametrize(
    ("name", "sign", "worse"),
    [
        ("objective", 1, "it fell instead of rising"),
        ("style_loss", -1, "it rose instead of falling"),
    ],
)
def test_written_file_is_compared_with_the_optimization(name, sign, worse):
    cases = [
        (1.0, 3.0, 2.95, "the written file has it"),
        (1.0, 15.0, 3.4, "a part of it is lost in the written file"),
        (-0.33, -0.0001, -0.0006, "the written file has it"),
        (-2.0, 4.0, -2.0, "nearly all of it is lost in the written file"),
        (1.0, 1.0, 1.0 - 1e-6, "no change was reached"),
        (-20.0, -37.0, -37.0, worse),
        (-20.0, -10.0, -21.0, worse),
        (-20.0, -37.0, -19.0, f"{worse} in the optimized view"),
    ]
    for *values, assessment in cases:
        signed = zip(("before", "after", "rendered"), [sign * each for each in values], strict=True)
        finding = explain(**{f"{name}_{when}": value for when, value in signed})
        assert finding.text.endswith(f"; {assessment}")
        assert finding.value == sign * values[-1]


def test_translation_and_interruption_are_explained():
    finding = explain(picture_change=0.1, picture_error_rendered=0.05)
    assert "50% of the generator's change of the picture is in the written file" in finding.text
    stopped = explain(interrupted=True, changed_seconds=3.0, audio_seconds=10.0)
    assert stopped.text == "Interrupted: 3.0 of 10.0 s are changed; the rest is the original"


def test_style_is_closer_or_not():
    assert explain(style_distance_before=0.4, style_distance_after=0.3).text.endswith("; closer")
    assert "no closer" in explain(style_distance_before=0.4, style_distance_after=0.5).text
    assert "one recording" in explain(style_distance_before=0.4, style_distance_after=1e-3).text


def test_labels_of_a_classifier_are_explained():
    result = {
        "label_before": "rock",
        "label_after": "folk",
        "label_style": "folk",
        "probabilities_before": {"rock": 0.9, "folk": 0.1},
        "probabilities_after": {"rock": 0.3, "folk": 0.7},
    }
    label, of_style = interpret(result)
    assert label.text == "Classifier: folk (70%); rock before"
    assert of_style.text.startswith(
        "Classifier on the style's folk: 70%, 10% before; more probable"
    )
    unchanged = {
        **result,
        "label_after": "rock",
        "probabilities_after": result["probabilities_before"],
    }
    label, of_style = interpret(unchanged)
    assert label.text == "Classifier: rock (90%); as before"
    assert of_style.text.endswith("not more probable")


def test_beats_are_closer_to_the_style_or_not():
    assert explain(beat_similarity_before=0.1, beat_similarity_after=0.6).text == (
        "Beats: 0.60 of 1, 0.10 before; closer to the style"
    )
    assert "one recording" in explain(beat_similarity_before=0.1, beat_similarity_after=0.9).text
    assert "no closer" in explain(beat_similarity_before=0.6, beat_similarity_after=0.6).text
