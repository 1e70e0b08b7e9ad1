"""Absolute paths that a script writes to: ``/home/accuracy.txt``, ``/task/models/cnn.h5`` …

The root of a container cannot be written to. Where the environment has laid an empty place over a
folder that the script names, the folders are made as the script expects them, and what it writes
goes to ``work/elsewhere`` of its own trial, by links. No trial sees what another has left.
"""

import functools
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from trainer.paths import is_below

# Of the container itself: nobody's to be emptied.
_OWN = ("/tmp", "/dev", "/run", "/proc", "/sys", "/retune")


def prepare(literals: Iterable[str], work: Path) -> list[Path]:
    """Empty the places and lead the absolute paths among ``literals`` to ``work``; the places."""
    places = _places()
    for place in places:
        _clear(place)
    lead(literals, places, work / "elsewhere")
    return places


def lead_data(data: Mapping[str, Path], places: Collection[Path], kept: Path) -> dict[Path, Path]:
    """Where in ``kept`` the data at absolute paths is to be shown, if it is not mounted there.

    A script that fills its data's folders by itself has them below ``places``, as its own.
    """
    found = {}
    for path in sorted(data):
        place = Path(os.path.normpath(path))
        below = any(place != each and place.is_relative_to(each) for each in places)
        if not below or os.path.ismount(place):
            continue
        with suppress(OSError, ValueError):
            _lead(place, kept, is_folder=data[path].is_dir())
            found[kept / str(place).lstrip("/")] = data[path]
    return found


def lead(literals: Iterable[str], places: Collection[Path], kept: Path) -> None:
    """Put links below ``places`` for the absolute paths among ``literals``, into ``kept``."""
    roots = [PurePosixPath(each) for each in places]
    paths: dict[PurePosixPath, bool] = {}
    for literal in sorted(literals):
        # Two slashes are mostly an address's end.
        if not literal.startswith("/") or literal.startswith("//") or "\n" in literal:
            continue
        path = PurePosixPath(os.path.normpath(literal))
        if any(path != each and path.is_relative_to(each) for each in roots):
            paths[path] = paths.get(path, False) or literal.endswith("/") or not path.suffix
    above = {each for path in paths for each in path.parents}
    for path, is_folder in paths.items():
        with suppress(OSError, ValueError):
            _lead(Path(path), kept, is_folder=is_folder or path in above)


def _lead(path: Path, kept: Path, *, is_folder: bool) -> None:
    """A link for a file; a folder where the script says that it is one, or has files in it."""
    target = kept / str(path).lstrip("/")
    (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Below a folder that is led elsewhere already, the path and its target are one.
    if not os.path.lexists(path) and not is_below(path.parent, (kept,)):
        path.symlink_to(target)


def install(kept: Path, again: Collection[Path] = ()) -> None:
    """Let a script make and remove the folders that links lead to ``kept`` as if it owned them.

    A folder that is there already may be made, since the script has not seen it being made; so may
    those below ``again``, which an earlier run of it has left.
    """
    make, remove = os.mkdir, shutil.rmtree

    @functools.wraps(make)
    def mkdir(path: Any, *arguments: Any, **named: Any) -> None:
        try:
            make(path, *arguments, **named)
        except FileExistsError:
            if not is_below(path, (kept, *again)):
                raise
            # A link to what is not there, as of a folder that looks like a file.
            real = os.path.realpath(path)
            if not os.path.lexists(real):
                make(real, *arguments, **named)

    @functools.wraps(remove)
    def rmtree(path: Any, *arguments: Any, **named: Any) -> None:
        led = not isinstance(path, int) and os.path.islink(path) and is_below(path, (kept,))
        remove(os.path.realpath(path) if led else path, *arguments, **named)

    os.mkdir = mkdir
    shutil.rmtree = rmtree  # type: ignore[assignment]


def _places() -> list[Path]:
    """Where the environment has laid a place that may be written to: mounted in memory."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = []
    for line in mounts.splitlines():
        _, place, kind, options, *_ = line.split(" ")
        is_own = any(PurePosixPath(place).is_relative_to(own) for own in _OWN)
        if kind == "tmpfs" and not is_own and "rw" in options.split(","):
            found.append(Path(place.replace("\\040", " ")))
    return found if Path("/retune/trials").is_mount() else []


def _clear(folder: Path) -> None:
    """Remove what is in it, apart from the data sets that are mounted below."""
    for entry in os.scandir(folder):
        with suppress(OSError):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
            elif not os.path.ismount(entry.path):
                if _holds_mount(Path(entry.path)):
                    _clear(Path(entry.path))
                else:
                    shutil.rmtree(entry.path)


def _holds_mount(folder: Path) -> bool:
    return any(os.path.ismount(os.path.join(at, each))
               for at, folders, _ in os.walk(folder) for each in folders)  # fmt: skip
