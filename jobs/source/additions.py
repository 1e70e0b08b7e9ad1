"""Where a tweak adds, and what one that adds or takes out leaves: notes in lines, and imports."""

import ast
import re

from jobs.source import imports, notes
from jobs.source.change import CannotRewrite, Change
from jobs.source.files import Edit, Site, Source
from jobs.source.units import AFTER_ELEMENT, Unit

_SIGN = re.compile(r"#[^\r\n]*|[),]")


def noted(units: list[Unit], what: str, original: str) -> list[Edit]:
    """What to write down where layers are added within lines. Raises CannotRewrite."""
    try:
        return [
            edit
            for unit in units
            if unit.form == "inline"
            for edit in notes.noted(unit.source, unit.site.end, what, original)
        ]
    except notes.NoRoomError as error:
        raise CannotRewrite(f"No layer can be added: {error}.") from error


def forgotten(units: list[Unit], what: str, original: str) -> list[Edit]:
    """What takes a note away where what it says of its line holds again."""
    return [
        edit
        for unit in units
        if unit.form == "inline" and unit.noted.get(what) == original
        for edit in notes.noted(unit.source, unit.site.end, what, None)
    ]


def unused_imports(change: Change) -> list[Edit]:
    """What takes out the imports that nothing needs any more."""
    analysis = change.analysis
    return [
        edit
        for path in (change.script, *analysis.modules)
        for edit in imports.unused(analysis.sources(path))
    ]


def given_arguments(call: ast.Call) -> list[ast.expr | ast.keyword]:
    """The arguments of a call as they stand in the text."""
    return sorted([*call.args, *call.keywords], key=lambda each: (each.lineno, each.col_offset))


def append_argument(draft: notes.Draft, call: ast.Call, text: str) -> int:
    """Write one more argument behind the others; where it was put."""
    source = draft.source
    # A line that a tweak added will go as a whole.
    given = [each for each in given_arguments(call) if not is_added_line(source, source.site(each))]
    position = source.site(call).end - 1
    if given:
        position = end_of(source, given[-1], position)
    draft.insert(position, f", {text}" if given else text)
    return position


def end_of(source: Source, item: ast.expr | ast.keyword, stop: int) -> int:
    """Where an argument, or an element, ends: behind brackets around it that it does not need."""
    end = source.site(item).end
    for found in _SIGN.finditer(source.text, end, stop):
        if found[0] == ",":
            break
        if found[0] == ")":
            end = found.end()
    return end


def is_added_line(source: Source, site: Site) -> bool:
    """Whether a tweak added a line for an argument or an element alone."""
    before = source.text[source.line_start(site.start) : site.start]
    rest = source.text[site.end : source.line_end(site.end)]
    is_alone = not before.strip() and AFTER_ELEMENT.match(rest) is not None
    return is_alone and notes.is_added(source, site)
