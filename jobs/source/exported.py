"""Scripts that notebooks were saved as: IPython runs some of their cells out of a text.

``get_ipython().run_cell_magic('time', '', 'model.fit(x, y)\\nprint(1)')`` was a cell that began
with ``%%time``. It is read and written as the lines that the text holds.
"""

import ast
import re
from dataclasses import dataclass

from jobs.source.notebook import TIMING

_TEXT = r"""u?(?:'(?:[^'\\\r\n]|\\.)*'|"(?:[^"\\\r\n]|\\.)*")"""
_CALL = re.compile(
    rf"^get_ipython\(\)\.(?:run_cell_magic\(\s*u?(['\"])(?:{'|'.join(TIMING)})\1\s*,\s*{_TEXT}"
    rf"|run_line_magic\(\s*u?(['\"])time\2)\s*,\s*(?P<text>{_TEXT})\s*\)[ \t]*(?=\r?$)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Part:
    """A stretch of a script's text, and where the file has it.

    ``line`` is the file's line on which it begins. ``quote`` is set where the file has it within a
    text, between ``head`` and ``tail``.
    """

    start: int
    end: int
    line: int
    head: str = ""
    tail: str = ""
    quote: str = ""

    def written(self, text: str) -> str:
        """What the file has for the stretch, were it ``text``."""
        return f"{self.head}{_escaped(text, self.quote)}{self.tail}" if self.quote else text


def unfolded(raw: str) -> tuple[str, list[Part]]:
    """A script with the lines of such cells in their places; no parts where it has none."""
    texts: list[str] = []
    parts: list[Part] = []
    position = length = 0

    def add(text: str, start: int, head: str = "", tail: str = "", quote: str = "") -> None:
        nonlocal length
        line = raw.count("\n", 0, start) + 1
        parts.append(Part(length, length + len(text), line, head, tail, quote))
        texts.append(text)
        length += len(text)

    for found in _CALL.finditer(raw):
        literal = found["text"]
        quote = literal[-1]
        text = ast.literal_eval(literal)
        body = found.start("text") + literal.index(quote) + 1
        if _escaped(text, quote) != raw[body : found.end("text") - 1]:
            continue  # It would not come back character for character.
        add(raw[position : found.start()], position)
        add(
            text,
            found.start(),
            raw[found.start() : body],
            raw[found.end("text") - 1 : found.end()],
            quote,
        )
        position = found.end()
    if not parts:
        return raw, []
    add(raw[position:], position)
    return "".join(texts), parts


def _escaped(text: str, quote: str) -> str:
    for character, written in (
        ("\\", "\\\\"),
        (quote, f"\\{quote}"),
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("\t", "\\t"),
    ):
        text = text.replace(character, written)
    return text
