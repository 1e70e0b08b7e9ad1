"""Some images of what a script trains or validates on, where its training goes on as it would."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.network import Array
from trainer.pipelines import reads_again

MOST_BYTES = 256 * 2**20
BATCH = 32
MOST_BATCHES = 8
"""So many of a pipeline that trains: what is between them would have to be made as well."""


@dataclass
class Sample:
    """``images``: (number, rows, columns, channels), or the channels first. ``are_all``: whether
    they are all that there are, and count alike: what weighs them may be in the accuracy."""

    images: Array
    labels: Array
    are_all: bool


def of_training(given: Mapping[str, Any], most: int) -> Sample | None:
    """Of the images that ``fit`` with these arguments trains on, as it will see them."""
    x = given.get("x")
    if isinstance(x, tf.data.Dataset):
        return _taken(lambda: _sample(x.take(MOST_BATCHES), most)) if reads_again(x) else None
    if isinstance(x, keras.utils.PyDataset):
        return _of_sequence(x, most)
    return _taken(lambda: _sample(_arrays(given, validates=False), most))


def _of_sequence(x: keras.utils.PyDataset, most: int) -> Sample | None:
    """An iterator over a folder counts what it gave, shuffles by that, and may write it down."""
    if getattr(x, "save_to_dir", None):
        return None
    counted = {
        name: vars(x)[name] for name in ("total_batches_seen", "index_array") if name in vars(x)
    }
    try:
        return _taken(lambda: _sample(x, most))
    finally:
        vars(x).update(counted)


def of_validation(given: Mapping[str, Any], most: int) -> Sample | None:
    """Of the images that ``fit`` with these arguments validates on."""
    return _taken(lambda: _sample(_validation(given), most))


def _taken(take: Callable[[], Sample]) -> Sample | None:
    """None for what cannot be read twice, and for what are no images with a label each."""
    state = np.random.get_state()
    try:
        return take()
    except Exception:  # Whatever the data are, they were good enough for the script.
        return None
    finally:
        np.random.set_state(state)  # a generator of images draws numbers


def _validation(given: Mapping[str, Any]) -> Any:
    validation = given.get("validation_data")
    if validation is None and given.get("validation_split"):
        return _arrays(given, validates=True)
    return validation


def _arrays(given: Mapping[str, Any], *, validates: bool) -> list[Any]:
    """Images, labels and weights that are given as arrays, of which Keras validates on the last."""
    share = (
        0.0 if given.get("validation_data") is not None else given.get("validation_split") or 0.0
    )
    first = int(len(given["x"]) * (1 - share))
    part = slice(first, None) if validates else slice(first)
    parts = (given["x"], given["y"], given.get("sample_weight"))
    return [None if each is None else each[part] for each in parts]


def _batches(data: Any) -> tuple[Iterator[Callable[[], Any]], int | None]:
    """What gives images and labels, maybe with weights behind them, batch by batch; and how many
    batches there are, where that is known. Raises TypeError."""
    if isinstance(data, (tuple, list)):
        arrays = [each for each in data if each is not None]
        starts = range(0, len(arrays[0]), BATCH)
        parts_of = (functools.partial(_slice, arrays, start) for start in starts)
        return parts_of, len(starts)
    if isinstance(data, tf.data.Dataset):
        count = int(data.cardinality())
        return (functools.partial(_itself, batch) for batch in data), max(count, 0) or None
    if isinstance(data, keras.utils.PyDataset):
        numbers = range(len(data))
        return (functools.partial(data.__getitem__, n) for n in numbers), len(numbers)
    raise TypeError(type(data))


def _slice(arrays: Sequence[Any], start: int) -> tuple[Any, ...]:
    return tuple(each[start : start + BATCH] for each in arrays)


def _itself(batch: Any) -> Any:
    return batch


def _sample(data: Any, most: int) -> Sample:
    """So many images at the most, from all over the data, as they may be in order of their classes.

    Raises ValueError and what the data raise.
    """
    images: list[Array] = []
    labels: list[Array] = []
    batches, count = _batches(data)
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
            step = max(1, math.ceil((count or 1) * len(x) / most))
            are_all = step == 1 and len(batch) == 2
        if sum(map(len, images)) > most or sum(x.nbytes for x in images) >= MOST_BYTES:
            are_all = False
            break
    return Sample(np.concatenate(images)[:most], np.concatenate(labels)[:most], are_all)
