"""Scripts as people write them, in the words of older Keras, run unmodified."""

from pathlib import Path

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
    import json

    cells = [
        {"cell_type": "markdown", "source": "# A network"},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip install keras\n", DATA]},
        {"cell_type": "code", "source": MODEL + "files = !ls\nmodel?\n" + FIT},
        {"cell_type": "code", "source": "%%bash\nrm -rf /\n"},
    ]
    notebook = json.dumps({"cells": cells, "nbformat": 4})
    result, spool = study.run(notebook, name="cnn.ipynb")
    assert result.outcome == "complete", spool.console.read_text()
    assert result.notes == [
        "Cell 1: left out %matplotlib inline",
        "Cell 1: left out !pip install keras",
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
    folder.mkdir()
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


def test_a_pipeline_without_validation_data_has_no_accuracy(study):
    script = "import tensorflow as tf\nd = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)\n"
    result, _ = study.run(DATA + MODEL + script + "model.fit(d, epochs=1)\n")
    assert result.failure == "no-accuracy"
    assert "give it `validation_data`" in result.reason
