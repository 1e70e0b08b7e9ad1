"""What a script makes of the data set's images with Pillow, made once for all trials of a study.

``Image.open(path).convert("RGB").resize(size)``, as people write it in a loop over their files:
an image is decoded, and converted, only where its values are not kept from an earlier time. What
is cropped, drawn on or read before it is resized is as it would be without.
"""

import functools
import os
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
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
_MOST_WAYS = 8
"""A script that resizes in more ways varies its images by that."""
_MOST_OPEN = 200
"""An original that is not decoded keeps its file open, where the script keeps the original."""


def install(place: Path, given: Sequence[Path]) -> None:
    """Keep finished images below ``place``; ``given``: the data sets' folders, links followed."""
    open_, convert, resize = Image.open, Image.Image.convert, Image.Image.resize
    finished = _Finished(place)
    opened: dict[int, weakref.ref[Any]] = {}

    def forget(reference: weakref.ref[Any]) -> None:
        opened.pop(id(reference), None)

    @functools.wraps(open_)
    def open_image(fp: Any, mode: Any = "r", formats: Any = None) -> Any:
        image = open_(fp, mode, formats)
        is_file = isinstance(fp, (str, os.PathLike)) and image.format in _FORMATS
        # What a transparent colour becomes depends on more than the mode.
        if is_file and "transparency" not in image.info and len(opened) < _MOST_OPEN:
            path = os.path.abspath(os.fsdecode(fp))  # the script may go elsewhere
            if leads_into(path, given):
                image.__dict__[_OPENED] = path, image.mode, image.size
                reference = weakref.ref(image, forget)
                opened[id(reference)] = reference
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
        """Make it an image like any other."""
        made = self._make()
        self.__class__ = Image.Image  # type: ignore[assignment]
        self._im, self.palette, self.info = made.im, made.palette, made.info
        return Image.Image.load(self)

    @property
    def im(self) -> Any:
        self.load()
        return self._im

    @im.setter
    def im(self, im: Any) -> None:
        self._im = im

    def __eq__(self, other: object) -> bool:
        self.load()
        return bool(self == other)

    __hash__ = None  # type: ignore[assignment]


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
        self._is_full = False

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
            if shelf is None:
                return make()
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
        if not self._is_full and made.mode == image.mode and made.size == (width, height):
            with suppress(OSError):
                self._is_full = not shelf.has_room(count)
                if not self._is_full:
                    shelf.write(name, made.tobytes())
        return made

    def _shelf(self, how: tuple[object, ...]) -> Shelf | None:
        if how not in self._shelves:
            if len(self._shelves) == _MOST_WAYS:
                return None
            self._shelves[how] = Shelf(self._place, ("Pillow", PIL.__version__, *how))
        return self._shelves[how]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
