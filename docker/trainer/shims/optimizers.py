"""Optimizers: ``lr`` and ``decay`` (dropped with Keras 2.11), ``epsilon=None`` (Keras 3.0)."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from trainer.shims.modules import namespaces

_NAMES = ("SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam", "Ftrl")

_TENSORFLOW = {
    "AdamOptimizer": "Adam",
    "RMSPropOptimizer": "RMSprop",
    "AdagradOptimizer": "Adagrad",
    "GradientDescentOptimizer": "SGD",
    "MomentumOptimizer": "SGD",
}


def install() -> None:
    for name in _NAMES:
        optimizer = getattr(keras.optimizers, name)
        optimizer.__init__ = _translating(optimizer.__init__)
    # `optimizer.lr`: dropped with Keras 3.0. Read as the number or variable, set as a number.
    keras.optimizers.Optimizer.lr = property(_get_rate, _set_rate)
    for module in namespaces("optimizers"):
        # Lower-case names of the classes: dropped with Keras 2.4.
        for name in _NAMES:
            if not hasattr(module, name.lower()):
                setattr(module, name.lower(), getattr(keras.optimizers, name))
    # The optimizers of Keras 2.10, kept beside the new ones until 3.0, which raises errors there.
    for module in namespaces("optimizers.legacy"):
        for name in (*_NAMES, "Optimizer"):
            setattr(module, name, getattr(keras.optimizers, name))
    for module in namespaces("optimizers"):
        for legacy in namespaces("optimizers.legacy"):
            module.legacy = legacy  # type: ignore[attr-defined]
    # TensorFlow 1's, which `compile` took as well.
    for old, name in _TENSORFLOW.items():
        if not hasattr(tf.train, old):
            setattr(tf.train, old, getattr(keras.optimizers, name))


def _translating(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        if "lr" in named:
            named["learning_rate"] = named.pop("lr")
        if named.get("epsilon", 0) is None:
            del named["epsilon"]
        decay = named.pop("decay", 0.0) or 0.0
        # A scheduled rate cannot be set by callbacks; the decay of the old optimizers came on top.
        if decay and isinstance(named.get("learning_rate", 0.0), (int, float)) and not arguments:
            rate = named.get("learning_rate", _default_rate(original))
            named["learning_rate"] = keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)
        original(self, *arguments, **named)

    return init


def _default_rate(original: Callable[..., None]) -> float:
    import inspect

    return float(inspect.signature(original).parameters["learning_rate"].default)


def _get_rate(optimizer: Any) -> Any:
    return optimizer.learning_rate


def _set_rate(optimizer: Any, rate: Any) -> None:
    optimizer.learning_rate = rate
