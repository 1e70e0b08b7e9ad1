"""Normalisations that are put into a trained network begin by undoing themselves.

Their scale and offset are what they take out, so that the network computes what it did, in training
as well (Chen, Goodfellow, Shlens, "Net2Net", ICLR 2016, section 2.3).
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

Array = np.ndarray[Any, Any]
MOST_IMAGES = 256
UNDONE = "new, begins by undoing itself."


def undo(
    model: keras.Model, layers: Sequence[keras.layers.BatchNormalization], images: Array | None
) -> bool:
    """Have normalisations of a built model begin as the identity; whether it could be done.

    ``images``: what the model trains on, (number, …); their statistics are taken over.
    """
    if images is None:
        return False
    before = [each.get_weights() for each in layers]
    try:
        for each in layers:  # those further back see what these let through
            each.moving_variance.assign(keras.ops.full_like(each.moving_variance, 1 - each.epsilon))
        seen = keras.Model(model.inputs, [each.input for each in layers])([images], training=False)
        seen = seen if isinstance(seen, (list, tuple)) else [seen]
        for layer, values in zip(layers, seen, strict=True):
            _undo(layer, np.asarray(keras.ops.convert_to_numpy(values), np.float64))
    except (AttributeError, TypeError, ValueError):
        for each, weights in zip(layers, before, strict=True):
            each.set_weights(weights)
        return False
    return True


def _undo(layer: keras.layers.BatchNormalization, values: Array) -> None:
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    others = tuple(each for each in range(values.ndim) if each != axis % values.ndim)
    mean, variance = values.mean(others), values.var(others)
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
    layer.gamma.assign(np.sqrt(variance + layer.epsilon))
    layer.beta.assign(mean)
