"""Exported classifiers and translations: functions of waveforms, with constant weights."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.config import TranslateConfig, load
from tfdream.export.base import Exported, Outputs, Signature
from tfdream.runs import Run, TranslationRun
from tfdream.synthesis.translate import Translator

_EXAMPLES = 4
_LARGEST_SAMPLE = 1e15  # the power of a spectrum of larger ones may exceed float32

WaveformFunction = Callable[[tf.Tensor], Outputs]


class ExportedClassifier(Exported):
    """A classifier with its frontend and labels: waveforms to probabilities."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        model = run.model
        self.frontend = run.frontend
        self._network = with_constant_weights(
            keras.Model(
                model.input,
                {"probabilities": model.output, "embedding": model.get_layer("embedding").output},
            )
        )

    def signatures(self) -> dict[str, Signature]:
        """Return ``serving_default``, which computes probabilities and embedding."""

        def classify(waveform: tf.Tensor) -> Outputs:
            return dict(self._network(self.frontend(waveform)))

        return {"serving_default": _of_waveforms(classify, self.input_samples)}


class ExportedTranslation(Exported):
    """A translation with its frontend: waveforms to waveforms, in both directions."""

    def __init__(self, run: TranslationRun) -> None:
        super().__init__(run)
        config = load("translate/recommended", TranslateConfig)
        self.translators = {
            direction: Translator(
                with_constant_weights(getattr(run.generators, direction)), run, config
            )
            for direction in ("forward", "backward")
        }

    def signatures(self) -> dict[str, Signature]:
        """Return ``serving_default``, to the second label, and ``backward``, to the first."""

        def translate_by(translator: Translator) -> WaveformFunction:
            def translate(waveform: tf.Tensor) -> Outputs:
                return {"waveform": translator.translate(waveform[..., tf.newaxis])[..., 0]}

            return translate

        functions = {
            "serving_default": translate_by(self.translators["forward"]),
            "backward": translate_by(self.translators["backward"]),
        }
        return {
            name: _of_waveforms(function, self.input_samples)
            for name, function in functions.items()
        }


def with_constant_weights(model: keras.Model) -> Callable[..., Any]:
    """Return a model as a function whose weights are constants of the graph that calls it."""
    trainable = [variable.numpy() for variable in model.trainable_variables]
    others = [variable.numpy() for variable in model.non_trainable_variables]

    def call(inputs: tf.Tensor, training: bool = False) -> Any:
        outputs, _ = model.stateless_call(trainable, others, inputs, training=training)
        return outputs

    return call


def _of_waveforms(function: WaveformFunction, samples: int) -> Signature:
    """Return the signature of a function of waveforms float32 `[batch, samples]`.

    The examples are noise at different levels, and silence.
    """
    rng = np.random.default_rng(0)
    levels = np.logspace(0, -3, _EXAMPLES - 1)[:, None]
    noise = rng.uniform(-1, 1, (_EXAMPLES - 1, samples)) * levels
    waveform = tf.constant(np.concatenate([noise, np.zeros((1, samples))]), tf.float32)
    spec = tf.TensorSpec([None, samples], tf.float32, name="waveform")
    return Signature(_reject_nan(function), [spec], [{"waveform": waveform}])


def _reject_nan(function: WaveformFunction) -> WaveformFunction:
    """Return NaN for clips with NaN, infinite or huge samples, which maxima in a network hide."""

    def checked(waveform: tf.Tensor) -> Outputs:
        # A comparison, because TensorFlow Lite has no `is_finite`; NaN compares as False.
        is_usable = tf.reduce_all(tf.abs(waveform) <= _LARGEST_SAMPLE, axis=1, keepdims=True)
        return {
            name: tf.where(is_usable, output, tf.constant(np.nan, output.dtype))
            for name, output in function(waveform).items()
        }

    return checked
