"""Output shapes of Keras layers, without the batch axis, channels last unless they say so."""

from collections.abc import Sequence

from jobs.source.evaluate.values import Const, Item, Layer, Seq, Shape, pair, shape_of, whole

KEEPING = {
    "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "ThresholdedReLU", "Softmax",
    "BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization",
    "Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise",
    "Rescaling", "Normalization", "ActivityRegularization", "Identity", "Masking",
    "Lambda", "MaxNormalization",
}  # fmt: skip
AUGMENTING = {
    "RandomFlip", "RandomRotation", "RandomZoom", "RandomContrast", "RandomTranslation",
    "RandomBrightness", "RandomHeight", "RandomWidth", "RandomShear", "RandomHue",
    "RandomSaturation", "RandomGrayscale", "RandomErasing", "RandAugment", "AutoContrast",
    "RandomColorJitter", "RandomColorDegeneration", "RandomPosterization", "RandomSharpness",
    "RandomGaussianBlur", "RandomInvert", "RandomPerspective", "AugMix",
}  # fmt: skip
CONVOLUTIONS = {"Conv2D", "SeparableConv2D", "DepthwiseConv2D"}
POOLS = {"MaxPooling2D", "AveragePooling2D"}
GLOBAL_POOLS = {"GlobalAveragePooling2D", "GlobalMaxPooling2D"}
MERGES = {"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"}


def _along(size: int | None, window: int, stride: int, padding: str) -> int | None:
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    return (size - window) // stride + 1


def _product(values: Sequence[int | None]) -> int | None:
    total = 1
    for value in values:
        if value is None:
            return None
        total *= value
    return total


class MisfitError(Exception):
    """The layer cannot be built on its input; the message is a clause."""


def output_shape(layer: Layer, inputs: Sequence[Shape | None]) -> Shape | None:
    """None where the shape cannot be known. Raises MisfitError where the layer cannot be built."""
    shape = inputs[0] if inputs else None
    kind = layer.kind
    if kind in ("Input", "InputLayer"):
        return declared_input(layer)
    if kind in KEEPING or kind in AUGMENTING:
        return shape
    if kind == "Concatenate":
        return _concatenated(inputs, layer.params.get("axis"))
    if kind in MERGES:
        return _merged(inputs)
    if kind == "Dense":
        units = layer.number("units")
        if units is not None and units < 1:
            raise MisfitError(f"a Dense layer of {units} units")
        return None if shape is None else (*shape[:-1], units)
    if shape is None:
        return None
    if kind == "Flatten":
        return (_product(shape),)
    if kind == "Reshape":
        return _reshaped(shape, shape_of(layer.params.get("target_shape")))
    if kind in GLOBAL_POOLS:
        return _global(layer, shape)
    if len(shape) == 3:
        return _on_image(layer, kind, shape)
    return None


def _global(layer: Layer, shape: Shape) -> Shape | None:
    if len(shape) != 3:
        return None
    channels = shape[0] if layer.text("data_format") == "channels_first" else shape[2]
    keep = layer.params.get("keepdims")
    if isinstance(keep, Const) and keep.value is True:
        return (1, 1, channels)
    return (channels,)


def declared_input(layer: Layer) -> Shape | None:
    """The input shape that a layer declares for itself."""
    params = layer.params
    for name in ("batch_input_shape", "batch_shape"):
        if name in params and (full := shape_of(params[name])):
            return full[1:]
    for name in ("input_shape", "shape"):
        if name in params:
            return shape_of(params[name])
    size = whole(params.get("input_dim"))
    if size is not None and layer.kind == "Dense":
        return (size,)
    return None


def _on_image(layer: Layer, kind: str, shape: Shape) -> Shape | None:
    first = layer.text("data_format") == "channels_first"
    height, width, channels = (shape[1], shape[2], shape[0]) if first else shape

    def made(size: tuple[int | None, int | None], depth: int | None) -> Shape:
        return (depth, *size) if first else (*size, depth)

    if kind in CONVOLUTIONS or kind in POOLS:
        size = _windowed(layer, kind, (height, width))
        if kind in POOLS:
            return made(size, channels)
        depth = layer.number("filters")
        if kind == "DepthwiseConv2D":
            multiplier = layer.number("depth_multiplier") or 1
            depth = None if channels is None else channels * multiplier
        elif depth is not None and depth < 1:
            raise MisfitError(f"a convolution of {depth} filters")
        return made(size, depth)
    if kind == "Conv2DTranspose":
        stride = pair(layer.params.get("strides")) or (1, 1)
        if layer.text("padding") == "same":
            return made(_times((height, width), stride), layer.number("filters"))
        return made((None, None), layer.number("filters"))
    if kind == "UpSampling2D":
        return made(_times((height, width), pair(layer.params.get("size")) or (2, 2)), channels)
    if kind == "ZeroPadding2D":
        added = _border(layer.params.get("padding"))
        return made(_plus((height, width), added), channels)
    if kind == "Cropping2D":
        taken = _border(layer.params.get("cropping"))
        return made(_plus((height, width), tuple(-each for each in taken)), channels)
    if kind in ("Resizing", "CenterCrop", "RandomCrop"):
        return made((layer.number("height"), layer.number("width")), channels)
    return None


