"""What happens around each epoch, whatever is trained."""

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfdream.runs import Run
from tfdream.training import callbacks


def test_somebody_looks_before_training_now_and_then_and_at_the_end():
    seen = []
    watching = callbacks.PreviewCallback(seen.append, every=3, last=7)
    for epoch in range(7):
        watching.on_epoch_begin(epoch)
        watching.on_epoch_end(epoch)
    assert seen == [0, 3, 6, 7]


def test_a_run_that_goes_on_is_not_looked_at_as_untrained():
    seen = []
    callbacks.PreviewCallback(seen.append, every=3, last=7).on_epoch_begin(4)
    assert seen == []


def test_the_configuration_is_read_in_tensorboard(trained, tmp_path):
    known = Run.open(trained[0])
    run = Run(tmp_path / "run", known.config, known.info)
    run.create()
    callbacks.LogConfig(run).on_train_begin()
    events = EventAccumulator(str(run.events_path / "train")).Reload()
    text = events.Tensors("configuration")[0].tensor_proto.string_val[0].decode()
    assert "    model:\n      name: lil_data\n" in text
