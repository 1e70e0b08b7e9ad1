"""Follows a script without running it: a small evaluator over its syntax tree.

Loops over known lists are unrolled, functions and methods of the script are entered, branches on
unknown conditions are both taken; whatever cannot be known is an unknown value. Nothing of the
script is ever executed. The idea is that of abstract interpretation (Cousot & Cousot, 1977).
"""

import ast
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import Any

from jobs.source.evaluate import layers, library, loading
from jobs.source.evaluate.expressions import Expressions
from jobs.source.evaluate.names import canonical
from jobs.source.evaluate.scopes import Scope
from jobs.source.evaluate.trace import Trace
from jobs.source.evaluate.values import (
    Class,
    Const,
    Frame,
    Function,
    Instance,
    Item,
    Method,
    Model,
    Module,
    Ref,
    Seq,
    Table,
    Tensor,
    Unknown,
)
from jobs.source.files import Checkout, Source, UnreadableError

MOST_STEPS = 150_000
DEEPEST = 60
LONGEST_LOOP = 40


class ExhaustedError(Exception):
    """The script takes more steps than anything a person writes for one model."""


class Returned(Exception):  # noqa: N818 - control flow, no error
    def __init__(self, value: Item) -> None:
        self.value = value


class _Left(Exception):  # noqa: N818 - control flow, no error
    """break or continue."""


class _Continued(_Left):
    pass


