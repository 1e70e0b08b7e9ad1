"""Augmentation as one hyperparameter of a few levels, in the generator or as layers.

Each level is there with mirrored images and without: a digit or a letter is another one, or none,
in the mirror.
"""

import ast

from jobs.source import imports, notes
from jobs.source.additions import append_argument, end_of, given_arguments, unused_imports
from jobs.source.analysis import Analysis, kind_of
from jobs.source.change import CannotRewrite, Change
from jobs.source.evaluate.shapes import AUGMENTING
from jobs.source.evaluate.values import Applied, Const, Generator, Item, Layer, Seq
from jobs.source.files import Edit, Site
from jobs.source.hyperparameters import Knob
from jobs.source.ranges import AUGMENTATION, LEVELS, UNMIRRORED_LEVELS
from jobs.source.script import Choices, Value
from jobs.source.units import Unit, innermost

_MIRROR: dict[str, Value] = {"horizontal_flip": True}
_MOVE: dict[str, Value] = {"width_shift_range": 0.1, "height_shift_range": 0.1}
_VARY: dict[str, Value] = {"rotation_range": 15, **_MOVE, "zoom_range": 0.1}
_VARY_MORE: dict[str, Value] = {
    "rotation_range": 30,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "zoom_range": 0.2,
    "shear_range": 10,
}
ARGUMENTS: dict[str, dict[str, Value]] = {
    "none": {},
    "light": _MIRROR,
    "medium": {**_MIRROR, **_VARY},
    "strong": {**_MIRROR, **_VARY_MORE},
    "light-unmirrored": _MOVE,
    "medium-unmirrored": _VARY,
    "strong-unmirrored": _VARY_MORE,
}
"""What each level says to an ImageDataGenerator; angles in degrees, the rest as shares."""
_FLIP = ("RandomFlip", '"horizontal"')
_TRANSLATE = ("RandomTranslation", "0.1, 0.1")
_TURN = (("RandomRotation", "0.04"), _TRANSLATE, ("RandomZoom", "0.1"))
_TURN_MORE = (
    ("RandomRotation", "0.08"),
    ("RandomTranslation", "0.2, 0.2"),
    ("RandomZoom", "0.2"),
    ("RandomContrast", "0.2"),
)
LAYERS: dict[str, tuple[tuple[str, str], ...]] = {
    "none": (),
    "light": (_FLIP,),
    "medium": (_FLIP, *_TURN),
    "strong": (_FLIP, *_TURN_MORE),
    "light-unmirrored": (_TRANSLATE,),
    "medium-unmirrored": _TURN,
    "strong-unmirrored": _TURN_MORE,
}
"""What each level is as layers; turns as shares of a full one."""
_ONE_STEP: dict[str, float] = {
    "rotation_range": 15.0,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "zoom_range": 0.1,
    "shear_range": 10.0,
    "channel_shift_range": 30.0,
    "RandomRotation": 0.04,
    "RandomTranslation": 0.1,
    "RandomZoom": 0.1,
    "RandomContrast": 0.2,
    "RandomBrightness": 0.2,
    "RandomHeight": 0.2,
    "RandomWidth": 0.2,
}
"""How much of each counts as one step on the scale of levels."""
_FLIPS = ("horizontal_flip", "vertical_flip")
_SWITCHES = (*_FLIPS, "brightness_range", "RandomFlip")
_NEUTRAL: dict[str, Value] = {"horizontal_flip": False, "vertical_flip": False}
_NOTE = "augmentation"


def _level(generator: Generator | None, found: list[Applied]) -> str:
    """The level of what a generator and layers do together."""
    strength = (_of_generator(generator) if generator else 0.0) + _of_layers(found)
    mirrored = (generator is not None and _flips(generator)) or any(
        isinstance(each.layer, Layer) and each.layer.kind == "RandomFlip" for each in found
    )
    if strength <= 0:
        return "none"
    step = 1 if strength < 2.5 else 2 if strength < 6 else 3
    return (LEVELS if mirrored else UNMIRRORED_LEVELS)[step]


