"""Imports that a tweak adds stand before what needs them, wherever a notebook has its own."""

import ast

import pytest

from jobs.source.rewrite import rewrite

SCRIPT = """\
from tensorflow import keras
from tensorflow.keras.models import Sequential

model = Sequential([
    keras.Input((64, 64, 3)),
    keras.layers.Conv2D(8, 3, activation="relu"),
    keras.layers.MaxPooling2D(),
    keras.layers.Flatten(),
    keras.layers.Dense(1, activation="sigmoid"),
])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=2, validation_split=0.2)

from tensorflow.keras.callbacks import EarlyStopping
from tensorflow.keras.layers import BatchNormalization, Dropout, RandomFlip
from tensorflow.keras.layers import *
from tensorflow.keras.optimizers import SGD, Adam
"""
TWEAKS = {
    "fit.reduce_lr_on_plateau": True,
    "batch_norm": True,
    "dropout1.rate": 0.3,
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.01,
}


def unknown(text):
    """The names that a statement reads, and none before it has bound."""
    known, found = {"x", "y"}, set()
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.ImportFrom):
            known |= {each.name for each in statement.names}
            continue
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        found |= {each.id for each in names if isinstance(each.ctx, ast.Load)} - known
        known |= {each.id for each in names}
    return found


@pytest.mark.parametrize("name", TWEAKS)
def test_what_is_imported_below_is_not_known_yet(name, tmp_path):
    (tmp_path / "cnn.py").write_text(SCRIPT)
    changed = rewrite(tmp_path, "cnn.py", {name: TWEAKS[name]})["cnn.py"].decode()
    assert changed != SCRIPT
    assert not unknown(changed)
    (tmp_path / "cnn.py").write_text(changed)
    back = {"optimizer.name": "adam", "optimizer.learning_rate": 0.001, "dropout1.rate": 0.0}
    undone = rewrite(tmp_path, "cnn.py", {name: back.get(name, False)})["cnn.py"].decode()
    assert undone == SCRIPT
