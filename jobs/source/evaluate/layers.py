"""Layers and models: how they are made, put together and applied to one another."""

import ast
from typing import TYPE_CHECKING

from jobs.source.evaluate import shapes
from jobs.source.evaluate.names import APPLICATIONS, LEGACY_KEYWORDS, PARAMETERS
from jobs.source.evaluate.trace import Use
from jobs.source.evaluate.values import (
    Applied,
    Const,
    Frames,
    Function,
    Instance,
    Item,
    Layer,
    Model,
    Seq,
    Shape,
    Step,
    Table,
    Tensor,
    Unknown,
    shape_of,
    whole,
)

if TYPE_CHECKING:
    from jobs.source.evaluate.expressions import Expressions

_CONVOLUTIONS = ("Conv2D", "SeparableConv2D", "Conv2DTranspose")
_CHANNELS = (1, 3)
WRAPPERS = {"TimeDistributed", "Bidirectional"}


def make_layer(
    run: "Expressions",
    kind: str,
    spelled: str,
    args: list[Item],
    kwargs: dict[str, Item],
    node: ast.Call,
) -> Layer:
    """A layer object from the arguments of its call, by today's names."""
    params: dict[str, Item] = {}
    if spelled == "Convolution2D" and len(args) >= 3 and whole(args[2]) is not None:
        # Keras 1: the number of rows and of columns of the kernel.
        params["kernel_size"] = _kernel(args[1], args[2])
        args = [args[0], params["kernel_size"], *args[3:]]
    for name, value in zip(PARAMETERS.get(kind, ()), args, strict=False):
        params[name] = value
    for name, value in kwargs.items():
        today = LEGACY_KEYWORDS.get(name, name)
        if name == "output_dim" and kind == "Dense":
            today = "units"
        if name == "lr":
            today = name
        params[today] = value
    if kind in _CONVOLUTIONS and _has_channels_first(params.get("input_shape")):
        # As the user's settings had it with Theano; the trainer does the same.
        run.trace.channels_first = run.trace.channels_first or "data_format" not in params
    if run.trace.channels_first and kind.endswith("2D") and "data_format" not in params:
        params["data_format"] = Const(value="channels_first")
    if "nb_row" in params and "nb_col" in params:
        params["kernel_size"] = _kernel(params.pop("nb_row"), params.pop("nb_col"))
    site = run.source.site(node)
    layer = Layer(
        kind=kind,
        spelled=spelled,
        params=params,
        call=site,
        callee=run.source.site(node.func),
        node=node,
        frames=run.here,
        inner=args[0] if kind in WRAPPERS and args else params.get("layer"),
    )
    for name, value in params.items():
        run.trace.use(value, Use(layer, name, site))
    run.trace.layers.add(kind)
    return layer


def _has_channels_first(shape: Item | None) -> bool:
    """Whether a size is one of images such as 3×32×32."""
    sizes = [each for each in shape_of(shape) or () if each is not None]
    return len(sizes) == 3 and sizes[0] in _CHANNELS and min(sizes[1:]) > max(_CHANNELS)


def _kernel(rows: Item, columns: Item) -> Seq:
    """The two numbers of a Keras 1 kernel, as one value that spans both where they adjoin."""
    kernel = Seq(items=[rows, columns])
    first, second = rows.site, columns.site
    if first and second and first.path == second.path and 0 < second.start - first.end <= 4:
        return kernel.at(type(first)(first.path, first.start, second.end))
    return kernel


