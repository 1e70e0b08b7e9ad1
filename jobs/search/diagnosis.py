"""What a trial's learning curves say, as a value with its reasons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from jobs.environment.spool import Epoch
from jobs.search.curve import CHANCE, Curve, accuracy_error

Kind = Literal[
    "out-of-memory",
    "diverged",
    "too-slow",
    "failed",
    "chance",
    "overfit",
    "opening",
    "jumping",
    "crawling",
    "rising",
    "underfit",
    "noise",
    "converged",
]


@dataclass(frozen=True)
class Diagnosis:
    """The weightiest finding. ``evidence``: the numbers behind it; accuracies are 0 to 1.

    ``also``: further findings on the same curves, in order of weight.
    """

    kind: Kind
    sentence: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    also: tuple["Diagnosis", ...] = ()


_FAILURES: Mapping[str, tuple[Kind, str]] = {
    "out-of-memory": ("out-of-memory", "It needed more memory than the environment has."),
    "nan": ("diverged", "The loss became NaN: the steps were too large."),
    "time-limit": ("too-slow", "It ran past its time limit."),
}
LARGE_GAP, SMALL_GAP, SLIGHT_GAP = 0.12, 0.08, 0.02
STEADY = 0.0075
"""Rise of the training accuracy in an epoch, over several, from which on it is no flat one."""
LEARNT = 0.03
"""Training accuracy above chance that is no accident, over some hundreds of images."""
PATIENCE = 4
"""Epochs since the best one after which a trial is taken to come no further; the pruner looks at no
fewer."""
COARSE = 0.025
"""Standard error from which on a validation set is too small to see what a tweak brings."""


def diagnose(
    epochs: Sequence[Epoch],
    *,
    chance: float = CHANCE,
    validation_images: int | None = None,
    failure: str | None = None,
) -> Diagnosis:
    """Judge the curves of a trial's last ``fit``.

    Levels and slopes are taken over several epochs, and a difference counts where it is larger
    than the standard error of an accuracy on ``validation_images`` images (``Curve``). ``chance``
    is the accuracy (0 to 1) of a network that has learnt nothing.

    - overfit: training far above validation (Goodfellow, Bengio, Courville, "Deep Learning",
      2016, section 5.2), or the validation loss above its minimum (the generalisation loss of
      Prechelt, "Early Stopping - But When?", 1998).
    - opening: both are under way, but training runs away from validation (the same): it has
      begun to learn its images by heart. Training accuracy is the mean over an epoch in which the
      network still learnt, so that a slight lead says more than it seems to.
    - underfit: both low and flat (the same, section 5.2).
    - diverged, jumping, crawling, chance: a learning rate that is too high or too low (Bengio,
      "Practical Recommendations for Gradient-Based Training of Deep Architectures", 2012;
      Smith, "A disciplined approach to neural network hyper-parameters: Part 1", 2018).
    - rising: a positive slope at the end, of validation or, where that one is noisy and no gap has
      opened, of training, as curve extrapolation takes it (Domhan,
      Springenberg, Hutter, "Speeding Up Automatic Hyperparameter Optimization of Deep Neural
      Networks by Extrapolation of Learning Curves", 2015); or a validation loss that still falls.
    - noise: what changed is within the error of so few validation images (Bouthillier et al.,
      "Accounting for Variance in Machine Learning Benchmarks", MLSys 2021, on the test set as a
      source of variance).
    - converged: none of these; what is left of it is near its best.
    """
    if failure is not None:
        kind, sentence = _FAILURES.get(failure, ("failed", "It failed, so its curves say nothing."))
        return Diagnosis(kind, sentence)
    last = [each for each in epochs if each.fit == epochs[-1].fit and each.val_accuracy is not None]
    if not last:
        return Diagnosis("failed", "No epoch reported a validation accuracy.")
    curve = Curve(last, validation_images)
    evidence = {
        "validation": curve.validation,
        "best": curve.best,
        "gap": curve.gap,
        "slope": curve.slope if curve.rises else max(curve.slope, curve.train_slope),
        "train_slope": curve.train_slope,
        "error": curve.error,
    }
    if curve.train is not None:
        evidence["train"] = curve.train
    first, *others = [
        Diagnosis(kind, sentence, evidence)
        for kind, sentence in _findings(curve, chance, validation_images)
    ]
    return replace(first, also=tuple(others))


def _findings(curve: Curve, chance: float, images: int | None) -> Iterator[tuple[Kind, str]]:
    """Findings in order of weight; the last one is always there."""
    if not curve.finite or curve.explodes:
        yield "diverged", "The training loss ran away: the steps were too large."
        return
    train = curve.train
    # A child that inherits a good fit comes down little as well: that is no crawling.
    low = train is not None and train < chance + 0.35 * (1 - chance)
    if curve.crawls and low and curve.gap < SMALL_GAP:
        yield (
            "crawling",
            f"The training loss falls with every epoch but has hardly come down, at validation "
            f"accuracy {curve.validation:.3f}.",
        )
    # Where one class is frequent, little is left above chance, and a network may learn below it.
    no_better = curve.validation < chance + 2 * curve.error and (
        train is None or train < chance + min(0.1, 0.2 * (1 - chance))
    )
    if no_better and not (curve.rises and chance > CHANCE):
        yield (
            "chance",
            f"Validation accuracy {curve.validation:.3f} is no better than chance ({chance:.2f}).",
        )
        return
    least = max(SMALL_GAP, 3 * curve.error)
    if train is not None and curve.gap > least and (not curve.rises or curve.gap > LARGE_GAP):
        stopped = (
            f"which rises by {max(curve.slope, 0.0):.3f} an epoch only"
            if curve.rises
            else f"which was best at epoch {curve.best_epoch} of {curve.length}"
        )
        yield (
            "overfit",
            f"Training accuracy {train:.3f} is {curve.gap:.3f} above validation, {stopped}.",
        )
    elif curve.loss_above_best > 0.1 and not curve.rises and not curve.jumps:
        yield (
            "overfit",
            f"The validation loss has risen {100 * curve.loss_above_best:.0f} % above its lowest "
            f"value, and the accuracy was best at epoch {curve.best_epoch} of {curve.length}.",
        )
    if curve.jumps:
        yield "jumping", "The loss jumps up and down from epoch to epoch: the steps are large."
    slight = max(SLIGHT_GAP, curve.error)
    learning = curve.rises or curve.train_slope > STEADY
    widest = max(least, LARGE_GAP) if curve.rises else least
    if train is not None and learning and curve.opens and slight < curve.gap <= widest:
        yield (
            "opening",
            f"Training accuracy {train:.3f} is {curve.gap:.3f} above validation, and that grows.",
        )
    if curve.rises:
        yield (
            "rising",
            f"Validation accuracy was still rising at the end, by {curve.slope:.3f} an epoch.",
        )
        return
    stale = curve.length - curve.best_epoch >= PATIENCE
    learns = train is not None and curve.gap < SLIGHT_GAP and curve.train_slope > STEADY
    if learns and not stale:
        yield (
            "rising",
            f"Training accuracy still rises, by {curve.train_slope:.3f} an epoch, and validation "
            f"is beside it at {curve.validation:.3f}: it is not at its end.",
        )
        return
    if curve.loss_falls and curve.gap < SMALL_GAP:
        yield (
            "rising",
            f"Validation accuracy is at {curve.validation:.3f}, and its loss was still falling at "
            "the end.",
        )
        return
    together = min(0.06, max(SLIGHT_GAP, 2 * curve.error))
    if train is not None and curve.gap < together and train < 0.95:
        flat = " and flat"
        if learns:
            flat = f": training still rises, but validation was best at epoch {curve.best_epoch}"
        yield (
            "underfit",
            f"Training accuracy {train:.3f} and validation accuracy {curve.validation:.3f} are "
            f"close together{flat}.",
        )
    elif images is not None and curve.error > COARSE:
        yield (
            "noise",
            f"{images} validation images tell an accuracy to ±{curve.error:.3f} only, and it "
            f"changed less than that around {curve.validation:.3f}.",
        )
    else:
        below = "" if train is None else f", {curve.gap:.3f} below training"
        yield "converged", f"Validation accuracy has settled at {curve.validation:.3f}{below}."


def has_learnt(epochs: Sequence[Epoch], chance: float, images: int | None) -> bool:
    """Whether a network tells anything apart, in training or validation, that a child could go on
    from.

    Steps that are too large leave units that no image moves any more; no learning rate wakes them.
    """
    validation = max((each.val_accuracy or 0.0 for each in epochs), default=0.0)
    training = max((each.accuracy or 0.0 for each in epochs), default=0.0)
    least = chance + 2 * accuracy_error(validation, images)
    return validation > least or training > chance + LEARNT