def _flips(generator: Generator) -> bool:
    return any(_is_on(generator.params.get(name)) for name in _FLIPS)


def _is_on(value: Item | None) -> bool:
    """Whether a switch is on; one that only a run shows counts as such."""
    return value is not None and (not isinstance(value, Const) or bool(value.value))


def _size(value: Item | None) -> float:
    if isinstance(value, Const) and isinstance(value.value, int | float):
        return abs(float(value.value))
    if isinstance(value, Seq):
        return max((_size(each) for each in value.items), default=0.0)
    return 0.0


def _of_generator(generator: Generator) -> float:
    total = 0.0
    for name, value in generator.params.items():
        if name in _SWITCHES:
            total += _is_on(value)
        elif name in _ONE_STEP:
            total += min(_size(value) / _ONE_STEP[name], 3.0)
    return total


def _of_layers(found: list[Applied]) -> float:
    total = 0.0
    for each in found:
        layer = each.layer
        assert isinstance(layer, Layer)
        if layer.kind in _ONE_STEP:
            first = next((v for k, v in layer.params.items() if k.endswith("factor")), None)
            total += min(_size(first) / _ONE_STEP[layer.kind], 3.0)
        else:
            total += 1
    return total


def knobs(analysis: Analysis) -> list[Knob]:
    """``augmentation``, or nothing where images cannot be told from other input."""
    shape = analysis.input_shape
    if shape is not None and len(shape) != 3:
        return []
    generator, found = analysis.generator, analysis.augmenting
    value = _level(generator, found)
    site = generator.call if generator else None
    if site is None:
        layer = (found or analysis.own or [None])[0]  # type: ignore[list-item]
        site = layer.layer.call if layer is not None else None
    knob = Knob("augmentation", value, Choices(AUGMENTATION), site)
    return [knob.hold(_reason(analysis))]


def _reason(analysis: Analysis) -> str | None:
    """Why the level cannot be changed, or None."""
    generator = analysis.generator
    if _by_arguments(analysis) and generator is not None:
        if analysis.augmenting:
            return "the script augments both in its generator and by layers"
        if any(keyword.arg is None for keyword in generator.node.keywords):
            return "the generator's arguments come from a dictionary"
        return None
    if generator is not None and _of_generator(generator) > 0:
        return "the generator is augmented for training and validation at once"
    units = [innermost(analysis.sources, each) for each in analysis.augmenting]
    if any(unit is None or not unit.added for unit in units):
        return "the script has augmentation layers of its own"
    if units:
        return None
    return None if _start(analysis) else "the first layer does not stand on a line of its own"


def _by_arguments(analysis: Analysis) -> bool:
    """Whether the level is said to the generator; not where it draws the validation, too."""
    generator = analysis.generator
    if generator is None:
        return False
    validation = analysis.validation_data
    shared = validation is not None and validation.generator is generator
    return not shared or _of_generator(generator) > 0 or _is_noted(analysis, generator)


def _is_noted(analysis: Analysis, generator: Generator) -> bool:
    """Whether a tweak has changed the generator's arguments."""
    source = analysis.sources(generator.call.path)
    offsets = [source.site(each.value).end for each in generator.node.keywords]
    found = [name for offset in offsets for name in notes.notes_at(source, offset)]
    return any(name.startswith(f"{_NOTE}.") for name in found)


def set_augmentation(change: Change, wanted: str) -> None:
    """Bring the script to a level. Raises CannotRewrite."""
    analysis = change.analysis
    if analysis.augmenting or not _by_arguments(analysis):
        _set_layers(change, wanted)
    else:
        assert analysis.generator is not None
        _set_arguments(change, analysis.generator, wanted)


# --- as arguments of the generator


def _set_arguments(change: Change, generator: Generator, wanted: str) -> None:
    analysis = change.analysis
    source = analysis.sources(generator.call.path)
    restored = _arguments(change, generator, None)
    if restored is not None:
        found = change.look(restored)
        if found.generator is not None and _level(found.generator, []) == wanted:
            change.take(found)
            return
    files = _arguments(change, generator, ARGUMENTS[wanted])
    if files is None:
        raise CannotRewrite(f"The generator in {source.path} cannot be changed.")
    change.put(files)


