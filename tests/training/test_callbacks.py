"""Callbacks of every task."""

import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfdream.config import SupervisedTrainingConfig
from tfdream.errors import ModelError
from tfdream.runs import Run
from tfdream.training import callbacks


def preview_epochs(every, last, first_epoch=0, stopped_in=None):
    """Run `PreviewCallback` over some epochs; return the epochs of its previews."""
    shown = []
    callback = callbacks.PreviewCallback(lambda model, epoch: shown.append(epoch), every, last)
    model = SimpleNamespace(stop_training=False)
    callback.set_model(model)
    for epoch in range(first_epoch, last):
        callback.on_epoch_begin(epoch)
        model.stop_training = epoch == stopped_in
        callback.on_epoch_end(epoch)
        if model.stop_training:
            break
    return shown


def test_previews_are_shown_before_training_every_few_epochs_and_at_the_end():
    assert preview_epochs(every=3, last=7) == [0, 3, 6, 7]
    assert preview_epochs(every=3, last=6) == [0, 3, 6]


def test_a_model_whose_training_ends_early_has_a_preview():
    assert preview_epochs(every=3, last=7, stopped_in=4) == [0, 3, 5]


def test_a_continued_run_has_no_preview_of_the_untrained_model():
    assert preview_epochs(every=3, last=7, first_epoch=4) == [6, 7]


def test_previews_receive_the_model_in_training():
    shown = []
    callback = callbacks.PreviewCallback(lambda *arguments: shown.append(arguments), 1, 2)
    callback.set_model("the model")
    callback.on_epoch_begin(0)
    assert shown == [("the model", 0)]


def test_masks_of_dropout_differ_between_epochs_layers_and_workers(run):
    """Keras adds 1 to the second number of a state for every draw."""
    network = keras.Sequential([keras.Input((2,)), *(keras.layers.Dropout(0.5) for _ in range(2))])
    states = [each for each in network.variables if each.name == "seed_generator_state"]
    config = SupervisedTrainingConfig(seed=3)
    starts = []
    for worker in (0, 1):
        checkpoint = callbacks.RunCheckpoint(run, network, config, [], worker)
        checkpoint.set_model(network)
        for epoch in (0, 1, 1):
            checkpoint.on_epoch_begin(epoch)
            starts.append([tuple(state.numpy()) for state in states])
            network(np.ones((1, 2)), training=True)
    assert starts[1] == starts[2]  # a continued training repeats the masks of an epoch
    first = {numbers[0] for epoch in (*starts[:2], *starts[3:5]) for numbers in epoch}
    assert len(first) == 8
    assert {numbers[1] for epoch in starts for numbers in epoch} == {0}


TWO_DEVICES = """
import keras
import tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfdream.config import SupervisedTrainingConfig
from tfdream.training.callbacks import RunCheckpoint
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = keras.Sequential([keras.Input((1000,)), keras.layers.Dropout(0.5)])
checkpoint = RunCheckpoint(None, model, SupervisedTrainingConfig(), [])
checkpoint.set_model(model)
checkpoint.on_epoch_begin(0)
masks = strategy.run(tf.function(lambda: model(tf.ones((1, 1000)), training=True)))
one, two = strategy.experimental_local_results(masks)
equal = float(tf.reduce_mean(tf.cast(one == two, tf.float32)))
assert 0.4 < equal < 0.6, equal
"""


@pytest.mark.slow
def test_masks_of_dropout_differ_between_devices():
    subprocess.run([sys.executable, "-c", TWO_DEVICES], check=True)


def test_the_best_epoch_is_that_of_the_lowest_validation_loss():
    rows = [{"epoch": epoch, "val_loss": loss} for epoch, loss in enumerate([3, 1, 2, 2], 1)]
    assert callbacks.best_epoch(rows) == 2
    assert [callbacks.out_of_patience(rows, epochs) for epochs in (1, 2, 3, None)] == [
        *(True, True, False, False)
    ]
    assert not callbacks.out_of_patience([], 1)
    assert callbacks.best_epoch([{"epoch": 1, "loss": 0}, {"epoch": 2, "loss": 1}]) == 2


def test_the_throughput_is_the_median_without_the_first_epoch():
    rows = [
        {"examples_per_second": rate, "data_wait_fraction": rate / 100, "seconds": 2.0}
        for rate in (1, 10, 20, 60)
    ]
    expected = {"examples_per_second": 20, "data_wait_fraction": 0.2, "seconds": 8.0}
    assert callbacks.throughput(rows) == pytest.approx(expected)
    assert callbacks.throughput(rows[:1])["examples_per_second"] == 1


@pytest.mark.parametrize(
    ("logs", "weight", "message"),
    [
        ({"loss": 0.5, "val_loss": float("inf")}, 0.0, "the val loss is inf after epoch 1; lower"),
        ({"loss": float("nan"), "val_loss": 1.0}, 0.0, "the loss is nan after epoch 1"),
        ({"loss": 0.5}, float("nan"), "a weight is not finite after epoch 1"),
    ],
)
def test_the_value_that_is_not_finite_is_named(logs, weight, message):
    network = SimpleNamespace(get_weights=lambda: [np.array(weight)])
    history = callbacks.EpochHistory(network, SupervisedTrainingConfig(), [])
    with pytest.raises(ModelError, match=message):
        history.on_epoch_end(0, logs)


def test_the_curves_of_tensorboard_begin_with_epoch_1(trained):
    events = EventAccumulator(str(trained[0] / "tensorboard" / "train")).Reload()
    assert [each.step for each in events.Tensors("epoch_loss")] == [1, 2]


def test_tensorboard_shows_the_configuration(trained, tmp_path):
    shared = Run.open(trained[0])
    run = Run(tmp_path / "run", shared.config, shared.info)
    run.create()
    callbacks.LogConfig(run).on_train_begin()
    events = EventAccumulator(str(run.events_path / "train")).Reload()
    text = events.Tensors("configuration")[0].tensor_proto.string_val[0].decode()
    assert "    model:\n      name: lil_data\n" in text
