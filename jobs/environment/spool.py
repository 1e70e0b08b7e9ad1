"""The spool: the files by which jobs and trainer talk. Whole files appear by rename.

Below a study's folder::

    source/<n>/                 the commit of trial n, read-only inside an environment
    trials/heartbeat            touched by the fork server every two seconds
    trials/.images/             the trainer's own: decoded images, gone with the environment
    trials/<n>/request.json     in: what to train (``Request``)
    trials/<n>/stop             in: stop after this batch; its text is the reason
    trials/<n>/progress.jsonl   out: a line an epoch (``Epoch``), each epoch exactly once
    trials/<n>/console.log      out: what the script printed
    trials/<n>/checkpoint/      out: what a resumed trial needs
    trials/<n>/model.keras      out: the model at its best epoch
    trials/<n>/work/            out: the script's working directory
    trials/<n>/result.json      out: how it ended (``Result``); the last file that appears

A trial with a request and no result is to be run, from its checkpoint where it has one. Nothing
else says what state a trial is in, so whoever starts a trainer needs to know nothing.
"""

import errno
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError

from jobs.errors import RetuneError

IMAGES = ".images"
REQUEST, STOP, PROGRESS = "request.json", "stop", "progress.jsonl"
CONSOLE, MODEL, RESULT, HEARTBEAT = "console.log", "model.keras", "result.json", "heartbeat"
CONSOLE_BYTES = 1024**2
"""How much of a console is kept with a build."""
PROGRESS_BYTES, RESULT_BYTES = 64 * 1024**2, 1024**2
"""So much of a trial's files is read: the former is that of a hundred thousand epochs."""
NO_RESULT = (
    "The file result.json in the trial's folder is not what the trainer writes ({what}); "
    "see that the script leaves the files beside its working directory alone."
)

Outcome = Literal["complete", "stopped", "failed"]
Failure = Literal[
    "script-error",
    "no-fit",
    "no-accuracy",
    "nan",
    "out-of-memory",
    "time-limit",
    "killed",
    "relaunches",
]


class _Json:
    """Reads what it knows and ignores the rest, so that both sides may grow."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        known = {each.name for each in fields(cls)}  # type: ignore[arg-type]
        return cls(**{key: value for key, value in content.items() if key in known})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValidationError: a script may have written the text."""
        read: Self = _reader(cls).validate_json(text)  # type: ignore[arg-type]
        return read

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)  # type: ignore[call-overload]


