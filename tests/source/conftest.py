"""The corpus: scripts and notebooks in the styles that people write, each with what it is."""

import json
import math
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.source import detect
from jobs.source.script import Choices, Reading, Space, Value

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True, eq=False)
class Example:
    """A script of the corpus: the folder to read it from, its name there, what is expected."""

    name: str
    root: Path
    script: str
    expected: dict[str, object]

    def read(self) -> Reading:
        return detect.read(self.root, self.script)

    def copy_to(self, folder: Path) -> Path:
        """The example's files, and no other's, in a folder of their own."""
        if self.root == CORPUS / "cnn" or self.root == CORPUS / "other":
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.root / self.script, folder)
        else:
            shutil.copytree(self.root, folder, dirs_exist_ok=True)
        return folder


def examples(kind: str) -> list[Example]:
    found = []
    for file in sorted((CORPUS / kind).glob("*.json")):
        expected = json.loads(file.read_text(encoding="utf-8"))
        path = file.with_suffix("")
        if path.is_dir():
            found.append(Example(path.name, path, expected["script"], expected))
        else:
            found.append(Example(path.name, path.parent, path.name, expected))
    return found


CNNS = examples("cnn")
OTHERS = examples("other")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, known in (("cnn", CNNS), ("other", OTHERS), ("example", [*CNNS, *OTHERS])):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, known, ids=[each.name for each in known])


Draw = Callable[[random.Random, Reading], dict[str, Value]]


@pytest.fixture(scope="session")
def cnns() -> list[Example]:
    return CNNS


@pytest.fixture(scope="session")
def draw() -> Draw:
    """A random tweak of one to five hyperparameters from the search space of a reading."""
    return _tweak


def _tweak(chance: random.Random, reading: Reading) -> dict[str, Value]:
    space = reading.space()
    count = min(len(space), chance.choice([1, 1, 2, 3, 5]))
    tweak = {name: _value(chance, space[name]) for name in chance.sample(sorted(space), count)}
    blocks = reading.values().get("blocks")
    if "blocks" in tweak and tweak["blocks"] != blocks:
        # Layers come and go with their block: their names mean others than in the reading.
        tweak = {k: v for k, v in tweak.items() if not k.startswith(("conv", "dropout"))}
        if tweak["blocks"] == int(blocks or 0) + 1 and chance.random() < 0.6:
            number = sum(name.endswith(".filters") for name in reading.values()) + 1
            tweak[f"conv{number}.filters"] = chance.choice([16, 48, 64])
    return tweak


def _value(chance: random.Random, space: Space) -> Value:
    if isinstance(space, Choices):
        return chance.choice(space.options)
    if space.log:
        exponent = chance.uniform(math.log(space.low), math.log(space.high))
        value = min(max(math.exp(exponent), space.low), space.high)
        return round(value) if space.integer else float(f"{value:.4g}")
    if space.integer:
        return chance.randint(int(space.low), int(space.high))
    if space.step:
        steps = round((space.high - space.low) / space.step)
        return round(space.low + space.step * chance.randint(0, steps), 10)
    return chance.uniform(space.low, space.high)
