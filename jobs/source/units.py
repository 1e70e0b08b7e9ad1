"""The lines that make a layer: where a layer can be put beside another one, or taken out."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from jobs.source.evaluate.values import Applied, Frame
from jobs.source.files import Edit, Site, Source
from jobs.source.notes import ADDED, is_added, notes_at, off, takes_comment

_AFTER_STATEMENT = re.compile(r"[ \t]*(#[^\r\n]*)?$")
AFTER_ELEMENT = re.compile(r"[ \t]*,[ \t]*(#[^\r\n]*)?$")
_AFTER_LAST_ELEMENT = re.compile(r"[ \t]*(#[^\r\n]*)?$")
_AMONG_OTHERS = re.compile(r"[ \t]*[,\]]")

Form = Literal["add", "assign", "element", "inline"]
Sources = Callable[[str], Source]


@dataclass(frozen=True)
class Unit:
    """A statement or list element on lines of its own that makes one or more layers.

    ``form``: ``model.add(…)``, ``x = …(x)``, an element of a list, or one that shares its line
    with others. ``target`` and ``given`` are the names of an assignment; ``owner`` is the text
    before the call of ``add``.
    """

    source: Source
    site: Site
    node: ast.stmt | ast.expr
    form: Form
    owner: str = ""
    target: str = ""
    given: str = ""
    comma: bool = True

    @property
    def indent(self) -> str:
        return self.source.text[self.source.line_start(self.site.start) : self.site.start]

    def line(self, layer: str, given: str | None = None) -> str:
        """A line that adds another layer in the same form."""
        if self.form == "add":
            return f"{self.indent}{self.owner}({layer}){ADDED}"
        if self.form == "assign":
            return f"{self.indent}{self.target} = {layer}({given or self.target}){ADDED}"
        if self.form == "inline":
            return layer
        return f"{self.indent}{layer},{ADDED}"

    def before(self, lines: list[str]) -> Edit:
        if self.form == "inline":
            end = self._previous_end
            if end is not None:
                return Edit(Site(self.source.path, end, end), _joined(lines))
            start = self.site.start
            return Edit(Site(self.source.path, start, start), ", ".join(lines) + ", ")
        start = self.source.line_start(self.site.start)
        text = "".join(line + self.source.newline for line in lines)
        return Edit(Site(self.source.path, start, start), text)

    def after(self, lines: list[str]) -> Edit:
        if self.form == "inline":
            return Edit(Site(self.source.path, self.site.end, self.site.end), _joined(lines))
        return after(self.source, self.site.end, lines)

    def holds(self, site: Site) -> bool:
        """Whether a span lies within the unit."""
        same = site.path == self.site.path
        return same and self.site.start <= site.start and site.end <= self.site.end

    @property
    def added(self) -> bool:
        return is_added(self.source, self.site)

    @property
    def noted(self) -> dict[str, str]:
        """What tweaks wrote down at the end of the unit's line."""
        return notes_at(self.source, self.site.end)

    def added_as(self, what: str) -> bool:
        """Whether a tweak of ``what`` added the unit; within a line, its note says so."""
        return what in self.noted if self.form == "inline" else self.added

    @property
    def _previous_end(self) -> int | None:
        """Where the element before this one ends, if it does on the same line."""
        text = self.source.text[self.source.line_start(self.site.start) : self.site.start].rstrip()
        if not text.endswith(","):
            return None
        return self.source.line_start(self.site.start) + len(text[:-1].rstrip())

    def can_go(self, what: str) -> bool:
        """Whether what follows still finds its input without these lines.

        A line with other layers on it cannot be commented out: there, only what was added can go.
        """
        if self.form == "inline":
            return self.added_as(what)
        return self.form != "assign" or self.target == self.given

    def removed(self, what: str) -> list[Edit]:
        """Without these lines: added ones vanish, the pusher's are commented out."""
        if self.form == "inline":
            return [self._cut()]
        if self.added:
            return [without_lines(self.source, self.site)]
        return lines_off(self.source, self.site, what)

    def _cut(self) -> Edit:
        """Take an added element out of its line, with the comma that came with it."""
        start, end = self.site.start, self.site.end
        before = self._previous_end
        if before is not None:
            return Edit(Site(self.source.path, before, end), "")
        return Edit(Site(self.source.path, start, end + len(", ")), "")


