"""Archives that a script unpacks and that are not here, since their content is mounted unpacked."""

import functools
import io
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

_ENDINGS = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz")


def install(note: Callable[[str], None]) -> None:
    """A missing archive is an empty one: what it would hold is where it would be unpacked to."""

    def is_missing(file: Any, mode: str) -> bool:
        if not isinstance(file, (str, os.PathLike)) or not mode.startswith("r"):
            return False
        # Models and arrays are archives to Python as well, and mount nothing.
        if os.path.exists(file) or not str(file).lower().endswith(_ENDINGS):
            return False
        if os.fspath(file) in sys.path:  # Python looks there for modules
            return False
        note(f"The archive {os.fspath(file)} is not here; its content is taken from the data set.")
        return True

    init, unpack = zipfile.ZipFile.__init__, shutil.unpack_archive
    open_: Callable[..., Any] = tarfile.open

    @functools.wraps(init)
    def init_zip(self: Any, file: Any, mode: Any = "r", *others: Any, **named: Any) -> None:
        if is_missing(file, mode):
            empty = io.BytesIO()
            zipfile.ZipFile(empty, "w").close()
            file, mode = empty, "r"
        init(self, file, mode, *others, **named)

    @functools.wraps(open_)
    def open_tar(name: Any = None, mode: str = "r", *others: Any, **named: Any) -> Any:
        if is_missing(name, mode):
            empty = io.BytesIO()
            open_(fileobj=empty, mode="w").close()
            empty.seek(0)
            return open_(fileobj=empty)
        return open_(name, mode, *others, **named)

    @functools.wraps(unpack)
    def unpack_archive(filename: Any, *others: Any, **named: Any) -> None:
        if not is_missing(filename, "r"):
            unpack(filename, *others, **named)

    zipfile.ZipFile.__init__ = init_zip  # type: ignore[method-assign]
    tarfile.open = open_tar
    shutil.unpack_archive = unpack_archive
