"""Batch normalisation as a hyperparameter: behind each convolution and its pooling, or nowhere."""

import ast
import re
from collections import Counter, defaultdict

from jobs.source import imports, notes
from jobs.source.additions import forgotten, noted, unused_imports
from jobs.source.analysis import Analysis, kind_of
from jobs.source.change import CannotRewrite, Change
from jobs.source.evaluate.shapes import CONVOLUTIONS, POOLS
from jobs.source.evaluate.values import Applied, Const, Layer
from jobs.source.files import Edit, Site
from jobs.source.hyperparameters import Knob
from jobs.source.script import Choices
from jobs.source.units import Unit, innermost

_ACTIVATIONS = {"Activation", "ReLU", "LeakyReLU", "PReLU", "ELU"}


def knobs(analysis: Analysis) -> list[Knob]:
    """``batch_norm``, or nothing where the network is built on another one."""
    present = analysis.of_kind("BatchNormalization")
    own = _convolutions(analysis)
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
    if any(_behind(analysis, each) is None for _, each in _normalised(analysis)):
        return [knob.hold("the convolutions do not stand on lines of their own")]
    return [knob]


def _normalised(analysis: Analysis) -> list[tuple[Applied, Applied]]:
    """Each convolution, and what is to be normalised of it: its pooling's output, or its own.

    A pooling leaves a quarter of the numbers to normalise.
    """
    convolutions = _convolutions(analysis)
    pools = {id(each): _pooling_behind(analysis, each) for each in convolutions}
    places = {id(each): _place(analysis, each) for each in analysis.own}

    def pooled_at(convolution: Applied) -> Site | None:
        return places.get(id(pools[id(convolution)]))

    # A line of a helper or a loop makes several layers. Its convolutions have to be pooled by one
    # line, and that one has to pool nothing else.
    pooled: dict[Site | None, set[Site | None]] = defaultdict(set)
    for each in convolutions:
        pooled[places[id(each)]].add(pooled_at(each))
    alike = [
        each
        for each in convolutions
        if places[id(each)] is not None and pooled[places[id(each)]] == {pooled_at(each)}
    ]
    users, takers = Counter(places.values()), Counter(map(pooled_at, alike))
    last = {id(each): each for each in convolutions}
    for each in alike:
        pool, place = pools[id(each)], pooled_at(each)
        if pool is not None and place is not None and users[place] == takers[place]:
            last[id(each)] = pool
    return [(each, last[id(each)]) for each in convolutions]


def _convolutions(analysis: Analysis) -> list[Applied]:
    """All but one that gives the classes, which nothing may stand behind."""
    return [
        each
        for each in analysis.own
        if kind_of(each) in CONVOLUTIONS and each is not analysis.output
    ]


def _pooling_behind(analysis: Analysis, convolution: Applied) -> Applied | None:
    """The pooling that alone takes a convolution's output, activated or not."""
    each = convolution
    while True:
        following = [after for after in analysis.chain if any(x is each for x in after.inputs)]
        if len(following) != 1:
            return None
        (each,) = following
        if kind_of(each) in POOLS:
            return each
        if kind_of(each) not in _ACTIVATIONS:
            return None


def _place(analysis: Analysis, applied: Applied) -> Site | None:
    unit = _behind(analysis, applied)
    return None if unit is None else unit.site


def _behind(analysis: Analysis, applied: Applied) -> Unit | None:
    """The unit of a layer, where another layer can stand right behind it."""
    unit = innermost(analysis.sources, applied)
    layer = applied.layer
    if unit is None or not isinstance(layer, Layer) or not unit.comma:
        return None
    if isinstance(unit.node, ast.Assign) and unit.source.site(unit.node.value) == layer.call:
        return None  # made here, and put to use elsewhere
    if unit.form == "add" and not unit.owner:
        return None
    return unit if unit.holds(layer.call) else None


