"""Layers in the words of Keras 1, which Keras 2 understood until 2.3.

``nb_filter``, ``border_mode``, ``output_dim``, ``Convolution2D(32, 3, 3)`` …
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras

from trainer.shims.modules import namespaces

_RENAMED = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
    "border_mode": "padding",
    "subsample": "strides",
    "nb_filter": "filters",
    "output_dim": "units",
    "p": "rate",
}
_LAYERS = (
    "Conv2D",
    "SeparableConv2D",
    "DepthwiseConv2D",
    "Conv2DTranspose",
    "Dense",
    "Dropout",
    "SpatialDropout2D",
    "MaxPooling2D",
    "AveragePooling2D",
    "BatchNormalization",
    "ZeroPadding2D",
)
_CHANNELS = (1, 3)
_CONVOLUTIONS = ("Conv2D", "SeparableConv2D", "Conv2DTranspose")
_ORDERS = {"th": "channels_first", "tf": "channels_last"}


def install(note: Callable[[str], None]) -> None:
    for module in namespaces("models"):
        # Until Keras 2.15 it was found there as well.
        module.Input = keras.Input  # type: ignore[attr-defined]
    for name in _LAYERS:
        layer = getattr(keras.layers, name)
        layer.__init__ = _translating(layer.__init__, name, note)
    for name in ("input", "output"):
        setattr(keras.layers.Layer, f"{name}_shape", _ShapeOf(name))


class _ShapeOf:
    """``layer.output_shape``, dropped with Keras 3.0 for all but models.

    Without ``__set__``, so that a layer of the script's own may have a member of that name.
    """

    def __init__(self, end: str) -> None:
        self.end = end

    def __get__(self, layer: Any, owner: Any = None) -> Any:
        if layer is None:
            return self
        if not layer._inbound_nodes:
            raise AttributeError(f"The layer {layer.name} has no {self.end} before it is called.")
        end = getattr(layer, self.end)
        if isinstance(end, (list, tuple)):
            return [tuple(each.shape) for each in end]
        shape = tuple(end.shape)
        # Keras 2 had a list there.
        return [shape] if isinstance(layer, keras.layers.InputLayer) else shape


def _translating(
    original: Callable[..., None], name: str, note: Callable[[str], None]
) -> Callable[..., None]:
    @functools.wraps(original)
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        for old, new in _RENAMED.items():
            if old in named and new not in named:
                named[new] = named.pop(old)
        if "dim_ordering" in named:
            order = named.pop("dim_ordering")
            if order in _ORDERS:
                named["data_format"] = _ORDERS[order]
        if name in _CONVOLUTIONS:
            arguments = _kernel_from_rows(arguments, named, name, note)
        # `input_dim` and `weights` on any layer: dropped with Keras 3.0.
        if "input_dim" in named and name != "Embedding":
            named["input_shape"] = (named.pop("input_dim"),)
        if "batch_input_shape" in named:
            named["input_shape"] = tuple(named.pop("batch_input_shape"))[1:]
        if name in _CONVOLUTIONS and "data_format" not in named:
            _as_theano_has_it(named.get("input_shape"), note)
        original(self, *arguments, **named)

    # Keras reads it in two ways, of which one would see `arguments` here.
    init.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    return init


def _as_theano_has_it(shape: Any, note: Callable[[str], None]) -> None:
    """Images of 3×32×32 have their channels first, and so have those of all later layers.

    With Theano (until Keras 2.3) a setting of the user's said so, of which the script says nothing.
    """
    if keras.config.image_data_format() == "channels_first" or not isinstance(shape, (tuple, list)):
        return
    sizes = [each for each in shape if isinstance(each, int)]
    if len(shape) == len(sizes) == 3 and sizes[0] in _CHANNELS and min(sizes[1:]) > max(_CHANNELS):
        keras.config.set_image_data_format("channels_first")
        note(f"Images of {'×'.join(map(str, sizes))} are read as with Theano: the channels first.")


def _kernel_from_rows(
    arguments: tuple[Any, ...], named: dict[str, Any], name: str, note: Callable[[str], None]
) -> tuple[Any, ...]:
    """``(filters, rows, columns)`` in place of ``(filters, (rows, columns))``.

    Keras 3 takes the third number for the strides. Two equal numbers above 1 are a kernel as old
    scripts write it; others are left alone, for they may be a kernel and its strides.
    """
    if "nb_row" in named and "nb_col" in named:
        named["kernel_size"] = (named.pop("nb_row"), named.pop("nb_col"))
    sizes = arguments[1:3]
    if len(sizes) == 2 and all(type(each) is int for each in sizes) and sizes[0] == sizes[1] > 1:
        note(
            f"{name}({', '.join(map(str, arguments[:3]))}) is read as in Keras 1: "
            f"a kernel of {sizes[0]}×{sizes[1]}."
        )
        return (arguments[0], sizes, *arguments[3:])
    return arguments
