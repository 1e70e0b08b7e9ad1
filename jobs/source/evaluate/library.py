"""What calls of libraries give: Keras and TensorFlow first, then what people put around them."""

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from jobs.source.evaluate import layers, loading, plain_python
from jobs.source.evaluate.names import (
    APPLICATIONS,
    FIT_PARAMETERS,
    LEGACY_KEYWORDS,
    OPTIMIZERS,
    SCHEDULES,
    canonical,
    layer_kind,
)
from jobs.source.evaluate.trace import Use
from jobs.source.evaluate.values import (
    Applied,
    Const,
    Data,
    Fit,
    Function,
    Generator,
    Instance,
    Item,
    Layer,
    Method,
    Model,
    Optimizer,
    Ref,
    Schedule,
    Seq,
    Table,
    Tensor,
    Unknown,
    shape_of,
)

if TYPE_CHECKING:
    from jobs.source.evaluate.expressions import Expressions

_MERGING = {
    "concatenate": "Concatenate",
    "add": "Add",
    "average": "Average",
    "maximum": "Maximum",
    "multiply": "Multiply",
    "subtract": "Subtract",
    "concat": "Concatenate",
    "merge": "Concatenate",
}
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "Add",
    ast.Mult: "Multiply",
    ast.Sub: "Subtract",
    ast.Div: "Identity",
}


class Partial(Item):
    """``functools.partial`` of anything."""

    def __init__(self, callee: Item, args: list[Item], kwargs: dict[str, Item]) -> None:
        super().__init__()
        self.callee, self.args, self.kwargs = callee, args, kwargs


