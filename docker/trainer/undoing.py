"""Normalisations that are put into a trained network begin by undoing themselves.

Their scale and offset are what they take out, so that the network computes what it did, in training
as well but for what is random there (Chen, Goodfellow, Shlens, "Net2Net", ICLR 2016, section 2.3).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from trainer.network import Array

MOST_IMAGES, BATCH = 256, 16
"""Images whose statistics are taken, and so many at once: maps are larger than images."""
UNDONE = "new, begins by undoing itself."


def undo(
    model: keras.Model,
    live: Sequence[keras.layers.Layer],
    layers: Sequence[keras.layers.BatchNormalization],
    images: Callable[[], Array | None],
) -> bool:
    """Have normalisations of a built model begin as the identity; whether it could be done.

    ``live``: the layers of the model, which is a chain, those of nested ones among them.
    ``images`` gives what it trains on, (number, …); their statistics are taken over.
    """
    before = [each.get_weights() for each in layers]
    try:
        found = images()
        if found is None or any(
            wanted not in (None, given)
            for wanted, given in zip(model.input_shape, found.shape, strict=True)
        ):
            return False
        for each in layers:  # those further back see what these let through
            each.moving_variance.assign(keras.ops.full_like(each.moving_variance, 1 - each.epsilon))
        statistics = [_Statistics(each) for each in layers]
        for start in range(0, len(found), BATCH):
            seen = _seen_by(layers, live, found[start : start + BATCH])
            for each, values in zip(statistics, seen, strict=True):
                each.add(np.asarray(keras.ops.convert_to_numpy(values)))
        for layer, each in zip(layers, statistics, strict=True):
            layer.moving_mean.assign(each.mean)
            layer.moving_variance.assign(each.variance)
            layer.gamma.assign(np.sqrt(each.variance + layer.epsilon))
            layer.beta.assign(each.mean)
    except Exception:  # They begin anew, as without images: no memory, no graph, other images.
        for layer, weights in zip(layers, before, strict=True):
            layer.set_weights(weights)
        return False
    return True


def _seen_by(
    layers: Sequence[keras.layers.Layer], live: Sequence[keras.layers.Layer], images: Array
) -> Iterator[Any]:
    """What each of some layers of a chain is given, in their order, for these images."""
    values, left = keras.ops.convert_to_tensor(images, dtype="float32"), list(layers)
    for each in live:
        if each is left[0]:
            yield values
            del left[0]
            if not left:
                return
        if not isinstance(each, keras.layers.InputLayer):
            values = each(values, training=False)


class _Statistics:
    """Mean and variance of each channel over batches (Chan, Golub, LeVeque, "Algorithms for
    Computing the Sample Variance", 1983)."""

    def __init__(self, layer: keras.layers.BatchNormalization) -> None:
        self._axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
        self._count = 0
        self.mean: Array = np.zeros(1)
        self.variance: Array = np.zeros(1)

    def add(self, values: Array) -> None:
        others = tuple(each for each in range(values.ndim) if each != self._axis % values.ndim)
        count = values.size // values.shape[self._axis]
        mean = values.mean(others, dtype=np.float64)
        variance = values.var(others, dtype=np.float64)
        share = count / (self._count + count)
        apart = mean - self.mean
        self.variance = self.variance * (1 - share) + variance * share
        self.variance = self.variance + apart**2 * share * (1 - share)
        self.mean = self.mean + apart * share
        self._count += count
