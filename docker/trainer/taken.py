"""What the layers of a network are given of their parent's, as it is worked out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trainer.network import Array, Network


@dataclass
class Taken:
    """What each layer of ``child`` is given: ``weights`` by its index, and ``sentences`` of all
    that have any. ``inherited``: how many parameters came from ``parent``, by their shares.
    ``anew``: how many layers keep their own. ``undoing``: as in ``Inheritance``. ``noise``: on
    copies, as a share of their kernel's own standard deviation."""

    parent: Network
    child: Network
    noise: float
    random: np.random.Generator
    weights: dict[int, list[Array]] = field(default_factory=dict)
    inherited: float = 0.0
    anew: int = 0
    sentences: list[str] = field(default_factory=list)
    undoing: list[int] = field(default_factory=list)

    def take(self, index: int, weights: Sequence[Array], share: float, sentence: str) -> None:
        layer = self.child.layers[index]
        self.weights[index] = [
            np.asarray(new, dtype=old.dtype)
            for new, old in zip(weights, layer.weights, strict=True)
        ]
        self.inherited += share * layer.parameters
        self.sentences.append(f"{layer.name}: {sentence}")

    def fresh(self, index: int, why: str) -> None:
        layer = self.child.layers[index]
        if layer.weights:
            self.anew += 1
            self.sentences.append(f"{layer.name}: begins anew, {why}")
