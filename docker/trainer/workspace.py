"""The folder that a script works in: the commit's files, and its data where it looks for them."""

import os
import posixpath
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainer import elsewhere, wording

# Files that a script reads only, or too large to copy for each trial, are linked.
_LINKED_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
_MOST_OWN = 60_000
_COPIED_BYTES = 16 * 1024 * 1024

# What people call the parts of a data set. A script that names one finds the other.
SPLIT_NAMES = (
    ("train", "training", "training_set", "train_set", "trainset"),
    ("validation", "val", "valid", "validation_set", "val_set", "valid_set"),
    ("test", "testing", "test_set", "testset"),
)


@dataclass(frozen=True)
class Workspace:
    """``root``: the commit's copy. ``script``: the model script in it; its folder is the cwd.

    ``shown``: places that are there because there is data in them or below, as a script that makes
    its data's folders does not expect.
    """

    root: Path
    script: Path
    shown: tuple[Path, ...] = ()


def make(
    source: Path, work: Path, script: str, data: Mapping[str, str], data_root: Path
) -> Workspace:
    """Copy a commit from ``source`` to ``work`` and put links to the data where ``script`` looks.

    ``data`` maps paths as the script names them to places below ``data_root``. Files that an
    earlier run of the trial has left in ``work`` stay, those of the commit are made anew. Raises
    FileNotFoundError where the script is not in the commit.
    """
    texts = wording.read(source)
    literals = wording.strings(texts)
    relative = {path: place for path, place in data.items() if not posixpath.isabs(path)}
    relative |= _as_windows_spells(relative, literals)
    relative |= _put_together_in_windows(relative, literals, data_root)
    # A script that names ../data finds it inside of the trial's folder as well.
    levels = [_levels_up(posixpath.join(posixpath.dirname(script), path)) for path in relative]
    root = work.joinpath(*["above"] * max(levels, default=0))
    place = root / script
    folder = place.parent
    links = {
        Path(os.path.normpath(folder / path)): data_root / target
        for path, target in relative.items()
    }
    _copy(source, root, leave_out=set(links))
    if not place.is_file():
        raise FileNotFoundError(f"There is no {script} in the commit.")
    # From the outside in, so that a link for a folder becomes a folder before it gets an entry.
    moves = wording.moves_files(texts)
    for path in sorted(links, key=lambda each: len(each.parts)):
        _link(path, links[path], stop=work)
        if moves and path.is_dir():
            _own(path, [_MOST_OWN])
    left = [_MOST_OWN]
    for path in links:
        if "\\" in path.name and path.is_dir():
            _spread(path, left)
    places = elsewhere.prepare(literals, work)
    absolute = {path: data_root / at for path, at in data.items() if posixpath.isabs(path)}
    for path, target in elsewhere.lead_data(absolute, places, work / "elsewhere").items():
        _link(path, target, stop=work)
        if moves and path.is_dir():
            _own(path, [_MOST_OWN])
    made = {above for path in links for above in path.parents if above.is_relative_to(root)}
    return Workspace(root, place, tuple({*links, *made} - {root}))


def _as_windows_spells(data: Mapping[str, str], literals: Collection[str]) -> dict[str, str]:
    """``C:\\cats\\train`` is a file name here, and is led to where ``C:/cats/train`` is.

    So is a path that the script puts together: ``data\\`` before ``train``, joined or added.
    """
    found: dict[str, str] = {}
    for spelled in literals:
        plain = spelled.replace("\\", "/").rstrip("/")
        if "\\" not in spelled or "\n" in spelled or not plain:
            continue
        for path, place in data.items():
            if plain == path:
                found[spelled] = place
            elif plain.startswith(f"{path}/"):
                found[spelled] = posixpath.join(place, plain.removeprefix(f"{path}/"))
            elif path.startswith(f"{plain}/"):
                rest = path.removeprefix(f"{plain}/")
                found[posixpath.join(spelled, rest)] = place
                if spelled.endswith("\\"):
                    found[spelled + rest] = place
                slash = "" if spelled.endswith("\\") else "\\"
                found[spelled + slash + rest.replace("/", "\\")] = place
    return found


