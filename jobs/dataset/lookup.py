"""Which data set a script trains on, and where in it each path that the script names is."""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from jobs.dataset.layout import (
    Layout,
    child_folders,
    holds_images,
    is_clutter,
    join,
    read_layout,
)
from jobs.dataset.mapping import Deal, Mapper, alike, place_of, without_nested
from jobs.dataset.spelled import spelled
from jobs.errors import RetuneError
from jobs.settings import RepositorySettings, Settings
from jobs.source.script import DataFolder

REPOSITORY = "repository"
"""Name below the data root of what the pushed repository brings along."""


@dataclass(frozen=True)
class Source:
    """A data set as a script sees it.

    ``mapping``: path as the script names it -> POSIX path below the data root, which starts with
    ``name``. ``deals`` say where the script's view differs from the folders below ``root``.
    ``root`` is None where nothing has to be provided. ``images`` says whether there is something
    to check and to cache; ``only`` limits that to some folders, where it is not empty. ``renamed``:
    class folder -> what the script calls it.
    """

    name: str
    root: Path | None
    mapping: Mapping[str, str]
    layout: Layout | None = None
    deals: tuple[Deal, ...] = ()
    notes: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    images: bool = False
    origin: Literal["offered", "repository", "none"] = "none"
    renamed: Mapping[str, str] = field(default_factory=dict)

    def in_view(self, place: str) -> str:
        """A place of the script's view, with the class folders as the script names them."""
        return "/".join(self.renamed.get(part, part) for part in place.split("/"))

    def worded(self, words: Collection[str]) -> "Source":
        """The same data set with its class folders in the script's spelling, if it has one.

        ``words`` are the strings in the script. Only where all classes are among them in other
        letter case, number or separators, and none of them is as it is.
        """
        classes = self.layout.classes if self.layout is not None else ()
        names = {part for word in words for part in re.split(r"[/\\\\]", word) if part}
        if self.origin != "offered" or not classes or names & set(classes):
            return self
        renamed: dict[str, str] = {}
        for name in classes:
            spelled = [each for each in names if alike(each, name)]
            # A script that says "cat" and "cats" has the one for files, the other for folders.
            spelled = [each for each in spelled if f"{each}s" not in spelled]
            if len(spelled) != 1:
                return self
            renamed[name] = spelled[0]
        if len(set(renamed.values())) < len(renamed):
            return self
        worded = replace(self, renamed=renamed)
        mapping = {literal: worded.in_view(place) for literal, place in self.mapping.items()}
        note = "The script calls its classes " + ", ".join(
            f"{new} ({old})" for old, new in renamed.items()
        )
        return replace(worded, mapping=mapping, notes=(*self.notes, f"{note}."))


def offered(settings: Settings) -> dict[str, Path]:
    """Data set name -> folder, of all that the operator offers.

    A subfolder may be a link, since the operator alone can make one there.
    """
    if settings.datasets is None:
        return {}
    try:
        entries = sorted(settings.datasets.iterdir())
    except OSError as error:
        raise RetuneError(
            f"The data sets' folder {settings.datasets} cannot be read ({error.strerror}); "
            "correct RETUNE_DATASETS."
        ) from error
    return {
        each.name: each.resolve() for each in entries if each.is_dir() and not is_clutter(each.name)
    }


def look_up(
    settings: Settings,
    repository: RepositorySettings,
    checkout: Path,
    folders: Sequence[DataFolder],
    words: Collection[str] = (),
) -> Source:
    """Find the data set for the paths in a script; ``words`` are all strings in it.

    In this order: what ``retune.toml`` names; the repository's own files, where it has all that the
    script names; the operator's default; the only one that is offered.

    Raises RetuneError where there is none, or where it lacks what a path in the script stands for.
    """
    if repository.dataset is not None:
        if repository.dataset.startswith("./"):
            return _own_folder(checkout, repository.dataset[2:], folders)
        return _named(settings, repository.dataset, folders, words, "retune.toml names")
    loaded = [each for each in folders if each.use != "copied"]
    if not loaded:
        return _by_words(settings, checkout, folders, words)
    copied = [each for each in folders if each.copied]
    own = _own_files(checkout, loaded) or (_own_files(checkout, copied) if copied else None)
    if own is not None:
        return own
    if settings.dataset is not None:
        return _named(settings, settings.dataset, folders, words, "RETUNE_DATASET names")
    names = offered(settings)
    if len(names) == 1:
        return _offered(*names.popitem(), folders, words)
    first = loaded[0]
    raise RetuneError(
        f"{place_of(first)} loads {first.path!r}, which the repository does not have; "
        + (
            f'choose a data set in retune.toml (dataset = "name"): {", ".join(names)}.'
            if names
            else "commit the data, or let the operator offer a data set in RETUNE_DATASETS."
        )
    )


