"""The Dockerfiles by hadolint, the scripts by the shell, and the plugins' pins by their shape."""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from jobs.preflight import PLUGINS

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*/Dockerfile"))
PLUGIN = re.compile(r"([a-z0-9][a-z0-9-]*):(\d[\w.-]*)")
"""The plugins' ids are lower case; their versions begin with a number."""


def by_name(file: Path) -> str:
    return file.parent.name


@pytest.mark.parametrize("file", DOCKERFILES, ids=by_name)
def test_hadolint_finds_nothing(file: Path) -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    if not hadolint.exists():
        reason = "hadolint is not installed: tests/requirements.txt names it"
        if os.environ.get("CI"):
            pytest.fail(f"CI has to run this test, but {reason}")
        pytest.skip(reason)
    done = subprocess.run(
        [hadolint, "--no-color", file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_images_are_those_that_are_known() -> None:
    assert [by_name(each) for each in DOCKERFILES] == ["agent", "git", "jenkins", "trainer"]


@pytest.mark.parametrize("file", DOCKERFILES, ids=by_name)
def test_the_base_is_an_argument_and_pinned(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert re.search(r"^ARG BASE=\S+:[\w.-]+$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE}"}
    assert ":latest" not in text


def test_what_an_image_copies_is_in_its_context() -> None:
    """The contexts at the root of the repository hold what .dockerignore lets in, and no more."""
    let_in = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().split("\n") if line[:1] == "!"
    }
    for name in ("agent", "git"):
        text = (DOCKER / name / "Dockerfile").read_text(encoding="utf-8")
        copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
        sources = [each for line in copied for each in line.split() if "[" not in each]
        assert sources
        for source in sources:
            assert (ROOT / source).exists(), source
            assert any(Path(source).is_relative_to(each) for each in let_in), source


@pytest.mark.parametrize(
    "file",
    [
        DOCKER / "make-secrets.sh",
        *(
            DOCKER / "agent" / name
            for name in ("entrypoint", "retune-agent", "git-credential-retune")
        ),
        DOCKER / "git" / "entrypoint",
    ],
    ids=lambda file: f"{file.parent.name}/{file.name}",
)
def test_the_scripts_are_shell_and_may_be_run(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert file.stat().st_mode & 0o111 == 0o111
    for shell in ("sh", "bash"):
        subprocess.run([shutil.which(shell) or shell, "-n", file], check=True)


def pins() -> dict[str, str]:
    lines = (DOCKER / "jenkins" / "plugins.txt").read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if line and not line.startswith("#")]
    matches = [PLUGIN.fullmatch(line) for line in found]
    assert all(matches), found
    names = [match.group(1) for match in matches if match]
    assert len(set(names)) == len(names)
    return {match.group(1): match.group(2) for match in matches if match}


def test_every_plugin_is_pinned() -> None:
    assert pins()
    assert not [name for name, version in pins().items() if version in ("latest", "experimental")]


def test_the_controller_has_what_the_jobs_and_its_configuration_need() -> None:
    """The same list that provision checks an existing controller by."""
    assert set(PLUGINS.values()) <= set(pins())
    assert {"configuration-as-code", "matrix-auth", "mailer", "timestamper"} <= set(pins())


@pytest.mark.parametrize(
    ("given", "asked", "answer"),
    [
        ({}, "git:8080", "username=retune\npassword="),
        ({}, "github.com", ""),
        (
            {"RETUNE_GIT_HOST": "github.com", "RETUNE_GIT_USER": "ada"},
            "github.com",
            "username=ada\npassword=",
        ),
        ({"RETUNE_GIT_HOST": "github.com"}, "git:8080", ""),
    ],
)
def test_git_gets_the_password_for_one_server_alone(
    given: dict[str, str], asked: str, answer: str, tmp_path: Path
) -> None:
    secret = tmp_path / "git_password"
    secret.write_text("geheim\n", encoding="utf-8")
    script = (DOCKER / "agent" / "git-credential-retune").read_text(encoding="utf-8")
    done = subprocess.run(
        ["sh", "-c", script.replace("/run/secrets/git_password", str(secret)), "helper", "get"],
        input=f"protocol=https\nhost={asked}\n\n",
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (f"{answer}geheim\n" if answer else "")
