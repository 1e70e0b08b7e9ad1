"""What an environment is: a place where a study's trials run, whatever it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Limits:
    """What an environment may use. Memory and shared memory in bytes, CPUs in cores (2.0)."""

    memory: int
    cpus: float
    processes: int
    shared_memory: int


@dataclass(frozen=True)
class Specification:
    """All that is needed to launch an environment, and to launch the same one again.

    ``folder`` is the study's folder (``<home>/studies/<study>``). Inside an environment the
    trainer sees ``source`` read-only, ``trials`` read-write and each of ``data`` (name -> folder)
    read-only below its data root. ``absolute`` maps absolute paths that the script names
    (``/home/cnn_dataset``) to host folders, where the environment can mount them; ``writable`` are
    folders that it writes to, which get an empty place in a container.
    """

    study: str
    folder: Path
    data: Mapping[str, Path]
    limits: Limits
    image: str | None = None
    gpus: str | None = None
    absolute: Mapping[str, Path] = field(default_factory=dict)
    writable: tuple[str, ...] = ()

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def trials(self) -> Path:
        return self.folder / "trials"


class Condition(Enum):
    """How an environment is."""

    ABSENT = "absent"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DEAD = "dead"
    OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class State:
    """The condition of an environment, a sentence that says why, and its id where it has one."""

    condition: Condition
    detail: str
    identifier: str | None = None

    @property
    def needs_relaunch(self) -> bool:
        return self.condition not in (Condition.STARTING, Condition.HEALTHY)


class Environment(Protocol):
    """Docker or a child process. All calls are idempotent; errors are RetuneErrors."""

    def launch(self, specification: Specification) -> State:
        """Make sure that the study's environment runs; start or replace it where it does not.

        Returns once it has started; TensorFlow may still be importing (STARTING).
        """
        ...

    def state(self, study: str) -> State: ...

    def logs(self, study: str, lines: int = 50) -> str:
        """The last lines that the trainer itself printed."""
        ...

    def remove(self, study: str) -> None:
        """Stop the environment and take it away. A study without one is fine."""
        ...

    def studies(self) -> list[str]:
        """The studies of this home that have an environment, running or not."""
        ...

    def describe(self) -> str:
        """One line for the record: what it is and in which version."""
        ...
