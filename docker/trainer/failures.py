"""How a trial ended, in words: exceptions of a script, signals and exit codes of its process."""

import linecache
import os
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType


class TrialEnd(BaseException):
    """Raised by the hooks to end a script. ``except Exception`` in it does not catch this."""

    def __init__(self, ending: "Ending") -> None:
        super().__init__(ending.reason)
        self.ending = ending


@dataclass(frozen=True)
class Ending:
    """``outcome``, ``failure`` and ``reason`` as the result has them."""

    outcome: str
    failure: str | None = None
    reason: str | None = None


NO_FIT = (
    "The script has ended without a call of Keras' `fit`, so there is nothing to follow; train the "
    "model with `model.fit(..., validation_data=...)`."
)
CUSTOM_LOOP = (
    "The script trains in a loop of its own (GradientTape or train_on_batch), which cannot be "
    "followed; put the step into `train_step` of a `keras.Model` and call `model.fit(..., "
    "validation_data=...)`, then it is."
)
NO_ACCURACY = (
    "`fit` reported no validation accuracy; give it `validation_data` or `validation_split`, and "
    "compile the model with metrics=['accuracy']."
)
ARGUMENTS = 'Give it in retune.toml, such as arguments = ["--epochs", "5"].'
NO_MEMORY = (
    "The memory of the environment did not suffice; use a smaller batch size, image size or model."
)


def of_exception(error: BaseException, folder: Path) -> Ending:
    """How a script ended that raised ``error``; places in it are named relative to ``folder``."""
    if isinstance(error, TrialEnd):
        return error.ending
    if isinstance(error, SystemExit):
        if error.code in (None, 0):
            return Ending("complete")
        if error.code == 2 and _came_from(error.__traceback__, "argparse"):
            reason = f"Its command line is not as it wants it, see its last lines. {ARGUMENTS}"
            return Ending("failed", "script-error", reason)
        said = f"exit code {error.code}" if isinstance(error.code, int) else f"{error.code}"
        return Ending("failed", "script-error", f"The script ended itself by sys.exit: {said}")
    if is_out_of_memory(error):
        return Ending("failed", "out-of-memory", NO_MEMORY)
    what = (
        _missing_module(error)
        or "".join(traceback.format_exception_only(type(error), error)).strip()
    )
    where = place(error.__traceback__, folder)
    if isinstance(error, SyntaxError) and error.filename:
        what, where = f"SyntaxError: {error.msg}", (Path(error.filename).name, error.lineno or 0)
    if isinstance(error, IndexError) and where and "argv" in _line(folder, *where):
        what = f"It takes what it is not given from its command line. {ARGUMENTS}"
    first = _telling(what) or type(error).__name__
    at = f" ({where[0]}, line {where[1]})" if where else ""
    return Ending("failed", "script-error", f"{_shortened(first)}{at}")


def _line(folder: Path, name: str, number: int) -> str:
    return linecache.getline(str(folder / name), number)


def _came_from(trace: TracebackType | None, module: str) -> bool:
    return any(f.f_globals.get("__name__") == module for f, _ in traceback.walk_tb(trace))


def _missing_module(error: BaseException) -> str | None:
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    return (
        f"The script imports {error.name}, which the environment does not have; commit it beside "
        "the script, or ask the operator to add its package to docker/trainer/libraries.txt and "
        "to build the image anew."
    )


def _telling(what: str) -> str:
    """The line that says something: TensorFlow puts the operation's history before its reason."""
    lines = [line.strip() for line in what.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith("Graph execution error:"):
        last = [each for each in lines if not each.startswith(("File ", "[[", "Detected at"))]
        return f"{lines[0].partition(':')[0].rpartition('.')[2]}: {last[-1]}"
    return lines[0] if lines else ""


def is_out_of_memory(error: BaseException) -> bool:
    """MemoryError and TensorFlow's ResourceExhaustedError, by name so as not to import it."""
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def place(trace: TracebackType | None, folder: Path) -> tuple[str, int] | None:
    """The innermost file below ``folder``, relative to it, and the line, where an error arose."""
    found = None
    for frame, line in traceback.walk_tb(trace):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(folder):
            found = (path.relative_to(folder).as_posix(), line)
    return found


def of_process(status: int, *, out_of_memory: bool, console: str) -> Ending:
    """How a script's process ended that left no result, by its ``os.waitpid`` status.

    ``console`` holds the last lines that it printed: where memory runs out in C++, only
    they say so.
    """
    if out_of_memory or any(each in console for each in _ALLOCATION_FAILED):
        return Ending("failed", "out-of-memory", NO_MEMORY)
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return Ending(
            "failed", "script-error", f"The script ended its process itself with exit code {code}."
        )
    name = signal.Signals(-code).name
    if -code in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        return Ending("failed", "killed", f"The script's process was ended from outside ({name}).")
    return Ending(
        "failed", "script-error", f"The script's process crashed ({name}); see its last lines."
    )


_ALLOCATION_FAILED = (
    "std::bad_alloc",
    "Cannot allocate memory",
    "MemoryError",
    "OOM when allocating",
)


def _shortened(text: str, length: int = 300) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
