"""What built-in functions, strings, lists, ``os.path``, ``argparse`` and the like give."""

import ast
import math
import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from jobs.source.evaluate.values import (
    Class,
    Const,
    Function,
    Instance,
    Item,
    Model,
    Option,
    Ref,
    Seq,
    Table,
    Unknown,
    whole,
)

if TYPE_CHECKING:
    from jobs.source.evaluate.expressions import Expressions

_LONGEST_RANGE = 64
_TEXT_METHODS = {
    "lower", "upper", "strip", "rstrip", "lstrip", "replace", "title", "capitalize",
    "removeprefix", "removesuffix",
}  # fmt: skip
_PATH_METHODS = {"resolve", "absolute", "expanduser", "as_posix", "with_suffix"}
_CONSTANTS: dict[str, Any] = {
    "math.pi": math.pi,
    "os.sep": "/",
    "os.path.sep": "/",
    "os.curdir": ".",
    "os.pardir": "..",
    "os.path.curdir": ".",
    "os.path.pardir": "..",
    "tensorflow.float32": "float32",
    "numpy.newaxis": None,
    "tensorflow.newaxis": None,
}


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "round": round,
    "abs": abs,
    "len": len,
}
_REDUCTIONS: dict[str, Callable[[list[Any]], Any]] = {"max": max, "min": min, "sum": sum}


def constant(name: str) -> Const | None:
    """A constant of a library by its full name."""
    return Const(value=_CONSTANTS[name]) if name in _CONSTANTS else None


