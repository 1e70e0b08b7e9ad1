"""Children that compute what their parents did, to 1e-5: kinds of layers, shapes of models."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

pytestmark = pytest.mark.tensorflow

keras = pytest.importorskip("keras")
from chains import SHAPE, difference, inherited, sequential, trained  # noqa: E402
from keras import layers as L  # noqa: E402, N812
from keras.src import backend  # noqa: E402
from trainer.shims import convolution  # noqa: E402

Make = Callable[[], Any]

NEW = 0.0
SMALLER = (3 / 5) ** 2
"""How much of a kernel of 5×5 comes from one of 3×3."""


def conv(filters: int, kernel: int = 3, **options: Any) -> Any:
    return L.Conv2D(filters, kernel, padding="same", **options)


def chain(*layers: Any, bridge: type = L.Flatten) -> Any:
    return sequential(*layers, bridge(), L.Dense(3, activation="softmax"))


def depthwise(filters: int = 4, kernel: int = 3, **options: Any) -> Any:
    return chain(
        conv(filters, activation="relu"),
        L.DepthwiseConv2D(kernel, padding="same", activation="relu", **options),
        conv(5, 1),
    )


def separable(filters: int = 4, last: int = 5, kernel: int = 3, **options: Any) -> Any:
    return chain(
        L.SeparableConv2D(filters, kernel, padding="same", **options),
        L.BatchNormalization(),
        L.ReLU(),
        L.SeparableConv2D(last, 3, padding="same"),
        bridge=L.GlobalAveragePooling2D,
    )


def pooled(bridge: type, last: int = 5, *dense: Any, activation: str = "relu") -> Any:
    return sequential(
        conv(4, activation="relu"),
        L.MaxPooling2D(),
        conv(last, activation=activation),
        bridge(),
        *dense,
        L.Dense(3, activation="softmax"),
    )


def normalised_vector(filters: int, bridge: type = L.Flatten) -> Any:
    return sequential(
        conv(filters, activation="relu"),
        L.MaxPooling2D(),
        bridge(),
        L.BatchNormalization(),
        L.Dense(5, activation="relu"),
        L.Flatten(),
        L.Dense(3, activation="softmax"),
    )


def averaged(*filters: int) -> Any:
    return chain(
        conv(filters[0]),
        L.AveragePooling2D(3, strides=2, padding="same"),
        conv(filters[1], activation="relu"),
        L.AveragePooling2D(2),
    )


def row(*filters: int, normalised: bool = False, activation: str | None = "relu") -> Any:
    layers = []
    for each in filters:
        layers += [conv(each, activation=activation)]
        layers += [L.BatchNormalization()] if normalised else []
    return chain(*layers)


def dense_row(*units: int, normalised: bool = False) -> Any:
    layers = []
    for each in units:
        layers += [L.Dense(each)]
        layers += [L.BatchNormalization()] if normalised else []
        layers += [L.ReLU(), L.Dropout(0.3)]
    return sequential(conv(4), L.Flatten(), *layers, L.Dense(3, activation="softmax"))


def normalised_blocks(*filters: int) -> Any:
    """As most people write them: no bias before a normalisation, and the activation behind it."""
    layers = [L.RandomFlip(), L.Rescaling(0.5)]
    for each in filters:
        layers += [conv(each, use_bias=False), L.BatchNormalization(scale=False)]
        layers += [L.Activation("relu"), L.MaxPooling2D(), L.SpatialDropout2D(0.2)]
    return chain(*layers)


def grouped(*behind: int, units: int = 5, filters: int = 4) -> Any:
    return sequential(
        conv(4),
        conv(filters, groups=2, activation="relu"),
        *(conv(each) for each in behind),
        L.Flatten(),
        L.Dense(units, activation="relu"),
        L.Dense(3, activation="softmax"),
    )


def moved(filters: int) -> Any:
    return chain(conv(filters), L.UpSampling2D(), L.ZeroPadding2D(2), L.Cropping2D(1), conv(3))


def on_maps(filters: int, units: int) -> Any:
    return chain(conv(filters), L.Dense(units, activation="relu"))


# The parent, the child, and how much of the child's layers with weights comes from the parent,
# where it is not all of it.
PRESERVED: dict[str, tuple[Make, Make, Mapping[int, float]]] = {
    "depthwise, more channels": (depthwise, lambda: depthwise(7), {}),
    "depthwise, larger": (depthwise, lambda: depthwise(kernel=5), {1: SMALLER}),
    "depthwise, both": (depthwise, lambda: depthwise(7, 5), {1: SMALLER}),
    "depthwise, several of each": (
        lambda: depthwise(depth_multiplier=2),
        lambda: depthwise(depth_multiplier=2),
        {},
    ),
    "separable, wider": (separable, lambda: separable(6, 9), {}),
    "separable, larger": (separable, lambda: separable(kernel=5), {0: SMALLER}),
    "separable, both": (separable, lambda: separable(7, 8, 5), {0: SMALLER}),
    "average pooling": (lambda: averaged(4, 5), lambda: averaged(7, 9), {}),
    "moved about": (lambda: moved(4), lambda: moved(7), {}),
    "dense layers on maps": (lambda: on_maps(4, 5), lambda: on_maps(6, 8), {}),
    "a row": (lambda: row(4, 5, 6), lambda: row(7, 9, 13), {}),
    "a row of copies of copies": (lambda: row(2, 2, 2), lambda: row(9, 9, 9), {}),
    "a row with normalisations": (
        lambda: row(4, 5, 6, normalised=True),
        lambda: row(7, 9, 13, normalised=True),
        {},
    ),
    "blocks with normalisations": (
        lambda: normalised_blocks(4, 5),
        lambda: normalised_blocks(6, 9),
        {},
    ),
    "a row of dense layers": (lambda: dense_row(5, 6), lambda: dense_row(9, 13), {}),
    "dense layers with normalisations": (
        lambda: dense_row(5, 6, normalised=True),
        lambda: dense_row(9, 13, normalised=True),
        {},
    ),
    "two new convolutions": (lambda: row(4, 5), lambda: row(4, 4, 5, 5), {1: NEW, 3: NEW}),
    "new convolutions behind wider ones": (
        lambda: row(4, 5),
        lambda: row(6, 9, 10, 13),
        {2: NEW, 3: NEW},
    ),
    "a new convolution without an activation": (
        lambda: row(4, activation="tanh"),
        lambda: chain(conv(4, activation="tanh"), conv(6)),
        {1: NEW},
    ),
    "a new convolution in the beginning": (
        lambda: row(4, activation=None),
        lambda: row(3, 4, activation=None),
        {0: NEW},
    ),
    "a new convolution on a padded map": (
        lambda: row(4),
        lambda: chain(conv(4, activation="relu"), L.ZeroPadding2D(), L.Conv2D(4, 3)),
        {1: NEW},
    ),
    "new dense layers": (
        lambda: dense_row(5),
        lambda: dense_row(5, 8, 9),
        {2: NEW, 3: NEW},
    ),
    "groups": (grouped, grouped, {}),
    "groups before wider layers": (lambda: grouped(5), lambda: grouped(7, units=9), {}),
}
PRESERVED |= {
    f"{bridge.__name__} behind {activation}, wider": (
        lambda bridge=bridge, activation=activation: pooled(bridge, activation=activation),
        lambda bridge=bridge, activation=activation: pooled(bridge, 9, activation=activation),
        {},
    )
    for bridge in (L.GlobalMaxPooling2D, L.GlobalAveragePooling2D)
    for activation in ("relu", "tanh", "linear")
}
PRESERVED |= {
    f"{bridge.__name__} and a new dense layer": (
        lambda bridge=bridge: pooled(bridge),
        lambda bridge=bridge: pooled(bridge, 7, L.Dense(9, activation="relu"), L.Dropout(0.3)),
        {2: NEW},
    )
    for bridge in (L.GlobalMaxPooling2D, L.GlobalAveragePooling2D)
}
PRESERVED |= {
    f"{bridge.__name__}, flattened {before} times and then once": (
        lambda bridge=bridge, before=before: pooled(bridge, 5, *[L.Flatten()] * before),
        lambda bridge=bridge: pooled(bridge, 7, L.Flatten()),
        {},
    )
    for bridge in (L.Flatten, L.GlobalMaxPooling2D, L.GlobalAveragePooling2D)
    for before in (0, 1)
}
PRESERVED |= {
    f"{bridge.__name__} and a normalised vector": (
        lambda bridge=bridge: normalised_vector(4, bridge),
        lambda bridge=bridge: normalised_vector(7, bridge),
        {},
    )
    for bridge in (L.Flatten, L.GlobalMaxPooling2D, L.GlobalAveragePooling2D)
}
PRESERVED |= {
    "a new separable convolution": (
        lambda: row(4),
        lambda: chain(
            conv(6, activation="relu"),
            L.SeparableConv2D(9, 3, padding="same", activation="relu"),
        ),
        {1: NEW},
    ),
    "a new depthwise convolution": (
        lambda: row(4),
        lambda: chain(
            conv(6, activation="relu"),
            L.DepthwiseConv2D(3, padding="same", activation="relu"),
        ),
        {1: NEW},
    ),
}
PRESERVED |= {
    f"a new convolution with a kernel of {kernel}": (
        lambda: row(4),
        lambda kernel=kernel: chain(conv(4, activation="relu"), conv(6, kernel, activation="relu")),
        {1: NEW},
    )
    for kernel in (1, 2, 3, 4, 5)
}


def activated(activation: Make, filters: int = 4, *more: Any) -> Any:
    return chain(conv(filters), L.BatchNormalization(), activation(), *more)


PRESERVED |= {
    f"{name} of channels that are copied": (
        lambda make=make: activated(make),
        lambda make=make: activated(make, 7),
        {},
    )
    for name, make in {
        "PReLU": lambda: L.PReLU(shared_axes=[1, 2]),
        "PReLU of each pixel": L.PReLU,
        "one PReLU": lambda: L.PReLU(shared_axes=[1, 2, 3]),
    }.items()
}
PRESERVED |= {
    "PReLU of units that are copied": (
        lambda: sequential(conv(4), L.Flatten(), L.Dense(5), L.PReLU(), L.Dense(3)),
        lambda: sequential(conv(6), L.Flatten(), L.Dense(9), L.PReLU(), L.Dense(3)),
        {},
    ),
    "a convolution for the classes": (
        lambda: sequential(conv(4, activation="relu"), conv(3, 1), L.GlobalAveragePooling2D()),
        lambda: sequential(conv(7, activation="relu"), conv(3, 1), L.GlobalAveragePooling2D()),
        {},
    ),
}

ACTIVATIONS: dict[str, Make] = {
    "ReLU": L.ReLU,
    "ReLU6": lambda: L.ReLU(max_value=6.0),
    "Activation": lambda: L.Activation("relu"),
    "LeakyReLU": L.LeakyReLU,
    "ELU": L.ELU,
    "tanh": lambda: L.Activation("tanh"),
}
PRESERVED |= {
    f"{name} of its own, wider": (
        lambda make=make: activated(make),
        lambda make=make: activated(make, 7),
        {},
    )
    for name, make in ACTIVATIONS.items()
}
PRESERVED |= {
    f"{name} of its own and a new convolution without one": (
        lambda make=make: activated(make),
        lambda make=make: activated(make, 6, conv(7)),
        {2: NEW},
    )
    for name, make in ACTIVATIONS.items()
}
# Only what a ReLU leaves as it is can go through a second one.
PRESERVED |= {
    f"{name} of its own and a new convolution with {behind}": (
        lambda make=make: activated(make),
        lambda make=make, layers=layers: activated(make, 6, *layers()),
        {2: NEW},
    )
    for name, make in ACTIVATIONS.items()
    if name in ("ReLU", "ReLU6", "Activation")
    for behind, layers in {
        "its own": lambda: [conv(7, activation="relu")],
        "one behind it": lambda: [conv(7), L.ReLU()],
    }.items()
}


def expected_share(child: Any, came: Mapping[int, float]) -> float:
    sizes = [each.count_params() for each in child.layers if each.weights]
    return sum(size * came.get(i, 1.0) for i, size in enumerate(sizes)) / sum(sizes)


@pytest.mark.parametrize("name", PRESERVED)
def test_the_child_computes_what_its_parent_did(name, tmp_path):
    make_parent, make_child, came = PRESERVED[name]
    parent, child = make_parent(), make_child()
    assert difference(parent, child) > 1e-3
    done = inherited(parent, child, tmp_path)
    assert difference(parent, child) < 1e-5
    assert done.share == pytest.approx(expected_share(child, came))
    assert done.anew == 0


STRIDED: dict[str, Callable[..., Any]] = {
    "Conv2D": lambda kernel, strides: conv(4, kernel, strides=strides),
    "SeparableConv2D": lambda kernel, strides: L.SeparableConv2D(
        4, kernel, strides=strides, padding="same"
    ),
    "DepthwiseConv2D": lambda kernel, strides: L.DepthwiseConv2D(
        kernel, strides=strides, padding="same"
    ),
}


@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("kind", STRIDED)
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("size", [15, 16])
def test_a_larger_kernel_stays_where_the_smaller_one_was(before, kind, strides, size, tmp_path):
    def model(kernel: int) -> Any:
        return sequential(
            *[conv(3)] * before,
            STRIDED[kind](kernel, strides),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
            shape=(size, size + 1, 3),
        )

    for small, large in ((1, 3), (2, 3), (3, 4), (3, 5)):
        parent, child = model(small), model(large)
        done = inherited(parent, child, tmp_path)
        assert difference(parent, child) < 1e-5, (small, large)
        came = {before: (small / large) ** 2}
        assert done.share == pytest.approx(expected_share(child, came))


def body(filters: int) -> list[Any]:
    return [conv(filters, strides=2, activation="relu"), L.BatchNormalization(), L.MaxPooling2D()]


def head(units: int) -> list[Any]:
    return [L.Flatten(), L.Dense(units, activation="relu"), L.Dense(3, activation="softmax")]


def flat(filters: int, units: int) -> Any:
    return sequential(L.Rescaling(0.5), *body(filters), *head(units))


def nested(filters: int, units: int) -> Any:
    inner = keras.Sequential([L.Rescaling(0.5), keras.Sequential(body(filters))])
    return sequential(inner, keras.Sequential(head(units)))


def functional(filters: int, units: int) -> Any:
    inputs = x = keras.Input(SHAPE)
    for layer in [L.Rescaling(0.5), *body(filters), *head(units)]:
        x = layer(x)
    return trained(keras.Model(inputs, x))


def functional_in_sequential(filters: int, units: int) -> Any:
    inputs = x = keras.Input(SHAPE)
    for layer in body(filters):
        x = layer(x)
    return sequential(L.Rescaling(0.5), keras.Model(inputs, x), *head(units))


def sequential_in_functional(filters: int, units: int) -> Any:
    inputs = keras.Input(SHAPE)
    x = keras.Sequential([keras.Input(SHAPE), *body(filters)])(L.Rescaling(0.5)(inputs))
    for layer in head(units):
        x = layer(x)
    return trained(keras.Model(inputs, x))


FORMS = (flat, nested, functional, functional_in_sequential, sequential_in_functional)


@pytest.mark.parametrize(
    ("parents", "childs"),
    list(itertools.product(FORMS, FORMS)),
    ids=lambda form: form.__name__,
)
def test_a_chain_is_a_chain_however_it_is_written(parents, childs, tmp_path):
    parent, child = parents(4, 5), childs(6, 9)
    done = inherited(parent, child, tmp_path)
    assert difference(parent, child) < 1e-5
    assert done.share == pytest.approx(1.0)


NOT_RECTIFIED: dict[str, Callable[[], list[Any]]] = {
    "LeakyReLU": lambda: [conv(4), L.LeakyReLU()],
    "ELU": lambda: [conv(4), L.ELU()],
    "tanh": lambda: [conv(4, activation="tanh")],
    "a ReLU that leaks": lambda: [conv(4), L.ReLU(negative_slope=0.1)],
    "moved": lambda: [conv(4, activation="relu"), L.Rescaling(1.0, offset=-0.5)],
    "normalised": lambda: [conv(4, activation="relu"), L.LayerNormalization()],
    "groups": lambda: [conv(4, activation="relu"), conv(4, groups=2)],
}


@pytest.mark.parametrize("name", NOT_RECTIFIED)
def test_what_is_not_rectified_has_no_identity_with_a_relu(name, tmp_path):
    parent = chain(*NOT_RECTIFIED[name]())
    child = chain(*NOT_RECTIFIED[name](), conv(4, activation="relu"))
    done = inherited(parent, child, tmp_path)
    assert "cannot begin as the identity" in done.sentences[-2]
    assert done.anew == 2


ACROSS: dict[str, Callable[[int], Any]] = {
    "in a convolution": lambda filters: chain(conv(filters, activation="softmax"), conv(5)),
    "in a dense layer": lambda units: dense_across(L.Dense(units, activation="softmax")),
    "of its own": lambda units: dense_across(L.Dense(units), L.Activation("softmax")),
    "a layer": lambda units: dense_across(L.Dense(units), L.Softmax()),
}


def dense_across(*layers: Any) -> Any:
    return sequential(conv(4), L.Flatten(), *layers, L.Dense(3))


@pytest.mark.parametrize("name", ACROSS)
def test_behind_a_softmax_of_copies_nothing_is_claimed(name, tmp_path):
    parent, child = ACROSS[name](4), ACROSS[name](6)
    done = inherited(parent, child, tmp_path)
    assert done.anew >= 1
    same = ACROSS[name](4)
    assert inherited(parent, same, tmp_path).anew == 0
    assert difference(parent, same) < 1e-5


def test_a_normalisation_over_copied_channels_is_said_to_be_near(tmp_path):
    def model(filters: int) -> Any:
        return chain(conv(filters), L.LayerNormalization(), L.ReLU())

    parent, child = model(4), model(7)
    before = difference(parent, child)
    done = inherited(parent, child, tmp_path)
    assert "approximation" in done.sentences[1]
    assert (done.anew, done.share) == (0, pytest.approx(1.0))
    assert 1e-5 < difference(parent, child) < before / 2


def test_a_new_normalisation_of_a_vector_keeps_what_follows(tmp_path):
    child = chain(conv(6), L.Flatten(), L.BatchNormalization())
    done = inherited(chain(conv(4)), child, tmp_path)
    assert (done.anew, done.undoing) == (0, [2])
    assert done.share == pytest.approx(expected_share(child, {1: NEW}))


def test_what_begins_anew_is_not_known_in_another_shape_either(tmp_path):
    def reshaped(groups: int) -> Any:
        return sequential(conv(4), conv(8, groups=groups), L.Reshape((-1,)), L.Dense(3))

    done = inherited(reshaped(2), reshaped(4), tmp_path)
    assert done.anew == 2


@pytest.mark.parametrize("filters", [4, 8])
def test_groups_of_another_shape_begin_anew(filters, tmp_path):
    child = grouped(filters=filters)
    done = inherited(grouped(filters=12), child, tmp_path)
    assert "begins anew" in done.sentences[1]
    assert done.share < expected_share(child, {1: NEW, 2: NEW}) + 1e-6


@pytest.fixture
def channels_first(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What makes a layer take its channels first, on a processor."""
    monkeypatch.setattr(backend.nn, "conv", backend.nn.conv)
    monkeypatch.setattr(backend.nn, "conv_transpose", backend.nn.conv_transpose)
    convolution.install()
    return {"data_format": "channels_first"}