class Interpreter(Expressions):
    """Runs a script's statements on abstract values; what it saw of Keras is in ``trace``."""

    def __init__(self, checkout: Checkout) -> None:
        super().__init__()
        self.checkout = checkout
        self.scope = Scope()
        self.trace = Trace()
        self.modules: dict[str, Module] = {}
        self._steps = 0
        self._depth = 0
        self._maybe: list[list[Item]] = []
        self._generators: dict[int, bool] = {}

    # --- modules

    def run(self, path: str, main: bool = True) -> Module:
        """Follow a file from its first line. Raises UnreadableError for the file itself."""
        source = self.checkout.source(path)
        tree = source.tree
        if not self.modules:
            self.source = source
        scope = Scope()
        module = Module(path=path, members=scope.names)
        self.modules[path] = module
        scope.names["__name__"] = Const(value="__main__" if main else PurePosixPath(path).stem)
        folder = PurePosixPath(next(iter(self.modules))).parent.as_posix()
        scope.names["__file__"] = Const(value=posixpath.relpath(path, folder))
        with self.within(source, scope), suppress(Returned, _Left):
            self.block(tree.body)
        return module

    @contextmanager
    def within(self, source: Source, scope: Scope) -> Iterator[None]:
        before = self.source, self.scope
        self.source, self.scope = source, scope
        try:
            yield
        finally:
            self.source, self.scope = before

    def step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise ExhaustedError

    # --- statements

    def block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        self.step()
        handler = _STATEMENTS.get(type(node))
        if handler is None:
            return
        self.frames.append(Frame(self.source.site(node), node))
        try:
            handler(self, node)
        finally:
            self.frames.pop()

    def _expr(self, node: ast.Expr) -> None:
        self.value(node.value)

    def _assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self.assign(target, value)

    def _ann_assign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.value(node.value))
        elif self.scope.is_class and isinstance(node.target, ast.Name):
            self.scope.set(node.target.id, Unknown())

    def _aug_assign(self, node: ast.AugAssign) -> None:
        load = ast.copy_location(_as_load(node.target), node.target)
        current = self.value(load)
        operand = self.value(node.value)
        if isinstance(current, Seq) and isinstance(operand, Seq) and isinstance(node.op, ast.Add):
            current.items.extend(operand.items)
            return
        self.assign(node.target, self.operation(node.op, current, operand, self.source.site(node)))

    def _if(self, node: ast.If) -> None:
        known = self.truth(self.value(node.test))
        if known is not None:
            self.block(node.body if known else node.orelse)
            return
        before = dict(self.scope.names)
        self._branch(node.body)
        after = dict(self.scope.names)
        if node.orelse:
            self.scope.names.clear()
            self.scope.names.update(before)
            self._branch(node.orelse)
        else:
            self.scope.names.clear()
            self.scope.names.update(before)
        for name, value in after.items():
            other = self.scope.names.get(name)
            if other is None or _says_more(value, other) or _goes_on(value, other):
                self.scope.names[name] = value

    def _branch(self, statements: list[ast.stmt]) -> None:
        """A branch that may or may not be taken: leaving it does not leave what holds it."""
        try:
            self.block(statements)
        except Returned as returned:
            if self._maybe:
                self._maybe[-1].append(returned.value)
        except _Left:
            pass

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        iterable = self.value(node.iter)
        items = self.elements(iterable)
        self.trace.loop(node, self.source, items)
        if items is None or len(items) > LONGEST_LOOP:
            items = [Unknown()]
        try:
            for item in items:
                self.assign(node.target, item)
                try:
                    self.block(node.body)
                except _Continued:
                    continue
        except _Left:
            return
        self.block(node.orelse)

    def _while(self, node: ast.While) -> None:
        if self.truth(self.value(node.test)) is not False:
            self._branch(node.body)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value)
        self.block(node.body)

    def _try(self, node: ast.Try) -> None:
        self.block(node.body)
        before = dict(self.scope.names)
        for handler in node.handlers:
            self._branch(handler.body)
            for name, value in before.items():
                self.scope.names[name] = value
        self.block(node.orelse)
        self.block(node.finalbody)

    def _return(self, node: ast.Return) -> None:
        raise Returned(self.value(node.value) if node.value else Const(value=None))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        function = self.function(node)
        function.decorators = tuple(
            name for each in node.decorator_list if (name := _dotted(each)) is not None
        )
        self.scope.set(node.name, function)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Function:
        arguments = node.args
        defaults: dict[str, Item] = {}
        positional = [*arguments.posonlyargs, *arguments.args]
        offset = len(positional) - len(arguments.defaults)
        for argument, default in zip(positional[offset:], arguments.defaults, strict=True):
            defaults[argument.arg] = self.value(default)
        for argument, keyword in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if keyword is not None:
                defaults[argument.arg] = self.value(keyword)
        return Function(node=node, scope=self.scope, source=self.source, defaults=defaults)

    def _class(self, node: ast.ClassDef) -> None:
        bases, outside = [], []
        for each in node.bases:
            base = self.value(each)
            if isinstance(base, Class):
                bases.append(base)
            elif isinstance(base, Ref):
                outside.append(base.name)
        scope = Scope(self.scope)
        scope.is_class = True
        with self.within(self.source, scope):
            self.block(node.body)
        marks = [_dotted(each) or "" for each in node.decorator_list]
        made = Class(
            name=node.name,
            members=scope.names,
            bases=bases,
            library=outside,
            order=[
                each.target.id
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            ],
            dataclass=any(mark.rpartition(".")[2] == "dataclass" for mark in marks)
            or "typing.NamedTuple" in outside,
        )
        for member in scope.names.values():
            if isinstance(member, Function) and member.owner is None:
                member.owner = made
        self.scope.set(node.name, made)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            module = self._own_module(alias.name, 0)
            if module is not None:
                if alias.asname:
                    self.scope.set(alias.asname, module)
                else:
                    self._nest(alias.name.split("."), module)
            elif alias.asname:
                self.scope.set(alias.asname, Ref(name=canonical(alias.name)))
            else:
                top = alias.name.partition(".")[0]
                self.scope.set(top, Ref(name=canonical(top)))

    def _nest(self, parts: list[str], module: Module) -> None:
        """``import package.module``: the module below its packages."""
        value: Module = module
        for index in range(len(parts) - 1, 0, -1):
            value = Module(path=module.path, members={parts[index]: value})
        self.scope.set(parts[0], value)

    def _import_from(self, node: ast.ImportFrom) -> None:
        name = node.module or ""
        module = self._own_module(name, node.level)
        for alias in node.names:
            bound = alias.asname or alias.name
            if alias.name == "*":
                if module is not None:
                    self.scope.names.update(
                        {k: v for k, v in module.members.items() if not k.startswith("_")}
                    )
                else:
                    self.scope.module.stars.append(canonical(name))
                continue
            inner = self._own_module(f"{name}.{alias.name}" if name else alias.name, node.level)
            if module is not None and alias.name in module.members:
                self.scope.set(bound, module.members[alias.name])
            elif inner is not None:
                self.scope.set(bound, inner)
            elif module is not None or node.level:
                self.scope.set(bound, Unknown())
            else:
                self.scope.set(bound, Ref(name=canonical(f"{name}.{alias.name}")))

    def _own_module(self, name: str, level: int) -> Module | None:
        path = find_module(self.checkout, self.source.path, name, level)
        if path is None:
            return None
        known = self.checkout.quiet.get(path)
        if isinstance(known, Module):
            self.modules.setdefault(path, known)
        if path not in self.modules:
            if self._depth >= DEEPEST:
                return None
            self._depth += 1
            frames, self.frames = self.frames, []
            others = len(self.modules)
            try:
                module = self.run(path, main=False)
                if len(self.modules) == others + 1 and _is_quiet(self.checkout.source(path)):
                    self.checkout.quiet[path] = module
            except UnreadableError:
                return None
            finally:
                self._depth -= 1
                self.frames = frames
        return self.modules[path]

    def _global(self, node: ast.Global) -> None:
        for name in node.names:
            self.scope.declare_global(name)

    def _nonlocal(self, node: ast.Nonlocal) -> None:
        for name in node.names:
            self.scope.declare_nonlocal(name)

    def _break(self, _: ast.stmt) -> None:
        raise _Left

    def _continue(self, _: ast.stmt) -> None:
        raise _Continued

    def _match(self, node: ast.Match) -> None:
        self.value(node.subject)
        for case in node.cases:
            self._branch(case.body)

    # --- assignment

    def assign(self, target: ast.expr, value: Item) -> None:
        if isinstance(target, ast.Name):
            self.scope.set(target.id, value)
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value)
            if isinstance(owner, Instance | Module | Class):
                owner.members[target.attr] = value
            else:
                library.set_attribute(owner, target.attr, value)
        elif isinstance(target, ast.Subscript):
            owner, key = self.value(target.value), self.value(target.slice)
            if isinstance(owner, Table) and isinstance(key, Const):
                owner.items[_hashable(key.value)] = value
            elif (
                isinstance(owner, Seq)
                and isinstance(key, Const)
                and isinstance(key.value, int)
                and -len(owner.items) <= key.value < len(owner.items)
            ):
                owner.items[key.value] = value
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target.elts, value)

    def _unpack(self, targets: list[ast.expr], value: Item) -> None:
        items = self.elements(value)
        stars = [i for i, each in enumerate(targets) if isinstance(each, ast.Starred)]
        if items is None or len(items) < len(targets) - len(stars):
            items = library.spread(value, len(targets))
        elif stars:
            first, after = stars[0], len(targets) - stars[0] - 1
            middle = items[first : len(items) - after]
            items = [*items[:first], Seq(items=middle), *items[len(items) - after :]]
        for target, item in zip(targets, items, strict=False):
            self.assign(target, item)

    # --- calls of the script's own functions and classes

    def call_function(self, function: Function, args: list[Item], kwargs: dict[str, Item]) -> Item:
        self.step()
        if self._depth >= DEEPEST or self.active.count(id(function.node)) > 3:
            return Unknown()
        function.called = True
        self.trace.called.add(id(function.node))
        scope = Scope(function.scope)
        self._bind(function, scope, args, kwargs)
        self._depth += 1
        self.active.append(id(function.node))
        self._maybe.append([])
        try:
            with self.within(function.source, scope):
                if isinstance(function.node, ast.Lambda):
                    return self.value(function.node.body)
                try:
                    self.block(function.node.body)
                    result: Item = Const(value=None)
                except Returned as returned:
                    result = returned.value
                if self._yields(function.node):
                    return self._generator(function, scope)
            return self._likeliest([result, *self._maybe[-1]])
        except _Left:
            return Unknown()
        finally:
            self._depth -= 1
            self.active.pop()
            self._maybe.pop()

    def _yields(self, node: ast.AST) -> bool:
        if id(node) not in self._generators:
            found = any(isinstance(each, ast.Yield) for each in ast.walk(node))
            self._generators[id(node)] = found
        return self._generators[id(node)]

    def _generator(self, function: Function, scope: Scope) -> Item:
        yielded, self.yielded = self.yielded, []
        own = function.bound.members if isinstance(function.bound, Instance) else {}
        return loading.generated(yielded, {**own, **scope.names})

    @staticmethod
    def _likeliest(results: list[Item]) -> Item:
        """Of the values that a function may return, the one that says most."""
        best = results[0]
        for each in results[1:]:
            if _says_more(each, best):
                best = each
        return best

    def _bind(
        self, function: Function, scope: Scope, args: list[Item], kwargs: dict[str, Item]
    ) -> None:
        arguments = function.node.args
        names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
        if function.owner is not None and function.bound is not None:
            scope.names.update(__class__=function.owner, __self__=function.bound)
        values = [*([function.bound] if function.bound is not None else []), *args]
        rest = dict(kwargs)
        for name, value in zip(names, values, strict=False):
            scope.names[name] = value
        for name in (*names[len(values) :], *(each.arg for each in arguments.kwonlyargs)):
            if name in rest:
                scope.names[name] = rest.pop(name)
            else:
                scope.names[name] = function.defaults.get(name, Unknown())
        if arguments.vararg:
            scope.names[arguments.vararg.arg] = Seq(items=list(values[len(names) :]))
        if arguments.kwarg:
            scope.names[arguments.kwarg.arg] = Table(items=dict(rest))

    def make_instance(
        self, of: Class, args: list[Item], kwargs: dict[str, Item], node: ast.Call
    ) -> Item:
        instance = Instance(of=of)
        outside = {name.rpartition(".")[2] for name in of.library_bases()}
        is_model = outside & {"Model", "Sequential", "Functional"}
        if of.dataclass:
            self._fill(instance, of, args, kwargs)
        model: Model | None = None
        if is_model:
            model = library.subclass_model(self, instance, node, sequential="Sequential" in outside)
        elif "Layer" in outside:
            instance.members["__layer__"] = Const(value=True)
        initialise = of.find("__init__")
        if isinstance(initialise, Function):
            self.call_function(_bound(initialise, model or instance), args, kwargs)
        elif model is not None and model.style == "sequential" and args:
            layers.extend(self, model, args[0])
        elif model is not None and not isinstance(of.find("call"), Function):
            library.initialise(self, model, args, kwargs, node)
        return model or instance

    def _fill(
        self, instance: Instance, of: Class, args: list[Item], kwargs: dict[str, Item]
    ) -> None:
        order = [name for base in reversed(of.bases) for name in base.order]
        order += [name for name in of.order if name not in order]
        for name in order:
            default = of.find(name)
            if default is not None:
                instance.members[name] = default
        for name, value in (*zip(order, args, strict=False), *kwargs.items()):
            instance.members[name] = value

    def bind(self, function: Function, owner: Item) -> Item:
        """The function as an attribute of ``owner`` gives it."""
        if "staticmethod" in function.decorators:
            return function
        if "property" in function.decorators:
            return self.call_function(_bound(function, owner), [], {})
        return _bound(function, owner)


