"""An optimizer's state in a child some of whose weights are new."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

keras = pytest.importorskip("keras")
from keras import layers as L  # noqa: E402, N812
from trainer import averaging, momentum, network, surgery  # noqa: E402

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(64, 8, 8, 3)).astype("float32")
LABELS = RANDOM.integers(0, 2, 64)


def compiled(optimizer: Any, *, filters: int = 4, units: int = 5) -> Any:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            L.Conv2D(3, 3, activation="relu"),
            L.BatchNormalization(),
            L.Conv2D(filters, 3, activation="relu"),
            L.GlobalAveragePooling2D(),
            L.Dense(units, activation="relu"),
            L.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def taken_over(parent: Any, child: Any, folder: Path) -> int:
    parent.fit(IMAGES, LABELS, batch_size=2, epochs=1, verbose=0)  # 32 steps
    path = folder / "model.keras"
    parent.save(path)
    theirs = network.read_file(path)
    ours, live = network.of_model(child)
    done = surgery.inherit(theirs, ours, seed=0)
    for index, weights in done.weights.items():
        live[index].set_weights(weights)
    return momentum.take_over_in_part(theirs, child, done, live)


def moments(model: Any, name: str) -> dict[str, Any]:
    """By the layer's place and the weight's name."""
    optimizer = model.optimizer
    places = {id(w): (i, w.name) for i, layer in enumerate(model.layers) for w in layer.weights}
    return {
        places[id(variable)]: np.asarray(value)
        for variable, value in zip(
            optimizer._trainable_variables, getattr(optimizer, name), strict=True
        )
    }


UNCHANGED = {(0, "kernel"), (0, "bias"), (1, "gamma"), (1, "beta"), (4, "bias"), (5, "kernel"),
             (5, "bias")}  # fmt: skip
"""Of a network whose second convolution alone is wider."""


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: keras.optimizers.Adam(0.003), {"_momentums": 0.9, "_velocities": 0.999}),
        (lambda: keras.optimizers.AdamW(0.003), {"_momentums": 0.9, "_velocities": 0.999}),
        (lambda: keras.optimizers.RMSprop(0.003), {"_velocities": None}),
        (lambda: keras.optimizers.SGD(0.003, momentum=0.9), {"momentums": None}),
        (
            lambda: keras.optimizers.Adam(0.003, use_ema=True),
            {"_momentums": 0.9, "_velocities": 0.999},
        ),
    ],
    ids=["Adam", "AdamW", "RMSprop", "SGD", "averaging"],
)
def test_unchanged_weights_keep_their_moments_and_new_ones_have_none(make, names, tmp_path):
    parent, child = compiled(make()), compiled(make(), filters=6)
    assert taken_over(parent, child, tmp_path) == len(UNCHANGED)
    for name, decay in names.items():
        theirs, ours = moments(parent, name), moments(child, name)
        # Adam's moments are fractions of what they estimate, which grow with its steps.
        factor = 1.0 if decay is None else (1 - decay**momentum.STEPS) / (1 - decay**32)
        for place, value in ours.items():
            wanted = theirs[place] * factor if place in UNCHANGED else np.zeros_like(value)
            np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-9)
    if any(names.values()):
        assert int(child.optimizer.iterations) == momentum.STEPS


def test_new_weights_step_hardly_further_than_with_a_fresh_optimizer(tmp_path):
    parent = compiled(keras.optimizers.Adam(1e-4))
    child = compiled(keras.optimizers.Adam(1e-4), filters=6)
    assert taken_over(parent, child, tmp_path)
    before = np.asarray(child.layers[2].weights[0])
    child.fit(IMAGES[:8], LABELS[:8], epochs=1, verbose=0)
    assert 0 < np.abs(np.asarray(child.layers[2].weights[0]) - before).max() < 1.13e-4


def test_what_is_measured_has_no_moments(tmp_path):
    def make(filters: int) -> Any:
        model = keras.Sequential([keras.Input((8, 8, 3)), L.Normalization()])
        model.layers[0].adapt(IMAGES)
        for each in compiled(keras.optimizers.Adam(), filters=filters).layers:
            model.add(each)
        model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy")
        return model

    assert taken_over(make(4), make(6), tmp_path) == len(UNCHANGED)


def test_averages_begin_with_the_inherited_weights(tmp_path):
    def make() -> Any:
        return keras.optimizers.Adam(1e-3, use_ema=True)

    child = compiled(make(), filters=6)
    assert taken_over(compiled(make()), child, tmp_path)
    for variable, average in averaging.averages(child):
        np.testing.assert_array_equal(np.asarray(variable), np.asarray(average))


@pytest.mark.parametrize(
    ("parents", "childs"),
    [
        (lambda: keras.optimizers.SGD(0.01), lambda: keras.optimizers.SGD(0.01)),
        (lambda: keras.optimizers.Adam(), lambda: keras.optimizers.RMSprop()),
        (lambda: keras.optimizers.Adam(amsgrad=True), lambda: keras.optimizers.Adam(amsgrad=True)),
        (lambda: keras.optimizers.Nadam(), lambda: keras.optimizers.Nadam()),
        (
            lambda: keras.optimizers.Adam(),
            lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, 99)),
        ),
    ],
    ids=["none kept", "another one", "amsgrad", "Nadam", "a schedule"],
)
def test_what_cannot_be_divided_begins_anew(parents, childs, tmp_path):
    child = compiled(childs(), filters=6)
    assert taken_over(compiled(parents()), child, tmp_path) == 0
    assert int(child.optimizer.iterations) == 0


def test_layers_that_are_not_trained_have_no_moments_to_be_confused_by(tmp_path):
    def frozen(**sizes: int) -> Any:
        model = compiled("adam", **sizes)
        model.layers[0].trainable = False
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    parent, child = frozen(), frozen(filters=6)
    assert taken_over(parent, child, tmp_path) == len(UNCHANGED) - 2
    theirs, ours = moments(parent, "_momentums"), moments(child, "_momentums")
    factor = (1 - 0.9**momentum.STEPS) / (1 - 0.9**32)
    np.testing.assert_allclose(ours[5, "kernel"], theirs[5, "kernel"] * factor, rtol=1e-4)