def builtin(
    run: "Expressions", name: str, args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Item:
    """The value of a call of a built-in function (or of a name that is not known)."""
    known = _BUILTINS.get(name)
    if known is not None and (args or name in ("super", "dict", "list")):
        return known(run, args, kwargs)
    if name in ("int", "float", "str", "bool", "round", "abs", "len", "max", "min", "sum"):
        return _number(run, name, args, node)
    if name not in ("print", "input", "isinstance", "hasattr", "type", "open"):
        run.offer(args)
    return Unknown()


def _number(run: "Expressions", name: str, args: list[Item], node: ast.Call) -> Item:
    site = run.source.site(node)
    if len(args) == 1 and isinstance(args[0], Const):
        value = args[0]
        try:
            result = _CONVERSIONS[name](value.value)
        except (KeyError, TypeError, ValueError, OverflowError):
            return Unknown()
        if type(result) is type(value.value) and result == value.value:
            return value
        return Const(value=result, trail=(site,), deps=value.deps | frozenset(value.trail))
    if len(args) == 1 and isinstance(args[0], Seq | Table) and name == "len":
        return Const(value=len(args[0].items), trail=(site,))
    items = args[0].items if len(args) == 1 and isinstance(args[0], Seq) else args
    if name in ("max", "min", "sum") and items and all(isinstance(i, Const) for i in items):
        numbers = [each.value for each in items if isinstance(each, Const)]
        if all(isinstance(each, int | float) for each in numbers):
            return Const(value=_REDUCTIONS[name](numbers), trail=(site,))
    return Unknown()


def _range(run: "Expressions", args: list[Item], _kwargs: dict[str, Item]) -> Item:
    bounds = [whole(each) for each in args]
    frames = run.frames
    if frames and isinstance(frames[-1].node, ast.For) and args:
        run.trace.ranges[run.source.site(frames[-1].node.iter)] = args[-1 if len(args) < 3 else 1]
    if any(each is None for each in bounds) or len(bounds) > 3:
        return Unknown()
    try:
        numbers = range(*[each for each in bounds if each is not None])
    except ValueError:
        return Unknown()
    if len(numbers) > _LONGEST_RANGE:
        return Unknown()
    deps = frozenset(site for each in args for site in (*each.trail, *each.deps))
    return Seq(items=[Const(value=each, deps=deps) for each in numbers])


def _enumerate(run: "Expressions", args: list[Item], kwargs: dict[str, Item]) -> Item:
    items = run.elements(args[0])
    start = whole(args[1] if len(args) > 1 else kwargs.get("start")) or 0
    if items is None:
        return Seq(items=[Seq(items=[Unknown(), Unknown()])])
    return Seq(items=[Seq(items=[Const(value=i), e]) for i, e in enumerate(items, start)])


def _zip(run: "Expressions", args: list[Item], _kwargs: dict[str, Item]) -> Item:
    columns = [run.elements(each) for each in args]
    if any(each is None for each in columns):
        return Unknown()
    rows = zip(*[each for each in columns if each is not None], strict=False)
    return Seq(items=[Seq(items=list(row)) for row in rows])


def _reversed(run: "Expressions", args: list[Item], _kwargs: dict[str, Item]) -> Item:
    items = run.elements(args[0])
    return Unknown() if items is None else Seq(items=items[::-1])


def _listed(run: "Expressions", args: list[Item], _kwargs: dict[str, Item]) -> Item:
    if not args:
        return Seq(items=[])
    items = run.elements(args[0])
    return args[0] if items is None else Seq(items=items)


def _sorted(run: "Expressions", args: list[Item], kwargs: dict[str, Item]) -> Item:
    items = run.elements(args[0])
    if items is None or kwargs or not all(isinstance(each, Const) for each in items):
        return Unknown()
    try:
        ordered = sorted(items, key=lambda each: each.value if isinstance(each, Const) else 0)
    except TypeError:
        return Unknown()
    return Seq(items=ordered)


def _dict(_run: "Expressions", args: list[Item], kwargs: dict[str, Item]) -> Item:
    base = dict(args[0].items) if args and isinstance(args[0], Table) else {}
    return Table(items={**base, **kwargs})


def _map(run: "Expressions", args: list[Item], _kwargs: dict[str, Item]) -> Item:
    items = run.elements(args[1]) if len(args) > 1 else None
    if items is None or not isinstance(args[0], Function):
        return Unknown()
    return Seq(items=[run.call_function(args[0], [each], {}) for each in items[:64]])


def _getattr(run: "Expressions", args: list[Item], _kwargs: dict[str, Item]) -> Item:
    if len(args) > 1 and isinstance(args[1], Const) and isinstance(args[1].value, str):
        return _attribute_of(run, args[0], args[1].value)
    return Unknown()


def _attribute_of(run: "Expressions", owner: Item, name: str) -> Item:
    from jobs.source.evaluate import library

    if isinstance(owner, Instance) and name in owner.members:
        return owner.members[name]
    if isinstance(owner, Ref):
        return library.attribute(run, owner, name)
    return Unknown()


def _setattr(_run: "Expressions", args: list[Item], _kwargs: dict[str, Item]) -> Item:
    if len(args) == 3 and isinstance(args[1], Const):
        owner = args[0].instance if isinstance(args[0], Model) else args[0]
        if isinstance(owner, Instance):
            owner.members[str(args[1].value)] = args[2]
    return Const(value=None)


def _vars(_run: "Expressions", args: list[Item], _kwargs: dict[str, Item]) -> Item:
    if isinstance(args[0], Instance):
        return Table(items=dict(args[0].members))
    return Unknown()


class Super(Item):
    """``super()`` within a method of ``of``."""

    def __init__(self, owner: Item, of: Class) -> None:
        super().__init__()
        self.owner, self.of = owner, of


def _super(run: "Expressions", _args: list[Item], _kwargs: dict[str, Item]) -> Item:
    of, owner = run.scope.get("__class__"), run.scope.get("__self__")
    if isinstance(of, Class) and owner is not None:
        return Super(owner, of)
    return Unknown()


_Builtin = Callable[["Expressions", list[Item], dict[str, Item]], Item]
_BUILTINS: dict[str, _Builtin] = {
    "range": _range,
    "xrange": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": _reversed,
    "list": _listed,
    "tuple": _listed,
    "set": _listed,
    "sorted": _sorted,
    "dict": _dict,
    "map": _map,
    "getattr": _getattr,
    "setattr": _setattr,
    "vars": _vars,
    "super": _super,
}


# --- the standard library


def call(
    run: "Expressions", name: str, args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Item | None:
    """The value of a call of a library function, or None where it is not known here."""
    site = run.source.site(node)
    if name in ("os.path.join", "posixpath.join"):
        return _join(args, site)
    if name in ("pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"):
        return _join(args, site) if args else Const(value=".")
    if name.startswith("os.path.") or name in ("os.getcwd", "os.fspath", "os.fsencode"):
        return _path_function(name.rpartition(".")[2], args, site)
    if name in ("os.getenv", "os.environ.get"):
        return args[1] if len(args) > 1 else kwargs.get("default", Unknown())
    if name in ("argparse.ArgumentParser", "configargparse.ArgumentParser"):
        return Instance(of=None, members={"__options__": Table(items={})})
    if name in ("types.SimpleNamespace", "argparse.Namespace", "easydict.EasyDict"):
        base = args[0].items if args and isinstance(args[0], Table) else {}
        return Instance(of=None, members={**base, **kwargs})
    if name == "dataclasses.field":
        if "default" in kwargs:
            return kwargs["default"]
        factory = kwargs.get("default_factory")
        return run.call(factory, [], {}, node) if factory is not None else Unknown()
    if name in ("collections.OrderedDict", "collections.defaultdict"):
        return _dict(run, [each for each in args if isinstance(each, Table)], kwargs)
    if name.rpartition(".")[2].startswith("DEFINE_") and len(args) >= 2:
        if isinstance(args[0], Const):
            run.trace.flags[str(args[0].value)] = args[1]
        return Const(value=None)
    if name in ("copy.copy", "copy.deepcopy") and args:
        return args[0]
    if name.startswith(("math.", "numpy.")) and name.rpartition(".")[2] in ("ceil", "floor"):
        return _rounded(name, args, site)
    return None


def _rounded(name: str, args: list[Item], site: Any) -> Item:
    if args and isinstance(args[0], Const) and isinstance(args[0].value, int | float):
        function = math.ceil if name.endswith("ceil") else math.floor
        deps = args[0].deps | frozenset(args[0].trail)
        return Const(value=function(args[0].value), trail=(site,), deps=deps)
    return Unknown()


def _join(args: list[Item], site: Any) -> Item:
    """A joined path; where its tail is unknown, the folder that is known."""
    parts: list[str] = []
    deps = frozenset(each for arg in args for each in (*arg.trail, *arg.deps))
    for each in args:
        if not isinstance(each, Const) or not isinstance(each.value, str):
            break
        parts.append(each.value)
    if not parts:
        return Unknown(deps=deps)
    if len(args) == len(parts) == 1:
        return args[0]
    return Const(value=posixpath.join(*parts), trail=(site,), deps=deps)


def _path_function(name: str, args: list[Item], site: Any) -> Item:
    if name == "getcwd":
        return Const(value=".")
    if not args or not isinstance(args[0], Const) or not isinstance(args[0].value, str):
        return Unknown()
    path = args[0].value
    if name in ("abspath", "realpath", "normpath", "expanduser", "fspath"):
        return args[0]
    deps = args[0].deps | frozenset(args[0].trail)
    if name == "dirname":
        return Const(value=posixpath.dirname(path) or ".", trail=(site,), deps=deps)
    if name == "basename":
        return Const(value=posixpath.basename(path), trail=(site,), deps=deps)
    return Unknown()


def joined_path(left: Item, right: Item, op: ast.operator) -> Item | None:
    """``folder / name`` of pathlib."""
    if isinstance(op, ast.Div) and isinstance(left, Const) and isinstance(left.value, str):
        deps = frozenset(each for arg in (left, right) for each in (*arg.trail, *arg.deps))
        if isinstance(right, Const) and isinstance(right.value, str):
            return Const(value=posixpath.join(left.value, right.value), deps=deps)
        return Const(value=left.value, deps=deps)
    return None


# --- methods


def method(
    run: "Expressions",
    of: Item,
    name: str,
    args: list[Item],
    kwargs: dict[str, Item],
    node: ast.Call,
) -> Item:
    """The value of a method call on an object that is not of Keras."""
    if isinstance(of, Super):
        return _super_method(run, of, name, args, kwargs, node)
    if isinstance(of, Seq):
        return _list_method(run, of, name, args)
    if isinstance(of, Table):
        return _dict_method(of, name, args)
    if isinstance(of, Const) and isinstance(of.value, str):
        return _text_method(run, of, name, args, kwargs, node)
    if isinstance(of, Instance) and "__options__" in of.members:
        return _parser_method(of, name, args, kwargs)
    if isinstance(of, Instance) and name in ("copy", "_replace", "get"):
        if name == "get" and args and isinstance(args[0], Const):
            return of.members.get(str(args[0].value), args[1] if len(args) > 1 else Unknown())
        return of
    run.offer([*args, *kwargs.values()])
    from jobs.source.evaluate import loading

    return loading.batches(run, name, kwargs, node)


def _super_method(
    run: "Expressions",
    of: Super,
    name: str,
    args: list[Item],
    kwargs: dict[str, Item],
    node: ast.Call,
) -> Item:
    from jobs.source.evaluate import library

    for base in of.of.bases:
        found = base.find(name)
        if isinstance(found, Function):
            return run.call(run.bind(found, of.owner), args, kwargs, node)
    if name == "__init__" and isinstance(of.owner, Model):
        return library.initialise(run, of.owner, args, kwargs, node)
    return Unknown()


def _list_method(run: "Expressions", of: Seq, name: str, args: list[Item]) -> Item:
    if name == "append" and args:
        of.items.append(args[0])
    elif name == "extend" and args:
        of.items.extend(run.elements(args[0]) or [Unknown()])
    elif name == "insert" and len(args) == 2:
        of.items.insert(whole(args[0]) or 0, args[1])
    elif name == "pop" and of.items:
        index = whole(args[0]) if args else -1
        if index is not None and -len(of.items) <= index < len(of.items):
            return of.items.pop(index)
    elif name in ("copy", "as_list"):
        return Seq(items=list(of.items))
    return Const(value=None) if name in ("append", "extend", "insert") else Unknown()


def _dict_method(of: Table, name: str, args: list[Item]) -> Item:
    if name in ("get", "setdefault", "pop") and args and isinstance(args[0], Const):
        default = args[1] if len(args) > 1 else Const(value=None)
        return of.items.get(args[0].value, default)
    if name == "items":
        rows = [Seq(items=[Const(value=key), each]) for key, each in of.items.items()]
        return Seq(items=list(rows))
    if name == "keys":
        return Seq(items=[Const(value=key) for key in of.items])
    if name == "values":
        return Seq(items=list(of.items.values()))
    if name == "update" and args and isinstance(args[0], Table):
        of.items.update(args[0].items)
    if name == "copy":
        return Table(items=dict(of.items))
    return Unknown()


def _text_method(
    run: "Expressions",
    of: Const,
    name: str,
    args: list[Item],
    kwargs: dict[str, Item],
    node: ast.Call,
) -> Item:
    site = run.source.site(node)
    deps = of.deps | frozenset(of.trail)
    plain_args = [each.value for each in args if isinstance(each, Const)]
    if name in _TEXT_METHODS and len(plain_args) == len(args):
        try:
            return Const(value=getattr(of.value, name)(*plain_args), trail=(site,), deps=deps)
        except (TypeError, ValueError):
            return Unknown()
    if name == "format":
        named = {key: each.value for key, each in kwargs.items() if isinstance(each, Const)}
        if len(plain_args) == len(args) and len(named) == len(kwargs) and len(of.value) < 200:
            simple = all(isinstance(each, str | int) for each in (*plain_args, *named.values()))
            try:
                if simple and ":" not in of.value and "!" not in of.value:
                    text = of.value.format(*plain_args, **named)
                    return Const(value=text, trail=(site,), deps=deps)
            except (ValueError, IndexError, KeyError, AttributeError):
                return Unknown()
    if name == "joinpath":
        return _join([of, *args], site)
    if name in _PATH_METHODS:
        return of
    if name in ("glob", "rglob", "iterdir"):
        run.trace.folder(of)
    if name == "split":
        return Seq(items=[Const(value=part, deps=deps) for part in _split(of.value, plain_args)])
    return Unknown()


def _split(text: str, args: list[Any]) -> list[str]:
    try:
        return text.split(*args)[:64]
    except (TypeError, ValueError):
        return []


def text_attribute(of: Const, name: str) -> Item | None:
    """``path.parent`` and the like, where a text stands for a path."""
    if name in ("parent", "name", "stem", "suffix"):
        value = str(getattr(PurePosixPath(of.value), name))
        return Const(value=value, deps=of.deps | frozenset(of.trail))
    return None


def _parser_method(of: Instance, name: str, args: list[Item], kwargs: dict[str, Item]) -> Item:
    options = of.members["__options__"]
    assert isinstance(options, Table)
    if name == "add_argument":
        names = [each.value for each in args if isinstance(each, Const)]
        stated = kwargs.get("dest")
        flags = [each for each in names if isinstance(each, str)]
        long = next((each for each in flags if each.startswith("--")), flags[0] if flags else "")
        key = stated.value if isinstance(stated, Const) else long.lstrip("-").replace("-", "_")
        action = kwargs.get("action")
        default = kwargs.get("default")
        if default is None and isinstance(action, Const):
            default = {"store_true": Const(value=False), "store_false": Const(value=True)}.get(
                str(action.value)
            )
        needed = kwargs.get("required")
        if (
            default is None
            and long.startswith("-")
            and not (isinstance(needed, Const) and needed.value)
        ):
            default = Option(value=None)
        options.items[key] = default or Unknown()
        return Unknown()
    if name == "set_defaults":
        options.items.update(kwargs)
        return Unknown()
    if name in ("parse_args", "parse_known_args"):
        space = Instance(of=None, members=dict(options.items))
        return space if name == "parse_args" else Seq(items=[space, Seq(items=[])])
    if name in ("add_argument_group", "add_mutually_exclusive_group"):
        return of
    return Unknown()