def _bound(function: Function, owner: Item) -> Function:
    return Function(
        node=function.node,
        scope=function.scope,
        source=function.source,
        defaults=function.defaults,
        bound=owner,
        decorators=function.decorators,
        owner=function.owner,
    )


_Handler = Callable[[Interpreter, Any], None]
_STATEMENTS: dict[type[ast.stmt], _Handler] = {
    ast.Expr: Interpreter._expr,
    ast.Assign: Interpreter._assign,
    ast.AnnAssign: Interpreter._ann_assign,
    ast.AugAssign: Interpreter._aug_assign,
    ast.If: Interpreter._if,
    ast.For: Interpreter._for,
    ast.AsyncFor: Interpreter._for,
    ast.While: Interpreter._while,
    ast.With: Interpreter._with,
    ast.AsyncWith: Interpreter._with,
    ast.Try: Interpreter._try,
    ast.Return: Interpreter._return,
    ast.FunctionDef: Interpreter._function,
    ast.AsyncFunctionDef: Interpreter._function,
    ast.ClassDef: Interpreter._class,
    ast.Import: Interpreter._import,
    ast.ImportFrom: Interpreter._import_from,
    ast.Global: Interpreter._global,
    ast.Nonlocal: Interpreter._nonlocal,
    ast.Break: Interpreter._break,
    ast.Continue: Interpreter._continue,
    ast.Match: Interpreter._match,
}


