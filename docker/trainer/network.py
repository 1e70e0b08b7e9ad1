"""Networks as lists of layers with NumPy weights: a live model's, and one's in a ``.keras`` file.

A file is read as the zip archive that it is: ``config.json`` and ``model.weights.h5``. No layer is
made from it and no code of it can run.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

Array = np.ndarray[Any, Any]
_CONTAINERS = ("Sequential", "Functional", "Model")


class NetworkError(Exception):
    """A model file that cannot be read; the message is a sentence."""


@dataclass
class Layer:
    """``kind`` is Keras' class name, ``config`` its configuration, ``weights`` in Keras' order."""

    kind: str
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: list[Array] = field(default_factory=list)
    input_shape: tuple[int | None, ...] | None = None
    output_shape: tuple[int | None, ...] | None = None

    def setting(self, name: str) -> Any:
        """A value of the configuration, where lists and tuples are the same."""
        value = self.config.get(name)
        return tuple(value) if isinstance(value, list) else value

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [each.shape for each in self.weights]

    @property
    def parameters(self) -> int:
        return sum(each.size for each in self.weights)


@dataclass
class Network:
    """Layers in order of the data. ``is_chain``: each takes the output of the one before it."""

    layers: list[Layer]
    is_chain: bool
    optimizer: "SavedOptimizer | None" = None


@dataclass
class SavedOptimizer:
    """Keras' class name and configuration, and the variables in Keras' order."""

    kind: str
    config: Mapping[str, Any]
    variables: list[Array]


def read_file(path: Path) -> Network:
    """The network in a ``.keras`` file. Raises NetworkError."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        with weights_file(path) as weights:
            if config["class_name"] not in _CONTAINERS:
                return Network([], is_chain=False)
            layers = list(_layers(config, weights))
            optimizer = _optimizer(config, weights)
        return Network(layers, is_chain(config), optimizer)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise NetworkError(f"The parent's model file cannot be read: {error}") from error


def of_model(model: keras.Model) -> tuple[Network, list[keras.layers.Layer]]:
    """The network of a built model, and its live layers in the same order."""
    live = list(_live_layers(model))
    layers = [
        Layer(
            kind=type(each).__name__,
            name=each.name,
            config=_config(each),
            weights=[np.asarray(keras.ops.convert_to_numpy(value)) for value in each.weights],
            input_shape=_shape(each, "input"),
            output_shape=_shape(each, "output"),
        )
        for each in live
    ]
    return Network(layers, _model_is_chain(model)), live


def is_chain(config: Mapping[str, Any]) -> bool:
    """Whether a serialised model passes its data from layer to layer, without branches."""
    if config["class_name"] not in _CONTAINERS or "layers" not in config.get("config", {}):
        return False
    before = None
    for layer in config["config"]["layers"]:
        if "layers" in layer.get("config", {}) and not is_chain(layer):
            return False
        if config["class_name"] == "Sequential":
            continue
        nodes = layer.get("inbound_nodes", [])
        # Keras writes each input as keras_history: [layer, node, tensor].
        sources = re.findall(r'"keras_history": \["([^"]+)"', json.dumps(nodes))
        if layer["class_name"] == "InputLayer":
            if before is not None:
                return False
        elif len(nodes) != 1 or sources != [before]:
            return False
        before = layer["name"]
    return True


def _model_is_chain(model: keras.Model) -> bool:
    if isinstance(model, keras.Sequential):
        return all(
            not isinstance(each, keras.Model) or _model_is_chain(each) for each in model.layers
        )
    try:
        return is_chain({"class_name": type(model).__name__, "config": model.get_config()})
    except Exception:
        # A layer of the script's own need not tell its configuration.
        return False


def _layers(config: Mapping[str, Any], group: Any) -> Iterator[Layer]:
    """Keras names the groups of a file by class and count: ``layers/conv2d_1/vars/0``."""
    counts: dict[str, int] = {}
    for layer in config["config"]["layers"]:
        snake = _snake_case(layer["class_name"])
        count = counts.get(snake, 0)
        counts[snake] = count + 1
        place = f"layers/{snake}_{count}" if count else f"layers/{snake}"
        inside = group.get(place)
        if "layers" in layer.get("config", {}):
            if inside is not None:
                yield from _layers(layer, inside)
        else:
            name = layer["config"].get("name", snake)
            yield Layer(layer["class_name"], name, layer["config"], _variables(inside))


def _optimizer(config: Mapping[str, Any], weights: Any) -> SavedOptimizer | None:
    saved = (config.get("compile_config") or {}).get("optimizer")
    variables = _variables(weights.get("optimizer"))
    if not isinstance(saved, dict) or not variables:
        return None
    return SavedOptimizer(saved["class_name"], saved.get("config") or {}, variables)


def _variables(group: Any) -> list[Array]:
    values = group.get("vars") if group is not None else None
    if values is None:
        return []
    return [np.asarray(values[name]) for name in sorted(values, key=int)]


def weights_file(path: Path) -> h5py.File:
    """The weights in a ``.keras`` file, to be closed."""
    with zipfile.ZipFile(path) as archive:
        return h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r")


def variables_by_path(weights: h5py.File) -> list[tuple[str, Any]]:
    """The groups of variables of the layers in a weights file, with their paths."""
    found: list[tuple[str, Any]] = []

    def visit(name: str, item: Any) -> None:
        if name.split("/")[-1] == "vars" and len(item) and not name.startswith("optimizer/"):
            found.append((name, item))

    weights.visititems(visit)
    return found


def shapes(group: Any) -> dict[str, tuple[int, ...]]:
    return {name: variable.shape for name, variable in group.items()}


def _live_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model) and layer.layers:
            yield from _live_layers(layer)
        else:
            yield layer


def _config(layer: keras.layers.Layer) -> Mapping[str, Any]:
    try:
        return dict(layer.get_config())
    except Exception:
        return {}


def _shape(layer: keras.layers.Layer, side: str) -> tuple[int | None, ...] | None:
    try:
        shape = getattr(layer, side).shape
    except (AttributeError, ValueError):
        return None
    return tuple(shape)


def _snake_case(name: str) -> str:
    """As Keras does it: ``BatchNormalization`` -> ``batch_normalization``."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
