"""Scripts that notebooks were saved as, with cells that IPython runs out of a text."""

import pytest

from jobs.source import detect
from jobs.source.files import Source
from jobs.source.rewrite import rewrite

HEAD = """\
from keras import Sequential
from keras.datasets import mnist
from keras.layers import Conv2D, Dense, Flatten

(x, y), _ = mnist.load_data()
model = Sequential()
model.add(Conv2D(8, 3, input_shape=(28, 28, 1)))
model.add(Flatten())
model.add(Dense(10, activation="softmax"))
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
"""


FIT = "model.fit(x[..., None], y, epochs=3)"


def timed(cell: str, call: str = "run_cell_magic('time', ''") -> str:
    """As nbconvert writes it."""
    return f"get_ipython().{call}, {cell!r})\n"


@pytest.mark.parametrize(
    "line",
    [
        timed(f"model.compile('sgd', 'mse')\n{FIT}"),
        timed(f"# \"slow\", isn't it?\nname = 'a\tb\\n'\n{FIT}\n"),
        timed(f"%matplotlib inline\n{FIT}"),
        timed(f"h = {FIT}", "run_line_magic('time'"),
        timed(FIT).replace("'time', ''", "u'time', u''").replace(", 'model", ", u'model"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_a_timed_cell_says_is_read_and_written(tmp_path, line, newline):
    content = (HEAD + line + "print('done')\n").replace("\n", newline).encode()
    (tmp_path / "train.py").write_bytes(content)
    reading = detect.read(tmp_path, "train.py")
    assert reading.is_cnn
    epochs = next(each for each in reading.hyperparameters if each.name == "fit.epochs")
    assert (epochs.value, epochs.place.line) == (3, 11)
    changed = rewrite(tmp_path, "train.py", {"fit.epochs": 7})["train.py"]
    assert changed == content.replace(b"epochs=3", b"epochs=7")


def test_a_text_within_a_timed_cell_keeps_its_quotes(tmp_path):
    line = timed("model.compile('adam', \"mse\")\nmodel.fit(x[..., None], y)")
    (tmp_path / "train.py").write_text(HEAD + line)
    changed = rewrite(tmp_path, "train.py", {"optimizer.name": "sgd", "fit.batch_size": 64})
    (tmp_path / "train.py").write_bytes(changed["train.py"])
    note = "  # retune: fit.batch_size was absent"
    assert changed["train.py"].decode().splitlines()[-1] + "\n" == timed(
        f"model.compile('sgd', \"mse\")\nmodel.fit(x[..., None], y, batch_size=64){note}"
    )
    back = rewrite(tmp_path, "train.py", {"optimizer.name": "adam", "fit.batch_size": 32})
    assert back["train.py"].decode() == HEAD + line


@pytest.mark.parametrize(
    "line",
    [
        timed("ls -l", "run_cell_magic('bash', ''"),
        timed(FIT).replace(repr(FIT), "cell"),
        timed(FIT).replace("model", r"\x6dodel"),
    ],
)
def test_what_runs_no_python_or_would_not_come_back_stays_a_call(line):
    source = Source("train.py", (HEAD + line).encode())
    assert source.text == HEAD + line
    assert source.edited([]) == (HEAD + line).encode()


def test_a_line_of_a_notebook_that_is_timed_is_read(tmp_path):
    import json

    cells = [HEAD, f"%time h = {FIT}"]
    made = [{"cell_type": "code", "source": each, "metadata": {}} for each in cells]
    text = json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    (tmp_path / "train.ipynb").write_text(text)
    changed = rewrite(tmp_path, "train.ipynb", {"fit.epochs": 7})["train.ipynb"].decode()
    assert changed == text.replace("epochs=3", "epochs=7")
