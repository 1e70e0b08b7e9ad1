"""Where in a data set each path is that a script names, whatever the data set's layout."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from jobs.dataset.layout import (
    Split,
    child_folders,
    holds_images,
    is_clutter,
    join,
    looks_like_image,
    read_layout,
    split_of,
)
from jobs.errors import RetuneError
from jobs.source.script import DataFolder

HELD_OUT: Mapping[Split, float] = {"validation": 0.2, "test": 0.1}
"""Share of the images that a split takes where the data set has none of its own."""
_PHOTOGRAPHS = frozenset((".jpg", ".jpeg"))
"""A missing PNG may be one that the script writes; these are read."""
_PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".rar", ".7z")
_FILE_SUFFIXES = frozenset(
    (
        *(".csv", ".tsv", ".txt", ".json", ".xml", ".yaml", ".yml", ".xls", ".xlsx", ".parquet"),
        *(".npy", ".npz", ".pkl", ".pickle", ".p", ".mat", ".h5", ".hdf5", ".keras", ".tfrecord"),
        *(".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z", ".pb", ".tflite", ".joblib"),
    )
)


@dataclass(frozen=True)
class Deal:
    """The class folders of ``sources`` are dealt to other places, by share, class by class.

    One place with the share 1 puts the sources together.
    """

    sources: tuple[str, ...]
    shares: Mapping[str, float]


class Mapper:
    """Finds the place of each literal in one data set.

    What steers the search must never be the test split: a path that the script validates on is
    mapped to the validation split wherever the data set has one, whatever the path is called.
    """

    def __init__(self, name: str, root: Path, folders: Sequence[DataFolder]) -> None:
        self.name, self.root = name, root
        self.layout = read_layout(root)
        self.deals: list[Deal] = []
        self.notes: list[str] = []
        self.files: dict[str, str] = {}
        self.folders: list[DataFolder] = []
        self.missing: list[DataFolder] = []
        for each in folders:
            if (found := self.file(each)) is not None:
                self.files[each.path] = found
            elif is_file_name(each.path):
                self.missing.append(each)
            else:
                self.folders.append(each)
        self.roles = {each.path: self._role(each.path) for each in self.folders}
        # Split -> its place in the script's view, and the real folder that its classes are in.
        self.places: dict[Split, str] = dict(self.layout.splits)
        self.real: dict[Split, str] = dict(self.layout.splits)

    def map_all(self) -> dict[str, str]:
        if self._is_packed():
            # The script unpacks it, into the folders that it names.
            return dict(self.files)
        self._provide_splits()
        found = self.files | {each.path: self._map(each) for each in self.folders}
        return found | {e.path: place for e in self.missing if (place := self._instead(e, found))}

    def _is_packed(self) -> bool:
        """Whether all there is is an archive that the script names."""
        packed = any(place.lower().endswith(_PACKED) for place in self.files.values())
        return packed and not holds_images(self.root)

    def _role(self, literal: str) -> Split | None:
        """What the script uses the path for; None where it takes all there is from it."""
        uses = {each.use for each in self.folders if each.path == literal}
        if "validation" in uses and "train" not in uses:
            return "validation"
        if uses == {"train"}:
            return "train"
        if uses == {"test"}:
            return "test"
        named = [split for part in _parts(literal) if (split := split_of(part))]
        return named[-1] if named else None

    def _provide_splits(self) -> None:
        """Decide where each split that the script wants comes from, before any is mapped."""
        wanted = {role: literal for literal, role in self.roles.items() if role}
        missing: list[Split] = [s for s in HELD_OUT if s in wanted and s not in self.places]
        if not self.layout.splits and not missing:
            self.places["train"] = self.real["train"] = self.layout.base
            return
        if "validation" in missing and self._validates_on_what_is_there(wanted):
            missing.remove("validation")
        if not missing:
            return
        source = self.layout.splits.get("train") if self.layout.splits else self.layout.base
        asking = next(each for each in self.folders if each.path == wanted[missing[0]])
        if source is None or not self.layout.classes:
            raise self._lacking(asking)
        shares: dict[str, float] = {"train": 1 - sum(HELD_OUT[split] for split in missing)}
        shares |= {split: HELD_OUT[split] for split in missing}
        self.deals.append(Deal((source,), shares))
        for split in ("train", *missing):
            self.places[split], self.real[split] = split, source
        parts = ", ".join(f"{share:.0%} {split}" for split, share in shares.items())
        self.notes.append(
            f"{place_of(asking)} loads {asking.path!r}, for which the data set {self.name} has no "
            f"split: {source or 'it'} is dealt out class by class, always the same way: {parts}."
        )

    def _validates_on_what_is_there(self, wanted: Mapping[Split, str]) -> bool:
        """Without a validation split, the script may name another folder that it alone uses."""
        exact = self.existing(wanted["validation"])
        others = [self.existing(path) for role, path in wanted.items() if role != "validation"]
        if not exact or exact in others or exact == self.layout.splits.get("train"):
            return False
        parts = exact.split("/")
        place = "/".join(parts[: len(parts) - len(self._below_split(wanted["validation"]))])
        self.places["validation"] = self.real["validation"] = place
        self.notes.append(
            f"{wanted['validation']!r} steers the search, since the data set {self.name} has no "
            "validation split; there is no test accuracy beside it."
        )
        return True

    def _map(self, folder: DataFolder) -> str:
        role = self.roles[folder.path]
        if role is None:
            return self._whole(folder)
        rest = self._below_split(folder.path)
        real = self._descend(self.real[role], rest) if role in self.real else None
        if real is None:
            raise self._lacking(folder)
        named = next((s for p in reversed(_parts(folder.path)) if (s := split_of(p))), None)
        if role == "validation" and named == "test" and "validation" in self.layout.splits:
            self.notes.append(
                f"{place_of(folder)} validates on {folder.path!r}: it gets {self.places[role]!r}, "
                "since a test split never steers the search."
            )
        return join(self.places[role], real[len(self.real[role]) :].strip("/"))

    def _whole(self, folder: DataFolder) -> str:
        """The place of a path from which the script takes everything."""
        joined = any(each.path.startswith(_slashed(folder.path)) for each in self.folders)
        if not joined and "train" in self.roles.values() and "validation" in self.roles.values():
            # Both are used apart; what is read beside them must not mix them.
            return self.places.get("train", self.layout.base)
        exact = self.existing(folder.path)
        if exact or joined or not self.layout.splits:
            return exact or ("" if joined else self.layout.base)
        tuned = [self.layout.splits[s] for s in ("train", "validation") if s in self.layout.splits]
        found = self._descend(tuned[0], self._below_split(folder.path)) if tuned else None
        if found is None:
            raise self._lacking(folder)
        if len(tuned) == 1:
            return found
        if not self.deals:
            self.deals.append(Deal(tuple(tuned), {"all": 1.0}))
            self.notes.append(
                f"{place_of(folder)} takes everything from {folder.path!r}: it gets "
                f"{' and '.join(tuned)} together; the test split is kept out."
            )
        return join("all", found[len(tuned[0]) :].strip("/"))

    def file(self, folder: DataFolder) -> str | None:
        """A file such as ``data/train.csv``, wherever it lies in the data set."""
        if folder.use != "archive" and not is_file_name(folder.path):
            return None
        wanted = [part.casefold() for part in _parts(folder.path)]
        found: dict[str, int] = {}
        for path in sorted(self.root.rglob("*")):
            if path.name.casefold() == wanted[-1] and path.is_file():
                below = path.relative_to(self.root)
                if path.resolve().is_relative_to(self.root):
                    have = [part.casefold() for part in below.parts]
                    found[below.as_posix()] = _common_tail(have, wanted)
        return max(found, key=found.__getitem__, default=None)

    def _instead(self, folder: DataFolder, found: Mapping[str, str]) -> str | None:
        """For a file that the data set has not: a picture to try the model on, an archive of it …

        Where the script takes its data from elsewhere as well, it is no reason to refuse it.
        """
        if not found and not looks_like_image(folder.path):
            raise self._lacking(folder)
        is_photograph = PurePosixPath(folder.path).suffix.lower() in _PHOTOGRAPHS
        picture = self._any_picture() if is_photograph else None
        instead = "it is not there" if picture is None else f"it gets {picture!r} instead"
        self.notes.append(
            f"{place_of(folder)} names {folder.path!r}, which the data set {self.name} has not: "
            f"{instead}."
        )
        return picture

    def _any_picture(self) -> str | None:
        """The first picture that stays where it is, of the test split where there is one."""
        dealt = [source for deal in self.deals for source in deal.sources]
        for place in (*reversed(list(self.layout.splits.values())), ""):
            for folder, folders, names in os.walk(self.root / place):
                folders.sort()
                below = Path(folder).relative_to(self.root)
                if any(below.is_relative_to(source) for source in dealt):
                    continue
                for name in sorted(names):
                    if PurePosixPath(name).suffix.lower() in _PHOTOGRAPHS and not is_clutter(name):
                        return (below / name).as_posix()
        return None

    def existing(self, literal: str) -> str | None:
        """The longest tail of the literal that is a folder of the data set, whatever its case."""
        parts = _parts(literal)
        for start in range(len(parts)):
            found = self._descend("", parts[start:])
            if found is not None:
                return found
        return "" if parts and alike(parts[-1], self.name) else None

    def _below_split(self, literal: str) -> list[str]:
        """``cats`` of ``data/train/cats``: what the path names below its split."""
        parts = _parts(literal)
        for index in range(len(parts) - 1, -1, -1):
            if split_of(parts[index]):
                return parts[index + 1 :]
        return [each for each in parts[-1:] if any(alike(each, c) for c in self.layout.classes)]

    def _descend(self, place: str, parts: Sequence[str]) -> str | None:
        for part in parts:
            names = child_folders(self.root / place)
            found = [n for n in names if n == part] or [n for n in names if alike(n, part)]
            if not found:
                return None
            place = join(place, found[0])
        return place

    def _lacking(self, folder: DataFolder) -> RetuneError:
        return RetuneError(
            f"{place_of(folder)} loads {folder.path!r}, for which the data set {self.name} has no "
            f"counterpart; it has {self.layout.describe()}."
        )


def is_file_name(path: str) -> bool:
    """Whether the ending is one of files that scripts read; folders may have dots as well."""
    return looks_like_image(path) or PurePosixPath(path).suffix.lower() in _FILE_SUFFIXES


def without_nested(mapping: Mapping[str, str]) -> dict[str, str]:
    """Leave out what a path above it provides already, and what would hide a path below it.

    A literal becomes a link in the script's working directory, which nothing can be put below.
    """
    kept = {
        literal: place
        for literal, place in mapping.items()
        if all(
            where == join(place, other.removeprefix(_slashed(literal)))
            for other, where in mapping.items()
            if other.startswith(_slashed(literal)) and other != literal
        )
    }
    return {
        literal: place
        for literal, place in kept.items()
        if not any(literal != other and literal.startswith(_slashed(other)) for other in kept)
    }


def _parts(literal: str) -> list[str]:
    """The names in a path of either system, without drive, root and dots."""
    path = PureWindowsPath(literal) if "\\" in literal or literal[1:2] == ":" else None
    parts = path.parts[bool(path.anchor) :] if path else PurePosixPath(literal).parts
    return [part for part in parts if part not in ("/", ".", "..", "~")]


def alike(one: str, other: str) -> bool:
    """Whether two folder names mean the same: letter case, separators and plural aside."""

    def plain(name: str) -> str:
        return "".join(c for c in name.casefold() if c.isalnum()).removesuffix("s")

    return plain(one) == plain(other)


def _common_tail(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _slashed(literal: str) -> str:
    return literal.rstrip("/") + "/"


def place_of(folder: DataFolder) -> str:
    cell = "" if folder.place.cell is None else f", cell {folder.place.cell}"
    return f"{folder.place.path}{cell}, line {folder.place.line}"
