"""What a script makes of the data set's images with Pillow, made once for all trials of a study.

``Image.open(path).convert("RGB").resize(size)``, as people write it in a loop over their files:
an image is decoded, and converted, only where its values are not kept from an earlier time. What
is cropped, drawn on or read before it is resized is as it would be without.
"""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import PIL
from PIL import Image

from trainer.paths import leads_into
from trainer.shelf import Shelf, name_of

_FORMATS = ("JPEG", "PNG", "BMP")
_MODES = ("L", "RGB", "RGBA")
"""Of finished images: a byte for each channel."""
_OPENED = "_retune_opened"
_ROOM_FOR = 256
"""So many images are written until it is looked anew whether there is room for as many more."""


def install(place: Path, given: Sequence[Path]) -> None:
    """Keep finished images below ``place``; ``given``: the data sets' folders, links followed."""
    open_, convert, resize = Image.open, Image.Image.convert, Image.Image.resize
    finished = _Finished(place)

    @functools.wraps(open_)
    def open_image(fp: Any, mode: Any = "r", formats: Any = None) -> Any:
        image = open_(fp, mode, formats)
        if isinstance(fp, (str, os.PathLike)) and image.format in _FORMATS:
            path = os.path.abspath(os.fsdecode(fp))  # the script may go elsewhere
            if leads_into(path, given):
                image.__dict__[_OPENED] = path, image.mode, image.size
        return image

    @functools.wraps(convert)
    def convert_image(self: Any, mode: Any = None, *others: Any, **named: Any) -> Any:
        origin = _origin(self)
        if origin is None or mode not in _MODES or others or named:
            return convert(self, mode, *others, **named)
        path, *modes = origin

        def make() -> Any:
            # The script may have closed its own by now.
            with open_(path) as image:
                made: Any = image
                for each in (*modes, mode):
                    made = convert(made, each)
                return made

        return _Converted((*origin, mode), self, make)

    @functools.wraps(resize)
    def resize_image(self: Any, size: Any, resample: Any = None, *others: Any, **named: Any) -> Any:
        def make() -> Any:
            return resize(self, size, resample, *others, **named)

        origin = _origin(self)
        if origin is None or others or named or self.mode not in _MODES:
            return make()
        return finished.image(self, origin, size, resample, make)

    Image.open = open_image
    Image.Image.convert = convert_image  # type: ignore[method-assign]
    Image.Image.resize = resize_image  # type: ignore[method-assign]


class _Converted(Image.Image):
    """An image that is converted once its values are asked for, as Pillow decodes files."""

    def __init__(self, origin: tuple[str, ...], source: Any, make: Callable[[], Any]) -> None:
        super().__init__()
        self._mode, self._size, self.info = origin[-1], source.size, source.info.copy()
        self.origin, self._make = origin, make

    def load(self) -> Any:
        if self._im is None:
            made = self._make()
            self._im, self.palette, self.info = made.im, made.palette, made.info
        return super().load()


def _origin(image: Any) -> tuple[str, ...] | None:
    """The file, and the modes it is to be converted to; None for what is more than that."""
    if image._im is not None:
        return None
    if isinstance(image, _Converted):
        return image.origin
    opened = image.__dict__.get(_OPENED)
    # `draft` has it decoded to another size or mode, and `seek` another frame.
    if opened is None or opened[1:] != (image.mode, image.size) or image.tell() != 0:
        return None
    return (opened[0],)


class _Finished:
    def __init__(self, place: Path) -> None:
        self._place = place
        self._shelves: dict[tuple[object, ...], Shelf] = {}
        self._room: dict[Shelf, int] = {}

    def image(
        self,
        image: Any,
        origin: tuple[str, ...],
        size: Any,
        resample: Any,
        make: Callable[[], Any],
    ) -> Any:
        """The one that ``make`` makes, from the shelf where it is there already."""
        path, *modes = origin
        try:
            width, height = (int(each) for each in size)
            shelf = self._shelf((*modes, "to", width, height, resample))
            name = name_of(path)
            count = width * height * len(image.mode)
            values = _read(shelf.folder / name)
        except (OSError, TypeError, ValueError):
            return make()
        if values is not None and len(values) == count:
            found = Image.frombytes(image.mode, (width, height), values)
            found.info = image.info.copy()
            return found
        made = make()
        values = made.tobytes()
        if made.mode == image.mode and len(values) == count and self._has_room(shelf, count):
            shelf.write(name, values)
        return made

    def _shelf(self, how: tuple[object, ...]) -> Shelf:
        if how not in self._shelves:
            self._shelves[how] = Shelf(self._place, ("Pillow", PIL.__version__, *how))
        return self._shelves[how]

    def _has_room(self, shelf: Shelf, size: int) -> bool:
        left = self._room.get(shelf, 0)
        if left == 0 and shelf.has_room(_ROOM_FOR * size):
            left = _ROOM_FOR
        self._room[shelf] = left - 1 if left else 0
        return left > 0


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
