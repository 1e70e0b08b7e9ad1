"""What ``image_dataset_from_directory`` makes of its images, made once for all trials of a study.

TensorFlow decodes as no other library does, and its resizing gives fractions, so the image cache
of the jobs leaves these files as they are. Here its own results are kept, number for number: one
file an image with nothing but its values, below ``trials/.images``. Reading that takes a
fraction of decoding, in every epoch where a script does not keep its images itself, and in every
trial where it does.
"""

import contextlib
import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras.src.utils import image_dataset_utils

from trainer.paths import leads_into
from trainer.shelf import Shelf, most_bytes, name_of

_LOADER = next(
    (name for name in ("_load_image_tf", "load_image") if hasattr(image_dataset_utils, name)), ""
)
"""Its name has changed once; empty for a Keras that has neither, where nothing is kept."""
_HOW = (
    *("image_size", "num_channels", "interpolation", "data_format"),
    *("crop_to_aspect_ratio", "pad_to_aspect_ratio"),
)
"""The loader's arguments behind the path, in its order."""


def install(place: Path, given: Sequence[Path], threads: int) -> None:
    """Have images read from below ``place``, where they are made if they are not there yet.

    ``given``: the data sets' folders, links followed. Files that a script makes itself are others
    in each trial, and are not kept; a data set that needs too much room is read as it is.
    """
    if not _LOADER:
        return
    load = getattr(image_dataset_utils, _LOADER)
    original = image_dataset_utils.paths_and_labels_to_dataset
    signature = inspect.signature(original)

    @functools.wraps(load)
    def load_image(path: Any, image_size: Any, *others: Any, **named: Any) -> Any:
        if isinstance(image_size, _Images):
            return image_size.read(path)
        return load(path, image_size, *others, **named)

    @functools.wraps(original)
    def paths_and_labels_to_dataset(*arguments: Any, **named: Any) -> Any:
        bound = signature.bind(*arguments, **named)
        bound.apply_defaults()
        asked = bound.arguments
        found = None
        if asked.get("format", "tf") == "tf":
            with contextlib.suppress(Exception):  # What is wrong with a file, the script meets.
                if _are_given(asked["image_paths"], given):
                    found = _Loading(place, load, asked).filled(asked["image_paths"], threads)
        if found is not None:
            asked |= {"image_paths": found.files, "image_size": found}
        return original(**asked)

    setattr(image_dataset_utils, _LOADER, load_image)
    image_dataset_utils.paths_and_labels_to_dataset = paths_and_labels_to_dataset


@dataclass(frozen=True)
class _Images:
    """The files that hold the values of images, which are all of one shape and type.

    The loader gets it in the place of the image size: so it stays with what the data set does with
    each path, however often that is traced again.
    """

    files: list[str]
    shape: tuple[int, ...]
    dtype: tf.DType

    def read(self, path: Any) -> Any:
        values = tf.io.decode_raw(tf.io.read_file(path), self.dtype)
        return tf.reshape(values, self.shape)


class _Loading:
    """The finished images of one way to load them."""

    def __init__(self, place: Path, load: Callable[..., Any], asked: Mapping[str, Any]) -> None:
        self._how = [asked[name] for name in _HOW]
        self._load = load
        self._shelf = Shelf(place, (self._how, tf.__version__, keras.__version__))

    def filled(self, paths: Sequence[str], threads: int) -> _Images | None:
        """All of these images; None where they find no room."""
        spec = self._loaded(paths[:1], threads).element_spec
        size = spec.shape.num_elements() * spec.dtype.size
        if len(paths) * size > most_bytes():
            return None  # before each file is looked at
        names = [name_of(path) for path in paths]
        folder = self._shelf.folder
        with os.scandir(folder) as entries:
            # A crash of the machine may leave an empty file under its name.
            known = {each.name for each in entries if each.stat().st_size == size}
        missing = {name: path for name, path in zip(names, paths, strict=True) if name not in known}
        if missing:
            if not self._shelf.has_room(len(missing) * size):
                return None
            for name, image in zip(
                missing, self._loaded([*missing.values()], threads).as_numpy_iterator(), strict=True
            ):
                self._shelf.write(name, image.tobytes())
        return _Images([str(folder / name) for name in names], tuple(spec.shape), spec.dtype)

    def _loaded(self, paths: Sequence[str], threads: int) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(paths).map(
            lambda path: self._load(path, *self._how),
            num_parallel_calls=threads,
            deterministic=True,
        )


def _are_given(paths: Sequence[str], given: Sequence[Path]) -> bool:
    """Whether all files are those of a data set, be it by a link that the script has made."""
    folders = {os.path.dirname(each) for each in paths}
    known = {each for each in folders if leads_into(each, given)}
    return all(os.path.dirname(each) in known or leads_into(each, given) for each in paths)
