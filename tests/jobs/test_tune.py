"""Job 4: the next tweak, the target, the budget, three failures, the one mail."""

import shutil
import subprocess
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from jobs import launch, pull, train, tune
from jobs.environment.spool import Request, Result
from jobs.errors import RetuneError
from jobs.scheduler.base import Next
from tests.jobs.conftest import climbing


def trained(world: Any, step: Next) -> Next:
    """Run jobs 1 to 3 of a trial."""
    for run in (pull.run, launch.run, train.run):
        assert run(world.context, step.study, step.trial) is not None
    return Next("tune", step.study, step.trial)


def first_trained(world: Any) -> Next:
    return trained(world, pull.receive(world.context, world.push()))


def run_to_the_end(world: Any, step: Next) -> Any:
    following: Next | None = step
    while following is not None:
        step = trained(world, following) if following.job != "tune" else following
        following = tune.run(world.context, step.study, step.trial)
    return world.context.record.open(step.study).view()


def test_below_the_target_a_tweak_is_committed_and_pushed(world: Any) -> None:
    step = first_trained(world)
    following = tune.run(world.context, step.study, 0)
    assert following == Next("pull", step.study, 1)
    view = world.context.record.open(step.study).view()
    trial = view.trials[1]
    assert trial.parent == 0
    assert trial.tweak
    assert trial.words
    assert trial.why
    assert f"retune/{step.study}/1" in world.branches()
    world.git("fetch", "--quiet")
    message = world.git("log", "-1", "--format=%B", trial.commit)
    assert message.startswith("Trial 1: ")
    assert message.endswith(f"Retune-Study: {step.study}\nRetune-Trial: 1\nRetune-Parent: 0")
    assert world.git("rev-parse", f"{trial.commit}^") == view.commit
    assert world.git("rev-parse", "origin/main") == view.commit


def test_twice_changes_nothing(world: Any) -> None:
    step = first_trained(world)
    following = tune.run(world.context, step.study, 0)
    before, branches = world.snapshot(step.study), world.branches()
    assert tune.run(world.context, step.study, 0) == following
    assert (world.snapshot(step.study), world.branches()) == (before, branches)


def test_a_tweak_inherits_and_is_read_back_as_it_was_meant(world: Any) -> None:
    step = first_trained(world)
    following = tune.run(world.context, step.study, 0)
    trained(world, following)
    recorded = world.context.record.open(step.study)
    trial = recorded.trial(1)
    values = trial.get("values")
    assert {name: values[name] for name in trial.get("tweak")} == trial.get("tweak")
    assert world.context.spool(step.study, 1).request().inherit == 0


def test_of_a_network_that_has_learnt_nothing_nothing_is_inherited(world: Any) -> None:
    def dead(request: Request) -> tuple[list[float], Result]:
        return [0.5, 0.5], Result("complete", objective=0.5, epochs=2, seconds_in_fit=2.0)

    world.environment.play = dead
    step = first_trained(world)
    following = tune.run(world.context, step.study, 0)
    trained(world, following)
    why = world.context.record.open(step.study).trial(1).get("why")
    assert "begins with new weights" in why
    assert world.context.spool(step.study, 1).request().inherit is None


def test_the_target_ends_it_with_branch_mail_and_no_environment(world: Any) -> None:
    view = run_to_the_end(world, first_trained(world))
    assert (view.state, view.outcome) == ("finished", "reached")
    assert view.winner.number == 2
    assert f"retune/{view.name}/best" in world.branches()
    assert len(world.mails) == 1
    assert world.environment.studies() == []
    assert (world.context.folder(view.name) / "report" / "report.html").exists()


def test_job_4_again_after_the_end_sends_no_second_mail(world: Any) -> None:
    view = run_to_the_end(world, first_trained(world))
    before = world.snapshot(view.name)
    assert tune.run(world.context, view.name, 2) is None
    assert world.snapshot(view.name) == before
    assert len(world.mails) == 1


def test_death_in_the_middle_of_the_end_is_made_good(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs import ending

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ending, "send_mail", die)
        with pytest.raises(KeyboardInterrupt):
            run_to_the_end(world, first_trained(world))
    assert world.mails == []
    name = world.context.record.names()[0]
    tune.run(world.context, name, 2)
    tune.run(world.context, name, 2)
    assert len(world.mails) == 1


def test_the_budget_ends_it_with_the_best_so_far(world: Any) -> None:
    def stuck(request: Request) -> tuple[list[float], Result]:
        return [0.5, 0.55], Result("complete", objective=0.55, epochs=2, seconds_in_fit=2.0)

    world.environment.play = stuck
    view = run_to_the_end(world, first_trained(world))
    assert view.outcome == "budget"
    assert len(view.trials) == 5
    assert "The budget of 5 trials is spent; the best was trial 0 with 0.5500" in view.reason
    assert len(world.mails) == 1
    assert f"retune/{view.name}/best" not in world.branches()


def test_a_script_that_is_too_large_as_pushed_is_tried_smaller_before_it_is_given_up(
    world: Any,
) -> None:
    def play(request: Request) -> tuple[list[float], Result]:
        return [], Result("failed", failure="out-of-memory", reason="It needed too much memory.")

    world.environment.play = play
    world.context.settings.trials = 9
    view = run_to_the_end(world, first_trained(world))
    assert "6 trials in a row failed" in view.reason
    assert len(view.trials) == 6


