"""Fréchet and kernel distance of two sets of audio files, in the embedding of a classifier."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.errors import AudioError, ModelError
from tfdream.evaluation.interpretation import interpret
from tfdream.evaluation.measures import frechet, kernel
from tfdream.evaluation.measures.levels import FloatArray
from tfdream.evaluation.prediction import clip_batches
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models import inspect
from tfdream.runs import Run
from tfdream.signal.graphs import compiled
from tfdream.synthesis.rendering.batch import recordings

LAYER = "embedding"

# A covariance of 4096 dimensions takes 0.1 GB; a flattened image has up to 400 000 dimensions.
_MAX_DIMENSIONS = 4096
_HALVINGS = 10
_BATCH_SIZE = 16
# A subset contains half of a set, and needs a covariance.
_MIN_CLIPS = 2 * frechet.MIN_ROWS


class Embedded(NamedTuple):
    """The embeddings of a set of audio files.

    Attributes:
      clips: float32 `[clips, dimensions]`.
      file_index: the index in `paths` of each clip's file, int `[clips]`.
      paths: the files.
      skipped: rows of path and reason.
    """

    clips: FloatArray
    file_index: NDArray[np.integer[Any]]
    paths: list[Path]
    skipped: list[dict[str, str]]


class Embedder:
    """Computes the embedding of clips: the output of a classifier's layer `embedding`.

    Args:
      run: run of the classifier.

    Raises:
      ModelError: if the layer is too large for a covariance.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        network, frontend = inspect.tap(run.model, [LAYER]), run.frontend
        self.dimensions = int(np.prod(run.model.get_layer(LAYER).output.shape[1:]))
        if self.dimensions > _MAX_DIMENSIONS:
            raise ModelError(
                f"the layer '{LAYER}' of the run '{run.folder}' has {self.dimensions} dimensions, "
                f"more than {_MAX_DIMENSIONS}; use a run of another network, such as recommended"
            )

        @compiled
        def embed(waveform: tf.Tensor) -> tf.Tensor:
            activations = network(frontend(waveform), training=False)[LAYER]
            return tf.reshape(activations, [-1, self.dimensions])

        self._embed = embed

    def embed(self, clips: FloatArray) -> FloatArray:
        """Return the embeddings float32 `[clips, dimensions]` of clips float32 `[clips, samples]`.

        The clips are at the sample rate of the run.
        """
        batches = np.split(clips, range(_BATCH_SIZE, len(clips), _BATCH_SIZE))
        return np.concatenate([self._embed(tf.constant(batch)).numpy() for batch in batches])

    def read(self, path: str | Path) -> FloatArray:
        """Return the embeddings of a file's clips, float32 `[clips, dimensions]`.

        A shorter last clip is left out, unless it is the only one.
        """
        embeddings: list[FloatArray] = []
        with audio.Reader(Path(path)) as reader:
            for clips, filled in clip_batches(reader.mid(self.run.sample_rate), self.run):
                whole = filled == self.run.input_samples
                if not embeddings:
                    whole[0] = True
                embeddings.append(self.embed(clips)[whole])
        if not embeddings:
            raise AudioError(
                f"'{path}' is shorter than a sample at {self.run.sample_rate} Hz; remove it"
            )
        return np.concatenate(embeddings)

    def read_set(self, path: str | Path, progress: ProgressFn) -> Embedded:
        """Return the embeddings of all audio files in a folder, or of one file.

        Raises:
          AudioError: if no file can be read.
        """
        clips: list[FloatArray] = []
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
        file_index = np.repeat(np.arange(len(read)), [len(each) for each in clips])
        return Embedded(np.concatenate(clips), file_index, read, skipped)


