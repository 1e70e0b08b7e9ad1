"""What makes a training quick is in place, and changes nothing of what is computed."""

import os
import subprocess
import sys
import textwrap

import pytest
from tiny import DATA, DOCKER, MODEL, read_json, run_apart

FAULTS = """
import resource, sys
{before}
def work():
    blocks = [bytearray(3_000_000) for _ in range(8)]
    return sum(len(each) for each in blocks)

work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(before: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(before=before)],
        env=os.environ | {"PYTHONPATH": str(DOCKER)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is Linux' own")
def test_large_blocks_are_used_again_without_page_faults():
    # Without it each round maps its eight blocks anew: some 730 pages each.
    assert page_faults("from trainer.allocator import keep_memory; keep_memory()") < 5_000


TURNED = """
import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from trainer import affine

rng = np.random.default_rng(3)
images = [
    (255 * rng.random((*rng.integers(1, high, 2), channels))).astype("float32")
    for high in (4, 40, 80, 300) for channels in (1, 3) for _ in range(25)
]
generators = [
    ImageDataGenerator(rotation_range=40, width_shift_range=0.3, height_shift_range=0.3,
                       shear_range=20, zoom_range=0.4, horizontal_flip=True),
    ImageDataGenerator(rotation_range=15, zoom_range=0.1),
    ImageDataGenerator(width_shift_range=0.2, fill_mode="reflect"),
    ImageDataGenerator(rotation_range=15, channel_shift_range=20, fill_mode="constant", cval=7),
    ImageDataGenerator(horizontal_flip=True),
]

def turned():
    return [
        each.random_transform(image.copy(), seed=seed)
        for each in generators for seed, image in enumerate(images)
    ]

before = turned()
assert affine.share_coordinates()
after = turned()
assert all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(before, after, strict=True))

import scipy.ndimage
scipy.ndimage.interpolation = None  # Small images do without it.
small = rng.random((64, 64, 3)).astype("float32")
assert not np.array_equal(generators[0].random_transform(small.copy(), seed=1), small)
"""


@pytest.mark.tensorflow
def test_turned_images_are_the_same_to_the_bit():
    run_apart(TURNED)


KEPT = """
import os, sys
import numpy as np
from PIL import Image
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from keras.src.utils import image_utils
from trainer import decoded

rng = np.random.default_rng(5)
os.makedirs("images/one")
for number in range(6):
    pixels = rng.integers(0, 256, (20, 24, 3), np.uint8)
    Image.fromarray(pixels).save(f"images/one/{number}.png")

def epochs(count, **how):
    given = {"target_size": (16, 16), "batch_size": 4, "class_mode": None, "shuffle": False}
    flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory("images", **given | how)
    return [np.concatenate([flow[i].copy() for i in range(len(flow))]) for _ in range(count)]

opened = []
original = image_utils.pil_image.open
image_utils.pil_image.open = lambda *given: opened.append(1) or original(*given)
ways = ({}, {"color_mode": "grayscale"}, {"color_mode": "rgba"}, {"target_size": [9, 7]},
        {"interpolation": "bilinear"})
before = [epochs(1, **how)[0] for how in ways]
decoded.keep(6 * 16 * 16 * 20)
opened.clear()
for how, wanted in zip(ways, before):
    for found in epochs(3, **how):
        assert found.dtype == wanted.dtype and np.array_equal(found, wanted)
assert len(opened) == 6 * len(ways), len(opened)

Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save("images/one/0.png")
[changed] = epochs(1)
assert not changed[0].any() and np.array_equal(changed[1:], before[0][1:])

opened.clear()
epochs(3, target_size=(64, 64))
assert len(opened) > 6, "there is no room for these"
"""


@pytest.mark.tensorflow
def test_images_are_decoded_once_and_are_the_same_to_the_bit(tmp_path):
    run_apart(KEPT, folder=tmp_path)


@pytest.mark.tensorflow
def test_pipelines_are_not_tuned_while_they_run_unless_the_script_says_so(study):
    script = """
    import json
    import tensorflow as tf
    from tensorflow.python.data.ops import iterator_ops

    seen = []
    original = iterator_ops.OwnedIterator.__init__

    def note(self, dataset=None, **named):
        if dataset is not None:
            seen.append(dataset.options().autotune.enabled)
        original(self, dataset, **named)

    iterator_ops.OwnedIterator.__init__ = note
    numbers = [int(each) for each in tf.data.Dataset.range(4).map(lambda x: 2 * x)]
    options = tf.data.Options()
    options.autotune.enabled = True
    list(tf.data.Dataset.range(2).with_options(options))
    own = list(seen)
    """
    fit = """
    model.fit(x[:64], y[:64], epochs=2, validation_data=(x[64:80], y[64:80]))
    json.dump([numbers, own, seen[len(own):]], open("seen.json", "w"))
    """
    result, spool = study.run(
        textwrap.dedent(script) + DATA + MODEL + textwrap.dedent(fit), target=None
    )
    assert result.outcome == "complete", result.reason
    numbers, own, by_keras = read_json(spool, "seen.json")
    assert numbers == [0, 2, 4, 6]
    assert own == [False, True]
    assert by_keras
    assert set(by_keras) == {False}


ONEDNN = """
from trainer.onednn import ask_for_onednn

