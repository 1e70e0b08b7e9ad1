"""Chains of layers with weights as after a training, and what one inherits from another."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from trainer import network, surgery

SHAPE = (16, 16, 3)


def sequential(*layers: Any, shape: tuple[int, ...] = SHAPE) -> Any:
    return trained(keras.Sequential([keras.Input(shape), *layers]))


def trained(model: Any) -> Any:
    """Weights that no layer has by itself: biases, and statistics as after a training."""
    random = np.random.default_rng(len(model.layers))
    for layer in model.layers:
        layer.set_weights(
            [
                np.abs(random.normal(0.5, 0.2, each.shape))
                if each.ndim == 1
                else each + random.normal(0, 0.05, each.shape)
                for each in layer.get_weights()
            ]
        )
    return model


def inherited(parent: Any, child: Any, folder: Path) -> surgery.Inheritance:
    """Save the parent, and put what can be of it into the child, without noise."""
    parent.save(folder / "model.keras")
    target, live = network.of_model(child)
    done = surgery.inherit(network.read_file(folder / "model.keras"), target, noise=0.0, seed=1)
    for index, weights in done.weights.items():
        live[index].set_weights(weights)
    return done


def difference(one: Any, other: Any) -> float:
    """The largest of the two's outputs for random images."""
    images = np.random.default_rng(0).normal(size=(8, *one.input_shape[1:])).astype("float32")
    # Unless they are told, Keras' layers for augmentation believe that they are in a training.
    outputs = [np.asarray(each(images, training=False)) for each in (one, other)]
    return float(np.abs(outputs[0] - outputs[1]).max())
