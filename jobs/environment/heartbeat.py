"""How an environment is, judged by the heartbeat of its trainer."""

import time
from dataclasses import dataclass
from pathlib import Path

from jobs.environment.base import Condition, State
from jobs.environment.spool import HEARTBEAT, remove


@dataclass(frozen=True)
class Patience:
    """How long to wait for a first heartbeat, and for the next one; seconds."""

    start: float = 300.0
    silence: float = 60.0


def judge_heartbeat(trials: Path, started: float, patience: Patience, identifier: str) -> State:
    """The state of a trainer whose process is known to run.

    ``started`` is its start in seconds since the epoch. A launch removes the heartbeat of the
    trainer before it, so that any heartbeat found is this one's.
    """
    now = time.time()
    try:
        # The spool is written by untrusted scripts: a link in it is not followed.
        age = now - (trials / HEARTBEAT).lstat().st_mtime
    except FileNotFoundError:
        waited = max(0.0, now - started)
        if waited < patience.start:
            return State(
                Condition.STARTING, f"started {waited:.0f} s ago, no heartbeat yet", identifier
            )
        return State(
            Condition.UNHEALTHY,
            f"runs since {waited:.0f} s and has given no heartbeat",
            identifier,
        )
    if age < patience.silence:
        return State(
            Condition.HEALTHY, f"its last heartbeat was {max(0.0, age):.0f} s ago", identifier
        )
    return State(Condition.UNHEALTHY, f"its last heartbeat was {age:.0f} s ago", identifier)


def forget_heartbeat(trials: Path) -> None:
    """Before a launch: what the trainer before left says nothing of the next one."""
    remove(trials / HEARTBEAT)
