"""Files that a script copies into folders in which the data set's files are shown as links.

Nothing of the data set is written to: a file takes the place of the link of its name.
"""

import functools
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from trainer.paths import data_folders, leads_into

_NAMES = ("copyfile", "copy", "copy2", "move")


def install(data: Path, note: Callable[[str], None]) -> None:
    """``data`` is the data root. What cannot be copied and is there already is noted, by folder."""
    noted: set[str] = set()
    given = data_folders(data)

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def copy(src: Any, dst: Any, *others: Any, **named: Any) -> Any:
            place = dst
            if os.path.isdir(dst):
                place = os.path.join(dst, os.path.basename(os.fspath(src).rstrip(os.sep)))
            folder = os.path.dirname(os.path.abspath(place))
            if not os.path.lexists(src) and _shows(folder, given):
                if folder not in noted:
                    noted.add(folder)
                    note(
                        f"The script copies files to {folder} that are not here; it has what the "
                        "data set has for it."
                    )
                return dst
            if _leads_to(place, given) and not _is_same(src, place):
                os.unlink(place)
            return original(src, dst, *others, **named)

        return copy

    for name in _NAMES:
        setattr(shutil, name, wrapped(getattr(shutil, name)))


def _is_same(one: Any, other: Any) -> bool:
    return bool(os.path.abspath(one) == os.path.abspath(other))


def _leads_to(path: Any, given: Collection[Path]) -> bool:
    """Whether it is a link to a file of the data sets; ``given``: their folders, links followed."""
    return os.path.islink(path) and not os.path.isdir(path) and leads_into(path, given)


def _shows(folder: str, given: Collection[Path]) -> bool:
    """Whether there is something of the data sets in it."""
    if not os.path.isdir(folder):
        return False
    if leads_into(folder, given):
        return True
    with os.scandir(folder) as entries:
        return any(_leads_to(each.path, given) for each in entries)