def _joined(layers: list[str]) -> str:
    return "".join(f", {layer}" for layer in layers)


def lines_off(source: Source, site: Site, what: str) -> list[Edit]:
    """Comment out the lines of a site."""
    edits = []
    position = source.line_start(site.start)
    while position <= site.end:
        edits.append(Edit(Site(source.path, position, position), off(what)))
        following = source.next_line(position)
        if following <= position:
            break
        position = following
    return edits


def after(source: Source, offset: int, lines: list[str]) -> Edit:
    """Insert lines after the one that holds ``offset``, within its notebook cell."""
    end = source.line_end(offset)
    if end < source.boundary(offset):
        start = source.next_line(offset)
        return Edit(Site(source.path, start, start), "".join(x + source.newline for x in lines))
    return Edit(Site(source.path, end, end), "".join(source.newline + line for line in lines))


def without_lines(source: Source, site: Site) -> Edit:
    """Delete the lines of a site, within its notebook cell."""
    start, end = source.line_start(site.start), source.line_end(site.end)
    rest = source.text[end : source.boundary(site.end)]
    # Lines that were added at an end without a line break came each with one before it.
    closes = rest == rest.rstrip("\r\n") and all(ADDED in line for line in rest.splitlines()[1:])
    if not closes:
        return Edit(Site(source.path, start, source.next_line(site.end)), "")
    start = max(start - len(source.newline), 0)
    return Edit(Site(source.path, start, end), "")


def unit_of(source: Source, frame: Frame) -> Unit | None:
    """The unit that a frame makes, or None where its lines hold other things as well."""
    node, site = frame.node, frame.site
    before = source.text[source.line_start(site.start) : site.start].strip()
    rest = source.text[site.end : source.line_end(site.end)]
    if isinstance(node, ast.expr):
        if frame.element_of is None:
            return None
        if not before and AFTER_ELEMENT.match(rest):
            return Unit(source, site, node, "element")
        if not before and _AFTER_LAST_ELEMENT.match(rest):
            return Unit(source, site, node, "element", comma=False)
        return _inline(source, site, node, before, rest)
    if before:
        return None
    if not _AFTER_STATEMENT.match(rest):
        return None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add":
            return Unit(source, site, node, "add", owner=source.at(source.site(call.func)))
        return Unit(source, site, node, "add")
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Call):
            given = _given(node.value)
            return Unit(source, site, node, "assign", target=target.id, given=given)
    return None


def _inline(source: Source, site: Site, node: ast.expr, before: str, rest: str) -> Unit | None:
    """The unit of an element that shares its line with others."""
    if source.line(site.start) != source.line(site.end) or not _AMONG_OTHERS.match(rest):
        return None
    if before and not before.endswith(("[", ",")):
        return None
    return Unit(source, site, node, "inline") if takes_comment(source, site.end) else None


def _given(call: ast.Call) -> str:
    """The name of the tensor that a call is given."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Name):
        return first.id
    names = [each.id for each in call.args if isinstance(each, ast.Name)]
    return names[0] if names else ""


def innermost(sources: Sources, applied: Applied) -> Unit | None:
    """The unit of the statement (or element) right around a layer."""
    if not applied.frames:
        return None
    frame = applied.frames[-1]
    source = sources(frame.site.path)
    return unit_of(source, frame)


def outermost(sources: Sources, group: list[Applied], chain: list[Applied]) -> list[Unit] | None:
    """The units that make exactly the layers of ``group`` and none of the rest of ``chain``.

    Statements of a loop that makes several groups are none of them.
    """
    members = {id(each) for each in group}
    others = {frame.site for each in chain if id(each) not in members for frame in each.frames}
    units: list[Unit] = []
    for each in group:
        frame = next((frame for frame in each.frames if frame.site not in others), None)
        if frame is None:
            return None
        if any(unit.site == frame.site for unit in units):
            continue
        unit = unit_of(sources(frame.site.path), frame)
        if unit is None:
            return None
        units.append(unit)
    return units
