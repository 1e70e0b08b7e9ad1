"""Search ranges that hold no model that cannot be built: worked out by trying their corners."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from jobs.source import knobs
from jobs.source.analysis import Analysis, kind_of
from jobs.source.blocks import removable
from jobs.source.change import CannotRewrite, Change
from jobs.source.evaluate.shapes import MERGES
from jobs.source.evaluate.values import Layer
from jobs.source.files import Checkout, Edit
from jobs.source.hyperparameters import Knob, Written
from jobs.source.rewrite import tweaked
from jobs.source.script import Choices, Range, Value
from jobs.source.spelling import spelled

_TIED = {*MERGES, "Concatenate", "Reshape"}
"""Layers that take maps of certain sizes only."""
_UNBUILDABLE = "no other value can be built on this script's shapes"


def bounded(checkout: Checkout, analysis: Analysis) -> list[Knob]:
    """The hyperparameters with ranges in which every combination can be built."""
    found = knobs.found(analysis)
    if analysis.errors:
        return found
    trial = _Trial(checkout, analysis.script, analysis.hold)
    known = all(each.shape is not None for each in analysis.chain if kind_of(each) != "Dense")
    if any(kind_of(each) in _TIED for each in analysis.chain):
        found = [_merging(trial, each) for each in found]
    found = [_untouchable(trial, each) for each in found]
    found, most = _bounded_blocks(trial, analysis, found, known)
    found = _bounded_kernels(trial, analysis, found, most, known)
    return [
        each.hold(_UNBUILDABLE)
        if isinstance(each.space, Range) and each.space.low == each.space.high
        else each
        for each in found
    ]


class _Trial:
    """Whether tweaks give a model that can be built."""

    def __init__(self, checkout: Checkout, script: str, hold: Collection[str]) -> None:
        self._checkout, self._script, self._hold = checkout, script, hold
        self._blocks: dict[int, Checkout | None] = {}

    def blocks(self, start: int, count: int) -> bool:
        """One more or one fewer block than was tried before, or than the script has."""
        step = 1 if count > start else -1
        before = self._checkout if count - step == start else self._blocks[count - step]
        assert before is not None
        try:
            self._blocks[count] = tweaked(before, self._script, {"blocks": count}, self._hold)
        except CannotRewrite:
            self._blocks[count] = None
        return self._blocks[count] is not None

    def returns(self, name: str, value: Value) -> bool:
        """Whether a structure can be taken out, and put back again."""
        try:
            after = tweaked(self._checkout, self._script, {name: value}, self._hold)
            tweaked(after, self._script, {name: not value}, self._hold)
        except CannotRewrite:
            return False
        return True

    def values(self, wanted: Mapping[str, Value], blocks: int | None = None) -> bool:
        """All of these values at once, beside a number of blocks that was tried before."""
        checkout = (self._blocks.get(blocks) if blocks is not None else None) or self._checkout
        change = Change(checkout, self._script, self._hold)
        edits = []
        for each in knobs.found(change.analysis):
            if each.name in wanted and isinstance(each.target, Written):
                site = each.target.site
                old = change.analysis.sources(site.path).at(site)
                edits.append(Edit(site, spelled(old, wanted[each.name])))
        try:
            found = change.look(change.written(edits))
        except CannotRewrite:
            return False
        # A shortcut that gets a convolution of its own once shapes differ makes another network.
        return not found.errors and len(found.own) == len(change.analysis.own)


def _merging(trial: _Trial, knob: Knob) -> Knob:
    """Filters whose maps are added to others' cannot change alone."""
    if knob.held or not knob.name.endswith(".filters") or not isinstance(knob.value, int):
        return knob
    if trial.values({knob.name: knob.value + 8}):
        return knob
    return knob.hold("a later layer takes its feature maps in this number only")


def _untouchable(trial: _Trial, knob: Knob) -> Knob:
    """Normalisation that cannot be taken out, as where it is all that a branch does."""
    if knob.name != "batch_norm" or knob.held or not knob.value or trial.returns(knob.name, False):
        return knob
    return knob.hold("the normalisation cannot be taken out without the lines around it")


def _bounded_blocks(
    trial: _Trial, analysis: Analysis, found: list[Knob], known: bool
) -> tuple[list[Knob], int | None]:
    """The range of ``blocks``, and the largest number of them."""
    knob = next((each for each in found if each.name == "blocks"), None)
    if knob is None or knob.held or not isinstance(knob.space, Range):
        return found, None
    value = int(knob.value)
    high = value
    while known and high < knob.space.high and trial.blocks(value, high + 1):
        high += 1
    low = value
    while (low < value or removable(analysis)) and low > 1 and trial.blocks(value, low - 1):
        low -= 1
    space = Range(low, high, integer=True)
    return [replace(knob, space=space) if each is knob else each for each in found], high


def _bounded_kernels(
    trial: _Trial, analysis: Analysis, found: list[Knob], most: int | None, known: bool
) -> list[Knob]:
    """Kernel sizes that fit together with each other and with the most blocks."""
    kernels = {
        each.name: each
        for each in found
        if each.name.endswith(".kernel_size") and not each.held and isinstance(each.value, int)
    }
    if not kernels:
        return found
    if known:
        # Kernels of 5 are worth more than a second further block, one further block more than them.
        for cap, blocks in _bargains(most, len(analysis.blocks)):
            if trial.values(_at_least(kernels, cap), blocks):
                return _capped(_at_most(found, blocks), kernels, dict.fromkeys(kernels, cap))
    caps = {name: int(each.value) for name, each in kernels.items()}
    if not known:
        for number, applied in enumerate(analysis.convolutions, 1):
            layer = applied.layer
            same = isinstance(layer, Layer) and (layer.text("padding") or "").lower() == "same"
            if same and f"conv{number}.kernel_size" in caps:
                caps[f"conv{number}.kernel_size"] = 7
    return _capped(found, kernels, caps)


def _bargains(most: int | None, present: int) -> list[tuple[int, int | None]]:
    """(largest kernel, most blocks) to try, the best first."""
    if most is None or most <= present:
        return [(cap, most) for cap in (7, 5, 3)]
    fewer = range(most, present, -1)
    return [(7, most), *((5, blocks) for blocks in fewer), (3, most)]


def _at_most(found: list[Knob], blocks: int | None) -> list[Knob]:
    return [
        replace(each, space=replace(each.space, high=blocks))
        if each.name == "blocks"
        and blocks is not None
        and isinstance(each.space, Range)
        and not each.held
        else each
        for each in found
    ]


def _at_least(kernels: Mapping[str, Knob], cap: int) -> dict[str, Value]:
    """Every kernel at the cap, or at the script's own size where that is larger."""
    return {
        name: max(cap, int(each.value)) for name, each in kernels.items() if int(each.value) < cap
    }


def _capped(found: list[Knob], kernels: Mapping[str, Knob], caps: Mapping[str, int]) -> list[Knob]:
    result = []
    for each in found:
        cap = caps.get(each.name)
        if cap is None or each.name not in kernels or not isinstance(each.space, Choices):
            result.append(each)
            continue
        most = max(cap, int(each.value))
        options = tuple(option for option in each.space.options if int(option) <= most)
        if len(options) < 2:
            result.append(each.hold(_UNBUILDABLE))
        else:
            result.append(replace(each, space=Choices(options)))
    return result
