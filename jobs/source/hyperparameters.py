"""The hyperparameters of a script: name, value, range, where each is written, and what holds it."""

import fnmatch
from dataclasses import dataclass, replace

from jobs.source import ranges
from jobs.source.analysis import Analysis
from jobs.source.evaluate.loading import FLOWS
from jobs.source.evaluate.names import LEARNING_RATES, OPTIMIZERS, WEIGHT_DECAYS
from jobs.source.evaluate.trace import Use
from jobs.source.evaluate.values import (
    Applied,
    Const,
    Data,
    Item,
    Layer,
    Optimizer,
    Ref,
    Schedule,
    Seq,
    pair,
    whole,
)
from jobs.source.files import Site
from jobs.source.notes import is_fixed, noted_texts
from jobs.source.script import Choices, Place, Space, Value

DROPOUTS = ("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout")
FIXED = "the line says `retune: fixed`"
HELD = "it is held in retune.toml"
OUTPUT_FILTERS = "output.filters"
"""Of a convolution that gives the classes: numbered it would change its name with the blocks."""


@dataclass(frozen=True)
class Written:
    """A value in the text: the span to replace."""

    site: Site


@dataclass(frozen=True)
class Missing:
    """A keyword that a call does not have yet."""

    call: Site
    keyword: str


Target = Written | Missing | None
"""Where a value is changed; None for structure, which has modules of its own."""


@dataclass(frozen=True)
class Knob:
    """A hyperparameter and how it is changed; ``held`` says why not."""

    name: str
    value: Value
    space: Space
    site: Site | None
    target: Target = None
    held: str | None = None

    def place(self, analysis: Analysis) -> Place | None:
        if self.site is None:
            return None
        return analysis.sources(self.site.path).place(self.site.start)

    def hold(self, reason: str | None) -> "Knob":
        return self if self.held or reason is None else replace(self, held=reason)


def values(analysis: Analysis) -> list[Knob]:
    """The hyperparameters that are values of the script; structure is not among them."""
    knobs = [
        *_convolutions(analysis),
        *_dense(analysis),
        *_dropouts(analysis),
        *_optimizer(analysis),
        *_training(analysis),
    ]
    return [held(analysis, each) for each in knobs]


def held(analysis: Analysis, knob: Knob) -> Knob:
    """The knob as the pusher's own words hold it."""
    if any(_names(pattern, knob.name) for pattern in analysis.hold):
        return knob.hold(HELD)
    if knob.name == "blocks":
        return knob
    if knob.site is not None and is_fixed(analysis.sources(knob.site.path), knob.site):
        return knob.hold(FIXED)
    return knob


