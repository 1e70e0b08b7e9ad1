"""Blocks as a hyperparameter: convolutions, what stands between them, and a pooling."""

from collections.abc import Mapping

from jobs.source import notes
from jobs.source.additions import forgotten, noted, unused_imports
from jobs.source.analysis import Analysis, Block, kind_of
from jobs.source.change import CannotRewrite, Change
from jobs.source.evaluate.shapes import CONVOLUTIONS
from jobs.source.evaluate.values import Layer, pair, whole
from jobs.source.hyperparameters import FIXED, Knob
from jobs.source.repetition import new_block
from jobs.source.script import Range, Value
from jobs.source.units import Unit, lines_off, outermost

MOST_BLOCKS = 8


def knobs(analysis: Analysis) -> list[Knob]:
    """``blocks``, or nothing where the network is built on another one."""
    count = len(analysis.blocks)
    if not count or analysis.base is not None:
        return []
    last = analysis.blocks[-1]
    site = last.layers[0].frames[-1].site if last.layers[0].frames else None
    space = Range(1, min(count + 3, max(MOST_BLOCKS, count)), integer=True)
    knob = Knob("blocks", count, space, site)
    units = _units(analysis, last)
    if units is None:
        reason = "the last block does not stand on lines of its own that can be repeated"
        return [knob.hold(reason)]
    if any(unit.form == "inline" and notes.is_fixed(unit.source, unit.site) for unit in units):
        return [knob.hold(FIXED)]
    return [knob]


def _units(analysis: Analysis, block: Block) -> list[Unit] | None:
    """The lines of a block, or None where they make other layers, too, or no form we know."""
    units = outermost(analysis.sources, block.layers, analysis.own)
    if not units:
        return None
    if any(unit.form != units[0].form for unit in units):
        return None
    last = units[-1]
    if last.form == "assign" and not last.target:
        return None
    return units


def removable(analysis: Analysis) -> bool:
    """Whether the last block can be taken out and what follows still finds its input."""
    if len(analysis.blocks) < 2:
        return False
    units = _units(analysis, analysis.blocks[-1])
    if units is None:
        return False
    ours = _added_end(analysis, units)
    if units[0].form == "inline" and not ours:
        return False
    units = ours or units
    if any(notes.is_fixed(unit.source, unit.site) for unit in units):
        return False
    return units[0].form != "assign" or units[0].given == units[-1].target


def remove_block(change: Change) -> None:
    """Take out the last block. Raises CannotRewrite."""
    analysis = change.analysis
    if not removable(analysis):
        raise CannotRewrite(f"The last block of {change.script} cannot be taken out.")
    units = _units(analysis, analysis.blocks[-1]) or []
    what = f"block {len(analysis.blocks)}"
    ours = _added_end(analysis, units)
    if ours:
        edits = [edit for unit in ours for edit in unit.removed(what)]
        edits += forgotten(ours, "blocks", str(len(analysis.blocks) - 1))
    else:
        # Lines that a tweak added within the pusher's own block go and come with the block.
        edits = [e for unit in units for e in lines_off(unit.source, unit.site, what)]
    change.apply(edits)
    change.apply(unused_imports(change))


def _added_end(analysis: Analysis, units: list[Unit]) -> list[Unit]:
    """The units of a block that a tweak added: from its convolution to its pooling.

    Before them may stand convolutions of the pusher's that had no pooling behind them.
    """
    block = analysis.blocks[-1]
    made: list[Unit] = []
    for each in reversed(block.layers):
        unit = next((u for u in units if any(f.site == u.site for f in each.frames)), None)
        if unit is None or not _is_added_block(analysis, unit):
            return []
        if unit not in made:
            made.insert(0, unit)
        if kind_of(each) in CONVOLUTIONS:
            return made
    return []


def _is_added_block(analysis: Analysis, unit: Unit) -> bool:
    """Whether a unit of the last block was added; within a line, its note has the old number."""
    if unit.form != "inline":
        return unit.added
    before = unit.noted.get("blocks", "")
    return before.isdecimal() and int(before) < len(analysis.blocks)


def add_block(change: Change, wanted: Mapping[str, Value]) -> None:
    """Add a block behind the last one; ``wanted`` may name its filters and kernel size.

    A block that a tweak took out earlier comes back. Raises CannotRewrite.
    """
    analysis = change.analysis
    number = len(analysis.blocks) + 1
    if _restored(change, number, wanted):
        return
    units = _units(analysis, analysis.blocks[-1]) if analysis.blocks else None
    if units is None:
        raise CannotRewrite(f"{change.script} has no last block that can be repeated.")
    layer_number = len(analysis.convolutions) + 1
    filters = wanted.get(f"conv{layer_number}.filters")
    kernel = wanted.get(f"conv{layer_number}.kernel_size")
    anchor = _end_of_features(analysis, units)
    lines = new_block(analysis, units, anchor, filters, kernel)
    change.apply([anchor.after(lines), *noted([anchor], "blocks", str(len(analysis.blocks)))])


def _restored(change: Change, number: int, wanted: Mapping[str, Value]) -> bool:
    what = f"block {number}"
    for path in (change.script, *change.analysis.modules):
        source = change.analysis.sources(path)
        if not notes.taken_out(source, what):
            continue
        found = change.look({path: notes.put_back(source, what)})
        if len(found.blocks) == number and _as_wanted(found, wanted):
            change.take(found)
            return True
    return False


def _as_wanted(analysis: Analysis, wanted: Mapping[str, Value]) -> bool:
    for index, applied in enumerate(analysis.convolutions, 1):
        layer = applied.layer
        assert isinstance(layer, Layer)
        size = pair(layer.params.get("kernel_size"))
        found = {
            f"conv{index}.filters": whole(layer.params.get("filters")),
            f"conv{index}.kernel_size": size[0] if size else None,
        }
        differs = any(name in wanted and wanted[name] != value for name, value in found.items())
        # Layers before the last block may still be changed; only the new one has to fit.
        if differs and applied in analysis.blocks[-1].layers:
            return False
    return True


def _end_of_features(analysis: Analysis, units: list[Unit]) -> Unit:
    """The unit behind which a new block stands: the last one before the classifier."""
    tail = analysis.tail.layers
    if tail:
        further = outermost(analysis.sources, tail, analysis.own)
        if further and further[-1].form == units[-1].form:
            return further[-1]
        raise CannotRewrite("What follows the last block does not stand on lines of its own.")
    return units[-1]
