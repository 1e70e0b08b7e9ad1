"""Weights of a parent network put into a child network, layer by layer.

Wider layers follow Net2WiderNet, new layers Net2DeeperNet (Chen, Goodfellow, Shlens: Net2Net,
ICLR 2016, sections 2.2 and 2.3): a wider layer repeats units of the parent and the next layer's
weights for them are divided by the number of copies, a new layer begins as the identity. In both
the child computes what its parent did. Copies get a little noise so that they can part.
"""

from dataclasses import dataclass

import numpy as np

from trainer.alignment import align
from trainer.chain import Chain
from trainer.network import Array, Network
from trainer.taken import Taken

NOISE = 0.01
"""Standard deviation of the noise on copies, as a share of the kernel's own."""


@dataclass
class Inheritance:
    """``weights``: new values by the child's layer index. ``share`` of all parameters that came
    from the parent (0 to 1). ``sentences``: what happened to each layer with weights. ``anew``: how
    many of them begin with weights of their own. ``partners``: the parent's layer of each of the
    child's that has one, by index. ``undoing``: new normalisations of what the parent computed:
    with statistics of the data they can begin by undoing themselves. Until then they are fresh, and
    none of ``anew``."""

    weights: dict[int, list[Array]]
    share: float
    sentences: list[str]
    anew: int
    partners: dict[int, int]
    undoing: list[int]


def inherit(
    parent: Network, child: Network, *, noise: float = NOISE, seed: int | None = None
) -> Inheritance:
    """New weights for ``child``, as many as can be from ``parent``.

    Both being chains, layers may differ in size and number. Otherwise only layers that are of the
    same shape are taken over.
    """
    taken = Taken(parent, child, noise, np.random.default_rng(seed))
    pairs = align(parent.layers, child.layers)
    if parent.is_chain and child.is_chain:
        Chain(taken, pairs).walk()
    else:
        _copy_equal(taken, pairs)
    total = sum(layer.parameters for layer in child.layers)
    share = taken.inherited / total if total else 0.0
    return Inheritance(taken.weights, share, taken.sentences, taken.anew, pairs, taken.undoing)


def is_whole(parent: Network, child: Network, done: Inheritance) -> bool:
    """Whether the child has exactly its parent's weights."""
    theirs = [each.weights for each in parent.layers if each.weights]
    ours = [done.weights.get(i, []) for i, each in enumerate(child.layers) if each.weights]
    return len(theirs) == len(ours) and all(
        len(one) == len(other) and all(map(np.array_equal, one, other))
        for one, other in zip(theirs, ours, strict=True)
    )


def _copy_equal(taken: Taken, pairs: dict[int, int]) -> None:
    for index, layer in enumerate(taken.child.layers):
        if not layer.weights:
            continue
        if index not in pairs:
            taken.fresh(index, "the parent has no such layer.")
        elif taken.parent.layers[pairs[index]].shapes != layer.shapes:
            taken.fresh(index, "its shape has changed, in a model with branches.")
        else:
            taken.take(index, taken.parent.layers[pairs[index]].weights, 1.0, "taken over.")