def _names(pattern: str, name: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or name.startswith(pattern + ".")


# --- layers


def _convolutions(analysis: Analysis) -> list[Knob]:
    knobs = []
    for number, applied in enumerate(analysis.convolutions, 1):
        knobs += _filters(analysis, analysis.convolutions, applied, f"conv{number}.filters")
        knobs += _kernel(analysis, applied, number)
    output = analysis.output_convolution
    if output is not None:
        reason = "it is the output layer: its filters are the classes"
        found = _filters(analysis, [output], output, OUTPUT_FILTERS)
        knobs += [each.hold(reason) for each in found]
    return knobs


def _filters(analysis: Analysis, kin: list[Applied], applied: Applied, name: str) -> list[Knob]:
    layer = applied.layer
    assert isinstance(layer, Layer)
    count = whole(layer.params.get("filters"))
    if count is None or count < 1:
        return []
    space = ranges.filters(count)
    return [_of_layer(analysis, kin, applied, name, "filters", count, space)]


def _kernel(analysis: Analysis, applied: Applied, number: int) -> list[Knob]:
    layer = applied.layer
    assert isinstance(layer, Layer)
    name = f"conv{number}.kernel_size"
    size = pair(layer.params.get("kernel_size"))
    if size is None:
        return []
    if size[0] != size[1]:
        text = f"{size[0]}x{size[1]}"
        site = layer.params["kernel_size"].site
        space = ranges.choices(text, ())
        return [Knob(name, text, space, site, held="the kernel is not square")]
    knob = _of_layer(
        analysis, analysis.convolutions, applied, name, "kernel_size", size[0],
        ranges.kernel(size[0]),
    )  # fmt: skip
    return [knob]


def _dense(analysis: Analysis) -> list[Knob]:
    knobs = []
    for number, applied in enumerate(analysis.dense, 1):
        layer = applied.layer
        assert isinstance(layer, Layer)
        count = whole(layer.params.get("units"))
        if count is None or count < 1:
            continue
        name = f"dense{number}.units"
        knob = _of_layer(
            analysis, analysis.dense, applied, name, "units", count, ranges.units(count)
        )
        if applied is analysis.output:
            knob = replace(knob, held="it is the output layer: its units are the classes")
        knobs.append(knob)
    return knobs


def dropouts(analysis: Analysis) -> list[Applied]:
    return analysis.of_kind(*DROPOUTS)


def _dropouts(analysis: Analysis) -> list[Knob]:
    knobs = []
    found = dropouts(analysis)
    for number, applied in enumerate(found, 1):
        layer = applied.layer
        assert isinstance(layer, Layer)
        value = layer.params.get("rate")
        if isinstance(value, Const) and isinstance(value.value, int | float):
            rate = float(value.value)
            name = f"dropout{number}.rate"
            knobs.append(_of_layer(analysis, found, applied, name, "rate", rate, ranges.rate(rate)))
    return knobs


def _of_layer(
    analysis: Analysis,
    kin: list[Applied],
    applied: Applied,
    name: str,
    parameter: str,
    value: Value,
    space: Space,
) -> Knob:
    """A parameter of a layer, changed where nothing else depends on what is written.

    ``kin`` are the layers of the same numbering. A value that is written once for several layers
    belongs to the first of them.
    """
    layer = applied.layer
    assert isinstance(layer, Layer)
    item = layer.params[parameter]
    chain = [each.layer for each in analysis.own]

    def mine(use: Use) -> bool:
        if not isinstance(use.owner, Layer):
            return not _matters(use)
        if use.owner is layer:
            return use.name == parameter
        return not any(use.owner is each for each in chain) and use.call == layer.call

    trail = _trail(item)
    for site in _unnoted(analysis, trail):
        if all(mine(use) for use in analysis.trace.uses[site]):
            return Knob(name, value, space, site, Written(site))
    if not trail:
        return Knob(name, value, space, layer.call, held="the script works it out as it runs")
    return _shared(analysis, kin, layer, name, parameter, value, space, trail)


def _matters(use: Use) -> bool:
    """Whether a use outside of layers would change with the value."""
    return use.name in ("target_size", "image_size", "batch_size", "epochs", "steps_per_epoch",
                        "learning_rate")  # fmt: skip


def _trail(item: Item) -> tuple[Site, ...]:
    """The spans through which a value came; those of the number within ``(k, k)`` first."""
    if isinstance(item, Seq) and len(item.items) == 2:
        first, second = item.items
        if first.trail and first.trail[:-1] and first.trail[:-1] == second.trail[:-1]:
            return (*first.trail[:-1], *item.trail)
    return item.trail


def _unnoted(analysis: Analysis, trail: tuple[Site, ...]) -> tuple[Site, ...]:
    """The spans of a trail without definitions that a note will need again as they are."""
    if len(trail) < 2:
        return trail
    source = analysis.sources(trail[-1].path)
    if source.at(trail[-1]) not in noted_texts(source):
        return trail
    return trail[-1:]


def _shared(
    analysis: Analysis,
    kin: list[Applied],
    layer: Layer,
    name: str,
    parameter: str,
    value: Value,
    space: Space,
    trail: tuple[Site, ...],
) -> Knob:
    """A value that one line of a helper or a loop gives to several layers."""
    for site in _unnoted(analysis, trail):
        uses = analysis.trace.uses[site]
        owners = {id(use.owner) for use in uses}
        group = [
            (number, each.layer)
            for number, each in enumerate(kin, 1)
            if isinstance(each.layer, Layer) and id(each.layer) in owners
        ]
        sizes = {_plain(each.params.get(parameter)) for _, each in group}
        calls = {each.call for _, each in group}
        apart = any(
            _matters(use)
            if not isinstance(use.owner, Layer)
            else use.name != parameter or use.call not in calls
            for use in uses
        )
        if apart or len(sizes) != 1 or not group:
            continue
        if group[0][1] is layer:
            return Knob(name, value, space, site, Written(site))
        stem, _, tail = name.partition(".")
        first = f"{stem.rstrip('0123456789')}{group[0][0]}.{tail}"
        reason = f"it is written once for several layers and changes with {first}"
        return Knob(name, value, space, site, held=reason)
    reason = "the script works it out for several layers at once"
    return Knob(name, value, space, trail[-1], held=reason)


def _plain(item: Item | None) -> object:
    return pair(item) if isinstance(item, Seq) else getattr(item, "value", None)


# --- training


def _optimizer(analysis: Analysis) -> list[Knob]:
    found = analysis.optimizer
    if isinstance(found, Const) and isinstance(found.value, str):
        name = found.value.lower()
        if name not in OPTIMIZERS:
            return []
        site = found.site
        rate = LEARNING_RATES[name]
        target = Written(site) if site else None
        return [
            _name(name, site, target),
            Knob("optimizer.learning_rate", rate, ranges.learning_rate(rate), site, target),
            *_averaging(analysis, False, site, target),
            _decay(WEIGHT_DECAYS.get(name, 0.0), site, target),
        ]
    if isinstance(found, Ref) and found.last.lower() in OPTIMIZERS:
        name = found.last.lower()
        rate = LEARNING_RATES[name]
        node = analysis.model.compile_node if analysis.model else None
        site = analysis.source.site(node) if node else None
        reason = "the optimizer is given as a class; write it as a call to have it tuned"
        return [
            _name(name, site, None).hold(reason),
            Knob("optimizer.learning_rate", rate, ranges.learning_rate(rate), site, held=reason),
            *(each.hold(reason) for each in _averaging(analysis, False, site, None)),
            _decay(WEIGHT_DECAYS.get(name, 0.0), site, None).hold(reason),
        ]
    if isinstance(found, Optimizer):
        return [
            _name_of_object(analysis, found),
            *_rate_of_object(analysis, found),
            *_averaging_of_object(analysis, found),
            *_decay_of_object(analysis, found),
        ]
    return []


def _averaging(analysis: Analysis, value: bool, site: Site | None, target: Target) -> list[Knob]:
    """Whether the weights are averaged over the steps. Only ``fit`` puts the averages in place."""
    if analysis.fit is None:
        return []
    return [Knob("optimizer.use_ema", value, Choices((False, True)), site, target)]


def _averaging_of_object(analysis: Analysis, optimizer: Optimizer) -> list[Knob]:
    item = optimizer.params.get("use_ema")
    if item is None:
        call = optimizer.call
        return _averaging(analysis, False, call, Missing(call, "use_ema"))
    if not isinstance(item, Const) or not isinstance(item.value, bool) or item.site is None:
        return []
    return _averaging(analysis, item.value, item.site, Written(item.site))


def _decay(value: float, site: Site | None, target: Target) -> Knob:
    """By how much the weights shrink in a step, as a share of the learning rate."""
    return Knob("optimizer.weight_decay", value, ranges.weight_decay(value), site, target)


def _decay_of_object(analysis: Analysis, optimizer: Optimizer) -> list[Knob]:
    item = optimizer.params.get("weight_decay")
    if item is None:
        if len(optimizer.node.args) > 1:
            return []  # one of them may be it
        call = optimizer.call
        value = WEIGHT_DECAYS.get(optimizer.name.lower(), 0.0)
        return [_decay(value, call, Missing(call, "weight_decay"))]
    if not isinstance(item, Const) or not isinstance(item.value, float) or item.value < 0:
        return []
    name, space = "optimizer.weight_decay", ranges.weight_decay(item.value)
    return [_of_training(analysis, name, "weight_decay", item, item.value, space)]


def _name(name: str, site: Site | None, target: Target) -> Knob:
    space = ranges.choices(name, ranges.OPTIMIZERS)
    return Knob("optimizer.name", name, space, site, target)


def _name_of_object(analysis: Analysis, optimizer: Optimizer) -> Knob:
    knob = _name(optimizer.name.lower(), optimizer.callee, Written(optimizer.callee))
    further = sorted(set(optimizer.params) - {"learning_rate", "use_ema", "weight_decay"})
    if further:
        return knob.hold(f"it is set up with {', '.join(further)}, which others do not take")
    if len(optimizer.node.args) > 1:
        return knob.hold("it is set up with more than a learning rate, which others do not take")
    text = analysis.sources(optimizer.callee.path).at(optimizer.callee)
    if not all(part.isidentifier() for part in text.split(".")):
        return knob.hold("its class is not named where it is made")
    return knob


def _rate_of_object(analysis: Analysis, optimizer: Optimizer) -> list[Knob]:
    name = "optimizer.learning_rate"
    item = optimizer.params.get("learning_rate")
    if item is None:
        rate = LEARNING_RATES[optimizer.name.lower()]
        target = Missing(optimizer.call, "learning_rate")
        return [Knob(name, rate, ranges.learning_rate(rate), optimizer.call, target)]
    if isinstance(item, Schedule):
        item = item.params.get("initial_learning_rate")
    if not isinstance(item, Const) or not isinstance(item.value, int | float) or not item.value:
        return []
    rate = float(item.value)
    return [_of_training(analysis, name, "learning_rate", item, rate, ranges.learning_rate(rate))]


def _training(analysis: Analysis) -> list[Knob]:
    knobs = []
    if analysis.fit is None:
        for loop in analysis.trace.epoch_loops[-1:]:
            count = whole(loop.count)
            if count and loop.count is not None:
                knobs.append(
                    _of_training(
                        analysis, "fit.epochs", "epochs", loop.count, count, ranges.epochs(count)
                    )
                )
        return [*knobs, *_batch(analysis)]
    item = analysis.fit.params.get("epochs")
    count = whole(item)
    if item is None:
        target = Missing(analysis.fit.site, "epochs")
        knobs.append(Knob("fit.epochs", 1, ranges.epochs(1), analysis.fit.site, target))
    elif count is not None:
        knobs.append(
            _of_training(analysis, "fit.epochs", "epochs", item, count, ranges.epochs(count))
        )
    return [*knobs, *_batch(analysis)]


def _batch(analysis: Analysis) -> list[Knob]:
    """The batch size, wherever it is said: in ``fit``, in the generator, in the data set."""
    name = "fit.batch_size"
    stated = analysis.fit.params.get("batch_size") if analysis.fit else None
    data = analysis.training_data
    if data is not None and (stated is None or _comes_in_batches(analysis, data)):
        # Beside data in batches of its own, what `fit` is given does nothing.
        stated = data.batch
    if stated is None and analysis.loop == "custom":
        stated = next((each.batch for each in analysis.trace.loads if each.batch), None)
        if stated is None:
            uses = (u for each in analysis.trace.uses.values() for u in each)
            batched = [u.owner for u in uses if u.name == "batch_size"]
            stated = next((o.batch for o in batched if isinstance(o, Data) and o.batch), None)
    size = whole(stated)
    if stated is not None and size is not None:
        space = ranges.batch_size(size, _most(analysis, size, stated))
        return [_of_training(analysis, name, "batch_size", stated, size, space)]
    if stated is not None or analysis.fit is None:
        return []
    if data is not None and data.call is not None and data.loader != "array":
        site = data.call
        return [Knob(name, 32, ranges.batch_size(32, None), site, Missing(site, "batch_size"))]
    if analysis.fit.name != "fit" or data is None or data.loader == "tf.data":
        return []
    site = analysis.fit.site
    return [Knob(name, 32, ranges.batch_size(32, None), site, Missing(site, "batch_size"))]


def _comes_in_batches(analysis: Analysis, data: Data) -> bool:
    """Whether ``fit`` is given a generator or a data set, which has the labels as well."""
    labels = analysis.fit.params.get("y") if analysis.fit else None
    if labels is not None and not (isinstance(labels, Const) and labels.value is None):
        return False
    return data.batch is not None or data.loader in FLOWS


def _most(analysis: Analysis, size: int, stated: Item) -> int | None:
    """The largest batch that leaves the stated steps of an epoch within the data.

    A number of steps that is written down (and not worked out from the batch size) was meant for
    the batch size beside it: a larger batch would ask for more images than there are.
    """
    steps = analysis.fit.params.get("steps_per_epoch") if analysis.fit else None
    if not isinstance(steps, Const) or steps.value is None:
        return None
    if set(stated.trail[:-1]) & (steps.deps | set(steps.trail)):
        return None
    return size


def _of_training(
    analysis: Analysis, name: str, role: str, item: Item, value: Value, space: Space
) -> Knob:
    """A parameter of the training: changed where it is defined, for all that use it."""

    def fits(use: Use) -> bool:
        if isinstance(use.owner, Layer) or use.name in ("target_size", "image_size"):
            return False
        return not (use.name in ("batch_size", "epochs", "learning_rate") and use.name != role)

    site = next((s for s in item.trail if all(fits(u) for u in analysis.trace.uses[s])), item.site)
    if site is None:
        return Knob(name, value, space, None, held="the script works it out as it runs")
    return Knob(name, value, space, site, Written(site))
