"""What it would cost to mirror a script's images, measured on validation images.

A network that knows things from both sides tells mirrored images apart as well as the others.
Where they are digits, letters or signs, they are others in the mirror, or none.
"""

import functools
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]
MOST_IMAGES, MOST_BYTES = 500, 256 * 2**20
BATCH = 32


def fingerprint(model: keras.Model) -> int:
    """A number that is another one for other weights."""
    found = 0
    for each in model.weights:
        found = zlib.crc32(keras.ops.convert_to_numpy(each).tobytes(), found)
    return found


def cost(
    accuracy: Callable[[Array, Array], float | None],
    given: Mapping[str, Any],
    validated: float | None = None,
) -> float | None:
    """The accuracy (0 to 1) lost where validation images are mirrored, below 0 where it is gained.

    ``accuracy`` measures the network on images (number, rows, columns, channels; or the channels
    first) and labels. ``given``: the arguments of ``fit``; of its validation data, so many images
    are taken. ``validated``: what ``fit`` measured on all of them, where the network is still the
    same. None for what cannot be read twice, and what are no images with a label each.
    """
    state = np.random.get_state()
    try:
        images, labels, are_all = _sample(given)
        known = validated if are_all and not given.get("validation_steps") else None
        plain = accuracy(images, labels) if known is None else known
        mirrored = accuracy(_mirrored(images), labels)
    except Exception:  # Whatever the data are, they were good enough for the script.
        return None
    finally:
        np.random.set_state(state)  # a generator of images draws numbers
    return None if plain is None or mirrored is None else plain - mirrored


def _batches(given: Mapping[str, Any]) -> tuple[Iterator[Callable[[], Any]], int | None]:
    """What gives images and labels, maybe with weights behind them, batch by batch; and how many
    batches there are, where that is known. Raises TypeError."""
    validation, split = given.get("validation_data"), given.get("validation_split")
    if validation is None and split:
        # Keras takes the last ones.
        first = int(len(given["x"]) * (1 - split))
        parts = (given["x"], given["y"], given.get("sample_weight"))
        validation = tuple(None if each is None else each[first:] for each in parts)
    if isinstance(validation, (tuple, list)):
        arrays = [each for each in validation if each is not None]
        starts = range(0, len(arrays[0]), BATCH)
        parts_of = (functools.partial(_slice, arrays, start) for start in starts)
        return parts_of, len(starts)
    if isinstance(validation, tf.data.Dataset):
        count = int(validation.cardinality())
        return (functools.partial(_itself, batch) for batch in validation), max(count, 0) or None
    if isinstance(validation, keras.utils.PyDataset):
        numbers = range(len(validation))
        return (functools.partial(validation.__getitem__, n) for n in numbers), len(numbers)
    raise TypeError(type(validation))


def _slice(arrays: Sequence[Any], start: int) -> tuple[Any, ...]:
    return tuple(each[start : start + BATCH] for each in arrays)


def _itself(batch: Any) -> Any:
    return batch


def _sample(given: Mapping[str, Any]) -> tuple[Array, Array, bool]:
    """As many of the images as are allowed, their labels, and whether these are all there are.

    From all over the data, as they may be in order of their classes. Not all where they have
    weights: what they count for may be in the accuracy. Raises ValueError.
    """
    images: list[Array] = []
    labels: list[Array] = []
    batches, count = _batches(given)
    step, are_all = 1, True
    for number, read in enumerate(batches):
        if number % step:
            continue
        batch = read()
        x, y = (np.asarray(each) for each in batch[:2])
        if x.ndim != 4 or y.dtype == object or len(x) != len(y):
            raise ValueError(x.shape, y.shape)
        images.append(x)
        labels.append(y)
        if number == 0:
            step = max(1, math.ceil((count or 1) * len(x) / MOST_IMAGES))
            are_all = step == 1 and len(batch) == 2
        if sum(map(len, images)) > MOST_IMAGES or sum(x.nbytes for x in images) >= MOST_BYTES:
            are_all = False
            break
    return np.concatenate(images)[:MOST_IMAGES], np.concatenate(labels)[:MOST_IMAGES], are_all


def _mirrored(images: Array) -> Array:
    columns = 3 if keras.config.image_data_format() == "channels_first" else 2
    return np.flip(images, columns)
