"""The CNNs of the corpus, unmodified but for one epoch, trained in a container on small data.

One container serves them all: each is a trial of the same study, and sees the data set as its own
paths and its own loader want it.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs import dataset
from jobs.environment.base import Limits, Specification
from jobs.environment.docker import DockerEnvironment
from jobs.environment.spool import Request, Result, Spool
from jobs.settings import RepositorySettings, Settings
from jobs.source import detect
from jobs.source.files import Checkout
from jobs.source.rewrite import rewrite
from jobs.source.wording import strings

pytestmark = [pytest.mark.docker, pytest.mark.slow]

CORPUS = Path(__file__).parents[1] / "source" / "corpus" / "cnn"
OWN_FILES = {"own_generator.py", "own_sequence.py", "option_mode.py"}
"""Scripts that want files or a command line of their own."""
NAMES = [
    name
    for path in sorted(CORPUS.glob("*.json"))
    if (name := path.with_suffix("").name) not in OWN_FILES
]
FLAT = {"dataframe_generator.py"}
"""Scripts that want their images in one folder, with the class in the file's name."""
EPOCHS = "fit.epochs"
SECONDS_OF_ONE = 240.0


def draw_class_folders(root: Path) -> None:
    chance = random.Random(1)
    for split, count in (("train", 20), ("validation", 8), ("test", 8)):
        for shade, name in ((70, "cats"), (180, "dogs")):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                colour = tuple(shade + chance.randrange(-40, 40) for _ in range(3))
                Image.new("RGB", (24, 20), colour).save(
                    root / split / name / f"{name}.{number}.jpg"
                )


def draw_flat(root: Path) -> None:
    root.mkdir(parents=True)
    for number in range(40):
        name = ("cat", "dog")[number % 2]
        Image.new("RGB", (24, 20), (number * 6, 90, 60)).save(root / f"{name}.{number}.jpg")


def write_keras_data(folder: Path) -> None:
    """Files as ``keras.datasets`` wants them, with some dozen images in each."""
    import gzip
    import io
    import pickle
    import tarfile

    chance = np.random.default_rng(2)
    folder.mkdir(parents=True)
    parts = {"train": 300, "test": 60}
    digits = {}
    for part, count in parts.items():
        digits[f"x_{part}"] = chance.integers(0, 255, (count, 28, 28), np.uint8)
        digits[f"y_{part}"] = (np.arange(count) % 10).astype(np.uint8)
    np.savez(folder / "mnist.npz", **digits)
    for part, name in (("train", "train"), ("test", "t10k")):
        for kind, values, header in (
            ("labels-idx1", digits[f"y_{part}"], 8),
            ("images-idx3", digits[f"x_{part}"], 16),
        ):
            with gzip.open(folder / f"{name}-{kind}-ubyte.gz", "wb") as file:
                file.write(bytes(header) + values.tobytes())

    def batch(count: int) -> bytes:
        content = {
            b"data": chance.integers(0, 255, (count, 3072), np.uint8),
            b"labels": [each % 10 for each in range(count)],
        }
        return pickle.dumps(content)

    with tarfile.open(folder / "cifar-10-batches-py.tar.gz", "w:gz") as archive:
        for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
            content = batch(60)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture(scope="module")
def trials(
    tmp_path_factory: pytest.TempPathFactory, trainer_image: str
) -> Iterator[dict[str, Spool]]:
    """Every script of the corpus, submitted; the container trains one after the other."""
    place = tmp_path_factory.mktemp("corpus")
    draw_class_folders(place / "offers" / "pets")
    draw_flat(place / "offers" / "flat")
    write_keras_data(place / "keras")
    study = place / "home" / "studies" / "corpus"
    folders: dict[str, Path] = {}
    spools = {}
    for number, name in enumerate(NAMES):
        source = study / "source" / str(number)
        script = copy_script(name, source)
        set_one_epoch(source, script)
        reading = detect.read(source, script)
        prepared = dataset.prepare(
            Settings(
                home=place / "home",
                datasets=place / "offers",
                dataset="flat" if name in FLAT else "pets",
                keras_data=place / "keras",
            ),
            RepositorySettings(),
            source,
            reading.data,
            reading.images,
            lambda _line: None,
            strings(Checkout(source)),
        )
        # Each script may see the data set otherwise, and the container is started once.
        shown = {each: f"{each}-{number}" for each in prepared.folders if each == prepared.name}
        folders |= {shown.get(each, each): folder for each, folder in prepared.folders.items()}
        mapping = {}
        for literal, where in prepared.mapping.items():
            first, *rest = where.split("/")
            mapping[literal] = "/".join([shown[first], *rest])
        spools[name] = Spool.of(study, number)
        spools[name].submit(
            Request(study="corpus", trial=number, script=script, data=mapping, seed=3)
        )
    environment = DockerEnvironment(place / "home", image=trainer_image)
    environment.launch(
        Specification(
            study="corpus",
            folder=study,
            data=folders,
            writable=("/Users",),
            limits=Limits(memory=3 * 1024**3, cpus=2.0, processes=512, shared_memory=256 * 1024**2),
        )
    )
    yield spools
    environment.remove("corpus")


def place_of(name: str) -> tuple[Path, str]:
    """The folder that a script of the corpus is read from, and its name there."""
    if (CORPUS / name).is_dir():
        return CORPUS / name, json.loads((CORPUS / f"{name}.json").read_text())["script"]
    return CORPUS, name


def copy_script(name: str, source: Path) -> str:
    """The script or repository in a folder of its own; gives the script's name in it."""
    root, script = place_of(name)
    if root == CORPUS:
        source.mkdir(parents=True)
        shutil.copy(root / script, source)
    else:
        shutil.copytree(root, source)
    return script


def set_one_epoch(source: Path, script: str) -> None:
    """As a tweak would do it: one epoch, where the script does not hold its number."""
    reading = detect.read(source, script)
    if reading.values().get(EPOCHS, 1) == 1 or EPOCHS not in reading.space():
        return
    for path, content in rewrite(source, script, {EPOCHS: 1}).items():
        (source / path).write_bytes(content)


Await = Callable[[str], tuple[Result, str]]


@pytest.fixture
def finished(trials: dict[str, Spool]) -> Await:
    import time

    def wait(name: str) -> tuple[Result, str]:
        ended, deadline = 0, time.monotonic() + SECONDS_OF_ONE
        while (result := trials[name].result()) is None:
            # One trial follows the other, and the tests may run in any order.
            if (count := sum(each.result() is not None for each in trials.values())) > ended:
                ended, deadline = count, time.monotonic() + SECONDS_OF_ONE
            assert time.monotonic() < deadline, "the trial has no result"
            time.sleep(0.05)
        return result, trials[name].console.read_text(encoding="utf-8", errors="replace")

    return wait


@pytest.mark.parametrize("name", NAMES)
def test_it_trains(name: str, finished: Await) -> None:
    result, console = finished(name)
    if detect.read(*place_of(name)).loop == "custom":
        assert result.failure == "no-fit", console
        assert "a loop of its own" in (result.reason or "")
        return
    assert result.outcome == "complete", f"{result.reason}\n{console}"
    assert result.objective is not None
    assert not [each for each in result.notes if "failed" in each]
