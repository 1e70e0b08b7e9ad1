"""The files of a checkout as text: decoded exactly, never followed out of the root."""

import ast
import bisect
import codecs
import contextlib
import io
import re
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from jobs.source import exported, notebook, python2
from jobs.source.script import Place

MOST_BYTES = 2 * 1024**2
"""A Python file beyond this size was not written by hand."""
MOST_NOTEBOOK_BYTES = 32 * 1024**2
SUFFIXES = (".py", ".ipynb")
_SKIPPED = {
    "__pycache__",
    "node_modules",
    "site-packages",
    "dist-packages",
    "venv",
    "env",
    "build",
    "dist",
}
_NEWLINE = re.compile(r"\r\n|\r|\n")


class UnreadableError(Exception):
    """A file that cannot be read as a script: ``reason`` is a clause, ``line`` where known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, order=True)
class Site:
    """A span of characters in the program text of one file."""

    path: str
    start: int
    end: int


@dataclass(frozen=True)
class Edit:
    """Replace the characters of a span (an insertion where it is empty)."""

    site: Site
    text: str


@dataclass(frozen=True)
class _Cell:
    index: int
    start: int
    end: int


class Source:
    """One file. ``text`` is what edits refer to: the file, or a notebook's code cells in order."""

    def __init__(self, path: str, raw: bytes) -> None:
        """Raises UnreadableError."""
        self.path = path
        self.raw = raw
        self._cells: list[_Cell] = []
        self._parts: list[exported.Part] = []
        if path.endswith(".ipynb"):
            self._read_notebook()
        else:
            self._read_python()

    def _read_python(self) -> None:
        if len(self.raw) > MOST_BYTES:
            raise UnreadableError(f"is larger than {MOST_BYTES // 1024**2} MiB")
        try:
            self._encoding, _ = tokenize.detect_encoding(io.BytesIO(self.raw).readline)
            self.text = self.raw.decode(self._encoding)
            if self.text.encode(self._encoding) != self.raw:
                raise UnreadableError(f"is not plain {self._encoding}")
        except (SyntaxError, LookupError, UnicodeError) as error:
            raise UnreadableError("is not text in the encoding that it declares") from error
        if "\0" in self.text:
            raise UnreadableError("contains null bytes")
        # The syntax tree counts columns without the byte order mark; so do we, by keeping it apart.
        self.mark = "\ufeff" if self.text.startswith("\ufeff") else ""
        if self._encoding == "utf-8-sig":
            self.mark = ""
        self.text, self._parts = exported.unfolded(self.text.removeprefix(self.mark))
        self.code = self.text
        if self._parts:
            texts = ((self.text[each.start : each.end], each.quote) for each in self._parts)
            self.code = "".join(notebook.as_python(t) if quote else t for t, quote in texts)

    def _read_notebook(self) -> None:
        if len(self.raw) > MOST_NOTEBOOK_BYTES:
            raise UnreadableError(f"is larger than {MOST_NOTEBOOK_BYTES // 1024**2} MiB")
        self._encoding, self.mark = "utf-8", ""
        if self.raw.startswith(codecs.BOM_UTF8):
            self._encoding = "utf-8-sig"
        try:
            self._json = self.raw.decode(self._encoding)
            self._code_cells = notebook.code_cells(self._json)
        except UnicodeError as error:
            raise UnreadableError("is not UTF-8") from error
        except notebook.BrokenNotebookError as error:
            raise UnreadableError(f"cannot be read as a notebook: {error}") from error
        texts, codes, position = [], [], 0
        for cell in self._code_cells:
            text = cell.text.replace("\0", " ")
            self._cells.append(_Cell(cell.index, position, position + len(text)))
            texts.append(text)
            codes.append(notebook.as_python(text))
            position += len(text) + 1
        self.text = "\n".join(texts)
        self.code = "\n".join(codes)

    @property
    def is_notebook(self) -> bool:
        return self.path.endswith(".ipynb")

    @cached_property
    def tree(self) -> ast.Module:
        """Raises UnreadableError with the line of a syntax error."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.code)
        except SyntaxError as error:
            if not self.is_notebook and (older := self._read_otherwise()) is not None:
                return older
            line = error.lineno
            place = None if line is None else self.place(self._line_begin(line))
            if place is not None and self.is_notebook:
                raise UnreadableError(
                    f"has a syntax error in cell {place.cell}", place.line
                ) from error
            line = None if place is None else place.line
            raise UnreadableError(_syntax_reason(self.code, error), line) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise UnreadableError("is too deeply nested to be read") from error

    def _read_otherwise(self) -> ast.Module | None:
        """As the Python 2, or the notebook saved as a script, that the file may be."""
        plain = notebook.without_commands(self.text)
        older = (python2.as_python_3(each) for each in (self.text, plain))
        for code in (plain, *older):
            with warnings.catch_warnings(), contextlib.suppress(SyntaxError, ValueError):
                warnings.simplefilter("ignore")
                found = ast.parse(code)
                self.code = code
                return found
        return None

    @cached_property
    def imports(self) -> list[ast.Import | ast.ImportFrom]:
        """The imports, wherever they stand. Raises UnreadableError."""
        found = ast.walk(self.tree)
        return [node for node in found if isinstance(node, ast.Import | ast.ImportFrom)]

    @cached_property
    def long_texts(self) -> list[tuple[int, int]]:
        """The spans of texts that go over several lines."""
        spans = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno != node.lineno:
                site = self.site(node)
                spans.append((site.start, site.end))
        return spans

    @cached_property
    def newline(self) -> str:
        found = _NEWLINE.search(self.text)
        return found[0] if found else "\n"

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in _NEWLINE.finditer(self.text))]

    @cached_property
    def _ascii(self) -> bool:
        return self.text.isascii()

    def offset(self, line: int, column: int) -> int:
        """Of a position of the syntax tree: line from 1, column in UTF-8 bytes."""
        start = self._starts[line - 1]
        if self._ascii:
            return start + column
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        return start + len(self.text[start:end].encode()[:column].decode(errors="ignore"))

    def _line_begin(self, line: int) -> int:
        return self._starts[min(line, len(self._starts)) - 1]

    def site(self, node: ast.expr | ast.stmt | ast.keyword) -> Site:
        return Site(
            self.path,
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset),
        )

    def at(self, site: Site) -> str:
        return self.text[site.start : site.end]

    def line(self, offset: int) -> int:
        return bisect.bisect_right(self._starts, offset)

    def line_start(self, offset: int) -> int:
        return self._starts[self.line(offset) - 1]

    def line_end(self, offset: int) -> int:
        """Where the line's text ends, before its line break."""
        found = _NEWLINE.search(self.text, offset)
        return found.start() if found else len(self.text)

    def next_line(self, offset: int) -> int:
        """Where the next line starts; the end of the text after the last one."""
        found = _NEWLINE.search(self.text, offset)
        return found.end() if found else len(self.text)

    def place(self, offset: int) -> Place:
        line = self.line(offset)
        for cell in self._cells:
            if cell.start <= offset <= cell.end:
                return Place(self.path, line - self.line(cell.start) + 1, cell.index)
        part = self._part(offset, offset)
        if part is not None:
            line = part.line if part.quote else part.line + line - self.line(part.start)
        return Place(self.path, line)

    def boundary(self, offset: int) -> int:
        """Where the cell that holds ``offset`` ends; the end of the text outside notebooks."""
        part = self._part(offset, offset)
        if part is not None and part.quote:
            return part.end
        return next((c.end for c in self._cells if c.start <= offset <= c.end), len(self.text))

    def _part(self, start: int, end: int) -> exported.Part | None:
        """The part that holds a span; between two, the one that is a cell."""
        holding = [each for each in self._parts if each.start <= start and end <= each.end]
        return max(holding, key=lambda each: bool(each.quote), default=None)

    def edited(self, edits: Iterable[Edit]) -> bytes:
        """The file's bytes after the edits, which must not overlap."""
        ordered = sorted(edits, key=lambda each: (each.site.start, each.site.end))
        if self._parts:
            return (self.mark + self._written(ordered)).encode(self._encoding)
        if not self._cells:
            return (self.mark + _applied(self.text, 0, ordered)).encode(self._encoding)
        texts: dict[int, str] = {}
        for cell in self._cells:
            inside = [e for e in ordered if cell.start <= e.site.start and e.site.end <= cell.end]
            if inside:
                texts[cell.index] = _applied(self.text[cell.start : cell.end], cell.start, inside)
        return notebook.replaced(self._json, self._code_cells, texts).encode(self._encoding)

    def _written(self, edits: list[Edit]) -> str:
        written = []
        for part in self._parts:
            inside = [e for e in edits if self._part(e.site.start, e.site.end) is part]
            text = _applied(self.text[part.start : part.end], part.start, inside)
            written.append(part.written(text))
        return "".join(written)


