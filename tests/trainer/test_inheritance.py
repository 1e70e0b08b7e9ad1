"""Weight inheritance: what is claimed to compute the same does so, to 1e-5."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

keras = pytest.importorskip("keras")
from chains import difference, inherited, sequential  # noqa: E402
from keras import layers as L  # noqa: E402, N812
from trainer import network, surgery  # noqa: E402


@pytest.fixture
def inherit(tmp_path: Path) -> Callable[..., surgery.Inheritance]:
    return lambda parent, child: inherited(parent, child, tmp_path)


def network_of(
    filters: int = 4,
    kernel: int = 3,
    units: int = 6,
    *,
    padding: str = "same",
    normalised: bool = False,
    more: tuple[Any, ...] = (),
    bridge: Any = None,
    dense: tuple[Any, ...] = (),
) -> Any:
    normalisation = [L.BatchNormalization()] if normalised else []
    return sequential(
        L.Conv2D(filters, kernel, padding=padding, activation="relu"),
        *normalisation,
        L.MaxPooling2D(),
        L.Conv2D(filters + 1, kernel, padding=padding, activation="relu"),
        L.MaxPooling2D(),
        *more,
        bridge or L.Flatten(),
        L.Dense(units, activation="relu"),
        *dense,
        L.Dense(3, activation="softmax"),
    )


PRESERVED = {
    "the same": (network_of, network_of),
    "more filters": (network_of, lambda: network_of(filters=7)),
    "more filters before a normalisation": (
        lambda: network_of(normalised=True),
        lambda: network_of(filters=9, normalised=True),
    ),
    "more units": (network_of, lambda: network_of(units=11)),
    "larger kernels": (network_of, lambda: network_of(kernel=5)),
    "an even kernel": (network_of, lambda: network_of(kernel=4)),
    "all at once": (network_of, lambda: network_of(filters=6, kernel=5, units=9)),
    "dropout": (network_of, lambda: network_of(dense=(L.Dropout(0.5),))),
    "a new convolution": (
        network_of,
        lambda: network_of(more=(L.Conv2D(5, 3, padding="same", activation="relu"),)),
    ),
    "a new, wider convolution": (
        network_of,
        lambda: network_of(more=(L.Conv2D(8, 3, padding="same", activation="relu"),)),
    ),
    "a new dense layer": (network_of, lambda: network_of(dense=(L.Dense(8, activation="relu"),))),
    "global average pooling, wider": (
        lambda: network_of(bridge=L.GlobalAveragePooling2D()),
        lambda: network_of(filters=7, bridge=L.GlobalAveragePooling2D()),
    ),
    "a separate activation": (
        lambda: sequential(
            L.Conv2D(4, 3), L.BatchNormalization(), L.Activation("relu"), L.Flatten(), L.Dense(2)
        ),
        lambda: sequential(
            L.Conv2D(6, 3), L.BatchNormalization(), L.Activation("relu"), L.Flatten(), L.Dense(2)
        ),
    ),
    "separable convolutions": (
        lambda: sequential(
            L.SeparableConv2D(4, 3, padding="same"),
            L.SeparableConv2D(5, 3),
            L.Flatten(),
            L.Dense(2),
        ),
        lambda: sequential(
            L.SeparableConv2D(6, 3, padding="same"),
            L.SeparableConv2D(7, 3),
            L.Flatten(),
            L.Dense(2),
        ),
    ),
    "strides with a larger kernel": (
        lambda: sequential(L.Conv2D(4, 3, strides=2, padding="same"), L.Flatten(), L.Dense(2)),
        lambda: sequential(L.Conv2D(5, 5, strides=2, padding="same"), L.Flatten(), L.Dense(2)),
    ),
    "global average pooling turned into Flatten": (
        lambda: network_of(bridge=L.GlobalAveragePooling2D()),
        network_of,
    ),
}


@pytest.mark.parametrize("name", PRESERVED)
def test_the_child_computes_what_its_parent_did(name, inherit):
    make_parent, make_child = PRESERVED[name]
    parent, child = make_parent(), make_child()
    assert parent is not child
    inherit(parent, child)
    assert difference(parent, child) < 1e-5


def test_without_inheritance_the_outputs_differ():
    assert difference(network_of(), network_of(filters=7)) > 1e-3


def test_the_same_network_is_inherited_whole(inherit):
    done = inherit(network_of(), network_of())
    assert done.share == pytest.approx(1.0)
    assert all(sentence.endswith("taken over.") for sentence in done.sentences)


def test_fewer_filters_are_the_strongest(inherit):
    parent, child = network_of(filters=6), network_of(filters=3)
    kernel, bias = parent.layers[0].get_weights()
    kernel[..., [1, 4, 5]] *= 100
    parent.layers[0].set_weights([kernel, bias])
    done = inherit(parent, child)
    np.testing.assert_allclose(child.layers[0].get_weights()[0], kernel[..., [1, 4, 5]])
    assert "conv2d" in done.sentences[0]
    assert "the strongest 3 filters kept" in done.sentences[0]
    # The next layer's weights for the filters that are gone are gone with them.
    np.testing.assert_allclose(child.layers[2].get_weights()[0].shape[2], 3)


def test_smaller_kernels_keep_the_middle(inherit):
    parent, child = network_of(kernel=5), network_of(kernel=3)
    done = inherit(parent, child)
    middle = parent.layers[0].get_weights()[0][1:4, 1:4]
    np.testing.assert_allclose(child.layers[0].get_weights()[0], middle)
    assert "kernel 5×5 cut to its middle to 3×3" in done.sentences[0]


def test_a_new_block_with_pooling_keeps_the_convolutions_and_gathers_the_map(inherit):
    parent = network_of()
    child = network_of(more=(L.Conv2D(8, 3, padding="same", activation="relu"), L.MaxPooling2D()))
    done = inherit(parent, child)
    for before, after in ((0, 0), (2, 2)):
        np.testing.assert_allclose(
            child.layers[after].get_weights()[0], parent.layers[before].get_weights()[0]
        )
    assert "begins as the identity" in done.sentences[2]
    assert "map 4×4 gathered into 2×2, an approximation" in done.sentences[3]
    assert 0 < done.share < 1


def test_a_block_taken_away_leaves_what_follows_fresh(inherit):
    parent = network_of(more=(L.Conv2D(8, 3, padding="same", activation="relu"),))
    child = network_of()
    done = inherit(parent, child)
    assert "what it sees is not what the parent's layer saw" in done.sentences[2]
    np.testing.assert_allclose(child.layers[2].get_weights()[0], parent.layers[2].get_weights()[0])


def test_other_classes_leave_the_last_layer_fresh(inherit):
    parent = sequential(L.Conv2D(4, 3), L.Flatten(), L.Dense(2, activation="softmax"))
    child = sequential(L.Conv2D(4, 3), L.Flatten(), L.Dense(5, activation="softmax"))
    done = inherit(parent, child)
    assert "the number of classes has changed" in done.sentences[1]


def test_noise_parts_the_copies_and_nothing_else(tmp_path):
    parent, child = network_of(), network_of(filters=8)
    parent.save(tmp_path / "model.keras")
    done = surgery.inherit(
        network.read_file(tmp_path / "model.keras"), network.of_model(child)[0], noise=0.01, seed=1
    )
    kernel = done.weights[0][0]
    np.testing.assert_allclose(kernel[..., :4], parent.layers[0].get_weights()[0], rtol=1e-6)
    for copy in range(4, 8):
        distances = np.abs(kernel[..., :4] - kernel[..., copy : copy + 1]).max(axis=(0, 1, 2))
        assert 0 < distances.min() < 0.1


def test_models_with_branches_take_over_layers_of_the_same_shape(inherit):
    def branched(filters: int) -> Any:
        inputs = keras.Input((16, 16, 3))
        x = L.Conv2D(4, 3, padding="same", activation="relu")(inputs)
        y = L.Conv2D(4, 3, padding="same")(x)
        x = L.add([x, y])
        x = L.Conv2D(filters, 3)(x)
        return keras.Model(inputs, L.Dense(2)(L.Flatten()(x)))

    parent, child = branched(3), branched(3)
    inherit(parent, child)
    assert difference(parent, child) < 1e-6
    done = inherit(branched(3), branched(6))
    assert "in a model with branches" in done.sentences[2]


def test_a_functional_chain_inherits_from_a_sequential_one(inherit):
    def functional(filters: int) -> Any:
        inputs = keras.Input((16, 16, 3))
        x = keras.Sequential([L.Conv2D(filters, 3, activation="relu"), L.MaxPooling2D()])(inputs)
        return keras.Model(inputs, L.Dense(2)(L.Flatten()(x)))

    parent = sequential(
        L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(2)
    )
    child = functional(6)
    inherit(parent, child)
    assert difference(parent, child) < 1e-5


def test_a_file_that_is_no_model_says_so(tmp_path):
    (tmp_path / "model.keras").write_text("no zip")
    with pytest.raises(network.NetworkError, match="cannot be read"):
        network.read_file(tmp_path / "model.keras")
