"""All hyperparameters of a script: its values, its structure, and what it does not have yet."""

from jobs.source import augmentation, blocks, dropout, hyperparameters, normalisation, plateau
from jobs.source.analysis import Analysis
from jobs.source.hyperparameters import Knob

_ORDER = (
    *("blocks", "conv", "batch_norm", "dense", "output", "dropout", "augmentation"),
    *("optimizer", "fit"),
)


def found(analysis: Analysis) -> list[Knob]:
    """In a fixed order: structure and layers first, then the training."""
    if analysis.model is None or not analysis.own:
        return []
    everything = [
        *hyperparameters.values(analysis),
        *(
            hyperparameters.held(analysis, each)
            for module in (blocks, normalisation, dropout, augmentation, plateau)
            for each in module.knobs(analysis)
        ),
    ]
    return sorted(everything, key=lambda each: _rank(each.name))


def _rank(name: str) -> int:
    stem = name.partition(".")[0].rstrip("0123456789")
    return _ORDER.index(stem)
