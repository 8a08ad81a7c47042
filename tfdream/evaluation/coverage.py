"""Statements on what the measures of `compare` do not cover."""

from collections.abc import Iterator

from tfdream.evaluation.measures import chroma_onsets
from tfdream.evaluation.measures.pairs import FileStats

_ALWAYS = (
    "notes and words: pitch classes are compared without their octave, and nothing is transcribed",
    "phase and stereo image: spectra are those of each channel, without phase",
    "preference: no measure models listeners",
)


def not_covered(before: FileStats, after: FileStats, has_style: bool) -> Iterator[str]:
    """Yield what the measures of two files do not cover, in sentences.

    Args:
      before: the original.
      after: the result.
      has_style: whether the files are also compared with a style.

    >>> song = FileStats(22050, 1, 22050, 0.5, 0.5, 0)
    >>> len(list(not_covered(song, song, has_style=True)))
    3
    """
    highest_rate = max(before.sample_rate, after.sample_rate)
    if highest_rate > chroma_onsets.SAMPLE_RATE:
        yield (
            f"harmony and rhythm from {chroma_onsets.SAMPLE_RATE / 2000:g} to "
            f"{highest_rate / 2000:g} kHz"
        )
    if after.sample_rate > before.sample_rate:
        yield (
            f"spectra of the result above {before.sample_rate / 2000:g} kHz, half the original's "
            "sample rate"
        )
    if not has_style:
        yield "similarity to a style: none was given"
    yield from _ALWAYS
