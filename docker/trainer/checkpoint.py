"""The training's state after an epoch: weights, optimizer, callbacks, random numbers.

``keras.callbacks.BackupAndRestore`` does not do here. It overwrites its weights in place (a kill
in between leaves half a file), keeps the epoch's number in a second file (a kill between the two
repeats or skips an epoch), knows nothing of other callbacks (ReduceLROnPlateau and EarlyStopping
forget what they waited for), and deletes its files at the end of a ``fit``, so that a script with
two of them trains the first one again. Here each checkpoint is a new file, and it counts once the
state (``trainer.state``) names it.

The files are pickles. They are read in the script's own process only, which a script that wrote
one could have done as it likes anyway.
"""

import inspect
import os
import pickle
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

SUFFIX = ".pickle"


class CheckpointError(Exception):
    """A checkpoint that does not fit the model; the message is a sentence."""


def save(path: Path, model: keras.Model, callbacks: Iterable[keras.callbacks.Callback]) -> None:
    content = {
        "variables": [_value(each) for each in model.variables],
        "optimizer": [_value(each) for each in _optimizer_variables(model)],
        "callbacks": [_attributes(each) for each in callbacks],
        "random": (random.getstate(), np.random.get_state()),
    }
    partial = path.with_name(f".{path.name}")
    with partial.open("wb") as file:
        pickle.dump(content, file, protocol=pickle.HIGHEST_PROTOCOL)
    os.replace(partial, path)


def restore(path: Path, model: keras.Model, callbacks: Iterable[keras.callbacks.Callback]) -> None:
    """Put model, optimizer, callbacks and random numbers back. Raises CheckpointError."""
    content = _read(path)
    for variable, value in zip(*_matched(model, content), strict=True):
        variable.assign(value)
    for callback, attributes in zip(callbacks, content["callbacks"], strict=False):
        vars(callback).update(attributes)
    python_state, numpy_state = content["random"]
    random.setstate(python_state)
    np.random.set_state(numpy_state)


@contextmanager
def put_in_place(path: Path, model: keras.Model) -> Iterator[None]:
    """Have a model and its optimizer as they were, and then as they are. Raises CheckpointError."""
    variables, values = _matched(model, _read(path))
    _exchange(variables, values)
    try:
        yield
    finally:
        _exchange(variables, values)


def _exchange(variables: list[Any], values: list[np.ndarray]) -> None:
    """One after the other: memory has no room for all of a large network's values once more."""
    for index, variable in enumerate(variables):
        now = _value(variable).copy()
        variable.assign(values[index])
        values[index] = now


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content: dict[str, Any] = pickle.load(file)
    except (OSError, pickle.UnpicklingError, EOFError) as error:
        raise CheckpointError(f"The checkpoint {path.name} cannot be read: {error}") from error
    return content


def _matched(model: keras.Model, content: dict[str, Any]) -> tuple[list[Any], list[np.ndarray]]:
    """The variables of model and optimizer, and the values of each. Raises CheckpointError."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built:
        # Keras would do so at the first step, and then it has its variables.
        optimizer.build(model.trainable_variables)
    variables = [*model.variables, *_optimizer_variables(model)]
    values = [*content["variables"], *content["optimizer"]]
    if [tuple(each.shape) for each in variables] != [each.shape for each in values]:
        raise CheckpointError("The checkpoint is of a model with other weights.")
    return variables, values


def _optimizer_variables(model: keras.Model) -> list[Any]:
    optimizer = getattr(model, "optimizer", None)
    return list(optimizer.variables) if optimizer is not None else []


def _value(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable))


def _attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """What a callback has learnt: plain values (counters, best values, kept weights).

    Not what it was made with. Keras turns the sign of ``min_delta`` round on first use, and would
    do so once more in a process that was given the turned one.
    """
    made_with = {
        name
        for kind in type(callback).__mro__
        if kind.__module__.partition(".")[0] == "keras" and "__init__" in vars(kind)
        for name in inspect.signature(vars(kind)["__init__"]).parameters
    }
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in made_with and _is_plain(value)
    }


def _is_plain(value: Any, depth: int = 4) -> bool:
    if value is None or isinstance(value, (bool, int, float, str, np.ndarray, np.generic)):
        return True
    if depth and isinstance(value, (list, tuple, set)):
        return all(_is_plain(each, depth - 1) for each in value)
    if depth and isinstance(value, Mapping):
        return all(_is_plain(each, depth - 1) for pair in value.items() for each in pair)
    return False
