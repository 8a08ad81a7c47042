"""`distance`: how far two sets of recordings are apart, in the ears of a classifier."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfdream import audio
from tfdream.errors import AudioError, ModelError
from tfdream.evaluation.classification import clip_batches
from tfdream.evaluation.interpretation import interpret
from tfdream.evaluation.measures import frechet
from tfdream.models import inspect
from tfdream.runs import Run
from tfdream.synthesis.rendering.batch import recordings

LAYER = "embedding"

# A covariance of 4096 dimensions takes 0.1 GB; a network that embeds an image as it is has 400 000.
_MOST_DIMENSIONS = 4096
_HALVINGS = 10
# A subset is half of a set, and needs a covariance.
_LEAST_CLIPS = 2 * frechet.LEAST_ROWS

Progress = Callable[[int, int], None]
"""Hears the recordings or subsets done, and all of them."""


class Embedded(NamedTuple):
    """A set of recordings as a network knows it.

    Attributes:
      clips: float32 `[clips, dimensions]`.
      recording: int `[clips]`: which one each is from.
      paths: of the recordings.
      skipped: rows of path and reason.
    """

    clips: np.ndarray
    recording: np.ndarray
    paths: list[Path]
    skipped: list[dict[str, str]]


class Embedder:
    """What a classifier knows of clips before it names a label: its layer `embedding`.

    Args:
      run: of the classifier.

    Raises:
      ModelError: if the layer is too large for a covariance.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        network, frontend = inspect.tap(run.model, [LAYER]), run.frontend
        self.dimensions = int(np.prod(run.model.get_layer(LAYER).output.shape[1:]))
        if self.dimensions > _MOST_DIMENSIONS:
            raise ModelError(
                f"the layer '{LAYER}' of the run '{run.folder}' has {self.dimensions} dimensions, "
                f"more than {_MOST_DIMENSIONS}; use a run of another network, such as recommended"
            )

        @tf.function(reduce_retracing=True)
        def embed(waveform: tf.Tensor) -> tf.Tensor:
            found = network(frontend(waveform), training=False)[LAYER]
            return tf.reshape(found, [-1, self.dimensions])

        self._embed = embed

    def read(self, path: Path) -> np.ndarray:
        """The clips of a recording, float32 `[clips, dimensions]`.

        A shorter last clip is left out, unless it is the only one.
        """
        found: list[np.ndarray] = []
        with audio.Reader(path) as reader:
            for clips, filled in clip_batches(reader.mid(self.run.sample_rate), self.run):
                whole = filled == self.run.clip_samples
                if not found:
                    whole[0] = True
                found.append(self._embed(tf.constant(clips)).numpy()[whole])
        if not found:
            raise AudioError(
                f"'{path}' is shorter than a sample at {self.run.sample_rate} Hz; leave it out"
            )
        return np.concatenate(found)

    def read_set(self, path: Path, progress: Progress) -> Embedded:
        """The clips of all recordings in a folder, or of one file.

        Raises:
          AudioError: if there are none that can be read.
        """
        clips: list[np.ndarray] = []
        read: list[Path] = []
        skipped: list[dict[str, str]] = []
        files = recordings([path])
        for number, file in enumerate(files, start=1):
            try:
                clips.append(self.read(file))
                read.append(file)
            except AudioError as error:
                skipped.append({"path": str(file), "reason": str(error)})
            progress(number, len(files))
        if not read:
            raise AudioError(skipped[0]["reason"])
        recording = np.repeat(np.arange(len(read)), [len(each) for each in clips])
        return Embedded(np.concatenate(clips), recording, read, skipped)


