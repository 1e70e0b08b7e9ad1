"""An optimizer goes on with its parent trial's state: moments, steps taken."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trainer import averaging
from trainer.network import Array, weights_file


def take_over(path: Path, model: keras.Model) -> bool:
    """Give a model's optimizer the state in a ``.keras`` file; whether it was done.

    For a model whose weights all came from that file. Where some are new, a state for the others
    alone would have the new ones step too far: Adam counts its steps once for all (Kingma, Ba,
    "Adam", ICLR 2015, section 3). The learning rate stays the script's own, and with a schedule,
    which counts the same steps, everything does.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return False
    rate = getattr(optimizer, "_learning_rate", None)
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return False
    found = _state(path, type(optimizer).__name__)
    if not optimizer.built:
        # Keras would do so at the first step.
        optimizer.build(model.trainable_variables)
    if found is None:
        return False
    variables = list(optimizer.variables)
    averaged = {id(average) for _, average in averaging.averages(model)}
    states = [each for each in variables if id(each) not in averaged]
    if len(found) == len(variables):
        pairs = zip(found, variables, strict=True)
        found = [value for value, variable in pairs if id(variable) not in averaged]
    if [each.shape for each in found] != [tuple(each.shape) for each in states]:
        return False
    for variable, value in zip(states, found, strict=True):
        if variable is not rate:
            variable.assign(value)
    # The weights that are inherited are the parent's averages, or are to be averaged from here.
    averaging.begin(model)
    return True


def _state(path: Path, kind: str) -> list[Array] | None:
    """The optimizer's variables in a file, in Keras' order; None where it is of another kind."""
    with zipfile.ZipFile(path) as archive:
        config: dict[str, Any] = json.loads(archive.read("config.json"))
    optimizer = (config.get("compile_config") or {}).get("optimizer")
    if not isinstance(optimizer, dict) or optimizer.get("class_name") != kind:
        return None
    with weights_file(path) as weights:
        group = weights.get("optimizer/vars")
        if group is None:
            return None
        return [np.asarray(group[name]) for name in sorted(group, key=int)]
