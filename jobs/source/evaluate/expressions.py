"""What the expressions of a script stand for; the statements are the interpreter's."""

import ast
import operator
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from jobs.source.evaluate import library
from jobs.source.evaluate.names import starred
from jobs.source.evaluate.scopes import Scope
from jobs.source.evaluate.trace import Trace
from jobs.source.evaluate.values import (
    Class,
    Const,
    Frame,
    Frames,
    Function,
    Instance,
    Item,
    Layer,
    Method,
    Model,
    Module,
    Option,
    Ref,
    Seq,
    Table,
    Unknown,
    plain,
)
from jobs.source.files import Site, Source

LARGEST = 10**12
LONGEST = 10_000

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


class Expressions:
    """The half of the interpreter that works out expressions."""

    source: Source
    scope: Scope
    trace: Trace

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.active: list[int] = []
        self.yielded: list[Item] = []

    @abstractmethod
    def step(self) -> None: ...

    @abstractmethod
    def call_function(
        self, function: Function, args: list[Item], kwargs: dict[str, Item]
    ) -> Item: ...

    @abstractmethod
    def make_instance(
        self, of: Class, args: list[Item], kwargs: dict[str, Item], node: ast.Call
    ) -> Item: ...

    @abstractmethod
    def bind(self, function: Function, owner: Item) -> Item: ...

    @abstractmethod
    def function(self, node: ast.Lambda) -> Function: ...

    @abstractmethod
    def assign(self, target: ast.expr, value: Item) -> None: ...

    def offer(self, values: list[Item]) -> None:
        """A library was handed functions of the script: it may call them."""
        for each in values:
            if (
                isinstance(each, Function)
                and id(each.node) not in self.trace.called
                and not isinstance(each.node, ast.Lambda)
            ):
                self.call_function(each, [], {})

    @property
    def here(self) -> Frames:
        return tuple(self.frames)

    def value(self, node: ast.expr) -> Item:
        """What an expression stands for."""
        self.step()
        handler = _EXPRESSIONS.get(type(node))
        if handler is None:
            return Unknown()
        value = handler(self, node)
        if isinstance(value, Const | Seq | Table):
            return value.at(self.source.site(node))
        return value

    def _constant(self, node: ast.Constant) -> Item:
        if isinstance(node.value, str | int | float | bool | type(None)):
            return Const(value=node.value)
        return Unknown()

    def _name(self, node: ast.Name) -> Item:
        found = self.scope.get(node.id)
        if found is not None:
            return found
        for module in reversed(self.scope.all_stars()):
            name = starred(module, node.id)
            if name:
                return Ref(name=name)
        return Ref(name=f"builtins.{node.id}")

    def _attribute(self, node: ast.Attribute) -> Item:
        return self.attribute(self.value(node.value), node.attr)

    def attribute(self, owner: Item, name: str) -> Item:
        if isinstance(owner, Instance):
            if name in owner.members:
                return owner.members[name]
            found = owner.of.find(name) if owner.of else None
            if isinstance(found, Function):
                return self.bind(found, owner)
            return found if found is not None else Method(name=name, of=owner)
        if isinstance(owner, Module):
            return owner.members.get(name, Unknown())
        if isinstance(owner, Class):
            return owner.find(name) or Method(name=name, of=owner)
        return library.attribute(self, owner, name)

    def _subscript(self, node: ast.Subscript) -> Item:
        owner = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            return self._slice(owner, node.slice)
        key = self.value(node.slice)
        if isinstance(key, Const):
            if isinstance(owner, Table):
                return owner.items.get(key.value, Unknown())
            if isinstance(owner, Seq) and isinstance(key.value, int):
                if -len(owner.items) <= key.value < len(owner.items):
                    return owner.items[key.value]
                return Unknown()
        if isinstance(owner, Table) and len(owner.items) and not isinstance(key, Const):
            return Unknown()
        return library.subscript(owner, key)

    def _slice(self, owner: Item, part: ast.Slice) -> Item:
        bounds = [
            self.value(each) if each else None for each in (part.lower, part.upper, part.step)
        ]
        if isinstance(owner, Seq):
            numbers = [each.value if isinstance(each, Const) else None for each in bounds]
            known = all(each is None or isinstance(each, Const) for each in bounds)
            if known and all(each is None or isinstance(each, int) for each in numbers):
                return Seq(items=owner.items[slice(*numbers)], deps=_sites(owner))
            return Unknown()
        if isinstance(owner, Const) and isinstance(owner.value, str):
            return Unknown()
        return library.subscript(owner, None)

    def _call(self, node: ast.Call) -> Item:
        callee = self.value(node.func)
        args: list[Item] = []
        for each in node.args:
            if isinstance(each, ast.Starred):
                args += self.elements(self.value(each.value)) or []
            else:
                args.append(self.value(each))
        kwargs: dict[str, Item] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            elif isinstance(value, Table):
                kwargs.update({k: v for k, v in value.items.items() if isinstance(k, str)})
        return self.call(callee, args, kwargs, node)

    def call(self, callee: Item, args: list[Item], kwargs: dict[str, Item], node: ast.Call) -> Item:
        self.step()
        if isinstance(callee, Function):
            return self.call_function(callee, args, kwargs)
        if isinstance(callee, Class):
            return self.make_instance(callee, args, kwargs, node)
        if isinstance(callee, Instance) and callee.of is not None:
            for name in ("call", "__call__"):
                method = callee.of.find(name)
                if isinstance(method, Function):
                    return self.call(self.bind(method, callee), args, kwargs, node)
        return library.call(self, callee, args, kwargs, node)

    def _binary(self, node: ast.BinOp) -> Item:
        left, right = self.value(node.left), self.value(node.right)
        return self.operation(node.op, left, right, self.source.site(node))

    def operation(self, op: ast.operator, left: Item, right: Item, site: Site) -> Item:
        deps = _sites(left) | _sites(right)
        function = _BINARY.get(type(op))
        if isinstance(left, Const) and isinstance(right, Const) and function:
            result = _worked_out(function, left.value, right.value)
            if result is not None:
                return Const(value=result, trail=(site,), deps=deps)
        if isinstance(left, Seq) and isinstance(right, Seq) and isinstance(op, ast.Add):
            return Seq(items=[*left.items, *right.items], trail=(site,), deps=deps)
        if (
            isinstance(left, Seq)
            and isinstance(right, Const)
            and isinstance(op, ast.Mult)
            and isinstance(right.value, int)
            and len(left.items) * right.value <= LONGEST
        ):
            return Seq(items=left.items * right.value, trail=(site,), deps=deps)
        return library.operation(self, left, right, op) or Unknown(deps=deps)

    def _unary(self, node: ast.UnaryOp) -> Item:
        value = self.value(node.operand)
        if isinstance(value, Const) and isinstance(value.value, int | float):
            site = self.source.site(node)
            if isinstance(node.op, ast.USub):
                return Const(value=-value.value, trail=(site,), deps=_sites(value))
            if isinstance(node.op, ast.Not):
                return Const(value=not value.value)
        return Unknown()

    def _compare(self, node: ast.Compare) -> Item:
        values = [self.value(node.left), *(self.value(each) for each in node.comparators)]
        if len(values) != 2:
            return Unknown()
        function = _COMPARE[type(node.ops[0])]
        if isinstance(values[0], Seq) and isinstance(values[1], Seq):
            return _compared_sequences(function, plain(values[0]), plain(values[1]))
        if not isinstance(values[0], Const):
            return Unknown()
        other = values[1]
        if any(isinstance(each, Option) for each in values) and not isinstance(
            node.ops[0], ast.Is | ast.IsNot
        ):
            return Unknown()
        if isinstance(other, Const):
            right = other.value
        elif isinstance(other, Seq) and all(isinstance(each, Const) for each in other.items):
            right = [each.value for each in other.items if isinstance(each, Const)]
        elif isinstance(other, Table):
            right = list(other.items)
        elif isinstance(node.ops[0], ast.Is | ast.IsNot) and values[0].value is None:
            return Unknown()
        else:
            return Unknown()
        try:
            return Const(value=bool(function(values[0].value, right)))
        except (TypeError, ValueError):
            return Unknown()

    def _bool(self, node: ast.BoolOp) -> Item:
        """``a or b`` and ``a and b``, as far as their truth is known."""
        stops = isinstance(node.op, ast.Or)
        values = [self.value(each) for each in node.values]
        for value in values[:-1]:
            truth = self.truth(value)
            if truth is None:
                return Unknown()
            if truth is stops:
                return value
        return values[-1]

    def truth(self, value: Item) -> bool | None:
        if isinstance(value, Const):
            return bool(value.value)
        if isinstance(value, Seq | Table):
            return bool(value.items)
        if isinstance(value, Layer | Model | Class | Function):
            return True
        return None

    def _conditional(self, node: ast.IfExp) -> Item:
        truth = self.truth(self.value(node.test))
        if truth is not None:
            return self.value(node.body if truth else node.orelse)
        first, second = self.value(node.body), self.value(node.orelse)
        return second if type(first) is Item else first

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Item:
        items: list[Item] = []
        whole = self.source.site(node)
        for each in node.elts:
            if isinstance(each, ast.Starred):
                items += self.elements(self.value(each.value)) or [Unknown()]
                continue
            if isinstance(each, ast.Constant | ast.Name):
                items.append(self.value(each))
                continue
            self.frames.append(Frame(self.source.site(each), each, whole))
            try:
                items.append(self.value(each))
            finally:
                self.frames.pop()
        return Seq(items=items)

    def _dict(self, node: ast.Dict) -> Item:
        items: dict[Any, Item] = {}
        for key, each in zip(node.keys, node.values, strict=True):
            value = self.value(each)
            if key is None:
                if isinstance(value, Table):
                    items.update(value.items)
                continue
            known = self.value(key)
            if isinstance(known, Const):
                items[known.value] = value
        return Table(items=items)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Item:
        results: list[Item] = []
        known = self._generate(node.generators, lambda: results.append(self.value(node.elt)))
        return Seq(items=results) if known else Unknown()

    def _dict_comprehension(self, node: ast.DictComp) -> Item:
        items: dict[Any, Item] = {}

        def add() -> None:
            key = self.value(node.key)
            if isinstance(key, Const):
                items[key.value] = self.value(node.value)

        return Table(items=items) if self._generate(node.generators, add) else Unknown()

    def _generate(self, generators: list[ast.comprehension], add: Callable[[], None]) -> bool:
        """Run the loops of a comprehension; whether all that they run over is known."""
        before = self.scope
        self.scope = Scope(before)
        try:
            return self._generate_from(generators, add)
        finally:
            self.scope = before

    def _generate_from(self, generators: list[ast.comprehension], add: Callable[[], None]) -> bool:
        if not generators:
            add()
            return True
        first = generators[0]
        items = self.elements(self.value(first.iter))
        known = items is not None and len(items) <= 64
        for item in (items or []) if known else [Unknown()]:
            self.assign(first.target, item)
            if any(self.truth(self.value(each)) is False for each in first.ifs):
                continue
            known = self._generate_from(generators[1:], add) and known
        return known

    def elements(self, value: Item) -> list[Item] | None:
        """What iterating gives, where it is known."""
        if isinstance(value, Seq):
            return list(value.items)
        if isinstance(value, Table):
            return [Const(value=key) for key in value.items]
        return library.iterated(value)

    def _joined(self, node: ast.JoinedStr) -> Item:
        parts: list[str] = []
        deps: frozenset[Site] = frozenset()
        for each in node.values:
            if isinstance(each, ast.FormattedValue):
                value = self.value(each.value)
                if not isinstance(value, Const) or each.format_spec is not None:
                    return Unknown()
                parts.append(str(value.value))
                deps |= _sites(value)
            elif isinstance(each, ast.Constant):
                parts.append(str(each.value))
        return Const(value="".join(parts), trail=(self.source.site(node),), deps=deps)

    def _lambda(self, node: ast.Lambda) -> Item:
        return self.function(node)

    def _named(self, node: ast.NamedExpr) -> Item:
        value = self.value(node.value)
        self.assign(node.target, value)
        return value

    def _await(self, node: ast.Await | ast.Starred) -> Item:
        return self.value(node.value)

    def _yield(self, node: ast.Yield) -> Item:
        if node.value is not None:
            self.yielded.append(self.value(node.value))
        return Unknown()


