"""The spool as the trainer sees it: requests in; progress, model and result out.

The same JSON as ``jobs.environment.spool``, which may not be imported here. Whole files appear by
rename, and are made with ``O_EXCL`` so that a link which a script has put there is not followed.
"""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self


class _Json:
    """Reads what it knows and ignores the rest, so that both sides may grow."""

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        known = {each.name for each in fields(cls)}  # type: ignore[arg-type]
        return cls(**{key: value for key, value in content.items() if key in known})


@dataclass(frozen=True)
class Request(_Json):
    """What to train; the fields are explained in ``jobs.environment.spool.Request``."""

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
    """One finished epoch, counted from 1. ``seconds``: its wall time; ``time``: its end, Unix."""

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
    """How a trial ended; the fields are explained in ``jobs.environment.spool.Result``."""

    outcome: str
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
    failure: str | None = None
    reason: str | None = None
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    resumes: int = 0


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or none of it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    with partial.open("x", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def clean(folder: Path, *, everything: bool = False) -> None:
    """Remove what a kill has left half written; ``everything`` once the trial is complete.

    The server, this process's parent, writes the trial's age there meanwhile.
    """
    of_the_server = f".{os.getppid()}"
    for path in folder.iterdir():
        if path.name.endswith(of_the_server):
            continue
        if path.name.startswith(".") or (everything and path.suffix == ".pickle"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


@dataclass(frozen=True)
class Trial:
    """The files of one trial, ``trials/<n>/``."""

    folder: Path

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def model(self) -> Path:
        return self.folder / "model.keras"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def is_pending(self) -> bool:
        """Whether there is a request and no result."""
        return (self.folder / "request.json").exists() and not self.has_result

    @property
    def has_result(self) -> bool:
        return (self.folder / "result.json").exists()

    def request(self) -> Request:
        """Raises ValueError or TypeError where the file is no request."""
        text = (self.folder / "request.json").read_text(encoding="utf-8")
        return Request.from_mapping(json.loads(text))

    def stop_reason(self) -> str | None:
        """The text of the file ``stop``; None where nobody asked to stop."""
        try:
            return (self.folder / "stop").read_text(encoding="utf-8").strip()
        except OSError:
            return None

    @property
    def stop_is_asked(self) -> bool:
        return (self.folder / "stop").exists()

    def write_progress(self, epochs: Iterable[Epoch]) -> None:
        """Replace ``progress.jsonl`` by exactly these epochs."""
        lines = [json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in epochs]
        write_whole(self.folder / "progress.jsonl", "".join(lines))

    def conclude(self, result: Result) -> None:
        write_whole(self.folder / "result.json", json.dumps(asdict(result), ensure_ascii=False))
