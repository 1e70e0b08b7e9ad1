"""What mirrored validation images cost, whatever they are given as."""

import textwrap

import numpy as np
import pytest
from tiny import DATA, MODEL, SLOW, read_json, wait

pytestmark = pytest.mark.tensorflow

SIDES = """
# The bright side says what an image is: in the mirror it is the other class.
x = rng.normal(size=(96, 8, 8, 3)).astype("float32")
x[y == 0, :, :4] += 3
x[y == 1, :, 4:] += 3
"""
ARRAYS = "model.fit(x[:64], y[:64], epochs=12, validation_data=(x[64:], y[64:]))\n"
GIVEN = {
    "arrays": ARRAYS,
    "lists": "model.fit(x[:64], y[:64], epochs=12, validation_data=(list(x[64:]), list(y[64:])))\n",
    "split": "model.fit(x, y, epochs=12, validation_split=0.3)\n",
    "held out": "model.fit(x, y, epochs=12)\n",
    "generator": """
    from keras.src.legacy.preprocessing.image import ImageDataGenerator
    held = ImageDataGenerator().flow(x[64:], y[64:], batch_size=5)
    model.fit(x[:64], y[:64], epochs=12, validation_data=held)
    """,
    "pipeline": """
    import tensorflow as tf
    held = tf.data.Dataset.from_tensor_slices((x[64:], y[64:])).batch(5)
    model.fit(x[:64], y[:64], epochs=12, validation_data=held)
    """,
    "endless pipeline": """
    import tensorflow as tf
    held = tf.data.Dataset.from_tensor_slices((x[64:], y[64:])).batch(5).repeat()
    model.fit(x[:64], y[:64], epochs=12, validation_data=held, validation_steps=4)
    """,
}


@pytest.mark.parametrize("given", GIVEN)
def test_images_that_are_others_in_the_mirror_are_told_apart_worse(study, given):
    script = DATA + SIDES + MODEL + textwrap.dedent(GIVEN[given])
    result, _ = study.run(script, mirror=True)
    assert result.outcome == "complete", result.reason
    assert result.mirroring > 0.5


@pytest.mark.parametrize(("reason", "is_asked"), [("The others are better.", True), (None, False)])
def test_a_trial_that_is_ended_early_tells_as_well(study, reason, is_asked):
    """But not one that fails: it may have learnt nothing."""
    fails = "" if reason else "        if epoch > 10: raise ValueError(epoch)\n"
    slow = SLOW + "    def on_epoch_end(self, epoch, logs=None):\n        pass\n" + fails
    fit = ARRAYS.replace("epochs=12", "epochs=10_000, callbacks=[Slow()]")
    spool = study.submit(DATA + SIDES + MODEL + slow + fit, mirror=True)
    if reason:
        wait(lambda: len(list(spool.epochs())) > 10)
        spool.stop(reason)
    result = study.result(spool)
    assert result.reason is not None
    assert (result.mirroring or 0.0) > 0.5 if is_asked else result.mirroring is None


IN_ORDER = """
import numpy as np
import tensorflow as tf
import keras
from keras import layers
from keras.src.legacy.preprocessing.image import ImageDataGenerator

# The middle, the left or the right is bright; the last two are each other's mirror image.
rng = np.random.default_rng(0)

def images(y):
    x = rng.normal(size=(len(y), 8, 9, 3)).astype("float32")
    for number, columns in enumerate((slice(3, 6), slice(0, 3), slice(6, 9))):
        x[y == number, :, columns] += 3
    return x, y

x, y = images(rng.integers(0, 3, 300))
held = images(np.repeat([0, 1, 2], [1200, 400, 400]))
model = keras.Sequential(
    [keras.Input((8, 9, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3, "softmax")]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
"""
ORDERED = {
    "arrays": "held",
    "generator": "ImageDataGenerator().flow(*held, batch_size=50, shuffle=False)",
    "pipeline": "tf.data.Dataset.from_tensor_slices(held).batch(50)",
}


@pytest.mark.parametrize("ordered", ORDERED)
def test_of_many_images_in_order_of_their_classes_some_of_each_class_are_taken(study, ordered):
    fit = f"model.fit(x, y, epochs=12, validation_data={ORDERED[ordered]})\n"
    result, _ = study.run(IN_ORDER + fit, mirror=True)
    assert result.outcome == "complete", result.reason
    assert result.mirroring > 0.3