def _windowed(
    layer: Layer, kind: str, size: tuple[int | None, int | None]
) -> tuple[int | None, int | None]:
    pooling = kind in POOLS
    window = pair(layer.params.get("pool_size" if pooling else "kernel_size"))
    if window is None:
        if not pooling or "pool_size" in layer.params:
            return (None, None)
        window = (2, 2)
    if min(window) < 1:
        raise MisfitError(f"a window of {window[0]}×{window[1]}")
    stated = layer.params.get("strides")
    unset = stated is None or (isinstance(stated, Const) and stated.value is None)
    stride = (window if pooling else (1, 1)) if unset else pair(stated)
    if stride is None or min(stride) < 1:
        return (None, None)
    dilation = pair(layer.params.get("dilation_rate")) or (1, 1)
    reach = tuple((each - 1) * step + 1 for each, step in zip(window, dilation, strict=True))
    padding = layer.text("padding") or "valid"
    result = tuple(
        _along(length, span, step, padding.lower())
        for length, span, step in zip(size, reach, stride, strict=True)
    )
    if any(each is not None and each < 1 for each in result):
        what = "pooling" if pooling else "kernel"
        raise MisfitError(
            f"a {what} of {window[0]}×{window[1]} on a feature map of {size[0]}×{size[1]}"
        )
    return (result[0], result[1])


def _times(
    size: tuple[int | None, int | None], factor: tuple[int, int]
) -> tuple[int | None, int | None]:
    height, width = size
    return (
        None if height is None else height * factor[0],
        None if width is None else width * factor[1],
    )


def _border(value: Item | None) -> tuple[int, ...]:
    """Rows and columns that a padding of 1, (1, 1) or ((1, 1), (1, 1)) adds."""
    if value is None:
        return (2, 2)
    simple = pair(value)
    if simple:
        return (2 * simple[0], 2 * simple[1])
    if isinstance(value, Seq) and len(value.items) == 2:
        sides = [pair(each) for each in value.items]
        if all(sides):
            return tuple(sum(each) for each in sides if each)
    return ()


def _plus(
    size: tuple[int | None, int | None], added: tuple[int, ...]
) -> tuple[int | None, int | None]:
    if len(added) != 2:
        return (None, None)
    height, width = size
    result = (
        None if height is None else height + added[0],
        None if width is None else width + added[1],
    )
    if any(each is not None and each < 1 for each in result):
        raise MisfitError(f"a crop on a feature map of {height}×{width}")
    return result


def _reshaped(shape: Shape, target: Shape | None) -> Shape | None:
    if target is None or None in target:
        return target
    total = _product(shape)
    if -1 in target:
        known = _product([each for each in target if each != -1])
        if total is None or not known:
            return tuple(None if each == -1 else each for each in target)
        return tuple(total // known if each == -1 else each for each in target)
    if total is not None and _product(target) != total:
        raise MisfitError(f"a reshape of {total} values to {target}")
    return target


def _concatenated(inputs: Sequence[Shape | None], axis: Item | None) -> Shape | None:
    if not inputs or any(each is None for each in inputs):
        return None
    known = [each for each in inputs if each is not None]
    if len({len(each) for each in known}) != 1:
        raise MisfitError("a concatenation of maps of different rank")
    stated = whole(axis) if axis is not None else -1
    if stated is None:
        return None
    position = stated if stated < 0 else stated - 1 - len(known[0])
    if position == -1 - len(known[0]) or -position > len(known[0]):
        return None
    result: list[int | None] = []
    for index in range(-len(known[0]), 0):
        sizes = [each[index] for each in known]
        if index == position:
            result.append(None if None in sizes else sum(s for s in sizes if s is not None))
            continue
        if len({size for size in sizes if size is not None}) > 1:
            raise MisfitError("a concatenation of feature maps of different size")
        result.append(next((size for size in sizes if size is not None), None))
    return tuple(result)


def _merged(inputs: Sequence[Shape | None]) -> Shape | None:
    known = [each for each in inputs if each is not None]
    if len(known) != len(inputs) or not known:
        return None
    if len({len(each) for each in known}) == 1:
        for sizes in zip(*known, strict=True):
            numbers = {size for size in sizes if size is not None and size != 1}
            if len(numbers) > 1:
                raise MisfitError("a sum of feature maps of different shape")
        return max(known, key=lambda each: _product(each) or 0)
    return known[0]
