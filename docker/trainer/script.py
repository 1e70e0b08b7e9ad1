"""Running a model script as ``python script.py`` would, a notebook cell by cell."""

import ast
import json
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType


class NotebookError(Exception):
    """A notebook whose JSON is not one."""


def run(script: Path, arguments: list[str], note: Callable[[str], None]) -> None:
    """Run a script or notebook as ``__main__``. What it raises is raised on.

    ``note`` is told, in a sentence, what of a notebook was left out.
    """
    module = ModuleType("__main__")
    module.__file__ = str(script)
    module.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = module
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent))
    for code in _codes(script, note):
        exec(code, module.__dict__)


def _codes(script: Path, note: Callable[[str], None]) -> list[CodeType]:
    content = script.read_bytes()
    if script.suffix != ".ipynb":
        return [compile(content, str(script), "exec", dont_inherit=True)]
    codes = []
    for number, text in enumerate(_cells(content), start=1):
        name = f"{script}[{number}]"
        text = _without_magics(text, number, note)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        tree = ast.parse(text, name)
        codes.append(compile(tree, name, "exec", dont_inherit=True))
    return codes


def _cells(content: bytes) -> list[str]:
    try:
        notebook = json.loads(content)
        # Until nbformat 3 the cells were in worksheets, and their text was called input.
        cells = notebook.get("cells")
        if cells is None:
            cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        sources = [
            cell.get("source", cell.get("input", ""))
            for cell in cells
            if cell.get("cell_type") == "code"
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotebookError(f"The notebook cannot be read: {error!r}") from error
    return [each if isinstance(each, str) else "".join(each) for each in sources]


def _without_magics(text: str, cell: int, note: Callable[[str], None]) -> str:
    """The cell's Python, with the lines kept in number: magics and shell lines become ``pass``."""
    first = text.lstrip().split("\n", 1)[0]
    if first.startswith("%%") and first.split()[0] not in ("%%time", "%%timeit", "%%capture"):
        note(f"Cell {cell} was left out: {first}")
        return ""
    lines = text.split("\n")
    if _parses(text):
        return text
    for index, line in enumerate(lines):
        stripped = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        assigned = stripped.partition("=")[2].lstrip()
        if stripped.startswith(("%", "!")) or (stripped.endswith("?") and not _parses(stripped)):
            note(f"Cell {cell}: left out {stripped}")
            lines[index] = f"{indent}pass"
        elif assigned.startswith(("!", "%")):
            note(f"Cell {cell}: left out {stripped}")
            lines[index] = f"{indent}{stripped.partition('=')[0]}= []"
        else:
            continue
        if _parses("\n".join(lines)):
            break
    return "\n".join(lines)


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
