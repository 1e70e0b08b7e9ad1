"""How a trial ended, in words: exceptions of a script, signals and exit codes of its process."""

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
        said = f"exit code {error.code}" if isinstance(error.code, int) else f"{error.code}"
        return Ending("failed", "script-error", f"The script ended itself by sys.exit: {said}")
    if is_out_of_memory(error):
        return Ending("failed", "out-of-memory", NO_MEMORY)
    what = "".join(traceback.format_exception_only(type(error), error)).strip()
    where = place(error.__traceback__, folder)
    if isinstance(error, SyntaxError) and error.filename:
        what, where = f"SyntaxError: {error.msg}", (Path(error.filename).name, error.lineno or 0)
    first = next((line.strip() for line in what.splitlines() if line.strip()), type(error).__name__)
    at = f" ({where[0]}, line {where[1]})" if where else ""
    return Ending("failed", "script-error", f"{_shortened(first)}{at}")


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
