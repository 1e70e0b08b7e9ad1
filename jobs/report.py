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
from jobs.printable import printable
from jobs.study import StudyView, TrialView

PAGE, STYLE, ACCURACY_PICTURE = "report.html", "report.css", "accuracy.png"
MOST_DIFF_LINES, LONGEST_DIFF_LINE = 400, 400
DIFF_KINDS = {"+": "added", "-": "removed", "@": "hunk"}
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


def looked(view: StudyView) -> int:
    """How many trials looked at the validation images."""
    return sum(
        any(e.val_accuracy is not None for e in each.epochs) or each.objective is not None
        for each in view.trials
    )


def headline(view: StudyView) -> str:
    if view.outcome is not None:
        return OUTCOMES[view.outcome]
    return {"paused": "Stopped by hand", "waiting": "Waiting"}.get(view.state, "Running")


def diff_lines(diff: str) -> Iterator[DiffLine]:
    """The first lines of a unified diff, the longest ones cut.

    A notebook's diff may hold megabytes; the branch has it in full.
    """
    lines = diff.removesuffix("\n").split("\n") if diff else []
    in_header = False
    for line in lines[:MOST_DIFF_LINES]:
        in_header = line.startswith("diff ") or (in_header and not line.startswith("@@"))
        kind = "file" if in_header else DIFF_KINDS.get(line[:1], "context")
        cut = len(line) > LONGEST_DIFF_LINE
        yield DiffLine(kind, line[:LONGEST_DIFF_LINE] + " …" if cut else line)
    if len(lines) > MOST_DIFF_LINES:
        yield DiffLine("hunk", f"… {len(lines) - MOST_DIFF_LINES} more lines, see the branch")


def failure(trial: TrialView) -> str:
    """Why a trial failed, or an empty text."""
    if trial.state != "failed":
        return ""
    return (trial.result.reason if trial.result else None) or "It left no reason."


def versions(view: StudyView) -> str:
    """What the trials ran with, as the best or else the last of them says."""
    told = [
        each.result.versions for each in (view.best, *view.trials[::-1]) if each and each.result
    ]
    return ", ".join(f"{name} {version}" for name, version in next(iter(told), {}).items())


def write_report(view: StudyView, folder: Path, *, diff: str, graph: str) -> Path:
    """Write the page of a study as it is now; gives the page.

    ``diff``: from the pushed script to the best one. ``graph``: ``git log --graph`` of the study.
    Every file appears whole.
    """
    curves = _draw_pictures(view, folder)
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
            accuracy_picture=ACCURACY_PICTURE,
            curves=curves,
            versions=versions(view),
            looked=looked(view),
            started=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(view.started)),
        )
    )
    write_whole(folder / PAGE, printable(page).encode())
    return folder / PAGE


def _draw_pictures(view: StudyView, folder: Path) -> list[tuple[TrialView, str]]:
    """Draw what has changed; gives the trials that have curves, with their pictures' names."""
    if view.trials:
        pictures.draw_accuracy(view, folder / ACCURACY_PICTURE)
    floor = pictures.curves_floor(view)
    curves = [(each, f"curves-{each.number}.png") for each in view.trials if each.epochs]
    for each, name in curves:
        pictures.draw_curves(each, folder / name, target=view.target, floor=floor)
    return curves
