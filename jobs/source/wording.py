"""The strings that a repository's scripts spell out, such as the names of folders."""

import ast
import re
from collections.abc import Container, Iterator

from jobs.source.files import Checkout, Source, UnreadableError

# The trainer asks the same, of the same files.
_MOVES = re.compile(
    r"\bshutil\.(move|copy|copyfile|copy2|rmtree)\b|\bos\.(rename|remove|unlink|replace)\b"
    r"|\b(copyfile|rmtree)\("
)


def strings(checkout: Checkout) -> frozenset[str]:
    """Every string literal in the Python files and notebooks, f-strings' parts too.

    Files that cannot be read as Python are left out.
    """
    return frozenset(text for tree in _trees(checkout) for text in _constants(tree))


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


def _constants(tree: ast.Module, leave_out: Container[int] = ()) -> Iterator[str]:
    """``leave_out`` holds identities of nodes."""
    for node in ast.walk(tree):
        if id(node) in leave_out:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
