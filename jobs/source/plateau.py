"""A learning rate that is reduced where validation comes no further: a callback of ``fit``."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from jobs.source import imports, notes
from jobs.source.additions import end_of, given_arguments, is_added_line, unused_imports
from jobs.source.analysis import Analysis
from jobs.source.change import CannotRewrite, Change
from jobs.source.evaluate.names import FIT_PARAMETERS, canonical
from jobs.source.evaluate.values import Fit, Item, Optimizer, Ref, Schedule, Seq
from jobs.source.files import Site, Source
from jobs.source.hyperparameters import FIXED, Knob
from jobs.source.script import Choices
from jobs.source.steady import speaks_of_schedule
from jobs.source.units import AFTER_ELEMENT, after, without_lines

NAME = "fit.reduce_lr_on_plateau"
_CLASS = "ReduceLROnPlateau"
_SETTINGS = "factor=0.3, patience=3"
_KEYWORD = "callbacks"
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_WHOLE = f"fit.{_KEYWORD}"
"""What a note says was absent where the call had no callbacks; ``NAME`` is it in a list."""
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_NO_METHOD = "fit is not called as a method of the model"
_ARGUMENTS_VARY = "the arguments of fit are put together as the script runs"
_CALLBACKS_VARY = "the callbacks are put together as the script runs"
_NO_LIST = "the callbacks are not written as a list"
_ELSEWHERE = "the list of callbacks is used elsewhere, too"
_NO_COMMENT = "its line cannot take a comment"


@dataclass(frozen=True)
class _Row:
    """The elements of a list, or the arguments of a call, up to ``stop``, where it closes."""

    source: Source
    items: Sequence[ast.expr | ast.keyword]
    stop: int

    @property
    def end(self) -> int:
        """Where another item can follow."""
        return end_of(self.source, self.items[-1], self.stop) if self.items else self.stop

    @property
    def indent(self) -> str | None:
        """What another item's own line begins with; None where the items do not stand on lines."""
        if not self.items or self.source.text[self.stop : self.stop + 1] not in (")", "]"):
            return None
        start = self.source.line_start(self.source.site(self.items[-1]).start)
        sites = [self.source.site(each) for each in self.items]
        before = next(self.source.text[start : each.start] for each in sites if each.start >= start)
        rest = self.source.text[self.end : self.source.line_end(self.end)]
        return None if before.strip() or not AFTER_ELEMENT.match(rest) else before

    def span(self, item: ast.expr | ast.keyword) -> Site:
        """An item, with the comma that came with it."""
        site, index = self.source.site(item), self.items.index(item)
        if index:
            return replace(site, start=end_of(self.source, self.items[index - 1], site.start))
        comma = _COMMA.match(self.source.text, site.end)
        return replace(site, end=comma.end()) if comma else site


@dataclass(frozen=True)
class _Callbacks:
    """What a call of ``fit`` is given as callbacks; ``unclear`` says why none can be added."""

    source: Source
    call: ast.Call
    given: ast.expr | None = None
    written: ast.List | ast.Tuple | None = None
    unclear: str | None = None

    @property
    def arguments(self) -> _Row:
        stop = self.source.site(self.call).end - 1
        return _Row(self.source, given_arguments(self.call), stop)

    @property
    def row(self) -> _Row:
        """Where the callback comes to stand: among others, or as one more argument."""
        if self.written is None:
            return self.arguments
        site = self.source.site(self.written)
        text = self.source.at(site)
        has_brackets = isinstance(self.written, ast.List) or _is_bracketed(text)
        return _Row(self.source, self.written.elts, site.end - has_brackets)

    @cached_property
    def added(self) -> ast.expr | None:
        """The callback that a tweak added."""
        elements = self.written.elts if self.written else []
        return next((each for each in elements if self._is_added(each)), None)

    def _is_added(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Call) or self._last_name(node.func) != _CLASS:
            return False
        site = self.source.site(node)
        known = notes.notes_at(self.source, site.end)
        return NAME in known or _WHOLE in known or notes.is_added(self.source, site)

    @staticmethod
    def _last_name(node: ast.expr) -> str | None:
        if isinstance(node, ast.Attribute):
            return node.attr
        return node.id if isinstance(node, ast.Name) else None

    @property
    def added_argument(self) -> ast.keyword | None:
        """The argument that came with the callback, where it holds no other by now."""
        keyword = next((each for each in self.call.keywords if each.value is self.written), None)
        if keyword is None or self.added is None or self.row.items != [self.added]:
            return None
        site = self.source.site(keyword)
        is_noted = _WHOLE in notes.notes_at(self.source, site.end)
        return keyword if is_noted or is_added_line(self.source, site) else None


