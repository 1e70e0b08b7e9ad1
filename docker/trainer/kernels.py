"""Kernels of one network made to fit another: more or fewer outputs, another size, another map.

All arrays are channels-last, as Keras has them: kernels (height, width, in, out), dense ones
(in, out).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.network import Array, Layer

BORDER = ", but for the map's border"


@dataclass
class Channels:
    """Which channel of the parent each channel of the child's tensor is; -1 for none.

    ``parents``: how many channels the parent's tensor has. ``is_rectified``: no value is negative,
    so that a ReLU changes nothing.
    """

    index: np.ndarray[Any, Any]
    parents: int
    is_rectified: bool = False

    @classmethod
    def same(cls, count: int) -> "Channels":
        return cls(np.arange(count), count)

    @classmethod
    def unknown(cls, count: int) -> "Channels":
        return cls(np.full(count, -1), 0)

    @property
    def known(self) -> np.ndarray[Any, Any]:
        return self.index >= 0

    @property
    def are_all(self) -> bool:
        """Whether they are the parent's, each once and in their order."""
        return np.array_equal(self.index, np.arange(self.parents))

    def come_from(self, inputs: int) -> bool:
        """Whether they are, in part at least, what a layer of ``inputs`` channels saw."""
        return self.parents == inputs and bool(self.known.any())

    def copies(self) -> np.ndarray[Any, Any]:
        """How often each channel's original occurs; 1 for channels of no origin."""
        counts = np.bincount(self.index[self.known]) if self.known.any() else np.zeros(1, int)
        return np.where(self.known, counts[np.maximum(self.index, 0)], 1)


def widened(kernel: Array, count: int, random: np.random.Generator) -> Array:
    """Which outputs of the parent become the ``count`` of the child: more by repeating random ones
    (Net2WiderNet), fewer by keeping those of the largest absolute weights (Li et al. 2017)."""
    outputs = kernel.shape[-1]
    if count >= outputs:
        return repeated(outputs, count, random)
    strength = np.abs(kernel).reshape(-1, outputs).sum(axis=0)
    return np.sort(np.argsort(-strength, kind="stable")[:count])


def repeated(count: int, wanted: int, random: np.random.Generator) -> Array:
    """0 to ``count`` - 1, and then random ones of them up to the ``wanted`` length."""
    return np.concatenate([np.arange(count), random.integers(0, count, wanted - count)])


def kept_area(parent: Layer, child: Layer) -> float:
    """The share of the child's kernel area that the parent's kernel covers."""
    old, new = parent.weights[0].shape[:2], child.weights[0].shape[:2]
    return float(min(old[0], new[0]) * min(old[1], new[1]) / (new[0] * new[1]))


def resized(parent: Layer, child: Layer, size: tuple[int, int] | None) -> tuple[Array, list[str]]:
    """The parent's kernel at the child's height and width: zeros around it, or its middle.

    A larger one without padding has its zeros at the end, so that poolings behind it divide the map
    as before, and the map loses its end alone.
    """
    kernel = parent.weights[0]
    old, new = kernel.shape[:2], child.weights[0].shape[:2]
    if old == new:
        return kernel, []
    result = np.zeros((*new, *kernel.shape[2:]), kernel.dtype)
    strides = pair(child.config.get("strides", 1))
    takes, puts = [], []
    for axis in (0, 1):
        shift = 0
        if child.config.get("padding") == "same" or new[axis] < old[axis]:
            shift = _before(new[axis], strides[axis], size, axis, child) - _before(
                old[axis], strides[axis], size, axis, child
            )
        low, high = max(0, shift), min(new[axis], old[axis] + shift)
        puts.append(slice(low, high))
        takes.append(slice(low - shift, high - shift))
    result[puts[0], puts[1]] = kernel[takes[0], takes[1]]
    verb = "padded with zeros" if new[0] * new[1] > old[0] * old[1] else "cut to its middle"
    where = "" if child.config.get("padding") == "same" else BORDER
    return result, [f"kernel {old[0]}×{old[1]} {verb} to {new[0]}×{new[1]}{where}"]


def _before(kernel: int, stride: int, size: tuple[int, int] | None, axis: int, layer: Layer) -> int:
    """Where the kernel's first row lies before the pixel that it is for (TensorFlow's padding)."""
    if layer.config.get("padding") != "same" or size is None or stride == 1:
        return (kernel - 1) // 2
    pixels = size[axis]
    total = max((-(-pixels // stride) - 1) * stride + kernel - pixels, 0)
    return total // 2


def spread(
    kernel: Array, channels: Channels, size: tuple[int, int] | None, bridge: str, inputs: int
) -> tuple[Array, Channels, list[str]] | None:
    """A dense kernel after the step from maps to vectors, for the child's map.

    ``kernel`` is the parent's (height · width · channels, units) with channels fastest, as Flatten
    lays them out. ``size`` is the child's map. Returns the kernel for it with the parent's
    channels, the origin of each of the child's inputs in it, and what was done. None where the
    parent's map cannot be worked out.
    """
    ours = (1, 1) if bridge != "Flatten" or size is None else size
    if inputs != ours[0] * ours[1] * len(channels.index):
        return None
    parents = channels.parents
    theirs = _parent_map(kernel.shape[0], parents, ours)
    if theirs is None:
        return None
    maps = kernel.reshape(*theirs, parents, kernel.shape[1])
    how = []
    if theirs != ours:
        maps = _resampled(_resampled(maps, ours[0], 0), ours[1], 1)
        how.append(
            f"map {theirs[0]}×{theirs[1]} gathered into {ours[0]}×{ours[1]}, an approximation"
        )
    places = np.arange(ours[0] * ours[1])[:, None] * parents
    index = np.where(channels.known, places + channels.index, -1).reshape(-1)
    origin = Channels(index, ours[0] * ours[1] * parents, channels.is_rectified)
    return maps.reshape(-1, kernel.shape[1]), origin, how


def _parent_map(inputs: int, channels: int, ours: tuple[int, int]) -> tuple[int, int] | None:
    """The parent's map (height, width): of the same proportions as ours, and of the right area."""
    area, rest = divmod(inputs, channels)
    if rest or not area:
        return None
    if area == ours[0] * ours[1]:
        return ours
    height = round((area * ours[0] / ours[1]) ** 0.5)
    if height and area % height == 0:
        return height, area // height
    return None


def _resampled(maps: Array, length: int, axis: int) -> Array:
    """Weights of a map at another resolution: those that fall together are added up, those that
    come apart are divided."""
    old = maps.shape[axis]
    if old == length:
        return maps
    if old > length:
        starts = (np.arange(length) * old) // length
        gathered: Array = np.add.reduceat(maps, starts, axis=axis)
        return gathered
    origin = (np.arange(length) * old) // length
    copies = np.bincount(origin, minlength=old)[origin]
    shape = [1] * maps.ndim
    shape[axis] = -1
    divided: Array = np.take(maps, origin, axis=axis) / copies.reshape(shape)
    return divided


def pair(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (int(value), int(value))
