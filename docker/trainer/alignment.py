"""Which layer of the parent is which layer of the child."""

from collections.abc import Sequence

from trainer.network import Layer

BRIDGES = frozenset({"Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D"})
"""The layers that divide the convolutional part from the dense one."""
PASSED = frozenset(
    {
        *("InputLayer", "Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout"),
        "GaussianNoise",
    }
)
"""Layers that come and go without a change of what is computed."""
STEPS = ("strides", "padding", "dilation_rate")
_SETTINGS = ("activation", "pool_size", *STEPS)
_HINT = 0.01
"""What a layer without weights counts, or a setting: enough to tell layers of equal shapes apart,
and too little to part two layers with weights that go together."""


def align(parent: Sequence[Layer], child: Sequence[Layer]) -> dict[int, int]:
    """Indices of the child's layers -> those of the parent's, in order and one to one.

    The best common subsequence by dynamic programming (Needleman and Wunsch 1970) with a score for
    how well two layers go together. Poolings and activations are aligned as well: a layer that is
    put between two like it shows only by them. The last layers with weights belong together where
    both are of one kind: they give the classes.
    """
    ours = [i for i, layer in enumerate(child) if layer.kind not in PASSED]
    theirs = [i for i, layer in enumerate(parent) if layer.kind not in PASSED]
    tail: dict[int, int] = {}
    own, other = _classifier(child), _classifier(parent)
    if own is not None and other is not None and _score(parent[other], child[own]) > 0:
        tail = {own: other}
        ours = [i for i in ours if i < own]
        theirs = [i for i in theirs if i < other]
    rows, columns = len(theirs), len(ours)
    # best[i][j]: the best score of the layers from i and from j on, so that ties go to early ones.
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            score = _score(parent[theirs[i]], child[ours[j]])
            together = best[i + 1][j + 1] + score if score > 0 else float("-inf")
            best[i][j] = max(together, best[i + 1][j], best[i][j + 1])
    pairs = {}
    i = j = 0
    while i < rows and j < columns:
        score = _score(parent[theirs[i]], child[ours[j]])
        if score > 0 and best[i][j] == best[i + 1][j + 1] + score:
            pairs[ours[j]] = theirs[i]
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs | tail


def _classifier(layers: Sequence[Layer]) -> int | None:
    """The last layer with weights."""
    return max((i for i, layer in enumerate(layers) if layer.weights), default=None)


def _score(parent: Layer, child: Layer) -> float:
    """0 where they cannot be the same layer; the more alike, the higher."""
    if parent.kind in BRIDGES and child.kind in BRIDGES:
        return 3.0
    if parent.kind != child.kind or len(parent.weights) != len(child.weights):
        return 0.0
    hints = _HINT * sum(bool(parent.setting(x) == child.setting(x)) for x in _SETTINGS)
    if not parent.weights:
        return _HINT + hints
    if [each.ndim for each in parent.weights] != [each.ndim for each in child.weights]:
        return 0.0
    if any(parent.config.get(each) != child.config.get(each) for each in ("center", "scale")):
        return 0.0  # as many weights of a normalisation, but others
    pairs = zip(parent.shapes, child.shapes, strict=True)
    axes = [own == other for one, two in pairs for own, other in zip(one, two, strict=True)]
    return 2.0 + sum(axes) / max(1, len(axes)) + hints
