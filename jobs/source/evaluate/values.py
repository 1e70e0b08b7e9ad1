"""What the expressions of a script stand for, as far as that can be seen without running it.

Numbers, texts and lists carry their *trail*: the spans through which the value passed unchanged,
from the literal to the call that consumes it. A tweak edits the first span of the trail that
nothing else depends on. ``deps`` are the spans that merely went into the value.
"""

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

from jobs.source.files import Site, Source

if TYPE_CHECKING:
    from jobs.source.evaluate.scopes import Scope

Shape = tuple[int | None, ...]


@dataclass(eq=False, kw_only=True)
class Item:
    """Anything that an expression may stand for; on its own it is an unknown value."""

    trail: tuple[Site, ...] = ()
    deps: frozenset[Site] = frozenset()

    def at(self, site: Site) -> Self:
        """The same value as it leaves a further expression."""
        if self.trail and self.trail[-1] == site:
            return self
        # Copying by hand: copy.copy dominates the run time otherwise.
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.trail = (*self.trail, site)
        return other

    @property
    def site(self) -> Site | None:
        """The expression that was written where the value is consumed."""
        return self.trail[-1] if self.trail else None


Unknown = Item


@dataclass(eq=False, kw_only=True)
class Const(Item):
    """A number, text, bool or None."""

    value: Any


@dataclass(eq=False, kw_only=True)
class Option(Const):
    """None for an option of the command line that has no default: it is given, or it is not."""


@dataclass(eq=False, kw_only=True)
class Seq(Item):
    """A list, tuple or set; ``items`` is shared by all names of a list."""

    items: list[Item]


@dataclass(eq=False, kw_only=True)
class Table(Item):
    """A dictionary with known keys."""

    items: dict[Any, Item]


@dataclass(eq=False, kw_only=True)
class Ref(Item):
    """Something of a library, by its full name in today's spelling (``keras.layers.Conv2D``)."""

    name: str

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def is_keras(self) -> bool:
        return self.name == "keras" or self.name.startswith("keras.")


@dataclass(eq=False, kw_only=True)
class Function(Item):
    """A function of the script."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: "Scope"
    source: Source
    defaults: dict[str, Item] = field(default_factory=dict)
    bound: Item | None = None
    called: bool = False
    decorators: tuple[str, ...] = ()
    owner: "Class | None" = None


@dataclass(eq=False, kw_only=True)
class Class(Item):
    """A class of the script; ``library`` are its bases from libraries."""

    name: str
    members: dict[str, Item]
    bases: list["Class"]
    library: list[str]
    order: list[str] = field(default_factory=list)
    dataclass: bool = False

    def find(self, name: str) -> Item | None:
        if name in self.members:
            return self.members[name]
        return next((found for base in self.bases if (found := base.find(name))), None)

    def library_bases(self) -> list[str]:
        return [*self.library, *(name for base in self.bases for name in base.library_bases())]


@dataclass(eq=False, kw_only=True)
class Module(Item):
    """A module of the repository."""

    path: str
    members: dict[str, Item]


@dataclass(eq=False, kw_only=True)
class Instance(Item):
    """An object of a class of the script, or a library's namespace of attributes."""

    of: Class | None
    members: dict[str, Item] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class Method(Item):
    """A method of a library's object: what to call, on what."""

    name: str
    of: Item


@dataclass(frozen=True)
class Frame:
    """A statement, or an element of a list display, under way."""

    site: Site
    node: ast.stmt | ast.expr
    element_of: Site | None = None


Frames = tuple[Frame, ...]


@dataclass(eq=False, kw_only=True)
class Layer(Item):
    """A layer object. ``kind`` is today's name of its class; ``params`` by today's names."""

    kind: str
    spelled: str
    params: dict[str, Item]
    call: Site
    callee: Site
    node: ast.Call
    frames: Frames
    inner: Item | None = None

    def number(self, name: str) -> int | None:
        return whole(self.params.get(name))

    def text(self, name: str) -> str | None:
        value = self.params.get(name)
        return value.value if isinstance(value, Const) and isinstance(value.value, str) else None


@dataclass(eq=False)
class Applied:
    """A layer at work: shapes without the batch axis, and why it cannot be built, if so."""

    layer: "Layer | Model"
    frames: Frames
    inputs: tuple["Applied", ...]
    shape: Shape | None
    input_shape: Shape | None = None
    error: str | None = None


@dataclass(eq=False, kw_only=True)
class Tensor(Item):
    """What flows between layers."""

    applied: Applied | None = None
    shape: Shape | None = None


@dataclass(eq=False)
class Step:
    """A layer of a Sequential, with the frames in which it was added."""

    layer: "Layer | Model | Instance"
    frames: Frames


@dataclass(eq=False, kw_only=True)
class Model(Item):
    """A Keras model; ``base`` is a network of keras.applications, ``loaded`` one from a file."""

    style: Literal["sequential", "functional", "subclass", "base", "loaded"]
    name: str = ""
    steps: list[Step] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    instance: Instance | None = None
    input_shape: Shape | None = None
    shape: Shape | None = None
    compiled: dict[str, Item] | None = None
    compile_node: ast.Call | None = None
    compile_site: Site | None = None
    frames: Frames = ()
    call: Site | None = None


@dataclass(eq=False, kw_only=True)
class Optimizer(Item):
    """An optimizer object; ``name`` in Keras' spelling (``Adam``)."""

    name: str
    params: dict[str, Item]
    call: Site
    callee: Site
    node: ast.Call


@dataclass(eq=False, kw_only=True)
class Schedule(Item):
    """A learning rate schedule object."""

    name: str
    params: dict[str, Item]


@dataclass(eq=False, kw_only=True)
class Generator(Item):
    """An ImageDataGenerator."""

    params: dict[str, Item]
    call: Site
    node: ast.Call
    frames: Frames = ()


@dataclass(eq=False, kw_only=True)
class Data(Item):
    """Images or arrays on their way to ``fit``."""

    loader: str = ""
    folders: tuple[Const, ...] = ()
    batch: Item | None = None
    size: tuple[int, int] | None = None
    channels: int | None = None
    interpolation: str | None = None
    shape: Shape | None = None
    generator: Generator | None = None
    subset: str | None = None
    call: Site | None = None


@dataclass(eq=False)
class Fit:
    """A call that trains; ``name`` is the method's."""

    model: Model
    name: str
    params: dict[str, Item]
    node: ast.Call
    site: Site
    frames: Frames


def whole(value: Item | None) -> int | None:
    """The integer that a value is, or None."""
    if isinstance(value, Const):
        number = value.value
        if isinstance(number, bool):
            return None
        if isinstance(number, int):
            return number
        if isinstance(number, float) and number.is_integer():
            return int(number)
    return None


def pair(value: Item | None) -> tuple[int, int] | None:
    """(height, width) from an integer or a sequence of two."""
    single = whole(value)
    if single is not None:
        return single, single
    if isinstance(value, Seq) and len(value.items) == 2:
        first, second = whole(value.items[0]), whole(value.items[1])
        if first is not None and second is not None:
            return first, second
    return None


def shape_of(value: Item | None) -> Shape | None:
    """A shape from a sequence; entries that are no number are None."""
    if isinstance(value, Seq):
        return tuple(whole(each) for each in value.items)
    single = whole(value)
    return None if single is None else (single,)


def plain(value: Item | None) -> Any:
    """The Python value of a constant or of a sequence of constants, otherwise None."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Seq):
        return [plain(each) for each in value.items]
    return None
