"""Hyperparameters whose value only a run shows: ``Dense(len(names))``, ``epochs=int(argv[1])``."""

import ast
from collections.abc import Collection, Iterator

from jobs.source.analysis import Analysis
from jobs.source.evaluate.values import Applied, Layer, Optimizer
from jobs.source.files import Site
from jobs.source.hyperparameters import OUTPUT_FILTERS
from jobs.source.script import Unread

WORKED_OUT = "the script works it out as it runs"
_OUTPUT = "it is the output layer: its {} are the classes"


def unread(analysis: Analysis, known: Collection[str]) -> tuple[Unread, ...]:
    """Those of the layers, the optimizer and the training that are not among the known ones."""
    found = (*_layers(analysis), *_training(analysis))
    return tuple(each for each in found if each.name not in known)


def _layers(analysis: Analysis) -> Iterator[Unread]:
    filters, units = ("filters", "nb_filter"), ("units", "output_dim")
    for number, applied in enumerate(analysis.convolutions, 1):
        yield _of_layer(analysis, f"conv{number}.filters", applied, filters)
    for number, applied in enumerate(analysis.dense, 1):
        yield _of_layer(analysis, f"dense{number}.units", applied, units)
    if analysis.output_convolution is not None:
        yield _of_layer(analysis, OUTPUT_FILTERS, analysis.output_convolution, filters)


def _of_layer(
    analysis: Analysis, name: str, applied: Applied, spellings: tuple[str, ...]
) -> Unread:
    layer = applied.layer
    assert isinstance(layer, Layer)
    reason = _OUTPUT.format(spellings[0]) if applied is analysis.output else WORKED_OUT
    return _written(analysis, name, layer.call, layer.node, spellings, reason)


def _training(analysis: Analysis) -> Iterator[Unread]:
    model, fit = analysis.model, analysis.fit
    optimizer = analysis.optimizer
    if isinstance(optimizer, Optimizer):
        yield _written(
            analysis, "optimizer.learning_rate", optimizer.call, optimizer.node,
            ("learning_rate", "lr"), WORKED_OUT,
        )  # fmt: skip
    elif model is not None and model.compile_node and model.compile_site:
        yield _written(
            analysis, "optimizer.name", model.compile_site, model.compile_node, ("optimizer",),
            WORKED_OUT,
        )  # fmt: skip
    if fit is None:
        return
    yield _written(
        analysis, "fit.epochs", fit.site, fit.node, ("epochs", "nb_epoch"), WORKED_OUT, None
    )
    if any(each.arg == "batch_size" for each in fit.node.keywords):
        yield _written(
            analysis, "fit.batch_size", fit.site, fit.node, ("batch_size",), WORKED_OUT, None
        )


def _written(
    analysis: Analysis,
    name: str,
    site: Site,
    call: ast.Call,
    spellings: tuple[str, ...],
    reason: str,
    position: int | None = 0,
) -> Unread:
    """The argument of a call; the call itself where the argument is not to be seen."""
    named = [each.value for each in call.keywords if each.arg in spellings]
    placed = call.args[position : position + 1] if position is not None else []
    node = next(iter([*named, *placed]), call)
    source = analysis.sources(site.path)
    where = source.site(node)
    return Unread(name, " ".join(source.at(where).split()), source.place(where.start), reason)
