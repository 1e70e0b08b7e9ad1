"""``python -m jobs status``: the same as a table, as JSON, and again and again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.scheduler.controller import ControllerError
from jobs.settings import Settings
from jobs.status import status
from jobs.study import Record

ROOT = Path(__file__).resolve().parents[2]
FACTS = {
    "branch": "main",
    "commit": "1a2b3c4" + "0" * 33,
    "author": "Ada",
    "email": "ada@example.com",
    "subject": "A model",
    "target": 0.8,
    "max_trials": 30,
    "max_hours": 12.0,
    "recipients": [],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [each for each in os.environ if each.startswith(("RETUNE_", "JENKINS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RETUNE_HOME", str(tmp_path))
    return tmp_path


def recorded() -> None:
    study = Record(Settings().storage_url).create("main-1a2b3c4", FACTS)
    study.add_first_trial(str(FACTS["commit"]))


def away(**more: Any) -> Settings:
    """Settings of a controller that nobody answers for."""
    return Settings(
        scheduler="jenkins",
        jenkins_url="http://127.0.0.1:9",
        jenkins_user="ada",
        jenkins_token="geheim",
        **more,
    )


def test_nothing_recorded_yet_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(Settings(), as_json=False, watch=False) == 0
    assert "No study is recorded yet" in capsys.readouterr().out


def test_a_study_is_a_row_and_the_same_as_json(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded()
    status(Settings(), as_json=False, watch=False)
    assert "main-1a2b3c4" in capsys.readouterr().out
    status(Settings(), as_json=True, watch=False)
    [study] = json.loads(capsys.readouterr().out)["studies"]
    assert (study["study"], study["trials"], study["target"]) == ("main-1a2b3c4", 1, 0.8)


def test_a_controller_that_is_away_ends_it_with_one_sentence(home: Path) -> None:
    with pytest.raises(ControllerError, match="cannot be reached"):
        status(away(), as_json=True, watch=False)


def test_watching_as_json_is_a_line_each_time_and_outlives_the_controller(home: Path) -> None:
    recorded()
    environment = {
        **os.environ,
        "RETUNE_SCHEDULER": "jenkins",
        "RETUNE_JENKINS_URL": "http://127.0.0.1:9",
        "RETUNE_JENKINS_USER": "ada",
        "RETUNE_JENKINS_TOKEN": "geheim",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "jobs", "status", "--json", "--watch"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.terminate()
    for line in lines:
        assert line["studies"][0]["study"] == "main-1a2b3c4"
        assert "cannot be reached" in line["error"]
        assert "geheim" not in json.dumps(line)
