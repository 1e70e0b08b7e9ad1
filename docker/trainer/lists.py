"""Lists in place of arrays: images and labels as a script has collected them one by one.

Keras 2 made arrays of them. Keras 3 takes each element for an input of its own.
"""

import numbers
from typing import Any

import keras
import numpy as np


def as_arrays(model: keras.Model, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``fit`` or ``evaluate`` with such lists as arrays."""
    changed: dict[str, Any] = {
        name: _array(model, given[name]) for name in ("x", "y") if name in given
    }
    validation = given.get("validation_data")
    if isinstance(validation, (tuple, list)):
        changed["validation_data"] = tuple(_array(model, each) for each in validation)
    return given | changed


def _array(model: keras.Model, data: Any) -> Any:
    if isinstance(data, np.ndarray) and data.dtype == object:
        return _plain(data)
    if not isinstance(data, (list, tuple)) or not data:
        return data
    if all(isinstance(each, numbers.Number) for each in data):
        return np.asarray(data)
    shapes = {np.shape(each) if isinstance(each, (np.ndarray, list)) else None for each in data}
    if None in shapes or len(shapes) > 1 or len(data) <= _most(model):
        return data
    return np.asarray(data)


def _plain(data: Any) -> Any:
    """Numbers, or arrays of one shape, in an array that says nothing of them."""
    try:
        return np.array(data.tolist(), dtype="float32")
    except (TypeError, ValueError):
        return data


def _most(model: keras.Model) -> int:
    """As many inputs, or outputs, as the model has: so many elements may be meant one by one."""
    try:
        return max(len(model.inputs or ()), len(model.outputs or ()), 1)
    except (AttributeError, ValueError):
        return 1  # not built yet
