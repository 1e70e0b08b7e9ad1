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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from keras.src.utils import image_dataset_utils

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


def install(folder: Path, own: Path, threads: int) -> None:
    """Have images read from ``folder``, which is made and filled where they are not there yet.

    ``own``: the trial's folder. Files that the script makes there are others in each trial, and are
    not kept.
    """
    if not _LOADER:
        return
    original = image_dataset_utils.paths_and_labels_to_dataset
    load = getattr(image_dataset_utils, _LOADER)
    signature = inspect.signature(original)

    @functools.wraps(original)
    def paths_and_labels_to_dataset(*arguments: Any, **named: Any) -> Any:
        bound = signature.bind(*arguments, **named)
        bound.apply_defaults()
        given = bound.arguments
        found = None
        if given.get("format", "tf") == "tf":
            with contextlib.suppress(Exception):  # What is wrong with a file, the script meets.
                shelf = _Shelf(folder, load, given)
                found = shelf.filled(given["image_paths"], own, threads)
        if found is None:
            return original(**given)
        with _loading(found):
            return original(**given | {"image_paths": found.files})

    image_dataset_utils.paths_and_labels_to_dataset = paths_and_labels_to_dataset


@dataclass(frozen=True)
class _Finished:
    """The files that hold the values of images, which are all of one shape and type."""

    files: list[str]
    shape: tuple[int, ...]
    dtype: tf.DType

    def read(self, path: Any, *_: Any, **__: Any) -> Any:
        """In the place of the loader."""
        values = tf.io.decode_raw(tf.io.read_file(path), self.dtype)
        return tf.reshape(values, self.shape)


@contextlib.contextmanager
def _loading(found: _Finished) -> Iterator[None]:
    """The data set that is made meanwhile reads what is finished."""
    before = getattr(image_dataset_utils, _LOADER)
    setattr(image_dataset_utils, _LOADER, found.read)
    try:
        yield
    finally:
        setattr(image_dataset_utils, _LOADER, before)


class _Shelf:
    """The finished images of one way to load them."""

    def __init__(self, folder: Path, load: Callable[..., Any], given: Mapping[str, Any]) -> None:
        self._how = [given[name] for name in _HOW]
        self._load = load
        self._all = folder
        named = hashlib.blake2b(repr((self._how, tf.__version__)).encode(), digest_size=8)
        self._folder = folder / named.hexdigest()

    def filled(self, paths: Sequence[str], own: Path, threads: int) -> _Finished | None:
        """All of these images; None where they are not to be kept, or find no room."""
        if _are_made_in(own, paths):
            return None
        names = [_name(path) for path in paths]
        self._folder.mkdir(parents=True, exist_ok=True)
        known = set(os.listdir(self._folder))
        missing = {name: path for name, path in zip(names, paths, strict=True) if name not in known}
        images = tf.data.Dataset.from_tensor_slices([*missing.values()] or paths[:1]).map(
            lambda path: self._load(path, *self._how),
            num_parallel_calls=threads,
            deterministic=True,
        )
        shape, dtype = images.element_spec.shape, images.element_spec.dtype
        if missing:
            if not self._has_room(len(missing) * shape.num_elements() * dtype.size):
                return None
            self._fill(missing, images)
        return _Finished([str(self._folder / name) for name in names], tuple(shape), dtype)

    def _has_room(self, wanted: int) -> bool:
        taken = sum(each.stat().st_size for each in self._all.glob("*/*"))
        free = shutil.disk_usage(self._all).free
        return taken + wanted <= MOST_BYTES and wanted + SPARE_BYTES <= free

    def _fill(self, names: Iterable[str], images: tf.data.Dataset) -> None:
        for name, image in zip(names, images.as_numpy_iterator(), strict=True):
            unfinished = self._folder / f".{name}"
            unfinished.write_bytes(image.tobytes())
            unfinished.rename(self._folder / name)


def _name(path: str) -> str:
    """Another one for another file, and for other content."""
    status = os.stat(path)
    of = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return hashlib.blake2b(repr(of).encode(), digest_size=12).hexdigest()


def _are_made_in(own: Path, paths: Sequence[str]) -> bool:
    """Whether a file is the script's own: not one that it has only put a link to."""
    place = own.resolve()
    inside = {
        folder
        for folder in {os.path.dirname(each) for each in paths}
        if Path(folder).resolve().is_relative_to(place)
    }
    return any(os.path.dirname(each) in inside and not os.path.islink(each) for each in paths)
