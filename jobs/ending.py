"""The end of a study: best branch, page, mail, environment. Every step may be repeated."""

import time
from collections.abc import Callable

from optuna.trial import TrialState

from jobs.context import Context
from jobs.environment.spool import Result
from jobs.errors import RetuneError
from jobs.publish import publish, send_mail
from jobs.repository import best_branch
from jobs.scheduler.base import Next
from jobs.study import Outcome, Study


def end_study(context: Context, study: Study, outcome: Outcome, reason: str) -> None:
    """End a study, once; what cannot be done now is left to watch, which calls complete_ending."""
    with context.lock(study.name):
        if study.get("state") != "finished":
            study.finish(outcome, reason)
            context.say(f"Study {study.name} has ended: {reason}")
    complete_ending(context, study)


def complete_ending(context: Context, study: Study) -> bool:
    """Do what is still missing of a finished study's end. Gives whether nothing is missing now.

    A step that fails says so in one line and hinders no other step.
    """
    if study.get("closed"):
        return True
    steps: tuple[Callable[[Context, Study], object], ...] = (
        _stop_trials,
        _push_best,
        _remove_environment,
        publish,
        send_mail,
        _start_next,
    )
    done = True
    with context.lock(study.name):
        for step in steps:
            try:
                step(context, study)
            except RetuneError as error:
                context.say(f"{error} It is tried again by the next watch.")
                done = False
        if done:
            study.set("closed", time.time())
    return done


def _stop_trials(context: Context, study: Study) -> None:
    reason = study.get("reason", "")
    for frozen in study.frozen():
        if frozen.state.is_finished():
            continue
        spool = context.spool(study.name, frozen.number)
        if spool.request() is not None and spool.result() is None:
            spool.stop(reason)
        study.trial(frozen.number).finish(Result("stopped", reason=reason), TrialState.FAIL)


def _push_best(context: Context, study: Study) -> None:
    winner = study.view().winner
    branch = best_branch(study.name)
    if winner is None or winner.commit is None or study.get("best_branch") == branch:
        return
    context.repository.push(winner.commit, branch)
    study.set("best_branch", branch)
    context.say(f"Branch {branch} is trial {winner.number} ({winner.commit[:7]}).")


def _remove_environment(context: Context, study: Study) -> None:
    context.environment.remove(study.name)


def _start_next(context: Context, study: Study) -> None:
    start_waiting(context, study.get("branch"))


def start_waiting(context: Context, branch: str) -> None:
    """Start the oldest study that waits for this branch, unless one of it runs."""
    studies = [each for each in context.record.studies() if each.get("branch") == branch]
    if any(each.running for each in studies):
        return
    for study in studies:
        if study.get("state") == "waiting":
            study.set("state", "running")
            context.say(f"Study {study.name} has waited for {branch} to be free, and starts.")
            context.scheduler.trigger(Next("pull", study.name, 0))
            return
