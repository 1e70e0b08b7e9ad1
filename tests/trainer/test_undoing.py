"""Normalisations in a network that was trained without them begin as the identity."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.trainer.tiny import DATA, FIT, MODEL

pytestmark = pytest.mark.tensorflow

keras = pytest.importorskip("keras")
import tensorflow as tf  # noqa: E402
from keras import layers as L  # noqa: E402, N812
from trainer import network, samples, undoing  # noqa: E402

IMAGES = np.random.default_rng(0).normal(size=(32, 12, 12, 3)).astype("float32")
WITHIN = '    layers.Conv2D(4, 3, activation="relu"),\n'
NORMALISED = MODEL.replace(WITHIN, WITHIN + "    layers.BatchNormalization(momentum=0.9),\n")


def pair(form: str = "sequential") -> tuple[Any, Any]:
    """A network, and the same with normalisations between its layers."""

    def build(normalised: bool) -> Any:
        parts: list[Any] = []
        for filters in (4, 6):
            parts += [L.Conv2D(filters, 3, activation="relu"), L.MaxPooling2D()]
            parts += [L.BatchNormalization()] if normalised else []
        parts += [L.Flatten(), L.Dense(2, activation="softmax")]
        if form == "nested":
            inner = keras.Sequential([keras.Sequential(parts[:3]), *parts[3:-2]])
            parts = [inner, *parts[-2:]]
        if form != "functional":
            return keras.Sequential([keras.Input((12, 12, 3)), *parts])
        inputs = tensor = keras.Input((12, 12, 3))
        for each in parts:
            tensor = each(tensor)
        return keras.Model(inputs, tensor)

    plain, normalised = build(False), build(True)
    random = np.random.default_rng(1)
    for layer in layers(plain):
        layer.set_weights(
            [each + random.normal(0, 0.1, each.shape) for each in layer.get_weights()]
        )
    with_weights = [each for each in layers(plain) if each.weights]
    others = [each for each in layers(normalised) if each.weights and not is_new(each)]
    for one, other in zip(with_weights, others, strict=True):
        other.set_weights(one.get_weights())
    return plain, normalised


def layers(model: Any) -> list[Any]:
    return network.of_model(model)[1]


def is_new(layer: Any) -> bool:
    return isinstance(layer, L.BatchNormalization)


def undone(model: Any, images: Callable[[], Any]) -> bool:
    live = layers(model)
    return undoing.undo(model, live, [each for each in live if is_new(each)], images)


def difference(one: Any, other: Any) -> float:
    return float(np.abs(np.asarray(one) - np.asarray(other)).max())


@pytest.mark.parametrize("form", ["sequential", "functional", "nested"])
def test_the_network_computes_what_it_did(form):
    plain, normalised = pair(form)
    assert undone(normalised, lambda: IMAGES)
    assert difference(plain(IMAGES), normalised(IMAGES)) < 1e-5
    # In training by the statistics of the batch, which are those of these images.
    assert difference(plain(IMAGES), normalised(IMAGES, training=True)) < 1e-5
    for each in layers(normalised):
        assert not is_new(each) or float(np.asarray(each.moving_mean).max()) > 0.1


def test_without_images_they_are_left_as_they_are():
    _, normalised = pair()
    new = [each for each in normalised.layers if is_new(each)]
    before = [each.get_weights() for each in new]
    for images in (None, IMAGES[:, :, :, :1], IMAGES[:, :3]):
        assert not undone(normalised, lambda images=images: images)
        for each, weights in zip(new, before, strict=True):
            assert all(map(np.array_equal, each.get_weights(), weights))


def test_a_trial_that_is_normalised_begins_where_its_parent_ended(study):
    _, parent = study.run(DATA + MODEL + FIT.replace("epochs=3", "epochs=8"))
    fit = FIT.replace("epochs=3", "epochs=1")
    number = int(parent.folder.name)
    _, same = study.run(DATA + MODEL + fit, inherit=number)
    result, child = study.run(DATA + NORMALISED + fit, inherit=number)
    assert "batch_normalization: new, begins by undoing itself." in result.inheritance
    first, parents = next(child.epochs()), next(same.epochs())
    assert first.loss == pytest.approx(parents.loss, abs=0.02)


def test_beside_other_new_layers_they_begin_fresh(study):
    _, parent = study.run(DATA + MODEL + FIT)
    more = NORMALISED.replace(
        "layers.Flatten()", "layers.Conv2D(4, 3, strides=2), layers.Flatten()"
    )
    result, _ = study.run(DATA + more + FIT, inherit=int(parent.folder.name))
    assert "batch_normalization: begins anew, a new normalisation." in result.inheritance


def test_a_generator_is_not_read_for_them(study):
    _, parent = study.run(DATA + MODEL + FIT)
    generator = """
