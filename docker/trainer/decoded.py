"""The images of a script's generators, decoded once instead of in every epoch.

``flow_from_directory`` and ``flow_from_dataframe`` read each file anew for each epoch, which takes
a tenth of the epochs of a small network. What their loader makes of a file stays the same as long
as the file does.
"""

import functools
import os
from collections.abc import Callable, Hashable
from typing import Any

from keras.src.utils import image_utils

MOST_BYTES = 256 * 2**20
"""Memory for kept images; what does not fit is decoded each time."""


def keep(most: int = MOST_BYTES) -> None:
    """Have the generators' loader keep what it has decoded, ``most`` bytes of it."""
    image_utils.load_img = _keeping(image_utils.load_img, most)


def _keeping(original: Callable[..., Any], most: int) -> Callable[..., Any]:
    kept: dict[Hashable, Any] = {}
    room = most

    @functools.wraps(original)
    def load_img(path: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal room
        key = _key(path, arguments, named)
        if key in kept:
            # A copy, since the generator closes what it is given.
            return kept[key].copy()
        image = original(path, *arguments, **named)
        size = image.width * image.height * len(image.getbands())
        if key is None or size > room:
            return image
        room -= size
        kept[key] = image
        return image.copy()

    return load_img


def _key(path: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Hashable | None:
    """The file's state and how it is to be loaded; None for what is no file."""
    try:
        status = os.stat(path)
    except (OSError, TypeError, ValueError):
        return None
    how = repr((arguments, sorted(named.items())))
    return str(path), status.st_mtime_ns, status.st_size, how
