"""Images as a script's loader makes them, kept on the disk for all epochs and trials of a study."""

import hashlib
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from trainer.limits import memory_limit

FOLDER = ".images"
MOST_BYTES = 4 * 2**30
"""On the disk, of one study."""
SPARE_BYTES = 2**30
"""So much of the disk is left free."""


class Shelf:
    """Images that are made in one way: a file each, with nothing but its values.

    ``place``: that of the study; ``how``: all that the values depend on, apart from the file.
    """

    _taken: ClassVar[dict[Path, int]] = {}
    """Bytes below each place, counted once: what is there before, and what this process adds."""

    def __init__(self, place: Path, how: Sequence[object]) -> None:
        self._all = place
        self.folder = place / hashlib.blake2b(repr(how).encode(), digest_size=8).hexdigest()
        self.folder.mkdir(parents=True, exist_ok=True)

    def has_room(self, wanted: int) -> bool:
        """For so many bytes more."""
        if self._all not in self._taken:
            self._taken[self._all] = sum(map(_size, self._all.glob("*/*")))
        free = shutil.disk_usage(self._all).free
        return self._taken[self._all] + wanted <= most_bytes() and wanted + SPARE_BYTES <= free

    def write(self, name: str, values: bytes) -> None:
        """Raises OSError, and leaves nothing then."""
        unfinished = self.folder / f".{name}.{os.getpid()}.{threading.get_ident()}"
        try:
            unfinished.write_bytes(values)
            unfinished.rename(self.folder / name)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        if self._all in self._taken:
            self._taken[self._all] += len(values)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # somebody else's, and finished by now
        return 0


def most_bytes() -> int:
    """What may be kept: a half at the most of the memory through which it is read."""
    limit = memory_limit()
    return MOST_BYTES if limit is None else min(MOST_BYTES, limit // 2)


def name_of(path: str) -> str:
    """Another one for another file, and for other content."""
    status = os.stat(path)
    of = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return hashlib.blake2b(repr(of).encode(), digest_size=12).hexdigest()
