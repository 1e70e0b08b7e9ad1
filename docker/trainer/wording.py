"""The strings that a commit's scripts spell out: how exactly they name their files and folders."""

import ast
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from trainer.script import texts

# As on the host: what others have written.
_SKIPPED = frozenset(
    (
        *("__pycache__", "node_modules", "site-packages", "dist-packages"),
        *("venv", "env", "build", "dist"),
    )
)
_MOVES = re.compile(
    rb"\bshutil\.(move|copy|copyfile|copy2|rmtree)\b|\bos\.(rename|remove|unlink|replace)\b"
    rb"|\b(copyfile|rmtree)\("
)
_MOST_FILES, _MOST_BYTES = 200, 8 * 1024**2


def read(root: Path) -> list[str | bytes]:
    """The texts of the Python files and notebooks below ``root``."""
    return [text for path in _scripts(root) for text in texts(path)]


def strings(found: Iterable[str | bytes]) -> frozenset[str]:
    """Every string literal in texts, as far as they are Python."""
    literals: set[str] = set()
    for text in found:
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        literals |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    return frozenset(literals)


def moves_files(found: Iterable[str | bytes]) -> bool:
    """Whether one of the texts moves, copies or removes files, as far as it says."""
    return any(
        _MOVES.search(text if isinstance(text, bytes) else text.encode(errors="replace"))
        for text in found
    )


def _scripts(root: Path) -> Iterator[Path]:
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [each for each in folders if each not in _SKIPPED and each[0] != "."]
        found += [Path(folder, each) for each in names if each.endswith((".py", ".ipynb"))]
    # Those further up are the likelier to be run.
    found.sort(key=lambda each: (len(each.parts), each))
    for path in found[:_MOST_FILES]:
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _MOST_BYTES:
            yield path
