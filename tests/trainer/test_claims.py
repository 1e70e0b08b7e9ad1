"""What is said of inherited weights is true: the same is computed, or what is near is named."""

from typing import Any

import pytest

pytestmark = pytest.mark.tensorflow

pytest.importorskip("keras")
from chains import difference, inherited, sequential  # noqa: E402
from keras import layers as L  # noqa: E402, N812

RELU = {"padding": "same", "activation": "relu"}
NEAR = ("approximation", "border", "begins anew")


def conv(filters: int = 8, kernel: int = 3, **options: Any) -> Any:
    return L.Conv2D(filters, kernel, **RELU | options)


def pooled(*layers: Any, bridge: type = L.GlobalAveragePooling2D) -> Any:
    return sequential(*layers, bridge(), L.Dense(3, activation="softmax"))


def flat(*layers: Any, shape: tuple[int, ...] = (16, 16, 3)) -> Any:
    return sequential(*layers, L.Flatten(), L.Dense(3, activation="softmax"), shape=shape)


def pool() -> Any:
    return L.MaxPooling2D(2)


# The parent, the child, and which of the child's layers are new.
BETWEEN = {
    "a convolution before a pooling": (
        lambda: pooled(conv(), pool(), conv(), pool()),
        lambda: pooled(conv(), conv(), pool(), conv(), pool()),
        1,
    ),
    "a convolution before a strided one": (
        lambda: pooled(conv(), conv(strides=2)),
        lambda: pooled(conv(), conv(), conv(strides=2)),
        1,
    ),
    "a convolution before its activation": (
        lambda: pooled(conv(activation=None), L.ReLU(), conv()),
        lambda: pooled(conv(activation=None), conv(activation=None), L.ReLU(), conv()),
        1,
    ),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_a_layer_between_two_of_its_size_is_told_from_them(name, tmp_path):
    make_parent, make_child, new = BETWEEN[name]
    parent, child = make_parent(), make_child()
    done = inherited(parent, child, tmp_path)
    assert new not in done.partners
    assert done.anew == 0
    assert difference(parent, child) < 1e-5


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        (
            [L.Conv2D, L.ReLU, L.BatchNormalization],
            [L.Conv2D, L.BatchNormalization, L.ReLU, L.BatchNormalization],
            1,
        ),
        (
            [L.Conv2D, L.MaxPooling2D, L.BatchNormalization],
            [L.Conv2D, L.BatchNormalization, L.MaxPooling2D, L.BatchNormalization],
            1,
        ),
    ],
    ids=["behind an activation", "behind a pooling"],
)
def test_a_new_normalisation_is_told_from_the_one_that_was_there(before, after, new, tmp_path):
    def model(kinds: list[type]) -> Any:
        return pooled(*(conv(activation=None) if kind is L.Conv2D else kind() for kind in kinds))

    done = inherited(model(before), model(after), tmp_path)
    assert done.undoing == [new]


