"""Files under names that Keras 3.0 refuses: ``.hdf5``, and none at all."""

import functools
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
from keras.src.legacy.saving import legacy_h5_format

from trainer.shims.modules import namespaces

_HDF5 = (".h5", ".hdf5")


def install() -> None:
    model = keras.Model
    model.save = _saving(model.save)
    model.save_weights = _saving_weights(model.save_weights)
    model.load_weights = _loading_weights(model.load_weights)
    checkpoint = keras.callbacks.ModelCheckpoint
    checkpoint.__init__ = _with_any_name(checkpoint.__init__)
    load = _loading(keras.models.load_model)
    for name in ("models", "saving"):
        for module in namespaces(name):
            module.load_model = load  # type: ignore[attr-defined]


def _saving(original: Callable[..., None]) -> Callable[..., None]:
    """A name without an ending was a folder until Keras 2.15; here it is a .keras file."""

    @functools.wraps(original)
    def save(model: Any, filepath: Any, *arguments: Any, **named: Any) -> None:
        named.pop("save_format", None)
        if str(filepath).endswith((".keras", *_HDF5)):
            original(model, filepath, *arguments, **named)
            return
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "model.keras")
            original(model, file)
            shutil.move(file, str(filepath).rstrip("/"))

    return save


def _saving_weights(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def save_weights(model: Any, filepath: Any, *arguments: Any, **named: Any) -> None:
        os.makedirs(os.path.dirname(str(filepath)) or ".", exist_ok=True)
        if str(filepath).endswith(".weights.h5"):
            original(model, filepath, *arguments, **named)
            return
        with h5py.File(str(filepath), "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)

    return save_weights


def _loading_weights(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def load_weights(model: Any, filepath: Any, *arguments: Any, **named: Any) -> None:
        path = str(filepath)
        if path.endswith((".keras", *_HDF5)) or not h5py.is_hdf5(path):
            original(model, filepath, *arguments, **named)
            return
        with h5py.File(path, "r") as file:
            legacy_h5_format.load_weights_from_hdf5_group(file, model)

    return load_weights


def _loading(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def load_model(filepath: Any, *arguments: Any, **named: Any) -> Any:
        path = Path(str(filepath))
        if path.suffix == ".keras" or not path.is_file() or not zipfile.is_zipfile(path):
            return original(filepath, *arguments, **named)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "model.keras"
            shutil.copyfile(path, copy)
            return original(copy, *arguments, **named)

    return load_model


def _with_any_name(original: Callable[..., None]) -> Callable[..., None]:
    """``ModelCheckpoint``; ``period`` was dropped with Keras 2.15, ``.hdf5`` with Keras 3.0."""

    @functools.wraps(original)
    def init(self: Any, filepath: Any, *arguments: Any, **named: Any) -> None:
        named.pop("period", None)
        only_weights = named.get("save_weights_only", arguments[3:4] == (True,))
        original(self, f"{filepath}.weights.h5" if only_weights else f"{filepath}.keras",
                 *arguments, **named)  # fmt: skip
        self.filepath = str(filepath)

    return init