def _is_bracketed(text: str) -> bool:
    """Whether the brackets at a tuple's ends are its own, and not those of its elements."""
    try:
        return text.startswith("(") and ast.parse(f"[{text[1:-1]}]") is not None
    except SyntaxError:
        return False


def knobs(analysis: Analysis) -> list[Knob]:
    """Whether the rate is reduced; nothing where it follows a schedule, or there is no ``fit``."""
    fit = analysis.fit
    if fit is None or _has_schedule(analysis):
        return []
    found = _callbacks(analysis, fit)
    if any(
        _CLASS in text or speaks_of_schedule(text)
        for path in (analysis.script, *analysis.modules)
        for text in [_of_pusher(analysis.sources(path), found)]
    ):
        return []
    choices = Choices((False, True))
    if found.added is not None:
        return [Knob(NAME, True, choices, found.source.site(found.added))]
    site = found.source.site(found.written or found.given or found.call)
    return [Knob(NAME, False, choices, site).hold(found.unclear or _no_room(found))]


def _has_schedule(analysis: Analysis) -> bool:
    optimizer = analysis.optimizer
    return isinstance(optimizer, Optimizer) and isinstance(
        optimizer.params.get("learning_rate"), Schedule
    )


def _of_pusher(source: Source, found: _Callbacks) -> str:
    """A file's text without the callback that a tweak added, and the lines that tweaks did."""
    text = source.text
    if found.added is not None and found.source is source:
        site = source.site(found.added)
        text = text[: site.start] + text[site.end :]
    return "".join(line for line in text.splitlines(keepends=True) if not notes.tells_added(line))


def _no_room(found: _Callbacks) -> str | None:
    """Why the line where the callback would stand takes none."""
    row = found.row
    if row.indent is not None:
        return None
    if notes.is_fixed(found.source, Site(found.source.path, row.end, row.end)):
        return FIXED
    return None if notes.takes_comment(found.source, row.end) else _NO_COMMENT


# --- where the callbacks are written


def _callbacks(analysis: Analysis, fit: Fit) -> _Callbacks:
    found = _Callbacks(analysis.sources(fit.site.path), fit.node)
    if not all(_is_method(each) for each in analysis.trace.fits if each.model is fit.model):
        return replace(found, unclear=_NO_METHOD)
    given = next((each.value for each in fit.node.keywords if each.arg == _KEYWORD), None)
    if given is None:
        position = FIT_PARAMETERS[fit.name].index(_KEYWORD)
        unknown = [*(each for each in fit.node.args if isinstance(each, ast.Starred)),
                   *(each for each in fit.node.keywords if each.arg is None)]  # fmt: skip
        if unknown:
            return replace(found, unclear=_ARGUMENTS_VARY)
        if len(fit.node.args) <= position:
            return found
        given = fit.node.args[position]
    found = replace(found, given=given)
    if isinstance(given, ast.List | ast.Tuple):
        return replace(found, written=given)
    if isinstance(given, ast.Constant):
        return replace(found, unclear=_NO_LIST)
    written = _definition(found.source, given, fit.params.get(_KEYWORD))
    if written is None or not isinstance(given, ast.Name):
        return replace(found, unclear=_CALLBACKS_VARY)
    if _is_used_elsewhere(analysis, found.source, given.id):
        return replace(found, unclear=_ELSEWHERE)
    return replace(found, written=written)


def _is_method(fit: Fit) -> bool:
    """Not so of wrappers, of what ``getattr`` gives, and of partial functions."""
    return isinstance(fit.node.func, ast.Attribute) and fit.node.func.attr == fit.name


