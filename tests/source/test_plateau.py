"""The learning rate's reduction on plateaus: a callback that comes and goes without a trace."""

import ast
from itertools import permutations

import pytest

from jobs.source import detect
from jobs.source.files import Checkout
from jobs.source.rewrite import CannotRewrite, rewrite, tweaked
from jobs.source.words import describe

NAME = "fit.reduce_lr_on_plateau"
HEAD = """\
import keras
from keras import layers
from keras.datasets import mnist

(x, y), _ = mnist.load_data()
model = keras.Sequential([layers.Input((28, 28, 1)), layers.Conv2D(8, 3), layers.MaxPooling2D(),
                          layers.Flatten(), layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
stop = keras.callbacks.EarlyStopping(patience=4)
"""
CALLBACK = "keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=3)"
ONE_MORE = f"{CALLBACK}]"
NOTE = f"  # retune: {NAME} was absent"
ARGUMENT = "  # retune: fit.callbacks was absent"
ADDED = "  # retune: added"

FORMS = {
    "no callbacks": (
        "model.fit(x, y)\n",
        f"model.fit(x, y, callbacks=[{CALLBACK}]){ARGUMENT}\n",
    ),
    "a comment behind": (
        "model.fit(x, y)  # at last\n",
        f"model.fit(x, y, callbacks=[{CALLBACK}])  # at last{ARGUMENT}\n",
    ),
    "brackets that nothing needs": (
        "model.fit(x, (y) )\n",
        f"model.fit(x, (y), callbacks=[{CALLBACK}] ){ARGUMENT}\n",
    ),
    "lines without a comma at the end": (
        "model.fit(x, y,\n          validation_split=0.1)\n",
        f"model.fit(x, y,\n          validation_split=0.1, callbacks=[{CALLBACK}]){ARGUMENT}\n",
    ),
    "a line of its own for each argument": (
        "model.fit(\n    x,\n    y,  # labels\n)\n",
        f"model.fit(\n    x,\n    y,  # labels\n    callbacks=[{CALLBACK}],{ADDED}\n)\n",
    ),
    "lines that several arguments share": (
        "model.fit(\n    x, y,\n    epochs=3, verbose=2,\n    # all\n)\n",
        "model.fit(\n    x, y,\n    epochs=3, verbose=2,\n"
        f"    callbacks=[{CALLBACK}],{ADDED}\n    # all\n)\n",
    ),
    "a list": (
        "model.fit(x, y, callbacks=[stop], epochs=2)\n",
        f"model.fit(x, y, callbacks=[stop, {ONE_MORE}, epochs=2){NOTE}\n",
    ),
    "a tuple": (
        "model.fit(x, y, callbacks=(stop,))\n",
        f"model.fit(x, y, callbacks=(stop, {CALLBACK},)){NOTE}\n",
    ),
    "a tuple without brackets of its own": (
        "both = (stop), (stop)\nmodel.fit(x, y, callbacks=both)\n",
        f"both = (stop), (stop), {CALLBACK}{NOTE}\nmodel.fit(x, y, callbacks=both)\n",
    ),
    "a comma at the end": (
        "model.fit(x, y, callbacks=[stop, ])\n",
        f"model.fit(x, y, callbacks=[stop, {CALLBACK}, ]){NOTE}\n",
    ),
    "a list that goes into the next line": (
        "model.fit(x, y, callbacks=[stop,\n                           (stop)  # twice\n])\n",
        "model.fit(x, y, callbacks=[stop,\n"
        f"                           (stop), {CALLBACK}  # twice{NOTE}\n])\n",
    ),
    "a list of lists' elements": (
        "model.fit(x, y, callbacks=[*[stop]])\n",
        f"model.fit(x, y, callbacks=[*[stop], {ONE_MORE}){NOTE}\n",
    ),
    "a line of its own for each callback": (
        "model.fit(\n    x,\n    y,\n    callbacks=[\n        stop,  # early\n    ],\n)\n",
        "model.fit(\n    x,\n    y,\n    callbacks=[\n        stop,  # early\n"
        f"        {CALLBACK},{ADDED}\n    ],\n)\n",
    ),
    "an empty list": (
        "model.fit(x, y, callbacks=[])\n",
        f"model.fit(x, y, callbacks=[{ONE_MORE}){NOTE}\n",
    ),
    "an empty tuple": (
        "model.fit(x, y, callbacks=( ))\n",
        f"model.fit(x, y, callbacks=( {CALLBACK},)){NOTE}\n",
    ),
    "nothing in it but a comment": (
        "model.fit(x, y, callbacks=[  # none, yet\n    ])\n",
        f"model.fit(x, y, callbacks=[  # none, yet\n    {ONE_MORE}){NOTE}\n",
    ),
    "by position": (
        "model.fit(x, y, 32, 2, 1, [stop])\n",
        f"model.fit(x, y, 32, 2, 1, [stop, {ONE_MORE}){NOTE}\n",
    ),
    "by position, by its name": (
        "given = [stop]\nmodel.fit(x, y, 32, 2, 1, given)\n",
        f"given = [stop, {CALLBACK}]{NOTE}\nmodel.fit(x, y, 32, 2, 1, given)\n",
    ),
    "by its name": (
        "given = [\n    stop,\n]\nmodel.fit(x, y, callbacks=given)\n",
        f"given = [\n    stop,\n    {CALLBACK},{ADDED}\n]\nmodel.fit(x, y, callbacks=given)\n",
    ),
    "by its name, with its kind": (
        "given: list = [stop]\nmodel.fit(x, y, callbacks=given)\n",
        f"given: list = [stop, {CALLBACK}]{NOTE}\nmodel.fit(x, y, callbacks=given)\n",
    ),
    "a tuple without brackets": (
        "given = stop,\nmodel.fit(x, y, callbacks=given)\n",
        f"given = stop, {CALLBACK},{NOTE}\nmodel.fit(x, y, callbacks=given)\n",
    ),
    "a tuple without brackets, in lines": (
        "given = stop, \\\n    stop\nmodel.fit(x, y, callbacks=given)\n",
        f"given = stop, \\\n    stop, {CALLBACK}{NOTE}\nmodel.fit(x, y, callbacks=given)\n",
    ),
    "within a function": (
        "def train():\n    given = [stop]\n    model.fit(x, y, callbacks=given)\n\n\ntrain()\n",
        f"def train():\n    given = [stop, {CALLBACK}]{NOTE}\n"
        "    model.fit(x, y, callbacks=given)\n\n\ntrain()\n",
    ),
    "no end of line": (
        "model.fit(x, y)",
        f"model.fit(x, y, callbacks=[{CALLBACK}]){ARGUMENT}",
    ),
    "a generator": (
        "model.fit_generator(x, 5, 2, 1)\n",
        f"model.fit_generator(x, 5, 2, 1, callbacks=[{CALLBACK}]){ARGUMENT}\n",
    ),
    "a generator, by position": (
        "model.fit_generator(x, 5, 2, 1, [stop])\n",
        f"model.fit_generator(x, 5, 2, 1, [stop, {ONE_MORE}){NOTE}\n",
    ),
}


