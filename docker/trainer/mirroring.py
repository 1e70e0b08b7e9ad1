"""What it would cost to mirror a script's images, measured on validation images.

A network that knows things from both sides tells mirrored images apart as well as the others.
Where they are digits, letters or signs, they are others in the mirror, or none.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from trainer import samples
from trainer.network import Array

MOST_IMAGES = 500


def fingerprint(model: keras.Model) -> int:
    """A number that is another one for other weights."""
    found = 0
    for each in model.weights:
        found = zlib.crc32(keras.ops.convert_to_numpy(each).tobytes(), found)
    return found


def cost(
    accuracy: Callable[[Array, Array], float | None],
    given: Mapping[str, Any],
    validated: float | None = None,
) -> float | None:
    """The accuracy (0 to 1) lost where validation images are mirrored, below 0 where it is gained.

    ``accuracy`` measures the network on images (number, rows, columns, channels; or the channels
    first) and labels. ``given``: the arguments of ``fit``; of its validation data, so many images
    are taken. ``validated``: what ``fit`` measured on all of them, where the network is still the
    same. None for what cannot be read twice, and what are no images with a label each.
    """
    found = samples.of_validation(given, MOST_IMAGES)
    if found is None:
        return None
    known = validated if found.are_all and not given.get("validation_steps") else None
    try:
        plain = accuracy(found.images, found.labels) if known is None else known
        mirrored = accuracy(_mirrored(found.images), found.labels)
    except Exception:  # Images that the network takes in another shape.
        return None
    return None if plain is None or mirrored is None else plain - mirrored


def _mirrored(images: Array) -> Array:
    columns = 3 if keras.config.image_data_format() == "channels_first" else 2
    return np.flip(images, columns)
