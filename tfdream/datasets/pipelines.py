"""How `tf.data` pipelines are built: parallel, without AutoGraph and without tuning."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import tensorflow as tf

INTERLEAVED_SHARDS = 16
"""Number of shards read in turns in training; neighbors in a shard come from the same track."""
PREFETCHED_BATCHES = 2
"""TensorFlow's own choice of this number may take gigabytes."""
PARALLEL = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
"""Arguments of `tf.data.Dataset.map`: parallel, with results in order; see `untuned`."""
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def without_autograph(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Make a function build its graphs without AutoGraph.

    Converting its source and that of all functions it calls takes twice as long as building a
    pipeline, whose Python control flow does not depend on tensors.
    """
    plain: Callable[_Arguments, _Result] = tf.autograph.experimental.do_not_convert(function)
    return plain


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Use as many parallel calls as there are processors, up to 16, instead of tuning their number.

    Closing an iterator waits for the thread that tunes it, which may sleep for a third of the time
    that the iterator has been used, up to a minute.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def pipeline(build: Callable[_Arguments, tf.data.Dataset]) -> Callable[_Arguments, tf.data.Dataset]:
    """Make a function build a complete pipeline: `without_autograph` and `untuned`."""
    plain = without_autograph(build)

    @functools.wraps(build)
    def untuned_pipeline(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> tf.data.Dataset:
        return untuned(plain(*args, **kwargs))

    return untuned_pipeline