def _compared_sequences(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Item:
    if function not in (operator.eq, operator.ne) or None in (*left, *right):
        return Unknown()
    return Const(value=bool(function(left, right)))


def _worked_out(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """The result of an operation on constants, or None where there is none worth having."""
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    texts = isinstance(left, str) and isinstance(right, str) and function is operator.add
    if not numbers and not texts:
        return None
    if function is operator.pow and (abs(left) > 10_000 or abs(right) > 64):
        return None
    try:
        result = function(left, right)
    except (ArithmeticError, ValueError, TypeError):
        return None
    if isinstance(result, complex):
        return None
    if isinstance(result, int | float) and abs(result) > LARGEST:
        return None
    if isinstance(result, str) and len(result) > LONGEST:
        return None
    return result


def _sites(value: Item) -> frozenset[Site]:
    """All spans that went into a value."""
    found = value.deps | frozenset(value.trail)
    if isinstance(value, Seq) and len(value.items) <= 16:
        for each in value.items:
            found |= each.deps | frozenset(each.trail)
    return found


_Handler = Callable[[Expressions, Any], Item]
_EXPRESSIONS: dict[type[ast.expr], _Handler] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.Attribute: Expressions._attribute,
    ast.Subscript: Expressions._subscript,
    ast.Call: Expressions._call,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.Compare: Expressions._compare,
    ast.BoolOp: Expressions._bool,
    ast.IfExp: Expressions._conditional,
    ast.List: Expressions._sequence,
    ast.Tuple: Expressions._sequence,
    ast.Set: Expressions._sequence,
    ast.Dict: Expressions._dict,
    ast.ListComp: Expressions._comprehension,
    ast.SetComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
    ast.DictComp: Expressions._dict_comprehension,
    ast.JoinedStr: Expressions._joined,
    ast.Lambda: Expressions._lambda,
    ast.NamedExpr: Expressions._named,
    ast.Await: Expressions._await,
    ast.Starred: Expressions._await,
    ast.Yield: Expressions._yield,
}
