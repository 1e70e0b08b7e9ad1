"""What always holds of a tweak, over the whole corpus and random tweaks of its search spaces."""

import ast
import random
from functools import cache
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.source import detect
from jobs.source.files import Checkout
from jobs.source.rewrite import CannotRewrite, rewrite, tweaked

TWEAKS_OF_EACH = 11


@cache
def _reading(example):
    return example.read()


@settings(
    max_examples=TWEAKS_OF_EACH,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_always(cnn, draw, seed):
    reading = _reading(cnn)
    tweak = draw(random.Random(seed), reading)
    before = Checkout(cnn.root)
    after = tweaked(before, cnn.script, tweak)

    # It parses, and reading it again gives exactly the tweak's values.
    for path in after.changed:
        ast.parse(after.source(path).code)
    again = _read(after, cnn.script)
    assert {name: again[name] for name in tweak} == tweak

    # The inverse gives the files back byte for byte.
    back = {name: value for name, value in reading.values().items() if name in tweak}
    undone = tweaked(after, cnn.script, back)
    assert all(undone.read_bytes(path) == before.read_bytes(path) for path in undone.changed)

    # The same tweak gives the same text.
    assert tweaked(before, cnn.script, tweak).changed == after.changed

    # Only files that differ are handed back.
    result = rewrite(cnn.root, cnn.script, tweak)
    assert all(content != before.read_bytes(path) for path, content in result.items())


def _read(checkout, script):
    from jobs.source import knobs
    from jobs.source.analysis import analyse

    return {each.name: each.value for each in knobs.found(analyse(checkout, script))}


@settings(max_examples=1, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(seed=st.integers(0, 2**32 - 1))
def test_a_chain_of_tweaks_can_be_walked_back(cnn, draw, tmp_path_factory, seed):
    """Tweak after tweak, each on the script that the one before left, and all the way back."""
    chance = random.Random(seed)
    root = cnn.copy_to(tmp_path_factory.mktemp("chain"))
    steps = []
    for _ in range(3):
        reading = detect.read(root, cnn.script)
        tweak = draw(chance, reading)
        try:
            changes = rewrite(root, cnn.script, tweak)
        except CannotRewrite:
            continue
        back = {name: value for name, value in reading.values().items() if name in tweak}
        steps.append((back, {path: (root / path).read_bytes() for path in changes}))
        for path, content in changes.items():
            (root / path).write_bytes(content)
    for back, files in reversed(steps):
        for path, content in rewrite(root, cnn.script, back).items():
            (root / path).write_bytes(content)
        for path, content in files.items():
            assert (root / path).read_bytes() == content


@settings(max_examples=1, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(seed=st.integers(0, 2**32 - 1))
def test_a_callback_and_all_else_come_and_go_in_any_order(cnn, draw, seed):
    reading = _reading(cnn)
    name = "fit.reduce_lr_on_plateau"
    if name not in reading.space():
        return
    drawn = draw(random.Random(seed), reading)
    other = {each: value for each, value in drawn.items() if each not in (name, "blocks")}
    values = reading.values()
    before = Checkout(cnn.root)
    for first, second in permutations(({name: True}, other)):
        changed = tweaked(tweaked(before, cnn.script, first), cnn.script, second)
        found = _read(changed, cnn.script)
        assert {each: found[each] for each in (name, *other)} == {name: True, **other}
        for order in ((first, second), (second, first)):
            undone = changed
            for tweak in order:
                undone = tweaked(undone, cnn.script, {each: values[each] for each in tweak})
            for path in undone.changed:
                assert undone.read_bytes(path) == before.read_bytes(path)


def test_only_the_lines_of_the_values_change(cnn):
    """A change of one value touches one line (a helper module's, where the value lives there)."""
    reading = _reading(cnn)
    checkout = Checkout(cnn.root)
    for each in reading.hyperparameters:
        if each.held or not each.name.endswith((".filters", ".units", ".epochs", ".batch_size")):
            continue
        value = int(each.value) + 8 if each.name != "fit.batch_size" else max(1, each.value // 2)
        changes = rewrite(cnn.root, cnn.script, {each.name: value})
        assert len(changes) == 1
        [(path, content)] = changes.items()
        old = checkout.read_bytes(path).splitlines()
        new = content.splitlines()
        if path.endswith(".ipynb") and len(old) == 1:
            continue
        assert len(old) == len(new)
        changed = [n for n, (a, b) in enumerate(zip(old, new, strict=True), 1) if a != b]
        assert len(changed) == 1
        assert path == each.place.path
        if each.place.cell is None:
            assert changed == [each.place.line]


@pytest.mark.parametrize("value", [0, -3, 1.5, "many", True])
def test_values_that_nothing_can_be_built_with(cnns, value):
    example = next(each for each in cnns if each.name == "classic_cats_dogs.py")
    with pytest.raises(CannotRewrite, match=r"conv1\.filters cannot be"):
        rewrite(example.root, example.script, {"conv1.filters": value})


@pytest.mark.parametrize("given", ["AdamW(1e-3, 0.01)", "SGD(0.01, 0.9, True, 1e-4)"])
def test_what_is_given_to_an_optimizer_by_position_is_left_alone(given, tmp_path):
    script = (
        "from keras import Sequential, layers\n"
        "from keras.optimizers import SGD, AdamW\n"
        "model = Sequential([layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(),\n"
        '                    layers.Dense(2, activation="softmax")])\n'
        f'model.compile({given}, loss="sparse_categorical_crossentropy")\n'
        "model.fit(x, y)\n"
    )
    (tmp_path / "cnn.py").write_text(script)
    reading = detect.read(tmp_path, "cnn.py")
    assert "optimizer.weight_decay" not in reading.values()
    held = {each.name for each in reading.hyperparameters if each.held}
    assert "optimizer.name" in held
    assert "optimizer.learning_rate" in reading.values().keys() - held


VALUES = {
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.005,
    "optimizer.use_ema": True,
    "optimizer.weight_decay": 0.01,
}


@pytest.mark.parametrize("given", ["'adam'", "Adam()", "Adam(0.002)", "Adam(weight_decay=0.05)"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_an_optimizers_values_come_and_go_together_and_in_any_order(given, count, tmp_path):
    script = (
        "from keras import Sequential, layers\n"
        "from keras.optimizers import Adam\n"
        "model = Sequential([layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(),\n"
        '                    layers.Dense(2, activation="softmax")])\n'
        f'model.compile({given}, loss="sparse_categorical_crossentropy")\n'
        "model.fit(x, y)\n"
    )
    (tmp_path / "cnn.py").write_text(script)
    before = Checkout(tmp_path)
    values = _read(before, "cnn.py")
    for names in permutations(VALUES, count):
        now = before
        for name in names:
            now = tweaked(now, "cnn.py", {name: VALUES[name]})
        together = tweaked(before, "cnn.py", {name: VALUES[name] for name in names})
        for changed in (now, together):
            found = _read(changed, "cnn.py")
            assert {name: found[name] for name in names} == {name: VALUES[name] for name in names}
            undone = tweaked(changed, "cnn.py", {name: values[name] for name in names})
            assert undone.read_bytes("cnn.py").decode() == script
