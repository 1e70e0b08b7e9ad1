"""A commit's files and words, as a trial gets them. Needs no TensorFlow."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from trainer import copies, elsewhere, script, wording, workspace


def test_words_of_scripts_in_the_coding_that_they_declare(tmp_path: Path) -> None:
    text = "# -*- coding: latin-1 -*-\nfolder = 'données'\n"
    (tmp_path / "cnn.py").write_bytes(text.encode("latin-1"))
    (tmp_path / "other.py").write_bytes(b"\xef\xbb\xbffolder = 'h\xc3\xa4user'\n")
    (tmp_path / "broken.py").write_bytes(b"folder = '\xff'\n")
    assert wording.strings(wording.read(tmp_path)) == {"données", "häuser"}


def test_words_of_others_code_are_left_out(tmp_path: Path) -> None:
    for number in range(250):
        path = tmp_path / "venv" / f"{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("folder = 'theirs'\n")
    for name in ("code/sub/a.py", "z.py", ".hidden/b.py", "build/c.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name = {name!r}\n")
    assert wording.strings(wording.read(tmp_path)) == {"code/sub/a.py", "z.py"}


def test_scripts_further_up_come_first(tmp_path: Path) -> None:
    for number in range(250):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / f"{number}.py").write_text(f"number = '{number}'\n")
    (tmp_path / "train.py").write_text("folder = 'data'\n")
    found = wording.strings(wording.read(tmp_path))
    assert "data" in found
    assert len(found) == 200


@pytest.mark.parametrize("spelled", ["C:\\\\cats\\\\", "C:\\\\cats"])
def test_a_path_of_windows_that_a_script_puts_together(tmp_path: Path, spelled: str) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "cnn.py").write_text(f'base = "{spelled}"\n')
    (tmp_path / "data" / "pets" / "train" / "cats").mkdir(parents=True)
    made = workspace.make(
        tmp_path / "source",
        tmp_path / "work",
        "cnn.py",
        {"C:/cats/train": "pets/train"},
        tmp_path / "data",
    )
    base = spelled.replace("\\\\", "\\")
    put_together = [os.path.join(base, "train")]
    if base.endswith("\\"):
        put_together.append(base + "train")
    for path in put_together:
        assert os.listdir(os.path.join(made.root, path)) == ["cats"]


@pytest.mark.parametrize(
    ("text", "mapped", "put_together"),
    [
        # All of it is added to the only folder that is known.
        (r'base = "C:\\x\\pets\\"', "C:/x/pets", r"C:\x\pets\train\cats"),
        (r'base = "C:\\x\\pets\\"', "C:/x/pets", r"C:\x\pets\train\cats\1.jpg"),
        (r'base = "C:\\x\\pets"', "C:/x/pets", r"C:\x\pets\train\cats\1.jpg"),
        (r'base = "C:\\x\\pets\\"', "C:/x/pets/train", r"C:\x\pets\train\cats\1.jpg"),
        (r'base = "C:\\x\\pets"', "C:/x/pets/train", r"C:\x\pets\train\cats\1.jpg"),
        (r'base = "C:\\x\\"', "C:/x/pets/train", r"C:\x\pets\train\cats"),
        # The folder has slashes, and what is behind it has not.
        (r'cats = "pets" + "\\train\\cats\\"', "pets", r"pets\train\cats\1.jpg"),
        (r'cats = join("pets", "train\\cats")', "pets", r"pets/train\cats\1.jpg"),
        (r'cats = "C:/x/pets/" + "train\\cats"', "C:/x/pets", r"C:/x/pets/train\cats/1.jpg"),
        (r'train = "C:/x/pets" + "\\train"', "C:/x/pets/train", r"C:/x/pets\train\cats\1.jpg"),
        (r'cats = join("C:\\x\\pets", "train") + "\\cats"', "C:/x/pets/train",
         r"C:\x\pets/train\cats\1.jpg"),
    ],
)  # fmt: skip
def test_a_path_of_windows_below_a_folder(
    tmp_path: Path, text: str, mapped: str, put_together: str
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "cnn.py").write_text(f"{text}\n")
    cats = tmp_path / "data" / "pets" / "train" / "cats"
    cats.mkdir(parents=True)
    (cats / "1.jpg").write_bytes(b"x")
    place = "pets/train" if mapped.endswith("train") else "pets"
    made = workspace.make(
        tmp_path / "source", tmp_path / "work", "cnn.py", {mapped: place}, tmp_path / "data"
    )
    seen = made.root / put_together
    assert (os.listdir(seen) == ["1.jpg"]) if seen.is_dir() else (seen.read_bytes() == b"x")
    assert sorted(each.name for each in (tmp_path / "data").rglob("*")) == [
        *("1.jpg", "cats", "pets", "train")
    ]


def test_what_a_notebook_has_below_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = ["x = 1", "raise LookupError\ny = 2", "model.fit(x)"]
    made = [{"cell_type": "code", "source": cell} for cell in cells]
    (tmp_path / "cnn.ipynb").write_text(json.dumps({"cells": made}))
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    with pytest.raises(LookupError) as caught:
        script.run(tmp_path / "cnn.ipynb", [], lambda _: None)
    last = caught.traceback[-1]
    assert script.text_below(str(last.path), last.lineno + 1) == "y = 2\nmodel.fit(x)"


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("except ImportError:", True),
        ("except (ValueError, ModuleNotFoundError) as error:", True),
        ("except:", True),
        ("except OSError:", False),
        ("finally:", False),
    ],
)
def test_an_import_that_a_script_is_ready_to_see_fail(
    tmp_path: Path, handler: str, expected: bool
) -> None:
    path = tmp_path / "cnn.py"
    path.write_text(f"import first\ntry:\n    import second\n{handler}\n    import third\n")
    found = [script.expects_failing_import(str(path), line) for line in (1, 3, 5)]
    assert found == [False, expected, False]


@pytest.mark.parametrize("text", ["import shutil\nshutil.move('a', 'b')\n", "base = 'pets'\n"])
def test_a_script_that_moves_files_has_folders_of_its_own(tmp_path: Path, text: str) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "cnn.py").write_text(text)
    cats = tmp_path / "data" / "pets" / "train" / "cats"
    cats.mkdir(parents=True)
    (cats / "1.jpg").write_bytes(b"x")
    made = workspace.make(
        tmp_path / "source", tmp_path / "work", "cnn.py", {"pets": "pets"}, tmp_path / "data"
    )
    seen = made.root / "pets" / "train" / "cats" / "1.jpg"
    assert seen.read_bytes() == b"x"
    if "move" in text:
        seen.rename(seen.parent.parent / "2.jpg")
        assert (seen.parent.parent / "2.jpg").read_bytes() == b"x"
    else:
        assert seen.parent.resolve() == cats
    assert (cats / "1.jpg").exists()


@pytest.mark.parametrize("in_root", [True, False])
def test_folders_that_a_script_makes_and_fills_by_itself(
    in_root: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a chapter on cats and dogs has it, whose folders are the data set's here.

    The data set is mounted in the data root, as in a container, or linked to.
    """
    home, work = tmp_path / "Users", tmp_path / "work"
    base = home / "me" / "small"
    text = f"""
import os, shutil
base, original = {str(base)!r}, {str(home / "me" / "all")!r}
os.mkdir(base)
for split in ("train", "validation"):
    os.mkdir(os.path.join(base, split))
    os.mkdir(os.path.join(base, split, "cats"))
    for name in ("1.jpg", "2.jpg"):
        shutil.copyfile(os.path.join(original, name), os.path.join(base, split, "cats", name))
shutil.copy({str(tmp_path / "mine.jpg")!r}, os.path.join(base, "train", "cats", "1.jpg"))
shutil.move(os.path.join(base, "train", "cats", "1.jpg"), os.path.join(base, "3.jpg"))
os.makedirs("pets")
"""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "cnn.py").write_text(text)
    home.mkdir()
    (tmp_path / "mine.jpg").write_bytes(b"mine")
    data = tmp_path / "data"
    data.mkdir()
    pets = data / "pets" if in_root else tmp_path / "offered" / "pets"
    for split in ("train", "validation"):
        (pets / split / "cats").mkdir(parents=True)
        (pets / split / "cats" / "1.jpg").write_bytes(b"theirs")
    if not in_root:
        (data / "pets").symlink_to(pets)
    before = {each: each.is_file() and each.read_bytes() for each in pets.rglob("*")}
    monkeypatch.setattr(elsewhere, "_places", lambda: [home])
    for module, names in ((os, ["mkdir"]), (shutil, ["rmtree", *copies._NAMES])):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    mapped = {str(base / each): f"pets/{each}" for each in ("train", "validation")}
    notes: list[str] = []
    made = workspace.make(tmp_path / "source", work, "cnn.py", mapped | {"pets/a": "pets"}, data)
    assert (base / "train" / "cats" / "1.jpg").read_bytes() == b"theirs"
    elsewhere.install(work / "elsewhere", made.shown)
    copies.install(data, notes.append)
    monkeypatch.chdir(made.root)
    exec(compile(text, "cnn.py", "exec"), {})
    assert (base / "3.jpg").read_bytes() == b"mine"
    assert not (base / "train" / "cats" / "1.jpg").exists()
    assert (base / "validation" / "cats" / "1.jpg").read_bytes() == b"theirs"
    assert (base / "3.jpg").resolve().is_relative_to(work)
    assert [note.partition(" that are not here")[0] for note in notes] == [
        f"The script copies files to {base / split / 'cats'}" for split in ("train", "validation")
    ]
    assert before == {each: each.is_file() and each.read_bytes() for each in pets.rglob("*")}
    with pytest.raises(FileNotFoundError):
        shutil.copy(home / "absent.jpg", work)
