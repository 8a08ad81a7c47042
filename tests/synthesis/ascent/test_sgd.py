"""Plain gradient steps: the gradient times the learning rate."""

import numpy as np
import tensorflow as tf

from tfdream.config import OptimizerConfig
from tfdream.synthesis.ascent.ascend import Problem, maximize


def after(steps):
    """Values after steps from 0 toward the maximum of −(x − 3)², at a rate of 0.1."""

    def parabola(values):
        return -tf.reduce_sum((values - 3) ** 2, axis=1), -2 * (values - 3)

    config = OptimizerConfig(kind="sgd", steps=steps, step_size=0.1)
    return maximize(Problem(parabola, config), tf.zeros((2, 4)))


def test_a_step_of_sgd_is_the_gradient_times_the_rate():
    np.testing.assert_allclose(after(steps=1), np.full((2, 4), 0.1 * 6), rtol=1e-6)


def test_steps_of_sgd_approach_the_maximum_geometrically():
    np.testing.assert_allclose(after(steps=10), np.full((2, 4), 3 * (1 - 0.8**10)), rtol=1e-5)
