"""A data set's images as arrays, decoded once, for tuners that are given arrays."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jobs.files import write_whole

Array = np.ndarray[Any, Any]


def cached_arrays(data: Path, size: int, folder: Path) -> Path:
    """The file with ``x_train``, ``y_train``, ``x_validation`` and ``y_validation``.

    Images are uint8 (count, size, size, 3), resampled by nearest as ``flow_from_directory`` does
    unless told; labels are the numbers of the class folders in order of their names.
    """
    file = folder / f"{data.name}-{size}.npz"
    if not file.exists():
        arrays = {}
        for split in ("train", "validation"):
            arrays[f"x_{split}"], arrays[f"y_{split}"] = _read(data / split, size)
        whole = io.BytesIO()
        np.savez(whole, **arrays)  # type: ignore[arg-type]
        write_whole(file, whole.getvalue())  # runs beside this one may do the same
    return file


def _read(folder: Path, size: int) -> tuple[Array, Array]:
    images, labels = [], []
    for label, each in enumerate(sorted(path for path in folder.iterdir() if path.is_dir())):
        for path in sorted(each.iterdir()):
            with Image.open(path) as image:
                small = image.convert("RGB").resize((size, size), Image.Resampling.NEAREST)
            images.append(np.asarray(small))
            labels.append(label)
    return np.stack(images), np.array(labels)
