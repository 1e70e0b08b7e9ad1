"""Job 3: a trial handed over, followed and recorded, however it ends."""

import threading
from typing import Any

import pytest
from optuna.trial import TrialState

from jobs import launch, pull, train, tune
from jobs.environment.spool import Request, Result
from jobs.publish import report_folder
from jobs.scheduler.base import Next
from jobs.search.pruner import NEAR_TARGET, OUTBID
from jobs.study import Study, TrialView, measured_with
from tests.jobs.conftest import SCRIPT, climbing, write_progress
from tests.waiting import wait_for

Played = tuple[list[float], Result]


@pytest.fixture
def study(world: Any) -> str:
    """A study whose trial 0 has been launched."""
    step = pull.receive(world.context, world.push())
    launch.run(world.context, step.study, 0)
    return str(step.study)


def second_trial(world: Any, study: Study) -> TrialView:
    """Train a study's trial 0, which has been launched, and the one that follows it."""
    train.run(world.context, study.name, 0)
    for job in (tune, pull, launch, train):
        job.run(world.context, study.name, 0 if job is tune else 1)
    return study.trial(1).view()


def failing(failure: Any, reason: str) -> Any:
    def play(request: Request) -> Played:
        return [0.5], Result("failed", failure=failure, reason=reason, epochs=1)

    return play


def test_every_epoch_is_recorded_and_told_in_one_line(world: Any, study: str) -> None:
    assert train.run(world.context, study, 0) == Next("tune", study, 0)
    frozen = world.context.record.open(study).trial(0).frozen()
    assert frozen.state == TrialState.COMPLETE
    assert frozen.value == 0.6
    assert frozen.intermediate_values == {1: 0.55, 2: 0.58, 3: 0.6}
    lines = [each for each in world.said if each.startswith("epoch")]
    assert len(lines) == 3
    assert "epoch   2/3" in lines[1]
    assert "validation 0.580 of 0.800" in lines[1]
    assert "1 s left" in lines[1]


def test_twice_changes_nothing(world: Any, study: str) -> None:
    first = train.run(world.context, study, 0)
    before = world.snapshot(study)
    assert train.run(world.context, study, 0) == first
    assert world.snapshot(study) == before


def test_the_request_names_script_data_and_target(world: Any, study: str) -> None:
    train.run(world.context, study, 0)
    request = world.context.spool(study, 0).request()
    assert (request.script, request.target, request.inherit) == ("cnn.py", 0.8, None)
    assert request.data["dataset/train"] == "animals/train"
    assert request.data["dataset/validation"] == "animals/validation"


@pytest.mark.parametrize(
    ("generator", "wishes", "asked"),
    [
        ("rescale=1 / 255", "", True),
        ("rescale=1 / 255, rotation_range=20", "", False),
        ("rescale=1 / 255", 'hold = ["augmentation"]\n', False),
    ],
)
def test_what_mirroring_would_cost_is_asked_while_images_are_not_varied_and_may_be(
    world: Any, generator: str, wishes: str, asked: bool
) -> None:
    script = world.script.replace("rescale=1 / 255", generator, 1)
    step = pull.receive(world.context, world.push({"cnn.py": script, "retune.toml": wishes}))
    launch.run(world.context, step.study, 0)
    train.run(world.context, step.study, 0)
    assert world.context.spool(step.study, 0).request().mirror is asked


