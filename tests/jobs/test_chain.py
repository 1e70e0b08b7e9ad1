"""The inline loop: a push goes all the way by itself, in one process, once."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from jobs import watch
from jobs.chain import run_chain, run_push
from jobs.errors import RetuneError
from jobs.pause import pause, resume
from jobs.scheduler.base import Next
from jobs.scheduler.inline import InlineScheduler


@pytest.fixture
def inline(world: Any) -> Any:
    scheduler = InlineScheduler(world.context.settings.home, "/bin/false", Path())
    world.context = replace(world.context, scheduler=scheduler)
    return world


def test_a_push_goes_all_the_way(inline: Any) -> None:
    push = inline.push()
    run_push(inline.context, push)
    view = inline.context.record.studies()[0].view()
    assert (view.outcome, [each.objective for each in view.trials]) == ("reached", [0.6, 0.7, 0.8])
    assert len(inline.mails) == 1


def test_the_same_push_again_does_nothing(inline: Any) -> None:
    push = inline.push()
    run_push(inline.context, push)
    name = inline.context.record.names()[0]
    before = inline.snapshot(name)
    run_push(inline.context, push)
    assert inline.snapshot(name) == before


def test_one_runner_a_study(inline: Any) -> None:
    scheduler = inline.context.scheduler
    with scheduler.running("main-1234567") as alone:
        assert alone
        assert scheduler.busy("main-1234567")
        run_chain(inline.context, Next("pull", "main-1234567", 0))
    assert "are being run already" in inline.said[-1]
    assert not scheduler.busy("main-1234567")


def test_jenkins_jobs_are_not_run_inline(world: Any) -> None:
    with pytest.raises(RetuneError, match="run by Jenkins here"):
        run_chain(world.context, Next("pull", "main-1234567", 0))


def test_the_sentence_a_job_failed_with_is_kept(inline: Any) -> None:
    push = inline.push()

    def away(_: object) -> None:
        raise RetuneError("The Docker Engine does not answer; start it.")

    inline.environment.launch = away
    with pytest.raises(RetuneError, match="does not answer"):
        run_push(inline.context, push)
    study = inline.context.record.studies()[0]
    assert study.get("last_error") == "The Docker Engine does not answer; start it."


def train_until(watched: threading.Event, inline: Any) -> None:
    """Have watch run often, and trials end no sooner than it has said so."""
    inline.context.settings.watch_seconds = 0.01
    release = inline.environment.play

    def play(request: Any) -> Any:
        assert watched.wait(60)
        return release(request)

    inline.environment.play = play


def test_watch_runs_beside_the_chain(inline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = threading.Event()
    train_until(watched, inline)
    monkeypatch.setattr(watch, "run", lambda _: watched.set())
    run_push(inline.context, inline.push())
    assert watched.is_set()


def test_a_round_of_watch_that_fails_is_not_the_last(
    inline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = threading.Event()
    train_until(again, inline)
    failures: list[Exception] = [OperationalError("SELECT", {}, Exception("database is locked"))]

    def look(_: object) -> None:
        if failures:
            raise failures.pop()
        again.set()

    monkeypatch.setattr(watch, "run", look)
    run_push(inline.context, inline.push())
    assert "watch: The storage did not answer" in "\n".join(inline.said)


def test_a_study_stopped_by_hand_goes_on_where_it_was(world: Any) -> None:
    from jobs import launch, pull, train

    step = pull.receive(world.context, world.push())
    launch.run(world.context, step.study, 0)
    world.environment.deaf = True
    done: list[Next | None] = []
    job = threading.Thread(target=lambda: done.append(train.run(world.context, step.study, 0)))
    job.start()
    spool = world.context.spool(step.study, 0)
    while spool.request() is None:
        job.join(0.01)
    pause(world.context, step.study)
    job.join(60)
    assert done == [None]
    assert (spool.folder / "stop").exists()
    assert world.environment.studies() == []
    resume(world.context, step.study)
    assert not (spool.folder / "stop").exists()
    assert world.scheduler.triggered == [Next("launch", step.study, 0)]
    with pytest.raises(RetuneError, match="is running, not paused"):
        resume(world.context, step.study)
