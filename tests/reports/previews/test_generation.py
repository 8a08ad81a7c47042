"""Events of the preview of a sequence model in training."""

import numpy as np
import tensorflow as tf


def test_continuations_are_written_before_training_and_at_the_end(
    generation_run, read_events, names_of_kind
):
    events = read_events(generation_run.events_path / "generated")
    assert names_of_kind(events, "audio") == {"original", "generated"}
    assert names_of_kind(events, "images") == {"original and generated"}
    images = events.Tensors("original and generated")
    assert [event.step for event in images] == [0, 2]
    width, height, *encoded = tf.make_ndarray(images[-1].tensor_proto)
    bands, frames, _ = generation_run.frontend.shape(generation_run.input_samples)
    assert (int(width), int(height)) == (2 * frames, bands)  # the clip and the generated frames
    assert len(encoded) == generation_run.config.training.preview_clips
    image = tf.io.decode_image(encoded[0]).numpy()
    clip, generated = image[:, :frames], image[:, frames:]
    assert np.array_equal(clip[:, 0], generated[:, 0])  # the same first frame
    assert not np.array_equal(clip, generated)
