"""What a job needs of the world, made from the operator's settings."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock

from jobs.environment.base import Environment
from jobs.environment.select import select_environment
from jobs.environment.spool import Spool
from jobs.errors import RetuneError
from jobs.repository import Repository
from jobs.scheduler.base import Scheduler
from jobs.settings import Settings
from jobs.study import Record

STUDY_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}"


def say(line: str) -> None:
    """A line of the build log."""
    print(line, flush=True)


@dataclass(frozen=True)
class Context:
    """The rooms, opened once. Everything in it may be used by several threads."""

    settings: Settings
    record: Record
    environment: Environment
    scheduler: Scheduler
    say: Callable[[str], None] = field(default=say)
    tweaked_scripts: dict[str, Any] = field(default_factory=dict)
    """By study, those that ``jobs.foresight`` remembers for the jobs of this process."""

    @cached_property
    def repository(self) -> Repository:
        """Raises RetuneError where the operator has named none."""
        url = self.settings.repository
        if not url:
            raise RetuneError(
                "No repository is set; give the URL of the git remote in RETUNE_REPOSITORY."
            )
        slug = re.sub(r"[^A-Za-z0-9.-]+", "-", url.rpartition("@")[2]).strip("-.")[-80:]
        return Repository(url, self.settings.home / "mirrors" / f"{slug}.git")

    def folder(self, study: str) -> Path:
        """The study's folder. Raises RetuneError for what cannot be a study's name."""
        if not re.fullmatch(STUDY_NAME, study):
            raise RetuneError(f"{study[:80]!r} is not the name of a study.")
        return self.settings.studies / study

    def source(self, study: str, trial: int) -> Path:
        """The checkout of a trial."""
        return self.folder(study) / "source" / str(trial)

    def spool(self, study: str, trial: int) -> Spool:
        return Spool.of(self.folder(study), trial)

    def lock(self, study: str) -> BaseFileLock:
        """Held while a study's record and branches are changed together; re-entrant."""
        folder = self.folder(study)
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / ".lock", is_singleton=True)


def make_context(settings: Settings) -> Context:
    """Open the rooms that the settings name. Raises RetuneError where one cannot be opened."""
    try:
        settings.studies.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RetuneError(
            f"The home folder {settings.home} cannot be used ({error.strerror}); "
            "set RETUNE_HOME to a folder that can be written."
        ) from error
    return Context(
        settings=settings,
        record=Record(settings.storage_url),
        environment=select_environment(settings),
        scheduler=select_scheduler(settings),
    )


def select_scheduler(settings: Settings, timeout: float | None = None) -> Scheduler:
    """``timeout``: how long Jenkins may take for an answer, in seconds, where not as usual."""
    if settings.scheduler == "jenkins":
        from jobs.scheduler.jenkins import JenkinsScheduler

        return (
            JenkinsScheduler(settings) if timeout is None else JenkinsScheduler(settings, timeout)
        )
    from jobs.scheduler.inline import InlineScheduler

    return InlineScheduler(settings.home, sys.executable, Path(__file__).parents[1])
