import json

import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import GenerateConfig, GenerationExperiment, load
from tfdream.export import export
from tfdream.runs import GenerationRun
from tfdream.synthesis.generate import FrameGenerator

CODES = "model={name: product_codes, options: {numbers: 2, entries: 4, width: 8, units: 6}}"


@pytest.fixture(scope="module")
def stochastic_run(generation_path, generation_run, tmp_path_factory):
    """A model with initial weights that samples at random."""
    config = load(str(generation_path), GenerationExperiment, [CODES])
    run = GenerationRun(tmp_path_factory.mktemp("codes") / "run", config, generation_run.info)
    run.create()
    model = run.build_sequence_model()
    frames = np.random.default_rng(0).uniform(0, 1, (4, 20, model.bands))
    model.adapt(frames, reference_db=-6.0, seed=0)
    run.save_weights(model)
    return run


@pytest.fixture(scope="module", params=["lstm", "product_codes"])
def exported(request, generation_run, tmp_path_factory):
    run = generation_run
    if request.param == "product_codes":
        run = request.getfixturevalue("stochastic_run")
    folder = tmp_path_factory.mktemp("exported") / "model"
    result = export(run, folder)
    assert (result["format"], result["labels"]) == ("SavedModel", run.labels)
    assert 0 <= result["max_abs_difference"] < 1e-5
    return run, tf.saved_model.load(str(folder))


def arguments(run, seed, count, temperature=None):
    return {
        "seed": tf.constant(seed, tf.int64),
        "count": tf.constant(count),
        "temperature": tf.constant(
            run.sequence_model.temperature if temperature is None else temperature, tf.float32
        ),
    }


@pytest.mark.parametrize("seed", [0, 1, 65535])
def test_the_frames_are_those_of_the_run(exported, seed):
    run, loaded = exported
    frames = loaded.signatures["serving_default"](**arguments(run, seed, 12))["frames"]
    expected = FrameGenerator(run, GenerateConfig(seed=seed)).frames(12)
    # float32, rounded by another graph.
    np.testing.assert_allclose(frames[0], expected, atol=1e-5)


def test_frames_are_continued(exported):
    run, loaded = exported
    model, start = run.sequence_model, run.sequence_model.initial_frames.numpy()[np.newaxis, :5]
    given = arguments(run, 3, 4)
    for length in (1, 5):
        prompt = tf.constant(start[:, :length])
        frames = loaded.signatures["continue_frames"](frames=prompt, **given)["frames"]
        state = model.compiled_encode_prompt(prompt)
        expected, _ = model.compiled_generate_frames(
            state, tf.constant(0), given["count"], given["temperature"], given["seed"]
        )
        assert frames.shape == (1, 4, model.bands)
        np.testing.assert_allclose(frames, expected, atol=1e-5)


def test_the_temperature_is_an_input(stochastic_run, exported):
    run, loaded = exported
    if run is not stochastic_run:
        return
    generate = loaded.signatures["serving_default"]
    cold, same = (generate(**arguments(run, 1, 8, 0.0))["frames"] for _ in range(2))
    hot = generate(**arguments(run, 1, 8, 100.0))["frames"]
    np.testing.assert_array_equal(cold, same)
    assert np.abs(cold - hot).max() > 0.01


def test_large_seeds_generate(exported):
    run, loaded = exported
    frames = loaded.signatures["serving_default"](**arguments(run, 2**62, 3))["frames"]
    assert np.isfinite(frames).all()


def test_the_description_suffices_to_render_frames(exported):
    run, loaded = exported
    described = loaded.signatures["describe"]()
    assert described["bands"] == run.sequence_model.bands
    assert (described["n_fft"], described["hop_samples"]) == (256, 128)
    assert described["sample_rate"] == 8000
    assert described["top_db"] == run.config.frontend.top_db
    assert described["reference_db"] == run.sequence_model.reference_db
    assert json.loads(described["frontend"].numpy())["kind"] == "amplitude"
