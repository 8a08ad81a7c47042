import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import f1_score

from tfdream.training.metrics import Confusion


def test_the_macro_f1_over_batches_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 4, (2, 60))
    predicted[truth == 3] = 0  # an undefined precision counts as 0
    predicted[predicted == 3] = 1
    metric = Confusion(4)
    for part in np.split(np.arange(60), 6):
        metric.update_state(tf.one_hot(truth[part], 4), tf.one_hot(predicted[part], 4))
    expected = f1_score(truth, predicted, average="macro", zero_division=0)
    assert float(metric.result()["macro_f1"]) == pytest.approx(expected)
    assert metric.matrix().sum() == 60


def test_the_macro_f1_omits_labels_that_do_not_occur():
    truth, predicted = [0, 0, 1, 1, 3], [0, 1, 1, 1, 0]
    metric = Confusion(6)
    metric.update_state(tf.one_hot(truth, 6), tf.one_hot(predicted, 6))
    expected = f1_score(truth, predicted, average="macro", zero_division=0)
    assert float(metric.result()["macro_f1"]) == pytest.approx(expected)


def test_the_macro_f1_without_clips_is_zero():
    assert float(Confusion(3).result()["macro_f1"]) == 0
