"""How a build shows what came out of it: display name, description, exit code."""

from dataclasses import dataclass

from jobs.scheduler.base import JobName
from jobs.study import StudyView, TrialView

DONE, ERROR, TRIAL_FAILED, NOT_A_CNN, STOPPED = 0, 1, 3, 4, 5
"""Exit codes. Jenkins shows them as success, failure, unstable, not built, aborted."""


@dataclass(frozen=True)
class Display:
    """Display name and description of a build, and the exit code of its command."""

    name: str
    description: str
    status: int


def display(view: StudyView, job: JobName, trial: int) -> Display:
    shown = next((each for each in view.trials if each.number == trial), None)
    name = f"{view.branch}@{view.commit[:7]} · trial {trial}"
    if shown is not None and shown.objective is not None:
        name += f" · {shown.objective:.3f}{_gain(view, shown)}"
    if view.outcome == "not-a-cnn":
        return Display(name, view.reason, NOT_A_CNN)
    if view.outcome == "stopped" or view.state == "paused":
        return Display(name, view.reason or "Stopped by hand.", STOPPED)
    if view.outcome == "error":
        return Display(name, view.reason, ERROR)
    if shown is None:
        return Display(name, view.reason, DONE)
    if job == "train" and shown.state == "failed" and shown.result is not None:
        return Display(name, f"{shown.words}: {shown.result.reason}", TRIAL_FAILED)
    words = shown.words[:1].upper() + shown.words[1:]
    ended = f" {view.reason}" if job == "tune" and view.state == "finished" else ""
    return Display(name, f"{words}.{ended}", DONE)


def _gain(view: StudyView, trial: TrialView) -> str:
    """The difference to the parent's accuracy, where both are known."""
    parent = next((each for each in view.trials if each.number == trial.parent), None)
    if parent is None or parent.objective is None or trial.objective is None:
        return ""
    return f" ({trial.objective - parent.objective:+.3f})"
