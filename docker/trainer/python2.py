"""Scripts in Python 2, run as Python 3: their print statements, their division, their names."""

import ast
import builtins
import functools
import importlib
import importlib.machinery
import importlib.util
import io
import itertools
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

_Token = tokenize.TokenInfo
_DIVIDE = "__divide_as_python_2__"
# Modules that Python 3.0 renamed, and names that it dropped.
_MODULES = {
    "cPickle": "pickle",
    "StringIO": "io",
    "cStringIO": "io",
    "Queue": "queue",
    "urllib2": "urllib.request",
    "urlparse": "urllib.parse",
    "ConfigParser": "configparser",
}
_NAMES: dict[str, Any] = {
    "xrange": range,
    "unicode": str,
    "basestring": str,
    "long": int,
    "unichr": chr,
    "reduce": functools.reduce,
    "file": open,
}


def tree(text: str, name: str) -> ast.Module:
    """What is to be run of a text that is no Python 3. Raises SyntaxError as the text does."""
    try:
        return ast.parse(text, name)
    except SyntaxError as error:
        try:
            older = ast.parse(as_python_3(text), name)
        except (SyntaxError, ValueError):
            raise error from None
    _provide()
    divided: ast.Module = ast.fix_missing_locations(_Division().visit(older))
    return divided


def install(root: Path) -> None:
    """Let the modules below ``root`` that a script imports be in Python 2 as well."""
    original = importlib.machinery.SourceFileLoader.source_to_code

    def source_to_code(self: Any, data: Any, path: Any, **named: Any) -> CodeType:
        try:
            return original(self, data, path, **named)
        except SyntaxError:
            if not isinstance(data, bytes) or not Path(path).is_relative_to(root):
                raise
            return compile(tree(importlib.util.decode_source(data), str(path)), path, "exec")

    importlib.machinery.SourceFileLoader.source_to_code = source_to_code  # type: ignore


class _Division(ast.NodeTransformer):
    """``7 / 2`` is 3 where both sides are whole numbers."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        call = ast.Call(ast.Name(_DIVIDE, ast.Load()), [node.left, node.right], [])
        return ast.copy_location(call, node)


def _divide(one: Any, other: Any) -> Any:
    if isinstance(one, int) and isinstance(other, int):
        return one // other
    return one / other


def _provide() -> None:
    for name, value in _NAMES.items():
        if not hasattr(builtins, name):
            setattr(builtins, name, value)
    setattr(builtins, _DIVIDE, _divide)
    builtins.raw_input = builtins.input  # type: ignore[attr-defined]
    for old, new in _MODULES.items():
        sys.modules.setdefault(old, importlib.import_module(new))


def as_python_3(text: str) -> str:
    """The text with its print statements, exception clauses and old numbers in today's form.

    ``print x`` becomes ``print(x)``: what is left of an expression stays in its column, so that the
    syntax tree's places are those of the text, up to the closing bracket. Text that has none of
    them, or cannot be taken apart, is given back as it is.
    """
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return text
    starts = [0]
    for line in io.StringIO(text):
        starts.append(starts[-1] + len(line))
    # From the end on, so that the places before stay what they are.
    changes = sorted(set(_changes(tokens)), reverse=True)
    for start, end, new in changes:
        first = starts[start[0] - 1] + start[1]
        text = text[:first] + new + text[starts[end[0] - 1] + end[1] :]
    return text


_Place = tuple[int, int]
_Change = tuple[_Place, _Place, str]
_CLOSING = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def _changes(tokens: list[_Token]) -> Iterator[_Change]:
    for statement in _statements(tokens):
        word = statement[0].string
        if word == "print":
            yield from _printed(statement)
        elif word == "raise" and len(statement) > 3 and (comma := _comma(statement)):
            yield comma.start, comma.end, "("
            yield statement[-1].end, statement[-1].end, ")"
        elif word == "except" and (comma := _comma(statement)):
            yield comma.start, comma.end, " as"
        for number, following in itertools.pairwise(statement):
            if number.type != tokenize.NUMBER or number.end != following.start:
                continue
            if following.string in ("L", "l"):
                yield following.start, following.end, " "
            elif number.string.strip("0") == "" and following.type == tokenize.NUMBER:
                yield number.start, following.end, f"0o{following.string}"


def _printed(statement: list[_Token]) -> Iterator[_Change]:
    word, *rest = statement
    if not rest or rest[0].string in ("=", ".", ","):
        return
    if rest[0].string == "(" and _closed_at_the_end(rest):
        return
    if rest[0].string == ">>":
        yield rest[0].start, rest[0].end, "  "
    gap = rest[0].start if rest[0].start[0] == word.end[0] else word.end
    end = word.end if gap == word.end else (word.end[0], word.end[1] + 1)
    yield word.end, end, "("
    yield rest[-1].end, rest[-1].end, ")"


def _closed_at_the_end(tokens: list[_Token]) -> bool:
    depth = 0
    for index, token in enumerate(tokens):
        depth += _CLOSING.get(token.string, 0) if token.type == tokenize.OP else 0
        if not depth:
            return index == len(tokens) - 1
    return False


def _comma(statement: list[_Token]) -> _Token | None:
    depth = 0
    for token in statement:
        depth += _CLOSING.get(token.string, 0) if token.type == tokenize.OP else 0
        if token.string == "," and not depth:
            return token
    return None


_COMPOUND = {
    *("if", "elif", "else", "for", "while", "try", "except", "finally", "with", "def", "class"),
}
_SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}


def _statements(tokens: list[_Token]) -> Iterator[list[_Token]]:
    """The simple statements, those behind a colon too, and the heads of the others."""
    found: list[_Token] = []
    depth = 0
    for token in tokens:
        if token.type in _SKIPPED:
            continue
        depth += _CLOSING.get(token.string, 0) if token.type == tokenize.OP else 0
        ends = token.type in (tokenize.NEWLINE, tokenize.ENDMARKER)
        splits = token.string == ";" or (
            token.string == ":" and bool(found) and found[0].string in _COMPOUND
        )
        if ends or (not depth and splits and token.type == tokenize.OP):
            if found:
                yield found
            found = []
        else:
            found.append(token)
    if found:
        yield found
