"""What scripts make of images with Pillow is made once, and is what it would be without."""

import pytest
from tiny import read_json, run_apart

from jobs.environment.spool import IMAGES
from tests.trainer.test_finished import write_pets

pytestmark = pytest.mark.tensorflow

SAME = """
import os, sys
from pathlib import Path
import numpy as np
from PIL import Image, ImageDraw, ImageFile, ImageOps
from trainer import pillow
from trainer.paths import data_folders

def closed(path):
    with Image.open(path) as image:
        return image.convert("RGB")

def drawn(path):
    image = Image.open(path).convert("RGB")
    ImageDraw.Draw(image).line((0, 0, 9, 9), fill="red", width=3)
    return image.resize((8, 8))

def drafted(path):
    image = Image.open(path)
    image.draft("L", (4, 4))
    return image.resize((8, 8))

def seen_before(path):
    image = Image.open(path).convert("RGB")
    assert np.asarray(image).shape[2] == 3
    return image.resize((8, 8))

def thumbnail(path):
    image = Image.open(path).convert("RGB")
    image.thumbnail((9, 9))
    return image

WAYS = {
    "resized": lambda path: Image.open(path).resize((8, 9)),
    "converted": lambda path: Image.open(path).convert("RGB").resize((8, 9)),
    "gray": lambda path: Image.open(path).convert("L").resize((8, 9), Image.LANCZOS),
    "twice": lambda path: Image.open(Path(path)).convert("RGB").convert("L").resize([7, 7]),
    "nearest": lambda path: Image.open(path).convert("RGB").resize((8, 9), Image.NEAREST),
    "closed": lambda path: closed(path).resize((8, 9)),
    "closed, not resized": closed,
    "flipped": lambda path: ImageOps.mirror(Image.open(path).convert("RGB")).resize((8, 8)),
    "cropped": lambda path: Image.open(path).convert("RGB").crop((3, 2, 20, 21)).resize((8, 8)),
    "box": lambda path: Image.open(path).convert("RGB").resize((8, 8), box=(1, 1, 9, 9)),
    "drawn": drawn,
    "drafted": drafted,
    "thumbnail": thumbnail,
    "seen before": seen_before,
    "itself": lambda path: Image.open(path).convert("RGB"),
}
paths = sorted(str(each) for each in Path("pets").rglob("*.*"))
before = {way: [WAYS[way](each) for each in paths] for way in WAYS}
pillow.install(Path(sys.argv[1]), data_folders(Path(".")))
for _ in range(2):
    for way, expected in before.items():
        for path, one in zip(paths, expected, strict=True):
            other = WAYS[way](path)
            assert (one.mode, one.size) == (other.mode, other.size), (way, path)
            assert np.array_equal(np.asarray(one), np.asarray(other)), (way, path)

def fail(*_):
    raise AssertionError("decoded")

ImageFile.ImageFile.load = fail
for way in ("converted", "gray", "twice", "nearest", "closed"):
    for path, one in zip(paths, before[way], strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(WAYS[way](path))), (way, path)
"""
OTHERS = """
import os, sys
from pathlib import Path
import numpy as np
from PIL import Image
from trainer import pillow
from trainer.paths import data_folders

kept = Path(sys.argv[1])
given = data_folders(Path("."))
pillow.install(kept, given)

def read(path):
    return np.asarray(Image.open(path).convert("RGB").resize((4, 4)))

path = sorted(Path("pets").rglob("*.png"))[0]
own = Path("own"); own.mkdir()
read(path)
assert len(list(kept.glob("*/*"))) == 1
Image.new("RGB", (9, 9), "red").save(own / "a.png")
assert read(own / "a.png").max() == 255
assert len(list(kept.glob("*/*"))) == 1, "not of a data set"
os.symlink(path.resolve(), own / "link.png")
assert np.array_equal(read(own / "link.png"), read(path))
assert len(list(kept.glob("*/*"))) == 1
Image.new("RGB", (9, 9), "blue").save(path)
assert read(path)[0, 0].tolist() == [0, 0, 255], "another image by now"
"""
FULL = """
import sys
from pathlib import Path
from PIL import Image
from trainer import pillow, shelf
from trainer.paths import data_folders

shelf.MOST_BYTES = 1
pillow.install(Path(sys.argv[1]), data_folders(Path(".")))
for path in Path("pets").rglob("*.*"):
    assert Image.open(path).convert("RGB").resize((4, 4)).getpixel((0, 0))
assert not list(Path(sys.argv[1]).glob("*/*"))
"""
HARD = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from PIL import Image
from trainer import pillow, shelf
from trainer.paths import data_folders

