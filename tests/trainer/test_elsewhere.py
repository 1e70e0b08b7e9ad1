"""Absolute paths that a script writes to, led to the trial's folder. Needs no TensorFlow."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from trainer import elsewhere

Led = Callable[..., Path]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "work" / "elsewhere"


@pytest.fixture
def led(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Led:
    """Lead paths of a home folder, and install what a script meets; gives the home folder."""

    def lead(*names: str, again: tuple[Path, ...] = ()) -> Path:
        home = tmp_path / "home"
        home.mkdir()
        elsewhere.lead([f"{home}/{name}" for name in names], [home], kept)
        monkeypatch.setattr(os, "mkdir", os.mkdir)
        monkeypatch.setattr(shutil, "rmtree", shutil.rmtree)
        elsewhere.install(kept, again)
        return home

    return lead


def kept_files(kept: Path) -> list[str]:
    return sorted(path.name for path in kept.rglob("*") if path.is_file())


def test_a_file_is_written_to_the_trials_folder(led: Led, kept: Path) -> None:
    home = led("accuracy.txt", "runs/1/log.csv")
    (home / "accuracy.txt").write_text("0.9")
    (home / "runs" / "1" / "log.csv").write_text("1")
    assert kept_files(kept) == ["accuracy.txt", "log.csv"]


@pytest.mark.parametrize("folder", ["model", "model/", "run.1", "run.1/"])
def test_a_folder_and_a_file_in_it(led: Led, kept: Path, folder: str) -> None:
    home = led(folder, f"{folder.rstrip('/')}/cnn.h5")
    (home / folder / "cnn.h5").write_text("weights")
    assert (home / folder / "cnn.h5").read_text() == "weights"
    assert kept_files(kept) == ["cnn.h5"]


def test_what_is_in_no_place_gets_no_link(led: Led, tmp_path: Path, kept: Path) -> None:
    led(f"../{tmp_path.name}.txt")
    assert not kept.exists()


@pytest.mark.parametrize("name", ["runs", "run.1"])
def test_a_folder_is_made_as_if_it_were_not_there(led: Led, kept: Path, name: str) -> None:
    home = led(name)
    os.makedirs(home / name)
    (home / name / "log.csv").write_text("1")
    assert kept_files(kept) == ["log.csv"]


@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_folder_is_emptied_and_made_again(led: Led, kept: Path, as_bytes: bool) -> None:
    path = led("split") / "split"
    given = os.fsencode(path) if as_bytes else path
    (path / "old.txt").touch()
    shutil.rmtree(given)
    assert not path.exists()
    os.makedirs(given)
    (path / "new.txt").touch()
    assert kept_files(kept) == ["new.txt"]


def test_folders_of_an_earlier_run_may_be_made_again_and_no_others(
    led: Led, tmp_path: Path
) -> None:
    own, other = tmp_path / "work" / "above", tmp_path / "other"
    for folder in (own / "models", other):
        folder.mkdir(parents=True)
    home = led("models", again=(own,))
    os.mkdir(own / "models")
    os.mkdir(home / "models")
    with pytest.raises(FileExistsError):
        os.mkdir(other)