@pytest.mark.parametrize(
    ("accuracies", "asked"), [([0.5, 0.6, 0.7], True), ([0.6, 0.7, 0.79], False)]
)
def test_what_mirroring_would_cost_is_not_asked_again_once_it_is_known(
    world: Any, accuracies: list[float], asked: bool
) -> None:
    result = Result("complete", objective=accuracies[-1], mirroring=0.01)
    world.environment.play = lambda request: (accuracies, result)
    step = pull.receive(world.context, world.push())
    for job in (launch, train, tune, pull, launch):
        step = job.run(world.context, step.study, step.trial)
    train.run(world.context, step.study, step.trial)
    second = world.context.record.open(step.study).trial(1).frozen()
    assert second.params["augmentation"] == "none"
    assert world.context.spool(step.study, 1).request().mirror is asked


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("script-error", "cnn.py, line 3: NameError: name 'x' is not defined"),
        ("no-fit", "The script never called fit."),
        ("no-accuracy", "No accuracy was reported."),
        ("nan", "The loss became NaN in epoch 1."),
        ("out-of-memory", "The trial needed more than 4 GiB."),
        ("time-limit", "The trial took longer than 2 hours."),
    ],
)
def test_failures_are_recorded_with_their_reason_and_console(
    world: Any, study: str, failure: str, reason: str
) -> None:
    world.environment.play = failing(failure, reason)
    console = world.context.spool(study, 0).console
    console.parent.mkdir(parents=True, exist_ok=True)
    console.write_text("last words of the script\n")
    assert train.run(world.context, study, 0) == Next("tune", study, 0)
    view = world.context.record.open(study).view().trials[0]
    assert view.state == "failed"
    assert (view.result.failure, view.result.reason) == (failure, reason)
    assert f"Trial 0 failed: {reason}" in world.said
    assert "    last words of the script" in world.said