def distance(
    set_a: str | Path,
    set_b: str | Path,
    run: Run,
    seed: int = 0,
    subsets: int = 30,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Compute the Fréchet and the kernel distance of two sets of audio files.

    The mid signals are cut into clips, and the classifier's layer `embedding` maps each clip to a
    point. The Fréchet distance is that of the two Gaussians with the points' means and covariances;
    it adds the differences of the mean and of the variation. The kernel distance compares the
    distributions without an assumption about them. Files are read in blocks; the points stay in
    memory with 4 bytes per dimension, because subsets are drawn from them.

    The Fréchet distance of finite sets is too large, the more the fewer clips there are: compare
    only distances of sets of equal size, or the bias-corrected ones. The kernel distance has no
    bias. A distance is meaningful in comparison with that of the sets' own halves.

    Args:
      set_a: a folder of audio files, searched recursively, or a file.
      set_b: the other folder or file.
      run: run of the classifier; distances of different networks are not comparable.
      seed: random seed of the subsets and halves.
      subsets: number of random subsets for the bias correction, at least 1.
      progress: receives the finished files, then the finished subsets, halves and blocks of pairs.

    Returns:
      The JSON object of the command. Distances are squares of quantities without a unit.

      frechet_distance: distance of all clips.
      frechet_distance_unbiased: estimate for infinitely many clips, see `frechet.unbiased`; it may
        be negative if the sets do not differ.
      within_a, within_b: the mean distance of ten random halves of each set: the distance of sets
        of the same music, with half of the clips and thus a larger bias. Halves consist of whole
        files, because clips of one file are similar, or of clips if there is only one file. None if
        a half has fewer than 2 clips.
      kernel_distance: see `kernel.between`; the bandwidth is that of `set_a`, the reference.
      kernel_within_a, kernel_within_b: as within_a and within_b, without the bias.
      clips_a, clips_b, recordings_a, recordings_b: number of clips and files.
      dimensions: size of the layer.
      seed, subsets: as given.
      skipped: rows of path and reason of unreadable files.
      notes: list of sentences.
      assessment: list of sentences that explain the values, see `interpretation.interpret`.

    Raises:
      AudioError: if a set has no audio file, or fewer than 4 clips.
      ModelError: if the layer is too large.

    Source: Heusel et al., "GANs trained by a two time-scale update rule" (the distance); Kilgour et
    al., "Fréchet Audio Distance" (for audio); Chung et al., "KAD: No more FAD!" (the kernel
    distance).
    """
    embedder = Embedder(run)
    both = [embedder.read_set(path, progress) for path in (set_a, set_b)]
    for path, embedded in zip((set_a, set_b), both, strict=True):
        if len(embedded.clips) < _MIN_CLIPS:
            skipped = [f"skipped: {each['reason']}" for each in embedded.skipped]
            few = (
                f"'{path}' has too few clips of {run.input_samples / run.sample_rate:g} s: "
                f"{len(embedded.clips)}, and a set needs {_MIN_CLIPS} or more"
            )
            raise AudioError("; ".join([few, *skipped]))
    first, second = both
    rng = np.random.default_rng(seed)
    width = kernel.bandwidth(first.clips)
    of_parts = functools.partial(frechet.of_parts, progress=progress)
    kernel_of_parts = functools.partial(kernel.of_parts, width=width, progress=progress)
    result = {
        "frechet_distance": frechet.between(first.clips, second.clips),
        "frechet_distance_unbiased": frechet.unbiased(
            first.clips, second.clips, subsets, rng, progress
        ),
        "within_a": within(first, rng, of_parts),
        "within_b": within(second, rng, of_parts),
        "kernel_distance": kernel.between(first.clips, second.clips, width, progress),
        "kernel_within_a": within(first, rng, kernel_of_parts),
        "kernel_within_b": within(second, rng, kernel_of_parts),
        "clips_a": len(first.clips),
        "clips_b": len(second.clips),
        "recordings_a": len(first.paths),
        "recordings_b": len(second.paths),
        "dimensions": embedder.dimensions,
        "seed": seed,
        "subsets": subsets,
        "skipped": [*first.skipped, *second.skipped],
    }
    assessment = [finding.text for finding in interpret(result)]
    return {**result, "notes": list(_notes(first, second)), "assessment": assessment}


def within(
    embedded: Embedded,
    rng: np.random.Generator,
    distances: Callable[[FloatArray, NDArray[np.bool_]], list[float]],
) -> float | None:
    """Return the mean distance of random halves of a set; see `distance`.

    Args:
      embedded: the set.
      rng: random generator of the halves.
      distances: computes the distance of each part of a set from its rest, such as
        `frechet.of_parts`.
    """
    halves = [
        half
        for half in _halves(embedded, rng)
        if min(np.count_nonzero(half), np.count_nonzero(~half)) >= frechet.MIN_ROWS
    ]
    return float(np.mean(distances(embedded.clips, np.array(halves)))) if halves else None


def _halves(embedded: Embedded, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Yield masks of the clips in the first half, bool `[clips]`; several files stay whole."""
    clip_numbers = np.arange(len(embedded.clips))
    units = embedded.file_index if len(embedded.paths) > 1 else clip_numbers
    sizes = np.bincount(units)
    for _ in range(_HALVINGS):
        order = rng.permutation(len(sizes))
        middles = np.cumsum(sizes[order]) - sizes[order] / 2
        yield np.isin(units, order[middles < len(units) / 2])


def _notes(first: Embedded, second: Embedded) -> Iterator[str]:
    for name, embedded in (("A", first), ("B", second)):
        clips, dimensions = embedded.clips.shape
        if clips <= dimensions:
            yield (
                f"set {name} has {clips} clips, not more than the {dimensions} dimensions: "
                "frechet_distance is too large, and frechet_distance_unbiased may be too large or "
                "negative; kernel_distance has no such bias"
            )
        if len(embedded.paths) == 1:
            yield f"set {name} is one file: its halves are from the same piece"
    shared = {path.resolve() for path in first.paths} & {path.resolve() for path in second.paths}
    if shared:
        files = "1 file is" if len(shared) == 1 else f"{len(shared)} files are"
        yield f"{files} in both sets, which reduces the distance"
