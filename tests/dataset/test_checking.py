"""What is found out about the images of a data set."""

import io
import os
import threading
import time
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from jobs import dataset
from jobs.dataset import checking, decoding
from jobs.errors import RetuneError
from jobs.settings import RepositorySettings


@pytest.fixture
def source(operator, named, tmp_path):
    """The source of an offered data set, as a script with a folder of everything sees it."""

    def make(name: str) -> dataset.Source:
        wanted = RepositorySettings(dataset=name)
        return dataset.look_up(operator, wanted, tmp_path, [named(name, "all")])

    return make


def test_classes_are_counted_by_split(tree, source, home):
    tree("pets", "train/cats", "train/dogs", images=3)
    tree("pets", "val/cats", "val/dogs", images=1)
    found = dataset.check(source("pets"), home)
    assert found.counts == {"train": {"cats": 3, "dogs": 3}, "validation": {"cats": 1, "dogs": 1}}
    assert found.describe() == ["train: 3 cats, 3 dogs", "validation: 1 cats, 1 dogs"]
    assert not found.broken


def test_every_kind_of_damage_is_listed_with_its_reason(tree, source, home, draw):
    root = tree("pets", "cats", "dogs")
    whole = (root / "cats/000.jpg").read_bytes()
    (root / "cats/empty.jpg").touch()
    (root / "cats/truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "cats/page.jpg").write_text("<!DOCTYPE html><title>404</title>")
    (root / "cats/lfs.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0")
    png = draw(root / "cats/damaged.png", form="PNG")
    png.write_bytes(png.read_bytes()[:-60])
    found = dataset.check(source("pets"), home)
    reasons = {each.place: each.reason for each in found.broken}
    assert set(reasons) == {
        f"cats/{name}" for name in ("damaged.png", "empty.jpg", "lfs.png", "page.jpg")
    } | {"cats/truncated.jpg"}
    assert reasons["cats/empty.jpg"] == "is empty"
    assert "truncated" in reasons["cats/truncated.jpg"].casefold()
    assert "page of text" in reasons["cats/page.jpg"]
    assert "Git LFS pointer" in reasons["cats/lfs.png"]
    assert found.counts == {"": {"cats": 2, "dogs": 2}}
    assert any(line.startswith("left out: cats/empty.jpg is empty") for line in found.describe())


def test_decompression_bomb_is_not_decoded(tree, source, home):
    root = tree("pets", "cats", "dogs")
    Image.new("1", (20_000, 20_000)).save(root / "cats/bomb.png")
    start = time.monotonic()
    found = dataset.check(source("pets"), home)
    assert time.monotonic() - start < 10
    (broken,) = found.broken
    assert "pixels" in broken.reason


def test_enormous_file_is_not_read(tree, source, home):
    root = tree("pets", "cats", "dogs")
    with (root / "cats/enormous.jpg").open("wb") as file:
        file.truncate(checking.MOST_BYTES + 1)
    (broken,) = dataset.check(source("pets"), home).broken
    assert broken.reason == "is too large for an image"


def test_unusual_images_are_fine(tree, source, home, draw):
    root = tree("pets", "cats", "dogs")
    draw(root / "cats/cmyk.jpg", mode="CMYK")
    draw(root / "cats/palette.gif", mode="P")
    draw(root / "cats/deep.png", mode="I;16")
    draw(root / "cats/png-inside.jpg", form="PNG")
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(root / "cats/moving.gif", save_all=True, append_images=frames[1:])
    found = dataset.check(source("pets"), home)
    assert not found.broken
    facts = {each.place: each for each in found.pictures}
    assert facts["cats/cmyk.jpg"].mode == "CMYK"
    assert facts["cats/moving.gif"].size == (9, 9)
    assert facts["cats/png-inside.jpg"].format == "PNG"
    assert any("more than 8 bits" in each for each in found.warnings)


def test_no_other_program_is_started_for_an_image(tree, source, home, tmp_path, monkeypatch):
    """By its content, Pillow would have Ghostscript run what is pushed as a photograph."""
    root = tree("pets", "cats", "dogs")
    programs, mark = tmp_path / "bin", tmp_path / "mark"
    programs.mkdir()
    (programs / "gs").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (programs / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    eps = io.BytesIO()
    Image.new("RGB", (4, 4)).save(eps, "EPS")
    (root / "cats" / "pushed.jpg").write_bytes(eps.getvalue())
    found = dataset.check(source("pets"), home)
    assert [each.place for each in found.broken] == ["cats/pushed.jpg"]
    assert not mark.exists()


def test_large_images_wait_for_one_another(tree, source, home, monkeypatch):
    """A hundred small files may hold a hundred times more pixels than the machine has room for."""
    root = tree("pets", "cats", "dogs")
    for number in range(12):
        Image.new("L", (600, 500), number).save(root / "cats" / f"{number}.png")
    monkeypatch.setattr(decoding, "_memory", decoding._Memory(700_000))
    now, most, lock = [0], [0], threading.Lock()
    load = PngImageFile.load

    def counted(image):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        try:
            return load(image)
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(PngImageFile, "load", counted)
    assert len(dataset.check(source("pets"), home).pictures) == 16
    assert most[0] <= 2


def test_what_systems_leave_behind_is_passed_over(tree, source, home):
    root = tree("pets", "cats", "dogs")
    for clutter in (".DS_Store", "cats/Thumbs.db", "cats/._000.jpg", "__MACOSX/cats/._000.jpg"):
        (root / clutter).parent.mkdir(parents=True, exist_ok=True)
        (root / clutter).write_bytes(b"junk")
    found = dataset.check(source("pets"), home)
    assert not found.broken
    assert not found.others
    assert found.folders == ("cats", "dogs")


def test_second_time_reads_nothing(tree, source, home, monkeypatch):
    root = tree("pets", "cats", "dogs")
    first = dataset.check(source("pets"), home)

    def forbidden(*_: object) -> str:
        raise AssertionError("decoded again")

    monkeypatch.setattr(checking, "_decode", forbidden)
    assert dataset.check(source("pets"), home) == first
    # Another file of the same content need not be decoded either; another content must.
    (root / "cats/copy.jpg").write_bytes((root / "cats/000.jpg").read_bytes())
    assert len(dataset.check(source("pets"), home).pictures) == 5
    (root / "cats/new.jpg").write_bytes(b"new")
    with pytest.raises(AssertionError, match="decoded again"):
        dataset.check(source("pets"), home)


def test_changed_file_is_looked_at_again(tree, source, home):
    root = tree("pets", "cats", "dogs")
    before = dataset.check(source("pets"), home)
    file = root / "cats/000.jpg"
    file.write_bytes(b"")
    os.utime(file, ns=(1, 1))
    after = dataset.check(source("pets"), home)
    assert [each.place for each in after.broken] == ["cats/000.jpg"]
    assert after.fingerprint != before.fingerprint


def test_fingerprint_is_of_the_content_alone(tree, source, home, offers):
    root = tree("pets", "cats", "dogs")
    before = dataset.check(source("pets"), home).fingerprint
    os.utime(root / "cats/000.jpg", ns=(1, 1))
    root.rename(offers / "moved")
    assert dataset.check(source("moved"), home).fingerprint == before


def test_empty_and_missing_classes_are_warned_of(tree, source, home):
    root = tree("pets", "train/cats", "train/dogs", "val/cats")
    (root / "train/birds").mkdir()
    found = dataset.check(source("pets"), home)
    assert "train/birds holds no images." in found.warnings
    assert "val/dogs is missing." in found.warnings


def test_same_image_in_two_splits_is_warned_of(tree, source, home):
    root = tree("pets", "train/cats", "train/dogs", "val/cats", "val/dogs")
    (root / "val/cats/leak.jpg").write_bytes((root / "train/cats/000.jpg").read_bytes())
    (leak,) = dataset.check(source("pets"), home).warnings
    assert "1 images are in train and in validation alike" in leak
    assert "train/cats/000.jpg = val/cats/leak.jpg" in leak


def test_flat_folder_is_warned_of(tree, source, home):
    tree("pets", "")
    (warning,) = dataset.check(source("pets"), home).warnings
    assert "flat folder" in warning


def test_files_that_loaders_pass_over_are_warned_of(tree, source, home, draw):
    draw(tree("pets", "cats", "dogs") / "cats/modern.webp")
    assert "1 .webp files are passed over" in dataset.check(source("pets"), home).warnings[0]


def test_formats_that_tensorflow_refuses_are_warned_of(tree, source, home, draw):
    draw(tree("pets", "cats", "dogs") / "cats/disguised.jpg", form="WEBP")
    (warning,) = dataset.check(source("pets"), home).warnings
    assert warning.startswith("1 images are WEBP inside")


def test_damaged_memory_is_a_clear_error(tree, source, home):
    tree("pets", "cats", "dogs")
    (home / "cache").mkdir(parents=True)
    (home / "cache/checks.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(RetuneError, match=r"remove checks\.sqlite3"):
        dataset.check(source("pets"), home)


def test_no_image_at_all_is_an_error(offers, source, home):
    (offers / "pets/cats").mkdir(parents=True)
    with pytest.raises(RetuneError, match="pets has no image that can be read"):
        dataset.check(source("pets"), home)
    (offers / "pets/cats/1.jpg").touch()
    with pytest.raises(RetuneError, match=r"the first of 1: cats/1.jpg is empty"):
        dataset.check(source("pets"), home)


def test_links_out_of_the_data_set_are_left_out(tree, source, home, draw, tmp_path):
    root = tree("pets", "cats", "dogs")
    draw(tmp_path / "private/1.jpg")
    (root / "cats/out.jpg").symlink_to(tmp_path / "private/1.jpg")
    (root / "birds").symlink_to(tmp_path / "private")
    (root / "cats/in.jpg").symlink_to(root / "dogs/000.jpg")
    (root / "cats/loop").symlink_to(root)
    found = dataset.check(source("pets"), home)
    assert {each.place for each in found.broken} == {"birds", "cats/out.jpg"}
    assert "cats/in.jpg" in {each.place for each in found.pictures}


def test_real_photographs(operator, named, home, offers):
    photographs = Path(__file__).parents[3] / "shared/data/cats_dogs"
    if not photographs.is_dir():
        pytest.skip("../shared/data/cats_dogs is not there")
    (offers / "cats_dogs").symlink_to(photographs)
    data = [named("dataset/training_set", "train"), named("dataset/test_set", "validation")]
    source = dataset.look_up(operator, RepositorySettings(), home, data)
    found = dataset.check(source, home)
    assert found.counts["validation"] == {"cats": 297, "dogs": 297}
    assert not found.broken
    assert not found.warnings
