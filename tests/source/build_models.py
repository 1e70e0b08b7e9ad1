"""Runs scripts up to their first ``fit`` and calls the model that they built on one image.

Reads one JSON line for each script (folder, script, input_shape), writes one with what happened.
Data is made of zeros; nothing is trained.
"""

import contextlib
import importlib
import json
import os
import shutil
import sys
import traceback
import types
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from jobs.source.files import Source

SHAPES = {"mnist": (28, 28), "fashion_mnist": (28, 28), "cifar10": (32, 32, 3)}
job = {}


class Built(BaseException):
    pass


def fit(self, *_, **__):
    result = self(np.zeros((2, *job["input_shape"]), "float32"))
    raise Built(tuple(result.shape))


def image_dataset_from_directory(directory=None, *_, image_size=(256, 256), color_mode="rgb", **__):
    channels = 1 if color_mode == "grayscale" else 3
    data = tf.data.Dataset.from_tensors((np.zeros((2, *image_size, channels)), np.zeros(2)))
    data.class_names = ["cat", "dog"]
    return data


class ImageDataGenerator:
    def __init__(self, **_):
        pass

    def fit(self, _):
        pass

    def flow_from_directory(self, *_, **__):
        return types.SimpleNamespace(samples=64, class_indices={"cat": 0, "dog": 1})

    flow = flow_from_dataframe = flow_from_directory


def where_there_is(original):
    def attempt(*arguments, **named):
        with contextlib.suppress(FileNotFoundError):
            return original(*arguments, **named)

    return attempt


def prepare():
    # What a script copies, and the folders it copies to, are on its author's machine.
    for module, name in ((os, "mkdir"), (shutil, "copyfile")):
        setattr(module, name, where_there_is(getattr(module, name)))
    for name in ("fit", "fit_generator", "train_on_batch"):
        setattr(keras.Model, name, fit)
    for name, shape in SHAPES.items():
        part = (np.zeros((40, *shape), "uint8"), np.zeros(40, "uint8"))
        for root in (keras, tf.keras):
            getattr(root.datasets, name).load_data = lambda part=part: (part, part)
    kaggle = types.ModuleType("kagglehub")
    kaggle.dataset_download = lambda _: "."
    sys.modules["kagglehub"] = kaggle
    images = types.ModuleType("image")
    images.ImageDataGenerator = ImageDataGenerator
    for name in ("keras", "tensorflow.keras"):
        sys.modules[f"{name}.preprocessing.image"] = images
    # TensorFlow keeps modules of its own with the same functions, under several names.
    for name in ("utils", "preprocessing"):
        importlib.import_module(f"keras._tf_keras.keras.{name}")
    for name, module in list(sys.modules.items()):
        if "keras" in name and "image_dataset_from_directory" in vars(module):
            module.image_dataset_from_directory = image_dataset_from_directory


def run(folder, script):
    path = Path(folder, script)
    source = Source(script, path.read_bytes())
    assert source.tree  # what is in Python 2 is read as Python 3
    code = source.code
    os.chdir(folder)
    sys.argv = [script]
    sys.path.insert(0, str(path.parent))
    before = set(sys.modules)
    try:
        exec(compile(code, script, "exec"), {"__name__": "__main__", "__file__": str(path)})
    except Built as built:
        return f"built {built}"
    finally:
        sys.path.pop(0)
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(str(folder)):
                del sys.modules[name]
        keras.backend.clear_session()
    return "ran"


prepare()
answers = sys.stdout
sys.stdout = sys.stderr
for line in sys.stdin:
    job = json.loads(line)
    try:
        answer = {"result": run(job["folder"], job["script"])}
    except BaseException:
        answer = {"error": traceback.format_exc(limit=-3)}
    print(json.dumps(answer), file=answers, flush=True)
