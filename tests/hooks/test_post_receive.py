"""hooks/post-receive by real pushes, with a receiver in Jenkins' place, or a stand-in of jobs/."""

import base64
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import hooks
from tests.waiting import wait_for

from .conftest import Git, Receiver, receiver


@pytest.fixture
def jenkins(git: Git, remote: Git) -> Iterator[Receiver]:
    """A receiver in Jenkins' place; the remote's configuration names it."""
    hooks.install(remote.folder)
    with receiver() as answers:
        for name, value in {
            "scheduler": "jenkins",
            "jenkins-url": answers.url + "/",
            "jenkins-user": "hook",
            "jenkins-token": 'se"cr\\et',
            "jenkins-folder": "teams/retune",
        }.items():
            remote("config", f"retune.{name}", value)
        yield answers


def push(git: Git, *references: str) -> str:
    """Push; gives what the one who pushes gets to read."""
    done = git.run("push", "origin", *references)
    return done.stderr


def hook_log(git: Git) -> str:
    return (Path(git.environment["HOME"]) / ".retune" / "hook.log").read_text()


def test_a_push_builds_the_pull_job_with_branch_and_commit(git: Git, jenkins: Receiver) -> None:
    git.commit()
    said = push(git, "main")
    assert f"Retune: study starts for main@{git.head[:7]}" in said
    [call] = jenkins.calls
    assert call.path == "/job/teams/job/retune/job/pull/buildWithParameters"
    assert (call.branch, call.commit) == ("main", git.head)
    assert base64.b64decode(call.login.removeprefix("Basic ")).decode() == 'hook:se"cr\\et'
    assert f"study starts for main@{git.head[:7]}" in hook_log(git)
    assert "cr\\et" not in hook_log(git)


def test_python_takes_the_place_of_a_missing_curl(
    git: Git, jenkins: Receiver, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for folder in git.environment["PATH"].split(":")[::-1]:
        for tool in Path(folder).glob("*"):
            (tools / tool.name).unlink(missing_ok=True)
            (tools / tool.name).symlink_to(tool)
    (tools / "curl").unlink()
    (tools / "python3").unlink()
    (tools / "python3").symlink_to(Path(shutil.which("python3.11") or "/usr/bin/python3").resolve())
    git.environment["PATH"] = str(tools)
    git.commit()
    said = push(git, "main")
    assert f"Retune: study starts for main@{git.head[:7]}" in said
    [call] = jenkins.calls
    assert (call.branch, call.commit) == ("main", git.head)
    assert base64.b64decode(call.login.removeprefix("Basic ")).decode() == 'hook:se"cr\\et'


def test_two_branches_start_two_studies_and_an_odd_name_arrives_whole(
    git: Git, jenkins: Receiver
) -> None:
    git.commit()
    said = push(git, "main", "main:refs/heads/feat/ä&b=c+d'%20")
    assert said.count("study starts") == 2
    assert {call.branch for call in jenkins.calls} == {"main", "feat/ä&b=c+d'%20"}


def test_own_branches_tags_and_deletions_start_nothing(git: Git, jenkins: Receiver) -> None:
    git.commit()
    push(git, "main", "main:refs/heads/old")
    jenkins.calls.clear()
    git("tag", "v1")
    said = push(git, "main:refs/heads/retune/main-1234567/1", "v1", ":refs/heads/old")
    assert "Retune" not in said
    assert jenkins.calls == []


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "Jenkins does not accept the API token of hook; make a new one there"),
        (403, "the Jenkins user hook may not build teams/retune/pull; have Job/Build granted"),
        (404, "Jenkins has no job teams/retune/pull, or does not show it to hook; run python -m"),
        (409, "the Jenkins job teams/retune/pull is disabled; enable it there"),
    ],
)
def test_a_refusal_is_told_and_does_not_fail_the_push(
    git: Git, remote: Git, jenkins: Receiver, status: int, sentence: str
) -> None:
    jenkins.status = [status]
    git.commit()
    said = push(git, "main")
    assert f"Retune: no study starts for main@{git.head[:7]}: {sentence}" in said
    assert remote("rev-parse", "main") == git.head