def make_input(
    run: "Expressions", args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Tensor:
    layer = make_layer(run, "Input", "Input", args, kwargs, node)
    if "tensor" in kwargs and isinstance(kwargs["tensor"], Tensor):
        return kwargs["tensor"]
    shape = shapes.declared_input(layer)
    return Tensor(applied=Applied(layer, run.here, (), shape), shape=shape)


def apply(run: "Expressions", target: Item, inputs: list[Tensor], frames: Frames) -> Tensor:
    """What comes out when a layer or a model is called on tensors."""
    if isinstance(target, Layer):
        return _apply_layer(target, inputs, frames)
    if isinstance(target, Instance):
        return _apply_own(run, target, target, inputs)
    if not isinstance(target, Model):
        return Tensor(applied=inputs[0].applied if inputs else None)
    if target.style == "sequential":
        tensor = inputs[0]
        for step in target.steps:
            tensor = apply(run, step.layer, [tensor], step.frames)
        return tensor
    if target.style == "subclass" and target.instance is not None:
        return _apply_own(run, target.instance, target, inputs)
    shape = target.shape
    if target.style == "functional" and target.outputs:
        shape = target.outputs[0].shape
    before = tuple(each.applied for each in inputs if each.applied)
    applied = Applied(target, frames, before, shape, inputs[0].shape if inputs else None)
    return Tensor(applied=applied, shape=shape)


def _apply_layer(layer: Layer, inputs: list[Tensor], frames: Frames) -> Tensor:
    given = [each.shape for each in inputs]
    first = given[0] if given else None
    declared = shapes.declared_input(layer)
    if first is None and declared is not None and len(given) <= 1:
        first, given = declared, [declared]
    applied = Applied(
        layer, frames, tuple(each.applied for each in inputs if each.applied), None, first
    )
    try:
        applied.shape = shapes.output_shape(layer, given)
    except shapes.MisfitError as misfit:
        applied.error = str(misfit)
    return Tensor(applied=applied, shape=applied.shape)


def _apply_own(run: "Expressions", instance: Instance, owner: Item, inputs: list[Tensor]) -> Tensor:
    """Enter the ``call`` of a class of the script."""
    method = instance.of.find("call") if instance.of else None
    result: Item = Unknown()
    if isinstance(method, Function):
        result = run.call(run.bind(method, owner), list(inputs[:1]), {}, _NOWHERE)
    if isinstance(result, Seq):
        result = next((each for each in result.items if isinstance(each, Tensor)), result)
    if isinstance(result, Tensor):
        return result
    return Tensor(applied=inputs[0].applied if inputs else None)


_NOWHERE = ast.Call(func=ast.Name("call"), args=[], keywords=[], lineno=1, col_offset=0)


def tensors(value: Item) -> list[Tensor]:
    """The tensors of an argument: one, or a list of them."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Seq):
        return [each for item in value.items for each in tensors(item)]
    if isinstance(value, Table):
        return [each for item in value.items.values() for each in tensors(item)]
    return []


def new_model(
    run: "Expressions", args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Model:
    """``Model(inputs, outputs)``; also by the names of Keras 1."""
    inputs = kwargs.get("inputs", kwargs.get("input", args[0] if args else Unknown()))
    outputs = kwargs.get("outputs", kwargs.get("output", args[1] if len(args) > 1 else Unknown()))
    model = Model(
        style="functional",
        inputs=tensors(inputs),
        outputs=tensors(outputs),
        frames=run.here,
        call=run.source.site(node),
    )
    run.trace.models.append(model)
    return model


def new_sequential(
    run: "Expressions", args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Model:
    model = Model(style="sequential", frames=run.here, call=run.source.site(node))
    run.trace.models.append(model)
    given = kwargs.get("layers", args[0] if args else None)
    if given is not None:
        extend(run, model, given)
    return model


def extend(run: "Expressions", model: Model, given: Item) -> None:
    """Add the layers of a list to a Sequential."""
    for each in run.elements(given) or []:
        add(model, each, each.frames if isinstance(each, Layer) else run.here)


def add(model: Model, layer: Item, frames: Frames) -> None:
    """Add one layer (an Input tensor, a model) to a Sequential."""
    if isinstance(layer, Tensor) and layer.applied and isinstance(layer.applied.layer, Layer):
        if not layer.applied.inputs:
            model.steps.append(Step(layer.applied.layer, layer.applied.layer.frames))
    elif isinstance(layer, Layer | Model | Instance):
        model.steps.append(Step(layer, frames))


def application(run: "Expressions", name: str, args: list[Item], kwargs: dict[str, Item]) -> Model:
    """A network of keras.applications."""
    top = kwargs.get("include_top", args[0] if args else None)
    with_top = not (isinstance(top, Const) and not top.value)
    shape = shape_of(kwargs.get("input_shape"))
    given = tensors(kwargs["input_tensor"]) if "input_tensor" in kwargs else []
    if given:
        shape = given[0].shape
    pooling = kwargs.get("pooling")
    depth = APPLICATIONS[name]
    if with_top:
        classes = whole(kwargs.get("classes"))
        output: Shape = (classes or 1000,)
        shape = shape or (224, 224, 3)
    elif isinstance(pooling, Const) and pooling.value in ("avg", "max"):
        output = (depth,)
    else:
        output = (None, None, depth)
    model = Model(style="base", name=name, input_shape=shape, shape=output, frames=run.here)
    before = tuple(each.applied for each in given if each.applied)
    applied = Applied(model, run.here, before, output, shape)
    model.outputs = [Tensor(applied=applied, shape=output)]
    run.trace.models.append(model)
    run.trace.layers.add("application")
    return model


def assembled(run: "Expressions", model: Model, input_shape: Shape | None) -> list[Applied]:
    """The layers of a model in order of the data, with shapes; ``input_shape`` is a fallback."""
    if model.style in ("functional", "base"):
        return ordered([each.applied for each in model.outputs if each.applied])
    shape = model.input_shape or input_shape
    if model.style == "sequential" and model.steps:
        first = model.steps[0].layer
        if isinstance(first, Layer) and shapes.declared_input(first) is not None:
            shape = shapes.declared_input(first)
    start = Tensor(shape=shape)
    if model.style == "sequential" and not model.steps:
        return []
    result = apply(run, model, [start], model.frames)
    return ordered([result.applied] if result.applied else [])


def ordered(ends: list[Applied]) -> list[Applied]:
    """Applications in order of the data, from the ends backwards; models within are opened."""
    found: list[Applied] = []
    seen: set[int] = set()
    stack: list[tuple[Applied, bool]] = [(each, False) for each in reversed(ends)]
    while stack:
        applied, ready = stack.pop()
        if ready:
            inner = applied.layer
            if isinstance(inner, Model) and inner.style == "functional" and inner.outputs:
                nested = ordered([each.applied for each in inner.outputs if each.applied])
                found += [each for each in nested if not is_input(each)]
            else:
                found.append(applied)
            continue
        if id(applied) in seen:
            continue
        seen.add(id(applied))
        stack.append((applied, True))
        stack += [(each, False) for each in reversed(applied.inputs)]
    return found


def is_input(applied: Applied) -> bool:
    return isinstance(applied.layer, Layer) and applied.layer.kind in ("Input", "InputLayer")
