"""Retune's own comments in a script, and edits that keep them.

``# retune: added`` ends a line that a tweak added; ``# retune: <name> was <text>`` ends one in
which a tweak replaced what its inverse could not spell again; ``# retune: off <what> | `` starts
one that a tweak took out. The pusher's own ``# retune: fixed`` holds what the line says.
"""

import re

from jobs.source.files import Edit, Site, Source

ADDED = "  # retune: added"
_ADDED = re.compile(r"#\s*retune:\s*added\b")
_FIXED = re.compile(r"#.*\bretune:\s*fixed\b")
_NOTES = re.compile(
    r"  # retune: ([\w.]+ was [^;\r\n]+(?:; [\w.]+ was [^;\r\n]+)*)(?=\r?$)", re.MULTILINE
)
ABSENT = "absent"


class NoRoomError(Exception):
    """There is no room for a comment on the line; the message is a clause."""


def line_at(source: Source, offset: int) -> str:
    return source.text[source.line_start(offset) : source.line_end(offset)]


def is_fixed(source: Source, site: Site) -> bool:
    """Whether the pusher holds what stands on the site's first or last line."""
    lines = {line_at(source, site.start), line_at(source, site.end)}
    return any(_FIXED.search(line) for line in lines)


def is_added(source: Source, site: Site) -> bool:
    """Whether a tweak added the line on which the site ends."""
    return tells_added(line_at(source, site.end))


def tells_added(line: str) -> bool:
    return bool(_ADDED.search(line))


def notes_at(source: Source, offset: int) -> dict[str, str]:
    """Name -> replaced text, of the line that holds ``offset``."""
    found = _NOTES.search(line_at(source, offset))
    if not found:
        return {}
    pairs = (entry.split(" was ", 1) for entry in found[1].split("; "))
    return {entry[0]: entry[1] for entry in pairs}


def noted_texts(source: Source) -> set[str]:
    """All that tweaks replaced in a file, and will put back."""
    texts: set[str] = set()
    for found in _NOTES.finditer(source.text):
        texts |= {entry.split(" was ", 1)[1] for entry in found[1].split("; ")}
    return texts


def takes_comment(source: Source, offset: int) -> bool:
    """Whether a comment can stand at the end of the line that holds ``offset``."""
    end = source.line_end(offset)
    if end and source.text[end - 1] == "\\":
        return False
    return not any(start < end < stop for start, stop in source.long_texts)


def noted(source: Source, offset: int, name: str, original: str | None) -> list[Edit]:
    """The edit of a line's note alone. Raises NoRoomError."""
    draft = Draft(source)
    draft.note(offset, name, original)
    return draft.edits()


class Draft:
    """Edits of one file that go together, with the notes of the lines that they touch."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._edits: list[Edit] = []
        self._notes: dict[int, dict[str, str]] = {}

    def replace(self, site: Site, text: str) -> None:
        self._edits.append(Edit(site, text))

    def insert(self, offset: int, text: str) -> None:
        self._edits.append(Edit(Site(self.source.path, offset, offset), text))

    def note(self, offset: int, name: str, original: str | None) -> None:
        """Write down what was replaced on the line of ``offset``; None forgets it.

        Raises NoRoomError where the line cannot take a comment.
        """
        end = self.source.line_end(offset)
        known = self._notes.setdefault(end, notes_at(self.source, offset))
        if original is None:
            known.pop(name, None)
            return
        if "\n" in original or "\r" in original or ";" in original or " was " in original:
            raise NoRoomError("what it replaces is too long for a note")
        if not takes_comment(self.source, end):
            raise NoRoomError("its line cannot take a comment")
        known.setdefault(name, original)

    def edits(self) -> list[Edit]:
        return [*self._edits, *(self._rendered(end) for end in self._notes)]

    def _rendered(self, end: int) -> Edit:
        line_start = self.source.line_start(end)
        found = _NOTES.search(self.source.text[line_start:end])
        start = line_start + found.start() if found else end
        entries = "; ".join(f"{name} was {text}" for name, text in self._notes[end].items())
        text = f"  # retune: {entries}" if entries else ""
        return Edit(Site(self.source.path, start, end), text)

    def raw(self) -> dict[str, bytes]:
        """The file's new bytes."""
        return {self.source.path: self.source.edited(self.edits())}


def off(what: str) -> str:
    """The comment that takes a line out."""
    return f"# retune: off {what} | "


def taken_out(source: Source, what: str) -> list[int]:
    """Where the lines start that were taken out as ``what``."""
    pattern = re.compile(r"^" + re.escape(off(what)), re.MULTILINE)
    return [found.start() for found in pattern.finditer(source.text)]


def put_back(source: Source, what: str) -> bytes:
    """The file with those lines in force again."""
    length = len(off(what))
    edits = [Edit(Site(source.path, at, at + length), "") for at in taken_out(source, what)]
    return source.edited(edits)
