"""Specifications on a home of their own, and a wait on a condition."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.environment.base import Condition, Environment, Limits, Specification
from tests.waiting import wait_for

MIB = 1024**2

Wait = Callable[[Callable[[], Any]], Any]
Order = Callable[[Specification, str], None]
Answer = Callable[[Specification, str], Any]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def specify(home: Path, tmp_path: Path) -> Callable[..., Specification]:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpg").touch()

    def make(study: str = "main-1a2b3c4", **changes: Any) -> Specification:
        content: dict[str, Any] = {
            "study": study,
            "folder": home / "studies" / study,
            "data": {"photos": photos},
            "limits": Limits(memory=256 * MIB, cpus=1.0, processes=64, shared_memory=32 * MIB),
        }
        return Specification(**content | changes)

    return make


@pytest.fixture
def wait() -> Wait:
    """Wait until something is true and give it back; fail after half a minute."""
    return functools.partial(wait_for, seconds=30.0)


@pytest.fixture
def order() -> Order:
    """Tell the stand-in trainer what to do."""

    def give(specification: Specification, text: str) -> None:
        partial = specification.trials / ".order"
        partial.write_text(text)
        partial.chmod(0o666)
        partial.rename(specification.trials / "order")

    return give


@pytest.fixture
def answer(wait: Wait, order: Order) -> Answer:
    """Give an order and return what the stand-in trainer writes in answer."""
    files = {"report": "report.json", "spawn": "spawned.json"}

    def ask(specification: Specification, text: str) -> Any:
        order(specification, text)
        file = specification.trials / files[text]
        wait(file.exists)
        return json.loads(file.read_text())

    return ask


@pytest.fixture
def launched(
    environment: Environment, specify: Callable[..., Specification], wait: Wait
) -> Specification:
    """A study whose environment (the module's) is up."""
    specification = specify()
    environment.launch(specification)
    wait(lambda: environment.state(specification.study).condition is Condition.HEALTHY)
    return specification
