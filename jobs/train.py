"""Job 3, train: hand a trial to the trainer, follow it, record how it ended."""

import functools
import time
from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from jobs.context import Context
from jobs.environment.spool import Epoch, Request, Result, Spool
from jobs.foresight import foresee, would_follow
from jobs.publish import publish, publish_logs
from jobs.scheduler.base import Next, following
from jobs.search.diagnosis import diagnose, has_learnt
from jobs.search.history import History, curves
from jobs.search.proposal import CONFIRM
from jobs.search.pruner import PRUNED, RetunePruner
from jobs.study import Study, Trial, measured_with

POLL_SECONDS, LOOK_SECONDS, GRACE_SECONDS = 0.05, 2.0, 600.0
END_POLL_SECONDS, END_SECONDS = 0.01, 10.0
"""While a script is at its end, and not for long, what follows waits for nothing but its result."""
LONG_EPOCH_SECONDS = 1.0
"""An epoch beside which there is time to look ahead, and still to see its end at once."""
BAR = 20


def run(context: Context, study: str, trial: int) -> Next | None:
    """Train one trial and record it; a trial that is recorded already is left alone."""
    recorded = context.record.open(study)
    attempt = recorded.trial(trial)
    if not attempt.finished:
        if not recorded.running:
            context.say(f"Study {study} is {recorded.get('state')}: nothing to train.")
            return None
        spool = context.spool(study, trial)
        spool.submit(_request(context, recorded, attempt))
        try:
            result = _follow(context, recorded, attempt, spool)
        finally:  # aborted as well
            publish_logs(context, recorded, trial)
        if result is None:
            return None
        _record(context, recorded, attempt, spool, result)
    _say_outcome(context, attempt)
    return following("train", study, trial)


def _request(context: Context, study: Study, trial: Trial) -> Request:
    facts, frozen = study.facts(), trial.frozen()
    inherit = facts.get("inherit", True) and frozen.user_attrs.get("kind") != CONFIRM
    return Request(
        study=study.name,
        trial=trial.number,
        script=facts["script"],
        data=facts.get("data", {}),
        target=facts["target"],
        inherit=_parent_with_model(context, study, frozen, facts) if inherit else None,
        seconds=context.settings.trial_hours * 3600,
        arguments=facts.get("arguments", []),
        mirror=_may_be_varied(frozen) and not _knows_mirrors(study, facts),
    )


def _parent_with_model(
    context: Context, study: Study, trial: FrozenTrial, facts: Mapping[str, Any]
) -> int | None:
    """The number of the trial's parent, where that has left a model that has learnt something."""
    parent: int | None = trial.user_attrs.get("parent")
    if parent is None or not context.spool(study.name, parent).model.exists():
        return None
    measured = measured_with(facts)
    epochs = curves(study.trial(parent).frozen())
    return parent if has_learnt(epochs, measured["chance"], measured["validation_images"]) else None


def _knows_mirrors(study: Study, facts: Mapping[str, Any]) -> bool:
    return History(study.frozen(), None).knows_mirrors(measured_with(facts)["chance"])


def _may_be_varied(trial: FrozenTrial) -> bool:
    """Whether a tweak may begin to vary the images."""
    held = trial.user_attrs.get("held", {})
    return trial.params.get("augmentation") == "none" and "augmentation" not in held


def _follow(context: Context, study: Study, trial: Trial, spool: Spool) -> Result | None:
    """Record epoch after epoch until there is a result; None where the study ended meanwhile."""
    facts = study.facts()
    target = facts["target"]
    pruner = _pruner(context, study, trial, facts)
    asked = study.optuna_study()
    seen = len(trial.get("curves", []))
    # The first look writes the page, which a script at its start leaves no processor for; the first
    # trial is looked at at once, so that there is a page.
    look, is_published = time.monotonic() + (LOOK_SECONDS if trial.number else 0.0), False
    at_its_end_until = 0.0
    while True:
        result = spool.result()  # read before the epochs: once it is there, they all are
        epochs = list(spool.epochs())
        ending: TrialState | None = None
        pruned: str | None = None
        for step, epoch in enumerate(epochs[seen:], start=seen + 1):
            trial.record_epoch(epoch, step)
            context.say(epoch_line(epoch, target))
            if result is None and (reason := pruner.reason(asked, trial.frozen())):
                spool.stop(reason)
                ending, pruned = TrialState.PRUNED, reason
            elif result is None and _nears_its_end(epoch):
                ending = TrialState.COMPLETE
            is_last = epoch.epoch >= epoch.epochs > 1 or ending == TrialState.PRUNED
            at_its_end_until = time.monotonic() + END_SECONDS if is_last else 0.0
        if ending is not None:
            foresee(context, study, trial, ending, pruned)
        seen = max(seen, len(epochs))
        if result is not None:
            trial.record_curves(epochs)
            return result
        if time.monotonic() > look:
            look += LOOK_SECONDS
            if not study.running:
                context.say(f"Study {study.name} was ended meanwhile.")
                return None
            _end_overdue(context, spool)
            if not is_published:
                publish(context, study)
                is_published = True
        time.sleep(END_POLL_SECONDS if time.monotonic() < at_its_end_until else POLL_SECONDS)


