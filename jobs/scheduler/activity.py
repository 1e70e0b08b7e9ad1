"""What is queued and what is built in the folder of the five jobs."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from jobs.scheduler.base import JOBS
from jobs.scheduler.controller import Controller

RECENT_BUILDS = 30

_ACTIONS = "actions[parameters[name,value],causes[_class]]"
_BY_HAND = "jenkins.model.CauseOfInterruption$UserInterruption"
_QUEUE = f"items[id,why,inQueueSince,task[url],{_ACTIONS}]"
_BUILDS = (
    "jobs[name,builds[number,url,building,displayName,description,result,timestamp,duration,"
    f"{_ACTIONS}]{{0,%d}}]"
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
    """A build that waits. ``since``: seconds since the epoch; ``why``: what Jenkins says.

    ``number``: of the item in the queue. ``build``: a Pipeline counts as running while it waits for
    an agent; this is the number of such a build, None of one that has not begun.
    """

    job: str
    number: int
    subject: Subject
    since: float
    why: str
    build: int | None = None


@dataclass(frozen=True)
class Build:
    """A build of one of the jobs.

    ``result`` as Jenkins names it, None while it runs. ``started`` in seconds since the epoch,
    ``seconds``: how long it took, or takes already. ``by_hand``: somebody has aborted it.
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
    by_hand: bool = False

    @property
    def running(self) -> bool:
        return self.result is None


def queue(controller: Controller) -> list[Queued]:
    """The builds of the five jobs that wait, also for an agent, the oldest first.

    Raises ControllerError.
    """
    found: list[Queued] = []
    for item in controller.ask("queue/", _QUEUE)["items"]:
        if named := _named(controller, item.get("task", {}).get("url") or ""):
            job, build = named
            since = item.get("inQueueSince", 0) / 1000
            why = item.get("why") or ""
            found.append(Queued(job, item["id"], _subject(item), since, why, build))
    return sorted(found, key=lambda each: each.since)


def offline(controller: Controller) -> list[str]:
    """The agents that are offline, with the reason where one is given. Raises ControllerError."""
    tree = "computer[displayName,offline,offlineCauseReason,numExecutors]"
    return [
        " ".join(filter(None, (each["displayName"], reason and f"({reason})")))
        for each in controller.ask("computer/", tree)["computer"]
        if each["offline"] and each["numExecutors"]
        for reason in [(each.get("offlineCauseReason") or "").strip()]
    ]


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
        by_hand=not running and _BY_HAND in _causes(found),
    )


def _named(controller: Controller, address: str) -> tuple[str, int | None] | None:
    """The job, and the build if any, that a queue item's address names.

    The controller may go by several host names, and gives a build's address without one.
    """
    path = "/" + unquote(urlsplit(address).path).strip("/") + "/"
    folder = "/" + "/".join(f"job/{part}" for part in controller.folder.split("/"))
    found = re.search(rf"{re.escape(folder)}/job/([^/]+)/(?:(\d+)/)?$", path)
    if found is None or found.group(1) not in JOBS:
        return None
    return found.group(1), int(found.group(2)) if found.group(2) else None


def _subject(found: Mapping[str, Any]) -> Subject:
    values = dict(_parameters(found))
    return Subject(
        *(str(values.get(name) or "") for name in ("STUDY", "TRIAL", "BRANCH", "COMMIT"))
    )


def _parameters(found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for action in found.get("actions", []):
        for parameter in (action or {}).get("parameters", []):
            yield parameter["name"], parameter.get("value")


def _causes(found: Mapping[str, Any]) -> set[str]:
    """Why it began, and why it was interrupted."""
    actions = (action or {} for action in found.get("actions", []))
    return {cause["_class"] for action in actions for cause in action.get("causes", [])}
