"""The folder that a script gets its images from."""

import shutil
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from jobs import dataset
from jobs.dataset import caching
from jobs.errors import RetuneError
from jobs.settings import RepositorySettings
from jobs.source.script import ImageLoading

KERAS = ImageLoading((16, 16), 3, None, "flow_from_directory")
TENSORFLOW = ImageLoading((16, 16), 3, None, "image_dataset_from_directory")


@pytest.fixture
def checked(operator, named, home, tmp_path):
    """Check the only data set on offer, as a script that names these paths sees it."""

    def make(see=None, **uses: str) -> dataset.Check:
        data = [named(path, use) for path, use in (uses or {"data": "all"}).items()]
        source = dataset.look_up(operator, RepositorySettings(), tmp_path, data)
        return dataset.check(source, home, see=see)

    return make


def files(folder: Path) -> dict[str, Path]:
    return {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {place: path.read_bytes() for place, path in files(folder).items()}


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.mode == other.mode and ImageChops.difference(one, other).getbbox() is None


def test_images_are_finished_under_their_own_names(tree, checked, home):
    root = tree("pets", "cats", "dogs")
    cached = dataset.cache(checked(), KERAS, home)
    assert files(cached).keys() == files(root).keys()
    for place, path in files(cached).items():
        with Image.open(root / place) as original, Image.open(path) as ready:
            assert ready.size == (16, 16)
            assert same(ready, original.resize((16, 16), Image.Resampling.NEAREST))


MODES = ("RGB", "L", "P", "RGBA", "CMYK", "1")


@pytest.mark.parametrize("room", [caching.FINISHED_BYTES, 0])
def test_what_the_check_has_decoded_is_finished_from_that(tree, checked, home, monkeypatch, room):
    root = tree("pets", "cats")
    for mode in MODES:
        picture = Image.effect_mandelbrot((40, 30), (-2, -1.5, 1, 1.5), 50).convert("RGB")
        name = f"{mode}.{'tif' if mode == 'CMYK' else 'png'}"
        picture.convert(mode).save(root / "cats" / name)
    plain = contents(cached_anew(checked, home))
    monkeypatch.setattr(caching, "FINISHED_BYTES", room)
    finished = dataset.Finished(KERAS)
    found = checked(finished.see)
    if room:
        for path in root.rglob("*.*"):
            path.write_bytes(b"not to be read again")
    cached = dataset.cache(found, KERAS, home, finished=finished)
    assert contents(cached) == plain


def cached_anew(checked, home: Path) -> Path:
    """Cached without what the check has decoded; what is known of it is forgotten after."""
    cached = dataset.cache(checked(), KERAS, home)
    kept = cached.rename(home / "kept")
    shutil.rmtree(home / "cache")
    return kept


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(TENSORFLOW, id="TensorFlow decodes and resizes otherwise"),
        pytest.param(ImageLoading(None, 3, None, "flow_from_directory"), id="size unknown"),
        pytest.param(ImageLoading((90, 90), 3, None, "flow_from_directory"), id="images are small"),
        pytest.param(ImageLoading((16, 16), 3, "bilinear", "PIL"), id="order unknown"),
        pytest.param(ImageLoading((16, 16), 3, "gaussian", "load_img"), id="filter unknown"),
        pytest.param(ImageLoading(), id="loader unknown"),
    ],
)
def test_originals_are_used_where_nothing_is_gained(tree, checked, home, images):
    root = tree("pets", "cats", "dogs")
    assert dataset.cache(checked(), images, home) == root


def test_corrupt_files_are_left_out_and_empty_classes_kept(tree, checked, home):
    root = tree("pets", "cats", "dogs")
    (root / "cats/corrupt.jpg").write_bytes(b"corrupt")
    (root / "birds").mkdir()
    (root / "labels.csv").write_text("1")
    cached = dataset.cache(checked(), TENSORFLOW, home)
    assert files(cached).keys() == files(root).keys() - {"cats/corrupt.jpg"}
    assert (cached / "birds").is_dir()
    (root / "labels.csv").write_text("12")
    assert (dataset.cache(checked(), TENSORFLOW, home) / "labels.csv").read_text() == "12"
    assert (cached / "cats/000.jpg").read_bytes() == (root / "cats/000.jpg").read_bytes()


