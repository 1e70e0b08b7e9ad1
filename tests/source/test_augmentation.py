"""Levels of augmentation, with mirrored images and without."""

import pytest

from jobs.source import knobs
from jobs.source.analysis import analyse
from jobs.source.augmentation import ARGUMENTS, LAYERS
from jobs.source.files import Checkout
from jobs.source.rewrite import rewrite

GENERATOR = """\
from keras import layers, models
from keras.preprocessing.image import ImageDataGenerator

train = ImageDataGenerator(rescale=1 / 255{0}).flow_from_directory("pets", target_size=(32, 32))
held = ImageDataGenerator(rescale=1 / 255).flow_from_directory("held", target_size=(32, 32))
model = models.Sequential()
model.add(layers.Conv2D(8, 3, activation="relu", input_shape=(32, 32, 3)))
model.add(layers.MaxPooling2D())
model.add(layers.Flatten())
model.add(layers.Dense(3, activation="softmax"))
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=2, validation_data=held)
"""
LAYERED = """\
from keras import layers, models

model = models.Sequential()
model.add(layers.Input((32, 32, 3)))
{0}model.add(layers.Conv2D(8, 3, activation="relu"))
model.add(layers.MaxPooling2D())
model.add(layers.Flatten())
model.add(layers.Dense(3, activation="softmax"))
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=2, validation_split=0.2)
"""


def level(folder):
    found = knobs.found(analyse(Checkout(folder), "cnn.py"))
    return next(each.value for each in found if each.name == "augmentation")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "none"),
        ("horizontal_flip=True", "light"),
        ("vertical_flip=True", "light"),
        ("rotation_range=10", "light-unmirrored"),
        ("rotation_range=10, horizontal_flip=False", "light-unmirrored"),
        ("rotation_range=10, zoom_range=0.1, width_shift_range=0.2", "medium-unmirrored"),
        ("rotation_range=10, zoom_range=0.1, width_shift_range=0.2, vertical_flip=1", "medium"),
        ("rotation_range=10, zoom_range=0.1, horizontal_flip=flips()", "medium"),
        ("brightness_range=(0.5, 1)", "light-unmirrored"),
    ],
)
def test_a_generator_mirrors_or_it_does_not(tmp_path, arguments, expected):
    (tmp_path / "cnn.py").write_text(GENERATOR.format(arguments and f", {arguments}"))
    assert level(tmp_path) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), "none"),
        (('RandomFlip("horizontal")',), "light"),
        (("RandomRotation(0.02)",), "light-unmirrored"),
        (("RandomRotation(0.04)", "RandomZoom(0.1)", "RandomContrast(0.2)"), "medium-unmirrored"),
        (("RandomFlip()", "RandomRotation(0.04)", "RandomZoom(0.1)"), "medium"),
    ],
)
def test_layers_mirror_or_they_do_not(tmp_path, names, expected):
    text = "".join(f"model.add(layers.{each})\n" for each in names)
    (tmp_path / "cnn.py").write_text(LAYERED.format(text))
    assert level(tmp_path) == expected


@pytest.mark.parametrize("script", [GENERATOR, LAYERED])
@pytest.mark.parametrize("wanted", ARGUMENTS)
def test_each_level_is_read_as_it_was_written(tmp_path, script, wanted):
    (tmp_path / "cnn.py").write_text(script.format(""))
    for path, content in rewrite(tmp_path, "cnn.py", {"augmentation": wanted}).items():
        (tmp_path / path).write_bytes(content)
    assert level(tmp_path) == wanted
    text = (tmp_path / "cnn.py").read_text()
    assert ("flip" in text.lower()) is (wanted in ("light", "medium", "strong"))


def test_a_generator_that_does_not_mirror_is_strengthened_without(tmp_path):
    own = ", rotation_range=10, zoom_range=0.1, width_shift_range=0.2"
    (tmp_path / "cnn.py").write_text(GENERATOR.format(own))
    changed = rewrite(tmp_path, "cnn.py", {"augmentation": "strong-unmirrored"})["cnn.py"].decode()
    assert "rotation_range=30" in changed
    assert "flip" not in changed


def test_both_ways_of_augmenting_have_the_same_levels():
    assert ARGUMENTS.keys() == LAYERS.keys()


@pytest.mark.parametrize("rescale", ["rescale=(1 / 255)", "rescale=(1 / 255) ", "(1), rescale=1"])
def test_brackets_that_an_argument_does_not_need_stay_around_it(tmp_path, rescale):
    text = GENERATOR.format("").replace("rescale=1 / 255)", f"{rescale})", 1)
    (tmp_path / "cnn.py").write_text(text)
    changed = rewrite(tmp_path, "cnn.py", {"augmentation": "medium"})
    assert b", horizontal_flip=True" in changed["cnn.py"]
    (tmp_path / "cnn.py").write_bytes(changed["cnn.py"])
    assert level(tmp_path) == "medium"
    assert rewrite(tmp_path, "cnn.py", {"augmentation": "none"})["cnn.py"] == text.encode()
