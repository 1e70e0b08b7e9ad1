"""Validation data for a ``fit`` that has none, held out from its training data."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from keras.src.legacy.preprocessing.image import DirectoryIterator, ImageDataGenerator

SHARE = 0.2
_SEED = 20


def hold_out(given: dict[str, Any], note: Callable[[str], None]) -> dict[str, Any]:
    """The arguments of ``fit`` with a fifth of the training data, chosen at random, as validation.

    Arrays and Keras' image folders can be divided so that no image is on both sides. A ``tf.data``
    pipeline or a generator may be in another order each time, and is left as it is.
    """
    if given.get("validation_data") is not None or given.get("validation_split"):
        return given
    x, y = given.get("x"), given.get("y")
    if isinstance(x, DirectoryIterator):
        divided = _divided_folder(x, given)
    elif _is_array(x) and _is_array(y) and _length(x) == _length(y) > 1:
        divided = _divided_arrays(x, y, given)
    else:
        return given
    note(
        f"fit has no validation data; {SHARE:.0%} of its training data were held out for it, and "
        "not trained on."
    )
    return divided


def _length(data: Any) -> int:
    return int(np.shape(data)[0])


def _is_array(data: Any) -> bool:
    return isinstance(data, (np.ndarray, list)) or hasattr(data, "numpy")


def _chosen(count: int) -> np.ndarray[Any, Any]:
    """Which of ``count`` samples are held out: the same ones in every run and every trial."""
    order = np.random.default_rng(_SEED).permutation(count)
    is_held_out = np.zeros(count, bool)
    is_held_out[order[: max(1, round(count * SHARE))]] = True
    return is_held_out


def _divided_arrays(x: Any, y: Any, given: dict[str, Any]) -> dict[str, Any]:
    x, y = np.asarray(x), np.asarray(y)
    held_out = _chosen(len(x))
    weights = given.get("sample_weight")
    changed = {"x": x[~held_out], "y": y[~held_out], "validation_data": (x[held_out], y[held_out])}
    if weights is not None:
        changed["sample_weight"] = np.asarray(weights)[~held_out]
    return given | changed


def _divided_folder(x: DirectoryIterator, given: dict[str, Any]) -> dict[str, Any]:
    held_out = _chosen(x.samples)
    training, validation = _part(x, ~held_out), _part(x, held_out)
    validation.shuffle = False
    # Validation images are seen as they are: scaled as for the training, and not augmented.
    plain = ImageDataGenerator(
        rescale=x.image_data_generator.rescale,
        preprocessing_function=x.image_data_generator.preprocessing_function,
        data_format=x.image_data_generator.data_format,
    )
    validation.image_data_generator = plain
    changed: dict[str, Any] = {"x": training, "validation_data": validation}
    if given.get("steps_per_epoch"):
        changed["steps_per_epoch"] = min(int(given["steps_per_epoch"]), len(training))
    return given | changed


def _part(x: DirectoryIterator, chosen: np.ndarray[Any, Any]) -> DirectoryIterator:
    part = copy.copy(x)
    part._filepaths = [path for path, keep in zip(x.filepaths, chosen, strict=True) if keep]
    part.filenames = [name for name, keep in zip(x.filenames, chosen, strict=True) if keep]
    part.classes = x.classes[chosen]
    part.samples = part.n = int(chosen.sum())
    part.index_array = None
    part.index_generator = part._flow_index()
    return part