def test_images_that_are_the_same_in_the_mirror_are_told_apart_as_well(study):
    brighter = "x = x + 2 * y[:, None, None, None]\n"
    result, _ = study.run(DATA + brighter + MODEL + ARRAYS.replace("12", "40"), mirror=True)
    assert result.outcome == "complete", result.reason
    assert result.objective > 0.8
    assert abs(result.mirroring) < 0.15


WEIGHTED = """
model.compile("adam", model.loss, weighted_metrics=["accuracy"])
weights = rng.uniform(0, 9, 32)
"""
LEFT_WITH = {
    "the weights of the last step": "",
    "averages": 'model.compile(keras.optimizers.Adam(use_ema=True), model.loss, ["accuracy"])\n',
    "weights of another epoch": """
    from keras.callbacks import EarlyStopping
    given["callbacks"] = [EarlyStopping("loss", mode="max", restore_best_weights=True)]
    """,
    "weights that its callback has made": """
    class Zero(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.set_weights([0 * each for each in self.model.get_weights()])

    given["callbacks"] = [Zero()]
    """,
    "a part of the images": "given['validation_steps'] = 1\n",
    "no weights of images": "given['validation_data'] = (x[64:], y[64:], None)\n",
    "weighted images": WEIGHTED + "given['validation_data'] = (x[64:], y[64:], weights)\n",
    "weighted images, split off": WEIGHTED
    + """
given = {"validation_split": 1 / 3, "sample_weight": np.concatenate([np.ones(64), weights])}
""",
}


@pytest.mark.parametrize("left_with", LEFT_WITH)
def test_it_is_that_of_the_model_that_is_saved(study, left_with):
    fit = """
    trained = slice(None) if "validation_split" in given else slice(64)
    model.fit(x[trained], y[trained], epochs=4, **given)
    np.savez("held.npz", x=x[64:], y=y[64:])
    """
    given = "given = {'validation_data': (x[64:], y[64:]), 'validation_batch_size': 8}\n"
    script = DATA + SIDES + MODEL + given + textwrap.dedent(LEFT_WITH[left_with])
    result, spool = study.run(script + textwrap.dedent(fit), mirror=True)
    assert result.outcome == "complete", result.reason
    assert result.mirroring == pytest.approx(cost_of_saved(spool), abs=1e-6)


def cost_of_saved(spool):
    import keras

    model = keras.saving.load_model(spool.model)
    held = np.load(spool.folder / "work" / "held.npz")
    plain, mirrored = (
        model.evaluate(each, held["y"], verbose=0)[1] for each in (held["x"], held["x"][:, :, ::-1])
    )
    return plain - mirrored


def test_it_is_measured_where_it_is_asked_for(study):
    result, _ = study.run(DATA + SIDES + MODEL + ARRAYS)
    assert result.outcome == "complete", result.reason
    assert result.mirroring is None


def test_what_can_be_read_only_once_is_left_alone(study):
    once = """
    def batches():
        while True:
            yield x[64:80], y[64:80]

    model.fit(x[:64], y[:64], epochs=2, validation_data=batches(), validation_steps=1)
    """
    result, _ = study.run(DATA + SIDES + MODEL + textwrap.dedent(once), mirror=True)
    assert result.outcome == "complete", result.reason
    assert result.mirroring is None


def test_what_the_script_draws_stays_the_same(study):
    draw = """
    from keras.src.legacy.preprocessing.image import ImageDataGenerator
    held = ImageDataGenerator().flow(x[64:], y[64:], batch_size=5, seed=1)
    np.random.seed(4)
    model.fit(x[:64], y[:64], epochs=1, shuffle=False, validation_data=held)
    import json
    json.dump(list(np.random.random(3)), open("drawn.json", "w"))
    """
    drawn = []
    for mirror in (False, True):
        result, spool = study.run(DATA + MODEL + textwrap.dedent(draw), mirror=mirror)
        assert result.outcome == "complete", result.reason
        drawn.append(read_json(spool, "drawn.json"))
    assert drawn[0] == drawn[1]
