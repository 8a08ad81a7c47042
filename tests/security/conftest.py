"""A run folder that was not trained, whose files the tests replace by hostile ones."""

import pytest

from tfdream.runs import Run, RunInfo


@pytest.fixture
def attacked(experiment, tmp_path):
    """A complete classifier's run with initial weights."""
    info = RunInfo(
        labels=["noise", "tones"],
        dataset="dataset",
        dataset_fingerprint="",
        test_fold=0,
        validation_fold=None,
        training_folds=[1, 2],
        versions={},
    )
    run = Run(tmp_path / "run", experiment, info)
    run.create()
    run.save_weights(run.build_model())
    return run
