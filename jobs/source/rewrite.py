"""Apply a tweak to a script: the lines of what changes, and no other."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from jobs.source import augmentation, blocks, dropout, knobs, normalisation, notes, plateau
from jobs.source.additions import append_argument, unused_imports
from jobs.source.analysis import Analysis
from jobs.source.change import CannotRewrite, Change
from jobs.source.files import Checkout, Site, UnreadableError
from jobs.source.hyperparameters import Knob, Missing, Written
from jobs.source.optimizers import rename_object, rewrite_optimizer
from jobs.source.script import Tweak, Value
from jobs.source.spelling import comes_back, spelled

__all__ = ["CannotRewrite", "rewrite"]

_STRUCTURE = ("blocks", "batch_norm", "augmentation")
_AVERAGES = "optimizer.use_ema"
_COMMA = re.compile(r" *, *")
_OPTIMIZER = ("optimizer.name", "optimizer.learning_rate", _AVERAGES, "optimizer.weight_decay")


def rewrite(
    root: Path,
    script: str,
    tweak: Tweak,
    hold: Collection[str] = (),
    allow: Collection[str] = (),  # noqa: ARG001 - the input shape is always held, allowed or not
) -> dict[str, bytes]:
    """The files that the tweak changes: path relative to the root -> new content.

    Raises CannotRewrite where a name is unknown or held, where a value is out of what can be
    built, and where the tweak could not be undone to the byte.
    """
    before = Checkout(root)
    after = tweaked(before, script, tweak, hold)
    values, left = _values(before, script, hold), _values(after, script, hold)
    # A block that goes takes its convolutions along: to come back, it has to be told their values.
    back = {
        name: value
        for name, value in values.items()
        if name in tweak or (name.startswith("conv") and name not in left)
    }
    undone = tweaked(after, script, back, hold)
    for path in undone.changed:
        if undone.changed[path] != before.read_bytes(path):
            raise CannotRewrite(f"The tweak of {path} could not be undone to the byte.")
    return {
        path: content
        for path, content in sorted(after.changed.items())
        if content != before.read_bytes(path)
    }


def _values(checkout: Checkout, script: str, hold: Collection[str]) -> dict[str, Value]:
    return {knob.name: knob.value for knob in knobs.found(_start(checkout, script, hold).analysis)}


def _start(checkout: Checkout, script: str, hold: Collection[str]) -> Change:
    try:
        return Change(checkout, script, hold)
    except UnreadableError as error:
        raise CannotRewrite(f"{script} {error.reason}.") from error


def tweaked(checkout: Checkout, script: str, tweak: Tweak, hold: Collection[str] = ()) -> Checkout:
    """The checkout with the tweak applied. Raises CannotRewrite."""
    change = _start(checkout, script, hold)
    broken = bool(change.analysis.errors)
    rest = dict(tweak)
    if _AVERAGES in rest and not _reads(change.analysis, _AVERAGES, rest[_AVERAGES]):
        normalisation.follow_averages(change)
    for name in _STRUCTURE:
        if name in rest:
            _restructure(change, name, rest.pop(name), tweak)
    _change_optimizer(change, rest)
    for name in sorted(rest, key=lambda each: (not each.startswith("dropout"), each)):
        _set(change, name, rest[name])
    _check(change.analysis, script, tweak, broken)
    return change.checkout


def _knob(analysis: Analysis, name: str) -> Knob:
    """Raises CannotRewrite where there is none, or it is held."""
    found = next((each for each in knobs.found(analysis) if each.name == name), None)
    if found is None:
        raise CannotRewrite(f"{analysis.script} has no hyperparameter {name}.")
    if found.held is not None:
        raise CannotRewrite(f"{name} in {analysis.script} is held: {found.held}.")
    return found


def _same(first: Value, second: Value) -> bool:
    return first == second and isinstance(first, bool) == isinstance(second, bool)


def _restructure(change: Change, name: str, value: Value, tweak: Tweak) -> None:
    knob = _knob(change.analysis, name)
    if _same(knob.value, value):
        return
    if name == "blocks":
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise CannotRewrite(f"blocks takes a number from 1, not {value!r}.")
        if value > blocks.MOST_BLOCKS + len(change.analysis.blocks):
            raise CannotRewrite(f"{value} blocks are more than any image bears.")
        while len(change.analysis.blocks) < value:
            _step(change, blocks.add_block, tweak)
        while len(change.analysis.blocks) > value:
            _step(change, blocks.remove_block)
    elif name == "batch_norm":
        if not isinstance(value, bool):
            raise CannotRewrite(f"batch_norm takes true or false, not {value!r}.")
        averaged = value and _averages(change, tweak)
        normalisation.set_batch_norm(change, value, averaged=averaged)
    else:
        if value not in augmentation.ARGUMENTS:
            levels = ", ".join(augmentation.ARGUMENTS)
            raise CannotRewrite(f"augmentation takes one of {levels}, not {value!r}.")
        augmentation.set_augmentation(change, str(value))


def _averages(change: Change, tweak: Tweak) -> bool:
    """Whether the optimizer will average the weights."""
    found = (each.value for each in knobs.found(change.analysis) if each.name == _AVERAGES)
    return tweak.get(_AVERAGES, next(found, False)) is True


def _step(change: Change, action: object, *arguments: object) -> None:
    """One block more or fewer; an action that changes nothing must not be tried for ever."""
    before = len(change.analysis.blocks)
    assert callable(action)
    action(change, *arguments)
    if len(change.analysis.blocks) == before:
        raise CannotRewrite(f"The blocks of {change.script} cannot be changed.")


def _change_optimizer(change: Change, rest: dict[str, Value]) -> None:
    """Its values go together where the script gives no object."""
    wanted = {key: rest[key] for key in _OPTIMIZER if key in rest}
    if not wanted:
        return
    current = {k.name: k.value for k in knobs.found(change.analysis)}
    for key, value in wanted.items():
        _valid(_knob(change.analysis, key), value)
    name = wanted.get("optimizer.name")
    # A whole number is written as the fraction that it is to Keras.
    values = {
        key.removeprefix("optimizer."): value if isinstance(value, bool) else float(value)
        for key, value in wanted.items()
        if not isinstance(value, str)
    }
    if all(_same(current[key], value) for key, value in wanted.items()) or rewrite_optimizer(
        change, None if name is None else str(name), values
    ):
        for key in wanted:
            del rest[key]
    elif name is not None:
        rest.pop("optimizer.name")
        if not _same(current["optimizer.name"], name):
            rename_object(change, str(name))


def _valid(knob: Knob, value: Value) -> None:
    """Raises CannotRewrite where a value is none that Keras could build or train with."""
    name = knob.name
    wrong = f"{name} cannot be {value!r}"
    if isinstance(knob.value, str | bool):
        if type(value) is not type(knob.value):
            raise CannotRewrite(f"{wrong}: it takes a {type(knob.value).__name__}.")
        if name == "optimizer.name" and value not in _names():
            raise CannotRewrite(f"{wrong}: Keras has no such optimizer.")
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CannotRewrite(f"{wrong}: it takes a number.")
    if isinstance(knob.value, int) and not isinstance(value, int):
        raise CannotRewrite(f"{wrong}: it takes a whole number.")
    if name.endswith((".rate", ".weight_decay")):
        if not 0 <= value < 1:
            raise CannotRewrite(f"{wrong}: it lies between 0 and 1.")
    elif not 0 < value < float("inf"):
        raise CannotRewrite(f"{wrong}: it has to be more than 0.")


def _names() -> tuple[str, ...]:
    from jobs.source.evaluate.names import OPTIMIZERS

    return tuple(OPTIMIZERS)


def _set(change: Change, name: str, value: Value) -> None:
    """Change one value. Raises CannotRewrite."""
    if _reads(change.analysis, name, value):
        return
    knob = _knob(change.analysis, name)
    _valid(knob, value)
    if name == plateau.NAME:
        plateau.set_plateau(change, value is True)
        return
    if knob.target is None and name.endswith(".rate"):
        dropout.add_dropout(change, float(value))
        return
    if name.endswith(".rate") and value == 0 and dropout.removes_dropout(change, name):
        return
    if isinstance(knob.target, Missing):
        _add_keyword(change, knob, knob.target, value)
    elif isinstance(knob.target, Written):
        _replace(change, knob, knob.target.site, value)
    else:
        raise CannotRewrite(f"{name} in {change.script} has no place where it could be changed.")


def _replace(change: Change, knob: Knob, site: Site, value: Value) -> None:
    source = change.analysis.sources(site.path)
    known = notes.notes_at(source, site.end).get(knob.name)
    draft = notes.Draft(source)
    if known is not None:
        _put_back(draft, knob, site, known)
        found = change.look(draft.raw())
        if _reads(found, knob.name, value):
            change.take(found)
            change.apply(unused_imports(change))
            return
        draft = notes.Draft(source)
    old = source.at(site)
    style = known if known is not None and known != notes.ABSENT else old
    text = spelled(old if comes_back(old, knob.value, value) else style, value)
    if isinstance(value, float) and isinstance(knob.value, float) and text == old:
        text = repr(value)
    draft.replace(site, text)
    if known is None and not comes_back(old, knob.value, value):
        try:
            draft.note(site.end, knob.name, old)
        except notes.NoRoomError as error:
            raise CannotRewrite(f"{knob.name} cannot be changed: {error}.") from error
    found = change.look(draft.raw())
    if not _reads(found, knob.name, value):
        # A tuple of names, or whatever else a number does not replace on its own.
        raise CannotRewrite(f"{knob.name} cannot be written as {text} where it stands.")
    change.take(found)


def _put_back(draft: notes.Draft, knob: Knob, site: Site, known: str) -> None:
    """What a tweak replaced stands again: an expression, or no keyword at all."""
    draft.note(site.end, knob.name, None)
    if known != notes.ABSENT:
        draft.replace(site, known)
        return
    source = draft.source
    start = source.text.rfind(knob.name.rpartition(".")[2], 0, site.start)
    text, end = source.text[:start].rstrip(" "), site.end
    if text.endswith(","):
        text = text[:-1]
    elif follows := _COMMA.match(source.text, end):
        end = follows.end()  # it is the first of a call that had none
    draft.replace(Site(site.path, len(text), end), "")


def _reads(analysis: Analysis, name: str, value: Value) -> bool:
    return any(each.name == name and _same(each.value, value) for each in knobs.found(analysis))


def _add_keyword(change: Change, knob: Knob, target: Missing, value: Value) -> None:
    """Say what a call left to Keras. Raises CannotRewrite."""
    import ast

    source = change.analysis.sources(target.call.path)
    node = next(
        (each for each in ast.walk(source.tree)
         if isinstance(each, ast.Call) and source.site(each) == target.call),
        None,
    )  # fmt: skip
    if node is None:
        raise CannotRewrite(f"{knob.name} in {change.script} has no place where it could stand.")
    draft = notes.Draft(source)
    position = append_argument(draft, node, f"{target.keyword}={value!r}")
    try:
        draft.note(position, knob.name, notes.ABSENT)
    except notes.NoRoomError as error:
        raise CannotRewrite(f"{knob.name} cannot be added: {error}.") from error
    change.put(draft.raw())


def _check(analysis: Analysis, script: str, tweak: Mapping[str, Value], broken: bool) -> None:
    """The result says what the tweak says and can be built. Raises CannotRewrite.

    A script that could not be built before (``broken``) is no worse for a tweak.
    """
    if analysis.errors and not broken:
        raise CannotRewrite(f"{script} could not be built: {analysis.errors[0]}")
    found = {each.name: each.value for each in knobs.found(analysis)}
    for name, value in tweak.items():
        if name not in found:
            raise CannotRewrite(f"{script} has no hyperparameter {name}.")
        if not _same(found[name], value):
            raise CannotRewrite(
                f"{name} would be {found[name]!r} in {script}, not {value!r}: "
                "other values of the tweak change it."
            )
