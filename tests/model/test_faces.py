"""The demo's faces: the same for a seed, and no give-away."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model import faces

COUNTS = {"train": 600, "validation": 300}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    faces.write_faces(folder, COUNTS, seed=5, size=48)
    return folder


def pictures(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images in 0 to 1 as (count, height, width, 3), and 0 for a cat or 1 for a dog."""
    arrays, labels = [], []
    for label, kind in enumerate(faces.CLASSES):
        for path in sorted((folder / split / kind).iterdir()):
            arrays.append(np.asarray(Image.open(path)) / 255)
            labels.append(label)
    return np.stack(arrays), np.array(labels)


def linear_accuracy(train: np.ndarray, y: np.ndarray, other: np.ndarray, z: np.ndarray) -> float:
    """Accuracy on other data of a ridge regression, the strongest penalty that helps chosen."""
    mean, scale = train.mean(axis=0), train.std(axis=0) + 1e-9
    x, w = (train - mean) / scale, (other - mean) / scale
    target = 2.0 * y - 1
    gram = x @ x.T
    best = 0.0
    for penalty in (1e1, 1e2, 1e3, 1e4):
        weights = x.T @ np.linalg.solve(gram + penalty * np.eye(len(x)), target)
        best = max(best, float(((w @ weights > 0) == z).mean()))
    return best


def test_split_and_classes_are_as_asked_for(drawn):
    for split, count in COUNTS.items():
        for kind in faces.CLASSES:
            names = sorted(path.name for path in (drawn / split / kind).iterdir())
            assert names == [f"{kind[:-1]}.{number:04d}.jpg" for number in range(count // 2)]
    with Image.open(drawn / "train/cats/cat.0000.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (48, 48))


def test_same_seed_same_files_other_seed_other_files(tmp_path):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        faces.write_faces(tmp_path / name, {"train": 6}, seed=seed, size=32)
    one, two, three = (
        [path.read_bytes() for path in sorted((tmp_path / name).rglob("*.jpg"))]
        for name in ("one", "two", "three")
    )
    assert one == two
    assert len(one) == 6
    assert not set(one) & set(three)


def test_no_two_pictures_are_alike(drawn):
    contents = [path.read_bytes() for path in drawn.rglob("*.jpg")]
    assert len(set(contents)) == len(contents)


def test_colours_tell_little(drawn):
    def histograms(images: np.ndarray) -> np.ndarray:
        flat = (images * 3.999).astype(int) @ np.array([16, 4, 1])
        return np.stack([np.bincount(each.ravel(), minlength=64) for each in flat]) ** 0.5

    train, y = pictures(drawn, "train")
    other, z = pictures(drawn, "validation")
    assert linear_accuracy(histograms(train), y, histograms(other), z) < 0.6


def test_background_tells_nothing(drawn):
    def border(images: np.ndarray) -> np.ndarray:
        edges = (images[:, :4], images[:, -4:], images[:, :, :4], images[:, :, -4:])
        return np.concatenate([each.reshape(len(images), -1) for each in edges], axis=1)

    train, y = pictures(drawn, "train")
    other, z = pictures(drawn, "validation")
    assert linear_accuracy(border(train), y, border(other), z) < 0.6


def test_file_size_tells_nothing(drawn):
    sizes = {
        kind: np.array([path.stat().st_size for path in drawn.rglob(f"{kind}/*.jpg")])
        for kind in faces.CLASSES
    }
    everything = np.concatenate(list(sizes.values()))
    threshold_accuracy = max(
        abs((sizes["cats"] < cut).mean() - (sizes["dogs"] < cut).mean()) / 2 + 0.5
        for cut in np.quantile(everything, np.linspace(0.05, 0.95, 19))
    )
    assert threshold_accuracy < 0.57


def test_pixels_alone_do_not_reach_the_demos_target(drawn):
    train, y = pictures(drawn, "train")
    other, z = pictures(drawn, "validation")
    train, other = (each.reshape(len(each), -1) for each in (train, other))
    assert linear_accuracy(train, y, other, z) < 0.7


def test_each_trait_is_found_in_both():
    import random

    for kind in faces.CLASSES:
        drawn = [faces.draw_traits(kind, random.Random(seed)) for seed in range(300)]
        assert {each.ear for each in drawn} == {"upright", "folded", "hanging"}
        assert {each.whiskers for each in drawn} == {True, False}
        assert {each.tongue for each in drawn} == {True, False}


def test_command_line(tmp_path):
    options = ("--train", "4", "--validation", "2", "--test", "0", "--seed", "3", "--size", "24")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "model.faces", str(tmp_path / "out"), *options],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"6 faces in {tmp_path / 'out'}\n"
    made = {path.parent.relative_to(tmp_path / "out") for path in tmp_path.rglob("*.jpg")}
    assert made == {
        Path(split, kind) for split in ("train", "validation") for kind in faces.CLASSES
    }
    assert not (tmp_path / "out" / "test").exists()