def _applied(text: str, base: int, edits: list[Edit]) -> str:
    parts, position = [], 0
    for edit in edits:
        parts += [text[position : edit.site.start - base], edit.text]
        position = edit.site.end - base
    return "".join([*parts, text[position:]])


def _syntax_reason(text: str, error: SyntaxError) -> str:
    lines = text.splitlines()
    shown = lines[error.lineno - 1] if error.lineno and error.lineno <= len(lines) else ""
    if python2.LOOKS_LIKE.search(shown) or "print" in (error.msg or ""):
        return "is written for Python 2"
    return f"has a syntax error ({error.msg})"


class Checkout:
    """The files below a root, as they are or as edits have made them."""

    def __init__(self, root: Path, changed: Mapping[str, bytes] | None = None) -> None:
        self.root = root.resolve()
        self.changed = dict(changed or {})
        self._sources: dict[str, Source | UnreadableError] = {}
        self._real: dict[str, Path | None] = {}
        self.followed: dict[tuple[str, tuple[str, ...]], object] = {}
        """What following a script showed, so that it is followed once for each state."""
        self.imported: dict[tuple[str, str, int], str | None] = {}
        """Which file an import names; an edit neither makes files nor takes them away."""
        self.quiet: dict[str, object] = {}
        """Modules that were followed and have nothing to do with Keras: they stay as they are."""

    def with_changes(self, changed: Mapping[str, bytes]) -> "Checkout":
        """The same files with other contents of some; what is read already is kept."""
        other = Checkout.__new__(Checkout)
        other.root = self.root
        other.changed = {**self.changed, **changed}
        other._sources = {k: v for k, v in self._sources.items() if k not in changed}
        other._real = self._real
        other.followed = {}
        other.imported = self.imported
        other.quiet = {k: v for k, v in self.quiet.items() if k not in changed}
        return other

    def real(self, path: str) -> Path | None:
        """The file in the checkout, or None where it is none or a link leads out of the root."""
        if path not in self._real:
            self._real[path] = self._resolved(path)
        return self._real[path]

    def _resolved(self, path: str) -> Path | None:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            return None
        try:
            file = (self.root / pure).resolve()
            return file if file.is_relative_to(self.root) and file.is_file() else None
        except (OSError, RuntimeError, ValueError):
            return None

    def source(self, path: str) -> Source:
        """Raises UnreadableError."""
        if path not in self._sources:
            self._sources[path] = self._load(path)
        found = self._sources[path]
        if isinstance(found, UnreadableError):
            raise found
        return found

    def _load(self, path: str) -> Source | UnreadableError:
        try:
            return Source(path, self.read_bytes(path))
        except UnreadableError as error:
            return error

    def read_bytes(self, path: str) -> bytes:
        """Raises UnreadableError."""
        if path in self.changed:
            return self.changed[path]
        file = self.real(path)
        if file is None:
            raise UnreadableError("is not a file of the repository")
        try:
            if file.stat().st_size > MOST_NOTEBOOK_BYTES:
                raise UnreadableError(f"is larger than {MOST_NOTEBOOK_BYTES // 1024**2} MiB")
            return file.read_bytes()
        except OSError as error:
            raise UnreadableError(f"cannot be read ({error.strerror})") from error

    def scripts(self) -> Iterator[str]:
        """The Python files and notebooks below the root, in order; links are left out."""
        yield from sorted(self._walk(self.root))

    def _walk(self, folder: Path) -> Iterator[str]:
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            return
        for entry in entries:
            if entry.is_symlink() or entry.name.startswith("."):
                continue
            if entry.is_dir():
                if entry.name not in _SKIPPED:
                    yield from self._walk(entry)
            elif entry.suffix in SUFFIXES and entry.is_file():
                yield entry.relative_to(self.root).as_posix()
