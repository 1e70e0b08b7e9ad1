"""Which file is the model script, and what is said where none can be read."""

import json
import os
import shutil

import pytest

from jobs.errors import RetuneError
from jobs.source import detect
from jobs.source.explain import explain
from jobs.source.rewrite import rewrite

CNN = """\
import keras
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D
model = keras.Sequential()
model.add(Conv2D(8, 3, activation="relu", input_shape=(32, 32, 3)))
model.add(MaxPooling2D())
model.add(Flatten())
model.add(Dense(2, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(keras.utils.image_dataset_from_directory("data"), epochs=3)
"""


def test_no_python_at_all(tmp_path):
    (tmp_path / "README.md").write_text("nothing here")
    with pytest.raises(RetuneError, match=r"no Python file and no notebook"):
        detect.find(tmp_path)


@pytest.mark.parametrize("name", ["missing.py", "../outside.py", "/etc/passwd"])
def test_named_script_that_is_not_there(tmp_path, name):
    with pytest.raises(RetuneError, match=r"repository"):
        detect.find(tmp_path, name)


def test_syntax_error_names_file_and_line(tmp_path):
    (tmp_path / "train.py").write_text("import keras\nmodel = keras.Sequential(\n")
    with pytest.raises(RetuneError, match=r"^train\.py, line 2, has a syntax error"):
        detect.find(tmp_path, "train.py")


def test_python_2_is_named_as_such(tmp_path):
    (tmp_path / "train.py").write_text("import keras\nprint 'training', `1`\n")
    with pytest.raises(RetuneError, match=r"line 2, is written for Python 2"):
        detect.find(tmp_path, "train.py")


def test_unreadable_candidates_are_named(tmp_path):
    (tmp_path / "train.py").write_text("import keras\nprint 'training', `1`\n")
    reading = detect.find(tmp_path)
    assert not reading.is_cnn
    assert "Python 2" in reading.reasons[0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"cells": 3}',
        b'{"cells": [{"cell_type": "code"}]}',
        b"\xff\xfe",
        b"null",
    ],
)
def test_broken_notebooks(tmp_path, content):
    (tmp_path / "broken.ipynb").write_bytes(content)
    (tmp_path / "train.py").write_text(CNN)
    assert detect.find(tmp_path).script == "train.py"
    (tmp_path / "train.py").unlink()
    assert not detect.find(tmp_path).is_cnn


@pytest.mark.parametrize(
    "content",
    [b"# coding: latin-1\nname = '\xe9'\n", b"# coding: nonsense\n", b"\xff\xfe\x00", b"x = '\xe9'",
     b"\xef\xbb\xbfx = 1\n", b"a\x00b", b"(" * 5000, b"x = " + b"-" * 20_000 + b"1"],
)  # fmt: skip
def test_strange_files_are_passed_over(tmp_path, content):
    (tmp_path / "strange.py").write_bytes(b"#keras\n"[:0] + content)
    (tmp_path / "train.py").write_text(CNN)
    assert detect.find(tmp_path).script == "train.py"


def test_links_out_of_the_checkout_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "train.py").write_text(CNN)
    root = tmp_path / "root"
    root.mkdir()
    (root / "linked.py").symlink_to(outside / "train.py")
    (root / "folder").symlink_to(outside)
    (root / "main.py").write_text("from folder import train\nimport linked\n")
    assert not detect.find(root).is_cnn
    with pytest.raises(RetuneError, match=r"link out of the repository"):
        detect.find(root, "linked.py")
    with pytest.raises(RetuneError, match=r"not in the repository"):
        detect.find(root, "folder/train.py")


def test_loop_of_links(tmp_path):
    (tmp_path / "a.py").symlink_to(tmp_path / "a.py")
    (tmp_path / "train.py").write_text(CNN)
    assert detect.find(tmp_path).script == "train.py"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_without_permission(tmp_path):
    (tmp_path / "secret.py").write_text(CNN)
    (tmp_path / "secret.py").chmod(0)
    (tmp_path / "train.py").write_text(CNN)
    assert detect.find(tmp_path).script == "train.py"


def test_the_script_that_trains_is_chosen(tmp_path, cnns):
    package = next(each for each in cnns if each.name == "repo_modules")
    shutil.copytree(package.root, tmp_path / "repo")
    reading = detect.find(tmp_path / "repo")
    assert reading.script == "train.py"
    assert set(reading.modules) == {"config.py", "data.py", "network.py"}


