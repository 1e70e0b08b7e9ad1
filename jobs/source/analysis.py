"""A script followed to its end: which model it trains, the layers of that model, and how."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from jobs.source.evaluate import layers
from jobs.source.evaluate.interpreter import ExhaustedError, Interpreter
from jobs.source.evaluate.shapes import AUGMENTING, CONVOLUTIONS, POOLS
from jobs.source.evaluate.trace import Trace
from jobs.source.evaluate.values import (
    Applied,
    Const,
    Data,
    Fit,
    Generator,
    Instance,
    Item,
    Layer,
    Model,
    Optimizer,
    Seq,
    Shape,
)
from jobs.source.files import Checkout, Source
from jobs.source.script import BUILT_IN_DATA

_TUNED_CONVOLUTIONS = ("Conv2D", "SeparableConv2D")
_CLASSIFIER = ("Flatten", "Dense", "GlobalAveragePooling2D", "GlobalMaxPooling2D")


@dataclass
class Block:
    """A convolution, what stands between, and its pooling."""

    layers: list[Applied] = field(default_factory=list)

    @property
    def convolutions(self) -> list[Applied]:
        return [each for each in self.layers if kind_of(each) in CONVOLUTIONS]


def kind_of(applied: Applied) -> str:
    layer = applied.layer
    if isinstance(layer, Layer):
        return layer.kind
    return layer.name or layer.style


class Analysis:
    """What following ``script`` showed. Raises UnreadableError where the file is no Python."""

    def __init__(self, checkout: Checkout, script: str, hold: Collection[str] = ()) -> None:
        self.checkout = checkout
        self.script = script
        self.hold = tuple(hold)
        self.run = Interpreter(checkout)
        self.source: Source = checkout.source(script)
        self.source.tree  # noqa: B018 - a syntax error shows here, before anything is followed
        self.exhausted = False
        try:
            self.run.run(script)
        except (ExhaustedError, RecursionError):
            self.exhausted = True
        self.fit: Fit | None = None
        self.model: Model | None = None
        self.chain: list[Applied] = []
        try:
            self.fit, self.model = self._trained()
            if self.model is not None:
                self.chain = layers.assembled(self.run, self.model, self._data_shape)
        except (ExhaustedError, RecursionError):
            self.exhausted = True

    @property
    def trace(self) -> Trace:
        return self.run.trace

    def sources(self, path: str) -> Source:
        return self.checkout.source(path)

    @property
    def modules(self) -> tuple[str, ...]:
        """The repository's own files that the script imports."""
        return tuple(path for path in self.run.modules if path != self.script)

    # --- the model

    def _trained(self) -> tuple[Fit | None, Model | None]:
        """The last ``fit`` of a CNN that the script itself builds, else of any model."""
        fits = [each for each in self.trace.fits if each.model.style != "loaded"]
        for fit in reversed(fits):
            if self._has_convolutions(fit.model):
                return fit, fit.model
        if fits:
            return fits[-1], fits[-1].model
        if self.trace.fits:
            return self.trace.fits[-1], self.trace.fits[-1].model
        if self.trace.batch_trained:
            return None, self.trace.batch_trained[-1]
        candidates = [each for each in self.trace.models if each.style not in ("loaded", "base")]
        compiled = [each for each in candidates if each.compiled is not None]
        if compiled or candidates:
            return None, (compiled or candidates)[-1]
        return None, (self.trace.models or [None])[-1]  # type: ignore[list-item]

    def _has_convolutions(self, model: Model) -> bool:
        return any(
            kind_of(each) in CONVOLUTIONS
            or (isinstance(each.layer, Model) and each.layer.style == "base")
            for each in layers.assembled(self.run, model, None)
        )

    @property
    def loop(self) -> str:
        if self.fit is not None:
            return self.fit.name
        if self.trace.batch_trained or (self.trace.tape and self.trace.epoch_loops):
            return "custom"
        return "none"

    @property
    def trains(self) -> bool:
        return self.loop != "none"

    @property
    def errors(self) -> list[str]:
        """Why the model cannot be built, where that can be seen."""
        return [
            f"{kind_of(each)} in line {self._line(each)} cannot be built: {each.error}."
            for each in self.chain
            if each.error
        ]

    def _line(self, applied: Applied) -> int:
        layer = applied.layer
        site = layer.call
        return self.sources(site.path).place(site.start).line if site else 0

    # --- its layers

    @cached_property
    def own(self) -> list[Applied]:
        """The layers that the script makes, each once, in order of the data."""
        found: list[Applied] = []
        for each in self.chain:
            if isinstance(each.layer, Layer) and all(each.layer is not f.layer for f in found):
                found.append(each)
        return found

    def of_kind(self, *kinds: str) -> list[Applied]:
        return [each for each in self.own if kind_of(each) in kinds]

    @property
    def base(self) -> Model | None:
        """The network of keras.applications that the model stands on."""
        for each in self.chain:
            if isinstance(each.layer, Model) and each.layer.style in ("base", "loaded"):
                return each.layer
        return None

    @cached_property
    def convolutions(self) -> list[Applied]:
        """Those that can be tuned: all but one that gives the classes."""
        return [each for each in self.of_kind(*_TUNED_CONVOLUTIONS) if each is not self.output]

    @cached_property
    def dense(self) -> list[Applied]:
        return self.of_kind("Dense")

    @cached_property
    def output(self) -> Applied | None:
        """The layer that gives one number for each class."""
        heads = [each for each in self.own if kind_of(each) in ("Dense", *_TUNED_CONVOLUTIONS)]
        return heads[-1] if heads else None

    @property
    def output_convolution(self) -> Applied | None:
        """The output, where it is a convolution with a map for each class."""
        output = self.output
        return None if output is None or kind_of(output) == "Dense" else output

    @cached_property
    def blocks(self) -> list[Block]:
        """Convolutions up to a pooling, each with the dropout and normalisation behind it."""
        found: list[Block] = []
        current = Block()
        closed = False
        for each in self._features:
            kind = kind_of(each)
            if closed and kind not in ("Dropout", "SpatialDropout2D", "BatchNormalization"):
                closed = False
                found.append(current)
                current = Block()
            if kind in CONVOLUTIONS or current.layers:
                current.layers.append(each)
            if kind in POOLS and current.convolutions:
                closed = True
            elif kind in POOLS:
                current = Block()
        if closed and current.layers:
            found.append(current)
        return found

    @cached_property
    def tail(self) -> Block:
        """What stands between the last block and the classifier, where it has convolutions."""
        members = {id(each) for block in self.blocks for each in block.layers}
        rest = Block()
        for each in self._features:
            if id(each) not in members and (kind_of(each) in CONVOLUTIONS or rest.layers):
                rest.layers.append(each)
        return rest

    @property
    def _features(self) -> Iterator[Applied]:
        """The layers before the classifier, be it dense or convolutions with a map a class."""
        for each in self.own:
            if each is self.output or kind_of(each) in _CLASSIFIER:
                return
            yield each

    @property
    def augmenting(self) -> list[Applied]:
        return [each for each in self.own if kind_of(each) in AUGMENTING]

    # --- its training

    @property
    def optimizer(self) -> Item | None:
        """What ``compile`` was given, or the optimizer of a loop written by hand."""
        compiled = self.model.compiled if self.model else None
        if compiled and "optimizer" in compiled:
            return compiled["optimizer"]
        if self.loop == "custom" and self.trace.optimizers:
            return self.trace.optimizers[-1]
        return None

    @property
    def optimizer_object(self) -> Optimizer | None:
        return self.optimizer if isinstance(self.optimizer, Optimizer) else None

    @cached_property
    def training_data(self) -> Data | None:
        """What ``fit`` is given to train on."""
        return _data(self.fit.params.get("x")) if self.fit else None

    @cached_property
    def validation_data(self) -> Data | None:
        return _data(self.fit.params.get("validation_data")) if self.fit else None

    @property
    def generator(self) -> Generator | None:
        """The ImageDataGenerator of the training images."""
        return self.training_data.generator if self.training_data else None

    @cached_property
    def image_source(self) -> Data | None:
        """Whatever says most about how the images are read."""
        if self.training_data is not None and self.training_data.loader.startswith(BUILT_IN_DATA):
            return self.training_data
        known = [each for each in (self.training_data, *self.trace.loads) if each is not None]
        sized = [each for each in known if each.size]
        return (sized or known or [None])[0]  # type: ignore[list-item]

    @cached_property
    def _data_shape(self) -> Shape | None:
        """The shape of one image, as the data gives it."""
        data = self.training_data
        if data is not None and data.shape is not None and len(data.shape) == 3:
            return data.shape
        known = data or self.image_source
        if known is not None and known.size and known.channels:
            return (*known.size, known.channels)
        return None

    @cached_property
    def input_shape(self) -> Shape | None:
        """(height, width, channels) that the model takes, where it is known."""
        for each in self.chain:
            layer = each.layer
            shape = each.input_shape
            if isinstance(layer, Layer) and layer.kind in ("Input", "InputLayer"):
                shape = each.shape
            if isinstance(layer, Model) and shape is None:
                shape = layer.input_shape
            if shape is not None and len(shape) == 3:
                return shape
            if shape is not None and len(shape) != 3:
                return None
        return self._data_shape


def _data(value: Item | None) -> Data | None:
    if isinstance(value, Data):
        return value
    if isinstance(value, Seq) and value.items:
        return _data(value.items[0])
    if isinstance(value, Instance) and value.of is not None:
        # A keras.utils.Sequence of the script, or what else it feeds to fit.
        size = value.members.get("batch_size")
        return Data(loader="sequence", batch=size if isinstance(size, Const) else None)
    return None


def analyse(checkout: Checkout, script: str, hold: Collection[str] = ()) -> Analysis:
    """Follow a script. Raises UnreadableError."""
    key = (script, tuple(hold))
    known = checkout.followed.get(key)
    if not isinstance(known, Analysis):
        known = checkout.followed[key] = Analysis(checkout, script, hold)
    return known
