"""The process environment, with real processes."""

import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from jobs.environment.base import Condition, Limits, Specification
from jobs.environment.heartbeat import Patience
from jobs.environment.process import ProcessEnvironment
from jobs.environment.spool import IMAGES
from jobs.errors import RetuneError

STANDIN = Path(__file__).parent / "standin"


@pytest.fixture
def environment(home: Path) -> Iterator[ProcessEnvironment]:
    made = ProcessEnvironment(
        home, trainer_path=STANDIN, patience=Patience(start=20, silence=1.0), grace=2
    )
    yield made
    for study in made.studies():
        made.remove(study)


def ended(processes: Iterable[psutil.Process]) -> bool:
    """Whether none of them runs; what nobody has waited for yet counts as ended."""
    return not [
        each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE
    ]


def pid(environment: ProcessEnvironment, specification: Specification) -> int:
    return int(environment.state(specification.study).identifier or 0)


def test_a_study_without_a_process_is_absent_and_may_be_removed(environment):
    assert environment.state("none").condition is Condition.ABSENT
    environment.remove("none")
    assert environment.studies() == []


def test_launch_starts_one_process_and_leaves_it_alone(environment, launched):
    first = pid(environment, launched)
    assert environment.launch(launched).condition is Condition.HEALTHY
    assert pid(environment, launched) == first
    assert environment.studies() == [launched.study]
    assert "stand-in trainer started" in environment.logs(launched.study)


def test_another_job_finds_the_process(environment, launched, home):
    later = ProcessEnvironment(home, trainer_path=STANDIN)
    assert later.state(launched.study).condition is Condition.HEALTHY
    later.remove(launched.study)
    assert environment.state(launched.study).condition is Condition.ABSENT


def test_another_specification_replaces_the_process(environment, launched, specify):
    first = psutil.Process(pid(environment, launched))
    larger = specify(limits=Limits(300 * 1024**2, 2.0, 64, 0))
    environment.launch(larger)
    assert ended([first])
    assert pid(environment, larger) != first.pid
    assert "its specification has changed" in environment.logs(larger.study)


def test_a_killed_process_is_dead_and_launched_again(environment, launched, wait):
    first = pid(environment, launched)
    os.kill(first, signal.SIGKILL)
    state = wait(
        lambda: (
            found
            if (found := environment.state(launched.study)).condition is Condition.DEAD
            else None
        )
    )
    assert state.needs_relaunch
    assert state.detail == f"process {first} was ended by signal 9"
    environment.launch(launched)
    wait(lambda: environment.state(launched.study).condition is Condition.HEALTHY)
    assert pid(environment, launched) != first


def test_the_exit_code_is_said(environment, launched, order, wait):
    order(launched, "exit 3")
    wait(lambda: environment.state(launched.study).condition is Condition.DEAD)
    assert "exit code 3" in environment.state(launched.study).detail


def test_a_process_that_falls_silent_is_unhealthy_and_replaced(environment, launched, order, wait):
    first = pid(environment, launched)
    order(launched, "silence")
    wait(lambda: environment.state(launched.study).condition is Condition.UNHEALTHY)
    state = environment.launch(launched)
    assert state.condition is Condition.STARTING
    assert state.identifier != str(first)
    assert not psutil.pid_exists(first)


def test_a_process_without_a_first_heartbeat_is_starting_then_unhealthy(home, specify):
    waiting = ProcessEnvironment(home, trainer_path=STANDIN, patience=Patience(start=0.0))
    specification = specify()
    # Launch judges before Python is up: the patience of this one has run out by then.
    try:
        assert waiting.launch(specification).condition is Condition.UNHEALTHY
    finally:
        waiting.remove(specification.study)


def test_a_process_id_of_someone_else_is_not_touched(environment, launched):
    file = launched.folder / "environment" / "process.json"
    recorded = file.read_text()
    environment.remove(launched.study)
    file.write_text(json.dumps(json.loads(recorded) | {"pid": os.getpid()}))
    assert environment.state(launched.study).condition is Condition.DEAD
    environment.remove(launched.study)
    assert environment.state(launched.study).condition is Condition.ABSENT