def knob(root, script="cnn.py", **given):
    found = detect.read(root, script, **given).hyperparameters
    return next((each for each in found if each.name == NAME), None)


@pytest.fixture
def push(tmp_path):
    def write(text):
        (tmp_path / "cnn.py").write_bytes(text.encode())
        return tmp_path

    return write


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["", "windows"])
@pytest.mark.parametrize(("before", "after"), FORMS.values(), ids=FORMS)
def test_the_callback_comes_and_goes(push, before, after, newline):
    text, expected = ((HEAD + each).replace("\n", newline) for each in (before, after))
    root = push(text)
    found = knob(root)
    assert (found.value, found.held, found.space.options) == (False, None, (False, True))
    assert rewrite(root, "cnn.py", {NAME: False}) == {}
    assert rewrite(root, "cnn.py", {NAME: True}) == {"cnn.py": expected.encode()}
    push(expected)
    again = detect.read(root, "cnn.py")
    assert again.values()[NAME] is True
    assert knob(root).held is None
    assert again.trains_steadily
    assert rewrite(root, "cnn.py", {NAME: True}) == {}
    assert rewrite(root, "cnn.py", {NAME: False}) == {"cnn.py": text.encode()}


IMPORTS = "import keras\nfrom keras import layers\n"
STYLES = {
    "a module's alias": ("import keras\nfrom keras import callbacks, layers\n", "callbacks.", ""),
    "tensorflow": (
        "import tensorflow as tf\nfrom tensorflow import keras\nfrom tensorflow.keras import layers"
        "\n_ = tf.keras.callbacks.TerminateOnNaN()\n",
        "tf.keras.callbacks.",
        "",
    ),
    "a module under another name": (
        "import tensorflow as tf\nimport tensorflow.keras as kr\n"
        "from tensorflow.keras import layers\n",
        "kr.callbacks.",
        "",
    ),
    "names": (
        "import keras\nfrom keras.callbacks import EarlyStopping\nfrom keras import layers\n"
        "_ = EarlyStopping()\n",
        "",
        "from keras.callbacks import EarlyStopping\n",
    ),
    "a star": ("import keras\nfrom keras import layers\nfrom keras.callbacks import *\n"
               "_ = EarlyStopping()\n", "", ""),
    "names of tensorflow": (
        "from tensorflow import keras\nfrom tensorflow.keras import layers\n"
        "from tensorflow.keras.callbacks import EarlyStopping as Stop\n_ = Stop()\n",
        "",
        "from tensorflow.keras.callbacks import EarlyStopping as Stop\n",
    ),
    "a name that a function gives to something else": (
        "import keras\nfrom keras import callbacks, layers\n_ = callbacks.TerminateOnNaN()\n"
        "def show(callbacks):\n    print(callbacks)\n",
        "",
        "import keras\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("head", "prefix", "anchor"), STYLES.values(), ids=STYLES)
def test_the_class_is_written_as_its_neighbours_are(push, head, prefix, anchor):
    rest = HEAD.removeprefix(IMPORTS).replace("stop = keras.callbacks.EarlyStopping", "stop = made")
    if " as kr\n" in head:
        rest = rest.replace("keras.Sequential", "kr.Sequential")
    text = f"{head}made = print\n{rest}model.fit(x, y, callbacks=[stop])\n"
    root = push(text)
    expected = text.replace(
        "[stop])", f"[stop, {prefix}ReduceLROnPlateau(factor=0.3, patience=3)]){NOTE}"
    )
    if anchor:
        package = "tensorflow.keras" if "tensorflow" in head else "keras"
        line = f"from {package}.callbacks import ReduceLROnPlateau{ADDED}\n"
        expected = expected.replace(anchor, anchor + line, 1)
    assert rewrite(root, "cnn.py", {NAME: True})["cnn.py"].decode() == expected
    push(expected)
    assert knob(root).value is True
    assert rewrite(root, "cnn.py", {NAME: False})["cnn.py"].decode() == text


VARY = "the callbacks are put together as the script runs"
ELSEWHERE = "the list of callbacks is used elsewhere, too"
FIXED = "the line says `retune: fixed`"
HELD = {
    "a sum": ("model.fit(x, y, callbacks=[stop] + [])\n", VARY),
    "a function's": ("def some():\n    return [stop]\n\nmodel.fit(x, y, callbacks=some())\n", VARY),
    "a comprehension": ("model.fit(x, y, callbacks=[each for each in [stop]])\n", VARY),
    "a callback alone": ("model.fit(x, y, callbacks=stop)\n", VARY),
    "None": ("model.fit(x, y, callbacks=None)\n", "the callbacks are not written as a list"),
    "an attribute": (
        "class A: pass\na = A()\na.given = [stop]\nmodel.fit(x, y, callbacks=a.given)\n",
        VARY,
    ),
    "one more later": (
        "given = [stop]\ngiven.append(print)\nmodel.fit(x, y, callbacks=given)\n",
        VARY,
    ),
    "another instead": (
        "given = [print]\ngiven[0] = stop\nmodel.fit(x, y, callbacks=given)\n",
        VARY,
    ),
    "more by a sign": (
        "given = [stop]\ngiven += [print]\nmodel.fit(x, y, callbacks=given)\n",
        VARY,
    ),
    "two lists": (
        "given = [stop]\nif x:\n    given = []\nmodel.fit(x, y, callbacks=given)\n",
        VARY,
    ),
    "two names": ("given = other = [stop]\nmodel.fit(x, y, callbacks=given)\n", VARY),
    "a parameter": (
        "def train(given):\n    model.fit(x, y, callbacks=given)\n\ntrain([stop])\n",
        VARY,
    ),
    "two fits": (
        "given = [stop]\nmodel.fit(x, y, callbacks=given)\nmodel.fit(x, y, callbacks=given)\n",
        ELSEWHERE,
    ),
    "printed": ("given = [stop]\nprint(given)\nmodel.fit(x, y, callbacks=given)\n", ELSEWHERE),
    "arguments in a table": (
        "given = {'callbacks': [stop]}\nmodel.fit(x, y, **given)\n",
        "the arguments of fit are put together as the script runs",
    ),
    "arguments in a list": (
        "model.fit(*[x, y])\n",
        "the arguments of fit are put together as the script runs",
    ),
    "by another name": (
        "train = model.fit\ntrain(x, y)\n",
        "fit is not called as a method of the model",
    ),
    "by a wrapper": (
        "from scikeras.wrappers import KerasClassifier\n\ndef build():\n    return model\n\n"
        "found = KerasClassifier(build, epochs=3)\nfound.fit(x, y)\n",
        "fit is not called as a method of the model",
    ),
    "a line goes on": (
        "if True and \\\n        model.fit(x, y) and \\\n        True:\n    pass\n",
        "its line cannot take a comment",
    ),
    "a fixed call": ("model.fit(x, y)  # retune: fixed\n", FIXED),
    "a fixed line of a call": (
        "model.fit(\n    x, y,\n    verbose=2  # retune: fixed\n)\n",
        FIXED,
    ),
    "a fixed list": (
        "model.fit(\n    x,\n    y,\n    callbacks=[stop],  # retune: fixed\n)\n",
        FIXED,
    ),
    "a fixed list of a name": (
        "given = [stop]  # retune: fixed\nmodel.fit(x, y, callbacks=given)\n",
        FIXED,
    ),
}


@pytest.mark.parametrize(("text", "reason"), HELD.values(), ids=HELD)
def test_what_cannot_be_seen_is_left_alone(push, text, reason):
    root = push(HEAD + text)
    found = knob(root)
    assert (found.value, found.held) == (False, reason)
    assert NAME not in detect.read(root, "cnn.py").space()
    with pytest.raises(CannotRewrite, match=rf"^{NAME} in cnn\.py is held: .*\.$"):
        rewrite(root, "cnn.py", {NAME: True})


def test_a_fixed_line_beside_leaves_room(push):
    root = push(f"{HEAD}model.fit(\n    x, y,\n    epochs=3,  # retune: fixed\n)\n")
    assert (
        rewrite(root, "cnn.py", {NAME: True})["cnn.py"]
        .decode()
        .endswith(f"    epochs=3,  # retune: fixed\n    callbacks=[{CALLBACK}],{ADDED}\n)\n")
    )


@pytest.mark.parametrize("pattern", [NAME, "fit", "fit.*", "*"])
def test_held_in_retune_toml(push, pattern):
    root = push(f"{HEAD}model.fit(x, y)\n")
    assert knob(root, hold=(pattern,)).held == "it is held in retune.toml"
    with pytest.raises(CannotRewrite, match="held in retune"):
        rewrite(root, "cnn.py", {NAME: True}, hold=(pattern,))


SCHEDULED = {
    "a plateau": (
        "model.fit(x, y, callbacks=[keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=3)])\n"
    ),
    "a plateau of another name": (
        "from keras.callbacks import ReduceLROnPlateau as Slower\n"
        "model.fit(x, y, callbacks=[Slower()])\n"
    ),
    "a plateau in words": "# ReduceLROnPlateau was no better\nmodel.fit(x, y)\n",
    "a schedule": (
        "model.fit(x, y, callbacks=[keras.callbacks.LearningRateScheduler(lambda n: 0.1 / n)])\n"
    ),
    "a decay": "model.compile(keras.optimizers.SGD(decay=1e-4), model.loss)\nmodel.fit(x, y)\n",
    "an object": (
        "rate = keras.optimizers.schedules.CosineDecay(0.01, 100)\n"
        "model.compile(keras.optimizers.SGD(rate), model.loss)\nmodel.fit(x, y)\n"
    ),
    "by hand": (
        "class Slower(keras.callbacks.Callback):\n"
        "    def on_epoch_begin(self, epoch, logs=None):\n"
        "        self.model.optimizer.learning_rate = 0.1 / (epoch + 1)\n\n"
        "model.fit(x, y, callbacks=[Slower()])\n"
    ),
    "no fit": "for _ in range(3):\n    model.train_on_batch(x, y)\n",
}


@pytest.mark.parametrize("text", SCHEDULED.values(), ids=SCHEDULED)
def test_not_beside_a_schedule_of_the_pushers(push, text):
    root = push(HEAD + text)
    reading = detect.read(root, "cnn.py")
    assert reading.is_cnn
    assert NAME not in reading.values()
    with pytest.raises(CannotRewrite, match=f"has no hyperparameter {NAME}"):
        rewrite(root, "cnn.py", {NAME: True})


def test_not_beside_a_schedule_in_another_file(push):
    root = push(f"from rates import slower\n{HEAD}model.fit(x, y, callbacks=[slower()])\n")
    (root / "rates.py").write_text(
        "import keras\n\ndef slower():\n    return keras.callbacks.ReduceLROnPlateau()\n"
    )
    assert knob(root) is None


@pytest.mark.parametrize(
    "more",
    ["\nslower = keras.callbacks.ReduceLROnPlateau()\n", "\n# a schedule\n"],
)
def test_one_of_the_pushers_beside_the_one_that_was_added(push, more):
    root = push(f"{HEAD}model.fit(x, y)\n")
    text = rewrite(root, "cnn.py", {NAME: True})["cnn.py"].decode()
    push(text + more)
    assert knob(root) is None


def test_a_helper_file_holds_the_call(push):
    root = push(f"from training import train\n{HEAD}train(model, x, y)\n")
    text = (
        "from keras.callbacks import EarlyStopping\n\n\n"
        "def train(model, x, y):\n    model.fit(x, y, callbacks=[EarlyStopping()])\n"
    )
    (root / "training.py").write_text(text)
    assert knob(root).place.path == "training.py"
    changed = rewrite(root, "cnn.py", {NAME: True})
    assert list(changed) == ["training.py"]
    (root / "training.py").write_bytes(changed["training.py"])
    assert "from keras.callbacks import ReduceLROnPlateau" in (root / "training.py").read_text()
    assert knob(root).value is True
    assert rewrite(root, "cnn.py", {NAME: False}) == {"training.py": text.encode()}


def test_a_list_that_another_file_reads_is_left_alone(push):
    root = push(f"import training\n{HEAD}training.train(model, x, y)\nprint(training.given)\n")
    (root / "training.py").write_text(
        "import keras\n\ngiven = [keras.callbacks.EarlyStopping()]\n\n\n"
        "def train(model, x, y):\n    model.fit(x, y, callbacks=given)\n"
    )
    assert knob(root).held == ELSEWHERE


def test_callbacks_that_the_pusher_put_behind_it_stay(push):
    root = push(f"{HEAD}model.fit(x, y)\n")
    text = rewrite(root, "cnn.py", {NAME: True})["cnn.py"].decode()
    push(text.replace("patience=3)]", "patience=3), stop]"))
    [content] = tweaked(Checkout(root), "cnn.py", {NAME: False}).changed.values()
    assert content.decode().endswith(f"model.fit(x, y, callbacks=[stop]){ARGUMENT}\n")


@pytest.mark.parametrize("value", [1, 0, "true", 0.5])
def test_true_or_false_and_nothing_else(push, value):
    root = push(f"{HEAD}model.fit(x, y)\n")
    with pytest.raises(CannotRewrite, match=rf"^{NAME} cannot be .* takes a bool\.$"):
        rewrite(root, "cnn.py", {NAME: value})


CALLS = {
    "a line": "model.fit(x, y)\n",
    "lines": "model.fit(\n    x,\n    y,\n)\n",
    "lines without a comma at the end": "model.fit(\n    x,\n    y\n)\n",
    "callbacks in between": "model.fit(x, y, callbacks=[stop], verbose=2)\n",
    "callbacks at the end": "model.fit(\n    x, y,\n    callbacks=[\n        stop,\n    ],\n)\n",
    "callbacks by name": "given = [stop,]\nmodel.fit(x, y, callbacks=given)\n",
}
VALUES = {NAME: True, "fit.epochs": 7, "fit.batch_size": 16, "optimizer.learning_rate": 0.004}


@pytest.mark.parametrize("head", [HEAD, HEAD.replace('"adam"', "keras.optimizers.Adam()")],
                         ids=["text", "object"])  # fmt: skip
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_with_others_in_any_order_and_back_in_any_order(push, head, call):
    _in_any_order(push(head + call))


def test_with_others_that_are_imported_as_well(push):
    bare = (
        HEAD.replace("keras.Sequential", "Sequential")
        .replace("layers.", "")
        .replace(
            IMPORTS,
            "from keras.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D\n"
            "from keras.models import Sequential\n",
        )
    )
    text = "".join(line for line in bare.splitlines(keepends=True) if "stop" not in line)
    _in_any_order(push(f"{text}model.fit(x, y)\n"))


def _in_any_order(root):
    before = Checkout(root)
    values = detect.read(root, "cnn.py").values()
    for names in permutations(VALUES, 3):
        if NAME not in names:
            continue
        now = before
        for name in names:
            now = tweaked(now, "cnn.py", {name: VALUES[name]})
        ast.parse(now.read_bytes("cnn.py"))
        for back in (names, names[::-1]):
            undone = now
            for name in back:
                undone = tweaked(undone, "cnn.py", {name: values[name]})
            assert undone.read_bytes("cnn.py") == before.read_bytes("cnn.py")
        tweak = {name: VALUES[name] for name in names}
        together = rewrite(root, "cnn.py", tweak)["cnn.py"]
        after = before.with_changes({"cnn.py": together})
        undone = tweaked(after, "cnn.py", {name: values[name] for name in names})
        assert undone.read_bytes("cnn.py") == before.read_bytes("cnn.py")


def test_everywhere_in_the_corpus(cnn):
    reading = cnn.read()
    if NAME not in reading.space():
        assert NAME not in reading.values()
        return
    changed = rewrite(cnn.root, cnn.script, {NAME: True})
    after = detect.read(cnn.root, cnn.script, changed=changed)
    assert after.values() == {**reading.values(), NAME: True}
    assert after.space() == reading.space()
    kinds = [(each.name, each.output_shape) for each in reading.layers]
    assert [(each.name, each.output_shape) for each in after.layers] == kinds
    assert after.trains_steadily == reading.trains_steadily
    assert describe(reading.values(), after.values()) == "learning rate reduced on plateaus"
