"""Stopping a study by hand, and going on with it: nothing recorded or trained is lost."""

from collections.abc import Iterator

from jobs.context import Context
from jobs.environment.spool import Spool
from jobs.errors import RetuneError
from jobs.scheduler.base import Next
from jobs.stage import next_step
from jobs.study import Study

BY_HAND = "Stopped by hand."


def pause(context: Context, name: str) -> None:
    """Stop the trial within a batch and leave the study as it is until it is resumed."""
    if name not in context.record.names():
        return
    study = context.record.open(name)
    if not study.running:
        return
    study.set("state", "paused")
    for spool in _unfinished(context, study):
        spool.stop(BY_HAND)
    context.environment.remove(name)
    context.say(f"Study {name} is paused; `python -m jobs resume {name}` goes on with it.")


def resume(context: Context, name: str) -> None:
    """Go on with a paused study at the job and epoch where it was stopped.

    Raises RetuneError where it is not paused.
    """
    study = context.record.open(name)
    if study.get("state") != "paused":
        raise RetuneError(f"Study {name} is {study.get('state')}, not paused: nothing to resume.")
    for spool in _unfinished(context, study):
        spool.reopen()
    study.set("state", "running")
    step = next_step(context, study)
    # The environment was removed: job 2 makes it anew where training goes on.
    if step.job == "train":
        step = Next("launch", step.study, step.trial)
    context.scheduler.trigger(step)
    context.say(f"Study {name} goes on with job {step.job} of trial {step.trial}.")


def _unfinished(context: Context, study: Study) -> Iterator[Spool]:
    for frozen in study.frozen():
        spool = context.spool(study.name, frozen.number)
        if not frozen.state.is_finished() and spool.request() is not None:
            yield spool
