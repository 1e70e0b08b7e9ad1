"""The strings that a repository's scripts spell out, such as the names of folders."""

import ast
import itertools
import re
from collections.abc import Container, Iterator

from jobs.source.files import Checkout, Source, UnreadableError

# The trainer asks the same, of the same files.
_MOVES = re.compile(
    r"\bshutil\.(move|copy|copyfile|copy2|rmtree)\b|\bos\.(rename|remove|unlink|replace)\b"
    r"|\b(copyfile|rmtree)\("
)
_ENDING = re.compile(r"(\w+)(?:[/\\]|$)")


def strings(checkout: Checkout) -> frozenset[str]:
    """Every string literal in the Python files and notebooks, f-strings' parts too.

    And what a loop makes of the literals that it goes through: of ``for kind in ["cat", "dog"]``
    with ``kind + "s/"`` in it, the words "cats" and "dogs". Files that cannot be read as Python are
    left out.
    """
    return frozenset(
        text for tree in _trees(checkout) for text in (*_constants(tree), *_longer(tree))
    )


def beginnings(checkout: Checkout) -> frozenset[str]:
    """As ``strings``, without the parts of f-strings that something is put before.

    Of ``f"{base}/cats"`` they are no path of their own.
    """
    found: set[str] = set()
    for tree in _trees(checkout):
        joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
        later = {id(part) for each in joined for part in each.values[1:]}
        found.update(_constants(tree, leave_out=later))
    return frozenset(found)


def moves_files(checkout: Checkout) -> bool:
    """Whether a script moves, copies or removes files, as far as its text says."""
    return any(_MOVES.search(source.text) for source, _ in _read(checkout))


def _trees(checkout: Checkout) -> Iterator[ast.Module]:
    return (tree for _, tree in _read(checkout))


def _read(checkout: Checkout) -> Iterator[tuple[Source, ast.Module]]:
    for path in checkout.scripts():
        try:
            source = checkout.source(path)
            yield source, source.tree
        except UnreadableError:
            continue


def _longer(tree: ast.Module) -> Iterator[str]:
    """The words of loops with the endings that are put behind them."""
    lists: dict[str, list[str]] = {}
    endings: dict[str, set[str]] = {}
    loops: list[tuple[ast.expr, ast.expr]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            lists[node.targets[0].id] = _words(node.value)
        elif isinstance(node, ast.For | ast.comprehension):
            loops.append((node.target, node.iter))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            _note_ending(endings, node.left, node.right)
        elif isinstance(node, ast.JoinedStr):
            for value, after in itertools.pairwise(node.values):
                if isinstance(value, ast.FormattedValue):
                    _note_ending(endings, value.value, after)
    for target, values in loops:
        if isinstance(target, ast.Name) and target.id in endings:
            named = lists.get(values.id, []) if isinstance(values, ast.Name) else _words(values)
            yield from (word + ending for word in named for ending in endings[target.id])


def _words(node: ast.expr) -> list[str]:
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    return [each.value for each in items if isinstance(each, ast.Constant)
            and isinstance(each.value, str)]  # fmt: skip


def _note_ending(endings: dict[str, set[str]], value: ast.expr, after: ast.expr) -> None:
    if isinstance(value, ast.Name) and isinstance(after, ast.Constant):
        found = _ENDING.match(after.value) if isinstance(after.value, str) else None
        if found:
            endings.setdefault(value.id, set()).add(found[1])


def _constants(tree: ast.Module, leave_out: Container[int] = ()) -> Iterator[str]:
    """``leave_out`` holds identities of nodes."""
    for node in ast.walk(tree):
        if id(node) in leave_out:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
