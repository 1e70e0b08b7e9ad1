"""The tweak that is made while the script before it is still at its end."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from jobs import foresight, launch, pull, train, tune
from jobs.environment.spool import Request, Result
from jobs.scheduler.base import Next
from jobs.source import detect
from tests.jobs.conftest import write_progress

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


def trained(
    world: Any, monkeypatch: pytest.MonkeyPatch, accuracies: list[float], **more: Any
) -> str:
    """Train trial 0, whose script is at its end until job 3 has looked ahead; gives its study."""
    looked = threading.Event()

    def foresee(*arguments: Any) -> None:
        foresight.foresee(*arguments)
        looked.set()

    def play(request: Request) -> tuple[list[float], Result]:
        spool = world.context.spool(request.study, request.trial)
        write_progress(spool, accuracies, world.environment.gap)
        assert looked.wait(60)
        best = max(accuracies)
        number = accuracies.index(best) + 1
        return accuracies, Result("complete", best, "val_accuracy", number, **more)

    monkeypatch.setattr(train, "foresee", foresee)
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
    name = trained(world, monkeypatch, ACCURACIES)
    assert set(work) == {"rewrite", "read"}
    work.clear()
    assert tune.run(world.context, name, 0) == Next("pull", name, 1)
    pull.run(world.context, name, 1)
    launch.run(world.context, name, 1)
    assert work == []
    trial = world.context.record.open(name).trial(1)
    tweak = trial.get("tweak")
    assert tweak.items() <= trial.get("values").items()
    assert foresight.tweaks(world.context, world.context.record.open(name)).reading(
        0, tweak
    ) == detect.read(world.context.source(name, 1), "cnn.py")


def test_what_only_the_result_says_changes_the_choice(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.environment.gap = 0.2
    name = trained(world, monkeypatch, OVERFIT, mirroring=0.5)
    tune.run(world.context, name, 0)
    tweak = world.context.record.open(name).trial(1).get("tweak")
    assert tweak["augmentation"].endswith("-unmirrored")
    known = foresight.tweaks(world.context, world.context.record.open(name))
    assert known.reading(0, tweak) is None


def test_nothing_is_made_where_the_target_is_reached(
    world: Any, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    name = trained(world, monkeypatch, [0.5, 0.7, 0.81])
    assert work == []
    assert tune.run(world.context, name, 0) is None
    assert world.context.record.open(name).view().outcome == "reached"
