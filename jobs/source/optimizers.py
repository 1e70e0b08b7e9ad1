"""Rewriting the optimizer and its values, given as a text or as an object."""

from collections.abc import Mapping
from typing import Any

from jobs.source import imports, notes
from jobs.source.additions import unused_imports
from jobs.source.analysis import Analysis
from jobs.source.change import CannotRewrite, Change
from jobs.source.evaluate.names import LEARNING_RATES, OPTIMIZERS, WEIGHT_DECAYS
from jobs.source.evaluate.values import Const, Item, Layer, Optimizer
from jobs.source.files import Site
from jobs.source.spelling import spelled

_NOTE = "optimizer"


def rewrite_optimizer(change: Change, name: str | None, wanted: Mapping[str, float | bool]) -> bool:
    """Set the optimizer's name and what it is called with, where the script gave (or gives) a text.

    Returns False where it is the pusher's own object, whose values are changed like any other.
    Raises CannotRewrite.
    """
    analysis = change.analysis
    found = analysis.optimizer
    if isinstance(found, Const) and isinstance(found.value, str):
        site = found.site
        if site is None:
            raise CannotRewrite("The optimizer's name is not written in the script.")
        new_name = name or found.value.lower()
        arguments = _arguments(new_name, wanted)
        if arguments:
            source = analysis.sources(site.path)
            _introduce(change, site, source.at(site), new_name, arguments)
        else:
            _rename(change, found, new_name)
        return True
    if isinstance(found, Optimizer):
        original = _original(analysis, found)
        if original is None:
            return False
        new_name = name or found.name.lower()
        given = {key: _constant(item) for key, item in found.params.items()}
        arguments = _arguments(new_name, {**given, **wanted})
        if arguments:
            _introduce(change, found.call, original, new_name, arguments)
        else:
            draft = notes.Draft(analysis.sources(found.call.path))
            draft.replace(found.call, _as_text(original, new_name))
            draft.note(found.call.end, _NOTE, None)
            change.put(draft.raw())
        change.apply(unused_imports(change))
        return True
    return False


def _constant(item: Item) -> Any:
    return item.value if isinstance(item, Const) else None


def _arguments(name: str, values: Mapping[str, Any]) -> str:
    """What an optimizer is called with that differs from Keras' defaults."""
    defaults = {
        "learning_rate": LEARNING_RATES[name],
        "use_ema": False,
        "weight_decay": WEIGHT_DECAYS.get(name, 0.0),
    }
    given = {key: values[key] for key in defaults if values.get(key) is not None}
    return ", ".join(f"{key}={each!r}" for key, each in given.items() if each != defaults[key])


def _rename(change: Change, found: Const, name: str) -> None:
    """Another name as a text: where it is defined, since nothing but ``compile`` takes it."""
    analysis = change.analysis
    site = next(
        s for s in found.trail
        if all(not isinstance(u.owner, Layer) for u in analysis.trace.uses[s])
    )  # fmt: skip
    source = analysis.sources(site.path)
    old = source.at(site)
    draft = notes.Draft(source)
    text = _as_text(old, name)
    known = notes.notes_at(source, site.end).get("optimizer.name")
    if known is not None and _as_text(known, name) == known:
        text = known
        draft.note(site.end, "optimizer.name", None)
    elif _as_text(text, found.value.lower()) != old:
        draft.note(site.end, "optimizer.name", old)
    draft.replace(site, text)
    change.put(draft.raw())


def _as_text(like: str, name: str) -> str:
    """The optimizer's name as a text in the quotes and the case of another one."""
    inner = like.strip("rRuU'\"")
    exact = OPTIMIZERS[name]
    if inner in (name, exact):
        return like
    known = OPTIMIZERS.get(inner.lower())
    return spelled(like, exact if known == inner and inner != inner.lower() else name)


def _original(analysis: Analysis, optimizer: Optimizer) -> str | None:
    """The text that a tweak replaced by this object, where it did."""
    source = analysis.sources(optimizer.call.path)
    return notes.notes_at(source, optimizer.call.end).get(_NOTE)


def _introduce(change: Change, site: Site, original: str, name: str, arguments: str) -> None:
    """Write the optimizer as an object with its arguments, and its import."""
    analysis = change.analysis
    source = analysis.sources(site.path)
    found = imports.spelling(
        analysis, site, "optimizers", OPTIMIZERS[name], imports.like_layers(analysis, source)
    )
    draft = notes.Draft(source)
    draft.replace(site, f"{found.text}({arguments})")
    draft.note(site.end, _NOTE, original)
    change.apply([*draft.edits(), *found.edits])


def rename_object(change: Change, name: str) -> None:
    """Another class for the pusher's own optimizer object. Raises CannotRewrite."""
    analysis = change.analysis
    found = analysis.optimizer_object
    if found is None:
        raise CannotRewrite("The script's optimizer has no name that can be changed.")
    source = analysis.sources(found.callee.path)
    old = source.at(found.callee)
    known = notes.notes_at(source, found.call.end).get("optimizer.name")
    draft = notes.Draft(source)
    if known is not None and known.rpartition(".")[2].lower() == name:
        draft.replace(found.callee, known)
        draft.note(found.call.end, "optimizer.name", None)
        change.put(draft.raw())
        change.apply(unused_imports(change))
        return
    spelling = imports.spelling(analysis, found.callee, "optimizers", OPTIMIZERS[name], old)
    draft.replace(found.callee, spelling.text)
    back = imports.spelling(analysis, found.callee, "optimizers", found.name, spelling.text)
    if back.text != old:
        draft.note(found.call.end, "optimizer.name", old)
    change.apply([*draft.edits(), *spelling.edits])
    change.apply(unused_imports(change))
