"""What a normalisation is written as, and where it stands."""

import re

import pytest

from jobs.source.rewrite import CannotRewrite, rewrite

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


HEAD = "from keras import Input, Model, layers, models\n\n"
TRAINED = """\
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=2, validation_split=0.2)
"""
LINES = """\
model = models.Sequential()
model.add(layers.Conv2D(8, 3, input_shape=(64, 64, 3)))
model.add(layers.Activation("relu"))
model.add(layers.Conv2D(8, 3, activation="relu"))
model.add(layers.Activation("relu"))
model.add(layers.MaxPooling2D())
model.add(layers.Dropout(0.25))
model.add(layers.Conv2D(8, 3, strides=2, activation="relu"))
model.add(layers.Flatten())
model.add(layers.Dense(1, activation="sigmoid"))
"""
ONE_BLOCK = LINES.replace('model.add(layers.Conv2D(8, 3, strides=2, activation="relu"))\n', "")
SKIPPED = """\
given = Input((64, 64, 3))
x = layers.Conv2D(8, 3, padding="same", activation="relu")(given)
before = x
x = layers.MaxPooling2D()(x)
x = layers.UpSampling2D()(x)
x = layers.Concatenate()([x, before])
x = layers.Conv2D(8, 3, activation="relu")(x)
x = layers.AveragePooling2D()(x)
x = layers.Flatten()(x)
model = Model(given, layers.Dense(1, activation="sigmoid")(x))
"""
SOMETIMES = """\
def block(x, filters, pool):
    x = layers.Conv2D(filters, 3, activation="relu")(x)
    if pool:
        x = layers.MaxPooling2D()(x)
    return x

given = Input((64, 64, 3))
x = block(given, 8, False)
x = block(x, 8, True)
x = layers.Flatten()(x)
model = Model(given, layers.Dense(1, activation="sigmoid")(x))
"""
ALWAYS = SOMETIMES.replace("False", "True").replace("    if pool:\n    ", "")
SHARED = """\
def shrink(x):
    x = layers.MaxPooling2D()(x)
    return x

given = Input((64, 64, 3))
x = layers.Conv2D(8, 3, activation="relu")(given)
x = shrink(x)
x = layers.Dropout(0.1)(x)
x = shrink(x)
x = layers.Flatten()(x)
model = Model(given, layers.Dense(1, activation="sigmoid")(x))
"""
LOOP = """\
model = models.Sequential()
model.add(Input((64, 64, 3)))
model.add(layers.Conv2D(16, 3, activation="relu"))
for f in (16, 32):
    model.add(layers.MaxPooling2D())
    model.add(layers.Conv2D(f, 3, activation="relu"))
model.add(layers.Flatten())
model.add(layers.Dense(1, activation="sigmoid"))
"""
MADE_BEFORE = """\
pool = layers.MaxPooling2D()
model = models.Sequential([
    Input((64, 64, 3)),
    layers.Conv2D(8, 3, activation="relu"),
    pool,
    layers.Flatten(),
    layers.Dense(1, activation="sigmoid"),
])
"""
ADDED = "BatchNormalization(momentum=0.9)"


@pytest.mark.parametrize(
    ("network", "before"),
    [
        (LINES, ["Conv2D(8, 3, input_shape", "MaxPooling2D", "strides=2"]),
        (SKIPPED, ["padding=", "AveragePooling2D"]),
        (SOMETIMES, ["Conv2D(filters"]),
        (ALWAYS, ["MaxPooling2D"]),
        (SHARED, ["Conv2D"]),
        (LOOP, ["Conv2D(16", "Conv2D(f"]),
        (MADE_BEFORE, ["Conv2D"]),
    ],
)
def test_a_normalisation_stands_behind_a_pooling_that_is_a_convolutions_own(
    tmp_path, network, before
):
    script = HEAD + network + TRAINED
    (tmp_path / "cnn.py").write_text(script)
    changed = rewrite(tmp_path, "cnn.py", {"batch_norm": True})["cnn.py"].decode()
    lines = changed.splitlines()
    found = [lines[i - 1] for i, line in enumerate(lines) if ADDED in line]
    assert len(found) == len(before)
    assert all(each in line for each, line in zip(before, found, strict=True))
    (tmp_path / "cnn.py").write_text(changed)
    assert rewrite(tmp_path, "cnn.py", {"batch_norm": False})["cnn.py"].decode() == script