def test_built_once_and_found_again(tree, checked, home):
    root = tree("pets", "cats", "dogs")
    steps: list[tuple[int, int]] = []
    first = dataset.cache(checked(), KERAS, home, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (4, 4)
    built = {place: path.stat().st_mtime_ns for place, path in files(first).items()}
    assert dataset.cache(checked(), KERAS, home) == first
    assert {place: path.stat().st_mtime_ns for place, path in files(first).items()} == built
    larger = ImageLoading((20, 20), 3, None, "flow_from_directory")
    assert dataset.cache(checked(), larger, home) != first
    shutil.copy(root / "cats/000.jpg", root / "cats/another.jpg")
    assert dataset.cache(checked(), KERAS, home) != first


def test_two_at_once_build_one(tree, checked, home):
    tree("pets", "cats", "dogs", images=20)
    found = checked()
    with ThreadPoolExecutor(4) as pool:
        built = set(pool.map(lambda _: dataset.cache(found, KERAS, home), range(4)))
    assert len(built) == 1
    folders = [each for each in (home / "cache/images").iterdir() if each.is_dir()]
    assert folders == list(built)


def test_broken_off_build_leaves_nothing(tree, checked, home):
    tree("pets", "cats", "dogs")

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset.cache(checked(), KERAS, home, interrupt)
    assert not [each for each in (home / "cache/images").iterdir() if each.is_dir()]
    assert len(files(dataset.cache(checked(), KERAS, home))) == 4


def test_full_disk_is_said_before_anything_is_written(tree, checked, home, monkeypatch):
    tree("pets", "cats", "dogs")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(caching.shutil, "disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(RetuneError, match=r"pets need 64 MiB below .* 0 MiB are free"):
        dataset.cache(checked(), KERAS, home)


def test_dealing_is_by_class_the_same_every_time_and_complete(tree, checked, home):
    tree("pets", "cats", images=50)
    root = tree("pets", "dogs", images=10)
    cached = dataset.cache(checked(a="train", b="validation", c="test"), TENSORFLOW, home)
    counts = {
        f"{split}/{kind}": len(list((cached / split / kind).iterdir()))
        for split in ("train", "validation", "test")
        for kind in ("cats", "dogs")
    }
    assert counts == {
        "train/cats": 35,
        "validation/cats": 10,
        "test/cats": 5,
        "train/dogs": 7,
        "validation/dogs": 2,
        "test/dogs": 1,
    }
    places = sorted(place.split("/", 1)[1] for place in files(cached))
    assert places == sorted(files(root))
    again = dataset.cache(checked(a="train", b="validation", c="test"), TENSORFLOW, home)
    assert again == cached


def test_copies_of_an_image_are_dealt_to_the_same_side(tree, checked, home):
    root = tree("pets", "cats", "dogs", images=10)
    for path in list(files(root).values()):
        for copy in "abc":
            shutil.copy(path, path.with_name(f"{path.stem}-{copy}.jpg"))
    cached = dataset.cache(checked(a="train", b="validation"), TENSORFLOW, home)
    sides: dict[bytes, set[str]] = {}
    for place, path in files(cached).items():
        sides.setdefault(path.read_bytes(), set()).add(place.split("/")[0])
    assert all(len(each) == 1 for each in sides.values())
    assert {"train", "validation"} == set.union(*sides.values())


def test_splits_put_together_keep_every_image(tree, checked, home):
    tree("pets", "train/cats", "train/dogs", "val/cats", "val/dogs", "test/cats", "test/dogs")
    found = checked()
    cached = dataset.cache(found, TENSORFLOW, home)
    assert {len(list((cached / "all" / kind).iterdir())) for kind in ("cats", "dogs")} == {4}
    assert len({path.read_bytes() for path in (cached / "all").rglob("*.jpg")}) == 8


def test_repositorys_images_are_found_again_in_the_next_checkout(operator, named, draw, home):
    cached = []
    for number in range(2):
        checkout = home / "source" / str(number)
        draw(checkout / "data/train/cats/1.jpg", seed=1)
        draw(checkout / "data/train/dogs/1.jpg", seed=2)
        source = dataset.look_up(
            operator, RepositorySettings(), checkout, [named("data/train", "train")]
        )
        cached.append(dataset.cache(dataset.check(source, home), TENSORFLOW, home))
    assert cached[0] == cached[1]
    assert files(cached[0]).keys() == {"cats/1.jpg", "dogs/1.jpg"}


def test_links_become_files(tree, checked, home):
    root = tree("pets", "cats", "dogs")
    (root / "cats/linked.jpg").symlink_to(root / "dogs/000.jpg")
    cached = dataset.cache(checked(), TENSORFLOW, home)
    assert not (cached / "cats/linked.jpg").is_symlink()
    assert (cached / "cats/linked.jpg").read_bytes() == (root / "dogs/000.jpg").read_bytes()


def test_files_that_others_may_not_read_are_copied(tree, checked, home):
    root = tree("pets", "cats", "dogs")
    (root / "cats/000.jpg").chmod(0o600)
    (root / "dogs/corrupt.jpg").touch()
    cached = dataset.cache(checked(), TENSORFLOW, home)
    assert (cached / "cats/000.jpg").stat().st_mode & 0o777 == 0o644
    assert (cached / "dogs/000.jpg").samefile(root / "dogs/000.jpg")


def test_prune_removes_what_nobody_asks_for(tree, checked, home):
    tree("pets", "cats", "dogs")
    kept = dataset.cache(checked(), KERAS, home)
    other = dataset.cache(checked(), ImageLoading((8, 8), 3, None, "load_img"), home)
    assert dataset.prune(home) == []
    assert dataset.prune(home, keep=[kept], days=-1) == [other]
    assert kept.is_dir()
    assert not other.exists()
    assert time.time() - kept.stat().st_mtime < 60


def test_prepare_gives_what_request_and_environment_need(
    operator, tree, named, home, tmp_path, offers
):
    tree("pets", "train/cats", "train/dogs", "val/cats", "val/dogs")
    digits = tmp_path / "digits"
    digits.mkdir()
    settings = operator.model_copy(update={"keras_data": digits})
    lines: list[str] = []
    data = [named("/data/train", "train"), named("/data/validation", "validation")]
    ready = dataset.prepare(settings, RepositorySettings(), tmp_path, data, KERAS, lines.append)
    cached = ready.folders["pets"]
    assert cached.parent == home / "cache/images"
    assert ready.folders[dataset.KERAS_DATA] == digits
    assert ready.mapping == {"/data/train": "pets/train", "/data/validation": "pets/val"}
    assert ready.absolute == {
        "/data/train": cached / "train",
        "/data/validation": cached / "val",
    }
    assert ready.images == {"train": 4, "validation": 4}
    assert "train: 2 cats, 2 dogs" in lines


def test_what_a_script_reads_beside_a_data_set_of_keras_may_be_missing(operator, named, tmp_path):
    settings = operator.model_copy(update={"datasets": None})
    data = [named("E:/pictures/of mine", "all")]
    said: list[str] = []
    trained_on = ImageLoading((32, 32), 3, None, "keras.datasets.cifar10")
    wanted = RepositorySettings()
    ready = dataset.prepare(settings, wanted, tmp_path, data, trained_on, said.append, ("mine",))
    assert (ready.mapping, ready.images, ready.check) == ({}, {}, None)
    assert [each.rpartition(". ")[2] for each in said] == [
        "It trains on keras.datasets.cifar10, and goes on without."
    ]
    assert "loads 'E:/pictures/of mine'" in said[0]
    for named_by_hand, loading in ((None, KERAS), ("pets", trained_on)):
        wanted = RepositorySettings(dataset=named_by_hand)
        with pytest.raises(RetuneError):
            dataset.prepare(settings, wanted, tmp_path, data, loading, said.append)


def test_classes_are_called_as_the_script_calls_them(operator, tree, named, tmp_path):
    tree("pets", "train/cats", "train/dogs", "validation/cats", "validation/dogs")
    data = [named("PetImages", "all")]
    said: list[str] = []

    def prepared(*words: str) -> dataset.Prepared:
        wanted = RepositorySettings()
        return dataset.prepare(operator, wanted, tmp_path, data, ImageLoading(), said.append, words)

    ready = prepared("Cat", "Dog", "PetImages")
    folder = ready.folders["pets"] / ready.mapping["PetImages"].removeprefix("pets/")
    assert sorted(each.name for each in folder.iterdir()) == ["Cat", "Dog"]
    assert "The script calls its classes Cat (cats), Dog (dogs)." in said
    # In two ways: one of them is for the files.
    ready = prepared("Cat", "Dog", "Cats", "Dogs")
    folder = ready.folders["pets"] / ready.mapping["PetImages"].removeprefix("pets/")
    assert sorted(each.name for each in folder.iterdir()) == ["Cats", "Dogs"]
    # Only one of them, or the very names: then they stay as they are.
    for words in (("Cat",), ("Cat", "Dog", "cats")):
        ready = prepared(*words)
        folder = ready.folders["pets"] / ready.mapping["PetImages"].removeprefix("pets/")
        assert sorted(each.name for each in folder.iterdir()) == ["cats", "dogs"]


def test_an_image_that_pillow_cannot_convert_is_left_to_the_script(tree, checked, home):
    root = tree("pets", "cats", "dogs")
    Image.new("LAB", (40, 30)).save(root / "cats" / "lab.tif")
    gray = ImageLoading((16, 16), 1, None, "flow_from_directory")
    cached = dataset.cache(checked(), gray, home)
    assert (cached / "cats" / "lab.tif").read_bytes() == (root / "cats" / "lab.tif").read_bytes()
    with Image.open(cached / "cats" / "000.jpg") as ready:
        assert ready.size == (16, 16)