def _by_words(
    settings: Settings, checkout: Path, copied: Sequence[DataFolder], words: Collection[str]
) -> Source:
    """Following the script showed no data that it loads, or only what it copies it from.

    Its words may show some, in the data set that needs no naming.
    """
    nothing = Source("", None, {})
    names = offered(settings)
    name = settings.dataset or (next(iter(names)) if len(names) == 1 else None)
    if name is None or name not in names:
        return nothing
    known = copied if words and _is_heap(names[name]) else ()
    found = [
        each
        for each in (*known, *spelled(name, names[name], known, words))
        if (below := _relative(each)) is None or _inside(checkout, below) is None
    ]
    return _offered(name, names[name], found, ()) if found else nothing


def _offered(
    name: str, root: Path, folders: Sequence[DataFolder], words: Collection[str]
) -> Source:
    """With what the words of the script name beside ``folders``, as far as it can be provided."""
    source = _mapped(name, root, folders, "offered")
    if more := spelled(name, root, folders, words):
        with contextlib.suppress(RetuneError):
            return _mapped(name, root, [*folders, *more], "offered")
    return source


def _named(
    settings: Settings,
    name: str,
    folders: Sequence[DataFolder],
    words: Collection[str],
    who: str,
) -> Source:
    names = offered(settings)
    if name not in names:
        there = f"offered are {', '.join(names)}" if names else "none is offered"
        raise RetuneError(f"{who} the data set {name!r}, which there is not; {there}.")
    return _offered(name, names[name], folders, words)


def _own_folder(checkout: Path, place: str, folders: Sequence[DataFolder]) -> Source:
    found = _inside(checkout, PurePosixPath(place))
    if found is None or not found.is_dir():
        raise RetuneError(
            f"retune.toml names the data set ./{place}, which is not a folder of the repository; "
            f"it has {', '.join(child_folders(checkout)) or 'no folders'}."
        )
    return _mapped(REPOSITORY, found, folders, "repository")


def _own_files(checkout: Path, folders: Sequence[DataFolder]) -> Source | None:
    """The repository itself, where all that the script names is there as the script names it.

    Files need no mapping. Folders get one, so that the images among them can be cached.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        below = _relative(folder)
        real = _inside(checkout, below) if below is not None else None
        # A folder for a last test may be looked for and be missing.
        if real is not None:
            found[folder.path] = real
        elif folder.use != "test" or not found:
            return None
    images = {path: real for path, real in found.items() if real.is_dir() and holds_images(real)}
    if not images:
        return Source(REPOSITORY, None, {}, origin="repository")
    root = Path(os.path.commonpath(list(images.values())))
    places = {path: real.relative_to(root).as_posix() for path, real in images.items()}
    places = {path: "" if place == "." else place for path, place in places.items()}
    return Source(
        REPOSITORY,
        root,
        without_nested({path: join(REPOSITORY, place) for path, place in places.items()}),
        read_layout(root),
        only=_outermost(places.values()),
        images=True,
        origin="repository",
    )


def _outermost(places: Iterable[str]) -> tuple[str, ...]:
    """The places that lie in none of the others; nothing where one of them is the root."""
    unique = set(places)
    if "" in unique:
        return ()
    return tuple(sorted(p for p in unique if not any(p.startswith(f"{o}/") for o in unique)))


def _relative(folder: DataFolder) -> PurePosixPath | None:
    """The path in the repository that a literal means, as seen from the script's folder."""
    literal = PurePosixPath(folder.path)
    if literal.is_absolute() or "\\" in folder.path or not folder.path:
        return None
    parts: list[str] = list(PurePosixPath(folder.place.path).parent.parts)
    for part in literal.parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return None
    return PurePosixPath(*parts)


def _inside(root: Path, below: PurePosixPath) -> Path | None:
    """The file or folder, or None where there is none or a link leads out of the root."""
    try:
        found = (root / below).resolve()
        return found if found.exists() and found.is_relative_to(root.resolve()) else None
    except (OSError, RuntimeError, ValueError):
        return None


def _is_heap(root: Path) -> bool:
    """Whether a data set's images lie in no class folders."""
    return not read_layout(root).classes and holds_images(root)


def _mapped(
    name: str,
    root: Path,
    folders: Sequence[DataFolder],
    origin: Literal["offered", "repository"],
) -> Source:
    if any(each.copied for each in folders) and _is_heap(root):
        # The script sorts the images into folders by itself, which it then loads.
        heaps = [replace(each, use="all") for each in folders if each.copied]
        folders = [*heaps, *(each for each in folders if each.use == "archive")]
    folders = [each for each in folders if each.use != "copied"]
    mapper = Mapper(name, root, folders)
    mapping = mapper.map_all()
    return Source(
        name,
        root,
        without_nested({literal: join(name, place) for literal, place in mapping.items()}),
        mapper.layout,
        tuple(mapper.deals),
        tuple(dict.fromkeys(mapper.notes)),
        images=bool(mapper.folders) and holds_images(root),
        origin=origin,
    )
