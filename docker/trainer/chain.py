"""Weights for a network whose layers follow one another, from one of the same kind.

The walk through the child's layers carries along which of the parent's channels each channel is, so
that layers may differ in size and number.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.alignment import BRIDGES, PASSED, STEPS
from trainer.kernels import BORDER, Channels, kept_area, pair, repeated, resized, spread, widened
from trainer.network import Array, Layer
from trainer.taken import Taken

_ELEMENTWISE = frozenset(
    {
        *PASSED,
        *("Identity", "Activation", "ReLU", "LeakyReLU", "ELU", "ActivityRegularization"),
        *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast"),
        *("RandomBrightness", "RandomCrop", "RandomHeight", "RandomWidth", "Resizing"),
        *("CenterCrop", "ZeroPadding2D", "Cropping2D", "UpSampling2D", "Normalization"),
    }
)
_POOLING = frozenset({"MaxPooling2D", "AveragePooling2D"})
_GLOBAL = frozenset({"GlobalAveragePooling2D", "GlobalMaxPooling2D"})
_ACTIVATIONS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax"}
_LEAVE_RECTIFIED = ("relu", "leaky_relu", "elu", "linear")
_RECTIFIERS = ("relu", "sigmoid", "softmax")
_ACROSS_CHANNELS = ("softmax", "log_softmax", "sparsemax")

_OTHER_MAP = "of another map, an approximation"
_NOT_NORMALISED = "without the normalisation before it, an approximation"
_OTHER_INPUT = "what it sees is not what the parent's layer saw."
NEW_NORMALISATION = "a new normalisation."
_NO_IDENTITY = "a new layer that cannot begin as the identity."


class Chain:
    """The walk through a chain, which carries along what each channel is."""

    def __init__(self, taken: Taken, pairs: dict[int, int]) -> None:
        self._taken = taken
        self._pairs = pairs
        self._channels: Channels | None = None
        self._map: tuple[int, int] | None = None
        self._is_map = True
        self._is_channels_first = False
        self._map_before: tuple[int, int] | None = None
        self._next_parent = 0
        self._bridge: str | None = None
        self._differs: str | None = None

    def walk(self) -> None:
        for index, layer in enumerate(self._taken.child.layers):
            self._skip_removed(index)
            if layer.kind.endswith(("Conv2D", "Conv2DTranspose", "Pooling2D")):
                self._is_channels_first = layer.config.get("data_format") == "channels_first"
            self._see(layer.input_shape)
            self._one(index, layer)
            self._see(layer.output_shape)

    def _see(self, shape: tuple[int | None, ...] | None) -> None:
        if shape is None:
            return
        self._is_map = len(shape) == 4
        if self._is_map:
            height, width = shape[2:] if self._is_channels_first else shape[1:3]
            self._map = (height, width) if height and width else None

    def _skip_removed(self, index: int) -> None:
        """Where layers of the parent with weights were taken out, what comes next is unknown."""
        if index not in self._pairs:
            return
        partner = self._pairs[index]
        removed = self._taken.parent.layers[self._next_parent : partner]
        kinds = {each.kind for each in removed if each.weights or each.kind in _POOLING}
        if kinds - {"BatchNormalization"} - _POOLING and self._channels is not None:
            self._channels = Channels.unknown(len(self._channels.index))
        if kinds & _POOLING:
            self._differs = _OTHER_MAP
        elif "BatchNormalization" in kinds:
            self._differs = _NOT_NORMALISED
        self._next_parent = partner + 1

    def _one(self, index: int, layer: Layer) -> None:
        partner = self._taken.parent.layers[self._pairs[index]] if index in self._pairs else None
        if self._is_map and not self._keeps_order(layer):
            self._unknown_kind(index, layer, partner)
        elif layer.kind == "Conv2D":
            self._convolution(index, layer, partner)
        elif layer.kind == "Dense":
            self._dense(index, layer, partner)
        elif layer.kind == "BatchNormalization":
            self._normalization(index, layer, partner)
        elif layer.kind in ("PReLU", "LayerNormalization") and partner is not None:
            self._per_channel(index, layer, partner)
        elif layer.kind in ("SeparableConv2D", "DepthwiseConv2D"):
            self._separable(index, layer, partner)
        elif layer.kind in BRIDGES:
            # A vector stays as it is.
            if self._is_map:
                self._bridge, self._map_before = layer.kind, self._map
            if partner is not None and {partner.kind, layer.kind} == _GLOBAL:
                self._differs = _OTHER_MAP
        elif layer.kind in _POOLING:
            if partner is None or any(
                partner.setting(each) != layer.setting(each) for each in ("pool_size", *STEPS)
            ):
                self._differs = _OTHER_MAP
        elif layer.kind == "Rescaling" and _is_scalar(layer):
            if self._channels is not None:
                self._channels.is_rectified = False
        elif layer.weights or layer.kind not in _ELEMENTWISE:
            self._unknown_kind(index, layer, partner)
        if layer.kind in ("Activation", "ReLU") and self._channels is not None:
            name = _activation(layer)
            leaks = bool(layer.config.get("negative_slope"))
            self._channels.is_rectified |= name in _RECTIFIERS and not leaks
            self._channels = _activated(self._channels, name)

    def _take(self, index: int, weights: Sequence[Array], share: float, said: str) -> None:
        """Take over a layer, saying whether what it sees is only near to what it saw before."""
        layer = self._taken.child.layers[index]
        partner = self._taken.parent.layers[self._pairs[index]]
        if any(layer.setting(each) != partner.setting(each) for each in STEPS):
            self._differs = _OTHER_MAP
        if self._differs is not None and "approximation" not in said:
            said = f"{said}, {self._differs}"
        self._differs = None
        self._taken.take(index, weights, share, f"{said}.")

    def _keeps_order(self, layer: Layer) -> bool:
        """Whether a layer takes for channels what those before it do."""
        if layer.kind == "BatchNormalization":
            return layer.config.get("axis", -1) in ((1,) if self._is_channels_first else (-1, 3))
        if layer.kind == "LayerNormalization":
            return layer.config.get("axis", -1) in (-1, 3, [-1], [3])
        if layer.kind == "Flatten":
            order = layer.config.get("data_format")
            return (order == "channels_first") == self._is_channels_first
        return layer.kind not in ("Dense", "PReLU") or not self._is_channels_first

    def _incoming(self, count: int) -> Channels:
        if self._channels is None:
            self._channels = Channels.same(count)
        if len(self._channels.index) != count:
            self._channels = Channels.unknown(count)
        return self._channels

    def _leave(self, layer: Layer, index: np.ndarray[Any, Any], parents: int) -> None:
        activation = layer.config.get("activation")
        channels = Channels(index, parents, activation in _RECTIFIERS)
        self._channels = _activated(channels, activation)

    def _begin_anew(self, index: int, layer: Layer, why: str) -> None:
        """The layer keeps its fresh weights, and what follows sees nothing of the parent's."""
        self._taken.fresh(index, why)
        self._channels = Channels.unknown(layer.weights[0].shape[-1])

    # Convolutions

    def _convolution(self, index: int, layer: Layer, partner: Layer | None) -> None:
        incoming = self._incoming(layer.weights[0].shape[2] * _groups(layer))
        if _groups(layer) > 1:
            self._unknown_kind(index, layer, partner)
        elif partner is None:
            self._new_convolution(index, layer, incoming)
        elif not incoming.come_from(partner.weights[0].shape[2]):
            self._begin_anew(index, layer, _OTHER_INPUT)
        else:
            kernel, how = resized(partner, layer, self._map)
            outgoing = widened(kernel, layer.weights[0].shape[3], self._taken.random)
            new = self._remapped(kernel, layer.weights[0], incoming, outgoing, axis=2)
            biases = [bias[outgoing] for bias in partner.weights[1 : len(layer.weights)]]
            biases += layer.weights[1 + len(biases) :]
            share = float(incoming.known.mean()) * kept_area(partner, layer)
            how += _resizing(kernel.shape[3], layer.weights[0].shape[3], "filters")
            self._take(index, [new, *biases], share, ", ".join(how) or "taken over")
            self._leave(layer, outgoing, kernel.shape[3])

    def _new_convolution(self, index: int, layer: Layer, incoming: Channels) -> None:
        kernel = layer.weights[0]
        height, width, inputs, outputs = kernel.shape
        if not self._may_be_identity(index, layer, incoming, inputs, outputs):
            self._begin_anew(index, layer, _NO_IDENTITY)
            return
        chosen = repeated(inputs, outputs, self._taken.random)
        new = kernel * self._taken.noise
        new[(height - 1) // 2, (width - 1) // 2, chosen, np.arange(outputs)] += 1.0
        self._begin_as_identity(index, layer, [new], chosen, incoming)

    def _begin_as_identity(
        self, index: int, layer: Layer, kernels: list[Array], chosen: Array, incoming: Channels
    ) -> None:
        """``chosen``: which of its inputs each output is. The biases are zeros."""
        biases = [np.zeros_like(each) for each in layer.weights[len(kernels) :]]
        size = layer.weights[0].shape[:-2]
        whole = layer.config.get("padding") == "same" or all(each == 1 for each in size)
        where = "" if whole else BORDER
        self._taken.take(index, [*kernels, *biases], 0.0, f"new, begins as the identity{where}.")
        self._channels = Channels(incoming.index[chosen], incoming.parents, incoming.is_rectified)

    def _separable(self, index: int, layer: Layer, partner: Layer | None) -> None:
        """Depthwise kernels, (height, width, in, multiplier), do not add up their inputs."""
        inputs, multiplier = layer.weights[0].shape[2:4]
        incoming = self._incoming(inputs)
        outputs = layer.weights[1].shape[3] if layer.kind == "SeparableConv2D" else inputs
        if (
            partner is None
            and multiplier == 1
            and self._may_be_identity(index, layer, incoming, inputs, outputs)
        ):
            self._new_separable(index, layer, incoming, outputs)
            return
        fits = (
            partner is not None
            and multiplier == 1
            and partner.weights[0].shape[3] == 1
            and bool(incoming.known.all())
            and incoming.parents == partner.weights[0].shape[2]
        )
        if not fits or partner is None:
            self._unknown_kind(index, layer, partner)
            return
        depthwise, how = resized(partner, layer, self._map)
        new = [depthwise[:, :, incoming.index, :]]
        outgoing, parents = incoming.index, incoming.parents
        if layer.kind == "SeparableConv2D":
            pointwise = partner.weights[1]
            outgoing = widened(pointwise, layer.weights[1].shape[3], self._taken.random)
            parents = pointwise.shape[3]
            how += _resizing(parents, layer.weights[1].shape[3], "filters")
            new.append(self._remapped(pointwise, layer.weights[1], incoming, outgoing, axis=2))
        new += [bias[outgoing] for bias in partner.weights[len(new) : len(layer.weights)]]
        share = kept_area(partner, layer)
        self._take(index, new, share, ", ".join(how) or "taken over")
        self._leave(layer, outgoing, parents)

    def _new_separable(self, index: int, layer: Layer, incoming: Channels, outputs: int) -> None:
        height, width, inputs, _ = layer.weights[0].shape
        new = [each * self._taken.noise for each in layer.weights if each.ndim > 1]
        new[0][(height - 1) // 2, (width - 1) // 2] += 1.0
        chosen = repeated(inputs, outputs, self._taken.random)
        if layer.kind == "SeparableConv2D":
            new[1][0, 0, chosen, np.arange(outputs)] += 1.0
        self._begin_as_identity(index, layer, new, chosen, incoming)

    # Dense layers

    def _dense(self, index: int, layer: Layer, partner: Layer | None) -> None:
        inputs, outputs = layer.weights[0].shape
        channels, self._bridge, bridge = self._channels, None, self._bridge
        is_last = not any(each.weights for each in self._taken.child.layers[index + 1 :])
        if partner is None:
            incoming = self._incoming(inputs)
            self._new_dense(index, layer, incoming)
            return
        kernel, how = partner.weights[0], list[str]()
        if bridge is not None and channels is not None and channels.known.any():
            found = spread(kernel, channels, self._map_before, bridge, inputs)
            if found is None:
                self._begin_anew(index, layer, "the map before it is laid out in another way.")
                return
            kernel, incoming, how = found
        else:
            incoming = self._incoming(inputs)
        if not incoming.come_from(kernel.shape[0]):
            self._begin_anew(index, layer, _OTHER_INPUT)
            return
        if is_last and outputs != kernel.shape[1]:
            self._begin_anew(index, layer, "the number of classes has changed.")
            return
        outgoing = widened(kernel, outputs, self._taken.random)
        new = self._remapped(kernel, layer.weights[0], incoming, outgoing, axis=0)
        biases = [bias[outgoing] for bias in partner.weights[1 : len(layer.weights)]]
        biases += layer.weights[1 + len(biases) :]
        how += _resizing(kernel.shape[1], outputs, "units")
        share = float(incoming.known.mean())
        self._take(index, [new, *biases], share, ", ".join(how) or "taken over")
        self._leave(layer, outgoing, kernel.shape[1])

    def _new_dense(self, index: int, layer: Layer, incoming: Channels) -> None:
        inputs, outputs = layer.weights[0].shape
        if not self._may_be_identity(index, layer, incoming, inputs, outputs):
            self._begin_anew(index, layer, _NO_IDENTITY)
            return
        chosen = repeated(inputs, outputs, self._taken.random)
        new = layer.weights[0] * self._taken.noise
        new[chosen, np.arange(outputs)] += 1.0
        self._begin_as_identity(index, layer, [new], chosen, incoming)

    # New layers

    def _may_be_identity(
        self, index: int, layer: Layer, incoming: Channels, inputs: int, outputs: int
    ) -> bool:
        """Whether a new layer, and what newly activates it, can leave what it sees as it is."""
        activation = layer.config.get("activation")
        return (
            outputs >= inputs
            and bool(incoming.known.all())
            and all(each == 1 for each in pair(layer.config.get("strides", 1)))
            and (activation == "linear" or (activation == "relu" and incoming.is_rectified))
            and self._are_left(index, incoming.is_rectified)
        )

    def _are_left(self, index: int, is_rectified: bool) -> bool:
        """Whether the new activations between a layer and the next one with weights change nothing.

        A normalisation of the parent's gives negative values again.
        """
        for after, each in enumerate(self._taken.child.layers[index + 1 :], index + 1):
            if each.kind == "BatchNormalization":
                is_rectified &= after not in self._pairs
            elif each.weights:
                break
            elif after not in self._pairs and (name := _activation(each)) is not None:
                clips = bool(each.config.get("max_value"))
                if not is_rectified or clips or name not in _LEAVE_RECTIFIED:
                    return False
        return True

    # Others

    def _normalization(self, index: int, layer: Layer, partner: Layer | None) -> None:
        if partner is None:
            known = self._channels is None or bool(self._channels.known.all())
            if known and layer.config.get("center") and layer.config.get("scale"):
                self._taken.undoing.append(index)
            else:
                self._taken.fresh(index, NEW_NORMALISATION)
            if self._channels is not None:
                self._channels.is_rectified = False
            return
        count = layer.weights[0].shape[0]
        incoming = self._laid_out(count, partner) or self._incoming(count)
        if not incoming.come_from(partner.weights[0].shape[0]):
            self._taken.fresh(index, _OTHER_INPUT)
        else:
            new = _by_channel(incoming, partner, layer)
            share = float(incoming.known.mean())
            self._take(index, new, share, "statistics taken over")
        self._channels = Channels(incoming.index, incoming.parents)

    def _per_channel(self, index: int, layer: Layer, partner: Layer) -> None:
        """A slope, or a scale and an offset, for each channel, which is the weights' last axis."""
        channels, shape, theirs = self._channels, layer.shapes[0], partner.shapes[0]
        if channels is not None and shape == theirs and shape[-1] == 1:
            origin = Channels.same(1)  # one slope for all channels
        elif channels is not None and shape == (*theirs[:-1], len(channels.index)):
            origin = channels
        elif len(shape) == 1 and (found := self._laid_out(shape[0], partner)) is not None:
            origin = channels = found
        else:
            self._unknown_kind(index, layer, partner)
            return
        if not origin.come_from(theirs[-1]):
            self._taken.fresh(index, _OTHER_INPUT)
            return
        new = _by_channel(origin, partner, layer)
        said = "taken over"
        if layer.kind == "LayerNormalization" and not channels.are_all:
            said += ", an approximation, as it measures all channels at once"
        self._take(index, new, float(origin.known.mean()), said)
        self._channels = Channels(channels.index, channels.parents)

    def _laid_out(self, count: int, partner: Layer) -> Channels | None:
        """What each value of a map laid out as a vector is, behind a map of the parent's size."""
        if self._bridge is None or self._channels is None or not self._channels.known.any():
            return None
        values = partner.weights[0][:, None]
        found = spread(values, self._channels, self._map_before, self._bridge, count)
        if found is None or found[2]:
            return None
        self._bridge = None
        return found[1]

    def _unknown_kind(self, index: int, layer: Layer, partner: Layer | None) -> None:
        """A layer that this module knows nothing of is taken over as a whole or not at all."""
        known = self._channels is None or self._channels.are_all
        if partner is not None and layer.weights and partner.shapes == layer.shapes and known:
            self._take(index, partner.weights, 1.0, "taken over")
        elif layer.weights:
            self._taken.fresh(index, f"a {layer.kind} of another shape.")
            if self._channels is not None:
                self._channels = Channels.unknown(len(self._channels.index))
        if self._channels is not None:
            self._channels.is_rectified = False
        shape = layer.output_shape
        count = shape[1 if self._is_channels_first and len(shape) == 4 else -1] if shape else None
        if shape and len(shape) == 2:
            self._bridge = None
        if count:
            took = known if not layer.weights else index in self._taken.weights
            if not took:
                self._channels = Channels.unknown(count)
            elif self._channels is None or len(self._channels.index) != count:
                self._channels = Channels.same(count)

    def _remapped(
        self, kernel: Array, own: Array, incoming: Channels, outgoing: Array, axis: int
    ) -> Array:
        """A kernel for the child's channels: inputs divided among copies, outputs repeated.

        Inputs of no origin keep the child's own weights, small against the inherited ones.
        """
        chosen = np.take(kernel, np.maximum(incoming.index, 0), axis=axis)
        shape = [1] * kernel.ndim
        shape[axis] = -1
        known = incoming.known.reshape(shape)
        divided = chosen / incoming.copies().reshape(shape)
        new = np.where(known, np.take(divided, outgoing, axis=-1), own * 0.1)
        # Only what is a copy of another needs noise in order to part from it.
        is_copy = np.ones(len(outgoing), bool)
        is_copy[np.unique(outgoing, return_index=True)[1]] = False
        deviation = self._taken.noise * float(kernel.std()) * is_copy
        noisy: Array = new + self._taken.random.standard_normal(new.shape) * deviation
        return noisy


def _activation(layer: Layer) -> str | None:
    """What a layer that only activates does; None for others, and "" for a function of its own."""
    if layer.kind != "Activation":
        return _ACTIVATIONS.get(layer.kind)
    name = layer.config.get("activation")
    return name if isinstance(name, str) else ""


def _activated(channels: Channels, activation: Any) -> Channels:
    """What channels are behind an activation: a softmax shares out one among the copies too."""
    if activation in _ACROSS_CHANNELS and not channels.are_all:
        return Channels.unknown(len(channels.index))
    return channels


def _by_channel(origin: Channels, partner: Layer, layer: Layer) -> list[Array]:
    """The partner's weights whose last axis is that of the channels, for those of the child."""
    return [
        np.where(origin.known, theirs[..., np.maximum(origin.index, 0)], own)
        for theirs, own in zip(partner.weights, layer.weights, strict=True)
    ]


def _resizing(before: int, now: int, what: str) -> list[str]:
    """What is said of outputs that become more or fewer."""
    if before == now:
        return []
    return [
        f"{before} {what} widened to {now}" if now > before else f"the strongest {now} {what} kept"
    ]


def _groups(layer: Layer) -> int:
    return int(layer.config.get("groups", 1))


def _is_scalar(layer: Layer) -> bool:
    return all(isinstance(layer.config.get(each, 0), int | float) for each in ("scale", "offset"))
