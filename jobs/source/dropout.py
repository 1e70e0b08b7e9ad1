"""The dropout before the output layer, where the script has none yet."""

from jobs.source import imports, notes, ranges
from jobs.source.additions import forgotten, noted, unused_imports
from jobs.source.analysis import Analysis, kind_of
from jobs.source.change import CannotRewrite, Change
from jobs.source.evaluate.shapes import CONVOLUTIONS, POOLS
from jobs.source.evaluate.values import Applied, Layer
from jobs.source.hyperparameters import Knob, dropouts
from jobs.source.units import Unit, innermost


def knobs(analysis: Analysis) -> list[Knob]:
    """The rate of a dropout that is not there yet, 0; nothing where there is one."""
    output = analysis.output
    if output is None or _has_dropout_before(analysis, output):
        return []
    number = len(dropouts(analysis)) + 1
    site = output.layer.call
    knob = Knob(f"dropout{number}.rate", 0.0, ranges.rate(0.0), site)
    if _before_output(analysis) is None:
        return [knob.hold("the output layer does not stand on a line of its own")]
    return [knob]


def _has_dropout_before(analysis: Analysis, output: Applied) -> bool:
    """Whether a dropout stands in the classifier: behind the last feature map."""
    for each in reversed(analysis.own[: _index(analysis, output)]):
        if each in dropouts(analysis):
            return True
        if kind_of(each) in (*CONVOLUTIONS, *POOLS):
            return False
    return False


def _index(analysis: Analysis, applied: Applied) -> int:
    return next(i for i, each in enumerate(analysis.own) if each is applied)


def _before_output(analysis: Analysis) -> Unit | None:
    output = analysis.output
    if output is None or not isinstance(output.layer, Layer):
        return None
    last = output.frames[-1].site if output.frames else None
    if sum(bool(each.frames) and each.frames[-1].site == last for each in analysis.own) != 1:
        return None
    unit = innermost(analysis.sources, output)
    if unit is None or (unit.form == "add" and not unit.owner):
        return None
    if unit.form == "assign" and not unit.given:
        return None
    return unit if unit.holds(output.layer.call) else None


def add_dropout(change: Change, rate: float) -> None:
    """Put a dropout before the output layer. Raises CannotRewrite."""
    analysis = change.analysis
    unit, output = _before_output(analysis), analysis.output
    if unit is None or output is None or not isinstance(output.layer, Layer):
        raise CannotRewrite("The output layer does not stand on a line of its own.")
    like = unit.source.at(output.layer.callee)
    found = imports.spelling(analysis, unit.site, "layers", "Dropout", like)
    line = unit.line(f"{found.text}({rate!r})")
    if unit.form == "assign":
        line = f"{unit.indent}{unit.given} = {found.text}({rate!r})({unit.given}){notes.ADDED}"
    note = noted([unit], "dropout", notes.ABSENT)
    change.apply([unit.before([line]), *note, *found.edits])


def removes_dropout(change: Change, name: str) -> bool:
    """Take out the last dropout where a tweak added it; whether it did."""
    analysis = change.analysis
    found = dropouts(analysis)
    if not found or name != f"dropout{len(found)}.rate":
        return False
    unit = innermost(analysis.sources, found[-1])
    if unit is None or not unit.added_as("dropout"):
        return False
    change.apply([*unit.removed("dropout"), *forgotten([unit], "dropout", notes.ABSENT)])
    change.apply(unused_imports(change))
    return True
