"""``python -m jobs status``: the studies of this home and, with Jenkins, its queue and builds."""

import json
import sys
import time
from dataclasses import replace
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from jobs.scheduler.activity import Queued, Subject, builds, offline, queue
from jobs.scheduler.controller import Controller, ControllerError
from jobs.settings import Settings
from jobs.study import Record, StudyView

SHOWN, REFRESH_SECONDS = 10, 2.0


def status(settings: Settings, *, as_json: bool, watch: bool) -> int:
    """Print the last studies, newest first, and with Jenkins the queue and the last builds.

    ``watch``: again every two seconds; as JSON, a line each time. Raises RetuneError where the
    storage or, without ``watch``, the controller does not answer.
    """
    console = Console(highlight=False)
    record = Record(settings.storage_url)
    if as_json:
        while True:
            print(json.dumps(_facts(record, settings, watch), indent=None if watch else 2))
            if not watch:
                return 0
            sys.stdout.flush()
            time.sleep(REFRESH_SECONDS)
    if not watch:
        console.print(_shown(record, settings))
        return 0
    with Live(_shown(record, settings, watch), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(REFRESH_SECONDS)
            live.update(_shown(record, settings, watch), refresh=True)


def _facts(record: Record, settings: Settings, watch: bool) -> dict[str, Any]:
    try:
        return {"studies": _studies(record), "jenkins": _jenkins(settings)}
    except ControllerError as error:
        if not watch:
            raise
        return {"studies": _studies(record), "jenkins": [], "error": str(error)}


def _studies(record: Record) -> list[dict[str, Any]]:
    return [_summary(each.view()) for each in reversed(record.studies()[-SHOWN:])]


def _summary(view: StudyView) -> dict[str, Any]:
    best, last = view.best, view.trials[-1] if view.trials else None
    return {
        "study": view.name,
        "state": view.state,
        "outcome": view.outcome,
        "reason": view.reason,
        "branch": view.branch,
        "commit": view.commit,
        "target": view.target,
        "trials": len(view.trials),
        "max_trials": view.max_trials,
        "seconds": round(view.seconds, 1),
        "best": None
        if best is None
        else {"trial": best.number, "accuracy": best.objective, "commit": best.commit},
        "last": None
        if last is None
        else {
            "trial": last.number,
            "state": last.state,
            "tweak": last.words,
            "epochs": len(last.epochs),
            "relaunches": len(last.relaunches),
        },
    }


def _shown(record: Record, settings: Settings, watch: bool = False) -> RenderableType:
    """``watch``: a controller that does not answer now is one line, and is asked again."""
    table = Table(title="Studies", title_justify="left")
    for name in ("study", "state", "trials", "best", "target", "time", "last tweak"):
        right = name in ("trials", "best", "target", "time")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "last tweak")
    facts = _facts(record, settings, watch)
    for each in facts["studies"]:
        best, last = each["best"], each["last"]
        table.add_row(
            each["study"],
            each["outcome"] or each["state"],
            f"{each['trials']}/{each['max_trials']}",
            f"{best['accuracy']:.3f}" if best else "",
            f"{each['target']:g}",
            f"{each['seconds']:.0f} s",
            Text(f"{last['trial']}: {last['tweak']}" if last else ""),
        )
    parts: list[RenderableType] = [table]
    if not table.rows:
        parts = [Text(_nothing(settings))]
    if facts["jenkins"]:
        parts.append(_jenkins_table(facts["jenkins"]))
    if "error" in facts:
        parts.append(Text(facts["error"]))
    return Group(*parts)


def _nothing(settings: Settings) -> str:
    if settings.scheduler != "jenkins" or settings.storage:
        return "No study is recorded yet; a push to the repository starts one."
    return (
        f"No study is recorded in {settings.home}; those that Jenkins runs are recorded in the "
        "home folder of its agents, call this there."
    )


def _jenkins(settings: Settings) -> list[dict[str, Any]]:
    """Queue items and builds of the folder, queued ones first, then the newest.

    ``why``: what one waits for, as Jenkins says it; "queued" has not begun, "waiting" has no agent.
    """
    if settings.scheduler != "jenkins":
        return []
    controller = Controller(settings)
    queued = _with_offline(controller, queue(controller))
    waiting = [
        {
            "job": each.job,
            "build": None,
            "state": "queued",
            "name": _subject_of(each.subject),
            "url": None,
            "why": each.why,
        }
        for each in queued
        if each.build is None
    ]
    for_an_agent = {(each.job, each.build): each.why for each in queued}
    built = [
        {
            "job": each.job,
            "build": each.number,
            "state": (
                "waiting"
                if (each.job, each.number) in for_an_agent
                else (each.result or "running").lower().replace("_", " ")
            ),
            "name": each.name,
            "url": each.url,
            "why": for_an_agent.get((each.job, each.number)),
        }
        for each in builds(controller, most=SHOWN)
    ]
    return waiting + built


def _with_offline(controller: Controller, queued: list[Queued]) -> list[Queued]:
    """Where no label is set, Jenkins says that a build waits for an executor, and no more."""
    if not any("executor" in each.why for each in queued):
        return queued
    away = offline(controller)
    note = f"; offline: {', '.join(away)}" if away else ""
    return [
        replace(each, why=each.why + note) if "executor" in each.why else each for each in queued
    ]


def _subject_of(subject: Subject) -> str:
    """What a build that has no name yet is about."""
    if subject.study:
        return f"{subject.study} · trial {subject.trial}"
    return f"{subject.branch}@{subject.commit[:7]}" if subject.commit else ""


def _jenkins_table(rows: list[dict[str, Any]]) -> Table:
    table = Table("job", "build", "state", "what", title="Jenkins", title_justify="left")
    for each in rows:
        what = " · ".join(filter(None, (each["name"], each["why"])))
        table.add_row(each["job"], str(each["build"] or ""), each["state"], Text(what))
    return table
