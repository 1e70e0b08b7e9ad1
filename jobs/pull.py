"""Job 1, pull: from a push to a study, and from a trial's commit to its checkout."""

import re
from hashlib import sha256

from jobs.context import Context
from jobs.ending import end_study
from jobs.repository import (
    OWN_BRANCHES,
    STUDY_TRAILER,
    TRIAL_TRAILER,
    CommitFacts,
    check_push,
)
from jobs.scheduler.base import Next, Push, following
from jobs.study import Study, Trial


def run(context: Context, study: str, trial: int) -> Next | None:
    """Check out exactly the trial's commit.

    Raises RetuneError where the remote is away or the commit is gone; nothing is half made then.
    """
    recorded = context.record.open(study)
    if not recorded.running:
        context.say(f"Study {study} is {recorded.get('state')}: nothing to pull.")
        return None
    commit = recorded.trial(trial).get("commit")
    folder = context.source(study, trial)
    if not folder.exists():
        if not context.repository.has(commit):
            context.repository.fetch()
        context.repository.check_out(commit, folder)
    context.say(f"Trial {trial} of {study}: commit {commit[:7]} is checked out.")
    return following("pull", study, trial)


def receive(context: Context, push: Push) -> Next | None:
    """Start a study for a push; a push that has been seen, or that is Retune's own, starts none.

    Raises RetuneError where the remote is away, or where the commit is no longer on its branch.
    """
    if push.branch.startswith(OWN_BRANCHES):
        context.say(f"{push.branch} is one of Retune's own branches: no study starts.")
        return None
    check_push(push.branch, push.commit)
    context.repository.fetch()
    context.repository.require_on_branch(push.branch, push.commit)
    facts = context.repository.facts(push.commit)
    if (known := _known_trial(context, facts)) is not None:
        study, trial = known
        if study.running and not trial.finished:
            return run(context, study.name, trial.number)
        context.say(
            f"Commit {push.commit[:7]} is trial {trial.number} of {study.name} and has been "
            "trained: no study starts."
        )
        return None
    name = study_name(push.branch, push.commit)
    with context.lock(name):
        if name in context.record.names() and context.record.open(name).frozen():
            context.say(f"Study {name} has been started by this push already: nothing to do.")
            return None
        context.repository.check_out(push.commit, context.source(name, 0))
        study = _create(context, name, push, facts)
        study.add_first_trial(push.commit)
    context.say(f"Study {name} starts: {facts.subject!r} by {facts.author}.")
    _make_way(context, study)
    return run(context, name, 0)


def study_name(branch: str, commit: str) -> str:
    """``<branch>-<sha7>``; a branch that is no plain name gets a hash, so that none collide."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", branch).strip("-.")[:100] or "branch"
    if plain != branch:
        plain += "-" + sha256(branch.encode()).hexdigest()[:4]
    return f"{plain}-{commit[:7]}"


def _known_trial(context: Context, facts: CommitFacts) -> tuple[Study, Trial] | None:
    """The trial that this commit is, as when a winner was merged by fast-forward and pushed."""
    name, number = facts.trailers.get(STUDY_TRAILER), facts.trailers.get(TRIAL_TRAILER, "")
    if name not in context.record.names() or not number.isdigit():
        return None
    study = context.record.open(name)
    if int(number) >= len(study.frozen()):
        return None
    trial = study.trial(int(number))
    return (study, trial) if trial.get("commit") == facts.commit else None


def _create(context: Context, name: str, push: Push, facts: CommitFacts) -> Study:
    settings = context.settings
    return context.record.create(
        name,
        {
            "branch": push.branch,
            "commit": push.commit,
            "author": facts.author,
            "email": facts.email,
            "subject": facts.subject,
            "target": settings.target,
            "max_trials": settings.trials,
            "max_hours": settings.hours,
            "recipients": settings.mail_to,
        },
    )


def _make_way(context: Context, study: Study) -> None:
    """See to the studies of earlier pushes to the same branch, as the operator wants it."""
    facts = study.facts()
    for other in context.record.studies():
        if other.name == study.name or not other.running:
            continue
        if other.get("branch") != facts["branch"]:
            continue
        if context.settings.on_push == "queue":
            study.set("state", "waiting")
            context.say(f"Study {study.name} waits until {other.name} has ended.")
            return
        reason = f"A newer push to {facts['branch']} ({facts['commit'][:7]}) took its place."
        context.say(f"Study {other.name} is stopped: {reason}")
        end_study(context, other, "stopped", reason)
        context.scheduler.stop(other.name)


if __name__ == "__main__":
    from jobs.command import main

    main("pull")
