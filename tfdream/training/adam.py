"""Adam as one operation for each weight."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tfdream")
class Adam(keras.optimizers.Adam):
    """Keras' Adam with TensorFlow's operation, which visits every weight once.

    Keras composes the update of a weight of a dozen operations, each of which passes over it and
    its moments. The results are equal up to float32 rounding. AMSGrad and sparse gradients are not
    supported.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", section 2, with the order
    of computation at its end.
    """

    def update_step(self, gradient: tf.Tensor, variable: Any, learning_rate: Any) -> None:
        """Update a weight and its moments, in place."""
        index = self._get_variable_index(variable)
        weight, momentum, velocity = (
            each.value if isinstance(each, keras.Variable) else each
            for each in (variable, self._momentums[index], self._velocities[index])
        )
        step = tf.cast(self.iterations.value + 1, weight.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=momentum.handle,
            v=velocity.handle,
            beta1_power=tf.cast(self.beta_1, weight.dtype) ** step,
            beta2_power=tf.cast(self.beta_2, weight.dtype) ** step,
            lr=tf.cast(learning_rate, weight.dtype),
            beta1=tf.cast(self.beta_1, weight.dtype),
            beta2=tf.cast(self.beta_2, weight.dtype),
            epsilon=tf.cast(self.epsilon, weight.dtype),
            grad=tf.cast(gradient, weight.dtype),
        )
