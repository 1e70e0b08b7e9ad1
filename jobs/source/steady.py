"""Whether all of a script's training is one call of ``fit``, at a learning rate that stays."""

import ast
import re
from collections.abc import Sequence

from jobs.source.analysis import Analysis
from jobs.source.files import UnreadableError

_FITS = frozenset({"fit", "fit_generator"})
_REPEAT = (
    *(ast.For, ast.AsyncFor, ast.While, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
_SCHEDULE = re.compile(
    r"schedul|(?<!weight_)decay|\bset_value\(|\.(lr|learning_rate)\s*(\.assign|[-+*/]*=(?!=))"
    r"|setattr\([^)]*[\"'](lr|learning_rate)",
    re.IGNORECASE,
)


def trains_steadily(analysis: Analysis) -> bool:
    """Whether the epochs of one ``fit`` are all that is trained, and none differs from the others.

    False wherever the text leaves a doubt: with another ``fit`` of whatever object, a loop or a
    function of unknown use around it, or a word of a schedule. ``ReduceLROnPlateau`` is none before
    it has done something, which the recorded rates tell.
    """
    if analysis.exhausted or len(analysis.trace.fits) != 1:
        return False
    try:
        sources = [analysis.sources(path) for path in (analysis.script, *analysis.modules)]
        trees = [each.tree for each in sources]
    except UnreadableError:
        return False
    return not any(speaks_of_schedule(each.text) for each in sources) and _Text(trees).fits_once()


def speaks_of_schedule(text: str) -> bool:
    """Whether a script's text has a word of a schedule, planned ahead, for its learning rate."""
    return _SCHEDULE.search(text) is not None


class _Text:
    """The syntax trees of all the files that are run."""

    def __init__(self, trees: Sequence[ast.Module]) -> None:
        self._nodes = [node for tree in trees for node in ast.walk(tree)]
        self._above = {below: node for node in self._nodes for below in ast.iter_child_nodes(node)}

    def fits_once(self) -> bool:
        named = [each for each in self._nodes if _name(each) in _FITS]
        return len(named) == 1 and self._is_run_once(named[0], frozenset())

    def _is_run_once(self, use: ast.AST, known: frozenset[str]) -> bool:
        """Whether a name is called, once; ``known``: the functions that led to it."""
        node = self._above[use]
        if not isinstance(node, ast.Call) or node.func is not use:
            return False
        while not isinstance(node, ast.Module):
            node = self._above[node]
            if isinstance(node, _REPEAT):
                return False
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = node.name
                uses = [each for each in self._nodes if _name(each) == name]
                if node.decorator_list or name in known or len(uses) != 1:
                    return False
                return self._is_run_once(uses[0], known | {name})
        return True


def _name(node: ast.AST) -> str | None:
    """What a node reads by its name, be it a string that ``getattr`` may be given."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
