"""What a script meets outside of Keras: pictures, commands, files elsewhere, downloads."""

import builtins
import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.session import Session

# Programs that need a network, a person or rights that there are none of in an environment.
_HARMLESS = frozenset(
    {
        *("apt", "apt-get", "conda", "curl", "docker", "git", "gsutil", "kaggle", "mail"),
        *("mailx", "pip", "pip3", "sendmail", "shutdown", "ssh", "scp", "sudo", "wget"),
    }
)


def install(data: Path, session: Session) -> None:
    """``data`` is the data root; its entry ``.keras`` holds files that Keras would download."""
    _plots(session.trial.folder)
    _commands(session.state.note)
    _files_elsewhere(session)
    _downloads(data / ".keras")


def _plots(folder: Path) -> None:
    os.environ["MPLBACKEND"] = "module://trainer.plots"
    os.environ["RETUNE_PLOTS"] = str(folder / "figures")
    try:
        import matplotlib
    except ImportError:
        return

    original = matplotlib.use
    # The variable comes too late where Keras has imported matplotlib for its own sake.
    original("module://trainer.plots")

    @functools.wraps(original)
    def use(backend: str, **named: Any) -> None:
        # A window cannot be opened here, whichever toolkit the script asks for.
        if backend.lower() in ("agg", "pdf", "svg", "ps", "cairo"):
            original(backend, **named)

    matplotlib.use = use


def _commands(note: Callable[[str], None]) -> None:
    """Commands that cannot work here fail without doing anything, and are named in the record."""
    system, popen = os.system, subprocess.Popen.__init__

    def is_harmless(command: Any) -> bool:
        words = command.split() if isinstance(command, str) else [str(each) for each in command]
        name = os.path.basename(words[0]) if words else ""
        if name not in _HARMLESS:
            return False
        note(f"The command was left out: {' '.join(words)[:100]}")
        print(f"Left out: {' '.join(words)}", flush=True)
        return True

    def quiet_system(command: Any) -> int:
        return 127 << 8 if is_harmless(command) else system(command)

    @functools.wraps(popen)
    def quiet_popen(self: Any, args: Any, *others: Any, **named: Any) -> None:
        if is_harmless(args):
            args, named = "exit 127", named | {"shell": True}
        popen(self, args, *others, **named)

    os.system = quiet_system
    subprocess.Popen.__init__ = quiet_popen  # type: ignore[method-assign]


def _files_elsewhere(session: Session) -> None:
    """Files that are written where nothing may be written go to ``work/elsewhere/<path>``.

    They are found there again when the script reads them.
    """
    original = builtins.open
    place = session.trial.work / "elsewhere"

    @functools.wraps(original)
    def open_(file: Any, mode: str = "r", *others: Any, **named: Any) -> Any:
        if not isinstance(file, (str, os.PathLike)) or not os.path.isabs(file):
            return original(file, mode, *others, **named)
        moved = place / str(os.fspath(file)).lstrip("/")
        if "r" in mode and "+" not in mode:
            known = moved if not os.path.exists(file) and moved.exists() else file
            return original(known, mode, *others, **named)
        try:
            return original(file, mode, *others, **named)
        except (PermissionError, FileNotFoundError, OSError) as error:
            if isinstance(error, FileExistsError):
                raise
            moved.parent.mkdir(parents=True, exist_ok=True)
            session.state.note(f"{file} cannot be written here; it is in the trial's folder.")
            return original(moved, mode, *others, **named)

    builtins.open = open_


def _downloads(folder: Path) -> None:
    """``keras.datasets.*.load_data()`` and weights of ``keras.applications`` from the operator.

    Keras looks into ``$KERAS_HOME/<subfolder>`` before it downloads. A file that the operator's
    folder has is linked there; one that is missing is asked for by name.
    """
    import sys

    from keras.src.utils import file_utils

    original = file_utils.get_file

    @functools.wraps(original)
    def get_file(fname: Any = None, origin: Any = None, *others: Any, **named: Any) -> Any:
        name = os.path.basename(str(fname or origin or ""))
        home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
        cache = Path(named.get("cache_dir") or home) / named.get("cache_subdir", "datasets")
        if not (cache / name).exists():
            found = next(iter(sorted(folder.rglob(name))), None) if folder.is_dir() else None
            if found is None:
                raise FileNotFoundError(
                    f"The script downloads {name}, and there is no network here; ask the operator "
                    "to put it into the folder that RETUNE_KERAS_DATA names."
                )
            cache.mkdir(parents=True, exist_ok=True)
            (cache / name).symlink_to(found)
        return original(fname, origin, *others, **named)

    for module in list(sys.modules.values()):
        if getattr(module, "get_file", None) is original:
            module.get_file = get_file  # type: ignore[attr-defined]