def test_a_block_that_is_added_later_is_normalised_like_the_last_one(tmp_path):
    script = HEAD + ONE_BLOCK
    (tmp_path / "cnn.py").write_text(script + TRAINED)
    (tmp_path / "cnn.py").write_bytes(rewrite(tmp_path, "cnn.py", {"batch_norm": True})["cnn.py"])
    normalised = (tmp_path / "cnn.py").read_bytes()
    deeper = rewrite(tmp_path, "cnn.py", {"blocks": 2})["cnn.py"]
    added = deeper.decode().splitlines()
    last = next(i for i, line in enumerate(added) if "Flatten" in line)
    kinds = ("Conv2D(16", "Activation", "MaxPooling2D", ADDED)
    assert all(kind in line for kind, line in zip(kinds, added[last - 4 : last], strict=True))
    (tmp_path / "cnn.py").write_bytes(deeper)
    assert rewrite(tmp_path, "cnn.py", {"blocks": 1})["cnn.py"] == normalised


@pytest.mark.parametrize(
    ("given", "tweak", "momentum"),
    [
        ('"adam"', {}, 0.9),
        ('"adam"', {"optimizer.use_ema": True}, 0.99),
        ("optimizers.Adam(1e-3, use_ema=True)", {}, 0.99),
        ("optimizers.Adam(1e-3, use_ema=True)", {"optimizer.use_ema": False}, 0.9),
    ],
)
def test_statistics_are_calmer_where_weights_are_averaged(tmp_path, given, tweak, momentum):
    script = HEAD.replace("models", "models, optimizers") + LINES
    script += TRAINED.replace('"adam"', given)
    (tmp_path / "cnn.py").write_text(script)
    tweak = {**tweak, "batch_norm": True}
    changed = rewrite(tmp_path, "cnn.py", tweak)["cnn.py"].decode()
    assert changed.count(f"BatchNormalization(momentum={momentum})") == 3
    (tmp_path / "cnn.py").write_text(changed)
    back = {"batch_norm": False, "optimizer.use_ema": "use_ema" in given}
    assert rewrite(tmp_path, "cnn.py", back)["cnn.py"].decode() == script


WITHIN_A_LINE = """\
model = models.Sequential([Input((64, 64, 3)), layers.Conv2D(8, 3), layers.MaxPooling2D(),
                           layers.Flatten(), layers.Dense(1, activation="sigmoid")])
"""


@pytest.mark.parametrize("network", [LINES, WITHIN_A_LINE])
def test_statistics_follow_when_weights_begin_to_be_averaged(tmp_path, network):
    script = HEAD + network + TRAINED
    (tmp_path / "cnn.py").write_text(script)
    tweaks = ({"batch_norm": True}, {"optimizer.use_ema": True}, {"blocks": 2})
    states = [script]
    for tweak in tweaks:
        states.append(rewrite(tmp_path, "cnn.py", tweak)["cnn.py"].decode())
        (tmp_path / "cnn.py").write_text(states[-1])
    momenta = [re.findall(r"momentum=([\d.]+)", each) for each in states]
    assert set(momenta[1]) == {"0.9"}
    assert momenta[2] == ["0.99"] * len(momenta[1])
    assert set(momenta[3]) == {"0.99"}
    for state, back in zip(
        states[-2::-1],
        ({"blocks": 1}, {"optimizer.use_ema": False}, {"batch_norm": False}),
        strict=True,
    ):
        assert rewrite(tmp_path, "cnn.py", back)["cnn.py"].decode() == state
        (tmp_path / "cnn.py").write_text(state)


def test_the_pushers_own_normalisations_keep_their_momentum(tmp_path):
    own = LINES.replace(
        "layers.MaxPooling2D()",
        "layers.MaxPooling2D(),\n    layers.BatchNormalization(momentum=0.9)",
    )
    assert own != LINES
    (tmp_path / "cnn.py").write_text(HEAD + own + TRAINED)
    changed = rewrite(tmp_path, "cnn.py", {"optimizer.use_ema": True})["cnn.py"].decode()
    assert changed.count("momentum=0.9)") == own.count("momentum=0.9)")


def test_a_normalisation_added_before_weights_were_averaged_can_be_taken_out(tmp_path):
    (tmp_path / "cnn.py").write_text(HEAD + LINES + TRAINED)
    for tweak in ({"batch_norm": True}, {"optimizer.use_ema": True}, {"batch_norm": False}):
        (tmp_path / "cnn.py").write_bytes(rewrite(tmp_path, "cnn.py", tweak)["cnn.py"])
    assert "BatchNormalization" not in (tmp_path / "cnn.py").read_text()


