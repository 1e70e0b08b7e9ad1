"""The text of one more block like the last one."""

import ast
import re
from collections.abc import Mapping

from jobs.source import notes
from jobs.source.analysis import Analysis, Block, kind_of
from jobs.source.change import CannotRewrite
from jobs.source.evaluate.shapes import CONVOLUTIONS, MERGES
from jobs.source.evaluate.values import Applied, Layer, pair, whole
from jobs.source.files import Source
from jobs.source.script import Value
from jobs.source.spelling import spelled
from jobs.source.units import Unit

MOST_FILTERS = 512
_DROPPED = {"input_shape", "batch_input_shape", "input_dim", "name", "batch_shape", "trainable"}
_NOT_REPEATED = {"Dropout", "SpatialDropout2D", "Concatenate", *MERGES, *CONVOLUTIONS}
_BREAKS = re.compile(r"\s*[\r\n]\s*")


def new_block(
    analysis: Analysis,
    units: list[Unit],
    anchor: Unit,
    filters: Value | None,
    kernel: Value | None,
) -> list[str]:
    """The lines of one more block like the last one, which stands on ``units``, behind ``anchor``.

    Raises CannotRewrite.
    """
    block = analysis.blocks[-1]
    last = block.convolutions[-1]
    assert isinstance(last.layer, Layer)
    before = whole(last.layer.params.get("filters")) or 32
    if filters is None:
        filters = max(before, min(2 * before, MOST_FILTERS))
    if kernel is not None and pair(last.layer.params.get("kernel_size")) == (kernel, kernel):
        kernel = None  # as the last block writes it, be it by a name
    if _is_direct(block, units):
        texts = _layer_texts(analysis, block, last, filters, kernel)
        given = [anchor.target] * len(texts)
        return [anchor.line(text, name) for text, name in zip(texts, given, strict=True)]
    return _repeated_call(units, last.layer, filters, kernel)


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
