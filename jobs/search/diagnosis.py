"""What a trial's learning curves say, as a value with its reasons."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from jobs.environment.spool import Epoch

Kind = Literal[
    "out-of-memory",
    "diverged",
    "too-slow",
    "failed",
    "chance",
    "overfit",
    "jumping",
    "rising",
    "underfit",
    "converged",
]


@dataclass(frozen=True)
class Diagnosis:
    """One finding. ``evidence``: the numbers in the sentence; accuracies are 0 to 1."""

    kind: Kind
    sentence: str
    evidence: Mapping[str, float] = field(default_factory=dict)


_FAILURES: Mapping[str, tuple[Kind, str]] = {
    "out-of-memory": ("out-of-memory", "It needed more memory than the environment has."),
    "nan": ("diverged", "The loss became NaN: the steps were too large."),
    "time-limit": ("too-slow", "It ran past its time limit."),
}


def diagnose(
    epochs: Sequence[Epoch],
    *,
    classes: int | None = None,
    validation_images: int | None = None,
    failure: str | None = None,
) -> Diagnosis:
    """Judge the curves of a trial's last ``fit``.

    A difference counts where it is larger than the standard error of an accuracy measured on
    ``validation_images`` images, sqrt(p(1-p)/n). Overfitting and the generalisation gap are
    judged as in Prechelt, "Early Stopping - But When?" (1998, section 2); a learning rate that is
    too high by the loss's oscillation, as in Smith, "A disciplined approach to neural network
    hyper-parameters" (2018, sections 3 and 4).
    """
    if failure is not None:
        kind, sentence = _FAILURES.get(failure, ("failed", "It failed, so its curves say nothing."))
        return Diagnosis(kind, sentence)
    last = [each for each in epochs if each.fit == epochs[-1].fit and each.val_accuracy is not None]
    if not last:
        return Diagnosis("failed", "No epoch reported a validation accuracy.")
    curve = _Curve(last, validation_images)
    chance = 1 / classes if classes else 0.5
    evidence = {
        "validation": curve.best,
        "train": curve.train,
        "gap": curve.gap,
        "slope": curve.slope,
        "error": curve.error,
    }

    def finding(kind: Kind, sentence: str) -> Diagnosis:
        return Diagnosis(kind, sentence, evidence)

    if curve.best < chance + 2 * curve.error and curve.train < chance + 0.1:
        return finding(
            "chance",
            f"Validation accuracy {curve.best:.3f} is no better than chance ({chance:.2f}).",
        )
    if curve.gap > max(0.08, 3 * curve.error) and not curve.rises:
        return finding(
            "overfit",
            f"Training accuracy {curve.train:.3f} is {curve.gap:.3f} above validation, which has "
            f"not improved since epoch {curve.best_epoch} of {len(last)}.",
        )
    if curve.jumps:
        return finding("jumping", "The validation loss jumps up and down from epoch to epoch.")
    if curve.rises:
        return finding(
            "rising",
            f"Validation accuracy was still rising at the end, by {curve.slope:.3f} an epoch.",
        )
    if curve.gap < 0.05:
        return finding(
            "underfit",
            f"Training accuracy {curve.train:.3f} and validation accuracy {curve.best:.3f} are "
            "both low and flat.",
        )
    return finding(
        "converged", f"Validation accuracy has settled at {curve.best:.3f} with a small gap."
    )


class _Curve:
    """Numbers of one ``fit``."""

    def __init__(self, epochs: Sequence[Epoch], images: int | None) -> None:
        values = [each.val_accuracy or 0.0 for each in epochs]
        self.best = max(values)
        self.best_epoch = values.index(self.best) + 1
        tail = epochs[-3:]
        self.train = sum(each.accuracy or 0.0 for each in tail) / len(tail)
        self.gap = self.train - sum(values[-3:]) / len(tail)
        self.error = math.sqrt(max(self.best * (1 - self.best), 0.01) / (images or 500))
        window = values[-max(3, len(values) // 2) :]
        self.slope = _slope(window)
        late = self.best_epoch >= len(values) - max(1, len(values) // 4)
        self.rises = late and self.slope * len(window) > self.error
        losses = [each.val_loss for each in epochs if each.val_loss is not None]
        self.jumps = len(losses) >= 4 and _turns(losses) and max(losses[1:]) > 1.5 * min(losses)


def _slope(values: Sequence[float]) -> float:
    """Least squares slope by position."""
    n = len(values)
    if n < 2:
        return 0.0
    middle, mean = (n - 1) / 2, sum(values) / n
    above = sum((i - middle) * (each - mean) for i, each in enumerate(values))
    return above / sum((i - middle) ** 2 for i in range(n))


def _turns(values: Sequence[float]) -> bool:
    """Whether most steps go the other way than the step before."""
    steps = [after - before for before, after in itertools.pairwise(values)]
    turned = sum(a * b < 0 for a, b in itertools.pairwise(steps))
    return turned >= max(2, 0.6 * (len(steps) - 1))
