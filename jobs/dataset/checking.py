"""Whether every image of a data set decodes, and what its splits and classes hold."""

import hashlib
import io
import json
import os
import sqlite3
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from jobs.dataset.decoding import TooLarge, decoded
from jobs.dataset.layout import Layout, is_clutter, join, looks_like_image
from jobs.dataset.lookup import Source
from jobs.errors import RetuneError

MOST_BYTES = 512 * 1024**2
CHECKER = 2
"""Raised when the check itself changes, so that what is remembered is forgotten."""
KERAS_READS = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".tif", ".tiff"))
_TENSORFLOW_DECODES = frozenset(("JPEG", "MPO", "PNG", "GIF", "BMP", "DIB"))

Progress = Callable[[int, int], None]
"""Called with how many files are done, and of how many."""
See = Callable[[str, Image.Image], None]
"""Called by several threads with the digest of a file that is decoded here, and its image."""


@dataclass(frozen=True)
class Picture:
    """An image that decodes. ``place`` is relative to the data set's root, ``digest`` SHA-256."""

    place: str
    digest: str
    mode: str
    format: str
    size: tuple[int, int]


@dataclass(frozen=True)
class Broken:
    """A file that is left out, and why: a clause."""

    place: str
    reason: str


@dataclass(frozen=True)
class Check:
    """What is in a data set. ``others`` are files that are no images, such as labels.csv.

    ``folders`` are all that a directory loader would see, empty ones too: they are its classes.
    ``untidy`` says that the data set holds links, or folders that are no classes (``.cache``).
    ``counts``: split ("" where there are none) -> class ("" in a flat folder) -> images.
    """

    source: Source
    pictures: tuple[Picture, ...]
    broken: tuple[Broken, ...]
    others: tuple[str, ...]
    folders: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    warnings: tuple[str, ...]
    untidy: bool

    @cached_property
    def fingerprint(self) -> str:
        """The same for the same images under the same names, wherever and since when they lie.

        Other files are known by size and time alone: they may be large.
        """
        assert self.source.root is not None
        states = [(place, (self.source.root / place).stat()) for place in self.others]
        content = [
            [(each.place, each.digest) for each in self.pictures],
            [(place, state.st_size, state.st_mtime_ns) for place, state in states],
            self.folders,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def describe(self) -> list[str]:
        """Lines for the build log."""
        lines = []
        for split, classes in self.counts.items():
            what = ", ".join(f"{count} {name or 'images'}" for name, count in classes.items())
            lines.append(f"{split or self.source.name}: {what}")
        shown = [f"left out: {each.place} {each.reason}" for each in self.broken[:20]]
        if len(self.broken) > len(shown):
            shown.append(f"left out: {len(self.broken) - len(shown)} more")
        return [*lines, *shown, *self.warnings]


def check(
    source: Source, home: Path, progress: Progress | None = None, see: See | None = None
) -> Check:
    """Decode every image of the data set; what is known from an earlier check is not read again.

    Raises RetuneError where there is no image that decodes, or the data set cannot be read.
    """
    assert source.root is not None
    listing = _Listing(source.root)
    try:
        for start in source.only or ("",):
            listing.walk(start)
    except OSError as error:
        raise RetuneError(
            f"The data set {source.name} cannot be read ({error.strerror}: {error.filename})."
        ) from error
    wanted = sorted(place for place in listing.files if looks_like_image(place))
    try:
        with closing(_Memory(home)) as memory:
            found = memory.look_at(
                source.root,
                wanted,
                progress or (lambda _done, _of: None),
                see or (lambda _digest, _image: None),
            )
    except (sqlite3.Error, OSError) as error:
        raise RetuneError(
            f"What earlier checks found, in {home / 'cache'}, cannot be read or written ({error}); "
            "make the folder writable, or remove checks.sqlite3 from it."
        ) from error
    pictures = tuple(each for each in found if isinstance(each, Picture))
    unread = [each for each in found if isinstance(each, Broken)]
    broken = tuple(sorted(listing.refused + unread, key=lambda each: each.place))
    if not pictures:
        why = (
            f"; the first of {len(broken)}: {broken[0].place} {broken[0].reason}" if broken else ""
        )
        raise RetuneError(
            f"The data set {source.name} has no image that can be read{why}. "
            "It takes class folders with images in them."
        )
    counts = _count(source, pictures)
    return Check(
        source=source,
        pictures=pictures,
        broken=broken,
        others=tuple(sorted(place for place in listing.files if not looks_like_image(place))),
        folders=tuple(sorted(listing.folders)),
        counts=counts,
        warnings=tuple(_warnings(source, pictures, broken, counts)),
        untidy=listing.untidy,
    )


class _Listing:
    """The files and folders below a root; places are POSIX paths relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[str] = []
        self.folders: list[str] = []
        self.refused: list[Broken] = []
        self.untidy = False

    def walk(self, place: str, above: frozenset[str] = frozenset()) -> None:
        """Raises OSError. A link to a folder that it lies in itself is not followed."""
        real = os.path.realpath(self.root / place)
        if real in above:
            return
        if place:
            self.folders.append(place)
        with os.scandir(self.root / place) as entries:
            found = sorted(entries, key=lambda each: each.name)
        for entry in found:
            below = join(place, entry.name)
            if is_clutter(entry.name):
                self.untidy = self.untidy or entry.is_dir()
                continue
            if entry.is_symlink():
                self.untidy = True
                target = Path(os.path.realpath(entry.path))
                if not target.is_relative_to(self.root):
                    self.refused.append(Broken(below, "is a link that leads out of the data set"))
                    continue
            if entry.is_dir():
                self.walk(below, above | {real})
            elif entry.is_file():
                self.files.append(below)
            else:
                self.refused.append(Broken(below, "is no ordinary file"))


class _Memory:
    """What was found in files and contents before, in the home's cache.

    Files are known by path, size and time; contents by digest, so that the same image in another
    checkout is not decoded again.
    """

    def __init__(self, home: Path) -> None:
        folder = home / "cache"
        folder.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(folder / "checks.sqlite3", timeout=60)
        self._database.executescript(
            "PRAGMA journal_mode=WAL;"
            "CREATE TABLE IF NOT EXISTS files"
            " (path TEXT PRIMARY KEY, size INTEGER, time INTEGER, digest TEXT);"
            "CREATE TABLE IF NOT EXISTS contents"
            " (digest TEXT, checker INTEGER, found TEXT, PRIMARY KEY (digest, checker));"
        )

    def close(self) -> None:
        self._database.close()

    def look_at(
        self, root: Path, places: Sequence[str], progress: Progress, see: See
    ) -> list[Picture | Broken]:
        known = self._known_files(root)
        contents = self._known_contents()
        found: list[Picture | Broken] = []
        read: list[tuple[str, int, int, str]] = []

        def look(place: str) -> tuple[str, tuple[int, int] | None, str, str]:
            path = root / place
            try:
                state = path.stat()
                stamp = state.st_size, state.st_mtime_ns
                earlier = known.get(str(path))
                if earlier and earlier[:2] == stamp and earlier[2] in contents:
                    return place, None, earlier[2], contents[earlier[2]]
                if state.st_size > MOST_BYTES:
                    return place, None, "", json.dumps("is too large for an image")
                content = path.read_bytes()
            except OSError as error:
                return place, None, "", json.dumps(f"cannot be read ({error.strerror})")
            digest = hashlib.sha256(content).hexdigest()
            return place, stamp, digest, contents.get(digest) or _decode(content, digest, see)

        # Pillow warns of what is damaged or large; the reasons here say it.
        with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor() as pool:
            for done, (place, stamp, digest, text) in enumerate(pool.map(look, places), 1):
                facts = json.loads(text)
                if isinstance(facts, str):
                    found.append(Broken(place, facts))
                else:
                    found.append(Picture(place, digest, **{**facts, "size": tuple(facts["size"])}))
                if stamp is not None:
                    contents[digest] = text
                    read.append((str(root / place), *stamp, digest))
                progress(done, len(places))
        with self._database:
            self._database.executemany("REPLACE INTO files VALUES (?, ?, ?, ?)", read)
            self._database.executemany(
                "REPLACE INTO contents VALUES (?, ?, ?)",
                [(digest, CHECKER, contents[digest]) for _, _, _, digest in read],
            )
        return found

    def _known_files(self, root: Path) -> dict[str, tuple[int, int, str]]:
        rows = self._database.execute(
            "SELECT path, size, time, digest FROM files WHERE path >= ? AND path < ?",
            (f"{root}/", f"{root}0"),
        )
        return {path: (size, time, digest) for path, size, time, digest in rows}

    def _known_contents(self) -> dict[str, str]:
        query = "SELECT digest, found FROM contents WHERE checker = ?"
        return dict(self._database.execute(query, (CHECKER,)).fetchall())


def _decode(content: bytes, digest: str, see: See) -> str:
    """The facts of an image as JSON, or the reason why it is none."""
    if not content:
        return json.dumps("is empty")
    try:
        with decoded(io.BytesIO(content)) as image:
            facts = {"mode": image.mode, "format": image.format or "", "size": image.size}
            see(digest, image)
            return json.dumps(facts)
    except TooLarge as error:
        return json.dumps(str(error))
    except UnidentifiedImageError:
        return json.dumps(f"is no image ({_kind(content)})")
    except Image.DecompressionBombError:
        return json.dumps("has too many pixels to decode safely")
    except Exception as error:  # Pillow's plugins raise nearly anything for damaged content.
        return json.dumps(f"cannot be decoded: {str(error) or type(error).__name__}")


def _kind(content: bytes) -> str:
    start = content[:256].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<svg")):
        return "a page of text in its place"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; the content was not fetched"
    return "unknown format"


def split_and_class(layout: Layout | None, place: str) -> tuple[str, str]:
    """The split ("" where there are none) and class ("" where there is none) of a file."""
    assert layout is not None
    for split, folder in layout.splits.items():
        if place.startswith(f"{folder}/"):
            parts = place[len(folder) + 1 :].split("/")
            return split, parts[0] if len(parts) > 1 else ""
    below = place[len(layout.base) + 1 :] if layout.base else place
    parts = below.split("/")
    return "", parts[0] if len(parts) > 1 else ""


def _count(source: Source, pictures: Sequence[Picture]) -> dict[str, dict[str, int]]:
    counted = Counter(split_and_class(source.layout, each.place) for each in pictures)
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for split, kind in sorted(counted):
        counts[split][kind] = counted[split, kind]
    order = ["train", "validation", "test", ""]
    return {split: counts[split] for split in order if split in counts}


def _warnings(
    source: Source,
    pictures: Sequence[Picture],
    broken: Sequence[Broken],
    counts: Mapping[str, Mapping[str, int]],
) -> Iterator[str]:
    """Sentences on what trains badly or measures wrongly."""
    yield from _empty_classes(source, counts)
    if broken:
        yield f"{len(broken)} files of {source.name} are left out since they cannot be used."
    yield from _leaks(source, pictures)
    flat = [split or source.name for split, classes in counts.items() if set(classes) == {""}]
    if flat:
        yield (
            f"{', '.join(flat)} has no class folders: images lie in one flat folder, from which "
            "flow_from_directory and image_dataset_from_directory learn no labels."
        )
    unread = Counter(
        suffix
        for each in pictures
        if (suffix := os.path.splitext(each.place)[1].casefold()) not in KERAS_READS
    )
    for suffix, count in unread.items():
        yield f"{count} {suffix} files are passed over by Keras' directory loaders."
    strange = Counter(each.format for each in pictures if each.format not in _TENSORFLOW_DECODES)
    for form, count in strange.items():
        yield f"{count} images are {form} inside, which TensorFlow's own loaders do not decode."
    deep = sum(each.mode.startswith(("I", "F")) for each in pictures)
    if deep:
        yield f"{deep} images have more than 8 bits a channel, which Keras' loaders cut off."


def _empty_classes(source: Source, counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    assert source.root is not None
    if source.layout is None:
        return
    everywhere = {kind for classes in counts.values() for kind in classes if kind}
    everywhere |= set(source.layout.classes)
    for split, place in source.layout.places():
        if set(counts.get(split, {})) == {""}:
            continue
        for kind in sorted(everywhere - set(counts.get(split, {}))):
            there = (source.root / place / kind).is_dir()
            where = join(place, kind)
            yield f"{where} holds no images." if there else f"{where} is missing."


def _leaks(source: Source, pictures: Sequence[Picture]) -> Iterator[str]:
    """The same file in two splits makes an accuracy too good."""
    splits: dict[str, dict[str, str]] = defaultdict(dict)
    for each in pictures:
        splits[each.digest].setdefault(split_and_class(source.layout, each.place)[0], each.place)
    pairs: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for found in splits.values():
        if len(found) > 1:
            pairs[tuple(sorted(found))].append(found)
    for names, cases in sorted(pairs.items()):
        example = " = ".join(cases[0][name] for name in names)
        yield (
            f"{len(cases)} images are in {' and in '.join(names)} alike ({example}): "
            "accuracies measured there are too high."
        )
