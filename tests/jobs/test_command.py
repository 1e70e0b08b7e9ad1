"""The jobs as commands: what they print, exit with, and leave for the Jenkinsfile."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environ(world: Any, tmp_path: Path) -> dict[str, str]:
    settings = world.context.settings
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RETUNE_")}
    return clean | {
        "PYTHONPATH": str(ROOT),
        "RETUNE_HOME": str(settings.home),
        "RETUNE_REPOSITORY": str(settings.repository),
        "RETUNE_DATASETS": str(settings.datasets),
        "RETUNE_NEXT": str(tmp_path / "next"),
        "RETUNE_DISPLAY": str(tmp_path / "display"),
        "RETUNE_ARTIFACTS": str(tmp_path / "artifacts"),
    }


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], env=environ, capture_output=True, text=True, timeout=60
    )


def test_pull_names_the_next_job_and_the_build(
    world: Any, environ: dict[str, str], tmp_path: Path
) -> None:
    push = world.push()
    done = run(environ, "jobs.pull", "--branch", push.branch, "--commit", push.commit)
    assert done.returncode == 0, done.stderr
    study = f"main-{push.commit[:7]}"
    assert (tmp_path / "next").read_text() == f"job=launch\nstudy={study}\ntrial=0\n"
    name, description = (tmp_path / "display").read_text(encoding="utf-8").splitlines()
    assert name == f"main@{push.commit[:7]} · trial 0"
    assert description == "As pushed."


def test_a_repeated_delivery_names_no_next_job(
    world: Any, environ: dict[str, str], tmp_path: Path
) -> None:
    push = world.push()
    for _ in range(2):
        done = run(environ, "jobs.pull", "--branch", push.branch, "--commit", push.commit)
    assert done.returncode == 0
    assert (tmp_path / "next").read_text() == ""


def test_not_a_cnn_is_not_built(world: Any, environ: dict[str, str], tmp_path: Path) -> None:
    push = world.push({"hello.py": "print('hello')\n"})
    run(environ, "jobs.pull", "--branch", push.branch, "--commit", push.commit)
    done = run(environ, "jobs.launch", "--study", f"main-{push.commit[:7]}", "--trial", "0")
    assert done.returncode == 4, done.stderr
    assert "hello.py" in (tmp_path / "display").read_text(encoding="utf-8")


def test_what_cannot_be_trained_fails_with_its_reason(
    world: Any, environ: dict[str, str], tmp_path: Path
) -> None:
    files = {"cnn.py": world.script, "retune.toml": 'dataset = "of-no-such-name"\n'}
    push = world.push(files)
    run(environ, "jobs.pull", "--branch", push.branch, "--commit", push.commit)
    done = run(environ, "jobs.launch", "--study", f"main-{push.commit[:7]}", "--trial", "0")
    assert done.returncode == 1, done.stderr
    assert "of-no-such-name" in (tmp_path / "display").read_text(encoding="utf-8")
    assert (tmp_path / "next").read_text() == ""


def test_an_error_is_one_sentence_without_a_traceback(environ: dict[str, str]) -> None:
    done = run(environ, "jobs.train", "--study", "nothing-0", "--trial", "0")
    assert done.returncode == 1
    assert done.stderr.startswith("Retune: There is no study nothing-0")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("study", ["../../etc", "a b", "$(touch x)", "-x"])
def test_a_study_name_that_is_none_goes_nowhere(environ: dict[str, str], study: str) -> None:
    done = run(environ, "jobs.train", f"--study={study}", "--trial=0")
    assert done.returncode == 1
    assert "There is no study" in done.stderr


def test_a_hooks_git_environment_is_forgotten(world: Any, environ: dict[str, str]) -> None:
    push = world.push()
    hooked = environ | {"GIT_DIR": str(world.remote), "GIT_QUARANTINE_PATH": "/nowhere"}
    done = run(hooked, "jobs.pull", "--branch", push.branch, "--commit", push.commit)
    assert done.returncode == 0, done.stderr


def test_settings_are_printed_with_secrets_masked(environ: dict[str, str]) -> None:
    done = run(environ | {"RETUNE_SMTP_PASSWORD": "hunter2"}, "jobs", "settings")
    assert "RETUNE_SMTP_PASSWORD" in done.stdout
    assert "hunter2" not in done.stdout


def test_a_bad_setting_is_one_sentence(environ: dict[str, str]) -> None:
    done = run(environ | {"RETUNE_TARGET": "80"}, "jobs", "status")
    assert done.returncode == 1
    assert done.stderr.startswith("Retune: RETUNE_TARGET is '80'")
    assert "Traceback" not in done.stderr


def test_explain_answers_without_optuna_and_tensorflow(world: Any, environ: dict[str, str]) -> None:
    world.push()
    code = (
        "import sys; sys.argv = ['jobs', 'explain', 'cnn.py', '--json']\n"
        "from jobs.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert not {'optuna', 'tensorflow', 'git', 'docker'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=world.clone, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert '"kind": "cnn"' in done.stdout


def test_status_shows_the_studies(world: Any, environ: dict[str, str]) -> None:
    assert "No study is recorded yet" in run(environ, "jobs", "status").stdout
    push = world.push()
    run(environ, "jobs.pull", "--branch", push.branch, "--commit", push.commit)
    assert f"main-{push.commit[:7]}" in run(environ, "jobs", "status").stdout
    assert f'"study": "main-{push.commit[:7]}"' in run(environ, "jobs", "status", "--json").stdout