@cache
def _reader(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@dataclass(frozen=True)
class Request(_Json):
    """What to train.

    ``script``: the model script, POSIX path relative to ``source/<trial>``. ``data``: path as the
    script names it -> place below the data root (``cats_dogs/train``). ``target``: stop ``fit``
    once the validation accuracy (0 to 1) reaches it. ``inherit``: number of the trial whose
    ``model.keras`` the weights come from. ``seconds``: wall-clock limit of the trial over all
    relaunches. ``arguments``: ``sys.argv[1:]``. ``mirror``: measure what mirroring the images would
    cost.
    """

    study: str
    trial: int
    script: str
    data: Mapping[str, str] = field(default_factory=dict)
    target: float | None = None
    inherit: int | None = None
    seconds: float | None = None
    seed: int | None = None
    arguments: list[str] = field(default_factory=list)
    mirror: bool = False


@dataclass(frozen=True)
class Epoch(_Json):
    """One finished epoch. ``epoch`` counts from 1 over the last ``fit`` of the script.

    ``logs`` are Keras' own (``accuracy``, ``val_accuracy``, ``loss``, ``val_loss`` …);
    ``accuracy`` and ``val_accuracy`` are found in them under whatever name the metric has.
    ``fit`` counts the script's calls of ``fit`` from 1. ``seconds``: this epoch's wall time.
    """

    epoch: int
    epochs: int
    fit: int
    seconds: float
    logs: dict[str, float]
    loss: float | None = None
    val_loss: float | None = None
    accuracy: float | None = None
    val_accuracy: float | None = None
    learning_rate: float | None = None
    time: float = 0.0


@dataclass(frozen=True)
class Result(_Json):
    """How a trial ended.

    ``objective``: best validation accuracy (0 to 1) of the last ``fit``, reached at ``best_epoch``;
    ``objective_name`` is the metric it came from. ``inherited``: share (0 to 1) of the model's
    parameters that came from the parent. ``steps``: of the optimizer in an epoch; ``classes``: how
    many the network's output tells apart; ``validation_images``: how many an epoch is measured on;
    all where they are known. ``mirroring``: accuracy (0 to 1) lost on mirrored validation images,
    where it was asked for and could be measured. ``failure`` and ``reason`` (a sentence) are set
    where ``outcome`` is not ``complete``. ``notes`` are sentences for the record (a metric was
    added …). ``seconds_in_fit`` and ``seconds_outside_fit`` are wall time over all relaunches.
    """

    outcome: Outcome
    objective: float | None = None
    objective_name: str | None = None
    best_epoch: int | None = None
    loss: float | None = None
    test_accuracy: float | None = None
    epochs: int = 0
    parameters: int | None = None
    steps: int | None = None
    classes: int | None = None
    validation_images: int | None = None
    mirroring: float | None = None
    inherited: float | None = None
    inheritance: list[str] = field(default_factory=list)
    seconds_in_fit: float = 0.0
    seconds_outside_fit: float = 0.0
    failure: Failure | None = None
    reason: str | None = None
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    resumes: int = 0


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or none of it.

    A new folder is given to the owner of the folder above where we are root, so that a trainer
    without privileges can work in the folder of its trial. Raises RetuneError where the file
    cannot be written.
    """
    partial = f".{path.name}.{os.getpid()}"
    try:
        _make_folder(path.parent)
        with _entered(path.parent) as at:
            with suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=at)
            # Exclusive, so as never to write through a link that a script has put there.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(partial, flags, 0o666, dir_fd=at), "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(partial, path.name, src_dir_fd=at, dst_dir_fd=at)
    except OSError as error:
        raise RetuneError(
            f"{path} cannot be written ({error.strerror}); see what is there, and remove it."
        ) from error


@dataclass(frozen=True)
class Spool:
    """The spool of one trial, seen from the jobs.

    A model script can put anything in the place of these files, and of the folder: links are not
    followed, and what is not as the trainer writes it counts as missing or as a failure.
    """

    folder: Path

    @classmethod
    def of(cls, study_folder: Path, trial: int) -> "Spool":
        """The spool of a trial. Raises RetuneError where a script put a link in its place."""
        folder = study_folder / "trials" / str(trial)
        if folder.is_symlink():
            raise RetuneError(
                f"{folder} is a symbolic link, which only a model script can have made; "
                "read that script, and remove the link."
            )
        return cls(folder)

    @property
    def model(self) -> Path:
        return self.folder / MODEL

    def copy_model(self, target: Path) -> bool:
        """Copy the model; False where there is none, or a script put something else there."""
        return _copy_plain(self.model, target)

    def copy_console(self, target: Path) -> bool:
        """Copy what the script printed, its end where it is long; False as above."""
        return _copy_plain(self.console, target, CONSOLE_BYTES)

    @property
    def console(self) -> Path:
        return self.folder / CONSOLE

    def request(self) -> Request | None:
        text = _read(self.folder / REQUEST, RESULT_BYTES)
        try:
            return Request.from_json(text) if text else None
        except ValidationError:
            return None

    def submit(self, request: Request) -> None:
        """Hand the trial to the trainer. A second call with the same request changes no content."""
        if self.request() != request:
            write_whole(self.folder / REQUEST, request.to_json())
        else:
            with suppress(OSError):
                os.utime(self.folder / REQUEST, follow_symlinks=False)

    def seconds_since_request(self) -> float:
        """Wall time since the trial was handed over, or a job went on with it; 0 where none has."""
        try:
            return max(0.0, time.time() - (self.folder / REQUEST).lstat().st_mtime)
        except OSError:
            return 0.0

    def stop(self, reason: str) -> None:
        """Ask the trainer to end this trial after the current batch."""
        write_whole(self.folder / STOP, reason)

    def epochs(self) -> Iterator[Epoch]:
        """The finished epochs so far; a line still being written is left for the next call."""
        for line in (_read(self.folder / PROGRESS, PROGRESS_BYTES) or "").splitlines(keepends=True):
            if line.endswith("\n") and line.strip():
                with suppress(ValidationError):
                    yield Epoch.from_json(line)

    def result(self) -> Result | None:
        text = _read(self.folder / RESULT, RESULT_BYTES)
        try:
            return Result.from_json(text) if text else None
        except ValidationError as error:
            what = error.errors(include_url=False)[0]["msg"]
            return Result("failed", failure="script-error", reason=NO_RESULT.format(what=what))

    def conclude(self, result: Result) -> None:
        """Write a result in the trainer's stead, where no trainer can (relaunches, removed)."""
        if self.result() is None:
            remove(self.folder / RESULT)  # whatever it is
            write_whole(self.folder / RESULT, result.to_json())

    def reopen(self) -> None:
        """Let a trial that was stopped go on from its checkpoint."""
        remove(self.folder / STOP)
        result = self.result()
        if result is not None and result.outcome == "stopped":
            remove(self.folder / RESULT)

    def console_tail(self, lines: int = 20) -> list[str]:
        text = _read(self.console, CONSOLE_BYTES, from_end=True) or ""
        return [line.rstrip() for line in text.splitlines()[-lines:]]


def forget_images(study_folder: Path) -> None:
    """Remove what the trainer keeps of images."""
    remove(study_folder / "trials" / IMAGES)


def remove(place: Path) -> None:
    """Remove whatever a script put there; a link, and not what it leads to."""
    with suppress(OSError, RecursionError):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _copy_plain(source: Path, target: Path, most: int | None = None) -> bool:
    """Copy a file that is no link, or its last ``most`` bytes; False where there is none.

    Without a limit it is copied only if it is as large on the disk as it says.
    """
    number = _open_plain(source)
    if number is None:
        return False
    with open(number, "rb") as found:
        status = os.fstat(number)
        if most is None and status.st_size > 512 * status.st_blocks + 1024**2:
            return False
        with target.open("wb") as copy:
            if most is not None:
                found.seek(max(0, status.st_size - most))
                # No more, even if the file grows meanwhile.
                copy.write(found.read(most))
            else:
                shutil.copyfileobj(found, copy)
    return True


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        above = folder.parent.stat()
        os.chown(folder, above.st_uid, above.st_gid, follow_symlinks=False)


def _read(path: Path, most: int, *, from_end: bool = False) -> str | None:
    """The first or last ``most`` bytes of a file that is no link; None where there is none."""
    number = _open_plain(path)
    if number is None:
        return None
    with open(number, "rb") as file:
        if from_end:
            file.seek(max(0, os.fstat(number).st_size - most))
        return file.read(most).decode(errors="replace")


@contextmanager
def _entered(folder: Path) -> Iterator[int]:
    """A folder that is no link, opened: what is in it stays there if it is replaced meanwhile."""
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield at
    finally:
        os.close(at)


def _open_plain(path: Path) -> int | None:
    """Open a file that a script could have replaced: what is no readable file counts as missing.

    Followed, a link would show a file of the host in the log or the mail; a pipe would block.
    """
    try:
        with _entered(path.parent) as at:
            number = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO):
            raise
        return None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        return None
    return number


__all__ = [
    "Epoch",
    "Failure",
    "Outcome",
    "Request",
    "Result",
    "Spool",
    "write_whole",
]
