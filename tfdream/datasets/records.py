"""TFRecord files of clips: writing, reading and decoding of single records."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdream.config import PrepareConfig
from tfdream.errors import DatasetError
from tfdream.io.atomic import replacing

_FULL_SCALE = 32768.0
_FEATURES = {
    "audio": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "track": tf.io.FixedLenFeature([], tf.string),
}


def write(path: Path, clips: Iterable[tuple[str, int, bytes]]) -> None:
    """Write a TFRecord file completely or not at all.

    Args:
      path: the file.
      clips: track name, label index and encoded samples of each clip.

    Raises:
      DatasetError: if the disk is full.
    """
    with replacing(path) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for track, label, encoded in clips:
                    writer.write(_serialize(track, label, encoded))
        except tf.errors.OpError as error:
            raise DatasetError(
                f"shard '{path}' cannot be written ({error.message}); free some space and call "
                "again: finished shards are complete"
            ) from None


def record_reader(paths: Sequence[Path], counts: Sequence[int]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a function that reads one record by index.

    Args:
      paths: TFRecord files.
      counts: number of records in each.

    Returns:
      A graph function: index int64 `[]` over all files in order → serialized record string `[]`.
    """
    names = np.array([str(path) for path in paths])
    starts = np.cumsum([0, *counts])[:-1]

    def read(index: tf.Tensor) -> tf.Tensor:
        which = tf.searchsorted(starts, [index], side="right")[0] - 1
        # Without a buffer, only the lengths of the records before this one are read.
        file = tf.data.TFRecordDataset(tf.gather(names, which), buffer_size=0)
        return file.skip(index - tf.gather(starts, which)).take(1).get_single_element()

    return read


def parse_batch(serialized: tf.Tensor, config: PrepareConfig) -> dict[str, tf.Tensor]:
    """Decode records string `[batch]` in the graph; see `parse`."""
    features = tf.io.parse_example(serialized, _FEATURES)
    if config.codec == "pcm16":
        pcm = decode(features["audio"], config)
    else:
        pcm = tf.map_fn(
            lambda encoded: decode(encoded, config),
            features["audio"],
            fn_output_signature=tf.TensorSpec([config.clip_samples], tf.int16),
        )
    return _clip(pcm, features)


def parse(serialized: tf.Tensor, config: PrepareConfig) -> dict[str, tf.Tensor]:
    """Decode one record string `[]` in the graph.

    Returns:
      ``waveform`` float32 `[samples]` in [−1, 1), ``label`` int64 `[]` and ``track`` string `[]`.
    """
    features = tf.io.parse_single_example(serialized, _FEATURES)
    return _clip(decode(features["audio"], config), features)


def decode(encoded: tf.Tensor, config: PrepareConfig) -> tf.Tensor:
    """Decode a clip, string `[]` → int16 `[samples]`: the only use of tensorflow-io's library.

    Clips of pcm16 may also be decoded in batches, string `[batch]` → int16 `[batch, samples]`.
    """
    if config.codec == "pcm16":
        pcm = tf.io.decode_raw(encoded, tf.int16)
    else:
        import tensorflow_io as tfio

        pcm = tfio.audio.decode_flac(encoded, shape=[config.clip_samples, 1], dtype=tf.int16)[:, 0]
    return tf.ensure_shape(pcm, [*encoded.shape, config.clip_samples])


def _clip(pcm: tf.Tensor, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {
        "waveform": tf.cast(pcm, tf.float32) / _FULL_SCALE,
        "label": features["label"],
        "track": features["track"],
    }


def _serialize(track: str, label: int, encoded: bytes) -> bytes:
    features = {
        "audio": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "track": tf.train.Feature(bytes_list=tf.train.BytesList(value=[track.encode()])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return bytes(example.SerializeToString(deterministic=True))
