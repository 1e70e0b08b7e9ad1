"""Trainers on studies of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from tiny import Study  # noqa: E402


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], int]]:
    # What Keras keeps in a home folder is not to end up in the user's own.
    home = tmp_path_factory.mktemp("home")
    own = {"HOME": str(home), "KERAS_HOME": str(home / ".keras")}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("launcher.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "docker")} | own,
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    started: list[int] = []

    def launch(folder: Path) -> int:
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{folder}\n")
        process.stdin.flush()
        started.append(int(process.stdout.readline()))
        return started[-1]

    yield launch
    process.stdin.close()
    process.wait(timeout=20)


@pytest.fixture(scope="session")
def study(
    launcher: Callable[[Path], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Study]:
    """A study whose trainer runs through all tests, one trial after the other."""
    made = Study(tmp_path_factory.mktemp("study") / "main", launcher)
    made.start()
    yield made
    made.kill(signal.SIGTERM)


@pytest.fixture
def own_study(launcher: Callable[[Path], int], tmp_path: Path) -> Iterator[Study]:
    """A study whose trainer the test starts and kills."""
    made = Study(tmp_path / "own", launcher)
    yield made
    if made.pid and Path(f"/proc/{made.pid}").exists():
        made.kill()
