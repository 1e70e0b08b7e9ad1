"""What Keras would download comes from the operator's folder."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import DATA, FIT, MODEL

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def offered(study) -> Path:
    """The folder that RETUNE_KERAS_DATA names, as an environment shows it."""
    folder = study.folder / "data" / ".keras"
    folder.mkdir(exist_ok=True)
    return folder


def test_an_archive_is_found_where_old_and_new_scripts_look(study, offered):
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), (90, 20, 20)).save(picture, "JPEG")
    with zipfile.ZipFile(offered / "cats_and_dogs.zip", "w") as archive:
        archive.writestr("cats_and_dogs/train/cats/0.jpg", picture.getvalue())
    script = f"""
import os
import tensorflow as tf
{DATA}
address = "https://example.com/data/cats_and_dogs.zip"
place = tf.keras.utils.get_file("cats_and_dogs.zip", origin=address, extract=True, file_hash="0a")
print("at", place)
print("new", os.listdir(os.path.join(place, "cats_and_dogs")))
print("old", os.listdir(os.path.join(os.path.dirname(place), "cats_and_dogs", "train")))
{MODEL}{FIT}"""
    result, spool = study.run(script)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert str(Path.home() / ".keras") not in console
    assert "new ['train']" in console
    assert "old ['cats']" in console


def test_an_excerpt_of_cifar_is_as_good_as_all_of_it(study, offered):
    chance = np.random.default_rng(1)
    with tarfile.open(offered / "cifar-10-python.tar.gz", "w:gz") as archive:
        for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
            images = chance.integers(0, 255, (12, 3072), np.uint8)
            content = pickle.dumps({b"data": images, b"labels": [each % 10 for each in range(12)]})
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    script = f"""
from keras.datasets import cifar10
(train, labels), (test, test_labels) = cifar10.load_data()
print("cifar", train.shape, train.dtype, labels.shape, test.shape, int(test_labels[3, 0]))
{DATA}{MODEL}{FIT}"""
    result, spool = study.run(script)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "cifar (60, 32, 32, 3) uint8 (60, 1) (12, 32, 32, 3) 3" in console


def test_weights_at_a_path_of_the_scripts_own(study, offered):
    keras = pytest.importorskip("keras")
    h5py = pytest.importorskip("h5py")
    from keras.src.legacy.saving import legacy_h5_format

    name = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    base.layers[-2].set_weights([np.full(w.shape, 0.5) for w in base.layers[-2].get_weights()])
    with h5py.File(offered / name, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, base)
    script = f"""
from keras.applications import VGG16
for given in ("weights/{name}", None):
    base = VGG16(weights=given, include_top=False, input_shape=(32, 32, 3))
    if given is None:
        base.load_weights("../input/vgg/{name}")
    print("half", float(base.layers[-2].get_weights()[0].mean()))
try:
    base.load_weights("weights/none.weights.h5")
except Exception as error:
    print("none", type(error).__name__)
{DATA}{MODEL}{FIT}"""
    result, spool = study.run(script)
    (offered / name).unlink()
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert console.count("half 0.5") == 2
    assert "none FileNotFoundError" in console


def test_a_file_at_the_path_that_a_script_names(study, tmp_path):
    place = tmp_path / "mnist.npz"
    part = {"x_train": np.zeros((9, 28, 28)), "y_train": np.zeros(9)}
    np.savez(place, **part, x_test=np.zeros((2, 28, 28)), y_test=np.zeros(2))
    script = f"""
from keras.datasets import mnist
print("digits", mnist.load_data({str(place)!r})[0][0].shape)
{DATA}{MODEL}{FIT}"""
    result, spool = study.run(script)
    assert result.outcome == "complete", spool.console.read_text()
    assert "digits (9, 28, 28)" in spool.console.read_text()


def test_weights_that_nobody_offers_are_named(study):
    result, _ = study.run(
        "from keras.applications import VGG16\n"
        "VGG16(weights='imagenet', include_top=False, input_shape=(32, 32, 3))\n"
    )
    assert result.failure == "script-error"
    assert "downloads vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5" in result.reason
    assert "RETUNE_KERAS_DATA" in result.reason


def test_a_cache_is_where_keras_would_have_it(study, offered):
    np.savez(offered / "digits.npz", x=np.zeros(4))
    script = """
import os
import keras
os.makedirs(os.path.expanduser("~/mine"))
place = keras.utils.get_file("digits.npz", "https://example.com/digits.npz", cache_dir="~/mine")
print("at", place.replace(os.path.expanduser("~"), "~"), os.path.exists(place))
"""
    _, spool = study.run(script)
    console = spool.console.read_text()
    assert "at ~/mine/datasets/digits.npz True" in console


def test_files_that_a_script_downloads_by_urllib(study, offered):
    (offered / "labels.txt").write_text("cat dog")
    with zipfile.ZipFile(offered / "horses.zip", "w") as archive:
        archive.writestr("horses/0.txt", "a horse")
    script = f"""
import urllib.request
import zipfile
from urllib.request import urlretrieve
place, _ = urlretrieve("https://example.com/of/labels.txt?raw=true", "files/words.txt")
print("labels", open(place).read())
urllib.request.urlretrieve("https://example.com/horses.zip", "horses.zip")
print("horses", zipfile.ZipFile("horses.zip").namelist())
urlretrieve(url="https://example.com/humans.zip", filename="humans.zip")
try:
    urlretrieve("https://example.com/weights.bin", "weights.bin")
except FileNotFoundError as error:
    print("lacks", error)
{DATA}{MODEL}{FIT}"""
    result, spool = study.run(script)
    console = spool.console.read_text()
    assert result.outcome == "complete", console
    assert "labels cat dog" in console
    assert "horses ['horses/0.txt']" in console
    assert "lacks The script downloads weights.bin, and there is no network here" in console
    assert result.notes == [
        "The download of humans.zip was left out: there is no network here.",
    ]
