"""Which layer of the parent is which layer of the child."""

from collections.abc import Sequence

from trainer.network import Layer

# The layers that carry weights, and the one that divides the convolutional part from the dense one.
_BRIDGES = ("Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D")


def align(parent: Sequence[Layer], child: Sequence[Layer]) -> dict[int, int]:
    """Indices of the child's layers -> those of the parent's, in order and one to one.

    The best common subsequence by dynamic programming (Needleman and Wunsch 1970) with a score for
    how well two layers go together. Only layers with weights and the step from maps to vectors are
    aligned. The last layers with weights belong together where both are of one kind: they give the
    classes.
    """
    ours = [i for i, layer in enumerate(child) if _counts(layer)]
    theirs = [i for i, layer in enumerate(parent) if _counts(layer)]
    tail: dict[int, int] = {}
    if ours and theirs and _score(parent[theirs[-1]], child[ours[-1]]) > 0:
        tail = {ours.pop(): theirs.pop()}
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


def _counts(layer: Layer) -> bool:
    return bool(layer.weights) or layer.kind in _BRIDGES


def _score(parent: Layer, child: Layer) -> float:
    """0 where they cannot be the same layer; the more alike, the higher."""
    if parent.kind in _BRIDGES and child.kind in _BRIDGES:
        return 3.0
    if parent.kind != child.kind or len(parent.weights) != len(child.weights):
        return 0.0
    if [each.ndim for each in parent.weights] != [each.ndim for each in child.weights]:
        return 0.0
    score = 2.0
    pairs = zip(parent.shapes, child.shapes, strict=True)
    axes = [own == other for one, two in pairs for own, other in zip(one, two, strict=True)]
    score += sum(axes) / max(1, len(axes))
    return score
