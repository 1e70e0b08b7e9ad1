"""Structure as hyperparameters: blocks, batch normalisation, a dropout before the output."""

import ast
import re
from collections.abc import Mapping

from jobs.source import imports, notes, ranges
from jobs.source.analysis import Analysis, Block, kind_of
from jobs.source.change import CannotRewrite, Change
from jobs.source.evaluate.shapes import CONVOLUTIONS, MERGES, POOLS
from jobs.source.evaluate.values import Applied, Layer, pair, whole
from jobs.source.files import Edit, Source
from jobs.source.hyperparameters import FIXED, Knob, dropouts
from jobs.source.script import Choices, Range, Value
from jobs.source.spelling import spelled
from jobs.source.units import Unit, innermost, lines_off, outermost

MOST_BLOCKS = 8
MOST_FILTERS = 512
_DROPPED = {"input_shape", "batch_input_shape", "input_dim", "name", "batch_shape", "trainable"}
_NOT_REPEATED = {"Dropout", "SpatialDropout2D", "Concatenate", *MERGES, *CONVOLUTIONS}
_BREAKS = re.compile(r"\s*[\r\n]\s*")


def knobs(analysis: Analysis) -> list[Knob]:
    """``blocks``, ``batch_norm`` and a dropout that is not there yet."""
    return [*_blocks(analysis), *_batch_norm(analysis), *_missing_dropout(analysis)]


# --- blocks


def _blocks(analysis: Analysis) -> list[Knob]:
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
        edits += _forgotten(ours, "blocks", str(len(analysis.blocks) - 1))
    else:
        # Lines that a tweak added within the pusher's own block go and come with the block.
        edits = [e for unit in units for e in lines_off(unit.source, unit.site, what)]
    change.apply(edits)
    change.apply(_unused_imports(change))


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


def _noted(units: list[Unit], what: str, original: str) -> list[Edit]:
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


def _forgotten(units: list[Unit], what: str, original: str) -> list[Edit]:
    """Take the note away where what it says of a line holds again."""
    return [
        edit
        for unit in units
        if unit.form == "inline" and unit.noted.get(what) == original
        for edit in notes.noted(unit.source, unit.site.end, what, None)
    ]


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
    lines, edits = _new_block(analysis, units, filters, kernel)
    anchor = _end_of_features(analysis, units)
    change.apply(
        [*edits, anchor.after(lines), *_noted([anchor], "blocks", str(len(analysis.blocks)))]
    )


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


def _new_block(
    analysis: Analysis, units: list[Unit], filters: Value | None, kernel: Value | None
) -> tuple[list[str], list[Edit]]:
    """The lines of one more block like the last one, and the imports that they need."""
    block = analysis.blocks[-1]
    last = block.convolutions[-1]
    assert isinstance(last.layer, Layer)
    before = whole(last.layer.params.get("filters")) or 32
    if filters is None:
        filters = max(before, min(2 * before, MOST_FILTERS))
    if kernel is not None and pair(last.layer.params.get("kernel_size")) == (kernel, kernel):
        kernel = None  # as the last block writes it, be it by a name
    anchor = _end_of_features(analysis, units)
    if _is_direct(block, units):
        texts = _layer_texts(analysis, block, last, filters, kernel)
        given = [anchor.target] * len(texts)
        return [anchor.line(text, name) for text, name in zip(texts, given, strict=True)], []
    return _repeated_call(units, last.layer, filters, kernel), []


def _is_direct(block: Block, units: list[Unit]) -> bool:
    """Whether each line of the block makes its layer itself, rather than by a helper."""
    return len(units) == len(block.layers) and all(
        isinstance(each.layer, Layer) and any(unit.holds(each.layer.call) for unit in units)
        for each in block.layers
    )


def _layer_texts(
    analysis: Analysis, block: Block, last: Applied, filters: Value, kernel: Value | None
) -> list[str]:
    """The calls of the new block's layers, each like its model in the last block."""
    texts = []
    reached = False
    for each in block.layers:
        kind = kind_of(each)
        reached = reached or each is last
        assert isinstance(each.layer, Layer)
        source = analysis.sources(each.layer.call.path)
        if each is last:
            texts.append(_call(source, each.layer, {"filters": filters, "kernel_size": kernel}))
        elif reached and kind in POOLS:
            return [*texts, _call(source, each.layer, {})]
        elif reached and kind not in _NOT_REPEATED:
            texts.append(_call(source, each.layer, {}))
    return texts


