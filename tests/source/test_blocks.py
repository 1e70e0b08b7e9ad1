"""Blocks that are added where nothing follows, and taken out again."""

import json

import pytest

from jobs.source.files import Checkout
from jobs.source.rewrite import rewrite, tweaked

LAYERS = """\
from keras import layers, models

model = models.Sequential()
model.add(layers.Conv2D(8, 3, activation="relu", input_shape=(64, 64, 3)))
model.add(layers.MaxPooling2D())"""
REST = """\
model.add(layers.Flatten())
model.add(layers.Dense(1, activation="sigmoid"))
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=2, validation_split=0.2)"""


def notebook(*cells):
    found = [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": each.splitlines(keepends=True),
        }
        for each in cells
    ]
    return json.dumps({"cells": found, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n# the features"])
@pytest.mark.parametrize("blocks", [2, 3])
def test_a_block_at_the_end_of_a_cell_goes_without_a_trace(tmp_path, newline, end, blocks):
    cells = (f"{LAYERS}{end}".replace("\n", newline), REST)
    before = notebook(*cells)
    (tmp_path / "cnn.ipynb").write_text(before)
    changed = rewrite(tmp_path, "cnn.ipynb", {"blocks": blocks})
    assert changed["cnn.ipynb"].decode().count("# retune: added") == 2 * (blocks - 1)
    undone = tweaked(
        tweaked(Checkout(tmp_path), "cnn.ipynb", {"blocks": blocks}), "cnn.ipynb", {"blocks": 1}
    )
    assert undone.read_bytes("cnn.ipynb").decode() == before
