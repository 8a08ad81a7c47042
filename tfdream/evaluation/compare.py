"""What a change did to a recording, measured on the two files.

Both are read in blocks, several times, so that memory does not grow with their length (but for a
few numbers per frame). No network is asked, unless opinions are.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tfdream.errors import AudioError
from tfdream.evaluation.interpretation import interpret
from tfdream.evaluation.measures import chroma_onsets, loudness, spectra
from tfdream.evaluation.measures.pairs import Difference, FilePair, FileStats, notes

_LEAST_SECONDS = spectra.N_FFT / chroma_onsets.SAMPLE_RATE

ExtraMeasure = Callable[[Path, Path], dict[str, Any]]
"""What a network says of original and result: further measures, and perhaps `notes`."""


def compare(original: Path, result: Path, opinions: Iterable[ExtraMeasure] = ()) -> dict[str, Any]:
    """Measure how far a changed recording is from what it was made of.

    Spectra have windows of 2048 samples and a hop of 512, at the original's rate and of every
    channel; chroma and onsets are those of the mid signal at 22 050 Hz. A cell is a bin of one
    frame, its level that of a sine in dB relative to full scale. A result of another rate is
    resampled; of another number of channels, the two mid signals are compared; of another length,
    what both have. `notes` says so.

    Args:
      original: any audio file.
      result: what was made of it.
      opinions: what networks say of both, such as `measures.textures.StyleDistance` and
        `measures.verdicts.ClassMeasure`. They hear all of each file.

    Returns:
      The JSON object of the command. A measure is None where it means nothing, as brackets say.

      log_spectral_distance_db: mean over frames of the root mean square over bins of the difference
        of the levels, which count from 80 dB below the original's loudest cell.
      spectral_convergence_db: energy of the difference of the magnitudes over the original's, at
        least −200 (None: the original is silent).
      floor_rise_db: how much more power there is in the cells that lie 60 dB or more below the
        original's loudest one. None of them counts as softer than −120 dB (None: no such cells).
        They are chosen because the original is soft there, so whatever moves sound in time or
        frequency fills them too.
      floor_cells_share: how many cells those are, of all.
      flatness_change_db: mean over frames of how much the spectral flatness rose, the geometric
        over the arithmetic mean of the power of a frame's bins; white noise is at −2.5 dB, a tone
        far below, so that a rise is noise and a fall are tones. Frames count whose loudest cell is
        within 60 dB of the original's loudest one; bins count from −120 dB (None: no frame sounds
        in both files).
      content_chroma_similarity: 1 is the same harmony; mean over frames of the cosine similarity of
        chroma vectors, tuned to 440 Hz. A frame weighs as much as its amplitude in the original, so
        that silence does not count (None: the original is silent). Pitch classes overlap: pieces
        that have nothing to do with each other are at 0.55 to 0.8, not at 0.
      onset_correlation: of the envelopes of onset strength, 1 is the same rhythm (None: one of the
        files has no onset).
      loudness_before_lufs, loudness_after_lufs, loudness_change_lu: the integrated loudness, all
        channels weighing the same (None: a file is shorter than 0.4 s or softer than −70 LUFS).
      difference_db: energy of the difference of the samples over the original's, at least −200
        (None: rate, channels or length differ, or the original is silent).
      peak: the result's largest absolute sample.
      clipped_samples: of the result, at or above full scale of 16 bits.
      samples, sample_rate, channels: of the result.
      compared_seconds: how much both files have.
      The measures of the opinions.
      notes: list of sentences.
      assessment: list of sentences that say the same to people, see `interpretation.interpret`.

    Raises:
      AudioError: if a file cannot be read, or both have less than 0.1 s in common.

    Source: Gray and Markel, "Distance measures for speech processing" (distance); ITU-R BS.1770-4
    (loudness); the rest is as named above.
    """
    before, after = FileStats.of(original), FileStats.of(result)
    compared_seconds = min(before.seconds, after.seconds)
    if compared_seconds < _LEAST_SECONDS:
        raise AudioError(
            f"'{original}' ({before.seconds:.3f} s) and '{result}' ({after.seconds:.3f} s) have "
            f"too little in common to compare; both need {_LEAST_SECONDS:.3f} s"
        )
    pair = FilePair(original, result, mid=before.channels != after.channels)
    scale = spectra.Scale.of(pair.original_blocks(before.sample_rate))
    difference = Difference()
    found = {
        **spectra.measure(difference.hear(pair.blocks(before.sample_rate)), scale),
        **chroma_onsets.measure(pair.blocks(chroma_onsets.SAMPLE_RATE, mid=True), scale),
        **_loudness(pair),
        "difference_db": difference.db() if before.shape == after.shape else None,
        "peak": after.peak,
        "clipped_samples": after.clipped_samples,
        "samples": after.samples,
        "sample_rate": after.sample_rate,
        "channels": after.channels,
        "compared_seconds": compared_seconds,
    }
    said = list(notes(before, after))
    for opinion in opinions:
        further = opinion(original, result)
        said += further.pop("notes", [])
        found |= further
    told = [sentence.text for sentence in interpret(found)]
    return {**found, "notes": said, "assessment": told}


def _loudness(pair: FilePair) -> dict[str, float | None]:
    before, after = loudness.integrated_lufs(pair.blocks(loudness.SAMPLE_RATE))
    return {
        "loudness_before_lufs": before,
        "loudness_after_lufs": after,
        "loudness_change_lu": None if before is None or after is None else after - before,
    }
