"""Turned, moved and zoomed images: the same pixels in less time.

Keras' ``ImageDataGenerator`` has SciPy transform an image channel by channel, which takes a third
of an epoch of a small network. All channels move alike: here their coordinates and weights are
worked out once. The arithmetic is that of SciPy's ``affine_transform``, in its order, in double
precision, so that the pixels are the same to the bit.
"""

import functools
from typing import Any

import numpy as np
from keras.src.legacy.preprocessing import image as legacy

Array = np.ndarray[Any, Any]
MOST_PIXELS = 128 * 128
"""Above it SciPy's single pass is no slower: the arrays between the steps fill the caches."""
_TRIED: tuple[dict[str, float], ...] = (
    {"theta": 17.0, "tx": 1.7, "ty": -2.3, "zx": 0.9, "zy": 1.1},
    {"theta": -31.0, "shear": 12.0, "tx": -3.1},
    {"zx": 1.2, "zy": 0.8},
)


def share_coordinates() -> bool:
    """Put ``transformed`` in the place of Keras' function, if it gives the same here to the bit.

    Returns whether it does: a SciPy that was compiled in another way may round differently.
    """
    original = legacy.apply_affine_transform
    axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
    sample = np.random.default_rng(0).random((23, 31, 3), np.float32)
    for each in _TRIED:
        theirs, ours = original(sample, **each, **axes), transformed(sample, **each, **axes)  # type: ignore[arg-type]
        if ours is None or ours.dtype != theirs.dtype or not np.array_equal(ours, theirs):
            return False

    @functools.wraps(original)
    def apply(x: Any, *arguments: Any, **named: Any) -> Any:
        found = transformed(x, *arguments, **named)
        return original(x, *arguments, **named) if found is None else found

    legacy.apply_affine_transform = apply
    return True


def transformed(
    x: Any,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,  # noqa: ARG001 - for other fill modes
    order: int = 1,
) -> Array | None:
    """A float32 image (rows, columns, channels) by bilinear interpolation, its border going on.

    Angles in degrees, moves in pixels, zooms as factors. None for what is left to Keras: large
    images, other layouts, types, fill modes and orders.
    """
    usual = (row_axis, col_axis, channel_axis, fill_mode, order) == (0, 1, 2, "nearest", 1)
    if not usual or not isinstance(x, np.ndarray) or x.dtype != np.float32 or x.ndim != 3:
        return None
    rows, columns, channels = x.shape
    if min(rows, columns) < 2 or rows * columns > MOST_PIXELS:
        return None
    matrix = _matrix(theta, tx, ty, shear, zx, zy)
    if matrix is None:
        return x
    matrix = _about_centre(matrix, rows, columns)[[1, 0, 2]][:, [1, 0, 2]]
    r, c = np.arange(float(rows))[:, None], np.arange(float(columns))[None, :]
    row, above, below = _place(r * matrix[0, 0] + c * matrix[0, 1] + matrix[0, 2], rows)
    column, left, right = _place(r * matrix[1, 0] + c * matrix[1, 1] + matrix[1, 2], columns)
    next_row, next_column = np.minimum(row + 1, rows - 1), np.minimum(column + 1, columns - 1)
    planes = np.moveaxis(x, 2, 0).astype(np.float64, order="C").reshape(channels, -1)
    total = np.zeros_like(planes)
    for start, row_weight in ((row * columns, above), (next_row * columns, below)):
        for offset, column_weight in ((column, left), (next_column, right)):
            part = planes.take(start + offset, axis=1)
            part *= row_weight
            part *= column_weight
            total += part
    return np.moveaxis(total.astype(np.float32).reshape(channels, rows, columns), 0, 2)


def _matrix(theta: float, tx: float, ty: float, shear: float, zx: float, zy: float) -> Array | None:
    """The turn, the move, the shear and the zoom in one 3×3 matrix; None where nothing changes."""
    steps: list[list[list[float]]] = []
    if theta != 0:
        turn = np.deg2rad(theta)
        cos, sin = np.cos(turn), np.sin(turn)
        steps.append([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    if tx != 0 or ty != 0:
        steps.append([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    if shear != 0:
        lean = np.deg2rad(shear)
        steps.append([[1, -np.sin(lean), 0], [0, np.cos(lean), 0], [0, 0, 1]])
    if zx != 1 or zy != 1:
        steps.append([[zx, 0, 0], [0, zy, 0], [0, 0, 1]])
    return functools.reduce(np.dot, map(np.array, steps)) if steps else None


def _about_centre(matrix: Array, rows: int, columns: int) -> Array:
    x, y = rows / 2 - 0.5, columns / 2 - 0.5
    there = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    back = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
    return np.asarray(np.dot(np.dot(there, matrix), back))


def _place(coordinates: Array, length: int) -> tuple[Array, Array, Array]:
    """The pixel before each coordinate, its weight, and the weight of the next one."""
    inside = np.clip(coordinates, 0, length - 1).reshape(-1)
    index = inside.astype(np.intp)
    first = 1.0 - (inside - index)
    return index, first, 1.0 - first
