"""The strings that a commit's scripts spell out: how exactly they name their files and folders."""

import ast
import os
import re
from collections.abc import Iterator
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


def strings(root: Path) -> frozenset[str]:
    """Every string literal in the Python files and notebooks below ``root``."""
    found: set[str] = set()
    for path in _scripts(root):
        for text in texts(path):
            try:
                tree = ast.parse(text)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            found |= {
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    return frozenset(found)


def moves_files(root: Path) -> bool:
    """Whether a script below ``root`` moves, copies or removes files, as far as its text says."""
    return any(
        _MOVES.search(text if isinstance(text, bytes) else text.encode(errors="replace"))
        for path in _scripts(root)
        for text in texts(path)
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
