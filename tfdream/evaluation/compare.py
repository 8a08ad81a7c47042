"""Measures of a changed file against its original, computed from the two files.

Both are read in blocks, several times, so that memory does not grow with their length, except for
a few numbers per frame. Measures that need a network are optional.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tfdream.errors import AudioError
from tfdream.evaluation.coverage import not_covered
from tfdream.evaluation.interpretation import interpret
from tfdream.evaluation.measures import chroma_onsets, loudness, spectra
from tfdream.evaluation.measures.pairs import Difference, FilePair, FileStats, notes

MIN_SECONDS = spectra.N_FFT / chroma_onsets.SAMPLE_RATE
"""Length of the shortest files that can be compared."""

ExtraMeasure = Callable[[Path, Path], dict[str, Any]]
"""Computes further measures of original and result, and optionally `notes`."""


def compare(
    original: str | Path, result: str | Path, extra_measures: Iterable[ExtraMeasure] = ()
) -> dict[str, Any]:
    """Measure how a changed file differs from its original.

    Spectra have windows of 2048 samples and a hop of 512, at the original's rate and of every
    channel; chroma and onsets are those of the mid signal at 22 050 Hz. A cell is a bin of one
    frame, its level that of a sine in dB relative to full scale. A result of another rate is
    resampled; of another number of channels, the two mid signals are compared; of another length,
    the common part. `notes` reports these cases, and the band above that of a network whose measure
    is included.

    Args:
      original: any audio file.
      result: the changed file.
      extra_measures: further measures, such as `measures.style.StyleDistance`,
        `measures.beat_spectrum.BeatSimilarity` and `measures.classes.ClassMeasure`; they use the
        whole length of each file.

    Returns:
      The JSON object of the command. A measure is None if it is undefined; brackets describe when.

      log_spectral_distance_db: mean over frames of the root mean square over bins of the difference
        of the levels, which count from 80 dB below the original's loudest cell.
      spectral_convergence_db: energy of the difference of the magnitudes over the original's, at
        least −200 (None: the original is silent).
      floor_rise_db: rise of the power in the cells that are 60 dB or more below the original's
        loudest one; levels below −120 dB count as −120 dB (None: no such cells). These cells are
        where the original is soft, so a result with sounds moved in time or frequency fills them
        too.
      floor_cells_share: share of these cells in all cells.
      flatness_change_db: mean over frames of the change of the spectral flatness, the geometric
        over the arithmetic mean of the power of a frame's bins. White noise is at −2.5 dB, a tone
        far below, so that a rise means noise and a fall means tones. Only frames whose loudest
        cell is within 60 dB of the original's loudest one count; levels below −120 dB count as
        −120 dB (None: no frame is audible in both files).
      content_chroma_similarity: mean over frames of the cosine similarity of chroma vectors, tuned
        to 440 Hz; 1 means equal harmony. Frames are weighted by their amplitude in the original
        (None: the original is silent). Pitch classes overlap: unrelated pieces of music are at
        0.55 to 0.8, not at 0.
      onset_correlation: correlation of the onset strength envelopes; 1 means equal rhythm (None:
        one of the files has no onset).
      loudness_before_lufs, loudness_after_lufs, loudness_change_lu: the integrated loudness with
        equal weights of all channels (None: a file is shorter than 0.4 s or below −70 LUFS).
      difference_db: energy of the difference of the samples over the original's, at least −200
        (None: rate, channels or length differ, or the original is silent).
      peak: largest absolute sample of the result.
      silent_before, silent_after: whether no sample reaches −80 dB of full scale, in the file or,
        if the numbers of channels differ, in the mid signal.
      clipped_samples_before, clipped_samples: number of clipped samples of the original and the
        result, see `notes.count_clipped`.
      samples, sample_rate, channels: length and format of the result.
      compared_seconds: length of the common part.
      The extra measures.
      notes: list of sentences on how the files were compared.
      not_covered: list of what no measure covers, see `coverage.not_covered`.
      assessment: list of sentences that explain the values, see `interpretation.interpret`.

    Raises:
      AudioError: if a file cannot be read, or the common part is shorter than 0.093 s.

    Source: Gray and Markel, "Distance measures for speech processing" (distance); ITU-R BS.1770-4
    (loudness); the rest is as named above.
    """
    original, result = Path(original), Path(result)
    before, after = FileStats.read(original), FileStats.read(result)
    compared_seconds = min(before.seconds, after.seconds)
    if compared_seconds < MIN_SECONDS:
        raise AudioError(
            f"'{original}' ({before.seconds:.3f} s) and '{result}' ({after.seconds:.3f} s) have "
            f"too little in common to compare; use files of at least {MIN_SECONDS:.3f} s"
        )
    pair = FilePair(original, result, mid=before.channels != after.channels)
    thresholds = spectra.Thresholds.from_original(pair.original_blocks(before.sample_rate))
    difference = Difference()
    measures = {
        **spectra.measure(difference.accumulate(pair.blocks(before.sample_rate)), thresholds),
        **chroma_onsets.measure(pair.blocks(chroma_onsets.SAMPLE_RATE, mid=True), thresholds),
        **_loudness(pair),
        "difference_db": difference.db() if before.shape == after.shape else None,
        "silent_before": before.is_silent or (pair.mid and before.cancels),
        "silent_after": after.is_silent or (pair.mid and after.cancels),
        "peak": after.peak,
        "clipped_samples_before": before.clipped_samples,
        "clipped_samples": after.clipped_samples,
        "samples": after.samples,
        "sample_rate": after.sample_rate,
        "channels": after.channels,
        "compared_seconds": compared_seconds,
    }
    all_notes = list(notes(before, after))
    for extra_measure in extra_measures:
        further = extra_measure(original, result)
        all_notes += further.pop("notes", [])
        measures |= further
    assessment = [finding.text for finding in interpret(measures)]
    has_style = "style_distance_after" in measures
    return {
        **measures,
        "notes": all_notes,
        "not_covered": list(not_covered(before, after, has_style)),
        "assessment": assessment,
    }


def _loudness(pair: FilePair) -> dict[str, float | None]:
    before, after = loudness.integrated_lufs(pair.blocks(loudness.SAMPLE_RATE))
    return {
        "loudness_before_lufs": before,
        "loudness_after_lufs": after,
        "loudness_change_lu": None if before is None or after is None else after - before,
    }
