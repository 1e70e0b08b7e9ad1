"""An optimizer goes on with its parent trial's state: moments, steps taken."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from trainer import averaging
from trainer.network import Array, Network, SavedOptimizer
from trainer.surgery import Inheritance

_MOMENTS = {
    "SGD": ("momentums",),
    "RMSprop": ("_velocities",),
    "Adam": ("_momentums", "_velocities"),
    "AdamW": ("_momentums", "_velocities"),
}
"""The optimizers whose state can be divided, and what they keep of each weight."""
_DECAYS = {"_momentums": "beta_1", "_velocities": "beta_2"}
_STATISTICS = {"BatchNormalization": 2, "Normalization": 3}
"""How many of a layer's weights, the last ones, are measured and not learnt."""
STEPS = 10
"""Steps that the moments count for beside weights that begin anew: of those, a step is at the most
an eighth longer than with a fresh optimizer, where after a thousand it is five times as long."""


def take_over(parent: Network, model: keras.Model) -> bool:
    """Give a model's optimizer the parent's state; whether it was done.

    For a model whose weights are all the parent's. The learning rate stays the script's own, and
    with a schedule, which counts the same steps, everything does.
    """
    optimizer, state = _optimizer_and_state(parent, model)
    if state is None:
        return False
    found, variables = state.variables, list(optimizer.variables)
    averaged = {id(average) for _, average in averaging.averages(model)}
    states = [each for each in variables if id(each) not in averaged]
    if len(found) == len(variables):
        pairs = zip(found, variables, strict=True)
        found = [value for value, variable in pairs if id(variable) not in averaged]
    if [each.shape for each in found] != [tuple(each.shape) for each in states]:
        return False
    for variable, value in zip(states, found, strict=True):
        if variable is not getattr(optimizer, "_learning_rate", None):
            variable.assign(value)
    # The weights that are inherited are the parent's averages, or are to be averaged from here.
    averaging.begin(model)
    return True


def take_over_in_part(
    parent: Network,
    model: keras.Model,
    done: Inheritance,
    live: Sequence[keras.layers.Layer],
) -> int:
    """Give the optimizer the moments of those weights that are its parent's; their number.

    ``live``: the model's layers in the order of ``done``. Adam counts its steps once for all and
    corrects its moments by them (Kingma, Ba, "Adam", ICLR 2015, section 3): moments of zero beside
    a large count have new weights step too far. So the moments that are taken over are scaled as if
    they had been gathered in ``STEPS`` steps, and counted so.
    """
    optimizer, state = _optimizer_and_state(parent, model)
    names = _MOMENTS.get(type(optimizer).__name__)
    if state is None or names is None or not all(getattr(optimizer, name, None) for name in names):
        return 0
    moments = _moments(state, parent, len(names))
    if moments is None:
        return 0
    count = int(state.variables[0])
    kept = min(STEPS, count)
    places = {id(each): i for i, each in enumerate(optimizer._trainable_variables)}
    taken = 0
    for index, number in _same(parent, done):
        variable = live[index].weights[number]
        theirs = moments.get((done.partners[index], number))
        if theirs is None or id(variable) not in places:
            continue
        for name, value in zip(names, theirs, strict=True):
            factor = _scale(getattr(optimizer, _DECAYS.get(name, ""), None), count, kept)
            getattr(optimizer, name)[places[id(variable)]].assign(value * factor)
        taken += 1
    if taken:
        optimizer._iterations.assign(kept)
        averaging.begin(model)  # by Keras they begin with the very first step only
    return taken


def _scale(decay: float | None, count: int, kept: int) -> float:
    """By what a moment of ``count`` steps becomes one of ``kept``, its mean being the same."""
    if not isinstance(decay, float) or not 0 < decay < 1 or not kept:
        return 1.0
    return float((1 - decay**kept) / (1 - decay**count))


def _same(parent: Network, done: Inheritance) -> list[tuple[int, int]]:
    """The child's weights that are exactly its parent's: layer and number within it."""
    return [
        (index, number)
        for index, weights in done.weights.items()
        if index in done.partners
        for number, (ours, theirs) in enumerate(
            zip(weights, parent.layers[done.partners[index]].weights, strict=False)
        )
        if np.array_equal(ours, theirs)
    ]


def _moments(
    state: SavedOptimizer, parent: Network, each_has: int
) -> dict[tuple[int, int], list[Array]] | None:
    """The moments by the parent's layer and the weight's number in it; None where they are others.

    Keras saves the steps and the rate, then the averages, then the moments of one weight after
    another.
    """
    trainable = list(_trainable(parent))
    shapes = [parent.layers[index].shapes[number] for index, number in trainable]
    first = 2 + (len(trainable) if state.config.get("use_ema") else 0)
    rest = state.variables[first:]
    if [each.shape for each in rest] != [shape for shape in shapes for _ in range(each_has)]:
        return None
    groups = [rest[i : i + each_has] for i in range(0, len(rest), each_has)]
    return dict(zip(trainable, groups, strict=True))


def _trainable(parent: Network) -> list[tuple[int, int]]:
    """The weights that an optimizer moves: layer, and number in it."""
    return [
        (index, number)
        for index, layer in enumerate(parent.layers)
        if layer.config.get("trainable", True)
        for number in range(len(layer.weights) - _STATISTICS.get(layer.kind, 0))
    ]


def _optimizer_and_state(parent: Network, model: keras.Model) -> tuple[Any, SavedOptimizer | None]:
    """A model's optimizer, built, and what the parent has for it; None where it has nothing."""
    optimizer = getattr(model, "optimizer", None)
    rate = getattr(optimizer, "_learning_rate", None)
    if optimizer is None or isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return optimizer, None
    if not optimizer.built:
        # Keras would do so at the first step.
        optimizer.build(model.trainable_variables)
    state = parent.optimizer
    is_alike = state is not None and state.kind == type(optimizer).__name__
    return optimizer, state if is_alike else None