def call(
    run: "Expressions", callee: Item, args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Item:
    """The value of a call of anything that is not a function or class of the script."""
    if isinstance(callee, Partial):
        return run.call(callee.callee, [*callee.args, *args], {**callee.kwargs, **kwargs}, node)
    if isinstance(callee, Layer | Model | Instance):
        given = [each for arg in args[:1] for each in layers.tensors(arg)]
        given = given or [each for arg in kwargs.values() for each in layers.tensors(arg)]
        if given:
            return layers.apply(run, callee, given, run.here)
        return Tensor() if isinstance(callee, Layer | Model) else Unknown()
    if isinstance(callee, Method):
        return _method(run, callee, args, kwargs, node)
    if isinstance(callee, Ref):
        return _reference(run, callee, args, kwargs, node)
    run.offer([*args, *kwargs.values()])
    return Unknown()


def _reference(
    run: "Expressions", callee: Ref, args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Item:
    name, last = callee.name, callee.last
    run.trace.libraries.add(name.partition(".")[0])
    if name.startswith("builtins."):
        return plain_python.builtin(run, last, args, kwargs, node)
    if last == "GradientTape":
        run.trace.tape = True
    if name == "functools.partial" and args:
        return Partial(args[0], args[1:], kwargs)
    if callee.is_keras:
        made = _keras(run, name, last, args, kwargs, node)
        if made is not None:
            return made
    loaded = loading.call(run, name, args, kwargs, node)
    if loaded is not None:
        return loaded
    known = plain_python.call(run, name, args, kwargs, node)
    if known is not None:
        return known
    given = [each for arg in args for each in layers.tensors(arg)]
    if given and (callee.is_keras or name.startswith("tensorflow.")):
        return _operation(run, last, given, args, kwargs, node)
    if "KerasClassifier" in last or "KerasRegressor" in last:
        return _wrapped(run, args, kwargs, node)
    run.offer([*args, *kwargs.values()])
    return loading.batches(run, last, kwargs, node)


def _keras(
    run: "Expressions",
    name: str,
    last: str,
    args: list[Item],
    kwargs: dict[str, Item],
    node: ast.Call,
) -> Item | None:
    if last == "Input":
        return layers.make_input(run, args, kwargs, node)
    kind = layer_kind(last)
    if kind is not None and ".datasets" not in name:
        return layers.make_layer(run, kind, last, args, kwargs, node)
    if last == "Sequential":
        return layers.new_sequential(run, args, kwargs, node)
    if last in ("Model", "Functional"):
        return layers.new_model(run, args, kwargs, node)
    if last in APPLICATIONS:
        return layers.application(run, last, args, kwargs)
    if last in ("load_model", "model_from_json", "model_from_yaml", "from_config"):
        run.trace.loaded = True
        model = Model(style="loaded", frames=run.here)
        run.trace.models.append(model)
        return model
    if last.lower() in OPTIMIZERS and (last != last.lower() or ".optimizers." in name):
        return _optimizer(run, OPTIMIZERS[last.lower()], args, kwargs, node)
    if last in SCHEDULES:
        return _schedule(run, last, args, kwargs, node)
    if last == "int_shape" and args and isinstance(args[0], Tensor):
        return _shape(args[0].shape)
    if last == "image_data_format":
        return Const(value="channels_first" if run.trace.channels_first else "channels_last")
    if last == "image_dim_ordering":
        return Const(value="th" if run.trace.channels_first else "tf")
    if last in ("set_image_data_format", "set_image_dim_ordering") and args:
        wanted = args[0].value if isinstance(args[0], Const) else None
        run.trace.channels_first = wanted in ("channels_first", "th")
        return Const(value=None)
    if last == "LearningRateScheduler":
        return Unknown()
    return None


def _optimizer(
    run: "Expressions", name: str, args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Optimizer:
    params = {LEGACY_KEYWORDS.get(key, key): value for key, value in kwargs.items()}
    if args:
        params["learning_rate"] = args[0]
    site = run.source.site(node)
    optimizer = Optimizer(
        name=name, params=params, call=site, callee=run.source.site(node.func), node=node
    )
    for key, value in params.items():
        run.trace.use(value, Use(optimizer, key, site))
    run.trace.optimizers.append(optimizer)
    return optimizer


def _schedule(
    run: "Expressions", name: str, args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Schedule:
    params = dict(kwargs)
    if args:
        params["initial_learning_rate"] = args[0]
    schedule = Schedule(name=name, params=params)
    if "initial_learning_rate" in params:
        use = Use(schedule, "learning_rate", run.source.site(node))
        run.trace.use(params["initial_learning_rate"], use)
    return schedule


def _operation(
    run: "Expressions",
    last: str,
    given: list[Tensor],
    args: list[Item],
    kwargs: dict[str, Item],
    node: ast.Call,
) -> Tensor:
    """A function of Keras or TensorFlow on tensors (``add([x, y])``, ``tf.nn.relu(x)``)."""
    if last in _MERGING:
        params = {"axis": kwargs["axis"]} if "axis" in kwargs else {}
        if last == "concat" and len(args) > 1:
            params = {"axis": args[1]}
        layer = layers.make_layer(run, _MERGING[last], last, [], params, node)
        return layers.apply(run, layer, given, run.here)
    first = given[0]
    keeps = last in {"relu", "softmax", "sigmoid", "tanh", "elu", "selu", "gelu", "swish", "cast",
                     "dropout", "identity", "preprocess_input", "leaky_relu", "silu"}  # fmt: skip
    return Tensor(applied=first.applied, shape=first.shape if keeps else None)


def _wrapped(run: "Expressions", args: list[Item], kwargs: dict[str, Item], node: ast.Call) -> Item:
    """A scikit-learn wrapper: builds the model by the function that it is given."""
    build = kwargs.get("build_fn", kwargs.get("model", args[0] if args else None))
    model: Item = Unknown()
    if isinstance(build, Function):
        model = run.call_function(build, [], {})
    wrapper = Instance(of=None)
    wrapper.members["__model__"] = model
    wrapper.members["__parameters__"] = Table(
        items={LEGACY_KEYWORDS.get(key, key): value for key, value in kwargs.items()}
    )
    if isinstance(model, Model):
        for key in ("epochs", "nb_epoch", "batch_size"):
            if key in kwargs:
                fit = _fit(run, model, "fit", [], kwargs, node)
                fit.params.pop("build_fn", None)
                break
    return wrapper


# --- methods


def _method(
    run: "Expressions", method: Method, args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Item:
    of = method.of
    if isinstance(of, Model):
        return _model_method(run, of, method.name, args, kwargs, node)
    if isinstance(of, Generator | Data):
        return loading.method(run, of, method.name, args, kwargs, node)
    if isinstance(of, Tensor) and method.name == "get_shape":
        return _shape(of.shape)
    if isinstance(of, Layer | Tensor | Optimizer):
        return Unknown()
    if isinstance(of, Instance) and "__model__" in of.members:
        model = of.members["__model__"]
        if method.name == "fit" and isinstance(model, Model):
            extra = of.members["__parameters__"]
            held = extra.items if isinstance(extra, Table) else {}
            known = {key: held[key] for key in ("epochs", "batch_size") if key in held}
            return _model_method(run, model, "fit", args, {**known, **kwargs}, node)
    return plain_python.method(run, of, method.name, args, kwargs, node)


def _model_method(
    run: "Expressions",
    model: Model,
    name: str,
    args: list[Item],
    kwargs: dict[str, Item],
    node: ast.Call,
) -> Item:
    if name == "add" and (args or kwargs):
        layers.add(model, args[0] if args else next(iter(kwargs.values())), run.here)
        return Const(value=None)
    if name == "pop" and model.steps:
        model.steps.pop()
        return Const(value=None)
    if name == "compile":
        model.compiled = _named("compile", args, kwargs)
        model.compile_node = node
        model.compile_site = run.source.site(node)
        optimizer = model.compiled.get("optimizer")
        if optimizer is not None:
            use = Use(model, "optimizer", run.source.site(node))
            run.trace.use(optimizer, use)
        return Const(value=None)
    if name in ("fit", "fit_generator"):
        fit = _fit(run, model, name, args, kwargs, node)
        return Instance(of=None, members={"__fit__": Const(value=fit.name)})
    if name == "train_on_batch":
        run.trace.batch_trained.append(model)
        return Unknown()
    if name == "get_layer":
        return _layer_of_model(run, model, _named("get_layer", args, kwargs))
    if name == "build":
        shape = shape_of(args[0] if args else kwargs.get("input_shape"))
        if shape:
            model.input_shape = shape[1:]
        return Const(value=None)
    if name in ("predict", "predict_classes", "predict_generator", "predict_on_batch"):
        run.trace.predicted = True
        return Data(loader="predict")
    if name == "__init__" and model.instance is not None:
        return initialise(run, model, args, kwargs, node)
    return Unknown()


def _named(method: str, args: list[Item], kwargs: dict[str, Item]) -> dict[str, Item]:
    params = dict(zip(FIT_PARAMETERS[method], args, strict=False))
    params.update({LEGACY_KEYWORDS.get(key, key): value for key, value in kwargs.items()})
    return params


def _fit(
    run: "Expressions",
    model: Model,
    name: str,
    args: list[Item],
    kwargs: dict[str, Item],
    node: ast.Call,
) -> Fit:
    params = _named(name, args, kwargs)
    if name == "fit_generator" and "generator" in params:
        params["x"] = params.pop("generator")
    fit = Fit(model, name, params, node, run.source.site(node), run.here)
    for key in ("epochs", "batch_size", "steps_per_epoch", "validation_steps"):
        if key in params:
            run.trace.use(params[key], Use(model, key, fit.site))
    run.trace.fits.append(fit)
    return fit


# --- models of the script's own classes


def subclass_model(
    run: "Expressions", instance: Instance, node: ast.Call, sequential: bool
) -> Model:
    """An object of a class that derives from ``Model`` or ``Sequential``."""
    model = Model(
        style="sequential" if sequential else "subclass",
        instance=instance,
        frames=run.here,
        call=run.source.site(node),
        name=instance.of.name if instance.of else "",
    )
    run.trace.models.append(model)
    return model


def initialise(
    run: "Expressions", model: Model, args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Item:
    """``super().__init__(…)`` of a class that derives from a Keras model."""
    if model.style == "sequential":
        given = kwargs.get("layers", args[0] if args else None)
        if given is not None:
            layers.extend(run, model, given)
    elif "inputs" in kwargs or len(args) > 1:
        made = layers.new_model(run, args, kwargs, node)
        run.trace.models.remove(made)
        model.style, model.inputs, model.outputs = "functional", made.inputs, made.outputs
    return Const(value=None)


# --- attributes, indices, operators


def attribute(run: "Expressions", owner: Item, name: str) -> Item:
    """An attribute of anything that is not an object of the script."""
    if isinstance(owner, Ref):
        if owner.last == "FLAGS" and name in run.trace.flags:
            return run.trace.flags[name]
        return plain_python.constant(f"{owner.name}.{name}") or _reference_to(owner, name)
    if isinstance(owner, Model):
        return _model_attribute(run, owner, name)
    if isinstance(owner, Tensor) and name in ("shape", "output", "_keras_shape"):
        return owner if name == "output" else _shape(owner.shape)
    if isinstance(owner, Data):
        return loading.attribute(owner, name)
    if isinstance(owner, Const) and isinstance(owner.value, str):
        return plain_python.text_attribute(owner, name) or Method(name=name, of=owner)
    if isinstance(owner, _LayerOf) and name == "output":
        return Tensor(applied=owner.applied, shape=owner.applied.shape)
    if isinstance(owner, Layer) and name in ("output", "input"):
        return Tensor()
    return Method(name=name, of=owner)


def _reference_to(owner: Ref, name: str) -> Ref:
    return Ref(name=canonical(f"{owner.name}.{name}"))


def _shape(shape: tuple[int | None, ...] | None) -> Item:
    if shape is None:
        return Unknown()
    return Seq(items=[Const(value=None), *(Const(value=each) for each in shape)])


def _model_attribute(run: "Expressions", model: Model, name: str) -> Item:
    if model.instance is not None:
        if name in model.instance.members:
            return model.instance.members[name]
        found = model.instance.of.find(name) if model.instance.of else None
        if isinstance(found, Function):
            return run.bind(found, model)
        if found is not None:
            return found
    if name in ("output", "outputs"):
        if model.style in ("functional", "base"):
            return model.outputs[0] if model.outputs else Tensor()
        chain = layers.assembled(run, model, None)
        end = chain[-1] if chain else None
        return Tensor(applied=end, shape=end.shape if end else None)
    if name in ("input", "inputs"):
        if model.inputs:
            return model.inputs[0]
        chain = layers.assembled(run, model, None)
        return Tensor(applied=None, shape=chain[0].input_shape if chain else None)
    if name == "layers":
        chain = layers.assembled(run, model, None)
        if len(chain) <= 1 and model.style == "base":
            return _LayersOf(model)
        if len(chain) <= 1 and model.style == "loaded":
            return Unknown()
        return Seq(items=[_LayerOf(each) for each in _counted(model, chain)])
    return Method(name=name, of=model)


def _counted(model: Model, chain: list[Applied]) -> list[Applied]:
    """The layers that ``model.layers`` counts: a Sequential does not count its input."""
    if model.style != "sequential":
        return chain
    return [each for each in chain if not layers.is_input(each)]


def _layer_of_model(run: "Expressions", model: Model, given: dict[str, Item]) -> Item:
    """``model.get_layer(name)``: of a network that is not read, its output up to there."""
    chain = layers.assembled(run, model, None)
    if chain and model.style in ("base", "loaded"):
        return _LayerOf(replace(chain[-1], shape=None))
    name, index = given.get("name"), given.get("index")
    place = index.value if isinstance(index, Const) else None
    chain = _counted(model, chain)
    if isinstance(place, int) and 0 <= place < len(chain):
        return _LayerOf(chain[place])
    wanted = name.value if isinstance(name, Const) else None
    for each in chain:
        called = each.layer.params.get("name") if isinstance(each.layer, Layer) else None
        if wanted is not None and isinstance(called, Const) and called.value == wanted:
            return _LayerOf(each)
    return Unknown()


class _LayerOf(Item):
    """A layer as ``model.layers`` gives it: it knows its output."""

    def __init__(self, applied: Applied) -> None:
        super().__init__()
        self.applied = applied


class _LayersOf(Item):
    """``base.layers`` of a network that is not read: a loop over it, or a part, is over the base.

    So that ``for layer in base.layers[:-1]: model.add(layer)`` puts it into the model.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model


def iterated(value: Item) -> list[Item] | None:
    """What iterating over an object of a library gives, where it is known."""
    return [value.model] if isinstance(value, _LayersOf) else None


def set_attribute(owner: Item, name: str, value: Item) -> None:
    """Assignment to an attribute of an object of a library."""
    if isinstance(owner, Model):
        if owner.instance is None:
            return
        owner.instance.members[name] = value


def subscript(owner: Item, key: Item | None) -> Item:
    if isinstance(owner, Data):
        return loading.subscript(owner, key)
    if isinstance(owner, Tensor):
        return Tensor(applied=owner.applied)
    if isinstance(owner, _LayersOf):
        # One of its layers, if only for its output; a slice has no key.
        return owner if key is None else owner.model
    return Unknown()


def operation(run: "Expressions", left: Item, right: Item, op: ast.operator) -> Item | None:
    """An operator where at least one side is an object of a library."""
    given = [each for each in (left, right) if isinstance(each, Tensor)]
    if len(given) == 2 and given[0].applied and given[1].applied:
        kind = _OPERATORS.get(type(op), "Identity")
        nowhere = run.frames[-1].site if run.frames else None
        node = ast.Call(func=ast.Name(kind), args=[], keywords=[])
        if nowhere is not None:
            layer = Layer(
                kind=kind, spelled=kind, params={}, call=nowhere, callee=nowhere, node=node,
                frames=run.here,
            )  # fmt: skip
            return layers.apply(run, layer, given, run.here)
    if given:
        return given[0]
    if isinstance(left, Data):
        return left
    if isinstance(right, Data):
        return right
    return plain_python.joined_path(left, right, op)


def spread(value: Item, count: int) -> list[Item]:
    """What unpacking gives ``count`` names where the elements are not known."""
    if isinstance(value, Data | Tensor):
        return [value] * count
    return [Unknown() for _ in range(count)]
