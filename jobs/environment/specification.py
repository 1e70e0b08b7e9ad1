"""What every environment does with a specification before it launches it."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock

from jobs.environment.base import Specification
from jobs.errors import RetuneError

LOG = "environment.log"
_LOCK = "environment.lock"


def fingerprint(specification: Specification) -> str:
    """The same for specifications that make the same environment: 16 hexadecimal digits."""
    content = {
        "study": specification.study,
        "folder": str(specification.folder),
        "data": {name: str(folder) for name, folder in specification.data.items()},
        "absolute": {name: str(folder) for name, folder in specification.absolute.items()},
        "writable": list(specification.writable),
        "limits": asdict(specification.limits),
        "image": specification.image,
        "gpus": specification.gpus,
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def prepare(specification: Specification) -> None:
    """Make the study's folders and check what is to be mounted.

    Raises RetuneError for a data folder that is missing, that has no usable name, or that a link
    in the pushed repository leads out to.
    """
    specification.source.mkdir(parents=True, exist_ok=True)
    specification.trials.mkdir(parents=True, exist_ok=True)
    inside = specification.folder.resolve()
    for name in specification.data:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise RetuneError(
                f"The data set name {name!r} cannot be a folder's name; use letters and digits."
            )
    for name, folder in (*specification.data.items(), *specification.absolute.items()):
        if not folder.exists():
            raise RetuneError(f"The data set {name} is not at {folder}; put it there.")
        pushed = Path(os.path.abspath(folder)).is_relative_to(specification.folder.absolute())
        if pushed and not folder.resolve().is_relative_to(inside):
            raise RetuneError(
                f"The data set {name} of the repository is a link to {folder.resolve()}, outside "
                "of the repository; commit the folder itself."
            )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One launch or removal at a time for a study; its folder may be gone already."""
    if not folder.is_dir():
        yield
        return
    with FileLock(folder / _LOCK):
        yield


def log_tail(folder: Path, lines: int) -> str:
    """The last lines of a study's ``environment.log``, empty where there is none."""
    try:
        text = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
