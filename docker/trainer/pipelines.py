"""``tf.data`` without its autotuning, whose end may have to be waited for."""

import functools
from typing import Any

import tensorflow as tf
from tensorflow.python.data.ops.dataset_ops import DatasetV2


def end_at_once() -> None:
    """Have each iteration over a data set begin with autotuning off, where the script says nothing.

    Keras makes an iterator for each epoch and each validation, and TensorFlow waits in its
    destructor for the autotuner's thread. A trial was seen to stand still there (2.21, one stack);
    how often that happens was not measured. What the pipelines give is the same.
    """
    original = DatasetV2.__iter__

    @functools.wraps(original)
    def iterate(dataset: Any) -> Any:
        if dataset.options().autotune.enabled is None:
            options = tf.data.Options()
            options.autotune.enabled = False
            dataset = dataset.with_options(options)
        return original(dataset)

    DatasetV2.__iter__ = iterate