def test_the_page_is_there_while_a_trial_trains(
    world: Any, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = world.context.record.open(study)
    page = report_folder(world.context, recorded) / "report.html"
    trained = threading.Event()

    def play(request: Request) -> Played:
        assert trained.wait(60)
        return climbing(request)

    monkeypatch.setattr(train, "LOOK_SECONDS", 0.1)
    world.environment.play = play
    job = threading.Thread(target=train.run, args=(world.context, study, 0))
    job.start()
    try:
        wait_for(page.exists, seconds=60)
        assert not recorded.trial(0).finished
    finally:
        trained.set()
        job.join(timeout=60)


def test_an_end_meanwhile_ends_the_job(world: Any, study: str) -> None:
    world.environment.remove(study)  # nobody answers
    done: list[Next | None] = []
    job = threading.Thread(target=lambda: done.append(train.run(world.context, study, 0)))
    job.start()
    world.context.record.open(study).finish("stopped", "A newer push took its place.")
    job.join(timeout=60)
    assert done == [None]


def test_a_trial_that_is_ended_meanwhile_is_recorded_no_further(world: Any, study: str) -> None:
    recorded = world.context.record.open(study)

    def play(request: Request) -> Played:
        recorded.trial(0).finish(Result("stopped", reason="Enough."), TrialState.FAIL)
        return climbing(request)

    world.environment.play = play
    train.run(world.context, study, 0)
    view = recorded.trial(0).view()
    assert (view.state, view.result.reason, view.epochs) == ("failed", "Enough.", ())


def test_it_waits_through_a_relaunch(world: Any, study: str) -> None:
    world.environment.remove(study)
    done: list[Next | None] = []
    job = threading.Thread(target=lambda: done.append(train.run(world.context, study, 0)))
    job.start()
    world.environment.launch(launch.specification(world.context, world.context.record.open(study)))
    job.join(timeout=60)
    assert done == [Next("tune", study, 0)]


def test_a_trainer_that_keeps_no_time_is_given_up(
    world: Any, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.environment.remove(study)
    world.context.settings.trial_hours = 1e-9
    monkeypatch.setattr(train, "GRACE_SECONDS", 0.0)
    train.run(world.context, study, 0)
    result = world.context.record.open(study).view().trials[0].result
    assert result.failure == "time-limit"
    assert "RETUNE_TRIAL_HOURS" in result.reason


@pytest.mark.parametrize(
    ("script", "wishes", "is_ended"),
    [
        (SCRIPT, "", True),
        (SCRIPT, "inherit = false\n", False),
        (SCRIPT, 'hold = ["fit.epochs"]\n', False),
        (SCRIPT.replace("model.fit(", "model.fit(train, epochs=3)\nmodel.fit("), "", False),
    ],
    ids=["steady", "from scratch", "epochs are held", "two phases"],
)
def test_a_long_trial_is_ended_after_some_epochs_where_another_tweak_is_worth_more(
    world: Any, script: str, wishes: str, is_ended: bool
) -> None:
    slow = [round(0.6 + number / 250, 3) for number in range(40)]

    def play(request: Request) -> tuple[list[float], Result]:
        if request.trial == 0:
            return slow[:1], Result("complete", slow[0], "val_accuracy", 1, epochs=40)
        spool = world.context.spool(request.study, request.trial)
        for done in (4, 8):
            write_progress(spool, slow[:done], epochs=40)
            wait_for(lambda wanted=done: len(recorded.trial(1).get("curves", [])) == wanted)
        if is_ended:
            asked = spool.folder / "stop"
            wait_for(asked.exists)
            reason = asked.read_text()
            return slow[:8], Result("stopped", slow[7], "val_accuracy", 8, reason=reason)
        return slow, Result("complete", slow[-1], "val_accuracy", 40, epochs=40)

    world.environment.play = play
    script = script.replace("validation, epochs=3", "validation, epochs=40")
    step = pull.receive(world.context, world.push({"cnn.py": script, "retune.toml": wishes}))
    launch.run(world.context, step.study, 0)
    recorded = world.context.record.open(step.study)
    recorded.set("validation_images", 600)
    trial = second_trial(world, recorded)
    assert (trial.state, trial.result.reason) == (
        ("pruned", OUTBID) if is_ended else ("complete", None)
    )


def test_what_only_training_shows_of_the_data_is_what_accuracies_are_judged_by(world: Any) -> None:
    """Images in one heap, whose names tell their classes."""
    for split in ("train", "validation"):
        folder = world.context.settings.datasets / "animals" / split
        for place in sorted(folder.rglob("*.png")):
            place.rename(folder / place.name)
        for each in ("cats", "dogs"):
            (folder / each).rmdir()
    step = pull.receive(world.context, world.push())
    launch.run(world.context, step.study, 0)
    result = Result("complete", objective=0.4, epochs=4, classes=10, validation_images=400)
    world.environment.play = lambda request: ([0.38, 0.4, 0.39, 0.4], result)
    train.run(world.context, step.study, 0)
    study = world.context.record.open(step.study)
    assert measured_with(study.facts()) == {"chance": 0.1, "validation_images": 400}
    assert "chance" not in study.trial(0).view().diagnosis


@pytest.mark.parametrize(("trials", "is_ended"), [(3, True), (2, False)])
def test_the_last_trial_of_the_budget_is_not_ended_for_one_that_cannot_follow(
    world: Any, trials: int, is_ended: bool
) -> None:
    near = [0.771, 0.775, 0.779, 0.781]

    def play(request: Request) -> tuple[list[float], Result]:
        if request.trial == 0:
            return [0.7], Result("complete", 0.7, "val_accuracy", 1, epochs=15)
        spool = world.context.spool(request.study, request.trial)
        write_progress(spool, near, epochs=15)
        wait_for(lambda: len(recorded.trial(1).get("curves", [])) == len(near))
        if is_ended:
            wait_for((spool.folder / "stop").exists)
            reason = (spool.folder / "stop").read_text()
            return near, Result("stopped", near[-1], "val_accuracy", 4, reason=reason)
        return [*near, 0.8], Result("complete", 0.8, "val_accuracy", 5, epochs=5)

    world.environment.play = play
    script = SCRIPT.replace("validation, epochs=3", "validation, epochs=15")
    wishes = f"trials = {trials}\n"
    step = pull.receive(world.context, world.push({"cnn.py": script, "retune.toml": wishes}))
    launch.run(world.context, step.study, 0)
    recorded = world.context.record.open(step.study)
    trial = second_trial(world, recorded)
    assert (trial.state, trial.result.reason) == (
        ("pruned", NEAR_TARGET) if is_ended else ("complete", None)
    )
