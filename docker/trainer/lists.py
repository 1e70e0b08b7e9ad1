"""What a script gives as arrays, and what it gives in their place.

Lists are images and labels as it has collected them one by one. Keras 2 made arrays of them.
Keras 3 takes each element for an input of its own.
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
    if "x" in changed:
        changed["x"] = _with_channels_first(model, changed["x"])
    validation = given.get("validation_data")
    if isinstance(validation, (tuple, list)):
        arrays = [_array(model, each) for each in validation]
        arrays[:1] = [_with_channels_first(model, each) for each in arrays[:1]]
        changed["validation_data"] = tuple(arrays)
    return given | changed


def _with_channels_first(model: keras.Model, data: Any) -> Any:
    """Images in the order that the model has; with Theano, ``load_data`` gave them so."""
    if keras.config.image_data_format() != "channels_first":
        return data
    wanted = getattr(model, "input_shape", None) if model.built else None
    if not isinstance(data, np.ndarray) or data.ndim != 4 or not isinstance(wanted, tuple):
        return data
    turned = data.transpose(0, 3, 1, 2)
    return turned if data.shape[1:] != wanted[1:] == turned.shape[1:] else data


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
