"""Weights: changed bytes, mostly in the descriptions of groups and arrays."""

import pytest
from fuzzing import edits, fuzz, mutate
from hypothesis import strategies as st

from tfdream.errors import ModelError
from tfdream.runs import Run
from tfdream.training.classification import build_classifier


@pytest.fixture
def stored(run, tmp_path):
    """A run with initial weights and a state to resume from, and its two models."""
    copy = Run(tmp_path / "run", run.config, run.info)
    copy.create()
    model = copy.build_model()
    copy.save_weights(model)
    trained = build_classifier(copy.build_model(), copy.config.training, 1)
    trained.build_optimizers()
    copy.save_resume_state(trained, [{"epoch": 1, "loss": 0.5}])
    return copy, model, trained


# The descriptions take the first bytes, and those in front of each array.
descriptions = st.lists(
    st.tuples(st.integers(0, 20_000), st.just("set"), st.binary(min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
)


@pytest.mark.fuzz
def test_changed_weights_are_loaded_or_reported(stored):
    run, model, _ = stored
    valid = run.weights_path.read_bytes()

    def hdf5_weights(changes):
        run.weights_path.write_bytes(mutate(valid, changes))
        try:
            run.load_weights(model)
        except ModelError as error:
            assert "model.weights.h5" in str(error)
            assert "\n" not in str(error)

    fuzz(hdf5_weights, st.one_of(edits, descriptions))


@pytest.mark.fuzz
def test_a_changed_resume_state_is_loaded_or_reported(stored):
    run, _, trained = stored
    valid = run.resume_path.read_bytes()

    def hdf5_resume_state(changes):
        run.resume_path.write_bytes(mutate(valid, changes))
        try:
            run.load_resume_state(trained)
        except ModelError as error:
            assert "resume.weights.h5" in str(error)

    fuzz(hdf5_resume_state, st.one_of(edits, descriptions))
