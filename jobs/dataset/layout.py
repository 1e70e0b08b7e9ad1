"""How a folder of images is laid out: splits, class folders, or neither."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "validation", "test"]

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff"),
        *(".ppm", ".pgm", ".webp", ".jp2", ".avif"),
    )
)
"""Of files that are meant as images, whether or not they are."""

_ALIASES: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "trainset", "traindata", "trn"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val", "valset", "dev"), "validation"),
    **dict.fromkeys(("evaluation", "eval", "validset", "validationset"), "validation"),
    **dict.fromkeys(("test", "testing", "testset", "testdata", "tst", "holdout"), "test"),
}
_FILLERS = frozenset(
    (
        *("set", "sets", "data", "dataset", "split", "seg", "samples", "dir", "folder"),
        *("image", "images", "img", "imgs", "photos", "pictures"),
    )
)
_CLUTTER = frozenset(
    ("__macosx", "@eadir", "lost+found", "$recycle.bin", "__pycache__", "thumbs.db", "desktop.ini")
)


def split_of(name: str) -> Split | None:
    """Which split a folder's name means: ``training_set`` is ``train``."""
    words = [word for word in re.findall("[a-z]+", name.casefold()) if word not in _FILLERS]
    return _ALIASES.get(words[0]) if len(words) == 1 else None


def is_clutter(name: str) -> bool:
    """Whether a file or folder is what systems and tools leave behind."""
    return name.startswith(".") or name.casefold() in _CLUTTER


def looks_like_image(name: str) -> bool:
    return os.path.splitext(name)[1].casefold() in SUFFIXES


def holds_images(folder: Path) -> bool:
    """Whether it is a place for images: it has some, or it has no files at all."""
    other = False
    for _, folders, files in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not is_clutter(name)]
        if any(looks_like_image(name) for name in files if not is_clutter(name)):
            return True
        other = other or any(not is_clutter(name) for name in files)
    return not other


@dataclass(frozen=True)
class Layout:
    """Where in a data set the splits and class folders are; paths are POSIX, "" is the root.

    ``base`` holds the class folders where there are no splits. ``classes`` are the names of the
    class folders, empty where images lie in one flat folder.
    """

    splits: Mapping[Split, str]
    base: str
    classes: tuple[str, ...]

    def places(self) -> list[tuple[str, str]]:
        """Each split with its folder; one without a name where there are no splits."""
        return [*self.splits.items()] or [("", self.base)]

    def describe(self) -> str:
        """What there is, as part of a sentence."""
        names = [place or "." for place in self.splits.values()]
        classes = "no class folders"
        if self.classes:
            plural = "es" if len(self.classes) > 1 else ""
            classes = f"the class{plural} {_listed(self.classes)}"
        if not names:
            return f"no splits and {classes}"
        return f"the folder{'s' * (len(names) > 1)} {_listed(names)} and {classes}"


def _listed(names: list[str] | tuple[str, ...], most: int = 12) -> str:
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def read_layout(root: Path) -> Layout:
    """Look at the folders alone; wrappers such as ``dataset/dataset/train`` are seen through."""
    place = ""
    while True:
        folders = child_folders(root / place)
        splits = _splits(place, folders)
        if splits:
            inner = {split: _unwrapped(root, where) for split, where in splits.items()}
            first = inner.get("train", next(iter(inner.values())))
            return Layout(inner, "", tuple(child_folders(root / first)))
        deeper = _only_wrapper(root, place)
        if deeper is None:
            return Layout({}, place, tuple(folders))
        place = deeper


def child_folders(folder: Path) -> list[str]:
    try:
        return sorted(each.name for each in _entries(folder) if each.is_dir())
    except OSError:
        return []


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (each for each in entries if not is_clutter(each.name))


def _splits(place: str, folders: list[str]) -> dict[Split, str]:
    found: dict[Split, str] = {}
    for name in folders:
        split = split_of(name)
        if split is not None:
            found.setdefault(split, join(place, name))
    # A lone class folder called "test" makes no split; training data does.
    if "train" not in found and len(found) < 2:
        return {}
    order: tuple[Split, ...] = ("train", "validation", "test")
    return {split: found[split] for split in order if split in found}


def _unwrapped(root: Path, place: str) -> str:
    while (deeper := _only_wrapper(root, place)) is not None:
        place = deeper
    return place


def _only_wrapper(root: Path, place: str) -> str | None:
    """The one subfolder that everything lies in, where it is no class folder itself."""
    try:
        entries = list(_entries(root / place))
    except OSError:
        return None
    folders = [each.name for each in entries if each.is_dir()]
    if len(folders) != 1 or any(looks_like_image(each.name) for each in entries if each.is_file()):
        return None
    deeper = join(place, folders[0])
    return deeper if child_folders(root / deeper) else None


def join(place: str, name: str) -> str:
    """POSIX path of ``name`` below ``place``; either may be empty."""
    return f"{place}/{name}" if place and name else place or name
