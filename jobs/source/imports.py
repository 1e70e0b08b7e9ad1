"""Names of Keras in a script's own style, with the import where there is none yet."""

import ast
from dataclasses import dataclass, field

from jobs.source.analysis import Analysis
from jobs.source.evaluate.names import canonical, layer_kind, starred
from jobs.source.evaluate.values import Item, Layer, Module, Ref
from jobs.source.files import Edit, Site, Source
from jobs.source.notes import ADDED, is_added
from jobs.source.units import after, without_lines


@dataclass
class Spelling:
    """How a class of Keras is written in a file, and the import that this needs."""

    text: str
    edits: list[Edit] = field(default_factory=list)


def spelling(analysis: Analysis, place: Site, package: str, name: str, like: str) -> Spelling:
    """How ``keras.<package>.<name>`` is written at a place of a file, with what stands before it.

    ``like`` is how the script writes a class of the same or a neighbouring package: a bare name
    leads to a bare name, ``layers.Conv2D`` to ``layers.<name>``.
    """
    source = analysis.sources(place.path)
    late = _imported_behind(source, place.start)
    members = {
        bound: value
        for bound, value in analysis.run.modules[place.path].members.items()
        if bound not in late
    }
    for bound, value in members.items():
        if _is(value, package, name):
            return Spelling(bound)
    if any(starred(module, name) for module in _stars(source, package, place.start)):
        return Spelling(name)
    prefix, _, _ = like.rpartition(".")
    if prefix:
        found = _dotted(members, prefix, package, name)
        if found:
            return Spelling(found)
    return _imported(source, package, name, place.start)


def like_layers(analysis: Analysis, source: Source) -> str:
    """How the file writes a layer, as the style of a new name; nothing where it has none."""
    for each in analysis.own:
        if isinstance(each.layer, Layer) and each.layer.callee.path == source.path:
            return source.at(each.layer.callee)
    return ""


def _is(value: Item, package: str, name: str) -> bool:
    if not isinstance(value, Ref) or not value.is_keras:
        return False
    today = layer_kind(value.last) or value.last
    if package == "layers":
        return today == name
    return value.last == name and f".{package}" in value.name


def _imported_behind(source: Source, position: int) -> set[str]:
    """The names that only imports below a position bind."""
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for node in source.tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found = {each.asname or each.name.partition(".")[0] for each in node.names}
            names[source.site(node).start > position] |= found
    return names[True] - names[False]


def _stars(source: Source, package: str, position: int) -> list[str]:
    return [
        node.module or ""
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom)
        and source.site(node).start < position
        and any(alias.name == "*" for alias in node.names)
        and canonical(node.module or "").startswith(f"keras.{package}")
    ]


def _dotted(members: dict[str, Item], prefix: str, package: str, name: str) -> str | None:
    """``layers.X`` beside ``layers.Conv2D``; ``keras.optimizers.X`` beside ``keras.layers.Y``."""
    first, *rest = prefix.split(".")
    root = members.get(first)
    if isinstance(root, Module) or not isinstance(root, Ref):
        return None
    full = canonical(".".join([root.name, *rest]))
    if full.startswith(f"keras.{package}"):
        return f"{prefix}.{name}"
    aliases = {
        value.name: bound
        for bound, value in members.items()
        if isinstance(value, Ref) and (value.is_keras or value.name == "tensorflow")
    }
    for module, tail in ((f"keras.{package}", ""), ("keras", f".{package}"),
                         ("tensorflow", f".keras.{package}")):  # fmt: skip
        if module in aliases:
            return f"{aliases[module]}{tail}.{name}"
    return None


def _imported(source: Source, package: str, name: str, position: int) -> Spelling:
    anchor = _anchor(source, package, position)
    root = "keras"
    if anchor is not None:
        module = anchor.module or "" if isinstance(anchor, ast.ImportFrom) else anchor.names[0].name
        root = _root(module)
    line = f"from {root}.{package} import {name}"
    if anchor is None:
        return Spelling(name, [after(source, _head(source, position), [line + ADDED])])
    site = source.site(anchor)
    indent = source.text[source.line_start(site.start) : site.start]
    position = site.end
    # Added imports stand in alphabetical order, so that the order of tweaks leaves no trace.
    following = source.next_line(position)
    while following > position and following < source.boundary(site.end):
        shown = source.text[following : source.line_end(following)]
        if not shown.startswith(f"{indent}from ") or ADDED.strip() not in shown:
            break
        if shown > indent + line:
            break
        position, following = following, source.next_line(following)
    return Spelling(name, [after(source, position, [indent + line + ADDED])])


def _root(module: str) -> str:
    """``tensorflow.keras`` of ``tensorflow.keras.layers.core``."""
    if module == "tensorflow" or module.startswith("tensorflow."):
        return "tensorflow.keras"
    return module.partition(".")[0] if module.startswith(("keras", "tf_keras")) else "keras"


def _anchor(source: Source, package: str, position: int) -> ast.Import | ast.ImportFrom | None:
    """The import before a position after which another one of Keras stands well."""
    best: tuple[int, ast.Import | ast.ImportFrom] | None = None
    for node in source.tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        site = source.site(node)
        if site.end > position or is_added(source, site):
            continue
        module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        full = canonical(module)
        if isinstance(node, ast.ImportFrom) and node.level:
            continue
        if full.startswith(f"keras.{package}"):
            rank = 3
        elif full == "keras" or full.startswith("keras."):
            rank = 2
        elif full == "tensorflow" or full.startswith("tensorflow."):
            rank = 1
        else:
            continue
        if best is None or rank > best[0]:
            best = (rank, node)
    return best[1] if best else None


def _head(source: Source, position: int) -> int:
    """The end of the last import of a file before a position."""
    imports = (node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    sites = (source.site(node) for node in imports)
    ends = (each.end for each in sites if each.end < position and not is_added(source, each))
    return max(ends, default=0)


def unused(source: Source) -> list[Edit]:
    """Take away the imports that tweaks added and nothing uses any more."""
    added = [
        node
        for node in source.tree.body
        if isinstance(node, ast.ImportFrom) and is_added(source, source.site(node))
    ]
    if not added:
        return []
    used = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)}
    runs: list[Site] = []
    for node in added:
        if any((alias.asname or alias.name) in used for alias in node.names):
            continue
        site = source.site(node)
        if runs and source.next_line(runs[-1].end) == source.line_start(site.start):
            # Lines that follow one another go at once: the last of a cell takes a break along.
            runs[-1] = Site(site.path, runs[-1].start, site.end)
        else:
            runs.append(site)
    return [without_lines(source, run) for run in runs]
