"""Decoding images that somebody pushed: of few formats, and few pixels at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from PIL import Image

MOST_PIXELS = 100_000_000
"""An image beyond this is taken for a decompression bomb: 300 MB decoded. All that are decoded at
the same time have no more together."""
FORMATS = (
    *("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "PPM", "WEBP", "JPEG2000", "AVIF", "TGA", "ICO"),
)
"""Pillow knows more by an image's content, whatever its name. For some of these, EPS first, it
starts other programs."""


class TooLarge(Exception):  # noqa: N818
    """A clause that says how large."""


@contextmanager
def decoded(file: IO[bytes]) -> Iterator[Image.Image]:
    """The image in ``file``, decoded, while others wait for the memory that it takes.

    Raises TooLarge, UnidentifiedImageError, and what Pillow raises for damaged content.
    """
    with Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise TooLarge(f"has {width} × {height} pixels, too many to decode safely")
        with _memory.taken(width * height):
            image.load()
            yield image


class _Memory:
    def __init__(self, pixels: int) -> None:
        self._free = pixels
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


_memory = _Memory(MOST_PIXELS)
