"""Whether one call of fit, at one learning rate, is all training: no doubt is a yes."""

import textwrap

import pytest

from jobs.source import detect

CNN = """
import keras
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

def network(rate=0.001):
    model = keras.Sequential()
    model.add(Conv2D(8, 3, activation="relu", input_shape=(32, 32, 3)))
    model.add(MaxPooling2D())
    model.add(Flatten())
    model.add(Dense(2, activation="softmax"))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", ["accuracy"])
    return model

data = keras.utils.image_dataset_from_directory("data")
"""
TRAIN = """
def train(data):
    model = network()
    model.fit(data, epochs=9)
"""
STEADY = {
    "at the top": "model = network()\nmodel.fit(data, epochs=9)",
    "in a function": f"{TRAIN}\ntrain(data)",
    "in a function of a function": f"{TRAIN}\ndef main():\n    train(data)\n\nmain()",
    "where it is the program": f"{TRAIN}\nif __name__ == '__main__':\n    train(data)",
    "with a scope": "with scope():\n    model = network()\n    model.fit(data, epochs=9)",
    "with a weight decay": (
        "model = network()\n"
        "model.compile(keras.optimizers.AdamW(weight_decay=0.01), model.loss, ['accuracy'])\n"
        "if model.optimizer.learning_rate == 0.1:\n"
        "    print('large')\n"
        "model.fit(data, epochs=9)"
    ),
    "with early stopping": (
        "model = network()\n"
        "stop = keras.callbacks.EarlyStopping(patience=3)\n"
        "model.fit(data, epochs=9, callbacks=[stop])"
    ),
    "with smaller steps once it comes no further": (
        "model = network()\n"
        "slower = keras.callbacks.ReduceLROnPlateau(patience=3)\n"
        "model.fit(data, epochs=9, callbacks=[slower])"
    ),
}
DOUBTFUL = {
    "two phases": "model = network()\nmodel.fit(data, epochs=2)\nmodel.fit(data, epochs=9)",
    "two networks": "network().fit(data, epochs=2)\nmodel = network()\nmodel.fit(data, epochs=9)",
    "a loop": "for fold in folds():\n    model = network()\n    model.fit(data, epochs=9)",
    "until it is good": "model = network()\nwhile poor():\n    model.fit(data, epochs=9)",
    "a function in a loop": f"{TRAIN}\nfor fold in folds():\n    train(data)",
    "a function twice": f"{TRAIN}\ntrain(data)\ntrain(data)",
    "a comprehension": f"{TRAIN}\n[train(each) for each in folds()]",
    "a search": f"{TRAIN}\nstudy.optimize(train, 10)",
    "a lambda": f"{TRAIN}\nrun = lambda: train(data)\nrun()",
    "by name": "model = network()\nmodel.fit(data, epochs=9)\ngetattr(model, 'fit')(data)",
    "a decorator": TRAIN.replace("def train", "@twice\ndef train") + "\ntrain(data)",
    "a copy": (
        "model = network()\nmodel.fit(data, epochs=9)\n"
        "keras.models.clone_model(model).fit(data, epochs=9)"
    ),
    "a schedule": (
        "model = network()\n"
        "slower = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (1 + epoch))\n"
        "model.fit(data, epochs=9, callbacks=[slower])"
    ),
    "a decay": (
        "model = network(keras.optimizers.schedules.ExponentialDecay(0.01, 100, 0.9))\n"
        "model.fit(data, epochs=9)"
    ),
    "a rate in place": (
        "model = network()\nmodel.optimizer.learning_rate *= 0.5\nmodel.fit(data, epochs=9)"
    ),
    "a rate by its name": (
        "model = network()\n"
        "setattr(model.optimizer, 'learning_rate', 0.5)\n"
        "model.fit(data, epochs=9)"
    ),
    "a rate by hand": (
        "class Slower(keras.callbacks.Callback):\n"
        "    def on_epoch_begin(self, epoch, logs=None):\n"
        "        self.model.optimizer.learning_rate = 0.1 / (epoch + 1)\n\n"
        "model = network()\n"
        "model.fit(data, epochs=9, callbacks=[Slower()])"
    ),
}


@pytest.mark.parametrize(
    ("script", "is_steady"),
    [(each, True) for each in STEADY.values()] + [(each, False) for each in DOUBTFUL.values()],
    ids=[*STEADY, *DOUBTFUL],
)
def test_whether_all_training_is_one_steady_fit(tmp_path, script, is_steady):
    (tmp_path / "cnn.py").write_text(CNN + textwrap.dedent(script) + "\n")
    reading = detect.read(tmp_path, "cnn.py")
    assert reading.is_cnn, reading.reasons
    assert reading.trains_steadily is is_steady


def test_a_function_of_another_file(tmp_path):
    (tmp_path / "training.py").write_text(CNN + TRAIN)
    (tmp_path / "cnn.py").write_text("from training import data, train\n\ntrain(data)\n")
    assert detect.read(tmp_path, "cnn.py").trains_steadily
    (tmp_path / "cnn.py").write_text(
        "from training import data, train\n\nfor _ in range(3):\n    train(data)\n"
    )
    assert not detect.read(tmp_path, "cnn.py").trains_steadily
