"""What is queued and what is built in the folder of the five jobs."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from jobs.scheduler.base import JOBS
from jobs.scheduler.controller import Controller

RECENT_BUILDS = 30

_PARAMETERS = "actions[parameters[name,value]]"
_QUEUE = f"items[id,why,inQueueSince,task[url],{_PARAMETERS}]"
_BUILDS = (
    "jobs[name,builds[number,url,building,displayName,description,result,timestamp,duration,"
    f"{_PARAMETERS}]{{0,%d}}]"
)


@dataclass(frozen=True)
class Subject:
    """What a build is about: a trial of a study, or a push that starts one. Empty where unknown."""

    study: str = ""
    trial: str = ""
    branch: str = ""
    commit: str = ""


@dataclass(frozen=True)
class Queued:
    """A build that waits. ``since``: seconds since the epoch; ``why``: what Jenkins says."""

    job: str
    number: int
    subject: Subject
    since: float
    why: str


@dataclass(frozen=True)
class Build:
    """A build of one of the jobs.

    ``result`` as Jenkins names it, None while it runs. ``started`` in seconds since the epoch,
    ``seconds``: how long it took, or takes already.
    """

    job: str
    number: int
    url: str
    subject: Subject
    name: str
    description: str
    result: str | None
    started: float
    seconds: float

    @property
    def running(self) -> bool:
        return self.result is None


def queue(controller: Controller) -> list[Queued]:
    """The builds of the five jobs that wait, the oldest first. Raises ControllerError."""
    found: list[Queued] = []
    for item in controller.ask("queue/", _QUEUE)["items"]:
        job = _job_of(controller, item.get("task", {}).get("url", ""))
        if job:
            since = item.get("inQueueSince", 0) / 1000
            why = item.get("why") or ""
            found.append(Queued(job, item["id"], _subject(item), since, why))
    return sorted(found, key=lambda each: each.since)


def builds(controller: Controller, most: int = RECENT_BUILDS) -> list[Build]:
    """The last ``most`` builds of each of the five jobs, the newest first.

    Raises ControllerError, also where the folder does not exist.
    """
    path = controller.address(controller.folder).removeprefix(f"{controller.url}/")
    missing = (
        f"Jenkins at {controller.url} has no folder {controller.folder}, or does not show it to "
        f"{controller.user}; `python -m jobs provision` makes it."
    )
    found: list[Build] = []
    for job in controller.ask(path, _BUILDS % most, missing).get("jobs", []):
        if job["name"] in JOBS:
            found.extend(_build(job["name"], each) for each in job.get("builds", []))
    return sorted(found, key=lambda each: each.started, reverse=True)


def _build(job: str, found: Mapping[str, Any]) -> Build:
    started = found["timestamp"] / 1000
    # A build that is about to start is "not in progress" and has no result yet either.
    running = found["building"] or found["result"] is None
    return Build(
        job=job,
        number=found["number"],
        url=found["url"],
        subject=_subject(found),
        name=found.get("displayName") or f"#{found['number']}",
        description=found.get("description") or "",
        result=None if running else found["result"],
        started=started,
        seconds=time.time() - started if running else found["duration"] / 1000,
    )


def _job_of(controller: Controller, address: str) -> str | None:
    """The job that a queue item's address names; the controller may go by several host names."""
    path = unquote(urlsplit(address).path)
    folder = "/" + "/".join(f"job/{part}" for part in controller.folder.split("/"))
    return next((job for job in JOBS if path.endswith(f"{folder}/job/{job}/")), None)


def _subject(found: Mapping[str, Any]) -> Subject:
    values = dict(_parameters(found))
    return Subject(
        *(str(values.get(name) or "") for name in ("STUDY", "TRIAL", "BRANCH", "COMMIT"))
    )


def _parameters(found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for action in found.get("actions", []):
        for parameter in (action or {}).get("parameters", []):
            yield parameter["name"], parameter.get("value")