def distance(
    set_a: Path,
    set_b: Path,
    run: Run,
    seed: int = 0,
    subsets: int = 30,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Measure how far two sets of recordings are apart.

    Clips of the length that the network hears, of the mid signals, become points: what its layer
    `embedding` makes of them. The Fréchet distance is that of the two Gaussians with the points'
    means and covariances, and adds up differences of the mean and of the variety. Recordings are
    read in blocks; 4 bytes per clip and dimension are kept, because subsets are drawn of them.

    The distance of finite sets is too large, the more the fewer clips there are: compare distances
    of sets of the same size alone, or those without this bias. A distance means something beside
    that of the sets' own halves.

    Args:
      set_a: a folder of recordings, at any depth, or a file.
      set_b: the other one.
      run: of the classifier; distances of different networks do not compare.
      seed: of the subsets and halves.
      subsets: how many the unbiased distance is told from, at least 1.
      progress: hears the recordings done, then the subsets.

    Returns:
      The JSON object of the command. Points have no unit, and a distance is a square.

      frechet_distance: of all clips.
      frechet_distance_unbiased: what it would be for infinitely many, see `frechet.unbiased`. Where
        there is no difference it may be below 0.
      within_a, within_b: the mean distance of ten random halves of each set: what sets of the same
        music are apart, with half of the clips and so with a larger bias. Halves are of whole
        recordings, because the clips of one are alike, or of clips where there is only one. None
        where a half has fewer than 2 clips.
      clips_a, clips_b, recordings_a, recordings_b: how many there are.
      dimensions: of the layer.
      seed, subsets: as given.
      skipped: rows of path and reason: recordings that cannot be read.
      notes: list of sentences.
      assessment: list of sentences that say the same to people, see `interpretation.interpret`.

    Raises:
      AudioError: if a set has no recording, or fewer than 4 clips.
      ModelError: if the network's layer is too large.

    Source: Heusel et al., "GANs trained by a two time-scale update rule" (the distance); Kilgour et
    al., "Fréchet Audio Distance" (of recordings).
    """
    embedder = Embedder(run)
    both = [embedder.read_set(path, progress) for path in (set_a, set_b)]
    for path, found in zip((set_a, set_b), both, strict=True):
        if len(found.clips) < _LEAST_CLIPS:
            raise AudioError(
                f"'{path}' has {len(found.clips)} clips of "
                f"{run.clip_samples / run.sample_rate:g} s; a set needs {_LEAST_CLIPS} or more"
            )
    first, second = both
    rng = np.random.default_rng(seed)
    result = {
        "frechet_distance": frechet.between(first.clips, second.clips),
        "frechet_distance_unbiased": frechet.unbiased(
            first.clips, second.clips, subsets, rng, progress
        ),
        "within_a": within(first, rng),
        "within_b": within(second, rng),
        "clips_a": len(first.clips),
        "clips_b": len(second.clips),
        "recordings_a": len(first.paths),
        "recordings_b": len(second.paths),
        "dimensions": embedder.dimensions,
        "seed": seed,
        "subsets": subsets,
        "skipped": [*first.skipped, *second.skipped],
    }
    told = [sentence.text for sentence in interpret(result)]
    return {**result, "notes": list(_notes(first, second)), "assessment": told}


def within(found: Embedded, rng: np.random.Generator) -> float | None:
    """The mean distance of random halves of a set; see `distance`."""
    distance_to = [
        frechet.between(found.clips[half], found.clips[~half])
        for half in _halves(found, rng)
        if min(np.count_nonzero(half), np.count_nonzero(~half)) >= frechet.LEAST_ROWS
    ]
    return float(np.mean(distance_to)) if distance_to else None


def _halves(found: Embedded, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Which clips are in the first half, bool `[clips]`; one of several recordings is not split."""
    units = found.recording if len(found.paths) > 1 else np.arange(len(found.clips))
    sizes = np.bincount(units)
    for _ in range(_HALVINGS):
        order = rng.permutation(len(sizes))
        middles = np.cumsum(sizes[order]) - sizes[order] / 2
        yield np.isin(units, order[middles < len(units) / 2])


def _notes(first: Embedded, second: Embedded) -> Iterator[str]:
    for name, found in (("A", first), ("B", second)):
        clips, dimensions = found.clips.shape
        if clips <= dimensions:
            yield (
                f"set {name} has {clips} clips, not more than the {dimensions} dimensions: "
                "frechet_distance is too large, and frechet_distance_unbiased, too, but less"
            )
        if len(found.paths) == 1:
            yield f"set {name} is one recording: its halves are of the same piece"
    shared = {path.resolve() for path in first.paths} & {path.resolve() for path in second.paths}
    if shared:
        yield f"{len(shared)} recordings are in both sets, which brings them nearer to each other"