def find_module(checkout: Checkout, importer: str, name: str, level: int) -> str | None:
    """The repository's file that an import names, or None where it is a library's."""
    key = (importer, name, level)
    if key not in checkout.imported:
        checkout.imported[key] = _found_module(checkout, importer, name, level)
    return checkout.imported[key]


def _found_module(checkout: Checkout, importer: str, name: str, level: int) -> str | None:
    folder = PurePosixPath(importer).parent
    if level:
        for _ in range(level - 1):
            folder = folder.parent
        bases = [folder]
    else:
        bases = [folder, PurePosixPath("."), *folder.parents]
    parts = [part for part in name.split(".") if part]
    for base in bases:
        path = base.joinpath(*parts)
        candidates = [path / "__init__.py"] if not parts else [path.with_suffix(".py")]
        if parts:
            candidates = [base.joinpath(*parts[:-1], parts[-1] + ".py"), path / "__init__.py"]
        for candidate in candidates:
            text = candidate.as_posix()
            if text != importer and (text in checkout.changed or checkout.real(text)):
                return text
    return None


def _is_quiet(source: Source) -> bool:
    """Whether a module holds nothing that a tweak or a trace could concern."""
    words = ("keras", "tensorflow", "import_module", "sys.argv")
    return not any(word in source.text for word in words) and not any(
        isinstance(node, ast.Assign | ast.AnnAssign) for node in source.tree.body
    )


def _as_load(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(target.value, target.attr, ast.Load())
    if isinstance(target, ast.Subscript):
        return ast.Subscript(target.value, target.slice, ast.Load())
    return target


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call):
        return _dotted(node.func)
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else node.attr
    return None


def _weight(value: Item) -> int:
    if isinstance(value, Model):
        return 1 if value.style == "loaded" else 4
    if type(value) is Item or isinstance(value, Method):
        return 0
    if isinstance(value, Const) and value.value is None:
        return 0
    return 2


def _says_more(value: Item, other: Item) -> bool:
    return value is not other and _weight(value) > _weight(other)


def _goes_on(value: Item, other: Item) -> bool:
    """Whether a tensor was made from the other one: a branch that puts more layers behind it."""
    if not isinstance(value, Tensor) or not isinstance(other, Tensor) or other.applied is None:
        return False
    waiting, steps = [value.applied], 0
    while waiting and steps < LONGEST_LOOP:
        steps += 1
        current = waiting.pop()
        if current is not None and current is not value.applied and current is other.applied:
            return True
        waiting += current.inputs if current is not None else ()
    return False


def _hashable(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | type(None)) else repr(value)