def test_a_controller_that_does_not_answer_holds_nobody_up(git: Git, jenkins: Receiver) -> None:
    jenkins.delay = 15
    git.commit()
    start = time.monotonic()
    said = push(git, "main")
    assert time.monotonic() - start < 8
    assert "Retune: Jenkins has not answered yet" in said


def test_a_controller_that_restarts_is_asked_again(git: Git, jenkins: Receiver) -> None:
    jenkins.status = [503, 201]
    git.commit()
    said = push(git, "main")
    assert "does not answer (503); it is tried again for some minutes" in said
    wait_for(lambda: len(jenkins.calls) == 2)
    wait_for(lambda: f"study starts for main@{git.head[:7]}" in hook_log(git))


def test_an_unreachable_controller_is_told(git: Git, remote: Git, jenkins: Receiver) -> None:
    remote("config", "retune.jenkins-url", "http://127.0.0.1:9")
    git.commit()
    assert "Jenkins at http://127.0.0.1:9 does not answer (000)" in push(git, "main")


def test_missing_settings_are_named(git: Git, remote: Git) -> None:
    hooks.install(remote.folder)
    remote("config", "retune.scheduler", "jenkins")
    git.commit()
    assert "jenkins_url, jenkins_user and jenkins_token have to be set" in push(git, "main")


def test_the_operators_file_is_read_and_the_environment_goes_before(
    git: Git, remote: Git, tmp_path: Path
) -> None:
    hooks.install(remote.folder)
    settings = tmp_path / "settings.toml"
    git.environment["RETUNE_SETTINGS"] = str(settings)
    git.environment["RETUNE_JENKINS_USER"] = "from-environment"
    git.commit()
    with receiver() as answers:
        settings.write_text(
            f'jenkins_url = "{answers.url}"\n'
            "jenkins_user = 'from-file'  # a comment\n"
            'jenkins_token = "abc"\n'
        )
        assert "study starts" in push(git, "main")
    [call] = answers.calls
    assert base64.b64decode(call.login.removeprefix("Basic ")) == b"from-environment:abc"
    assert call.path == "/job/retune/job/pull/buildWithParameters"


@pytest.fixture
def standin(tmp_path: Path, remote: Git) -> Path:
    """A folder like a checkout of Retune whose jobs/python writes down how it was called."""
    folder = tmp_path / "standin"
    (folder / "jobs").mkdir(parents=True)
    (folder / "jobs" / "python").write_text(
        "#!/bin/sh\n"
        'echo "$@" "in $(pwd) GIT_DIR=${GIT_DIR:-unset}" >"$0.called.part"\n'
        'mv "$0.called.part" "$0.called"\n'
        'sleep "${STANDIN_SECONDS:-0}"\n'
    )
    hooks.install(remote.folder)
    remote("config", "retune.root", str(folder))
    remote("config", "retune.scheduler", "inline")
    return folder


def test_inline_the_jobs_run_detached_from_the_push(git: Git, standin: Path) -> None:
    git.environment["STANDIN_SECONDS"] = "20"
    git.commit()
    start = time.monotonic()
    said = push(git, "main")
    assert time.monotonic() - start < 8
    assert f"Retune: study starts for main@{git.head[:7]}" in said
    called = standin / "jobs" / "python.called"
    wait_for(called.exists)
    assert called.read_text().strip() == (
        f"-m jobs run --branch=main --commit={git.head} in {standin} GIT_DIR=unset"
    )


def test_inline_a_lost_checkout_is_told(git: Git, remote: Git, standin: Path) -> None:
    shutil.rmtree(standin)
    git.commit()
    assert "there is no checkout of Retune in" in push(git, "main")


def test_the_hook_that_was_there_before_runs_and_decides(git: Git, remote: Git) -> None:
    old = remote.folder / "hooks" / "post-receive"
    old.write_text("#!/bin/sh\nread -r _ new ref; echo before: $ref\n")
    old.chmod(0o755)
    [kept, _] = hooks.install(remote.folder)
    assert kept == "The post-receive hook that was there is kept and runs first."
    remote("config", "retune.scheduler", "jenkins")
    git.commit()
    said = push(git, "main")
    assert "before: refs/heads/main" in said
    assert "Retune: no study starts" in said
