"""Job 4, tune: the target is reached, or the budget is spent, or the next tweak is pushed."""

import time

from jobs.context import Context
from jobs.ending import complete_ending, end_study
from jobs.foresight import make_sampler, tweaked_scripts
from jobs.publish import publish_for_build
from jobs.repository import trial_branch
from jobs.scheduler.base import CHAIN, Next
from jobs.search.proposal import CONFIRM, Proposal
from jobs.search.sampler import Exhausted
from jobs.study import Outcome, Study, StudyView, Trial, TrialView
from jobs.trial_commit import planned_commit

FAILURES_IN_A_ROW = 3
TOO_LARGE, SIZES_IN_A_ROW = ("out-of-memory", "time-limit"), 6
"""Failures of a script as pushed that smaller batches or fewer epochs mend, each trial by half."""
HOPELESS = ("script-error", "no-fit", "no-accuracy")
"""Failures of the script as pushed that no tweak mends."""


def run(context: Context, study: str, trial: int) -> Next | None:
    """Decide what follows a finished trial. Run twice, the same trial follows it."""
    recorded = context.record.open(study)
    if not recorded.trial(trial).finished:
        context.say(f"Trial {trial} of {study} is not trained yet: nothing to tune.")
        return None
    step = None
    if recorded.running:
        step = _decide(context, recorded, trial)
    elif recorded.get("state") == "finished":
        # An earlier run of this job may have died in the middle of the end.
        complete_ending(context, recorded)
    publish_for_build(context, recorded)
    return step


def _decide(context: Context, study: Study, trial: int) -> Next | None:
    view = study.view()
    if (running := _running_confirmation(view)) is not None:
        return Next(CHAIN[0], study.name, running.number)
    if study.get("confirm") and (winner := _unconfirmed_winner(view)) is not None:
        return _push_trial(context, study, trial, _confirmation(study, view, winner))
    end = _over(view, trial)
    try:
        if end is None:
            return _push_trial(context, study, trial, None)
        outcome, reason = end
    except Exhausted as error:
        outcome, reason = "budget", str(error)
    end_study(context, study, outcome, reason)
    return None


def _over(view: StudyView, trial: int) -> tuple[Outcome, str] | None:
    """Why the study ends with this trial, or None where it goes on."""
    best = view.best
    if best is not None and (best.objective or 0.0) >= view.target:
        return "reached", (
            f"Trial {best.number} reached {best.objective:.4f} validation accuracy; "
            f"the target was {view.target:g}.{_confirmed(view)}"
        )
    so_far = (
        f"the best was trial {best.number} with {best.objective:.4f}"
        if best is not None
        else "no trial reported an accuracy"
    )
    last = [each for each in view.trials if each.number <= trial]
    failed = [each.state == "failed" for each in last]
    if failed == [True] and last[0].result and last[0].result.failure in HOPELESS:
        return "failures", f"The script as pushed cannot be trained: {last[0].result.reason}"
    sizes = [each.result is not None and each.result.failure in TOO_LARGE for each in last]
    most = SIZES_IN_A_ROW if best is None and all(sizes) else FAILURES_IN_A_ROW
    if len(last) >= most and all(failed[-most:]):
        reason = last[-1].result.reason if last[-1].result else "no reason is recorded"
        return "failures", (
            f"{most} trials in a row failed, the last one so: {reason} Of all trials {so_far}."
        )
    if len(view.trials) >= view.max_trials:
        return "budget", f"The budget of {view.max_trials} trials is spent; {so_far}."
    if time.time() - view.started >= view.max_hours * 3600:
        return "budget", f"The budget of {view.max_hours:g} hours is spent; {so_far}."
    return None


def _running_confirmation(view: StudyView) -> TrialView | None:
    return next((each for each in view.trials if each.confirms and each.state == "running"), None)


def _unconfirmed_winner(view: StudyView) -> TrialView | None:
    """The trial that reached the target, unless it has been trained once more already."""
    best = view.best
    reached = best is not None and (best.objective or 0.0) >= view.target
    return best if reached and not any(each.confirms for each in view.trials) else None


def _confirmed(view: StudyView) -> str:
    """What the winner came to from scratch, as a sentence; empty where nobody asked."""
    found = view.confirmation
    if found is None or found.result is None:
        return ""
    if found.objective is None:
        return f" Trained from scratch it failed (trial {found.number}): {found.result.reason}"
    tested = found.result.test_accuracy
    beside = f", and {tested:.4f} on its test images" if tested is not None else ""
    return f" Trained from scratch it came to {found.objective:.4f}{beside} (trial {found.number})."


def _confirmation(study: Study, view: StudyView, best: TrialView) -> Proposal:
    """The winner once more from scratch, with as many epochs as its whole lineage has seen."""
    lineage, trained = best, len(best.epochs)
    while lineage.parent is not None:
        lineage = next(each for each in view.trials if each.number == lineage.parent)
        trained += len(lineage.epochs)
    epochs = best.params.get("fit.epochs")
    with_others = best.result is not None and bool(best.result.inherited)
    inherited, whose = (" with inherited weights", "its lineage") if with_others else ("", "it")
    free = "fit.epochs" not in study.trial(best.number).get("held", {})
    return Proposal(
        best.number,
        {"fit.epochs": trained} if free and epochs not in (None, trained) else {},
        CONFIRM,
        f"Trial {best.number} reached the target{inherited}: the same model is trained once more "
        f"from scratch, for the {trained} epochs that {whose} has seen.",
    )


def _push_trial(context: Context, study: Study, trial: int, proposal: Proposal | None) -> Next:
    """Commit and push the trial that follows ``trial``, as proposed or as the sampler says."""
    with context.lock(study.name):
        sampler = make_sampler(context, study)
        next_trial = study.ask(trial, None if proposal else sampler)
        if next_trial.get("commit") is None:
            chosen = proposal or sampler.proposal(study.optuna_study(), next_trial.frozen())
            words, commit = _commit(context, study, next_trial, chosen)
            context.repository.push(commit, trial_branch(study.name, next_trial.number))
            next_trial.record_proposal(chosen, words, commit)
    view = next_trial.view()
    context.say(f"Trial {view.number}, from trial {view.parent}: {view.words}.")
    context.say(f"Why: {view.why}")
    return Next(CHAIN[0], study.name, view.number)


def _commit(context: Context, study: Study, trial: Trial, proposal: Proposal) -> tuple[str, str]:
    """The trial's tweak in words, and the commit that holds it."""
    planned = planned_commit(study, trial.number, proposal)
    if not proposal.tweak:
        return planned.words, planned.parent
    scripts = tweaked_scripts(context, study)
    commit = context.repository.commit_trial(
        study.name,
        trial.number,
        planned.parent,
        scripts.files(proposal.parent, proposal.tweak),
        planned.message,
        ahead=scripts.commit(proposal.parent, proposal.tweak, planned.message),
    )
    return planned.words, commit


if __name__ == "__main__":
    from jobs.command import main

    main("tune")
