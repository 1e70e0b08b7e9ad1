"""A learning curve's numbers: levels, slopes and their errors over several epochs."""

import itertools
import math
from collections.abc import Sequence

from jobs.environment.spool import Epoch

IMAGES = 500
"""Validation images assumed where their number is not known."""
CHANCE = 0.5
"""Accuracy of a network that has learnt nothing, assumed where it is not known."""

LEAST_FALL = 0.02
"""Share of a loss by which it has to fall to be a falling one."""


class Curve:
    """Numbers of one ``fit``; ``epochs`` all have a validation accuracy.

    Levels are means over the last (up to) three epochs, so that no single epoch decides.
    ``error`` is the standard error sqrt(p(1-p)/n) of an accuracy p on n validation images
    (normal approximation of the binomial). Accuracies are 0 to 1, slopes are per epoch.
    """

    def __init__(self, epochs: Sequence[Epoch], images: int | None) -> None:
        values = [each.val_accuracy or 0.0 for each in epochs]
        tail = min(3, max(1, len(values) // 2))
        self.length = len(values)
        self.best = max(values)
        self.best_epoch = values.index(self.best) + 1
        self.validation = _mean(values[-tail:])
        accuracies = [each.accuracy for each in epochs if each.accuracy is not None]
        self.train = _mean(accuracies[-tail:]) if accuracies else None
        self.gap = 0.0 if self.train is None else self.train - self.validation
        self.error = accuracy_error(self.validation, images)
        gaps = [
            each.accuracy - (each.val_accuracy or 0.0)
            for each in epochs
            if each.accuracy is not None
        ]
        self.opens = slope(gaps) * (len(gaps) - 1) > 0.5 * self.error
        window = values[-max(4, math.ceil(len(values) / 2)) :]
        self.slope = slope(window)
        self.gain = self.slope * (len(window) - 1)
        # All epochs are measured on the same images: a curve may be calmer than ``error`` says.
        noise = min(self.error, max(0.5 * self.error, 2 * _scatter(window)))
        late = self.best_epoch > len(values) - max(1, math.ceil(len(values) / 4))
        # A steep start tilts the line through a curve that has flattened since: the newest
        # epochs have to lie above those before them as well.
        newest = min(2, len(window) // 2)
        goes_on = newest > 0 and (_mean(window[-newest:]) - max(window[:-newest]) > 0.5 * noise)
        self.train_slope = slope(accuracies[-len(window) :])
        self.rises = late and goes_on and self.gain > noise
        self._losses = [each.loss for each in epochs if each.loss is not None]
        self._val_losses = [each.val_loss for each in epochs if each.val_loss is not None]

    @property
    def finite(self) -> bool:
        return all(math.isfinite(each) for each in (*self._losses, *self._val_losses))

    @property
    def explodes(self) -> bool:
        """Whether the training loss ends far above where it was, not in the last epoch only."""
        losses = self._losses
        return len(losses) >= 3 and min(losses[-2:]) > 2 * min(losses[:-2])

    @property
    def jumps(self) -> bool:
        """Whether a loss turns with most steps, and by more than a fifth of its level."""
        return _jumps(self._val_losses, 0.2) or _jumps(self._losses, 0.1)

    @property
    def loss_falls(self) -> bool:
        """Whether the validation loss still falls at the end, by more than it scatters.

        In smaller steps than an accuracy, which counts images; on few it is as uncertain.
        """
        losses = self._val_losses[-max(4, math.ceil(len(self._val_losses) / 2)) :]
        if len(losses) < 4 or min(losses[-2:]) > min(self._val_losses):
            return False
        fall = -slope(losses) * (len(losses) - 1)
        return fall > max(LEAST_FALL * _mean(losses), 2 * _scatter(losses), 0.5 * self.error)

    @property
    def crawls(self) -> bool:
        """Whether the training loss falls with every step and has hardly come down."""
        losses = self._losses
        falls = all(after < before for before, after in itertools.pairwise(losses))
        return len(losses) >= 4 and falls and losses[-1] > 0.85 * losses[0]

    @property
    def loss_above_best(self) -> float:
        """Prechelt's generalisation loss: the last validation loss over the lowest, minus 1.

        The lower one of the last two, so that no single epoch decides.
        """
        losses = self._val_losses
        if len(losses) < 3 or min(losses) <= 0:
            return 0.0
        return min(losses[-2:]) / min(losses) - 1


def accuracy_error(accuracy: float, images: int | None) -> float:
    """Standard error of an accuracy (0 to 1) on so many images; ``IMAGES`` where unknown."""
    return math.sqrt(max(accuracy * (1 - accuracy), 0.01) / (images or IMAGES))


def slope(values: Sequence[float]) -> float:
    """Least squares slope by position."""
    n = len(values)
    if n < 2:
        return 0.0
    middle, mean = (n - 1) / 2, _mean(values)
    above = sum((i - middle) * (each - mean) for i, each in enumerate(values))
    return above / sum((i - middle) ** 2 for i in range(n))


def _scatter(values: Sequence[float]) -> float:
    """Standard deviation around the line through the values."""
    middle, mean, along = (len(values) - 1) / 2, _mean(values), slope(values)
    residuals = [each - mean - along * (i - middle) for i, each in enumerate(values)]
    return math.sqrt(_mean([each**2 for each in residuals]))


def _jumps(losses: Sequence[float], share: float) -> bool:
    steps = [after - before for before, after in itertools.pairwise(losses)]
    turned = sum(a * b < 0 for a, b in itertools.pairwise(steps))
    if len(steps) < 4 or turned < max(3, 0.6 * (len(steps) - 1)):
        return False
    return _mean([abs(each) for each in steps[1:]]) > share * _mean(losses[1:])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
