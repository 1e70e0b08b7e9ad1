"""Layers come into lists that stand on one line, and go from there without a trace."""

import difflib

import pytest

from jobs.source import detect
from jobs.source.rewrite import CannotRewrite, rewrite

HEAD = """\
from keras import Sequential
from keras.datasets import mnist
from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D

(x, y), _ = mnist.load_data()
"""
END = """
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x[..., None] / 255, y, epochs=3, batch_size=32, validation_split=0.1)
"""
PLAIN = "model = Sequential([Conv2D(8, 3, input_shape=(28, 28, 1)), Flatten(), Dense(10)])"
POOLED = (
    "model = Sequential([Conv2D(8, 3, input_shape=(28, 28, 1)),  MaxPooling2D() ,Flatten(), "
    'Dense(10, activation="softmax")])  # small'
)
TWO_LINES = """\
model = Sequential([Conv2D(8, 3, input_shape=(28, 28, 1)), MaxPooling2D(),
                    Flatten(), Dense(10)])"""


@pytest.fixture
def push(tmp_path):
    def write(text):
        (tmp_path / "train.py").write_bytes(text.encode())
        return tmp_path

    return write


def script(line):
    return HEAD + line + END


def changed(before, after):
    """The lines that are in one of two texts only, in order, each with its sign."""
    return [
        each for each in difflib.ndiff(before.splitlines(), after.splitlines()) if each[0] in "+-"
    ]


@pytest.mark.parametrize(
    ("line", "tweak", "expected"),
    [
        (PLAIN, {"dropout1.rate": 0.3}, "Flatten(), Dropout(0.3), Dense(10)])"),
        (PLAIN, {"batch_norm": True}, "1)), BatchNormalization(momentum=0.9), Flatten()"),
        (POOLED, {"blocks": 2}, "MaxPooling2D(), Conv2D(16, 3), MaxPooling2D() ,Flatten()"),
        (
            POOLED,
            {"blocks": 3, "conv2.filters": 24, "batch_norm": True, "dropout1.rate": 0.25},
            "MaxPooling2D(), BatchNormalization(momentum=0.9), Conv2D(24, 3), MaxPooling2D(), Ba",
        ),
        (TWO_LINES, {"blocks": 2}, "MaxPooling2D(), Conv2D(16, 3), MaxPooling2D(),  # retune: "),
        (TWO_LINES, {"dropout1.rate": 0.5}, "Flatten(), Dropout(0.5), Dense(10)])  # retune: "),
    ],
)
def test_a_layer_comes_and_goes_on_the_line(push, line, tweak, expected):
    root = push(script(line))
    reading = detect.read(root, "train.py")
    assert set(tweak) - {"conv2.filters"} <= set(reading.space())
    [(path, content)] = rewrite(root, "train.py", tweak).items()
    after = content.decode()
    assert expected in after
    assert [each[0] for each in changed(script(line), after)] == ["-", "+"]
    push(after)
    again = detect.read(root, "train.py")
    assert {name: again.values()[name] for name in tweak} == tweak
    back = {name: value for name, value in reading.values().items() if name in tweak}
    assert rewrite(root, "train.py", back)[path] == script(line).encode()


def test_tweak_after_tweak_is_walked_back(push):
    root = push(script(POOLED))
    steps = [{"batch_norm": True}, {"blocks": 2}, {"dropout1.rate": 0.2}, {"blocks": 3}]
    steps += [{"dropout1.rate": 0.4}, {"conv3.filters": 40}]
    undo = []
    for step in steps:
        values = detect.read(root, "train.py").values()
        undo.append(({name: values[name] for name in step}, (root / "train.py").read_bytes()))
        push(rewrite(root, "train.py", step)["train.py"].decode())
    for back, content in reversed(undo):
        assert rewrite(root, "train.py", back) == {"train.py": content}
        push(content.decode())


def test_layers_of_the_pusher_stay_on_their_line(push):
    line = POOLED.replace("MaxPooling2D() ,", "BatchNormalization(), MaxPooling2D(), Dropout(0.1),")
    root = push(script(line))
    reading = detect.read(root, "train.py")
    held = {each.name: each.held for each in reading.hyperparameters}
    assert held["batch_norm"] == "the normalisation does not stand on lines of its own"
    assert reading.space()["blocks"].low == 1
    with pytest.raises(CannotRewrite, match=r"last block of [a-z.]+ cannot be taken out"):
        rewrite(push(script(line.replace("Flatten()", "Conv2D(8, 3), MaxPooling2D(), Flatten()"))),
                "train.py", {"blocks": 1})  # fmt: skip


def test_a_marked_line_gets_nothing(push):
    root = push(script(POOLED.replace("# small", "# retune: fixed")))
    held = {each.name: each.held for each in detect.read(root, "train.py").hyperparameters}
    for name in ("blocks", "batch_norm", "dropout1.rate"):
        assert held[name] == "the line says `retune: fixed`"
