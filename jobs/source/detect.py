"""What a script is, and which file of a repository is the model script."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from jobs.errors import RetuneError
from jobs.source import limits, verdict
from jobs.source.analysis import Analysis, analyse
from jobs.source.files import Checkout, UnreadableError
from jobs.source.script import Reading

MOST_CANDIDATES = 60
_KERAS = re.compile(rb"\b(keras|tensorflow)\b")
_FIT = re.compile(rb"\.fit(_generator)?\s*\(|GradientTape|train_on_batch")
_SIZE_HELD = (
    "retune.toml allows input_shape, but the size of the images is held all the same: "
    "no tweak changes it yet."
)
_NAMES = ("train", "main", "model", "cnn", "run", "app")


def read(
    root: Path,
    script: str,
    hold: Collection[str] = (),
    allow: Collection[str] = (),
    changed: Mapping[str, bytes] | None = None,
) -> Reading:
    """What the file ``script`` of the checkout ``root`` is, and what can be tuned in it.

    ``changed``: files that are to be read with other contents than they have there.
    Raises RetuneError with one sentence where there is no such file, or it is no Python.
    """
    checkout = Checkout(root).with_changes(changed or {})
    path = _named(checkout, script)
    try:
        return _reading(checkout, analyse(checkout, path, hold), allow)
    except UnreadableError as error:
        raise RetuneError(_sentence(path, error)) from error


def _named(checkout: Checkout, script: str) -> str:
    path = PurePosixPath(script)
    if path.is_absolute() or ".." in path.parts:
        raise RetuneError(f"{script} is no path inside the repository; name it from its root.")
    if checkout.real(path.as_posix()) is None:
        linked = checkout.root.joinpath(path).is_symlink()
        reason = "is a link out of the repository" if linked else "is not in the repository"
        raise RetuneError(f"{script} {reason}; name a Python file or notebook that is.")
    if path.suffix not in (".py", ".ipynb"):
        raise RetuneError(f"{script} is no Python file and no notebook; name one that is.")
    return path.as_posix()


def _sentence(path: str, error: UnreadableError) -> str:
    where = f"{path}, line {error.line}," if error.line else path
    return f"{where} {error.reason}; correct it and push again."


def find(
    root: Path,
    script: str | None = None,
    hold: Collection[str] = (),
    allow: Collection[str] = (),
) -> Reading:
    """The model script of a checkout: the one that is named, or the one that is found.

    Where nothing is a CNN that trains, the reading of the best candidate says why. Raises
    RetuneError where there is nothing to read at all.
    """
    if script is not None:
        return read(root, script, hold, allow)
    checkout = Checkout(root)
    paths = list(checkout.scripts())
    if not paths:
        raise RetuneError(
            "The repository has no Python file and no notebook; push the script that trains."
        )
    candidates: list[Analysis] = []
    failures: list[tuple[str, UnreadableError]] = []
    for path in _promising(checkout, paths)[:MOST_CANDIDATES]:
        try:
            candidates.append(analyse(checkout, path, hold))
        except UnreadableError as error:
            failures.append((path, error))
    if not candidates:
        return verdict.unreadable([(path, _sentence(path, error)) for path, error in failures])
    imported = {module for each in candidates for module in each.modules}
    best = min(candidates, key=lambda each: _rank(each, imported))
    reading = _reading(checkout, best, allow)
    if not reading.is_cnn and failures:
        return verdict.with_reasons(
            reading, [_sentence(path, error) for path, error in failures[:3]]
        )
    return reading


def _reading(checkout: Checkout, analysis: Analysis, allow: Collection[str]) -> Reading:
    if not verdict.is_cnn(analysis):
        return verdict.reading(analysis)
    reading = verdict.reading(analysis, limits.bounded(checkout, analysis))
    if "input_shape" in allow:
        # Said, because the pusher expects otherwise.
        return verdict.with_reasons(reading, [_SIZE_HELD])
    return reading


def _promising(checkout: Checkout, paths: list[str]) -> list[str]:
    """Files in which a model may be trained first; those without Keras only where nothing has."""
    weights: list[tuple[tuple[int, int, str], str]] = []
    for path in paths:
        try:
            content = checkout.read_bytes(path)
        except UnreadableError:
            content = b""
        keras, fit = bool(_KERAS.search(content)), bool(_FIT.search(content))
        depth = len(PurePosixPath(path).parts)
        weights.append(((-(2 * keras + fit), depth, path), path))
    ordered = [path for _, path in sorted(weights)]
    having = [path for weight, path in sorted(weights) if weight[0] <= -2]
    return [*having, *_importers(checkout, ordered, set(having))] if having else ordered


def _importers(checkout: Checkout, paths: list[str], having: set[str]) -> Iterator[str]:
    """Files without a word of Keras that import one of the repository's files that has it."""
    stems = {PurePosixPath(path).stem for path in having} | {
        PurePosixPath(path).parent.name for path in having
    }
    for path in paths:
        if path in having:
            continue
        try:
            imports = checkout.source(path).imports
        except UnreadableError:
            continue
        if any(stems & set(names) for names in _imported_names(imports)):
            yield path


def _imported_names(imports: list[ast.Import | ast.ImportFrom]) -> Iterator[list[str]]:
    for node in imports:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")
        else:
            yield [*(node.module or "").split("."), *(alias.name for alias in node.names)]


def _rank(analysis: Analysis, imported: set[str]) -> tuple[bool, bool, bool, bool, int, int, str]:
    """Smaller is better: a CNN that trains, that no other file imports, by name and depth."""
    kind = verdict.kind(analysis)
    path = PurePosixPath(analysis.script)
    stem = path.stem.lower()
    name = next((i for i, each in enumerate(_NAMES) if each in stem), len(_NAMES))
    test = "test" in {part.lower() for part in path.parts[:-1]} or stem.startswith("test_")
    return (
        not (kind == "cnn" and analysis.trains),
        kind != "cnn",
        not analysis.trains,
        test or analysis.script in imported,
        name,
        len(path.parts),
        analysis.script,
    )