def batches():
    while True:
        for start in range(0, 64, 16):
            yield x[start : start + 16], y[start : start + 16]

model.fit(batches(), steps_per_epoch=4, epochs=2, validation_data=(x[64:80], y[64:80]))
"""
    result, _ = study.run(DATA + NORMALISED + generator, inherit=int(parent.folder.name))
    assert result.outcome == "complete"
    assert "batch_normalization: begins anew, a new normalisation." in result.inheritance


def test_maps_are_made_of_few_images_at_once(monkeypatch):
    """All at once they took gigabytes where training takes one."""
    _, normalised = pair()
    seen = []
    call = L.MaxPooling2D.__call__

    def noted(layer: Any, inputs: Any, **named: Any) -> Any:
        if layer is normalised.layers[1]:
            seen.append(len(inputs))
        return call(layer, inputs, **named)

    monkeypatch.setattr(L.MaxPooling2D, "__call__", noted)
    assert undone(normalised, lambda: np.concatenate([IMAGES] * 3)[:90])
    assert max(seen) <= undoing.BATCH
    assert sum(seen) == 90


def test_a_layer_that_fails_in_its_own_way_leaves_them_as_they_are(monkeypatch):
    _, normalised = pair()
    new = [each for each in normalised.layers if is_new(each)]
    before = [each.get_weights() for each in new]

    def fail(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(L.Conv2D, "call", fail)
    assert not undone(normalised, lambda: IMAGES)
    for each, weights in zip(new, before, strict=True):
        assert all(map(np.array_equal, each.get_weights(), weights))


def test_a_pipeline_is_read_in_part_and_one_that_is_used_up_not_at_all():
    made: list[int] = []

    def image(number: Any) -> Any:
        made.append(int(number))
        return np.zeros((4, 4, 3), np.float32)

    numbers = tf.data.Dataset.range(4000)
    images = numbers.map(
        lambda n: (tf.ensure_shape(tf.py_function(image, [n], tf.float32), (4, 4, 3)), 0)
    )
    found = samples.of_training({"x": images.shuffle(50).batch(8).repeat()}, 256)
    assert found is not None
    assert len(found.images) == 64
    assert len(made) < 200
    batches = iter([(IMAGES, np.zeros(32, np.float32))] * 3)
    kind = (tf.TensorSpec((32, 12, 12, 3)), tf.TensorSpec((32,)))
    once = tf.data.Dataset.from_generator(lambda: batches, output_signature=kind)
    assert samples.of_training({"x": once}, 256) is None
    assert len(list(batches)) == 3


def test_an_iterator_gives_what_it_would_have_given(tmp_path):
    def first(look: bool) -> Any:
        generator = keras.src.legacy.preprocessing.image.ImageDataGenerator(rotation_range=20)
        flow = generator.flow(IMAGES, np.zeros(32), batch_size=8, seed=5)
        if look:
            assert samples.of_training({"x": flow}, 16) is not None
        return flow[0][0]

    assert np.array_equal(first(look=True), first(look=False))


def test_what_is_validated_on_is_left_out():
    x, y = np.arange(100.0).reshape(100, 1, 1, 1), np.zeros(100)
    found = samples.of_training({"x": x, "y": y, "validation_split": 0.2}, 256)
    assert found is not None
    assert len(found.images) == 80


def test_images_are_read_from_all_over_the_data_and_the_draws_stay():
    x, y = np.arange(1000.0).reshape(1000, 1, 1, 1), np.zeros(1000)
    np.random.seed(3)
    wanted = np.random.random()
    np.random.seed(3)
    found = samples.of_training({"x": x, "y": y}, 100)
    assert found is not None
    assert np.random.random() == wanted
    assert 50 < len(found.images) <= 100
    assert found.images.max() > 700
    assert not found.are_all
    assert samples.of_training({"x": iter([(x, y)])}, 100) is None
