import pytest


@pytest.fixture(scope="session")
def held_out(dataset):
    """The validation clips of each label."""
    from tfdream.datasets import manifest
    from tfdream.datasets.clip_set import ClipSet

    loaded = manifest.load(dataset)
    return tuple(ClipSet.from_folds(loaded, [0], label) for label in loaded.labels)


@pytest.fixture(scope="session")
def read_events():
    """A function that reads the TensorBoard events of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return lambda folder: EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


@pytest.fixture(scope="session")
def names_of_kind():
    """A function that returns the names of the summaries that one of TensorBoard's tabs shows."""

    def names(events, plugin):
        return {
            name
            for name in events.Tags()["tensors"]
            if events.SummaryMetadata(name).plugin_data.plugin_name == plugin
        }

    return names
