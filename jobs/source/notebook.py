"""Notebooks: the code cells' sources within the raw JSON, so that a write touches them alone."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jobs.source import python2

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_LINE = re.compile(r"(?<=\n)")
# IPython takes some commands without a sign before them.
_COMMANDS = r"(?:pip3?|conda|cd|ls|mkdir|rm|cp|mv|cat|wget|unzip) +[\w./~\"'-]"
_SHELL = re.compile(rf"^(\s*)([%!?].*|[\w.]+\?{{1,2}}\s*|{_COMMANDS}.*)$")
_ASSIGNED = re.compile(r"^(\s*[\w.,\s]+=\s*)([%!].*)$")
_TIMED = re.compile(r"^(\s*)%time (\s*\S.*)$")
TIMING = ("time", "timeit", "capture", "prun")
"""Magics that run their cell as it is, whatever else they do."""
_TIMING = tuple(f"%%{each}" for each in TIMING)


class BrokenNotebookError(ValueError):
    """The file is not the JSON of a notebook; the message says where it stops."""


@dataclass(frozen=True)
class Token:
    """A JSON string within the raw text: its span and its value."""

    start: int
    end: int
    value: str


@dataclass(frozen=True)
class CodeCell:
    """``index`` counts all cells from 0; ``listed`` says that the source is a list of lines."""

    index: int
    start: int
    end: int
    tokens: tuple[Token, ...]
    listed: bool

    @property
    def text(self) -> str:
        return "".join(token.value for token in self.tokens)


def _skip(raw: str, position: int) -> int:
    found = _SPACE.match(raw, position)
    return found.end() if found else position


def _members(raw: str, position: int) -> list[tuple[str, int, int]]:
    """(key, start, end) of each value of the object at ``position``."""
    found = []
    position = _skip(raw, position + 1)
    while raw[position] != "}":
        key, position = _DECODER.raw_decode(raw, position)
        start = _skip(raw, _skip(raw, position) + 1)
        _, position = _DECODER.raw_decode(raw, start)
        found.append((key, start, position))
        position = _skip(raw, position)
        if raw[position] == ",":
            position = _skip(raw, position + 1)
    return found


def _elements(raw: str, position: int) -> list[tuple[int, int, object]]:
    found = []
    position = _skip(raw, position + 1)
    while raw[position] != "]":
        value, end = _DECODER.raw_decode(raw, position)
        found.append((position, end, value))
        position = _skip(raw, end)
        if raw[position] == ",":
            position = _skip(raw, position + 1)
    return found


def code_cells(raw: str) -> list[CodeCell]:
    """The code cells in order (nbformat 4; in nbformat 3 those of the first worksheet).

    Raises BrokenNotebookError.
    """
    try:
        top = {key: (start, end) for key, start, end in _members(raw, _skip(raw, 0))}
        if "cells" not in top and "worksheets" in top:
            sheet = _elements(raw, top["worksheets"][0])[0][0]
            top = {key: (start, end) for key, start, end in _members(raw, sheet)}
        cells = []
        for index, (start, _, content) in enumerate(_elements(raw, top["cells"][0])):
            if not isinstance(content, dict) or content.get("cell_type") != "code":
                continue
            for key, first, last in _members(raw, start):
                if key in ("source", "input"):
                    cells.append(_cell(raw, index, first, last))
    except (ValueError, IndexError, KeyError, RecursionError) as error:
        raise BrokenNotebookError(f"it is not the JSON of a notebook ({error})") from error
    return cells


def _cell(raw: str, index: int, start: int, end: int) -> CodeCell:
    if raw[start] == "[":
        elements = _elements(raw, start)
        tokens = tuple(Token(a, b, value) for a, b, value in elements if isinstance(value, str))
        return CodeCell(index, start, end, tokens, listed=True)
    value, _ = _DECODER.raw_decode(raw, start)
    if not isinstance(value, str):
        raise ValueError(f"cell {index} has no source")
    return CodeCell(index, start, end, (Token(start, end, value),), listed=False)


def replaced(raw: str, cells: list[CodeCell], texts: Mapping[int, str]) -> str:
    """The notebook with new sources of some cells; lines that stay keep their very characters."""
    for cell in sorted(cells, key=lambda each: -each.start):
        if cell.index in texts and texts[cell.index] != cell.text:
            raw = raw[: cell.start] + _source(raw, cell, texts[cell.index]) + raw[cell.end :]
    return raw


def _source(raw: str, cell: CodeCell, text: str) -> str:
    plain = raw.isascii()
    if not cell.listed:
        return json.dumps(text, ensure_ascii=plain)
    lines = [line for line in _LINE.split(text) if line]
    kept: dict[str, str] = {token.value: raw[token.start : token.end] for token in cell.tokens}
    rendered = [kept.get(line) or json.dumps(line, ensure_ascii=plain) for line in lines]
    if not cell.tokens:
        return "[" + ", ".join(rendered) + "]"
    first, last = cell.tokens[0], cell.tokens[-1]
    opening, closing = raw[cell.start : first.start], raw[last.end : cell.end]
    if len(cell.tokens) > 1:
        between = raw[first.end : cell.tokens[1].start]
    else:
        between = "," + (opening[1:] or " ")
    return opening + between.join(rendered) + closing


def as_python(text: str) -> str:
    """A cell's text with magics and shell lines blanked out, character for character.

    A cell that is no Python even then is blanked out as a whole.
    """
    if _parses(text):
        return text
    lines = text.split("\n")
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith("%%") and not first.startswith(_TIMING):
        return _blank(text)
    masked = without_commands(text)
    if _parses(masked):
        return masked
    older = python2.as_python_3(masked)
    return older if _parses(older) else _blank(text)


def without_commands(text: str) -> str:
    """The text with its magics and shell lines blanked out, character for character."""
    return "\n".join(_masked_lines(text.split("\n")))


def _masked_lines(lines: list[str]) -> Iterator[str]:
    """A shell command goes on in the next line where a backslash ends it."""
    goes_on = False
    for line in lines:
        found = _SHELL.match(line) or _ASSIGNED.match(line)
        timed = _TIMED.match(line)
        if goes_on:
            yield _blank(line)
        elif timed:
            # What is timed runs as if it stood alone.
            yield f"{timed[1]}0    ;{timed[2]}"
            continue
        elif found:
            yield found[1] + "0" + "#" * (len(found[2]) - 1)
        else:
            yield line
        goes_on = (goes_on or found is not None) and line.rstrip().endswith("\\")


def _blank(text: str) -> str:
    return re.sub(r"[^\r\n]", "#", text)


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
