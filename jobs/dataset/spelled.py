"""Paths that a script spells out in its text, where following it did not show what it reads.

``open(r"H:\\pets\\X.pickle", "rb")`` may be anything; where the data set has an ``X.pickle``, it is
that. What is not in the data set is the script's own affair.
"""

import os
import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from jobs.dataset.layout import child_folders
from jobs.dataset.mapping import Mapper
from jobs.source.script import DataFolder, Place

_LONGEST = 300
_NO_PATH = ("\n", "\t", "://", "?")
_FILLED_IN = re.compile(r"[^/]*(?:[*{]|%[sd\d]).*")


def spelled(
    name: str, root: Path, folders: Sequence[DataFolder], words: Collection[str]
) -> list[DataFolder]:
    """What the data set at ``root`` has under the paths among ``words``, apart from ``folders``.

    Files by their names. Folders only where ``folders`` has none, or beside one of them, since a
    script names those that it writes to as well; and a plain word only where the data set has a
    folder of just that name.
    """
    mapper = Mapper(name, root, ())
    files = {each.casefold() for _, _, names in os.walk(root) for each in names}
    known = [each.path for each in folders]
    wants_folders = all(each.use == "archive" for each in folders)
    beside = {above for each in known if (above := posixpath.dirname(each.rstrip("/")))}
    own = set(child_folders(root))
    found: dict[str, DataFolder] = {}
    for path, is_word in sorted(set(_paths(words))):
        if any(path == each or path.startswith(f"{each.rstrip('/')}/") for each in known):
            continue
        candidate = DataFolder(path, "archive", Place("the script", 1))
        if PurePosixPath(path).name.casefold() in files:
            if mapper.file(candidate) is not None:
                found[path] = candidate
        elif mapper.existing(path) and (
            posixpath.dirname(path) in beside or (wants_folders and (path in own or not is_word))
        ):
            found[path] = DataFolder(path, "all", Place("the script", 1))
    return list(found.values())


def _paths(words: Collection[str]) -> Iterator[tuple[str, bool]]:
    """Each path that a word may be, and whether it is a word only, without a slash."""
    for word in words:
        # What stands for a name: all below the folder before it may be meant.
        path = _FILLED_IN.sub("", word.strip().replace("\\", "/"))
        if "%" not in path and len(path) <= _LONGEST and not any(each in path for each in _NO_PATH):
            plain = path.removeprefix("./").rstrip("/")
            if plain:
                yield plain, "/" not in path
