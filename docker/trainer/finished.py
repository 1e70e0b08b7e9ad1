"""What ``image_dataset_from_directory`` makes of its images, made once for all trials of a study.

TensorFlow decodes as no other library does, and its resizing gives fractions, so the image cache
of the jobs leaves these files as they are. Here its own results are kept, number for number: one
file an image with nothing but its values, below ``trials/.images``. Reading that takes a
fraction of decoding, in every epoch where a script does not keep its images itself, and in every
trial where it does.
"""

import contextlib
import functools
import hashlib
import inspect
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras.src.utils import image_dataset_utils

from trainer.limits import memory_limit
from trainer.paths import data_folders

FOLDER = ".images"
MOST_BYTES = 4 * 2**30
"""On the disk, of one study. A data set that needs more is read as it is."""
SPARE_BYTES = 2**30
"""So much of the disk is left free."""
_LOADER = next(
    (name for name in ("_load_image_tf", "load_image") if hasattr(image_dataset_utils, name)), ""
)
"""Its name has changed once; empty for a Keras that has neither, where nothing is kept."""
_HOW = (
    *("image_size", "num_channels", "interpolation", "data_format"),
    *("crop_to_aspect_ratio", "pad_to_aspect_ratio"),
)
"""The loader's arguments behind the path, in its order."""


def install(folder: Path, data: Path, shown: Iterable[str], threads: int) -> None:
    """Have images read from ``folder``, which is made and filled where they are not there yet.

    ``data``: holds the data sets, as folders or links to them; ``shown``: absolute paths where the
    script finds some of them as well. Files that it makes itself are others in each trial, and are
    not kept.
    """
    if not _LOADER:
        return
    given = [*data_folders(data), *(Path(each).resolve() for each in shown)]
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
                    found = _Shelf(folder, load, asked).filled(asked["image_paths"], threads)
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


class _Shelf:
    """The finished images of one way to load them."""

    def __init__(self, folder: Path, load: Callable[..., Any], asked: Mapping[str, Any]) -> None:
        self._how = [asked[name] for name in _HOW]
        self._load = load
        self._all = folder
        named = repr((self._how, tf.__version__, keras.__version__))
        self._folder = folder / hashlib.blake2b(named.encode(), digest_size=8).hexdigest()

    def filled(self, paths: Sequence[str], threads: int) -> _Images | None:
        """All of these images; None where they find no room."""
        spec = self._loaded(paths[:1], threads).element_spec
        size = spec.shape.num_elements() * spec.dtype.size
        if len(paths) * size > most_bytes():
            return None  # before each file is looked at
        names = [_name(path) for path in paths]
        self._folder.mkdir(parents=True, exist_ok=True)
        with os.scandir(self._folder) as entries:
            # A crash of the machine may leave an empty file under its name.
            known = {each.name for each in entries if each.stat().st_size == size}
        missing = {name: path for name, path in zip(names, paths, strict=True) if name not in known}
        if missing:
            if not self._has_room(len(missing) * size):
                return None
            self._fill(missing, self._loaded([*missing.values()], threads))
        return _Images([str(self._folder / name) for name in names], tuple(spec.shape), spec.dtype)

    def _loaded(self, paths: Sequence[str], threads: int) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(paths).map(
            lambda path: self._load(path, *self._how),
            num_parallel_calls=threads,
            deterministic=True,
        )

    def _has_room(self, wanted: int) -> bool:
        taken = sum(each.stat().st_size for each in self._all.glob("*/*"))
        free = shutil.disk_usage(self._all).free
        return taken + wanted <= most_bytes() and wanted + SPARE_BYTES <= free

    def _fill(self, names: Iterable[str], images: tf.data.Dataset) -> None:
        for name, image in zip(names, images.as_numpy_iterator(), strict=True):
            unfinished = self._folder / f".{name}"
            unfinished.write_bytes(image.tobytes())
            unfinished.rename(self._folder / name)


def most_bytes() -> int:
    """What may be kept: a half at the most of the memory through which it is read."""
    limit = memory_limit()
    return MOST_BYTES if limit is None else min(MOST_BYTES, limit // 2)


def _name(path: str) -> str:
    """Another one for another file, and for other content."""
    status = os.stat(path)
    of = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return hashlib.blake2b(repr(of).encode(), digest_size=12).hexdigest()


def _are_given(paths: Sequence[str], given: Sequence[Path]) -> bool:
    """Whether all files are those of a data set, be it by a link that the script has made."""

    def is_given(path: str) -> bool:
        return any(Path(path).is_relative_to(each) for each in given)

    folders = {os.path.dirname(each) for each in paths}
    known = {each for each in folders if is_given(os.path.realpath(each))}
    return all(os.path.dirname(each) in known or is_given(os.path.realpath(each)) for each in paths)
