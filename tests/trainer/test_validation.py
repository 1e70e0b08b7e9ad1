"""What an epoch is measured on, and what the record says of it."""

import textwrap

import pytest
from tiny import DATA, MODEL

pytestmark = pytest.mark.tensorflow

LIMITED = {
    "arrays": "given = dict(validation_data=(x[64:], y[64:]), batch_size=4, validation_steps=2)",
    "split": "given = dict(validation_split=1 / 3, batch_size=4, validation_steps=2)",
    "generator": """
    from keras.src.legacy.preprocessing.image import ImageDataGenerator
    held = ImageDataGenerator().flow(x[64:], y[64:], batch_size=4)
    given = dict(validation_data=held, validation_steps=2)
    """,
    "pipeline": """
    import tensorflow as tf
    held = tf.data.Dataset.from_tensor_slices((x[64:], y[64:])).batch(4)
    given = dict(validation_data=held, validation_steps=2)
    """,
}
FIT = """
trained = slice(None) if "validation_split" in given else slice(64)
model.fit(x[trained], y[trained], epochs=1, **given)
"""


@pytest.mark.parametrize("limited", LIMITED)
def test_an_epoch_is_measured_on_all_of_the_data(study, limited):
    result, _ = study.run(DATA + MODEL + textwrap.dedent(LIMITED[limited]) + FIT)
    assert result.outcome == "complete", result.reason
    assert result.validation_images == 32
    assert "each epoch is measured on all of its 8 batches" in "\n".join(result.notes)


def test_data_without_an_end_is_limited_as_the_script_says(study):
    endless = """
    import tensorflow as tf
    held = tf.data.Dataset.from_tensor_slices((x[64:], y[64:])).batch(4).repeat()
    given = dict(validation_data=held, validation_steps=3)
    """
    result, _ = study.run(DATA + MODEL + textwrap.dedent(endless) + FIT)
    assert result.outcome == "complete", result.reason
    assert (result.validation_images, result.notes) == (12, [])


@pytest.mark.parametrize(
    ("output", "loss", "classes"),
    [
        ('Dense(2, activation="softmax")', "sparse_categorical_crossentropy", 2),
        ('Dense(1, activation="sigmoid")', "binary_crossentropy", 2),
        ('Dense(7, activation="softmax")', "sparse_categorical_crossentropy", 7),
    ],
)
def test_how_many_classes_the_network_tells_apart(study, output, loss, classes):
    model = MODEL.replace('Dense(2, activation="softmax")', output)
    model = model.replace("sparse_categorical_crossentropy", loss)
    result, _ = study.run(DATA + model + "model.fit(x, y, epochs=1, validation_split=0.25)\n")
    assert result.outcome == "complete", result.reason
    assert (result.classes, result.validation_images) == (classes, 24)


TWO_INPUTS = """
image, size = keras.Input((8, 8, 3)), keras.Input((4,))
seen = layers.Flatten()(layers.Conv2D(2, 3)(image))
output = layers.Dense(2, activation="softmax")(layers.Concatenate()([seen, size]))
model = keras.Model([image, size], output)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
sizes = rng.normal(size=(96, 4))
"""


@pytest.mark.parametrize("steps", ["", "validation_steps=1, "])
@pytest.mark.parametrize(
    "given", ["validation_data=([x[64:], sizes[64:]], y[64:])", "validation_split=1 / 3"]
)
def test_models_of_two_inputs_validate_as_well(study, given, steps):
    fit = f"model.fit([x, sizes], y, epochs=1, batch_size=8, {steps}{given})\n"
    result, _ = study.run(DATA + TWO_INPUTS + fit)
    assert result.outcome == "complete", result.reason
    assert result.validation_images == 32


def test_data_that_is_repeated_is_measured_once_an_epoch(study):
    repeated = """
    import tensorflow as tf
    held = tf.data.Dataset.from_tensor_slices((x[64:], y[64:])).batch(4).repeat(3).prefetch(1)
    given = dict(validation_data=held, validation_steps=8)
    """
    result, _ = study.run(DATA + MODEL + textwrap.dedent(repeated) + FIT)
    assert result.outcome == "complete", result.reason
    assert result.validation_images == 32


def test_a_model_that_measures_its_loss_by_itself_tells_no_number(study):
    own = """
    class Own(keras.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner
            self.mean = keras.metrics.Mean(name="loss")
            self.right = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

        metrics = property(lambda self: [self.mean, self.right])

        def call(self, x):
            return self.inner(x)

        def test_step(self, data):
            x, y = data
            self.mean.update_state(0.5)
            self.right.update_state(y, self(x))
            return {each.name: each.result() for each in self.metrics}

        train_step = test_step

    model = Own(model)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:64], y[:64], epochs=1, batch_size=8, validation_data=(x[64:], y[64:]))
    """
    result, spool = study.run(DATA + MODEL + textwrap.dedent(own))
    assert result.outcome == "complete", spool.console.read_text()
    assert result.validation_images is None