def _arguments(
    change: Change, generator: Generator, wanted: dict[str, Value] | None
) -> dict[str, bytes] | None:
    """The file with the generator at a level, or as the pusher wrote it (None)."""
    source = change.analysis.sources(generator.call.path)
    draft = notes.Draft(source)
    node = generator.node
    present: dict[str, ast.expr] = {k.arg: k.value for k in node.keywords if k.arg is not None}
    ours = {*_ONE_STEP, *_SWITCHES}
    missing = dict(wanted or {})
    try:
        for name, value in present.items():
            if name not in ours:
                continue
            site = source.site(value)
            key = f"{_NOTE}.{name}"
            known = notes.notes_at(source, site.end).get(key)
            target = missing.pop(name, None)
            if known == notes.ABSENT:
                if target is None:
                    _drop(draft, node, name)
                    draft.note(site.end, key, None)
                else:
                    draft.replace(site, repr(target))
                continue
            original = known if known is not None else source.at(site)
            if wanted is None:
                text = original
            else:
                text = repr(target if target is not None else _NEUTRAL.get(name, 0.0))
                if name == "brightness_range" and target is None:
                    text = "None"
            if text != source.at(site):
                draft.replace(site, text)
            draft.note(site.end, key, None if text == original else original)
        _append(draft, node, missing)
    except notes.NoRoomError as error:
        if wanted is None:
            return None
        raise CannotRewrite(f"The augmentation in {source.path} is held: {error}.") from error
    return draft.raw()


def _drop(draft: notes.Draft, node: ast.Call, name: str) -> None:
    """Take out a keyword that a tweak appended, with the comma before it."""
    source = draft.source
    keyword = next(each for each in node.keywords if each.arg == name)
    end = source.site(keyword.value).end
    before = [end_of(source, each, source.site(node).end - 1) for each in given_arguments(node)]
    start = max((each for each in before if each < end), default=source.site(node.func).end + 1)
    draft.replace(Site(source.path, start, end), "")


def _append(draft: notes.Draft, node: ast.Call, values: dict[str, Value]) -> None:
    if not values:
        return
    text = ", ".join(f"{name}={value!r}" for name, value in values.items())
    position = append_argument(draft, node, text)
    for name in values:
        draft.note(position, f"{_NOTE}.{name}", notes.ABSENT)


# --- as layers


def _start(analysis: Analysis) -> tuple[Unit, Applied] | None:
    """The unit of the first layer, and that layer."""
    own = [each for each in analysis.own if kind_of(each) not in AUGMENTING]
    if not own or analysis.base is not None:
        return None
    first = own[0]
    is_input = kind_of(first) in ("Input", "InputLayer")
    unit = innermost(analysis.sources, first)
    layer = first.layer
    if unit is None or not isinstance(layer, Layer) or not unit.holds(layer.call):
        return None
    if unit.form == "inline" or (unit.form == "add" and not unit.owner):
        return None
    if unit.form == "assign" and (not is_input or _consumer(unit, own) is None):
        return None
    return unit, first


def _consumer(unit: Unit, own: list[Applied]) -> Site | None:
    """Where the first layer takes the input tensor by its name; None where it is not so plain."""
    if len(own) < 2 or not isinstance(own[1].layer, Layer):
        return None
    frames = own[1].frames
    if not frames or frames[-1].site.path != unit.site.path:
        return None
    names = [
        node
        for node in ast.walk(frames[-1].node)
        if isinstance(node, ast.Name) and node.id == unit.target and isinstance(node.ctx, ast.Load)
    ]
    takers = [each for each in own[1:] if any(x.layer is own[0].layer for x in each.inputs)]
    if len(names) != 1 or len(takers) != 1:
        return None
    return unit.source.site(names[0])