ask_for_onednn()
import tensorflow as tf

tf.constant(1.0) + 1.0
"""


@pytest.mark.tensorflow
@pytest.mark.parametrize(("wish", "is_on"), [(None, True), ("0", False)])
def test_tensorflow_computes_with_onednn_unless_the_operator_says_no(wish, is_on):
    env = {key: each for key, each in os.environ.items() if not key.startswith("TF_")}
    env |= {} if wish is None else {"TF_ENABLE_ONEDNN_OPTS": wish}
    done = subprocess.run(
        [sys.executable, "-c", ONEDNN],
        env=env | {"PYTHONPATH": str(DOCKER)},
        capture_output=True,
        text=True,
        check=True,
    )
    # TensorFlow's own remark, on import.
    assert ("oneDNN custom operations are on" in done.stderr) is is_on


@pytest.mark.tensorflow
def test_a_trial_computes_with_onednn(study):
    script = """
    import json, os
    json.dump(os.environ.get("TF_ENABLE_ONEDNN_OPTS"), open("seen.json", "w"))
    model.fit(x[:64], y[:64], epochs=1, validation_data=(x[64:80], y[64:80]))
    """
    result, spool = study.run(DATA + MODEL + textwrap.dedent(script), target=None)
    assert result.outcome == "complete", result.reason
    assert read_json(spool, "seen.json") == "1"


@pytest.mark.tensorflow
def test_each_step_is_traced_once(study):
    script = """
    import json

    traced = []

    class Counted(layers.Layer):
        def call(self, inputs, training=False):
            traced.append(training)
            return inputs

    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), Counted(),
                              layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    traced.clear()
    model.fit(x[:64], y[:64], epochs=1, validation_data=(x[64:80], y[64:80]))
    model.evaluate(x[:16], y[:16])
    seen = [list(traced)]

    # Without its channels, and by the names of its inputs, in another order: Keras adapts them.
    inputs = {name: keras.Input((8, 8, 3), name=name) for name in ("second", "first")}
    flat = [layers.Flatten()(Counted()(each)) for each in inputs.values()]
    named = keras.Model(list(inputs.values()), layers.Dense(2)(layers.Concatenate()(flat)))
    grey = keras.Sequential([keras.Input((8, 8, 1)), Counted(), layers.Flatten(), layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for model, data in ((named, {"second": x[:64], "first": x[:64]}), (grey, x[:64, ..., 0])):
        model.compile("adam", loss, metrics=["accuracy"])
        traced.clear()
        model.fit(data, y[:64], epochs=1)
        seen.append(traced.count(True))
    json.dump(seen, open("seen.json", "w"))
    """
    result, spool = study.run(DATA + textwrap.dedent(script), target=None)
    assert result.outcome == "complete", result.reason
    once, by_name, grey = read_json(spool, "seen.json")
    assert once == [True, False]  # a training step, a validation step
    assert (by_name, grey) == (2, 1)  # an input each


SAME = """
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from trainer import tracing

rng = np.random.default_rng(0)
x = rng.random((48, 8, 8, 3)).astype("float32")
y = rng.integers(0, 2, 48)
turning = ImageDataGenerator(rotation_range=30, horizontal_flip=True)


def once():
    for index in range(3):
        yield x[16 * index : 16 * index + 16], y[16 * index : 16 * index + 16]


def network():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(),
            layers.Dropout(0.3), layers.Flatten(), layers.Dense(2, activation="softmax"),
        ]
    )


def partly():
    # Its first layer says no shape, so that its last one is built in the first step.
    inside = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)])
    inside.trainable = False
    return keras.Sequential(
        [layers.Rescaling(0.5), inside, layers.Flatten(), layers.Dense(2, activation="softmax")]
    )


class OneHot(keras.Model):
    # Its steps make vectors of the labels, which other metrics are for.

    def train_step(self, data):
        return super().train_step((data[0], tf.one_hot(tf.cast(data[1], "int32"), 2)))

    def test_step(self, data):
        return super().test_step((data[0], tf.one_hot(tf.cast(data[1], "int32"), 2)))


def one_hot():
    inside = network()
    return OneHot(inside.inputs, inside.outputs)


class Grown(keras.Model):
    # Makes a layer when it is called.

    def __init__(self):
        super().__init__()
        self.first, self.last = layers.Conv2D(2, 3), None

    def call(self, inputs):
        if self.last is None:
            self.last = layers.Dense(2, activation="softmax")
        return self.last(layers.Flatten()(self.first(inputs)))


