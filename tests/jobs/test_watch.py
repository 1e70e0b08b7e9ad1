"""Job 5: environments and chains that stopped without a reason."""

import os
import shutil
from typing import Any

import pytest

from jobs import launch, pull, train, tune, watch
from jobs.environment.base import Condition
from jobs.environment.spool import Request
from jobs.errors import RetuneError
from jobs.scheduler.base import Next


@pytest.fixture
def training(world: Any) -> str:
    """A study whose trial 0 has been handed over to an environment that died since."""
    step = pull.receive(world.context, world.push())
    launch.run(world.context, step.study, 0)
    world.environment.remove(step.study)
    world.environment.launched.clear()
    world.context.spool(step.study, 0).submit(Request(step.study, 0, "cnn.py"))
    world.scheduler.is_busy = True
    return str(step.study)


def relaunches(world: Any, study: str) -> tuple[str, ...]:
    return tuple(world.context.record.open(study).view().trials[0].relaunches)


def test_a_dead_environment_is_relaunched_with_the_same_specification(
    world: Any, training: str
) -> None:
    world.environment.condition = Condition.DEAD
    recorded = world.context.record.open(training)
    watch.run(world.context)
    assert world.environment.launched == [launch.specification(world.context, recorded)]
    assert len(relaunches(world, training)) == 1
    assert "after epoch 0: it is dead" in relaunches(world, training)[0]


@pytest.mark.parametrize("condition", [Condition.HEALTHY, Condition.STARTING])
def test_a_living_environment_is_left_alone(
    world: Any, training: str, condition: Condition
) -> None:
    world.environment.condition = condition
    watch.run(world.context)
    assert world.environment.launched == []


def test_an_environment_that_nobody_needs_now_is_left_alone(world: Any) -> None:
    step = pull.receive(world.context, world.push())
    launch.run(world.context, step.study, 0)
    world.scheduler.is_busy = True
    world.environment.launched.clear()
    world.environment.condition = Condition.DEAD
    watch.run(world.context)
    assert world.environment.launched == []


def test_more_than_five_relaunches_in_an_hour_give_the_trial_up(world: Any, training: str) -> None:
    def die() -> None:
        world.environment.remove(training)
        world.environment.condition = Condition.UNHEALTHY

    world.environment.deaf = True
    for _ in range(5):
        die()
        watch.run(world.context)
    assert len(relaunches(world, training)) == 5
    assert world.context.spool(training, 0).result() is None
    die()
    watch.run(world.context)
    result = world.context.spool(training, 0).result()
    assert (result.outcome, result.failure) == ("failed", "relaunches")
    assert "relaunched 5 times within an hour" in result.reason
    assert train.run(world.context, training, 0) == Next("tune", training, 0)


def test_a_chain_that_stands_still_is_put_back_at_the_right_job(world: Any) -> None:
    context, scheduler = world.context, world.scheduler
    step = pull.receive(context, world.push())
    expected = [step]
    watch.run(context)
    launch.run(context, step.study, 0)
    watch.run(context)
    expected.append(Next("train", step.study, 0))
    train.run(context, step.study, 0)
    watch.run(context)
    expected.append(Next("tune", step.study, 0))
    tune.run(context, step.study, 0)
    watch.run(context)
    expected.append(Next("pull", step.study, 1))
    assert scheduler.triggered == expected


def test_a_busy_chain_is_left_alone(world: Any) -> None:
    pull.receive(world.context, world.push())
    world.scheduler.is_busy = True
    watch.run(world.context)
    assert world.scheduler.triggered == []


def test_a_study_whose_build_was_aborted_before_its_job_began_is_paused(world: Any) -> None:
    name = pull.receive(world.context, world.push()).study
    world.scheduler.by_hand = True
    watch.run(world.context)
    watch.run(world.context)
    assert world.context.record.open(name).get("state") == "paused"
    assert world.scheduler.triggered == []
    assert f"Study {name} is paused; `python -m jobs resume {name}` goes on with it." in world.said


def test_a_study_that_waits_for_a_branch_that_is_free_starts(world: Any) -> None:
    """The study before it ended just before this one began to wait."""
    name = pull.receive(world.context, world.push()).study
    other = pull.receive(world.context, world.push(branch="other")).study
    world.scheduler.is_busy = True
    waiting = world.context.record.open(name)
    waiting.set("state", "waiting")
    watch.run(world.context)
    watch.run(world.context)
    assert world.scheduler.triggered == [Next("pull", name, 0)]
    assert waiting.running
    assert world.context.record.open(other).running