def _call(source: Source, layer: Layer, changed: Mapping[str, Value | None]) -> str:
    """A layer's call on one line, with other values of some parameters."""
    texts: list[str] = []
    node = layer.node
    sites = {
        value.site: name
        for name, value in layer.params.items()
        if value.site is not None and changed.get(name) is not None
    }

    def text(each: ast.expr) -> str:
        site = source.site(each)
        old = source.at(site)
        name = sites.get(site)
        if name is not None:
            return spelled(old, changed[name] or 0)
        return _BREAKS.sub(" ", old)

    skip = 0
    for index, each in enumerate(node.args):
        joint = [site for site in sites if source.site(each).start == site.start]
        if skip:
            skip -= 1
            continue
        if joint and joint[0] != source.site(each):
            # Rows and columns of a Keras 1 kernel are two arguments and one value.
            texts.append(spelled(source.at(joint[0]), changed[sites[joint[0]]] or 0))
            skip = sum(source.site(x).end <= joint[0].end for x in node.args[index + 1 :])
            continue
        texts.append(text(each))
    rows = {"nb_row", "nb_col"}
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg in _DROPPED:
            continue
        if keyword.arg in rows and changed.get("kernel_size") is not None:
            texts.append(f"{keyword.arg}={changed['kernel_size']}")
            continue
        between = _equals(source, keyword)
        texts.append(f"{keyword.arg}{between}{text(keyword.value)}")
    if changed.get("kernel_size") is not None and "kernel_size" not in layer.params:
        texts.append(f"kernel_size={changed['kernel_size']}")
    return f"{source.at(layer.callee)}({', '.join(texts)})"


def _equals(source: Source, keyword: ast.keyword) -> str:
    """The equals sign as the script spaces it."""
    start = source.offset(keyword.lineno, keyword.col_offset) + len(keyword.arg or "")
    text = source.text[start : source.site(keyword.value).start]
    return text if text.strip() == "=" and "\n" not in text else "="


def _repeated_call(
    units: list[Unit], layer: Layer, filters: Value, kernel: Value | None
) -> list[str]:
    """The last block's lines once more, where a helper of the script makes the layers."""
    lines = []
    changed = {"filters": filters, "kernel_size": kernel}
    done: set[str] = set()
    for unit in units:
        if unit.form == "assign" and unit.given != unit.target:
            raise CannotRewrite("The helper that makes a block is not called on one name.")
        text = unit.source.at(unit.site)
        if "\n" in text or "\r" in text:
            raise CannotRewrite("The call that makes a block goes over several lines.")
        sites = []
        for name, value in changed.items():
            item = layer.params.get(name)
            if value is None or item is None:
                continue
            inside = [site for site in item.trail if unit.holds(site)]
            if inside:
                sites.append((inside[0], value))
                done.add(name)
        for site, value in sorted(sites, reverse=True, key=lambda each: each[0].start):
            start, end = site.start - unit.site.start, site.end - unit.site.start
            text = text[:start] + spelled(text[start:end], value) + text[end:]
        comma = "," if unit.form == "element" else ""
        whole_line = f"{unit.indent}{text}{comma}{notes.ADDED}"
        lines.append(text if unit.form == "inline" else whole_line)
    if kernel is not None and "kernel_size" not in done:
        size = pair(layer.params.get("kernel_size"))
        if size is None or size[0] != kernel:
            raise CannotRewrite("The helper that makes a block says the kernel size itself.")
    return lines


# --- batch normalisation


def _batch_norm(analysis: Analysis) -> list[Knob]:
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
        edits += _forgotten([unit], "batch_norm", notes.ABSENT)
    change.apply(edits)
    change.apply(_unused_imports(change))


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
            *_noted([unit], "batch_norm", notes.ABSENT),
        ]
    change.apply([*_flat(edits), *_flat(spellings)])


def _flat(edits: Mapping[object, list[Edit]] | Mapping[str, list[Edit]]) -> list[Edit]:
    return [edit for each in edits.values() for edit in each]


def _unused_imports(change: Change) -> list[Edit]:
    analysis = change.analysis
    return [
        edit
        for path in (change.script, *analysis.modules)
        for edit in imports.unused(analysis.sources(path))
    ]


# --- dropout before the output layer


def _missing_dropout(analysis: Analysis) -> list[Knob]:
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
    if output is None or kind_of(output) != "Dense" or not isinstance(output.layer, Layer):
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
    found = imports.spelling(analysis, unit.site.path, "layers", "Dropout", like)
    line = unit.line(f"{found.text}({rate!r})")
    if unit.form == "assign":
        line = f"{unit.indent}{unit.given} = {found.text}({rate!r})({unit.given}){notes.ADDED}"
    note = _noted([unit], "dropout", notes.ABSENT)
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
    change.apply([*unit.removed("dropout"), *_forgotten([unit], "dropout", notes.ABSENT)])
    change.apply(_unused_imports(change))
    return True
