"""Measures in sentences: what figures mean, for people.

Where verdicts begin and end is measured, on excerpts of 10 s of the game music that docs/results.md
calls *music*: "codecs" are 12 of them beside their own Vorbis and MP3 at libsndfile's settings,
which few people hear; "strangers" are 36 pairs of excerpts of different recordings.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Result = Mapping[str, Any]


class Finding(NamedTuple):
    """One measure in words.

    Attributes:
      name: of the measure, as in the result that it is told of.
      text: what it is about, the figure, and the verdict.
      value: the figure that the verdict is of.
    """

    name: str
    text: str
    value: float


@dataclass(frozen=True)
class _Scale:
    """A measure whose value alone makes the verdict.

    Attributes:
      name: of the measure.
      title: what people call it.
      form: of the figure.
      verdicts: upper end → what is said up to there, ascending.
    """

    name: str
    title: str
    form: str
    verdicts: tuple[tuple[float, str], ...]

    def __call__(self, result: Result) -> Finding | None:
        value = result.get(self.name)
        if value is None:
            return None
        text = f"{self.title}: {self.form.format(value)}; {_verdict(value, self.verdicts)}"
        return Finding(self.name, text, value)


_Teller = Callable[[Result], Finding | None]
_SCALES = (
    # Codecs: at most 5.7 dB. Strangers: at least 7.3 dB, in the median 13.7 dB.
    _Scale("log_spectral_distance_db", "Spectrum", "{:.1f} dB from the original", (
        (6, "no further than a lossy codec takes it"),
        (13.7, "clearly another sound"),
        (math.inf, "as far as another piece of music"),
    )),
    # Codecs: 1.000. Strangers: 95 % of them below 0.77, all below 0.84.
    _Scale("content_chroma_similarity", "Harmony", "{:.2f} of 1", (
        (0.77, "no nearer than other pieces of music"),
        (0.84, "little of the chords is left"),
        (0.99, "the chords are those of the original"),
        (math.inf, "unchanged"),
    )),
    # Codecs: at least 0.99. Strangers: at most 0.13. From 0.71 on, more than half of the variance
    # of the onsets' strength is the original's.
    _Scale("onset_correlation", "Rhythm", "{:.2f} of 1", (
        (0.13, "no nearer than other pieces of music"),
        (0.71, "some attacks are the original's"),
        (0.99, "most attacks are where they were"),
        (math.inf, "unchanged"),
    )),
    # Codecs: 0.9 to 6.4 dB. A difference of 1 dB in level is about the least that is heard.
    _Scale("floor_rise_db", "Noise floor", "{:+.1f} dB in the soft parts", (
        (-1, "cleaner"),
        (1, "as it was"),
        (6.5, "no more than a lossy codec adds"),
        (math.inf, "hiss, or sound where there was none"),
    )),
    # Codecs: at most +0.9 dB; down to -5.2 dB, because they empty the highest bins.
    _Scale("flatness_change_db", "Tone and noise", "{:+.1f} dB of flatness", (
        (-5.2, "clearer tones, or a band that is gone"),
        (1, "as noisy as it was"),
        (math.inf, "noisier"),
    )),
    # EBU R 128 tolerates 1 LU where a programme cannot be leveled exactly.
    _Scale("loudness_change_lu", "Loudness", "{:+.1f} LU", (
        (-1, "softer"),
        (1, "as loud as it was"),
        (math.inf, "louder"),
    )),
    _Scale("clipped_samples", "Clipping", "{} samples at full scale", (
        (0, "clean"),
        (math.inf, "this distorts, if the original has fewer"),
    )),
)  # fmt: skip

# Of what was asked for, how much is in the file: on the songs of docs/results.md, recipes that view
# the sound itself keep 97 % and more, those that put back the original's phase 15 to 50 %.
_KEPT = (
    (0.1, "nearly all of it is lost on the way to the file"),
    (0.9, "a part of it is lost on the way to the file"),
    (math.inf, "the file has it"),
)


def interpret(result: Result) -> list[Finding]:
    """Say what the figures of a result mean.

    Args:
      result: the JSON object of ``compare``, ``distance``, ``dream``, ``transfer`` or
        ``translate``, or several of them joined.

    Returns:
      A sentence for each measure that is there and means something.
    """
    tellers: list[_Teller] = [
        _interruption,
        _dream,
        _transfer,
        _translation,
        _style,
        _label,
        _label_of_style,
        _sets,
        *_SCALES,
    ]
    sentences = (tell(result) for tell in tellers)
    return [sentence for sentence in sentences if sentence is not None]


def _verdict(value: float, verdicts: Iterable[tuple[float, str]]) -> str:
    return next(words for end, words in verdicts if value <= end)


def _interruption(result: Result) -> Finding | None:
    if "interrupted" not in result or "changed_seconds" not in result:
        return None
    changed, whole = result["changed_seconds"], result["audio_seconds"]
    text = f"Interrupted: {changed:.1f} of {whole:.1f} s are changed; the rest is the original"
    return Finding("changed_seconds", text, changed)


def _dream(result: Result) -> Finding | None:
    return _asked_for(result, "objective", "Dream")


def _transfer(result: Result) -> Finding | None:
    return _asked_for(result, "style_loss", "Style loss")


def _asked_for(result: Result, name: str, title: str) -> Finding | None:
    """What an optimizer reached and the file has, of a measure before, after and rendered."""
    names = [f"{name}_{when}" for when in ("before", "after", "rendered")]
    if not set(names) <= set(result):
        return None
    before, after, rendered = (result[each] for each in names)
    reached = after - before
    verdict = "nothing was reached"
    if reached:
        verdict = _verdict((rendered - before) / reached, _KEPT)
    text = f"{title}: from {before:.3g} to {rendered:.3g} (asked for: {after:.3g}); {verdict}"
    return Finding(f"{name}_rendered", text, rendered)


def _translation(result: Result) -> Finding | None:
    change, error = (result.get(name) for name in ("picture_change", "picture_error_rendered"))
    if not change or error is None:
        return None
    share = 1 - error / change
    text = (
        f"Translation: {max(share, 0):.0%} of what the generator changed in the picture is heard; "
        f"{_verdict(share, _KEPT)}"
    )
    return Finding("picture_error_rendered", text, error)


# Of 30 pairs of excerpts of one recording the furthest but one; strangers begin there, too. See
# `measures.textures`.
_SAME_STYLE = 0.18


def _style(result: Result) -> Finding | None:
    before, after = (result.get(f"style_distance_{when}") for when in ("before", "after"))
    if before is None or after is None:
        return None
    verdict = "no nearer"
    if after < before:
        near = after <= _SAME_STYLE
        verdict = "as near as two parts of one recording" if near else "nearer"
    text = f"Style: {after:.2g} from the style, {before:.2g} before; {verdict}"
    return Finding("style_distance_after", text, after)


def _label(result: Result) -> Finding | None:
    """What a classifier hears."""
    if "label_before" not in result or "label_after" not in result:
        return None
    before, after = result["label_before"], result["label_after"]
    probability = result["probabilities_after"][after]
    text = f"Classifier: {after} ({probability:.0%}); " + (
        "as before" if after == before else f"{before} before"
    )
    return Finding("label_after", text, probability)


def _label_of_style(result: Result) -> Finding | None:
    """How likely a classifier finds the style's label."""
    if "label_style" not in result:
        return None
    label = result["label_style"]
    before, after = (result[f"probabilities_{when}"][label] for when in ("before", "after"))
    verdict = "the change is heard as the style's" if after > before else "it is not heard as such"
    text = f"Classifier on the style's {label}: {after:.0%}, {before:.0%} before; {verdict}"
    return Finding("probabilities_after", text, after)


def _sets(result: Result) -> Finding | None:
    """Beside halves of the sets, which look further apart for having fewer clips."""
    distance = result.get("frechet_distance")
    halves = [result[name] for name in ("within_a", "within_b") if result.get(name) is not None]
    if distance is None or not halves:
        return None
    inside = max(halves)
    verdict = "they differ" if distance > inside else "no more than halves of the same set"
    text = f"Sets: {distance:.3g} apart, halves of one at most {inside:.3g}; {verdict}"
    return Finding("frechet_distance", text, distance)