kept, many = Path(sys.argv[1]), Path("pets/many")
many.mkdir()
for number in range(400):
    Image.new("RGB", (9, 9), (number % 256, number // 256, 0)).save(many / f"{number}.png")
paths = [many / f"{number}.png" for number in range(400)]
before = [np.asarray(Image.open(each).convert("RGB").resize((4, 4))) for each in paths]

asked = []
has_room = shelf.Shelf.has_room
shelf.Shelf.has_room = lambda self, wanted: asked.append(wanted) or has_room(self, wanted)
pillow.install(kept, data_folders(Path(".")))

def read(path, size=(4, 4)):
    return np.asarray(Image.open(path).convert("RGB").resize(size))

with ThreadPoolExecutor(8) as pool:
    for one, other in zip(before, pool.map(read, paths), strict=True):
        assert np.array_equal(one, other)
assert len(list(kept.glob("*/*"))) == 400

# A script that keeps its originals.
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
originals = [Image.open(each) for each in paths[:1]]
for path, one in zip(paths, before, strict=True):
    originals.append(Image.open(path))
    assert np.array_equal(np.asarray(originals[-1].convert("RGB").resize((4, 4))), one)
del originals

# One that resizes by chance.
for size in range(5, 60):
    assert read(paths[0], (size, size)).shape[0] == size
assert len(list(kept.iterdir())) < 10

# A disk that is full, and a shelf.
write = Path.write_bytes
def fail(path, values):
    raise OSError(28, "No space left on device")
Path.write_bytes = fail
assert read(paths[1], (5, 5)).shape == (5, 5, 3)
Path.write_bytes = write
shelf.MOST_BYTES = 1
asked.clear()
for path in paths[2:50]:
    read(path, (5, 5))
assert len(asked) == 1, asked
"""
TRANSPARENT = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from trainer import pillow
from trainer.paths import data_folders

place = Path("pets/clear")
place.mkdir()
noise = Image.effect_noise((16, 16), 90)
noise.convert("P").save(place / "palette.png", transparency=3)
noise.save(place / "gray.png", transparency=3)
Image.merge("RGB", [noise] * 3).save(place / "colour.png", transparency=(3, 3, 3))
pillow.install(Path(sys.argv[1]), data_folders(Path(".")))
for _ in range(2):
    for path in place.iterdir():
        image = Image.open(path).convert("RGB").resize((8, 8))
        image.save(f"{path.stem}.png")
        image.convert("RGBA")
path = sorted(Path("pets").rglob("*.jpg"))[0]
assert Image.open(path).convert("L") == Image.open(path).convert("L")
assert Image.open(path).convert("L").im.size == Image.open(path).size
"""


@pytest.mark.parametrize(
    "program",
    [SAME, OTHERS, FULL, HARD, TRANSPARENT],
    ids=["same", "others", "full", "hard", "transparent"],
)
def test_images_are_finished_once(program, tmp_path):
    write_pets(tmp_path / "work" / "pets")
    run_apart(program, str(tmp_path / "kept"), folder=tmp_path / "work")


SCRIPT = """
import glob
import json
import numpy as np
import keras
from keras import layers
from PIL import Image

paths = sorted(glob.glob("pets/*/*"))
x = np.stack([np.asarray(Image.open(each).convert("RGB").resize((8, 8))) for each in paths])
y = np.arange(len(x)) % 2
json.dump(x.tolist(), open("seen.json", "w"))
model = keras.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(True), metrics=["accuracy"])
model.fit(x, y, validation_data=(x, y), epochs=1)
"""


def test_a_trial_begins_with_what_the_one_before_has_made(own_study):
    write_pets(own_study.folder / "data" / "pets")
    own_study.start()
    seen = []
    for _ in range(2):
        result, spool = own_study.run(SCRIPT, data={"pets": "pets"})
        assert result.outcome == "complete", result.reason
        seen.append(read_json(spool, "seen.json"))
        kept = list((own_study.folder / "trials" / IMAGES).glob("*/*"))
        assert len(kept) == len(seen[0])
    assert seen[0] == seen[1]