MOMENTUM, CALM = 0.9, 0.99
"""Keras' default of 0.99 takes hundreds of steps to know a layer's mean and variance. Until then
validation says nothing: 0.50 instead of 0.69 after an epoch of 87 steps, with two classes. Averaged
weights need statistics that change as slowly as they do, over a hundred steps: with 0.9, an epoch
out of nine fell by 0.07, with 0.97 one by 0.08 after averaging began, with 0.99 none by more than
0.005 in three trainings (``tests/benchmarks/results``)."""


def set_batch_norm(change: Change, wanted: bool, *, averaged: bool) -> None:
    """Put a normalisation behind each convolution and its pooling, or take all of them out.

    ``averaged``: whether the optimizer averages the weights.
    """
    if wanted:
        _add_batch_norm(change, CALM if averaged else MOMENTUM)
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


_CALMED = {repr(MOMENTUM): repr(CALM), repr(CALM): repr(MOMENTUM)}
_OFF = re.compile(
    rf"^{re.escape(notes.off('block').removesuffix(' | '))} \d+ \| [^\r\n]*\bBatchNormalization\("
    rf"[^\r\n]*\bmomentum=(?P<momentum>{'|'.join(map(re.escape, _CALMED))})\)"
    rf"[^\r\n]*{re.escape(notes.ADDED)}",
    re.MULTILINE,
)


def follow_averages(change: Change) -> None:
    """Make the statistics of normalisations that tweaks added as calm as the weights will be.

    Also those in blocks that were taken out. To be called where averaging begins or ends: one
    momentum is exchanged for the other, which undoes itself whatever a pusher changed by hand.
    They are left alone beside normalisations of the pusher's, which they are like.
    """
    analysis = change.analysis
    sites = {
        Site(path, *found.span("momentum"))
        for path in (change.script, *analysis.modules)
        for found in _OFF.finditer(analysis.sources(path).text)
    }
    for each in analysis.of_kind("BatchNormalization"):
        unit, layer = innermost(analysis.sources, each), each.layer
        if unit is None or not unit.added_as("batch_norm") or not isinstance(layer, Layer):
            return
        given = layer.params.get("momentum")
        if isinstance(given, Const) and given.site is not None:
            sites.add(given.site)
    texts = {site: analysis.sources(site.path).at(site) for site in sites}
    change.apply([Edit(site, _CALMED[text]) for site, text in texts.items() if text in _CALMED])


def _add_batch_norm(change: Change, momentum: float) -> None:
    analysis = change.analysis
    for path in (change.script, *analysis.modules):
        source = analysis.sources(path)
        if notes.taken_out(source, "batch_norm"):
            change.put({path: notes.put_back(source, "batch_norm")})
            return
    places: list[tuple[Unit, Layer, str]] = []
    firsts: dict[str, Site] = {}
    spellings: dict[str, imports.Spelling] = {}
    for convolution, last in _normalised(analysis):
        unit, before, made = _behind(analysis, last), last.layer, convolution.layer
        if unit is None or not isinstance(before, Layer) or not isinstance(made, Layer):
            raise CannotRewrite("The convolutions do not stand on lines of their own.")
        axis = "axis=1, " if made.text("data_format") == "channels_first" else ""
        places.append((unit, before, f"({axis}momentum={momentum})"))
        path = unit.site.path
        firsts[path] = min(firsts.get(path, unit.site), unit.site)
    for unit, before, _ in places:
        path, like = unit.site.path, unit.source.at(before.callee)
        found = imports.spelling(analysis, firsts[path], "layers", "BatchNormalization", like)
        known = spellings.setdefault(path, found)
        if len(found.edits) < len(known.edits):  # as a neighbour writes it, without an import
            spellings[path] = found
    edits: dict[Site, list[Edit]] = {}
    for unit, _, arguments in places:
        layer = f"{spellings[unit.site.path].text}{arguments}"
        edits[unit.site] = [
            unit.after([unit.line(layer)]),
            *noted([unit], "batch_norm", notes.ABSENT),
        ]
    change.apply(
        [
            *(edit for each in edits.values() for edit in each),
            *(edit for each in spellings.values() for edit in each.edits),
        ]
    )
