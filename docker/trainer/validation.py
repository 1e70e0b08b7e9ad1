"""The data that a ``fit`` validates on: all of it, or held out where there is none."""

import copy
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.legacy.preprocessing.image import (
    DirectoryIterator,
    ImageDataGenerator,
    NumpyArrayIterator,
)

from trainer import pipelines

SHARE = 0.2
_SEED = 20


def hold_out(given: dict[str, Any], note: Callable[[str], None]) -> dict[str, Any]:
    """The arguments of ``fit`` with a fifth of the training data, chosen at random, as validation.

    Arrays, Keras' image folders and ``tf.data`` pipelines from such can be divided so that no image
    is on both sides. A generator may be in another order each time, and is left as it is.
    """
    if given.get("validation_data") is not None or given.get("validation_split"):
        return given
    x, y = given.get("x"), given.get("y")
    if isinstance(x, DirectoryIterator):
        divided = _divided_folder(x, given)
    elif isinstance(x, NumpyArrayIterator) and x.y is not None and x.n > 1:
        divided = _divided_iterator(x, given)
    elif isinstance(x, tf.data.Dataset):
        if (parts := pipelines.divided(x, _chosen)) is None:
            return given
        divided = _with_parts(given, *parts)
    elif _is_array(x) and _is_array(y) and _length(x) == _length(y) > 1:
        divided = _divided_arrays(x, y, given)
    else:
        return given
    note(
        f"fit has no validation data; {SHARE:.0%} of its training data were held out for it, and "
        "not trained on."
    )
    return divided


def validate_on_all(given: dict[str, Any], note: Callable[[str], None]) -> dict[str, Any]:
    """The arguments of ``fit`` without a limit to its validation, where the data has an end.

    A target that is reached on some of the images may be luck.
    """
    steps = given.get("validation_steps")
    if steps is None or (batches := _validation_batches(given)) is None or steps >= batches:
        return given
    note(
        f"validation_steps={steps} is a part of the validation data; each epoch is measured on all "
        f"of its {batches} batches."
    )
    return given | {"validation_steps": None}


def _validation_batches(given: dict[str, Any]) -> int | None:
    """How many there are; None where the data does not tell, has no end, or is repeated."""
    data, share = given.get("validation_data"), given.get("validation_split")
    images = None
    if isinstance(data, keras.utils.PyDataset):
        return len(data) if hasattr(data, "__len__") else None
    if isinstance(data, tf.data.Dataset):
        batches = int(data.cardinality())
        return batches if batches >= 0 and not _repeats(data) else None
    if isinstance(data, (tuple, list)) and data:
        images = _samples(data[0])
    elif data is None and share and (all_ := _samples(given.get("x"))) is not None:
        images = math.ceil(all_ * share)
    size = given.get("validation_batch_size") or given.get("batch_size") or 32
    return None if images is None else math.ceil(images / size)


def _repeats(data: tf.data.Dataset) -> bool:
    """Whether the same data come several times; the end of each time does not show."""
    return "RepeatDataset" in type(data).__name__ or any(map(_repeats, data._inputs()))


def _samples(x: Any) -> int | None:
    """How many an array has, or the first one of several inputs."""
    if isinstance(x, (list, tuple, dict)):
        return next((_samples(each) for each in (x.values() if isinstance(x, dict) else x)), None)
    shape = getattr(x, "shape", None)
    return int(shape[0]) if shape else None


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
    return _with_parts(given, training, _plain(validation))


def _divided_iterator(x: NumpyArrayIterator, given: dict[str, Any]) -> dict[str, Any]:
    held_out = _chosen(x.n)

    def part(chosen: np.ndarray[Any, Any]) -> NumpyArrayIterator:
        found = copy.copy(x)
        found.x, found.y = x.x[chosen], x.y[chosen]
        found.x_misc = [each[chosen] for each in x.x_misc]
        if x.sample_weight is not None:
            found.sample_weight = x.sample_weight[chosen]
        return _anew(found, int(chosen.sum()))

    return _with_parts(given, part(~held_out), _plain(part(held_out)))


def _with_parts(given: dict[str, Any], training: Any, validation: Any) -> dict[str, Any]:
    changed: dict[str, Any] = {"x": training, "validation_data": validation}
    if given.get("steps_per_epoch"):
        steps = int(given["steps_per_epoch"])
        # Of a pipeline that repeats its data without an end, as many as are asked for.
        infinite = isinstance(training, tf.data.Dataset) and training.cardinality() < 0
        changed["steps_per_epoch"] = steps if infinite else min(steps, len(training))
    return given | changed


def _plain(x: Any) -> Any:
    """An iterator whose images are seen as they are: scaled as for training, and not augmented."""
    generator: ImageDataGenerator = copy.copy(x.image_data_generator)
    for name in ("rotation_range", "width_shift_range", "height_shift_range", "shear_range"):
        setattr(generator, name, 0)
    generator.channel_shift_range = 0
    generator.zoom_range = [1, 1]
    generator.brightness_range = None
    generator.horizontal_flip = generator.vertical_flip = False
    x.image_data_generator, x.shuffle, x.save_to_dir = generator, False, None
    return x


def _part(x: DirectoryIterator, chosen: np.ndarray[Any, Any]) -> DirectoryIterator:
    part = copy.copy(x)
    part._filepaths = [path for path, keep in zip(x.filepaths, chosen, strict=True) if keep]
    part.filenames = [name for name, keep in zip(x.filenames, chosen, strict=True) if keep]
    part.classes = x.classes[chosen]
    part.samples = int(chosen.sum())
    return _anew(part, part.samples)


def _anew(part: Any, count: int) -> Any:
    """An iterator of so many images, from its beginning on."""
    part.n = count
    part.index_array = None
    part.index_generator = part._flow_index()
    return part
