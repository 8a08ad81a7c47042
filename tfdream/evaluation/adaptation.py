"""Adaptation of a classifier to unlabeled recordings of another kind."""

import itertools
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from tfdream.errors import ModelError
from tfdream.evaluation.measures.levels import FloatArray
from tfdream.models.normalization_statistics import NormalizationStatistics
from tfdream.runs import Run

MOST_CLIPS = 256
"""Statistics are computed over so many clips at most; more hardly change them."""
_PRIOR_CLIPS = 16
"""Weight of the statistics of training, in clips."""
_BATCH_SIZE = 16


def adapted(run: Run, inputs: FloatArray) -> Run:
    """Return a run whose batch normalization has the statistics of other inputs.

    Microphone, room, noise and speaker change mean and variance of the activations; the statistics
    of training do not fit them then. Those of the inputs replace them, with a share of n / (n + 16)
    for n inputs. The inputs should have the labels of the training data in similar shares: if they
    all have one label, what distinguishes it is normalized away.

    Args:
      run: run of a classifier; it is not changed.
      inputs: the network's inputs float32 `[clips, …]`.

    Raises:
      ModelError: if the network has no batch normalization.

    Source: Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation" (AdaBN); the
    weights are those of Schneider et al., "Improving robustness against common corruptions by
    covariate shift adaptation", section 2.
    """
    copy = Run(run.folder, run.config, run.info)
    statistics = NormalizationStatistics(copy.model)
    if not statistics.layers:
        raise ModelError(
            f"the network of '{run.folder}' has no batch normalization to adapt; omit --adapt"
        )
    batches = tf.data.Dataset.from_tensor_slices(inputs).batch(_BATCH_SIZE)
    statistics.update(batches, len(inputs) / (len(inputs) + _PRIOR_CLIPS))
    return copy


def random_choice(clips: Iterable[FloatArray], count: int = MOST_CLIPS) -> list[FloatArray]:
    """Choose so many elements at random, each with the same probability (reservoir sampling).

    >>> chosen = random_choice(map(np.float32, range(100)), 3)
    >>> len(chosen), all(0 <= clip < 100 for clip in chosen)
    (3, True)
    """
    generator = np.random.default_rng(0)
    stream = iter(clips)
    chosen = list(itertools.islice(stream, count))
    for number, clip in enumerate(stream, len(chosen) + 1):
        place = int(generator.integers(number))
        if place < count:
            chosen[place] = clip
    return chosen
