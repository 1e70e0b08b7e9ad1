"""Job 1: pushes that start a study, pushes that do not, and what goes wrong meanwhile."""

import shutil
from dataclasses import replace
from typing import Any

import pytest

from jobs import pull
from jobs.errors import RetuneError
from jobs.scheduler.base import Next, Push


def test_a_push_starts_a_study_with_the_script_as_trial_0(world: Any) -> None:
    push = world.push()
    step = pull.receive(world.context, push)
    name = f"main-{push.commit[:7]}"
    assert step == Next("launch", name, 0)
    view = world.context.record.open(name).view()
    assert (view.branch, view.commit, view.author) == ("main", push.commit, "A. Pusher")
    assert view.trials[0].commit == push.commit
    assert (world.context.source(name, 0) / "cnn.py").exists()


def test_a_repeated_delivery_changes_nothing(world: Any) -> None:
    push = world.push()
    pull.receive(world.context, push)
    before = world.snapshot(f"main-{push.commit[:7]}")
    assert pull.receive(world.context, push) is None
    assert world.snapshot(f"main-{push.commit[:7]}") == before
    assert "has been started by this push already" in world.said[-1]


def test_run_twice_changes_nothing(world: Any) -> None:
    step = pull.receive(world.context, world.push())
    before = world.snapshot(step.study)
    assert pull.run(world.context, step.study, 0) == step
    assert world.snapshot(step.study) == before


def test_own_branches_start_nothing(world: Any) -> None:
    push = world.push(branch="retune/main-1/best")
    assert pull.receive(world.context, push) is None
    assert world.context.record.names() == []


def test_two_branches_start_two_studies(world: Any) -> None:
    first = pull.receive(world.context, world.push())
    second = pull.receive(world.context, world.push(branch="a/b"))
    assert first.study != second.study
    assert len(world.context.record.names()) == 2


def test_branch_names_never_collide() -> None:
    commit = "0" * 40
    names = {pull.study_name(each, commit) for each in ("a/b", "a-b", "a//b", "ä", "ö")}
    assert len(names) == 5


def test_a_winner_merged_by_fast_forward_starts_nothing(world: Any) -> None:
    push = world.push()
    study = pull.receive(world.context, push).study
    message = f"Trial 1: x\n\nRetune-Study: {study}\nRetune-Trial: 1\nRetune-Parent: 0\n"
    (world.clone / "cnn.py").write_text("# tweaked\n")
    world.git("commit", "--quiet", "--all", "--message", message)
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    commit = world.git("rev-parse", "HEAD")
    recorded = world.context.record.open(study)
    trial = recorded.trial(
        world.context.record.storage.get_trial_number_from_id(
            world.context.record.storage.create_new_trial(recorded.identifier)
        )
    )
    trial.set("commit", commit)
    recorded.finish("reached", "Done.")
    assert pull.receive(world.context, Push("main", commit)) is None
    assert world.context.record.names() == [study]
    assert "is trial 1" in world.said[-1]


def test_a_newer_push_stops_the_study_of_the_branch(world: Any) -> None:
    old = pull.receive(world.context, world.push()).study
    new = pull.receive(world.context, world.push()).study
    view = world.context.record.open(old).view()
    assert (view.state, view.outcome) == ("finished", "stopped")
    assert "took its place" in view.reason
    assert world.scheduler.stopped == [old]
    assert world.context.record.open(new).running


def test_a_newer_push_can_be_queued(world: Any) -> None:
    queued = replace(
        world.context, settings=world.context.settings.model_copy(update={"on_push": "queue"})
    )
    old = pull.receive(queued, world.push()).study
    push = world.push()
    assert pull.receive(queued, push) is None
    new = f"main-{push.commit[:7]}"
    assert world.context.record.open(new).get("state") == "waiting"
    from jobs.ending import end_study

    end_study(queued, world.context.record.open(old), "budget", "Spent.")
    assert world.scheduler.triggered == [Next("pull", new, 0)]
    assert world.context.record.open(new).running


def test_remote_away_is_said_and_nothing_is_half_made(world: Any) -> None:
    push = world.push()
    shutil.move(world.remote, world.remote.with_name("moved.git"))
    with pytest.raises(RetuneError, match=r"The remote .* cannot be fetched"):
        pull.receive(world.context, push)
    assert world.context.record.names() == []
    shutil.move(world.remote.with_name("moved.git"), world.remote)
    assert pull.receive(world.context, push) is not None


def test_force_push_meanwhile_is_said_and_nothing_is_half_made(world: Any) -> None:
    world.push()
    replaced = world.push()
    world.git("reset", "--quiet", "--hard", "HEAD~1")
    world.push()
    with pytest.raises(RetuneError, match="replaced by a force-push"):
        pull.receive(world.context, replaced)
    assert world.context.record.names() == []


def test_what_is_no_commit_id_never_reaches_git(world: Any) -> None:
    with pytest.raises(RetuneError, match="not a full commit id"):
        pull.receive(world.context, Push("main", "--output=/tmp/x"))


def test_unknown_study_is_said(world: Any) -> None:
    with pytest.raises(RetuneError, match="There is no study nothing-0"):
        pull.run(world.context, "nothing-0", 0)
