import random
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from jobs.settings import Settings
from jobs.source.script import DataFolder, Place

Draw = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def offers(tmp_path: Path) -> Path:
    folder = tmp_path / "offers"
    folder.mkdir()
    return folder


@pytest.fixture
def operator(home: Path, offers: Path) -> Settings:
    return Settings(home=home, datasets=offers)


@pytest.fixture
def draw() -> Draw:
    """Write an image of coloured noise; no two are alike unless the seed is."""
    counter = iter(range(10**6))

    def make(
        path: Path,
        size: tuple[int, int] = (40, 30),
        mode: str = "RGB",
        seed: int | None = None,
        form: str | None = None,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        generator = random.Random(f"seed {seed}" if seed is not None else next(counter))
        small = Image.frombytes("RGB", (8, 6), generator.randbytes(8 * 6 * 3))
        image = small.resize(size, Image.Resampling.BICUBIC)
        image = image.convert("L").convert("I;16") if mode == "I;16" else image.convert(mode)
        image.save(path, form)
        return path

    return make


@pytest.fixture
def tree(offers: Path, draw: Draw) -> Callable[..., Path]:
    """An offered data set with so many images in each of the folders."""

    def make(name: str, *folders: str, images: int = 2) -> Path:
        for folder in folders:
            for number in range(images):
                draw(offers / name / folder / f"{number:03d}.jpg")
        return offers / name

    return make


@pytest.fixture
def named() -> Callable[..., DataFolder]:
    def make(path: str, use: str, line: int = 1) -> DataFolder:
        return DataFolder(path, use, Place("cnn.py", line))  # type: ignore[arg-type]

    return make