def losses(data, make=network, loss="sparse_categorical_crossentropy", **named):
    keras.utils.set_random_seed(3)
    model = make()
    model.compile(keras.optimizers.Adam(use_ema=True), loss, metrics=["accuracy"])
    if make is partly:
        model.evaluate(x[:16], y[:16], verbose=0)
        model.layers[1].trainable = True
    named = {"epochs": 2, "validation_data": (x[:16], y[:16]), **named}
    return model.fit(**data, verbose=0, **named).history


def all_losses():
    keras.utils.set_random_seed(3)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(48, seed=1).batch(16)
    weighed = {"validation_data": None, "validation_split": 0.25, "class_weight": {0: 1.0, 1: 2.0}}
    arrays = {"x": x, "y": y}
    return [
        losses(arrays, **weighed),
        losses({"x": dataset}),
        losses({"x": turning.flow(x, y, batch_size=16, seed=5)}),
        losses({"x": once()}, epochs=1),
        losses(arrays, partly),
        losses(arrays, one_hot, "categorical_crossentropy"),
        losses(arrays, Grown),
    ]


class Last(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        tracing.build_optimizer(self.model)


before = all_losses()
tracing.trace_once()
fit = keras.Model.fit
keras.Model.fit = lambda model, **named: fit(model, **named, callbacks=[Last()])
after = all_losses()
assert after == before, (before, after)
"""


@pytest.mark.tensorflow
def test_training_is_the_same_where_steps_are_traced_once():
    run_apart(SAME)


STACKED = """
import os
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
from keras import layers
from trainer import stacking

class Counted(layers.Dense):
    calls = 0
    def call(self, inputs):
        Counted.calls += 1
        return super().call(inputs)
    def compute_output_spec(self, inputs):
        Counted.calls += 1
        return super().compute_output_spec(inputs)

def base():
    given = keras.Input((8, 8, 3))
    return keras.Model(given, layers.MaxPooling2D()(layers.Conv2D(4, 3)(given)), name="base")

def added():
    keras.utils.set_random_seed(4)
    model = keras.Sequential()
    model.add(keras.Input((8, 8, 3)))
    model.add(base())
    model.add(layers.Flatten())
    model.add(Counted(5, name="first"))
    model.add(layers.Dropout(0.5))
    model.add(Counted(4, name="gone"))
    model.pop()
    model.add(layers.BatchNormalization())
    model.add(Counted(2, activation="softmax", name="last"))
    return model

def told(model):
    lines = []
    model.summary(print_fn=lines.append)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    images = np.random.default_rng(1).random((24, 8, 8, 3)).astype("float32")
    history = model.fit(images, np.arange(24) % 2, epochs=2, verbose=0).history
    inner = keras.Model(model.inputs, model.layers[2].output).predict(images, verbose=0)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    assert np.allclose(copy.predict(images, verbose=0), model.predict(images, verbose=0))
    assert model.output_shape == (None, 2) and model.layers[1].output.shape == (None, 36)
    return lines, history, inner.tolist(), [each.path for each in model.weights]

class Both(layers.Layer):
    def call(self, inputs):
        return inputs, 2 * inputs

class Product(layers.Layer):
    def call(self, inputs):
        return inputs[0] * inputs[1] if isinstance(inputs, (list, tuple)) else inputs

def by_adding(*given):
    model = keras.Sequential()
    for each in (keras.Input((3,)), *given):
        model.add(each)
    return model

def of_several():
    model = by_adding(Both(), Product())
    return model.predict(np.full((2, 3), 3.0), verbose=0).tolist()

def grown_inside():
    keras.utils.set_random_seed(6)
    inner = by_adding(layers.Dense(3))
    model = by_adding(inner)
    inner.add(layers.Dense(5))
    model.add(layers.Dense(2))
    return model.predict(np.ones((2, 3)), verbose=0).tolist()

def wrong(layer):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten()])
    try:
        model.add(layer)
    except Exception as error:
        return type(error), str(error).replace(layer.name, "")

def all_of():
    keras.backend.clear_session()
    found = told(added())
    Counted.calls = 0
    added()
    calls = Counted.calls
    found = *found, of_several(), grown_inside()
    return found, [wrong(layers.Conv2D(3, 3)), wrong(layers.Concatenate())], calls

before, errors, calls = all_of()
stacking.build_by_layer()
after, errors_after, fewer = all_of()
assert before == after
assert after[-2] == [[18.0] * 3] * 2
assert errors == errors_after and None not in errors, errors
assert fewer <= 4 < calls, (calls, fewer)
"""


@pytest.mark.tensorflow
def test_models_built_layer_by_layer_are_the_same():
    run_apart(STACKED)