@pytest.mark.parametrize("momentum", ["0.9", "0.97", "0.99"])
@pytest.mark.parametrize("given", ['"adam"', "optimizers.Adam(1e-3, use_ema=True)"])
def test_averaging_can_begin_and_end_whatever_was_changed_by_hand(tmp_path, momentum, given):
    script = HEAD.replace("models", "models, optimizers") + LINES + TRAINED
    (tmp_path / "cnn.py").write_text(script)
    changed = rewrite(tmp_path, "cnn.py", {"batch_norm": True})["cnn.py"].decode()
    by_hand = changed.replace("momentum=0.9", f"momentum={momentum}").replace('"adam"', given)
    (tmp_path / "cnn.py").write_text(by_hand)
    averaged = "use_ema" in given
    assert rewrite(tmp_path, "cnn.py", {"optimizer.use_ema": averaged}) == {}
    other = rewrite(tmp_path, "cnn.py", {"optimizer.use_ema": not averaged})["cnn.py"]
    (tmp_path / "cnn.py").write_bytes(other)
    back = rewrite(tmp_path, "cnn.py", {"optimizer.use_ema": averaged})["cnn.py"]
    assert back.decode() == by_hand


def test_normalisations_of_a_block_that_was_taken_out_follow_as_well(tmp_path):
    two = LINES.replace(
        "model.add(layers.Flatten())",
        "model.add(layers.MaxPooling2D())\nmodel.add(layers.Flatten())",
    )
    (tmp_path / "cnn.py").write_text(HEAD + two + TRAINED)
    for tweak in (
        {"batch_norm": True},
        {"blocks": 1},
        {"optimizer.use_ema": True},
        {"blocks": 2},
        {"optimizer.use_ema": False},
        {"blocks": 1},
        {"blocks": 2, "optimizer.use_ema": True},
    ):
        changed = rewrite(tmp_path, "cnn.py", tweak)["cnn.py"]
        (tmp_path / "cnn.py").write_bytes(changed)
        assert len(set(re.findall(r"momentum=([\d.]+)", changed.decode()))) == 1
    assert "momentum=0.99" in changed.decode()


PARTIAL = """\
Conv = partial(layers.Conv2D, kernel_size=3, activation="relu")

model = models.Sequential([
    Conv(8, input_shape=(64, 64, 3)),
    Conv(8),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dense(1, activation="sigmoid"),
])
"""


def test_one_file_spells_its_normalisations_alike(tmp_path):
    script = "from functools import partial\n\n" + HEAD + PARTIAL + TRAINED
    (tmp_path / "cnn.py").write_text(script)
    changed = rewrite(tmp_path, "cnn.py", {"batch_norm": True})["cnn.py"].decode()
    assert changed.count(f"    layers.{ADDED},") == changed.count("BatchNormalization") == 2
    (tmp_path / "cnn.py").write_text(changed)
    assert rewrite(tmp_path, "cnn.py", {"batch_norm": False})["cnn.py"].decode() == script


POOLED_OUTPUT = """\
model = models.Sequential()
model.add(Input((64, 64, 3)))
model.add(layers.Conv2D(8, 3, activation="relu"))
model.add(layers.Conv2D(10, 1))
model.add(layers.AveragePooling2D(62))
model.add(layers.Flatten())
model.add(layers.Activation("softmax"))
"""
TWINS = """\
first, second = Input((64, 64, 3)), Input((64, 64, 3))
conv = layers.Conv2D(16, 3, activation="relu")
p = conv(first)
q = conv(second)
p = layers.MaxPooling2D()(p)
q = layers.MaxPooling2D()(q)
x = layers.Concatenate()([p, q])
x = layers.Flatten()(x)
model = Model([first, second], layers.Dense(1, activation="sigmoid")(x))
"""


def test_classes_are_not_normalised(tmp_path):
    (tmp_path / "cnn.py").write_text(HEAD + POOLED_OUTPUT + TRAINED)
    changed = rewrite(tmp_path, "cnn.py", {"batch_norm": True})["cnn.py"].decode()
    normalised, *behind = changed.partition(f"model.add(layers.{ADDED})")
    assert normalised.endswith('activation="relu"))\n')
    assert all("BatchNormalization" not in each for each in behind[1:])


def test_of_two_branches_one_alone_is_not_normalised(tmp_path):
    (tmp_path / "cnn.py").write_text(HEAD + TWINS + TRAINED)
    with pytest.raises(CannotRewrite, match="held"):
        rewrite(tmp_path, "cnn.py", {"batch_norm": True})


def test_a_pushers_normalisation_behind_a_pooling_is_repeated_with_its_block(tmp_path):
    script = HEAD + ONE_BLOCK.replace("Dropout(0.25)", "BatchNormalization()")
    (tmp_path / "cnn.py").write_text(script + TRAINED)
    for tweak, count in (({"blocks": 2}, 2), ({"blocks": 2, "batch_norm": False}, 1)):
        changed = rewrite(tmp_path, "cnn.py", tweak)["cnn.py"].decode()
        assert changed.count("BatchNormalization()") == count