def _definition(source: Source, given: ast.expr, value: Item | None) -> ast.List | ast.Tuple | None:
    """The list that a name stands for, where it is written once and nothing is done to it."""
    if not isinstance(given, ast.Name) or not isinstance(value, Seq):
        return None
    nodes = list(ast.walk(source.tree))
    changes = [each for each in nodes if _names(each, given.id) and not _is_read(each)]
    methods = [each for each in nodes if isinstance(each, ast.Attribute | ast.Subscript)
               and _names(each.value, given.id)]  # fmt: skip
    if len(changes) != 1 or methods:
        return None
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not isinstance(node, ast.Assign | ast.AnnAssign) or targets != changes:
            continue
        if isinstance(node.value, ast.List | ast.Tuple):
            return node.value if (source.site(node.value),) == value.trail[:1] else None
    return None


def _names(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_read(node: ast.AST) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Load)


def _is_used_elsewhere(analysis: Analysis, source: Source, name: str) -> bool:
    """Whether a list is read more than once, or another file may read it."""
    reads = [each for each in ast.walk(source.tree) if _names(each, name) and _is_read(each)]
    others = [analysis.sources(path) for path in (analysis.script, *analysis.modules)]
    return len(reads) != 1 or any(
        getattr(node, field, None) == name
        for other in others
        if other is not source
        for node in ast.walk(other.tree)
        for field in ("id", "attr", "name")
    )


# --- the change


def set_plateau(change: Change, wanted: bool) -> None:
    """Add the callback to those of ``fit``, or take it out again. Raises CannotRewrite."""
    fit = change.analysis.fit
    if fit is None:
        raise CannotRewrite(f"{change.script} does not train by fit.")
    found = _callbacks(change.analysis, fit)
    if wanted:
        _add(change, found)
    else:
        _take_out(change, found)


def _add(change: Change, found: _Callbacks) -> None:
    spelled = _spelling(change.analysis, found)
    source, row = found.source, found.row
    text = f"{spelled.text}({_SETTINGS})"
    note = NAME
    if found.written is None:
        text, note = f"{_KEYWORD}=[{text}]", _WHOLE
    if row.indent is not None:
        line = f"{row.indent}{text},{notes.ADDED}"
        change.apply([after(source, row.end, [line]), *spelled.edits])
        return
    if row.items:
        text = f", {text}"
    elif isinstance(found.written, ast.Tuple):
        text = f"{text},"
    draft = notes.Draft(source)
    draft.insert(row.end, text)
    try:
        draft.note(row.end, note, notes.ABSENT)
    except notes.NoRoomError as error:
        raise CannotRewrite(f"{NAME} cannot be added: {error}.") from error
    change.apply([*draft.edits(), *spelled.edits])


def _take_out(change: Change, found: _Callbacks) -> None:
    source, argument, item = found.source, found.added_argument, found.added
    if item is None:
        raise CannotRewrite(f"The callback of {NAME} is not to be found in {change.script}.")
    row = found.row if argument is None else found.arguments
    site = source.site(argument or item)
    if is_added_line(source, site):
        change.apply([without_lines(source, site)])
    else:
        draft = notes.Draft(source)
        draft.replace(row.span(argument or item), "")
        draft.note(site.end, NAME if argument is None else _WHOLE, None)
        change.apply(draft.edits())
    change.apply(unused_imports(change))


def _spelling(analysis: Analysis, found: _Callbacks) -> imports.Spelling:
    source = found.source
    like = next(_callback_names(analysis, source), None) or imports.like_layers(analysis, source)
    call = source.site(found.call)
    spelled = imports.spelling(analysis, call, _KEYWORD, _CLASS, like)
    root, _, rest = spelled.text.partition(".")
    if rest and root in _local_names(source.tree):
        return imports.spelling(analysis, call, _KEYWORD, _CLASS, "")
    return spelled


def _callback_names(analysis: Analysis, source: Source) -> Iterator[str]:
    """How the file writes the callbacks of Keras that it makes."""
    members = analysis.run.modules[source.path].members
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            text = source.at(source.site(node.func))
            root, *rest = text.split(".")
            known = members.get(root)
            if isinstance(known, Ref) and canonical(".".join([known.name, *rest])).startswith(
                f"keras.{_KEYWORD}."
            ):
                yield text


def _local_names(tree: ast.Module) -> set[str]:
    """What stands for something else within a function than outside."""
    functions = [each for each in ast.walk(tree) if isinstance(each, _FUNCTIONS)]
    inside = [node for each in functions for node in ast.walk(each)]
    named = {node.arg for node in inside if isinstance(node, ast.arg)}
    return named | {n.id for n in inside if isinstance(n, ast.Name) and not _is_read(n)}
