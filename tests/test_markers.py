"""A test that cannot run here is skipped with its reason, and fails in continuous integration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
JENKINS = ("JENKINS_URL", "JENKINS_USER", "JENKINS_TOKEN")


def run_marked(folder: Path, marker: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A pytest of its own, for one test with the marker, on a machine without an engine."""
    file = folder / "test_marked.py"
    file.write_text(f"import pytest\n@pytest.mark.{marker}\ndef test_it(): pass\n")
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", *JENKINS)}
    environment |= {"DOCKER_HOST": f"unix://{folder}/none.sock", "PYTHONPATH": str(ROOT / "tests")}
    options = ["-c", str(ROOT / "pyproject.toml"), "-p", "conftest", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(file)],
        cwd=folder,
        env=environment | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_an_engine_a_docker_test_is_skipped(tmp_path):
    result = run_marked(tmp_path, "docker")
    assert result.returncode == 0
    assert "1 skipped" in result.stdout
    assert "no Docker Engine answers" in result.stdout


def test_without_an_engine_a_docker_test_fails_in_ci(tmp_path):
    result = run_marked(tmp_path, "docker", CI="true")
    assert result.returncode == 1
    assert "CI has to run this test, but no Docker Engine answers" in result.stdout


@pytest.mark.parametrize("settings", [{}, {"CI": "true"}])
def test_without_a_controller_a_jenkins_test_is_skipped_even_in_ci(tmp_path, settings):
    result = run_marked(tmp_path, "jenkins", **settings)
    assert result.returncode == 0
    assert "no Jenkins controller: JENKINS_URL" in result.stdout