def _put_together_in_windows(
    data: Mapping[str, str], literals: Collection[str], data_root: Path
) -> dict[str, str]:
    """Paths whose last part alone has backslashes: ``\\train`` or ``train\\cats`` behind a folder.

    The folder's path, or all of it, may be one of ``data``.
    """
    found: dict[str, str] = {}
    for spelled in literals:
        plain = spelled.replace("\\", "/").strip("/")
        if "\\" not in spelled or "\n" in spelled or not plain or ".." in plain.split("/"):
            continue
        for path, place in data.items():
            if path.endswith(f"/{plain}"):
                found[_behind(path.removesuffix(f"/{plain}"), spelled)] = place
            elif not plain.startswith(path) and _is_there(data_root / place / plain):
                found[_behind(path, spelled)] = posixpath.join(place, plain)
    return found


def _behind(folder: str, spelled: str) -> str:
    """A script adds what begins with a slash, and joins what does not."""
    return folder + spelled if spelled[0] in "\\/" else posixpath.join(folder, spelled)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a text that is too long, or has a null in it
        return False


def _levels_up(path: str) -> int:
    parts = PurePosixPath(posixpath.normpath(path)).parts
    return sum(part == ".." for part in parts)


def _copy(source: Path, target: Path, leave_out: set[Path]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for entry in os.scandir(source):
        place = target / entry.name
        if entry.name == ".git" or place in leave_out:
            continue
        if entry.is_symlink():
            _remove(place)
            place.symlink_to(os.readlink(entry.path))
        elif entry.is_dir():
            if place.is_symlink():
                place.unlink()
            _copy(Path(entry.path), place, leave_out)
        elif _is_linked(entry):
            _remove(place)
            place.symlink_to(entry.path)
        else:
            _remove(place)
            shutil.copyfile(entry.path, place)


def _is_linked(entry: "os.DirEntry[str]") -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()
    return suffix in _LINKED_SUFFIXES or entry.stat().st_size > _COPIED_BYTES


def _link(path: Path, target: Path, stop: Path) -> None:
    """Make ``path`` lead to ``target``; folders above it that are links become folders of links."""
    for above in reversed(path.parents):
        if not above.is_relative_to(stop):
            continue
        if above.is_symlink():
            _unfold(above)
        above.mkdir(exist_ok=True)
    if path.is_symlink() or path.is_file():
        path.unlink()
    if path.is_dir():
        # An earlier run's, or one that a deeper link has been put into.
        shutil.rmtree(path)
    path.symlink_to(target)
    if target.is_dir() and (aliases := _aliases(target)):
        _unfold(path)
        for name, entry in aliases.items():
            (path / name).symlink_to(entry)


def _own(folder: Path, left: list[int]) -> None:
    """Folders of the script's own, with links to the files, where it moves or removes some."""
    if folder.is_symlink():
        _unfold(folder)
    for entry in list(os.scandir(folder)):
        left[0] -= 1
        if left[0] > 0 and entry.is_dir():
            _own(Path(entry.path), left)


def _spread(folder: Path, left: list[int]) -> None:
    """Beside ``C:\\cats``, which is one name here, put ``C:\\cats\\train`` and what is below."""
    above = folder.name.rstrip("\\")
    for entry in sorted(os.listdir(folder)):
        left[0] -= 1
        if left[0] < 0:
            return
        place = folder.with_name(f"{above}\\{entry}")
        if not os.path.lexists(place):
            try:
                place.symlink_to(folder / entry)
            except OSError:  # a longer name than a file may have
                continue
        if place.is_dir():
            _spread(place, left)


def _unfold(link: Path) -> None:
    """Turn a link to a folder into a folder of links to its entries."""
    target = Path(os.path.realpath(link))
    link.unlink()
    link.mkdir()
    if target.is_dir():
        for entry in target.iterdir():
            (link / entry.name).symlink_to(entry)


def _aliases(folder: Path) -> dict[str, Path]:
    """Other usual names of the splits in a data set's folder; none where it has no splits."""
    entries = {entry.name.lower(): entry for entry in folder.iterdir() if entry.is_dir()}
    aliases: dict[str, Path] = {}
    for names in SPLIT_NAMES:
        found = next((entries[name] for name in names if name in entries), None)
        if found is not None:
            aliases |= {name: found for name in names if name not in entries}
    if not any(found.name.lower() in SPLIT_NAMES[0] for found in aliases.values()):
        return {}
    return aliases


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
