"""What a script meets outside of Keras: pictures, commands, files elsewhere, downloads."""

import builtins
import contextlib
import functools
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer import archives, copies, downloads
from trainer.imports import once_imported
from trainer.session import Session

# Programs that need a network, a person or rights that there are none of in an environment.
_HARMLESS = frozenset(
    {
        *("apt", "apt-get", "conda", "curl", "docker", "git", "gsutil", "kaggle", "mail"),
        *("mailx", "pip", "pip3", "sendmail", "shutdown", "ssh", "scp", "sudo", "wget"),
    }
)
_WINDOW_CALLS = (
    *("imshow", "waitKey", "waitKeyEx", "namedWindow", "moveWindow", "resizeWindow"),
    *("destroyWindow", "destroyAllWindows", "setMouseCallback", "createTrackbar"),
)
_ESCAPE = 27
_ENDING = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def prepare() -> None:
    """What takes some time and is the same for all trials."""
    downloads.prepare()
    with contextlib.suppress(ImportError):
        from trainer import plots  # noqa: F401  (imports matplotlib)


def install(data: Path, session: Session) -> None:
    """``data`` is the data root; its entry ``.keras`` holds files that Keras would download."""
    _plots(session.trial.folder)
    _windows()
    _commands(session.state.note)
    _stay(session.state.note)
    _own_end(session.state.note)
    if session.request.data:
        archives.install(session.state.note)
        copies.install(data, session.state.note)
    _files_elsewhere(session)
    downloads.install(data / ".keras", session.state.note)


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


def _windows() -> None:
    """OpenCV's windows, once a script imports it: nothing is shown, and the answer is Escape."""

    def change(cv2: Any) -> None:
        for name in _WINDOW_CALLS:
            setattr(cv2, name, lambda *_, **__: _ESCAPE)

    once_imported("cv2", change)


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


def _stay(note: Callable[[str], None]) -> None:
    """A script that goes to a folder of its author's machine stays: its data is where it is."""
    original = os.chdir

    @functools.wraps(original)
    def chdir(path: Any) -> None:
        if isinstance(path, int) or os.path.lexists(path):
            original(path)
        else:
            note(f"The script goes to the folder {path}, which is not here: it stays where it is.")

    os.chdir = chdir


def _own_end(note: Callable[[str], None]) -> None:
    """A script that kills its own process, as notebooks do to free their machine, just ends."""
    original = os.kill

    @functools.wraps(original)
    def kill(pid: int, number: int) -> None:
        if pid == os.getpid() and number in _ENDING:
            note("The script kills its own process; that is taken as its end.")
            raise SystemExit
        original(pid, number)

    os.kill = kill


def _files_elsewhere(session: Session) -> None:
    """Files that are written where nothing may be written go to ``work/elsewhere/<path>``.

    They are found there again when the script reads them.
    """
    original = builtins.open
    place = session.trial.work / "elsewhere"

    @functools.wraps(original)
    def open_(file: Any, mode: str = "r", *others: Any, **named: Any) -> Any:
        if not isinstance(file, (str, os.PathLike)) or not os.path.isabs(file):
            if isinstance(file, (str, os.PathLike)) and mode[:1] in ("w", "a", "x"):
                # Git keeps no empty folder: the one that the script writes into is not there.
                with contextlib.suppress(OSError):
                    os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
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
