"""The five jobs, their order, and what a scheduler must do."""

from dataclasses import dataclass
from typing import Literal, Protocol

JobName = Literal["pull", "launch", "train", "tune", "watch"]

CHAIN: tuple[JobName, ...] = ("pull", "launch", "train", "tune")
"""The order of the jobs of one trial. ``tune`` leads back to ``pull`` with the next trial."""

JOBS: tuple[JobName, ...] = (*CHAIN, "watch")


@dataclass(frozen=True)
class Next:
    """The job to run next, for which trial of which study."""

    job: JobName
    study: str
    trial: int


@dataclass(frozen=True)
class Push:
    """A push that reached the remote: branch without ``refs/heads/``, full commit id."""

    branch: str
    commit: str


def following(job: JobName, study: str, trial: int) -> Next:
    """The next job of the same trial. Raises ValueError after the last one."""
    return Next(CHAIN[CHAIN.index(job) + 1], study, trial)


class Scheduler(Protocol):
    """Who runs the jobs. Both calls return at once; the work goes on elsewhere."""

    def trigger(self, step: Next) -> None:
        """Run a job of a trial. Raises RetuneError where the scheduler cannot be reached."""
        ...

    def receive(self, push: Push) -> None:
        """Run job 1 for a push. Raises RetuneError where the scheduler cannot be reached."""
        ...

    def busy(self, study: str) -> bool:
        """Whether a job of this study is queued or running."""
        ...

    def stop(self, study: str) -> None:
        """Take this study's jobs out of the queue and end the running ones."""
        ...

    def stopped_by_hand(self, study: str) -> bool:
        """Whether somebody has stopped the last job of this study from outside."""
        ...