NO_IDENTITY = {
    "a ReLU behind a normalisation": (
        lambda: flat(conv(4), L.BatchNormalization()),
        lambda: flat(conv(4), L.BatchNormalization(), conv(8, activation=None), L.ReLU()),
    ),
    "a ReLU behind units that are not rectified": (
        lambda: pooled(conv(4), bridge=lambda: L.Flatten()),
        lambda: sequential(conv(4, activation="tanh"), L.Flatten(), L.Dense(4 * 256), L.ReLU(),
                           L.Dense(3, activation="softmax")),
    ),
    "two that leak": (
        lambda: flat(conv(4, activation=None), L.LeakyReLU()),
        lambda: flat(conv(4, activation=None), L.LeakyReLU(), conv(4, activation=None),
                     L.LeakyReLU()),
    ),
    "a tanh": (
        lambda: flat(conv(4)),
        lambda: flat(conv(4), conv(4, activation=None), L.Activation("tanh")),
    ),
    "a softmax": (
        lambda: flat(conv(4)),
        lambda: flat(conv(4), conv(4, activation=None), L.Softmax()),
    ),
    "a normalisation before a ReLU": (
        lambda: flat(conv(4), L.BatchNormalization(), conv(5)),
        lambda: flat(conv(4), conv(4, activation=None), L.BatchNormalization(), L.ReLU(), conv(5)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_IDENTITY)
def test_what_a_new_activation_changes_is_no_identity(name, tmp_path):
    make_parent, make_child = NO_IDENTITY[name]
    parent, child = make_parent(), make_child()
    done = inherited(parent, child, tmp_path)
    assert not any("begins as the identity" in each for each in done.sentences)
    assert done.anew >= 1


VALID = {
    "strides": (17, lambda kernel: [conv(4, kernel, padding="valid", strides=3)]),
    "two poolings": (16, lambda kernel: [conv(4, kernel, padding="valid"), pool(), pool()]),
    "a second convolution": (
        18,
        lambda kernel: [conv(4, kernel, padding="valid"), pool(), conv(5, 3, padding="valid"),
                        pool()],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_a_larger_kernel_without_padding_moves_no_map(name, tmp_path):
    size, layers = VALID[name]
    parent, child = (flat(*layers(kernel), shape=(size, size, 3)) for kernel in (3, 5))
    done = inherited(parent, child, tmp_path)
    assert "padded with zeros to 5×5, but for the map's border" in done.sentences[0]
    if parent.layers[-1].input.shape == child.layers[-1].input.shape:
        assert difference(parent, child) < 1e-5


def test_a_smaller_kernel_keeps_its_middle_without_padding_as_well(tmp_path):
    parent, child = (flat(conv(4, kernel, padding="valid")) for kernel in (5, 3))
    done = inherited(parent, child, tmp_path)
    assert "kernel 5×5 cut to its middle to 3×3" in done.sentences[0]
    kernel, theirs = child.layers[0].get_weights()[0], parent.layers[0].get_weights()[0]
    assert (kernel == theirs[1:4, 1:4]).all()


OTHER_MAPS = {
    "one more block": lambda: pooled(conv(4), pool(), conv(8), pool()),
    "one pooling more": lambda: pooled(conv(4), pool(), pool()),
    "one pooling less": lambda: pooled(conv(4)),
    "means": lambda: pooled(conv(4), L.AveragePooling2D(2)),
    "larger poolings": lambda: pooled(conv(4), L.MaxPooling2D(4)),
    "maxima of all": lambda: pooled(conv(4), pool(), bridge=L.GlobalMaxPooling2D),
}


@pytest.mark.parametrize("name", OTHER_MAPS)
def test_what_is_of_another_map_is_said_to_be_near(name, tmp_path):
    parent, child = pooled(conv(4), pool()), OTHER_MAPS[name]()
    done = inherited(parent, child, tmp_path)
    assert difference(parent, child) > 1e-5
    assert done.sentences[-1].endswith("of another map, an approximation.")
    assert not any(near in each for each in done.sentences[:-1] for near in NEAR)


@pytest.mark.parametrize("kind", [L.Conv2D, L.SeparableConv2D])
def test_other_strides_make_another_map(kind, tmp_path):
    parent, child = (pooled(kind(4, 3, strides=each)) for each in (2, 1))
    done = inherited(parent, child, tmp_path)
    assert done.sentences[0].endswith("taken over, of another map, an approximation.")


def test_a_normalisation_that_is_gone_is_missed(tmp_path):
    parent, child = flat(conv(4), L.BatchNormalization()), flat(conv(4))
    done = inherited(parent, child, tmp_path)
    assert "without the normalisation before it, an approximation" in done.sentences[-1]


BEHIND_FLATTEN = {
    "PReLU": L.PReLU,
    "LayerNormalization": L.LayerNormalization,
    "GroupNormalization": lambda: L.GroupNormalization(4),
    "UnitNormalization": L.UnitNormalization,
    "Rescaling": lambda: L.Rescaling(0.5, offset=-1.0),
    "Softmax": L.Softmax,
    "Reshape": lambda: L.Reshape((-1,)),
}


def behind_flatten(name: str, filters: int = 4) -> Any:
    return sequential(
        conv(filters), pool(), L.Flatten(), BEHIND_FLATTEN[name](), L.Dense(3, activation="softmax")
    )


@pytest.mark.parametrize("name", BEHIND_FLATTEN)
def test_the_same_network_is_inherited_whole(name, tmp_path):
    parent, child = behind_flatten(name), behind_flatten(name)
    child.set_weights([each * 0.5 for each in child.get_weights()])
    done = inherited(parent, child, tmp_path)
    assert (done.share, done.anew) == (pytest.approx(1.0), 0)
    assert difference(parent, child) < 1e-5


@pytest.mark.parametrize("name", ["PReLU", "Rescaling"])
def test_what_changes_each_value_by_itself_may_be_widened_before(name, tmp_path):
    parent, child = behind_flatten(name), behind_flatten(name, 7)
    done = inherited(parent, child, tmp_path)
    assert (done.share, done.anew) == (pytest.approx(1.0), 0)
    assert difference(parent, child) < 1e-5


@pytest.mark.parametrize(("filters", "said"), [(6, "strongest 6 filters kept"), (9, "widened")])
def test_other_filters_of_a_separable_layer_are_named(filters, said, tmp_path):
    parent, child = (pooled(L.SeparableConv2D(each, 3), conv(4)) for each in (8, filters))
    assert said in inherited(parent, child, tmp_path).sentences[0]


def test_a_scale_is_not_taken_for_an_offset(tmp_path):
    parent = flat(conv(4), L.BatchNormalization(center=False))
    child = flat(conv(4), L.BatchNormalization(scale=False))
    done = inherited(parent, child, tmp_path)
    assert any("batch_normalization" in each and "anew" in each for each in done.sentences)
