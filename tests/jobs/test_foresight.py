"""The tweak that is made while the script before it is still at its end."""

import dataclasses
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from filelock import FileLock
from optuna.trial import TrialState

from jobs import foresight, launch, pull, train, tune
from jobs.context import make_context
from jobs.environment.spool import Request, Result
from jobs.repository import Repository
from jobs.scheduler.base import Next
from jobs.search.pruner import FLAT
from jobs.source import detect
from tests.jobs.conftest import Play, write_progress

ACCURACIES = [0.5, 0.52, 0.55]
OVERFIT = [0.7, 0.7, 0.69, 0.68, 0.67]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was rewritten and read, call by call."""
    done: list[str] = []

    def counted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            done.append(name)
            return original(*arguments, **named)

        return call

    monkeypatch.setattr(foresight, "rewrite", counted("rewrite", foresight.rewrite))
    monkeypatch.setattr(detect, "read", counted("read", detect.read))
    return done


def train_first(
    world: Any, monkeypatch: pytest.MonkeyPatch, accuracies: list[float], **more: Any
) -> tuple[str, list[TrialState]]:
    """Train trial 0, whose script is at its end until job 3 has looked ahead.

    Gives the study's name, and as what the trial was seen to end.
    """
    looked, seen = threading.Event(), []

    def look(*arguments: Any) -> None:
        state, reason = arguments[3:]
        seen.append(state)
        assert (reason == FLAT) == (state == TrialState.PRUNED)
        try:
            foresight.foresee(*arguments)
        finally:
            looked.set()

    def play(request: Request) -> tuple[list[float], Result]:
        spool = world.context.spool(request.study, request.trial)
        write_progress(spool, accuracies, world.environment.gap)
        looked.wait(20)
        best = max(accuracies)
        number = accuracies.index(best) + 1
        return accuracies, Result("complete", best, "val_accuracy", number, **more)

    return train_played(world, monkeypatch, look, play), seen


def train_played(
    world: Any, monkeypatch: pytest.MonkeyPatch, look: Callable[..., None], play: Play
) -> str:
    """Train trial 0 as ``play`` says; job 3 looks ahead by ``look``. Gives the study's name."""
    monkeypatch.setattr(train, "foresee", look)
    world.environment.play = play
    step = pull.receive(world.context, world.push())
    launch.run(world.context, step.study, 0)
    # Else four images say nothing about any tweak.
    world.context.record.open(step.study).set("validation_images", 600)
    train.run(world.context, step.study, 0)
    return str(step.study)


