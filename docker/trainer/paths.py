"""Where a path leads, links followed."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def is_below(path: Any, folders: Iterable[Path]) -> bool:
    """Whether ``path`` is one of ``folders`` or leads to something in one of them."""
    return leads_into(path, [Path(os.path.realpath(each)) for each in folders])


def leads_into(path: Any, real: Iterable[Path]) -> bool:
    """The same for folders that are no links, and lie below none."""
    found = Path(os.path.realpath(os.fsdecode(path)))
    return any(found.is_relative_to(each) for each in real)


def data_folders(data: Path) -> list[Path]:
    """The data sets' own folders: the data root ``data`` holds them, or links to them."""
    return [each.resolve() for each in data.glob("*")]