def _pruner(context: Context, study: Study, trial: Trial, facts: Mapping[str, Any]) -> RetunePruner:
    inherits = facts.get("inherit", True)
    # Of what is trained from scratch, or by a schedule, no part of the epochs stands for the rest.
    divides = inherits and facts.get("trains_steadily", False)
    has_child = len(study.frozen()) < facts["max_trials"]
    goes_on = divides and _parent_with_model(context, study, trial.frozen(), facts) is not None
    return RetunePruner(
        target=facts["target"],
        inherits=inherits and has_child,
        ends_first=divides and has_child,
        **measured_with(facts),
        follows=functools.partial(would_follow, context, study) if goes_on else None,
    )


def _nears_its_end(epoch: Epoch) -> bool:
    """Whether this is the last epoch, or the one before and there is time in the last one.

    A script that fits for one epoch at a time is at its end with none.
    """
    left = epoch.epochs - epoch.epoch
    return epoch.epochs > 1 and (left <= 0 or (left == 1 and epoch.seconds > LONG_EPOCH_SECONDS))


def _end_overdue(context: Context, spool: Spool) -> None:
    """Give up a trial whose trainer does not keep its own time limit, relaunches included."""
    hours = context.settings.trial_hours
    if spool.seconds_since_request() > hours * 3600 + GRACE_SECONDS:
        reason = (
            f"The trial took longer than {hours:g} hours and its trainer did not end it; "
            "train fewer epochs, or have the operator raise RETUNE_TRIAL_HOURS."
        )
        spool.stop(reason)
        spool.conclude(Result("failed", failure="time-limit", reason=reason))


def _record(context: Context, study: Study, trial: Trial, spool: Spool, result: Result) -> None:
    study.learn(result)
    measured = measured_with(study.facts())
    findings = diagnose(list(spool.epochs()), **measured, failure=result.failure)
    facts = {
        "environment": context.environment.describe(),
        "console": spool.console_tail(),
        "diagnosis": findings.sentence,
    }
    if spool.model.exists():
        facts["model"] = str(spool.model.relative_to(context.settings.home))
    trial.finish(result, _state(result), facts)


def _state(result: Result) -> TrialState:
    if result.outcome == "complete" and result.objective is not None:
        return TrialState.COMPLETE
    if result.outcome == "stopped" and result.reason in PRUNED:
        return TrialState.PRUNED
    return TrialState.FAIL


def epoch_line(epoch: Epoch, target: float) -> str:
    """One readable line of the build log: epoch, bar, accuracies, seconds, time left."""
    done = round(BAR * epoch.epoch / max(epoch.epochs, 1))
    left = epoch.seconds * (epoch.epochs - epoch.epoch)
    parts = [f"epoch {epoch.epoch:>3}/{epoch.epochs}", "█" * done + "░" * (BAR - done)]
    if epoch.accuracy is not None:
        parts.append(f"train {epoch.accuracy:.3f}")
    if epoch.val_accuracy is not None:
        parts.append(f"validation {epoch.val_accuracy:.3f} of {target:.3f}")
    if epoch.val_loss is not None:
        parts.append(f"loss {epoch.val_loss:.3f}")
    parts.append(f"{epoch.seconds:.1f} s" + (f", {left:.0f} s left" if left >= 1 else ""))
    return "  ".join(parts)


def _say_outcome(context: Context, trial: Trial) -> None:
    view = trial.view()
    result = view.result
    if result is None:
        return
    if view.state == "failed":
        context.say(f"Trial {trial.number} failed: {result.reason}")
        for line in trial.get("console", []):
            context.say(f"    {line}")
        return
    accuracy = "no accuracy" if result.objective is None else f"{result.objective:.4f}"
    context.say(
        f"Trial {trial.number} is {view.state}: validation accuracy {accuracy} at epoch "
        f"{result.best_epoch} of {result.epochs}, {result.seconds_in_fit:.1f} s in fit, "
        f"{result.seconds_outside_fit:.1f} s outside. {view.diagnosis}"
    )


if __name__ == "__main__":
    from jobs.command import main

    main("train")
