"""What a tweak that adds or takes out leaves behind: notes within lines, and imports."""

from jobs.source import imports, notes
from jobs.source.change import CannotRewrite, Change
from jobs.source.files import Edit
from jobs.source.units import Unit


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
