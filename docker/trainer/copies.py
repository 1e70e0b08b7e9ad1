"""Files that a script copies into folders in which the data set's files are shown as links.

Nothing of the data set is written to: a file takes the place of the link of its name.
"""

import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

_NAMES = ("copyfile", "copy", "copy2", "move")


def install(data: Path, note: Callable[[str], None]) -> None:
    """``data`` is the data root. What cannot be copied and is there already is noted, by folder."""
    noted: set[str] = set()

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def copy(src: Any, dst: Any, *others: Any, **named: Any) -> Any:
            place = dst
            if os.path.isdir(dst):
                place = os.path.join(dst, os.path.basename(os.fspath(src).rstrip(os.sep)))
            folder = os.path.dirname(os.path.abspath(place))
            if not os.path.lexists(src) and _shows(folder, data):
                if folder not in noted:
                    noted.add(folder)
                    note(
                        f"The script copies files to {folder} that are not here; it has what the "
                        "data set has for it."
                    )
                return dst
            if _leads_to(place, data) and not _is_same(src, place):
                os.unlink(place)
            return original(src, dst, *others, **named)

        return copy

    for name in _NAMES:
        setattr(shutil, name, wrapped(getattr(shutil, name)))


def _is_same(one: Any, other: Any) -> bool:
    return bool(os.path.abspath(one) == os.path.abspath(other))


def _leads_to(path: Any, data: Path) -> bool:
    """Whether it is a link to a file of the data set."""
    if not os.path.islink(path) or os.path.isdir(path):
        return False
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(data))


def _shows(folder: str, data: Path) -> bool:
    """Whether there is something of the data set in it."""
    if not os.path.isdir(folder):
        return False
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(data)):
        return True
    with os.scandir(folder) as entries:
        return any(_leads_to(each.path, data) for each in entries)
