"""Batch normalisation as a hyperparameter: behind each convolution, or nowhere."""

from collections.abc import Mapping

from jobs.source import imports, notes
from jobs.source.additions import forgotten, noted, unused_imports
from jobs.source.analysis import Analysis, kind_of
from jobs.source.change import CannotRewrite, Change
from jobs.source.evaluate.shapes import CONVOLUTIONS
from jobs.source.evaluate.values import Applied, Layer
from jobs.source.files import Edit
from jobs.source.hyperparameters import Knob
from jobs.source.script import Choices
from jobs.source.units import Unit, innermost


def knobs(analysis: Analysis) -> list[Knob]:
    """``batch_norm``, or nothing where the network is built on another one."""
    present = analysis.of_kind("BatchNormalization")
    own = [each for each in analysis.own if kind_of(each) in CONVOLUTIONS]
    if not own or analysis.base is not None:
        return []
    choices = Choices((False, True))
    if present:
        first = present[0]
        site = first.layer.call
        knob = Knob("batch_norm", True, choices, site)
        units = [innermost(analysis.sources, each) for each in present]
        if not all(unit is not None and unit.can_go("batch_norm") for unit in units):
            return [knob.hold("the normalisation does not stand on lines of its own")]
        return [knob]
    site = own[0].layer.call
    knob = Knob("batch_norm", False, choices, site)
    if any(_behind(analysis, each) is None for each in own):
        return [knob.hold("the convolutions do not stand on lines of their own")]
    return [knob]


def _behind(analysis: Analysis, applied: Applied) -> Unit | None:
    """The unit of a layer, where another layer can stand right behind it."""
    unit = innermost(analysis.sources, applied)
    layer = applied.layer
    if unit is None or not isinstance(layer, Layer) or not unit.comma:
        return None
    if unit.form == "add" and not unit.owner:
        return None
    return unit if unit.holds(layer.call) and applied is not analysis.output else None


_STATISTICS = "momentum=0.9"
"""Keras' default of 0.99 takes hundreds of steps to know a layer's mean and variance. Until then
validation says nothing: 0.50 instead of 0.69 after an epoch of 87 steps, with two classes."""


def set_batch_norm(change: Change, wanted: bool) -> None:
    """Put a normalisation behind each convolution, or take all of them out."""
    if wanted:
        _add_batch_norm(change)
        return
    analysis = change.analysis
    units = [innermost(analysis.sources, each) for each in analysis.of_kind("BatchNormalization")]
    edits: list[Edit] = []
    seen = set()
    for unit in units:
        if unit is None or unit.site in seen:
            continue
        seen.add(unit.site)
        edits += unit.removed("batch_norm")
        edits += forgotten([unit], "batch_norm", notes.ABSENT)
    change.apply(edits)
    change.apply(unused_imports(change))


def _add_batch_norm(change: Change) -> None:
    analysis = change.analysis
    for path in (change.script, *analysis.modules):
        source = analysis.sources(path)
        if notes.taken_out(source, "batch_norm"):
            change.put({path: notes.put_back(source, "batch_norm")})
            return
    edits: dict[object, list[Edit]] = {}
    spellings: dict[str, list[Edit]] = {}
    for each in analysis.own:
        if kind_of(each) not in CONVOLUTIONS:
            continue
        unit = _behind(analysis, each)
        if unit is None or not isinstance(each.layer, Layer):
            raise CannotRewrite("The convolutions do not stand on lines of their own.")
        path = unit.site.path
        like = unit.source.at(each.layer.callee)
        found = imports.spelling(analysis, path, "layers", "BatchNormalization", like)
        spellings[path] = found.edits
        axis = "axis=1, " if each.layer.text("data_format") == "channels_first" else ""
        edits[unit.site] = [
            unit.after([unit.line(f"{found.text}({axis}{_STATISTICS})")]),
            *noted([unit], "batch_norm", notes.ABSENT),
        ]
    change.apply([*_flat(edits), *_flat(spellings)])


def _flat(edits: Mapping[object, list[Edit]] | Mapping[str, list[Edit]]) -> list[Edit]:
    return [edit for each in edits.values() for edit in each]