def test_three_failures_in_a_row_end_it(world: Any) -> None:
    def play(request: Request) -> tuple[list[float], Result]:
        if request.trial == 0:
            return [0.5], Result("complete", objective=0.5, epochs=1)
        return [], Result("failed", failure="out-of-memory", reason="It needed too much memory.")

    world.environment.play = play
    view = run_to_the_end(world, first_trained(world))
    assert view.outcome == "failures"
    assert [each.state for each in view.trials] == ["complete", "failed", "failed", "failed"]
    assert "3 trials in a row failed" in view.reason
    assert "It needed too much memory." in view.reason
    assert len(world.mails) == 1


def test_out_of_memory_is_answered_by_a_smaller_batch(world: Any) -> None:
    def play(request: Request) -> tuple[list[float], Result]:
        if request.trial == 0:
            return [], Result("failed", failure="out-of-memory", reason="It needed too much.")
        return [0.9], Result("complete", objective=0.9, epochs=1)

    world.environment.play = play
    view = run_to_the_end(world, first_trained(world))
    assert view.outcome == "reached"
    assert view.trials[1].tweak == {"fit.batch_size": 4}


def test_nan_is_answered_by_a_lower_learning_rate(world: Any) -> None:
    def play(request: Request) -> tuple[list[float], Result]:
        if request.trial == 0:
            return [], Result("failed", failure="nan", reason="The loss became NaN.")
        return [0.9], Result("complete", objective=0.9, epochs=1)

    world.environment.play = play
    view = run_to_the_end(world, first_trained(world))
    assert view.trials[1].tweak["optimizer.learning_rate"] < 0.001


def test_a_script_that_cannot_run_ends_it_at_once(world: Any) -> None:
    def play(request: Request) -> tuple[list[float], Result]:
        return [], Result("failed", failure="script-error", reason="cnn.py, line 3: NameError")

    world.environment.play = play
    view = run_to_the_end(world, first_trained(world))
    assert (view.outcome, len(view.trials)) == ("failures", 1)
    assert view.reason == "The script as pushed cannot be trained: cnn.py, line 3: NameError"


def test_remote_away_is_said_and_the_same_trial_is_pushed_later(world: Any) -> None:
    step = first_trained(world)
    away = world.remote.with_name("away.git")
    shutil.move(world.remote, away)
    with pytest.raises(RetuneError, match="did not take retune/"):
        tune.run(world.context, step.study, 0)
    shutil.move(away, world.remote)
    assert tune.run(world.context, step.study, 0) == Next("pull", step.study, 1)
    assert len(world.context.record.open(step.study).frozen()) == 2


def test_confirmation_trains_the_winner_from_scratch(world: Any) -> None:
    push = world.push({"cnn.py": world.script, "retune.toml": "confirm = true\n"})
    step = trained(world, pull.receive(world.context, push))
    view = run_to_the_end(world, step)
    assert view.trials[-1].kind == "confirm"
    assert view.trials[-1].parent == view.trials[-2].number
    assert view.trials[-1].params["fit.epochs"] == 9  # three trials of three epochs each
    assert world.context.spool(view.name, view.trials[-1].number).request().inherit is None


def test_a_winner_that_is_being_confirmed_is_waited_for(world: Any) -> None:
    world.environment.play = lambda request: ([0.85], replace(climbing(request)[1], objective=0.85))
    push = world.push({"cnn.py": world.script, "retune.toml": "confirm = true\n"})
    step = trained(world, pull.receive(world.context, push))
    first = tune.run(world.context, step.study, 0)
    assert first == Next("pull", step.study, 1)
    assert tune.run(world.context, step.study, 0) == first
    assert world.context.record.open(step.study).running


@pytest.mark.parametrize("objective", [0.71, 0.93, None])
def test_both_figures_of_a_confirmed_winner_are_told(world: Any, objective: float | None) -> None:
    """And the winner is the one that was found, whatever the same model came to from scratch."""

    def play(request: Request) -> tuple[list[float], Result]:
        accuracies, result = climbing(request)
        if request.trial < 2:
            return accuracies, replace(result, inherited=0.9 if request.trial else None)
        if request.trial == 2:
            return [0.81], replace(result, objective=0.81, test_accuracy=0.8)
        if objective is None:
            return [], Result("failed", failure="script-error", reason="It stumbled.")
        return [objective], replace(result, objective=objective, test_accuracy=0.7)

    world.environment.play = play
    push = world.push({"cnn.py": world.script, "retune.toml": "confirm = true\n"})
    view = run_to_the_end(world, trained(world, pull.receive(world.context, push)))
    assert (view.best.number, view.confirmation.number, len(view.trials)) == (2, 3, 4)
    told = (
        "from scratch it failed (trial 3): It stumbled."
        if objective is None
        else f"from scratch it came to {objective:.4f}, and 0.7000 on its test images (trial 3)."
    )
    assert view.reason.startswith("Trial 2 reached 0.8100 validation accuracy;")
    assert told in view.reason
    mail = message_from_bytes(world.mails[0].read_bytes(), policy=default)
    text = mail.get_body(("plain",)).get_content()
    assert told in " ".join(text.split())
    assert "From scratch " in text


def test_an_untrained_trial_is_left_alone(world: Any) -> None:
    step = pull.receive(world.context, world.push())
    assert tune.run(world.context, step.study, 0) is None
    assert "not trained yet" in world.said[-1]


def test_history_draws_the_search(world: Any) -> None:
    view = run_to_the_end(world, first_trained(world))
    graph = subprocess.run(
        ["git", "log", "--graph", "--oneline", "--branches"],
        cwd=world.remote,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert all(f"Trial {each.number}" in graph for each in view.trials[1:])
