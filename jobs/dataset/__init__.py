"""Data sets: look-up by name, check of every image, and the cache at the script's input size."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.dataset.caching import Finished, cache, prune
from jobs.dataset.checking import Broken, Check, Picture, check
from jobs.dataset.layout import is_clutter, looks_like_image
from jobs.dataset.lookup import REPOSITORY, Source, look_up, offered
from jobs.errors import RetuneError
from jobs.settings import RepositorySettings, Settings
from jobs.source.script import BUILT_IN_DATA, DataFolder, ImageLoading

KERAS_DATA = ".keras"
"""Name below the data root of Keras' own data files; no offered data set starts with a dot."""


@dataclass(frozen=True)
class Prepared:
    """A data set that is ready to be trained on.

    ``mapping`` is a request's ``data``. ``folders`` (name -> folder) and ``absolute`` (absolute
    path as the script names it -> folder) are those of an environment's specification. ``images``
    says how many the script gets by what it uses them for (``validation``: 400).
    """

    name: str
    mapping: Mapping[str, str]
    folders: Mapping[str, Path]
    absolute: Mapping[str, Path]
    images: Mapping[str, int]
    check: Check | None


def prepare(
    settings: Settings,
    repository: RepositorySettings,
    checkout: Path,
    data: Sequence[DataFolder],
    images: ImageLoading,
    say: Callable[[str], None],
    words: Collection[str] = (),
) -> Prepared:
    """Find, check and cache the data that a script names; ``words`` are the strings in it.

    Raises RetuneError where there is none that fits, or none of its images can be read.
    """
    built_in = _is_built_in(images)
    try:
        source = look_up(settings, repository, checkout, data, () if built_in else words)
    except RetuneError as error:
        if not built_in or repository.dataset is not None:
            raise
        # Pictures that it shows or classifies when it has trained.
        say(f"{error} It trains on {images.loader}, and goes on without.")
        source = Source("", None, {})
    source = source.worded(words)
    for note in source.notes:
        say(note)
    folders: dict[str, Path] = {}
    found: Check | None = None
    if source.root is not None:
        folders[source.name] = source.root
        if source.images:
            finished = Finished(images)
            steps = _steps(say, f"Checking {source.name}")
            found = check(source, settings.home, steps, finished.see)
            for line in found.describe():
                say(line)
            steps = _steps(say, f"Caching {source.name}")
            folders[source.name] = cache(found, images, settings.home, steps, finished)
    where = {
        literal: folders[source.name] / place[len(source.name) + 1 :]
        for literal, place in source.mapping.items()
    }
    absolute = {literal: folder for literal, folder in where.items() if literal.startswith("/")}
    counts = Counter[str]()
    for use, folder in sorted({(e.use, where[e.path]) for e in data if e.path in where}):
        counts[use] += _count_images(folder)
    if settings.keras_data is not None:
        folders[KERAS_DATA] = settings.keras_data
    return Prepared(source.name, source.mapping, folders, absolute, dict(counts), found)


def _is_built_in(images: ImageLoading) -> bool:
    """Whether the script trains on one of Keras' own data sets, and needs no other."""
    return (images.loader or "").startswith(BUILT_IN_DATA)


def _count_images(folder: Path) -> int:
    return sum(
        looks_like_image(name) and not is_clutter(name)
        for _, _, files in os.walk(folder)
        for name in files
    )


def _steps(say: Callable[[str], None], what: str) -> Callable[[int, int], None]:
    """Progress as a line at every fifth of a long work."""

    def progress(done: int, total: int) -> None:
        if total >= 5000 and done % (total // 5) == 0:
            say(f"{what}: {done} of {total} files.")

    return progress


__all__ = [
    "KERAS_DATA",
    "REPOSITORY",
    "Broken",
    "Check",
    "Finished",
    "Picture",
    "Prepared",
    "Source",
    "cache",
    "check",
    "look_up",
    "offered",
    "prepare",
    "prune",
]