def _set_layers(change: Change, wanted: str) -> None:
    present = change.analysis.augmenting
    units = [innermost(change.analysis.sources, each) for each in present]
    if any(unit is None or not unit.added for unit in units):
        raise CannotRewrite("The script has augmentation layers of its own.")
    if units:
        _remove_layers(change, [unit for unit in units if unit is not None])
    if wanted != "none":
        _add_layers(change, wanted)
    change.apply(unused_imports(change))


def _remove_layers(change: Change, units: list[Unit]) -> None:
    edits: list[Edit] = [edit for unit in units for edit in unit.removed(_NOTE)]
    last = units[-1]
    if last.form == "assign":
        source = last.source
        own = [each for each in change.analysis.own if kind_of(each) not in AUGMENTING]
        site = _consumer(last, own) if len(own) > 1 else None
        site = site or _named(last, own)
        if site is None:
            raise CannotRewrite("The augmentation layers cannot be taken out again.")
        original = notes.notes_at(source, site.end).get(_NOTE)
        if original is None:
            raise CannotRewrite("The augmentation layers cannot be taken out again.")
        draft = notes.Draft(source)
        draft.replace(site, original)
        draft.note(site.end, _NOTE, None)
        edits += draft.edits()
    change.apply(edits)


def _named(unit: Unit, own: list[Applied]) -> Site | None:
    """Where the layer behind the augmentation takes its result by name."""
    if len(own) < 2 or not own[1].frames:
        return None
    for node in ast.walk(own[1].frames[-1].node):
        if not isinstance(node, ast.Name) or node.id != unit.target:
            continue
        if isinstance(node.ctx, ast.Load):
            return unit.source.site(node)
    return None


def _add_layers(change: Change, wanted: str) -> None:
    analysis = change.analysis
    found = _start(analysis)
    if found is None:
        raise CannotRewrite("The first layer does not stand on a line of its own.")
    unit, first = found
    path = unit.site.path
    assert isinstance(first.layer, Layer)
    like = unit.source.at(first.layer.callee)
    if kind_of(first) == "Input" and len(analysis.own) > 1:
        second = analysis.own[1].layer
        if isinstance(second, Layer) and second.callee.path == path:
            like = unit.source.at(second.callee)
    texts: list[str] = []
    edits: list[Edit] = []
    shape = _shape_text(unit, first)
    for index, (name, arguments) in enumerate(LAYERS[wanted]):
        spelled = imports.spelling(analysis, unit.site, "layers", name, like)
        edits += spelled.edits
        texts.append(f"{spelled.text}({arguments}{shape if index == 0 else ''})")
    if unit.form == "assign":
        draft = notes.Draft(unit.source)
        own = [each for each in analysis.own if kind_of(each) not in AUGMENTING]
        site = _consumer(unit, own)
        assert site is not None
        name = _free_name(analysis, path)
        lines = [
            f"{unit.indent}{name} = {text}({unit.target if i == 0 else name}){notes.ADDED}"
            for i, text in enumerate(texts)
        ]
        draft.replace(site, name)
        draft.note(site.end, _NOTE, unit.target)
        change.apply([*edits, *draft.edits(), unit.after(lines)])
        return
    lines = [unit.line(text) for text in texts]
    is_input = kind_of(first) in ("Input", "InputLayer")
    change.apply([*edits, unit.after(lines) if is_input else unit.before(lines)])


def _shape_text(unit: Unit, first: Applied) -> str:
    """The input shape as the first layer declares it, for the layer that comes to stand before."""
    layer = first.layer
    if not isinstance(layer, Layer) or layer.kind in ("Input", "InputLayer"):
        return ""
    for keyword in layer.node.keywords:
        if keyword.arg in ("input_shape", "batch_input_shape"):
            text = " ".join(unit.source.at(unit.source.site(keyword.value)).split())
            return f", {keyword.arg}={text}"
    return ""


def _free_name(analysis: Analysis, path: str) -> str:
    used = {node.id for node in ast.walk(analysis.sources(path).tree) if isinstance(node, ast.Name)}
    name = "augmented"
    while name in used:
        name += "_images"
    return name
