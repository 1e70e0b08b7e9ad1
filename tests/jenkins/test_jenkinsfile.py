"""The Jenkinsfile, compiled by Groovy and run with stubbed steps for each of the five jobs."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import java_home

ROOT = Path(__file__).resolve().parents[2]
HARNESS = Path(__file__).with_name("run_jenkinsfile.groovy")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TRIAL = {"STUDY": "main-0123456", "TRIAL": "3"}
PUSH = {"BRANCH": "feat/ä#1", "COMMIT": COMMIT, "STUDY": "", "TRIAL": ""}

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    groovy = shutil.which("groovy")
    if groovy is None:
        reason = "Groovy is not installed: apt-get install groovy default-jre-headless"
        if os.environ.get("CI"):
            pytest.fail(f"CI has to run this test, but {reason}")
        pytest.skip(reason)
    harness = subprocess.Popen(
        [groovy, str(HARNESS), str(ROOT / "Jenkinsfile")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "JAVA_HOME": java_home()},
        text=True,
        bufsize=1,
    )
    assert harness.stdin
    assert harness.stdout
    assert harness.stderr
    stdin, stdout, stderr = harness.stdin, harness.stdout, harness.stderr

    def run_jenkinsfile(job: str, params: dict[str, str], **scenario: Any) -> dict[str, Any]:
        case = {
            "env": {"JOB_NAME": f"teams/retune/{job}", "JOB_BASE_NAME": job},
            "params": params,
            "credentials": [],
            **scenario,
        }
        stdin.write(json.dumps(case) + "\n")
        answer = stdout.readline()
        assert answer, stderr.read()
        result = json.loads(answer)
        assert isinstance(result, dict)
        return result

    with harness:
        yield run_jenkinsfile
        stdin.close()


def steps(result: dict[str, Any], step: str) -> list[dict[str, Any]]:
    return [call for call in result["calls"] if call["step"] == step]


def stages(result: dict[str, Any]) -> list[str]:
    return [stage["name"] for stage in result["stages"]]


@pytest.mark.parametrize(
    ("job", "stage"),
    [
        ("pull", "Pull the pushed commit"),
        ("launch", "Launch the environment"),
        ("train", "Train the trial"),
        ("tune", "Tune the next trial"),
    ],
)
def test_a_job_of_the_chain_runs_its_stage_and_triggers_the_next(
    run: Run, job: str, stage: str
) -> None:
    following = "job=launch\nstudy=main-0123456\ntrial=3\n"
    result = run(job, TRIAL, writes={"build/next": following})
    assert result["result"] == "SUCCESS"
    assert stages(result) == ["Check out Retune", stage, "Trigger the next job"]
    assert all(each["timeouts"] for each in result["stages"])
    [command] = steps(result, "sh")
    assert command["script"].endswith(
        'sh jobs/python -m "jobs.$JOB_BASE_NAME" --study="$STUDY" --trial="$TRIAL"'
    )
    assert command["env"]["RETUNE_JENKINS_FOLDER"] == "teams/retune"
    assert command["env"]["RETUNE_SCHEDULER"] == "jenkins"
    [build] = steps(result, "build")
    assert build["job"] == "launch"
    assert build["parameters"] == [
        {"name": "STUDY", "value": "main-0123456"},
        {"name": "TRIAL", "value": "3"},
    ]
    assert build["wait"] is False


def test_watch_takes_no_parameters(run: Run) -> None:
    result = run("watch", {})
    assert stages(result) == ["Check out Retune", "Watch the studies"]
    [command] = steps(result, "sh")
    assert command["script"].rstrip().endswith('sh jobs/python -m "jobs.$JOB_BASE_NAME"')


def test_a_push_reaches_pull_by_the_environment_alone(run: Run) -> None:
    result = run("pull", PUSH)
    [command] = steps(result, "sh")
    assert command["script"].endswith('--branch="$BRANCH" --commit="$COMMIT"')
    assert COMMIT not in command["script"]


def test_the_chain_ends_where_no_next_job_is_named(run: Run) -> None:
    result = run("tune", TRIAL, files={"build/next": "job=pull\nstudy=old\ntrial=1\n"})
    assert steps(result, "build") == []
    assert "Trigger the next job" not in stages(result)


@pytest.mark.parametrize(
    ("job", "params", "sentence"),
    [
        ("train", {"STUDY": "main; rm -rf /", "TRIAL": "1"}, "The parameter STUDY is not"),
        ("train", {"STUDY": "../../etc", "TRIAL": "1"}, "The parameter STUDY is not"),
        ("train", {"STUDY": "main-1", "TRIAL": "1 --x"}, "The parameter TRIAL is not"),
        ("pull", {**PUSH, "COMMIT": "HEAD"}, "The parameter COMMIT is not"),
        ("pull", {**PUSH, "BRANCH": "--upload-pack=x"}, "The parameter BRANCH is not"),
        ("pull", {**PUSH, "BRANCH": "a b"}, "The parameter BRANCH is not"),
        ("pull", {"STUDY": "", "TRIAL": ""}, "pull takes BRANCH and COMMIT of a push"),
        ("tune", {"STUDY": "", "TRIAL": ""}, "tune takes STUDY and TRIAL"),
        ("copy-of-train", TRIAL, "This pipeline is for jobs named pull"),
    ],
)
def test_parameters_that_are_none_run_nothing(
    run: Run, job: str, params: dict[str, str], sentence: str
) -> None:
    result = run(job, params, files={"build/display": "an old build\nwith its words"})
    assert result["result"] == "FAILURE"
    assert sentence in result["failure"]
    assert steps(result, "sh") == []
    assert result["displayName"] == "#1"


@pytest.mark.parametrize(
    ("status", "outcome", "goes_on"),
    [
        (0, "SUCCESS", True),
        (1, "FAILURE", False),
        (3, "UNSTABLE", True),
        (4, "NOT_BUILT", True),
        (5, "ABORTED", True),
        (127, "FAILURE", False),
    ],
)
def test_the_exit_code_is_the_result_of_the_build(
    run: Run, status: int, outcome: str, goes_on: bool
) -> None:
    following = "job=tune\nstudy=main-0123456\ntrial=3\n"
    display = "main@0123456 · trial 3 · 0.782 (+0.021)\nFilters of conv1 from 16 to 32.\nMore.\n"
    result = run(
        "train", TRIAL, status=status, writes={"build/next": following, "build/display": display}
    )
    assert result["result"] == outcome
    assert bool(steps(result, "build")) == goes_on
    assert result["displayName"] == "main@0123456 · trial 3 · 0.782 (+0.021)"
    assert result["description"] == "Filters of conv1 from 16 to 32.\nMore."


def test_an_error_is_the_description_and_leaves_the_name(run: Run) -> None:
    said = {"build/display": "\nThe remote cannot be fetched.\n"}
    result = run("train", TRIAL, status=1, writes=said)
    assert result["displayName"] == "main-0123456 · trial 3"
    assert result["description"] == "The remote cannot be fetched."
    assert run("pull", PUSH)["displayName"] == "feat/ä#1@0123456"


def test_an_aborted_build_says_how_to_go_on(run: Run) -> None:
    result = run("train", TRIAL, aborted=True)
    assert result["result"] == "ABORTED"
    assert "python -m jobs resume main-0123456" in result["description"]


def test_a_failed_checkout_shows_nothing_of_an_earlier_build(run: Run) -> None:
    earlier = {"build/display": "old\nwords", "build/artifacts/junit.xml": "<x/>"}
    result = run("tune", TRIAL, checkoutFails=True, files=earlier)
    assert result["result"] == "FAILURE"
    assert result["displayName"] == "main-0123456 · trial 3"
    assert steps(result, "archiveArtifacts") == steps(result, "junit") == []


def test_artefacts_and_trials_are_published(run: Run) -> None:
    files = {"build/artifacts/report.html": "", "build/artifacts/junit.xml": ""}
    result = run("tune", TRIAL, writes=files)
    [archive], [junit] = steps(result, "archiveArtifacts"), steps(result, "junit")
    assert archive["folder"] == junit["folder"] == "build/artifacts"
    assert junit["testResults"] == "junit.xml"
    assert junit["skipMarkingBuildUnstable"] is True


def test_each_credential_may_be_missing(run: Run) -> None:
    without = run("train", TRIAL)
    [command] = steps(without, "sh")
    assert without["result"] == "SUCCESS"
    assert "RETUNE_SETTINGS" not in command["env"]
    [command] = steps(run("train", TRIAL, credentials=["retune-settings", "retune-smtp"]), "sh")
    assert command["env"]["RETUNE_SETTINGS"] == "from retune-settings"
    assert command["env"]["RETUNE_SMTP_PASSWORD"] == "from retune-smtp"
    assert "RETUNE_JENKINS_TOKEN" not in command["env"]


def test_the_agent_is_the_one_that_the_job_was_made_for(run: Run) -> None:
    assert steps(run("watch", {"AGENT": "docker && gpu"}), "agent")[0]["label"] == "docker && gpu"
    assert steps(run("watch", {}), "agent")[0]["label"] == ""


def test_a_build_that_is_aborted_while_it_waits_for_an_agent_says_what_that_means(run: Run) -> None:
    result = run("tune", TRIAL, abortedWaiting=True)
    assert result["result"] == "ABORTED"
    assert stages(result) == []
    assert "waited for an agent" in result["description"]
    assert "python -m jobs resume main-0123456 goes on" in result["description"]
    assert run("pull", PUSH, abortedWaiting=True)["description"] is None
