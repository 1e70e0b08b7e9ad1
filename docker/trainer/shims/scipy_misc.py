"""Images as ``scipy.misc`` read and resized them, by Pillow, until SciPy 1.2."""

from typing import Any

import numpy as np
from PIL import Image

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "lanczos": Image.Resampling.LANCZOS,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "cubic": Image.Resampling.BICUBIC,
}


def imread(name: Any, flatten: bool = False, mode: str | None = None) -> np.ndarray[Any, Any]:
    with Image.open(name) as image:
        wanted = "F" if flatten else mode
        return np.array(image.convert(wanted) if wanted else image)


def imresize(
    arr: Any, size: Any, interp: str = "bilinear", mode: str | None = None
) -> np.ndarray[Any, Any]:
    """``size``: (height, width) in pixels, a percentage, or a fraction of the present size."""
    image = toimage(arr, mode=mode)
    if isinstance(size, int):
        width, height = (round(each * size / 100) for each in image.size)
    elif isinstance(size, float):
        width, height = (round(each * size) for each in image.size)
    else:
        height, width = size[:2]
    return np.array(image.resize((width, height), _FILTERS[interp]))


def imsave(name: Any, arr: Any, format: str | None = None) -> None:
    toimage(arr).save(name, format)


def toimage(arr: Any, mode: str | None = None, **_: Any) -> Image.Image:
    values = np.squeeze(np.asarray(arr))
    if values.dtype != np.uint8:
        low, high = float(values.min()), float(values.max())
        values = ((values - low) * (255.0 / ((high - low) or 1.0))).astype(np.uint8)
    return Image.fromarray(values, mode) if mode else Image.fromarray(values)
