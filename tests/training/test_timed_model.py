import inspect
import time
from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.errors import ConfigError
from tfdream.training import timed_model
from tfdream.training.timed_model import PRIVATE_MEMBERS, TimedModel

CHECKED_KERAS = ("3.12.4", "3.15.1")
"""Versions of Keras in which the private members were checked."""

PARAMETERS = {
    "_get_metrics_result_or_logs": ["self", "logs"],
    "_maybe_symbolic_build": ["self", "iterator", "data_batch"],
    "_symbolic_build": ["self", "iterator", "data_batch"],
}


def build_model(bases=(keras.Model,), **members):
    """Build a compiled functional model of one layer, of a class with further members."""
    model_type = type("Probe", bases, members)
    inputs = keras.Input((3,))
    model = model_type(inputs, keras.layers.Dense(2)(inputs))
    model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
    return model


def make_batches(count=4):
    x = np.random.default_rng(0).uniform(size=(2 * count, 3)).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices((x, x[:, :2])).batch(2)


def test_the_norm_of_the_gradient_is_limited():
    """SGD with a rate of 1 subtracts the gradient."""
    weights = [keras.Variable([3.0]), keras.Variable([4.0, 0.0])]
    for limit, factor in ((None, 1.0), (10.0, 1.0), (0.5, 0.1)):
        model = build_model((TimedModel, keras.Model))
        model.optimizer = keras.optimizers.SGD(1.0)
        model.gradient_norm = limit
        for weight, value in zip(weights, ([3.0], [4.0, 0.0]), strict=True):
            weight.assign(value)
        model.minimize(
            lambda: (tf.add_n([tf.reduce_sum(each.value**2) / 2 for each in weights]), None),
            weights,
        )
        for weight, value in zip(weights, ([3.0], [4.0, 0.0]), strict=True):
            np.testing.assert_allclose(weight, (1 - factor) * np.array(value), atol=1e-6)


# The private members of Keras


def test_private_members_have_the_expected_signatures():
    """If this fails after an update of Keras, check the overrides in `TimedModel` against it."""
    reason = f"Keras {keras.__version__} differs from the checked versions {CHECKED_KERAS}"
    model = build_model()
    assert {"_distribute_strategy", *PARAMETERS} == set(PRIVATE_MEMBERS)
    for name in PRIVATE_MEMBERS:
        assert hasattr(model, name), f"{reason}: {name} is missing"
    for name, parameters in PARAMETERS.items():
        signature = inspect.signature(getattr(keras.Model, name))
        assert list(signature.parameters) == parameters, f"{reason}: {name}{signature}"


def test_models_store_the_strategy_in_whose_scope_they_are_built():
    assert build_model()._distribute_strategy is None
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        model = build_model()
    assert model._distribute_strategy is strategy is model.distribute_strategy


def test_symbolic_build_builds_metrics_and_loss_from_symbolic_tensors():
    model = build_model()
    with pytest.raises(ValueError, match="not yet been built"):
        model.get_metrics_result()
    model._symbolic_build(data_batch=(model.input, model.output))
    assert set(model.get_metrics_result()) == {"loss", "mae"}
    assert model.optimizer.built


def test_fit_calls_the_overridden_members_in_this_order():
    calls = []

    def record(name):
        def call(self, *arguments, **options):
            calls.append(name)
            return getattr(keras.Model, name)(self, *arguments, **options)

        return call

    names = (
        "_maybe_symbolic_build",
        "make_train_function",
        "_get_metrics_result_or_logs",
        "make_test_function",
    )
    model = build_model(**{name: record(name) for name in names})
    model.fit(make_batches(), validation_data=make_batches(2), shuffle=False, verbose=0)
    assert calls == [
        *("_maybe_symbolic_build", "make_train_function", "_get_metrics_result_or_logs"),
        *("_maybe_symbolic_build", "make_test_function", "_get_metrics_result_or_logs"),
    ]


def test_metrics_are_reported_by_name():
    model = build_model()
    model.fit(make_batches(), shuffle=False, verbose=0)
    logs = {"loss": tf.constant(0.0), "mae": tf.constant(0.0)}
    assert set(model._get_metrics_result_or_logs(logs)) == {"loss", "mae"}


# Timing


def test_batches_are_timed_outside_the_step_with_equal_results():
    results = []
    for bases in ((keras.Model,), (TimedModel, keras.Model)):
        keras.utils.set_random_seed(1)
        model = build_model(bases)
        history = model.fit(
            make_batches(), epochs=2, validation_data=make_batches(2), shuffle=False, verbose=0
        )
        results.append((history.history, model.get_weights()))
    assert model.data_wait_seconds > 0
    (expected, weights), (timed, same_weights) = results
    assert timed == expected
    for weight, same in zip(weights, same_weights, strict=True):
        assert np.array_equal(weight, same)


def test_the_wait_is_that_for_the_batches():
    def delayed():
        for batch in make_batches(3):
            time.sleep(0.05)
            yield batch

    spec = make_batches().element_spec
    batches = tf.data.Dataset.from_generator(delayed, output_signature=spec)
    model = build_model((TimedModel, keras.Model))
    model.fit(batches, steps_per_epoch=3, shuffle=False, verbose=0)
    assert model.data_wait_seconds > 0.1


# Precision and devices


def test_mixed_precision_ends_with_its_block():
    before = keras.config.dtype_policy()
    with timed_model.precision(mixed=True):
        assert keras.config.dtype_policy().name in ("mixed_bfloat16", "mixed_float16")
    assert keras.config.dtype_policy() is before
    with timed_model.precision(mixed=False):
        assert keras.config.dtype_policy() is before


def test_a_batch_that_devices_cannot_share_equally_is_refused():
    timed_model.check_batch_size(clips=6, devices=2)
    timed_model.check_batch_size(clips=7, devices=1)
    with pytest.raises(ConfigError, match=r"batch of 7 clips .* multiple of 2"):
        timed_model.check_batch_size(clips=7, devices=2)


def test_a_single_device_has_the_default_strategy():
    assert timed_model.strategy() is tf.distribute.get_strategy()


def test_a_single_gpu_is_mirrored_as_several_are(monkeypatch):
    """The CPU stands in for the GPU: the strategy trains on the devices that TensorFlow lists."""
    cpus = tf.config.list_logical_devices("CPU")
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: cpus if kind == "GPU" else []
    )
    strategy = timed_model.strategy()
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert strategy.num_replicas_in_sync == len(cpus) == 1

    def losses(scope):
        keras.utils.set_random_seed(0)
        batch = property(lambda model: (model.input, model.output))
        with scope:
            model = build_model((TimedModel, keras.Model), symbolic_batch=batch)
        return model.fit(make_batches(), shuffle=False, verbose=0).history["loss"]

    np.testing.assert_allclose(losses(strategy.scope()), losses(nullcontext()), rtol=1e-5)