def test_what_follows_is_made_while_the_script_is_at_its_end(
    world: Any, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    name, seen = train_first(world, monkeypatch, ACCURACIES)
    assert seen == [TrialState.COMPLETE]
    assert set(work) == {"rewrite", "read"}
    work.clear()
    assert tune.run(world.context, name, 0) == Next("pull", name, 1)
    pull.run(world.context, name, 1)
    launch.run(world.context, name, 1)
    assert work == []
    trial = world.context.record.open(name).trial(1)
    read = detect.read(world.context.source(name, 1), "cnn.py")
    assert trial.get("tweak").items() <= trial.get("values").items() == read.values().items()


def test_what_only_the_result_says_changes_the_choice(
    world: Any, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    world.environment.gap = 0.2
    name, _ = train_first(world, monkeypatch, OVERFIT, mirroring=0.5)
    assert "read" in work
    work.clear()
    following = tune.run(world.context, name, 0)
    pull.run(world.context, name, following.trial)
    launch.run(world.context, name, following.trial)
    assert set(work) == {"rewrite", "read"}
    tweak = world.context.record.open(name).trial(1).get("tweak")
    assert tweak["augmentation"].endswith("-unmirrored")


def test_what_another_study_left_on_the_remote_is_read_as_it_is(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = train_first(world, monkeypatch, ACCURACIES)
    tune.run(world.context, name, 0)
    pull.run(world.context, name, 1)
    script = world.context.source(name, 1) / "cnn.py"
    text = re.sub(r"epochs=\d+", "epochs=7", script.read_text())
    script.write_text(text)
    launch.run(world.context, name, 1)
    assert world.context.record.open(name).trial(1).get("values")["fit.epochs"] == 7


def test_nothing_is_made_where_the_target_is_reached_or_the_budget_is_spent(
    world: Any, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    name, _ = train_first(world, monkeypatch, [0.5, 0.7, 0.81])
    assert work == []
    assert tune.run(world.context, name, 0) is None
    study = world.context.record.open(name)
    assert study.view().outcome == "reached"
    study.set("target", 0.99)
    study.set("max_trials", 1)
    foresight.foresee(world.context, study, study.trial(0), TrialState.COMPLETE)
    assert work == []
    study.set("max_trials", 2)
    foresight.foresee(world.context, study, study.trial(0), TrialState.COMPLETE)
    assert set(work) == {"rewrite", "read"}


def test_a_pruned_trial_is_foreseen_as_one(
    world: Any, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    monkeypatch.setattr(train.RetunePruner, "reason", lambda *_: FLAT)
    _, seen = train_first(world, monkeypatch, ACCURACIES)
    assert seen == [TrialState.PRUNED]
    assert "read" in work


def test_what_would_follow_if_a_running_trial_ended_now(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = train_first(world, monkeypatch, [0.5, 0.62, 0.74])
    study = world.context.record.open(name)
    running = study.trial(0).frozen()
    longer = foresight.would_follow(world.context, study, running)
    assert (longer.parent, longer.kind, longer.tweak) == (0, "longer", {"fit.epochs": 6})
    assert tune.run(world.context, name, 0) == Next("pull", name, 1)
    # It is not the other trial that has planned as many.
    assert study.trial(1).get("tweak") == longer.tweak
    assert foresight.would_follow(world.context, study, running) == longer
    study.set("target", 0.99)
    assert foresight.would_follow(world.context, study, running).kind != "longer"
    study.set("max_trials", 2)
    assert foresight.would_follow(world.context, study, running) is None
    assert study.trial(0).frozen() == running


@pytest.mark.parametrize(("seconds", "looks"), [(2.0, 2), (0.2, 1)])
def test_a_long_last_epoch_is_time_to_look_ahead(
    world: Any,
    monkeypatch: pytest.MonkeyPatch,
    work: list[str],
    seconds: float,
    looks: int,
) -> None:
    seen: list[list[str]] = []
    looked = threading.Event()

    def look(*arguments: Any) -> None:
        foresight.foresee(*arguments)
        seen.append([*work])
        work.clear()
        looked.set()

    def play(request: Request) -> tuple[list[float], Result]:
        spool = world.context.spool(request.study, request.trial)
        write_progress(spool, ACCURACIES[:2], seconds=seconds, epochs=3)
        if looks == 2:
            assert looked.wait(60)
            looked.clear()
        write_progress(spool, ACCURACIES, seconds=seconds)
        assert looked.wait(60)
        return ACCURACIES, Result("complete", max(ACCURACIES), "val_accuracy", 3)

    train_played(world, monkeypatch, look, play)
    assert [set(each) for each in seen] == [{"rewrite", "read"}, set()][:looks]


def test_what_goes_wrong_ahead_leaves_the_training_recorded(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rewrite(*_: Any, **__: Any) -> None:
        raise RecursionError

    original = foresight.rewrite
    monkeypatch.setattr(foresight, "rewrite", rewrite)
    name, seen = train_first(world, monkeypatch, ACCURACIES)
    assert seen
    assert world.context.record.open(name).trial(0).finished
    monkeypatch.setattr(foresight, "rewrite", original)
    assert tune.run(world.context, name, 0) == Next("pull", name, 1)


def test_jobs_in_processes_of_their_own_find_what_was_made(
    world: Any, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    name, _ = train_first(world, monkeypatch, ACCURACIES)
    assert set(work) == {"rewrite", "read"}
    work.clear()

    def another() -> Any:
        context = make_context(world.context.settings)
        return dataclasses.replace(
            context, environment=world.environment, scheduler=world.context.scheduler
        )

    assert tune.run(another(), name, 0) == Next("pull", name, 1)
    pull.run(another(), name, 1)
    launch.run(another(), name, 1)
    assert work == []
    trial = world.context.record.open(name).trial(1)
    read = detect.read(world.context.source(name, 1), "cnn.py")
    assert trial.get("tweak").items() <= trial.get("values").items() == read.values().items()
    known = foresight.tweaked_scripts(another(), world.context.record.open(name))
    assert repr(known.reading(0, trial.get("tweak"), 1)) == repr(read)


def test_the_commit_is_made_ahead_and_in_no_branch_until_it_is_chosen(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = Repository.make_commit

    def noted(*arguments: Any, **named: Any) -> str:
        made.append(make(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(Repository, "make_commit", noted)
    name, _ = train_first(world, monkeypatch, ACCURACIES)
    assert len(made) == 1
    assert made[0] not in world.context.repository.graph(name)
    tune.run(world.context, name, 0)
    study = world.context.record.open(name)
    assert made == [study.trial(1).get("commit")]
    assert world.context.repository.facts(made[0]).trailers["Retune-Trial"] == "1"


def test_a_commit_made_ahead_for_another_reason_is_made_anew(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same tweak, but the numbers that it was explained with have changed since."""
    name, _ = train_first(world, monkeypatch, ACCURACIES)
    study = world.context.record.open(name)
    known = foresight.tweaked_scripts(world.context, study)
    [prepared] = known._known.values()
    repository, parent = world.context.repository, study.trial(0).get("commit")
    prepared.message = str(prepared.message).replace("so trial 0", "so the old trial 0")
    prepared.commit = repository.make_commit(parent, prepared.files, prepared.message)
    step = tune.run(world.context, name, 0)
    commit = study.trial(step.trial).get("commit")
    assert commit != prepared.commit
    assert repository.diff(prepared.commit, commit) == ""


def test_what_was_made_of_another_text_is_not_taken(
    world: Any, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    """A study of the same name, begun again in the folder of an earlier one."""
    name, _ = train_first(world, monkeypatch, ACCURACIES)
    script = world.context.source(name, 0) / "cnn.py"
    script.write_text(script.read_text() + "# another text\n")
    work.clear()
    context = dataclasses.replace(world.context, tweaked_scripts={})
    assert tune.run(context, name, 0) == Next("pull", name, 1)
    assert "rewrite" in work
    pull.run(context, name, 1)
    assert world.context.source(name, 1).joinpath("cnn.py").read_text().endswith("another text\n")


def test_a_training_does_not_wait_for_somebody_who_fetches(
    world: Any, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    monkeypatch.setattr(foresight, "LOCK_SECONDS", 0.01)
    path = world.context.repository.path.with_suffix(".lock")
    name, _ = train_first(world, monkeypatch, ACCURACIES)  # the mirror is made
    study = world.context.record.open(name)
    context = dataclasses.replace(make_context(world.context.settings), scheduler=None)
    for each in (world.context.folder(name) / "foreseen").iterdir():
        each.unlink()
    work.clear()
    with FileLock(path):
        foresight.foresee(context, study, study.trial(0), TrialState.COMPLETE)
    assert set(work) == {"rewrite", "read"}
    [kept] = (world.context.folder(name) / "foreseen").iterdir()
    assert b'"commit":null' in kept.read_bytes()


def test_what_was_kept_and_cannot_be_read_is_made_anew(
    world: Any, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    name, _ = train_first(world, monkeypatch, ACCURACIES)
    kept = list((world.context.folder(name) / "foreseen").iterdir())
    assert kept
    for each in kept:
        each.write_bytes(b'{"files": 3')
    work.clear()
    context = dataclasses.replace(world.context, tweaked_scripts={})
    assert tune.run(context, name, 0) == Next("pull", name, 1)
    assert "rewrite" in work
