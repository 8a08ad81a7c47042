"""Explanations of measures in sentences.

The thresholds are measured on excerpts of 10 s of the game music that docs/results.md calls
*music*: "codecs" are 12 of them compared with their Vorbis and MP3 versions at libsndfile's
settings, which few people notice; "unrelated" are 36 pairs of excerpts of different recordings.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Result = Mapping[str, Any]


class Finding(NamedTuple):
    """The explanation of one measure.

    Attributes:
      name: name of the measure in the result.
      text: title, value and assessment.
      value: the assessed value.
    """

    name: str
    text: str
    value: float


@dataclass(frozen=True)
class _Ranges:
    """Ranges of a measure with the assessment of each.

    Attributes:
      name: name of the measure.
      title: title of the measure in sentences.
      form: format of the value.
      ranges: upper end → assessment of values up to there, ascending.
    """

    name: str
    title: str
    form: str
    ranges: tuple[tuple[float, str], ...]

    def __call__(self, result: Result) -> Finding | None:
        value = result.get(self.name)
        if value is None:
            return None
        text = f"{self.title}: {self.form.format(value)}; {_assess(value, self.ranges)}"
        return Finding(self.name, text, value)


_Explanation = Callable[[Result], Finding | None]
_RANGES = (
    # Codecs: at most 5.7 dB. Unrelated: at least 7.3 dB, in the median 13.7 dB.
    _Ranges("log_spectral_distance_db", "Spectrum", "{:.1f} dB from the original", (
        (6, "no more than a lossy codec changes it"),
        (13.7, "clearly a different sound"),
        (math.inf, "as far as another piece of music"),
    )),
    # Codecs: 1.000. Unrelated: 95 % of them below 0.77, all below 0.84.
    _Ranges("content_chroma_similarity", "Harmony", "{:.2f} of 1", (
        (0.77, "no closer than unrelated pieces of music"),
        (0.84, "little of the chords is left"),
        (0.99, "the chords are those of the original"),
        (math.inf, "unchanged"),
    )),
    # Codecs: at least 0.99. Unrelated: at most 0.13. From 0.71 on, more than half of the variance
    # of the onsets' strength is the original's.
    _Ranges("onset_correlation", "Rhythm", "{:.2f} of 1", (
        (0.13, "no closer than unrelated pieces of music"),
        (0.71, "some attacks are the original's"),
        (0.99, "most attacks are where they were"),
        (math.inf, "unchanged"),
    )),
    # Codecs: 0.9 to 6.4 dB. A level difference of 1 dB is about the smallest that is audible.
    _Ranges("floor_rise_db", "Noise floor", "{:+.1f} dB in the soft parts", (
        (-1, "cleaner"),
        (1, "as it was"),
        (6.5, "no more than a lossy codec adds"),
        (math.inf, "hiss, or sound where there was none"),
    )),
    # Codecs: at most +0.9 dB; down to -5.2 dB, because they empty the highest bins.
    _Ranges("flatness_change_db", "Tone and noise", "{:+.1f} dB of flatness", (
        (-5.2, "clearer tones, or a missing band"),
        (1, "as noisy as it was"),
        (math.inf, "noisier"),
    )),
    # EBU R 128 tolerates 1 LU where a programme cannot be leveled exactly.
    _Ranges("loudness_change_lu", "Loudness", "{:+.1f} LU", (
        (-1, "softer"),
        (1, "as loud as it was"),
        (math.inf, "louder"),
    )),
)  # fmt: skip

# The share of the optimized change that the written file contains. On the songs of docs/results.md,
# recipes with a canvas of samples or gains retain 97 % and more, those that restore the original's
# phase 15 to 50 %.
_RETAINED = (
    (0.1, "nearly all of it is lost in the written file"),
    (0.9, "a part of it is lost in the written file"),
    (math.inf, "the written file has it"),
)
# About the smallest relative change that three digits show.
_SHOWN = 1e-3


def interpret(result: Result) -> list[Finding]:
    """Explain the measures of a result.

    Args:
      result: the JSON object of ``compare``, ``distance``, ``dream``, ``transfer`` or
        ``translate``, or several of them joined.

    Returns:
      A finding for each measure that is defined. If a file of a comparison is silent, a finding
      states it in place of those that compare the sound of the files.
    """
    comparisons: list[_Explanation] = [_style, _above_style, _beats]
    ranges: list[_Explanation] = [*_RANGES, _clipping]
    if _silence(result):
        comparisons, ranges = [_silence], []
    explanations: list[_Explanation] = [
        _interruption,
        _dream,
        _transfer,
        _translation,
        *comparisons,
        _label,
        _label_of_style,
        _sets,
        _sets_by_kernel,
        *ranges,
    ]
    findings = (explain(result) for explain in explanations)
    return [finding for finding in findings if finding is not None]


def _assess(value: float, ranges: Iterable[tuple[float, str]]) -> str:
    return next(assessment for end, assessment in ranges if value <= end)


def _interruption(result: Result) -> Finding | None:
    if "interrupted" not in result or "changed_seconds" not in result:
        return None
    changed, whole = result["changed_seconds"], result["audio_seconds"]
    text = f"Interrupted: {changed:.1f} of {whole:.1f} s are changed; the rest is the original"
    return Finding("changed_seconds", text, changed)


def _silence(result: Result) -> Finding | None:
    """Explain that a file is silent, so that it cannot be compared."""
    before, after = (bool(result.get(f"silent_{when}")) for when in ("before", "after"))
    if not before and not after:
        return None
    files = "the result is" if not before else "both files are" if after else "the original is"
    text = f"Silence: {files} silent; differences of the sound are not assessed"
    return Finding("silent_after" if after else "silent_before", text, 1.0)


def _clipping(result: Result) -> Finding | None:
    """Compare the clipped samples of the result with those of the original."""
    before, after = result.get("clipped_samples_before"), result.get("clipped_samples")
    if before is None or after is None:
        return None
    if after > before:
        assessment = f"this distorts, the original has {before}"
    elif after > 0:
        assessment = f"no more than the {before} of the original"
    else:
        assessment = "clean"
    text = f"Clipping: {after} samples in runs at full scale; {assessment}"
    return Finding("clipped_samples", text, after)


def _dream(result: Result) -> Finding | None:
    return _optimization(result, "objective", "Dream", rises=True)


def _transfer(result: Result) -> Finding | None:
    return _optimization(result, "style_loss", "Style loss", rises=False)


def _optimization(result: Result, name: str, title: str, rises: bool) -> Finding | None:
    """Explain a measure before and after the optimization, and of the written file."""
    names = [f"{name}_{when}" for when in ("before", "after", "rendered")]
    if not set(names) <= set(result):
        return None
    before, after, rendered = (result[each] for each in names)
    reached, kept = (each - before if rises else before - each for each in (after, rendered))
    margin = _SHOWN * abs(before)
    worse = "it fell instead of rising" if rises else "it rose instead of falling"
    if kept < -margin:
        assessment = worse
    elif reached < -margin:
        assessment = f"{worse} in the optimized view"
    elif reached <= 0:
        assessment = "no change was reached"
    else:
        assessment = _assess(kept / reached, _RETAINED)
    text = f"{title}: from {before:.3g} to {rendered:.3g} (optimized: {after:.3g}); {assessment}"
    return Finding(f"{name}_rendered", text, rendered)


def _translation(result: Result) -> Finding | None:
    change, error = (result.get(name) for name in ("picture_change", "picture_error_rendered"))
    if not change or error is None:
        return None
    share = 1 - error / change
    text = (
        f"Translation: {max(share, 0):.0%} of the generator's change of the picture is in the "
        f"written file; "
        f"{_assess(share, _RETAINED)}"
    )
    return Finding("picture_error_rendered", text, error)


# The second largest distance of 30 pairs of excerpts of one recording, and about the smallest of
# unrelated ones; see `measures.style`.
_SAME_STYLE = 0.18
# About the smallest level difference that is audible.
_LEVEL_STEP_DB = 1.0


def _style(result: Result) -> Finding | None:
    before, after = (result.get(f"style_distance_{when}") for when in ("before", "after"))
    if before is None or after is None:
        return None
    assessment = "no closer"
    if after < before:
        near = after <= _SAME_STYLE
        assessment = "as close as two parts of one recording" if near else "closer"
    highest_hz = result.get("style_distance_highest_hz")
    band = f" up to {highest_hz / 1000:.4g} kHz" if highest_hz else ""
    text = f"Style{band}: {after:.2g} from the style, {before:.2g} before; {assessment}"
    return Finding("style_distance_after", text, after)


def _above_style(result: Result) -> Finding | None:
    """Explain the level of the band that the style distance does not cover."""
    levels = result.get("style_distance_uncovered_db", {})
    before, after, style = (levels.get(name) for name in ("before", "after", "style"))
    if before is None or after is None or style is None:
        return None
    closer_db = abs(before - style) - abs(after - style)
    assessment = "closer to the style" if closer_db > _LEVEL_STEP_DB else "no closer to the style"
    highest_khz = result["style_distance_highest_hz"] / 1000
    text = (
        f"Above {highest_khz:.4g} kHz: {after:.1f} dB of the energy, "
        f"{before:.1f} dB before, {style:.1f} dB in the style; {assessment}"
    )
    return Finding("style_distance_uncovered_db", text, after)


# 24 pairs of excerpts of one recording have at least this similarity in three of four cases; 552
# unrelated pairs have at most 0.53 in three of four cases, and up to 0.99 if the tempo is equal.
_SAME_BEATS = 0.64


def _beats(result: Result) -> Finding | None:
    """Explain the similarity of the beat spectrum to that of a style."""
    before, after = (result.get(f"beat_similarity_{when}") for when in ("before", "after"))
    if before is None or after is None:
        return None
    assessment = "no closer to the style"
    if after > before:
        near = after >= _SAME_BEATS
        assessment = "as most parts of one recording" if near else "closer to the style"
    text = f"Beats: {after:.2f} of 1, {before:.2f} before; {assessment}"
    return Finding("beat_similarity_after", text, after)


def _label(result: Result) -> Finding | None:
    """Explain the most probable label before and after."""
    if "label_before" not in result or "label_after" not in result:
        return None
    before, after = result["label_before"], result["label_after"]
    probability = result["probabilities_after"][after]
    text = f"Classifier: {after} ({probability:.0%}); " + (
        "as before" if after == before else f"{before} before"
    )
    return Finding("label_after", text, probability)


def _label_of_style(result: Result) -> Finding | None:
    """Explain the probability of the style's label before and after."""
    if "label_style" not in result:
        return None
    label = result["label_style"]
    before, after = (result[f"probabilities_{when}"][label] for when in ("before", "after"))
    assessment = "more probable after the change" if after > before else "not more probable"
    text = f"Classifier on the style's {label}: {after:.0%}, {before:.0%} before; {assessment}"
    return Finding("probabilities_after", text, after)


def _sets(result: Result) -> Finding | None:
    """Explain the distance of sets in comparison with halves, whose bias is larger."""
    return _compare_sets(result, "frechet_distance", "within", "Sets")


def _sets_by_kernel(result: Result) -> Finding | None:
    """Explain the kernel distance of sets in comparison with halves."""
    return _compare_sets(result, "kernel_distance", "kernel_within", "Sets by the kernel distance")


def _compare_sets(result: Result, key: str, within: str, name: str) -> Finding | None:
    distance = result.get(key)
    inside = (result.get(f"{within}_a"), result.get(f"{within}_b"))
    halves = [each for each in inside if each is not None]
    if distance is None or not halves:
        return None
    most = max(halves)
    assessment = "they differ" if distance > most else "no more than halves of the same set"
    text = f"{name}: {distance:.3g} apart, halves of one at most {most:.3g}; {assessment}"
    return Finding(key, text, distance)