def test_remove_ends_all_that_the_scripts_started(environment, launched, answer):
    near, far = (psutil.Process(each) for each in answer(launched, "spawn"))
    trainer = psutil.Process(pid(environment, launched))
    environment.remove(launched.study)
    assert ended([near, far, trainer])


def test_kept_images_stay_with_a_launch_and_go_with_the_environment(environment, launched):
    kept = launched.trials / IMAGES
    kept.mkdir()
    environment.launch(launched)
    assert kept.exists()
    environment.remove(launched.study)
    assert not kept.exists()


def test_what_a_dead_trainer_left_behind_is_ended_by_the_next_launch(
    environment, launched, answer, wait
):
    children = [psutil.Process(each) for each in answer(launched, "spawn")]
    os.kill(pid(environment, launched), signal.SIGKILL)
    wait(lambda: environment.state(launched.study).condition is Condition.DEAD)
    environment.launch(launched)
    assert ended(children)


def test_no_secret_of_the_operator_reaches_the_trainer(environment, specify, answer, monkeypatch):
    secrets = (
        "RETUNE_SMTP_PASSWORD",
        "JENKINS_TOKEN",
        "BUILD_ID",
        "JENKINS_NODE_COOKIE",
        "AWS_KEY",
    )
    for name in secrets:
        monkeypatch.setenv(name, "geheim")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    specification = specify()
    environment.launch(specification)
    seen = answer(specification, "report")["environment"]
    assert not set(secrets) & set(seen)
    assert "geheim" not in seen.values()
    assert seen["LC_ALL"] == "C.UTF-8"
    assert seen["CUDA_VISIBLE_DEVICES"] == ""
    assert seen["HOME"] == str(specification.folder / "environment" / "home")


def test_the_data_root_shows_the_data_sets_of_the_last_launch(
    environment, specify, answer, tmp_path
):
    other = tmp_path / "other"
    other.mkdir()
    (other / "dog.jpg").touch()
    environment.launch(specify())
    specification = specify(data={"dogs": other})
    environment.launch(specification)
    assert answer(specification, "report")["data"] == {"dogs": ["dog.jpg"]}


@pytest.mark.skipif(not psutil.LINUX, reason="RLIMIT_DATA holds on Linux alone")
def test_memory_is_limited(environment, launched, order, wait):
    order(launched, "eat")
    wait(lambda: environment.state(launched.study).condition is Condition.DEAD)
    assert "exit code 5" in environment.state(launched.study).detail
    assert "memory is used up" in environment.logs(launched.study)


def test_a_python_that_is_not_there(home, specify):
    environment = ProcessEnvironment(home, python=Path("/nowhere/python"))
    with pytest.raises(RetuneError, match="cannot be started with /nowhere/python"):
        environment.launch(specify())


def test_a_damaged_process_file_is_named(environment, launched):
    file = launched.folder / "environment" / "process.json"
    whole = file.read_text()
    file.write_text("{")
    with pytest.raises(RetuneError, match=r"process\.json is damaged"):
        environment.state(launched.study)
    file.write_text(whole)


def test_a_missing_data_set_is_named(environment, specify: Callable[..., Specification], tmp_path):
    with pytest.raises(RetuneError, match=r"The data set dogs is not at .*/dogs; put it there"):
        environment.launch(specify(data={"dogs": tmp_path / "dogs"}))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_a_data_set_name_is_one_folder(environment, specify, tmp_path, name):
    with pytest.raises(RetuneError, match="cannot be a folder's name"):
        environment.launch(specify(data={name: tmp_path}))


def test_a_link_out_of_the_pushed_repository_is_no_data_set(environment, specify):
    specification = specify()
    link = specification.source / "0" / "data"
    link.parent.mkdir(parents=True)
    link.symlink_to("/etc")
    with pytest.raises(RetuneError, match="is a link to /etc, outside of the repository"):
        environment.launch(specify(data={"data": link}))


def test_it_describes_itself(environment):
    assert environment.describe().startswith("child process, Python 3.")
