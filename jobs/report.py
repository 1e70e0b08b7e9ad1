"""The study page: ``report.html`` with its own style sheet and pictures next to it.

It works as Jenkins shows archived HTML (Content-Security-Policy ``sandbox; default-src 'none';
img-src 'self'; style-src 'self'``): no inline style, no script, no data URI.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from jobs import pictures
from jobs.files import write_whole
from jobs.study import StudyView, TrialView

PAGE, STYLE = "report.html", "report.css"
ACCURACY_PICTURE, CURVES_PICTURE = "accuracy.png", "curves.png"
OUTCOMES = {
    "reached": "Target reached",
    "budget": "Budget spent",
    "failures": "Ended after failures",
    "not-a-cnn": "Not a CNN",
    "error": "Could not be trained",
    "stopped": "Stopped",
}


class DiffLine(NamedTuple):
    """A line of a unified diff and its kind: added, removed, hunk, file or context."""

    kind: str
    text: str


def templates() -> Environment:
    """The pages' templates; everything that is put in is escaped."""
    made = Environment(
        loader=PackageLoader("jobs"),
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"accuracy": accuracy, "duration": duration, "share": share}
    return made


def accuracy(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def duration(seconds: float) -> str:
    """``48 s`` below two minutes, ``1:23:45`` from there on."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return str(timedelta(seconds=round(seconds))).removeprefix("0:")


def headline(view: StudyView) -> str:
    if view.outcome is not None:
        return OUTCOMES[view.outcome]
    return {"paused": "Stopped by hand", "waiting": "Waiting"}.get(view.state, "Running")


def diff_lines(diff: str) -> Iterator[DiffLine]:
    for line in diff.splitlines():
        if line.startswith(("diff ", "index ", "--- ", "+++ ")):
            yield DiffLine("file", line)
        elif line.startswith("@@"):
            yield DiffLine("hunk", line)
        elif line.startswith("+"):
            yield DiffLine("added", line)
        elif line.startswith("-"):
            yield DiffLine("removed", line)
        else:
            yield DiffLine("context", line)


def failure(trial: TrialView) -> str:
    """Why a trial failed, or an empty text."""
    if trial.state != "failed" or trial.result is None:
        return ""
    return trial.result.reason or "It left no reason."


def write_report(view: StudyView, folder: Path, *, diff: str, graph: str) -> Path:
    """Write the page of a study as it is now; gives the page.

    ``diff``: from the pushed script to the best one. ``graph``: ``git log --graph`` of the study.
    Every file appears whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    curves = pictures.learning_curves(view)
    if view.trials:
        write_whole(folder / ACCURACY_PICTURE, pictures.accuracy_by_trial(view))
    if curves is not None:
        write_whole(folder / CURVES_PICTURE, curves)
    source = Path(__file__).parent / "templates" / STYLE
    write_whole(folder / STYLE, source.read_bytes())
    page = (
        templates()
        .get_template(PAGE)
        .render(
            view=view,
            headline=headline(view),
            failure=failure,
            diff=list(diff_lines(diff)),
            graph=graph,
            has_curves=curves is not None,
            looked=sum(each.objective is not None for each in view.trials),
            started=time.strftime("%Y-%m-%d %H:%M", time.localtime(view.started)),
        )
    )
    write_whole(folder / PAGE, page.encode())
    return folder / PAGE