def theanos(
    order: Mapping[str, str], filters: int, kernel: int, flatten: Any, *, axis: int = 1
) -> Any:
    # Where filters are as many as the map is wide, Keras takes a bias for one of the columns.
    return sequential(
        conv(filters, kernel, strides=2, activation="relu", **order),
        L.BatchNormalization(axis=axis),
        L.MaxPooling2D(**order),
        conv(filters + 1, **order),
        flatten,
        L.Dense(5, activation="relu"),
        L.Dense(3, activation="softmax"),
        shape=(3, 16, 24),
    )


def test_channels_may_come_first(channels_first, tmp_path):
    parent = theanos(channels_first, 4, 3, L.Flatten(**channels_first))
    child = theanos(channels_first, 7, 4, L.Flatten(**channels_first))
    done = inherited(parent, child, tmp_path)
    assert difference(parent, child) < 1e-5
    assert done.share == pytest.approx(expected_share(child, {0: 9 / 16}))


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("flat", [{}, {"data_format": "channels_first"}], ids=["last", "first"])
def test_where_orders_are_mixed_what_is_the_same_is_taken_over(
    axis, flat, channels_first, tmp_path
):
    parent = theanos(channels_first, 4, 3, L.Flatten(**flat), axis=axis)
    child = theanos(channels_first, 4, 3, L.Flatten(**flat), axis=axis)
    done = inherited(parent, child, tmp_path)
    assert difference(parent, child) < 1e-5
    assert done.share == pytest.approx(1.0)
    wider = theanos(channels_first, 8, 3, L.Flatten(**flat), axis=axis)
    done = inherited(parent, wider, tmp_path)
    assert (difference(parent, wider) < 1e-5) == (done.anew == 0)
