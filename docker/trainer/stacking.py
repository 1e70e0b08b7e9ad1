"""``Sequential`` models that are built by ``add`` are built layer by layer.

With each layer that is added Keras calls all of them anew, on symbols: a network of fifteen layers
takes twice as long to build as from a list, and one that stands on a large network calls that with
each further layer.
"""

import functools
from typing import Any

import keras
from keras.src.models.functional import Functional

_BUILT = "_retune_built"
"""Attribute of a model: its layers and their output when it was built last."""


def build_by_layer() -> None:
    """Have a model that was built before call its new last layer alone."""
    original = keras.Sequential.build

    @functools.wraps(original)
    def build(model: keras.Sequential, input_shape: Any = None) -> None:
        if not _extended(model):
            original(model, input_shape)
        known = None if model._functional is None else (list(model._layers), model.outputs[0])
        # Past Keras' attribute tracking: it is none of the model's state.
        object.__setattr__(model, _BUILT, known)

    keras.Sequential.build = build


def _extended(model: keras.Sequential) -> bool:
    """Whether the model is the one that was built last with one more layer, which is called then.

    What goes wrong is left to Keras, which says what it is.
    """
    layers, output = getattr(model, _BUILT, None) or ([], None)
    if len(model._layers) != len(layers) + 1 or not layers:
        return False
    if any(one is not other for one, other in zip(layers, model._layers, strict=False)):
        return False
    try:
        output = model._layers[-1](output)
        model._functional = Functional(inputs=layers[0].output, outputs=output)
    except Exception:
        return False
    return True
