"""Running a model script as ``python script.py`` would, a notebook cell by cell."""

import ast
import contextlib
import importlib.util
import json
import linecache
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType

from trainer import python2

# Commands that IPython takes without a sign before them.
_COMMAND = re.compile(r"(pip3?|conda|cd|ls|mkdir|rm|cp|mv|cat|wget|unzip) +[\w./~\"'-]")
# Magics that run their cell as it is, whatever else they do.
TIMING = ("time", "timeit", "capture", "prun")
# The cells after a notebook's cell, by the name that the cell is compiled under.
_cells_after: dict[str, str] = {}


class NotebookError(Exception):
    """A notebook whose JSON is not one."""


def run(
    script: Path,
    arguments: list[str],
    note: Callable[[str], None],
    goes_on: Callable[[Exception], bool] = lambda _: False,
) -> None:
    """Run a script or notebook as ``__main__``. What it raises is raised on.

    ``note`` is told, in a sentence, what of a notebook was left out. ``goes_on`` says whether the
    cells after one that has failed are run all the same, as a person would.
    """
    module = ModuleType("__main__")
    module.__file__ = str(script)
    module.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = module
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent))
    for code in _codes(script, note):
        try:
            exec(code, module.__dict__)
        except Exception as error:
            if script.suffix != ".ipynb" or not goes_on(error):
                raise


def run_cell(text: str, note: Callable[[str], None]) -> None:
    """Run what a script that a notebook was saved as gives IPython to run.

    It counts as the line of the script that gives it.
    """
    main = sys.modules["__main__"]
    name = str(main.__file__)
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename != name:
        frame = frame.f_back
    tree = python2.tree(_without_magics(text, 0, note), name)
    for node in ast.walk(tree):
        if isinstance(node, (ast.stmt, ast.expr, ast.excepthandler, ast.arg, ast.keyword)):
            node.lineno = node.end_lineno = frame.f_lineno
            node.col_offset = node.end_col_offset = 0
    ast.fix_missing_locations(tree)
    exec(compile(tree, name, "exec", dont_inherit=True), main.__dict__)


def texts(script: Path) -> list[str | bytes]:
    """The program text of a script, or of each cell of a notebook; nothing where it is neither.

    A script's is in bytes, as which Python looks for the coding that it declares.
    """
    try:
        content = script.read_bytes()
        if script.suffix != ".ipynb":
            return [_readable(content)]
        return [_without_magics(each, 0, lambda _: None) for each in _cells(content)]
    except (OSError, NotebookError):
        return []


def _readable(content: bytes) -> str | bytes:
    """In Python 3's words, where it is not."""
    try:
        ast.parse(content)
        return content
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        with contextlib.suppress(SyntaxError, UnicodeError):
            return python2.as_python_3(_without_commands(importlib.util.decode_source(content)))
        return content


def text_below(filename: str, line: int) -> str:
    """What a script has below a line; of a notebook's cell, with the cells after it."""
    return "".join(linecache.getlines(filename)[line:]) + _cells_after.get(filename, "")


def expects_failing_import(filename: str, line: int) -> bool:
    """Whether the line is in a ``try`` that goes another way where an import fails."""
    tree = _tree(filename)
    return any(
        isinstance(node, ast.Try)
        and node.body[0].lineno <= line <= (node.body[-1].end_lineno or 0)
        and any(_catches_imports(each) for each in node.handlers)
        for node in ast.walk(tree)
    )


def is_asserted(filename: str, line: int) -> bool:
    """Whether the script asserts something of what the line finds, or assigns to a name."""
    tree = _tree(filename)
    here = [n for n in ast.walk(tree) if isinstance(n, (ast.Assign, ast.Assert))]
    here = [n for n in here if n.lineno <= line <= (n.end_lineno or 0)]
    names = {
        target.id
        for node in here
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return any(isinstance(node, ast.Assert) for node in here) or any(
        isinstance(each, ast.Name) and each.id in names
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        for each in ast.walk(node.test)
    )


def _tree(filename: str) -> ast.Module:
    """What a running file's text says; nothing where it cannot be read any more."""
    try:
        return ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return bool(names & {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def _codes(script: Path, note: Callable[[str], None]) -> list[CodeType]:
    content = script.read_bytes()
    if script.suffix != ".ipynb":
        return [_code(content, script, note)]
    codes = []
    cells = _cells(content)
    for number, text in enumerate(cells, start=1):
        name = f"{script}[{number}]"
        text = _without_magics(text, number, note)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        _cells_after[name] = "\n".join(["", *cells[number:]])
        tree = python2.tree(text, name)
        codes.append(compile(tree, name, "exec", dont_inherit=True))
    return codes


def _code(content: bytes, script: Path, note: Callable[[str], None]) -> CodeType:
    """Of a script that may be in Python 2, or a notebook that was saved as one."""
    try:
        return compile(content, str(script), "exec", dont_inherit=True)
    except SyntaxError as error:
        text = importlib.util.decode_source(content)
        for plain, what in ((text, "It is written for Python 2"), (_without_commands(text), "")):
            with contextlib.suppress(SyntaxError):
                code = compile(python2.tree(plain, str(script)), str(script), "exec")
                note(f"{what or 'It has commands of a notebook'}; it is run as Python 3.")
                return code
        raise error


def _without_commands(text: str) -> str:
    return _without_magics(text, 0, lambda _: None)


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
    if first.startswith("%%") and first.split()[0][2:] not in TIMING:
        note(f"Cell {cell} was left out: {first}")
        return ""
    lines = text.split("\n")
    if _parses(text):
        return text
    goes_on = False  # a shell line that ends in a backslash
    for index, line in enumerate(lines):
        stripped = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        assigned = stripped.partition("=")[2].lstrip()
        if goes_on:
            lines[index] = ""
        elif stripped.startswith("%time "):
            lines[index] = indent + stripped.removeprefix("%time ").lstrip()
        elif stripped.startswith(("%", "!")) or (
            (stripped.endswith("?") or _COMMAND.match(stripped)) and not _parses(stripped)
        ):
            note(f"Cell {cell}: left out {stripped}")
            lines[index] = f"{indent}pass"
        elif assigned.startswith(("!", "%")):
            note(f"Cell {cell}: left out {stripped}")
            lines[index] = f"{indent}{stripped.partition('=')[0]}= []"
        else:
            continue
        goes_on = stripped.endswith("\\")
        if not goes_on and _parses("\n".join(lines)):
            break
    return "\n".join(lines)


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