def test_a_study_waits_for_a_branch_as_long_as_one_of_it_runs(world: Any) -> None:
    pull.receive(world.context, world.push())
    second = pull.receive(world.context, world.push(branch="other")).study
    waiting = world.context.record.open(second)
    waiting.set("branch", "main")
    waiting.set("state", "waiting")
    world.scheduler.is_busy = True
    watch.run(world.context)
    assert world.scheduler.triggered == []
    assert waiting.get("state") == "waiting"


def test_a_job_that_never_gets_through_ends_the_study_with_its_error(world: Any) -> None:
    name = pull.receive(world.context, world.push()).study
    world.context.record.open(name).set("last_error", "The Docker Engine does not answer.")
    for _ in range(6):
        watch.run(world.context)
    view = world.context.record.open(name).view()
    assert (view.state, view.outcome) == ("finished", "error")
    assert view.reason.endswith("The Docker Engine does not answer.")
    assert len(world.mails) == 1


def test_an_end_that_was_not_completed_is_completed(world: Any) -> None:
    name = pull.receive(world.context, world.push()).study
    world.context.record.open(name).finish("budget", "The budget of 1 trials is spent.")
    watch.run(world.context)
    watch.run(world.context)
    assert len(world.mails) == 1
    assert world.context.record.open(name).get("closed")


def test_strays_are_removed(world: Any) -> None:
    step = pull.receive(world.context, world.push())
    launch.run(world.context, step.study, 0)
    world.scheduler.is_busy = True
    watch.run(world.context)
    assert world.environment.studies() == [step.study]
    recorded = world.context.record.open(step.study)
    recorded.finish("stopped", "x")
    recorded.set("closed", 1.0)
    watch.run(world.context)
    assert world.environment.studies() == []


def test_what_fails_for_one_study_hinders_no_other(world: Any) -> None:
    first = pull.receive(world.context, world.push()).study
    second = pull.receive(world.context, world.push(branch="other")).study
    real = world.scheduler.trigger

    def trigger(step: Next) -> None:
        if step.study == first:
            raise RetuneError("Jenkins does not answer.")
        real(step)

    world.scheduler.trigger = trigger
    with pytest.raises(RetuneError, match=f"{first}: Jenkins does not answer"):
        watch.run(world.context)
    assert [each.study for each in world.scheduler.triggered] == [second]


def test_a_lost_checkout_is_pulled_again(world: Any) -> None:
    step = pull.receive(world.context, world.push())
    shutil.rmtree(world.context.source(step.study, 0))
    watch.run(world.context)
    assert world.scheduler.triggered == [Next("pull", step.study, 0)]


def test_a_cache_that_nobody_uses_any_more_is_removed(world: Any) -> None:
    step = pull.receive(world.context, world.push())
    launch.run(world.context, step.study, 0)
    recorded = world.context.record.open(step.study)
    images = world.context.settings.home / "cache" / "images"
    used, unused = images / "aaaa", images / "bbbb"
    for each in (used, unused):
        each.mkdir(parents=True)
        os.utime(each, (0, 0))
    recorded.set("data_folders", {"animals": str(used)})
    watch.run(world.context)
    assert used.exists()
    assert not unused.exists()


def test_what_nobody_foresaw_hinders_no_other_study(
    world: Any, training: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = pull.receive(world.context, world.push(branch="side")).study
    world.environment.condition = Condition.DEAD
    keep = watch._keep_environment

    def fail(context: Any, study: Any) -> None:
        if study.name == broken:
            raise ZeroDivisionError
        keep(context, study)

    monkeypatch.setattr(watch, "_keep_environment", fail)
    studies = world.context.record.studies
    monkeypatch.setattr(type(world.context.record), "studies", lambda _: studies()[::-1])
    with pytest.raises(ZeroDivisionError):
        watch.run(world.context)
    assert len(relaunches(world, training)) == 1


def test_the_environment_of_a_study_that_starts_meanwhile_stays(
    world: Any, training: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def start(context: Any, study: Any) -> None:
        if not started:
            step = pull.receive(context, world.push(branch="side"))
            launch.run(context, step.study, 0)
            started.append(step.study)

    monkeypatch.setattr(watch, "_keep_environment", start)
    watch.run(world.context)
    assert started[0] in world.environment.studies()
