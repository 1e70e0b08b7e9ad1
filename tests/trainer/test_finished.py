"""Images of ``image_dataset_from_directory`` are decoded once for all trials, number for number."""

import os
from pathlib import Path

import pytest
from PIL import Image
from tiny import Study, read_json, run_apart

from jobs.environment.spool import IMAGES

pytestmark = pytest.mark.tensorflow


def write_pets(place: Path) -> None:
    """Six pictures of two kinds, of several sizes, formats and modes."""
    for number, (mode, suffix) in enumerate(
        [
            ("RGB", "jpg"),
            ("L", "jpg"),
            ("RGB", "png"),
            ("RGBA", "png"),
            ("P", "png"),
            ("RGB", "jpg"),
        ]
    ):
        folder = place / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        size = (30 + 7 * number, 41 - 3 * number)
        noise = Image.effect_noise((16, 16), 90).resize(size)
        picture = Image.merge("RGB", (noise, noise.rotate(90).resize(size), noise)).convert(mode)
        picture.save(folder / f"{number}.{suffix}")


SAME = """
import sys
from pathlib import Path
import keras
import numpy as np
from trainer import finished, shelf
from trainer.paths import data_folders

folder, pets = Path(sys.argv[1]), "pets"
WAYS = [
    dict(image_size=(8, 9)),
    dict(image_size=(8, 8), interpolation="nearest", color_mode="grayscale", label_mode="binary"),
    dict(image_size=(12, 8), crop_to_aspect_ratio=True, batch_size=None, label_mode=None),
    dict(image_size=(12, 8), pad_to_aspect_ratio=True, interpolation="bicubic"),
    dict(image_size=(8, 8), data_format="channels_first", label_mode="categorical"),
    dict(image_size=(8, 8), validation_split=0.5, subset="both", seed=3),
]


def read(how):
    made = keras.utils.image_dataset_from_directory(pets, **{"seed": 5, **how})
    sets = made if isinstance(made, (list, tuple)) else [made]
    for each in sets:
        assert all(path.startswith("pets/") for path in each.file_paths)
    return [
        np.asarray(part)
        for each in sets for batch in each
        for part in (batch if isinstance(batch, (list, tuple)) else [batch])
    ]


before = [read(how) for how in WAYS]
finished.install(folder, data_folders(Path(".")), 2)
kept = []
for _ in range(2):  # filled, and read
    after = [read(how) for how in WAYS]
    for a, b in zip(before, after, strict=True):
        assert all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    kept.append(sorted(folder.glob("*/*")))
assert kept[0] == kept[1]
kept[0][0].write_bytes(b"")  # as a crash of the machine may leave it
assert all(np.array_equal(x, y) for a, how in zip(before, WAYS) for x, y in zip(a, read(how)))
assert len(kept[0]) == 6 * len(WAYS)
"""


def test_images_are_the_same_number_for_number(tmp_path: Path) -> None:
    write_pets(tmp_path / "pets")
    run_apart(SAME, str(tmp_path / "kept"), folder=tmp_path)


NO_ROOM = """
import sys
from pathlib import Path
import keras
from trainer import finished, shelf
from trainer.paths import data_folders

shelf.MOST_BYTES = int(sys.argv[2])
finished.install(Path(sys.argv[1]), data_folders(Path(".")), 1)
data = keras.utils.image_dataset_from_directory("pets", image_size=(8, 8), verbose=False)
assert sum(len(labels) for _, labels in data) == 6
"""


@pytest.mark.parametrize(("room", "kept"), [(6 * 8 * 8 * 3 * 4, 6), (6 * 8 * 8 * 3 * 4 - 1, 0)])
def test_what_finds_no_room_is_read_as_it_is(tmp_path: Path, room: int, kept: int) -> None:
    write_pets(tmp_path / "pets")
    run_apart(NO_ROOM, str(tmp_path / "kept"), str(room), folder=tmp_path)
    assert len(list((tmp_path / "kept").glob("*/*"))) == kept


BROKEN = """
import sys
from pathlib import Path
import keras
import tensorflow as tf
from trainer import finished, shelf
from trainer.paths import data_folders

finished.install(Path(sys.argv[1]), data_folders(Path(".")), 1)
data = keras.utils.image_dataset_from_directory("pets", image_size=(8, 8), verbose=False)
try:
    list(data)
except tf.errors.InvalidArgumentError:
    pass
else:
    raise AssertionError("the script has not met its broken image")
"""


def test_the_script_meets_a_broken_image_itself(tmp_path: Path) -> None:
    write_pets(tmp_path / "pets")
    (tmp_path / "pets" / "dog" / "x.jpg").write_bytes(b"no picture")
    run_apart(BROKEN, str(tmp_path / "kept"), folder=tmp_path)


SCRIPT = """
import hashlib, json, os, shutil
import keras
from keras import layers

{make}
data = keras.utils.image_dataset_from_directory("{place}", image_size=(8, 8), shuffle=False)
seen = hashlib.sha256()
for images, labels in data:
    seen.update(images.numpy().tobytes() + labels.numpy().tobytes())
json.dump(seen.hexdigest(), open("seen.json", "w"))
model = keras.Sequential(
    [keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)]
)
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
model.fit(data, validation_data=data, epochs=1)
"""
LINKED = """
for name in ("cat", "dog"):
    os.makedirs(f"sorted/{name}")
    for each in os.listdir(f"pets/{name}"):
        os.symlink(os.path.abspath(f"pets/{name}/{each}"), f"sorted/{name}/{each}")
"""
COPIED = "shutil.copytree('pets', 'sorted')\n"
ELSEWHERE = (
    "import tempfile\nos.symlink(shutil.copytree('pets', tempfile.mkdtemp() + '/own'), 'sorted')\n"
)


def spoil(pets: Path) -> None:
    """Other content in the same files, as far as their state tells."""
    for path in pets.glob("*/*"):
        status = path.stat()
        path.write_bytes(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_another_trial_needs_the_originals_no_more(own_study: Study) -> None:
    pets = own_study.folder / "data" / "pets"
    write_pets(pets)
    own_study.start()
    runs = []
    for make, place in (("", "pets"), ("", "pets"), (LINKED, "sorted")):
        script = SCRIPT.format(make=make, place=place)
        result, spool = own_study.run(script, data={"pets": "pets"}, target=None)
        assert result.outcome == "complete", result.reason
        runs.append(read_json(spool, "seen.json"))
        spoil(pets)
    assert runs[0] == runs[1] == runs[2]
    assert len(list((own_study.folder / "trials" / IMAGES).glob("*/*"))) == 6


@pytest.mark.parametrize("make", [COPIED, ELSEWHERE])
def test_images_that_a_script_makes_are_not_kept(own_study: Study, make: str) -> None:
    write_pets(own_study.folder / "data" / "pets")
    own_study.start()
    script = SCRIPT.format(make=make, place="sorted")
    result, _ = own_study.run(script, data={"pets": "pets"}, target=None)
    assert result.outcome == "complete", result.reason
    assert not list((own_study.folder / "trials" / IMAGES).glob("*/*"))
