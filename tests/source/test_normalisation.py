"""What a normalisation is written as."""

import pytest

from jobs.source.rewrite import rewrite

SCRIPT = """\
from keras import layers, models

model = models.Sequential()
model.add(layers.Conv2D(8, 3, activation="relu", {0}))
model.add(layers.MaxPooling2D({1}))
model.add(layers.Flatten())
model.add(layers.Dense(1, activation="sigmoid"))
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=2, validation_split=0.2)
"""
FIRST = 'data_format="channels_first"'


@pytest.mark.parametrize(
    ("given", "pool", "added"),
    [
        ("input_shape=(32, 32, 3)", "", "layers.BatchNormalization(momentum=0.9)"),
        (
            f"input_shape=(3, 32, 32), {FIRST}",
            FIRST,
            "layers.BatchNormalization(axis=1, momentum=0.9)",
        ),
        ("input_shape=(3, 32, 32)", "", "layers.BatchNormalization(axis=1, momentum=0.9)"),
    ],
)
def test_channels_are_normalised_where_they_are(tmp_path, given, pool, added):
    (tmp_path / "cnn.py").write_text(SCRIPT.format(given, pool))
    changed = rewrite(tmp_path, "cnn.py", {"batch_norm": True})["cnn.py"].decode()
    assert changed.count(f"model.add({added})") == 1
