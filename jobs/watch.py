"""Job 5, watch: every minute, put right what has stopped without a reason."""

import time
from pathlib import Path

from jobs import dataset
from jobs.context import Context
from jobs.ending import complete_ending, end_study, start_waiting
from jobs.environment.spool import Result
from jobs.errors import RetuneError
from jobs.launch import specification
from jobs.pause import pause
from jobs.stage import next_step
from jobs.study import Study

MOST_RELAUNCHES, MOST_RESTARTS, WITHIN_SECONDS = 5, 5, 3600.0


def run(context: Context) -> None:
    """Look after every study once. What fails for one study hinders no other.

    Raises RetuneError in the end where something could not be put right.
    """
    errors: list[str] = []
    unforeseen: list[Exception] = []
    for study in context.record.studies():
        try:
            if study.get("state") == "finished":
                if not study.get("closed") and complete_ending(context, study):
                    context.say(f"Study {study.name}: its end is complete now.")
            elif study.get("state") == "waiting":
                # The one before it may have ended just before this one began to wait, or be paused.
                start_waiting(context, study.get("branch"))
            elif study.running:
                _keep_environment(context, study)
                _keep_chain(context, study)
        except RetuneError as error:
            errors.append(f"{study.name}: {error}")
        except Exception as error:
            unforeseen.append(error)
    try:
        _remove_strays(context)
        _prune_cache(context)
    except RetuneError as error:
        errors.append(str(error))
    if unforeseen:
        raise unforeseen[0]
    if errors:
        raise RetuneError(" ".join(errors))


def _keep_environment(context: Context, study: Study) -> None:
    """Relaunch the environment of a trial in training; give the trial up after too many."""
    launched = specification(context, study)
    trial = next((each for each in reversed(study.frozen()) if not each.state.is_finished()), None)
    if launched is None or trial is None:
        return
    spool = context.spool(study.name, trial.number)
    if spool.request() is None or spool.result() is not None:
        return
    state = context.environment.state(study.name)
    if not state.needs_relaunch:
        return
    recorded = study.trial(trial.number)
    times = [each for each in recorded.get("relaunch_times", []) if _recent(each)]
    if len(times) >= MOST_RELAUNCHES:
        reason = (
            f"The environment was relaunched {MOST_RELAUNCHES} times within an hour and died "
            f"again ({state.detail}); the trial is given up."
        )
        spool.conclude(Result("failed", failure="relaunches", reason=reason))
        context.say(f"Study {study.name}, trial {trial.number}: {reason}")
        return
    epochs = len(list(spool.epochs()))
    why = f"{time.strftime('%Y-%m-%d %H:%M:%S')} after epoch {epochs}: {state.detail}"
    recorded.set("relaunch_times", [*times, time.time()])
    recorded.set("relaunches", [*recorded.get("relaunches", []), why])
    context.environment.launch(launched)
    context.say(f"Study {study.name}, trial {trial.number}: relaunched {why}")


def _recent(moment: float) -> bool:
    return time.time() - moment < WITHIN_SECONDS


def _keep_chain(context: Context, study: Study) -> None:
    """Trigger the right job where none of the study's is queued or running."""
    if context.scheduler.busy(study.name):
        return
    if context.scheduler.stopped_by_hand(study.name):
        pause(context, study.name)
        return
    step = next_step(context, study)
    restarts = [each for each in study.get("restarts", []) if _recent(each)]
    if len(restarts) >= MOST_RESTARTS:
        error = study.get("last_error", "it left no reason, see its build log.")
        reason = (
            f"Job {step.job} of trial {step.trial} did not get through after {MOST_RESTARTS} "
            f"restarts within an hour: {error}"
        )
        end_study(context, study, "error", reason)
        return
    study.set("restarts", [*restarts, time.time()])
    context.scheduler.trigger(step)
    context.say(
        f"Study {study.name} stood still: job {step.job} of trial {step.trial} is triggered."
    )


def _remove_strays(context: Context) -> None:
    """Remove environments that belong to no running study."""
    found = context.environment.studies()
    # Read after that: a study may have been started, and its environment, a moment ago.
    studies = context.record.studies()
    wanted = {each.name for each in studies if each.get("state") in ("running", "paused")}
    for name in found:
        if name not in wanted:
            context.environment.remove(name)
            context.say(f"The environment of {name} belongs to no running study: removed.")


def _prune_cache(context: Context) -> None:
    """Remove cached images that no study has asked for in a long time."""
    used = {
        Path(folder)
        for study in context.record.studies()
        if study.get("state") != "finished"
        for folder in study.get("data_folders", {}).values()
    }
    for folder in dataset.prune(context.settings.home, keep=used):
        context.say(f"The image cache {folder.name} has not been used for long: removed.")


if __name__ == "__main__":
    from jobs.command import main

    main("watch")
