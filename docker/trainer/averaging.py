"""Weights averaged over the steps, measured and saved where the script's optimizer keeps them.

With ``use_ema=True`` an optimizer of Keras keeps an exponential average of the weights (Polyak,
Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992), and ``fit`` leaves the
model with it at its end. Validation within ``fit`` measures the weights of the last step all the
same, unless the script asks for ``keras.callbacks.SwapEMAWeights``. Here it measures what the
script would be left with, if it ended there.
"""

# ruff: noqa: ARG002  (the signatures are Keras')

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.models.functional import Functional

NOTE = (
    "The optimizer averages the weights (use_ema): validation measures the averages, with which "
    "fit leaves the model; those of new layers begin after their first epoch."
)


ROUNDING = 1e-3
"""Share by which a variance may be smaller than what is left of the one that it began with."""


def averages(model: keras.Model) -> list[tuple[Any, Any]]:
    """Each trainable variable with its average; empty where the optimizer keeps none (yet)."""
    optimizer = _averaging_optimizer(model)
    if optimizer is None or not optimizer.built:
        return []
    kept = optimizer._model_variables_moving_average
    return list(zip(optimizer._trainable_variables, kept, strict=True))


def steps_taken(model: keras.Model) -> int:
    """By the optimizer that averages, those counted that it only accumulates in; 0 without one."""
    optimizer = _averaging_optimizer(model)
    return 0 if optimizer is None else int(keras.ops.convert_to_numpy(optimizer._iterations))


def begin(model: keras.Model) -> None:
    """Have the averages begin with the weights as they are."""
    for variable, average in averages(model):
        average.assign(variable)


def swap(model: keras.Model) -> None:
    """Exchange the weights and their averages."""
    for variable, average in averages(model):
        weights = keras.ops.convert_to_numpy(variable).copy()
        variable.assign(average)
        average.assign(weights)


class _Beginning:
    """What averages have to know of a network with new layers when they begin after an epoch."""

    def __init__(self, model: keras.Model) -> None:
        self._steps = steps_taken(model)
        self._normalisations = [each for each in _used_once(model) if _is_untouched(each)]

    def free(self, model: keras.Model) -> None:
        """Take out of the statistics what is left of where they began, mean 0 and variance 1.

        As Adam does with its moments (Kingma, Ba, "Adam", ICLR 2015, section 3): with a momentum m,
        m^steps of it is left after so many steps. Statistics that say otherwise were counted in
        some other way, and are left as they are.
        """
        steps = steps_taken(model) - self._steps
        for each in self._normalisations:
            left = each.momentum**steps
            mean, variance = map(
                keras.ops.convert_to_numpy, (each.moving_mean, each.moving_variance)
            )
            if steps and left < 1 and (variance >= left * (1 - ROUNDING)).all():
                each.moving_mean.assign(mean / (1 - left))
                each.moving_variance.assign((variance - left).clip(0) / (1 - left))


def _used_once(layer: keras.layers.Layer) -> Iterator[keras.layers.BatchNormalization]:
    """The normalisations that see each batch once, as far as the network's graph tells."""
    inside = layer._flatten_layers(include_self=False, recursive=False)
    if isinstance(layer, Functional):
        nodes = itertools.chain.from_iterable(layer._nodes_by_depth.values())
        uses = Counter(id(node.operation) for node in nodes)
        inside = [each for each in inside if uses[id(each)] <= 1]
    for each in inside:
        if isinstance(each, keras.layers.BatchNormalization) and not each.renorm:
            yield each
        yield from _used_once(each)


def _is_untouched(layer: keras.layers.BatchNormalization) -> bool:
    if not layer.built:
        return False
    mean, variance = map(keras.ops.convert_to_numpy, (layer.moving_mean, layer.moving_variance))
    return bool((mean == 0).all() and (variance == 1).all())


class Averaging(keras.callbacks.Callback):  # type: ignore[misc]
    """Goes first in the list, so that the script's callbacks see the averages after an epoch.

    The last callback has to call ``put_back`` before the next epoch begins, and before ``fit``
    ends and puts the averages in place itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_in_place = False
        self._beginning: _Beginning | None = None

    def begin_late(self) -> None:
        """Have them begin after the first epoch, for a network with new layers, at its first step.

        Averages of the last hundred steps would hold new layers' random first weights for epochs.
        """
        self._beginning = _Beginning(self.model)

    def on_test_begin(self, logs: Any = None) -> None:
        self._put_in_place()

    def on_test_end(self, logs: Any = None) -> None:
        self.put_back()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._put_in_place()

    def _put_in_place(self) -> None:
        if self._beginning is not None:
            self._beginning.free(self.model)
            self._beginning = None
            begin(self.model)
        if not self._is_in_place:
            self._swap()

    def put_back(self) -> None:
        if self._is_in_place:
            self._swap()

    def _swap(self) -> None:
        self._is_in_place = not self._is_in_place
        swap(self.model)


def wanted(model: keras.Model, callbacks: list[keras.callbacks.Callback]) -> bool:
    """Whether the optimizer averages and none of the script's callbacks sees to it."""
    own = any(isinstance(each, keras.callbacks.SwapEMAWeights) for each in callbacks)
    return _averaging_optimizer(model) is not None and not own


def _averaging_optimizer(model: keras.Model) -> Any:
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return optimizer if getattr(optimizer, "use_ema", False) else None
