"""Python 2 as Python 3, with every character where it was but for what stands behind it."""

import io
import itertools
import re
import tokenize
from collections.abc import Iterator

LOOKS_LIKE = re.compile(
    r"^\s*print\s+[^\s(=.,]|\bprint\s*['\"]|:\s*print\s+\S|except\s+[\w.]+\s*,\s*\w+\s*:"
    r"|^\s*raise\s+\w+\s*,|<>|\bur['\"]|^\s*print\s*>>|\b0\d+\b|^\s*print\s*\([^()]*\)\s*[%,]",
    re.MULTILINE,
)
_Token = tokenize.TokenInfo


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
