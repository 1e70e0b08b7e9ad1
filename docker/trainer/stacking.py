"""``Sequential`` models that are built by ``add`` are built layer by layer.

With each layer that is added Keras calls all of them anew, on symbols: a network of fifteen layers
takes twice as long to build as from a list, and one that stands on a large network calls that with
each further layer.
"""

import functools
import itertools
from collections.abc import Iterable
from typing import Any

import keras
from keras.src.models.functional import Functional

_BUILT = "_retune_built"
"""Attribute of a model: its layers as they were when it was built last, and what they gave."""


def build_by_layer() -> None:
    """Have a model that was built before call its new last layer alone."""
    original = keras.Sequential.build

    @functools.wraps(original)
    def build(model: keras.Sequential, input_shape: Any = None) -> None:
        if not _extended(model):
            original(model, input_shape)
        graph = model._functional
        known = None if graph is None else (_states(model._layers), graph._outputs_struct)
        # Past Keras' attribute tracking: it is none of the model's state.
        object.__setattr__(model, _BUILT, known)

    keras.Sequential.build = build


def _extended(model: keras.Sequential) -> bool:
    """Whether the model is the one that was built last with one more layer, which is called then.

    What goes wrong is left to Keras, which says what it is.
    """
    states, output = getattr(model, _BUILT, None) or ([], None)
    *before, last = model._layers
    now = _states(before)
    if not now or len(now) != len(states):
        return False
    pairs = zip(itertools.chain(*now), itertools.chain(*states), strict=True)
    if any(one is not other for one, other in pairs):
        return False
    try:
        model._functional = Functional(inputs=before[0].output, outputs=last(output))
    except Exception:
        return False
    return True


def _states(layers: Iterable[keras.layers.Layer]) -> list[tuple[Any, Any]]:
    """Each layer, and the graph inside of it, which is another one once layers are added there."""
    return [(each, getattr(each, "_functional", None)) for each in layers]
