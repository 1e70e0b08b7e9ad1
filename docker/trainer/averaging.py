"""Weights averaged over the steps, measured and saved where the script's optimizer keeps them.

With ``use_ema=True`` an optimizer of Keras keeps an exponential average of the weights (Polyak,
Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992), and ``fit`` leaves the
model with it at its end. Validation within ``fit`` measures the weights of the last step all the
same, unless the script asks for ``keras.callbacks.SwapEMAWeights``. Here it measures what the
script would be left with, if it ended there.
"""

# ruff: noqa: ARG002  (the signatures are Keras')

from typing import Any

import keras

NOTE = (
    "The optimizer averages the weights (use_ema): validation measures the averages, with which "
    "fit leaves the model."
)


def averages(model: keras.Model) -> list[tuple[Any, Any]]:
    """Each trainable variable with its average; empty where the optimizer keeps none (yet)."""
    optimizer = _averaging_optimizer(model)
    if optimizer is None or not optimizer.built:
        return []
    kept = optimizer._model_variables_moving_average
    return list(zip(optimizer._trainable_variables, kept, strict=True))


def begin(model: keras.Model) -> None:
    """Have the averages begin with the weights as they are."""
    for variable, average in averages(model):
        average.assign(variable)


class Averaging(keras.callbacks.Callback):  # type: ignore[misc]
    """Goes first in the list, so that the script's callbacks see the averages after an epoch.

    The last callback has to call ``put_back`` before the next epoch begins, and before ``fit``
    ends and puts the averages in place itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_in_place = False

    def on_test_begin(self, logs: Any = None) -> None:
        self._put_in_place()

    def on_test_end(self, logs: Any = None) -> None:
        self.put_back()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._put_in_place()

    def _put_in_place(self) -> None:
        if not self._is_in_place:
            self._swap()

    def put_back(self) -> None:
        if self._is_in_place:
            self._swap()

    def _swap(self) -> None:
        self._is_in_place = not self._is_in_place
        for variable, average in averages(self.model):
            weights = keras.ops.convert_to_numpy(variable).copy()
            variable.assign(average)
            average.assign(weights)


def wanted(model: keras.Model, callbacks: list[keras.callbacks.Callback]) -> bool:
    """Whether the optimizer averages and none of the script's callbacks sees to it."""
    own = any(isinstance(each, keras.callbacks.SwapEMAWeights) for each in callbacks)
    return _averaging_optimizer(model) is not None and not own


def _averaging_optimizer(model: keras.Model) -> Any:
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return optimizer if getattr(optimizer, "use_ema", False) else None