def test_endless_and_tangled_scripts_come_to_an_end(tmp_path):
    text = "def f(n):\n    return f(n) + f(n)\nwhile True:\n    f(1)\n" + CNN
    (tmp_path / "train.py").write_text(text)
    assert detect.read(tmp_path, "train.py").kind == "cnn"
    nested = "".join(f"{'    ' * i}for a{i} in range(40):\n" for i in range(12))
    (tmp_path / "deep.py").write_text("import keras\n" + nested + "    " * 12 + "pass\n")
    assert not detect.read(tmp_path, "deep.py").is_cnn


def test_held_by_the_pusher(tmp_path):
    (tmp_path / "train.py").write_text(CNN)
    reading = detect.find(tmp_path, hold=["conv1", "optimizer.*", "fit.epochs"])
    held = {
        each.name for each in reading.hyperparameters if each.held == "it is held in retune.toml"
    }
    assert held == {"conv1.filters", "conv1.kernel_size", "optimizer.name",
                    "optimizer.learning_rate", "optimizer.use_ema", "optimizer.weight_decay",
                    "fit.epochs"}  # fmt: skip


def test_an_allowed_input_shape_is_said_to_be_held(tmp_path):
    (tmp_path / "train.py").write_text(CNN)
    for reading in (
        detect.find(tmp_path, allow=["input_shape"]),
        detect.read(tmp_path, "train.py", allow=["input_shape"]),
    ):
        assert "input_shape" not in reading.values()
        assert any("allows input_shape" in reason for reason in reading.reasons)
        assert "a size that no tweak changes" in explain(reading)
    assert not any("input_shape" in reason for reason in detect.find(tmp_path).reasons)


def test_notebook_places_name_cell_and_line(cnns):
    example = next(each for each in cnns if each.name == "notebook_plain.ipynb")
    places = {each.name: each.place for each in example.read().hyperparameters}
    assert (places["conv2.filters"].cell, places["conv2.filters"].line) == (3, 4)
    assert json.loads((example.root / example.script).read_bytes())["cells"][3]["source"][
        3
    ].startswith("model.add(layers.Conv2D(64")


def test_the_folder_of_the_script_is_no_data_set(tmp_path):
    (tmp_path / "train.py").write_text(
        CNN + "import os\nprint(os.listdir('.'), os.listdir('./'))\n"
    )
    assert [each.path for each in detect.find(tmp_path).data] == ["data"]


def test_commands_without_a_sign_are_no_python(tmp_path):
    cell = {"cell_type": "code", "source": "pip install keras\ncd /content/data\n" + CNN}
    (tmp_path / "train.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    assert detect.find(tmp_path).values()["conv1.filters"] == 8


def test_data_in_a_folder_above_the_script(tmp_path):
    (tmp_path / "train.py").write_text("""
import os
from keras import Sequential
from keras.layers import Conv2D, Dense, Flatten
from keras.preprocessing.image import ImageDataGenerator

root = os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir))
train = os.path.join(root, "pets", "train")
flow = ImageDataGenerator().flow_from_directory(train, target_size=(32, 32))
model = Sequential([Conv2D(8, 3, input_shape=(32, 32, 3)), Flatten(), Dense(2)])
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
model.fit(flow, epochs=3)
""")
    reading = detect.read(tmp_path, "train.py")
    assert [(each.path, each.use) for each in reading.data] == [("../pets/train", "train")]


def test_folders_of_which_a_part_is_taken_are_no_class_folders(tmp_path):
    (tmp_path / "train.py").write_text("""
from keras import Sequential
from keras.layers import Conv2D, Dense, Flatten
from keras.utils import image_dataset_from_directory as read

common = {"validation_split": 0.2, "seed": 1, "image_size": (32, 32)}
train = read("/pets/train", subset="training", **common)
later = read("/pets/test", subset="validation", **common)
model = Sequential([Conv2D(8, 3, input_shape=(32, 32, 3)), Flatten(), Dense(2)])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=later, epochs=3)
""")
    reading = detect.read(tmp_path, "train.py")
    assert [(each.path, each.use) for each in reading.data] == [
        ("/pets/train", "all"),
        ("/pets/test", "all"),
    ]


_HEAD = """
from keras import Model
from keras.layers import Dense, Flatten
x = Flatten()(base.get_layer({which}).output)
x = Dense(16, activation="relu")(x)
model = Model(base.input, Dense(2, activation="softmax")(x))
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=3)
"""


def test_a_head_on_a_layer_within_a_network(tmp_path):
    made = """
from keras.applications import InceptionV3
from keras.layers import Input
base = InceptionV3(include_top=False, input_tensor=Input((150, 150, 3)))
"""
    (tmp_path / "train.py").write_text(made + _HEAD.format(which="'mixed7'"))
    reading = detect.read(tmp_path, "train.py")
    assert reading.is_cnn
    assert reading.reasons[0].startswith("It trains a new head on InceptionV3")
    assert (reading.values()["dense1.units"], reading.values()["fit.epochs"]) == (16, 3)


@pytest.mark.parametrize("which", ["'inner'", "name='inner'", "index=0"])
def test_a_head_on_a_layer_within_a_network_of_the_script(tmp_path, which):
    made = """
from keras import Sequential
from keras.layers import Conv2D, Input, MaxPooling2D
base = Sequential([Input((32, 32, 3)), Conv2D(8, 3, name="inner"), MaxPooling2D()])
"""
    (tmp_path / "train.py").write_text(made + _HEAD.format(which=which))
    reading = detect.read(tmp_path, "train.py")
    assert reading.is_cnn
    kinds = [each.kind for each in reading.layers]
    assert kinds == ["Input", "Conv2D", "Flatten", "Dense", "Dense"]
    assert reading.layers[2].output_shape == (30 * 30 * 8,)


def test_a_head_on_a_layer_within_a_loaded_network(tmp_path):
    made = "from keras.models import load_model\nbase = load_model('base.h5')\n"
    (tmp_path / "train.py").write_text(made + _HEAD.format(which="'inner'"))
    reading = detect.read(tmp_path, "train.py")
    assert not reading.is_cnn
    assert "model that it loads from a file" in reading.reasons[0]


@pytest.mark.parametrize(
    ("arguments", "fit", "size", "line"),
    [
        ("batch_size=24, ", "train, batch_size=16", 24, 6),
        ("", "train, batch_size=16", 32, 6),
        ("batch_size=24, ", "x=train, y=None, batch_size=16", 24, 6),
        ("batch_size=24, ", "train, labels, batch_size=16", 16, 9),
    ],
)
def test_the_batch_size_that_counts(tmp_path, arguments, fit, size, line):
    (tmp_path / "train.py").write_text(f"""
from keras import Sequential
from keras.layers import Conv2D, Dense, Flatten
from keras.preprocessing.image import ImageDataGenerator

train = ImageDataGenerator().flow_from_directory("pets", {arguments}target_size=(32, 32))
model = Sequential([Conv2D(8, 3, input_shape=(32, 32, 3)), Flatten(), Dense(2)])
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
model.fit({fit}, epochs=3)
""")
    reading = detect.read(tmp_path, "train.py")
    found = next(each for each in reading.hyperparameters if each.name == "fit.batch_size")
    assert found.place is not None
    assert (found.value, found.place.line) == (size, line)
    changed = rewrite(tmp_path, "train.py", {"fit.batch_size": 64})
    (tmp_path / "train.py").write_bytes(changed["train.py"])
    assert detect.read(tmp_path, "train.py").values()["fit.batch_size"] == 64


def test_pictures_that_are_classified_at_the_end_are_no_training_data(tmp_path):
    (tmp_path / "train.py").write_text("""
import os
import tensorflow as tf
from keras import Sequential
from keras.datasets import cifar10
from keras.layers import Conv2D, Dense, Flatten
from keras.preprocessing import image

(x, y), _ = cifar10.load_data()
train = tf.data.Dataset.from_tensor_slices((x / 255.0, y)).batch(64).map(lambda x, y: (x, y))
model = Sequential([Conv2D(8, 3, input_shape=(32, 32, 3)), Flatten(), Dense(10)])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=3)
for name in os.listdir("E:/pictures"):
    print(model.predict(image.load_img(os.path.join("E:/pictures", name), target_size=(48, 48))))
""")
    images = detect.read(tmp_path, "train.py").images
    assert (images.loader, images.size) == ("keras.datasets.cifar10", (32, 32))
