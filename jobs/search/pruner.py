"""Ends a trial early whose further epochs are worth less than another trial's."""

from collections.abc import Callable, Sequence

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from jobs.environment.spool import Epoch
from jobs.search.answers import is_near
from jobs.search.curve import CHANCE, accuracy_error, slope
from jobs.search.diagnosis import PATIENCE, diagnose
from jobs.search.history import History, curves
from jobs.search.proposal import CONFIRM, Proposal
from jobs.search.tweaks import AVERAGING, EPOCHS, LONGER, RATE, SETTLE

PLANNED = "fit.epochs"
STARTUP = 2
IN_SIGHT, LEFT = 2, 2
"""A target that the slope reaches within so many epochs is left to the curve; fewer epochs than
the second number are trained rather than left out."""
EXPONENTS = (0.25, 0.5, 1.0, 2.0)
STUCK = 0.01
"""Accuracy within which a curve has not left where it began: it may still be at chance."""
HOPELESS = "It would not come near the best trial so far."
OUT_OF_REACH = "None of its epochs would come to the target."
OUTBID = "The next tweak is worth more than its further epochs."
FLAT = "It has not come further for some epochs."
NEAR_TARGET = "The target is near: calmer weights get there sooner."
PRUNED = (HOPELESS, OUT_OF_REACH, OUTBID, FLAT, NEAR_TARGET)

Follows = Callable[[FrozenTrial], Proposal | None]
"""What would follow a running trial if it ended with the epochs it has; None for nothing."""


class RetunePruner(optuna.pruners.BasePruner):
    """Prunes where even a hopeful continuation of the curve stays below the best trial.

    The curve is continued to the last planned epoch in two ways, by a power law
    a - b * epoch^-c (one of the curve models of Domhan, Springenberg, Hutter 2015) and by the
    slope of the last ``PATIENCE`` epochs; the higher one counts, plus twice the scatter around
    the power law. Conservative: never the first trials, never before ``PATIENCE`` epochs, and only
    where both the last two verdicts, with and without the newest epoch, say so, so that a single
    noisy epoch ends nothing. ``margin``: accuracy (0 to 1) below the best that is still let go on.

    Of any trial but the script as pushed, the epochs that nothing comes of are left out: where the
    best is ``PATIENCE`` epochs old and the accuracy falls rather than rises since (Prechelt, "Early
    Stopping - But When?", 1998). What it has learnt is there for its children.

    So are those that only bring noise near the target (``answers.is_near``): where the curve does
    not lead there within ``IN_SIGHT`` epochs, a child with calmer ones goes on from its weights.
    For that, ``target`` and ``inherits``, whether a child will have its weights, are given.

    The script as pushed, by which tweaks are judged, is ended only where ``ends_first`` allows it
    and ``PATIENCE`` epochs or more are left: where it learns its images by heart (``diagnosis``,
    with ``chance``, and ``validation_images`` where they are known), most of them already, and the
    hopeful continuation of its curve stays below the target by more than that is measured with.

    Long trials are handed out in rungs of ``EPOCHS`` epochs (Jamieson, Talwalkar, "Non-stochastic
    Best Arm Identification and Hyperparameter Optimization", 2016): at the end of each,
    ``follows`` says what would be proposed if the trial ended there. It goes on where that is to
    train it longer.

    Both are for trials whose learning rate is still the one that they began with: once the script
    has made its steps smaller by itself, its epochs are no single curve.

    A confirmation trains to its end, and so does a script that calls ``fit`` several times: its
    epochs are no single curve, and the last ``fit`` is the one that counts.
    """

    def __init__(
        self,
        margin: float = 0.02,
        *,
        target: float | None = None,
        inherits: bool = True,
        ends_first: bool = False,
        chance: float = CHANCE,
        validation_images: int | None = None,
        follows: Follows | None = None,
    ) -> None:
        self.margin, self.target = margin, target
        self.inherits, self.ends_first, self.follows = inherits, ends_first, follows
        self.chance, self.validation_images = chance, validation_images

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        return self.reason(study, trial) is not None

    def reason(self, study: optuna.Study, trial: FrozenTrial) -> str | None:
        """Why the trial is to end, or None where it goes on."""
        trials = study.get_trials(deepcopy=False)
        if trial.user_attrs.get("kind") == CONFIRM or _fits_often(trials[0]):
            return None
        steps = sorted(trial.intermediate_values)
        values = np.array([trial.intermediate_values[step] for step in steps])
        if trial.number == 0:
            return OUT_OF_REACH if self._is_out_of_reach(trial, values) else None
        if _is_flat(values) and not _was_just_slowed(curves(trial)):
            return FLAT
        if self._wants_calmer_weights(trials, trial, values):
            return NEAR_TARGET
        if self._is_hopeless(trials, trial, values):
            return HOPELESS
        return OUTBID if self._is_outbid(trial, values) else None

    def _is_outbid(self, trial: FrozenTrial, values: NDArray[np.float64]) -> bool:
        left = _planned(trial, values) - len(values)
        if self.follows is None or not _is_free(trial, PLANNED):
            return False
        if left < EPOCHS or not _is_at_rung(values) or not _has_one_rate(curves(trial)):
            return False
        chosen = self.follows(trial)
        return chosen is not None and (chosen.parent, chosen.kind) != (trial.number, LONGER)

    def _is_out_of_reach(self, trial: FrozenTrial, values: NDArray[np.float64]) -> bool:
        left = _planned(trial, values) - len(values)
        if self.target is None or not self.ends_first or min(left, len(values)) < PATIENCE:
            return False
        best = float(values.max())
        error = accuracy_error(best, self.validation_images)
        if best <= self.chance + 3 * error or not _stays_below(self.target - error, trial, values):
            return False
        epochs = curves(trial)
        if not _has_one_rate(epochs):
            return False
        finding = diagnose(epochs, chance=self.chance, validation_images=self.validation_images)
        # A gap before that may be the delay with which statistics of normalisations follow.
        knows_most = finding.evidence.get("train", 0.0) > (1 + self.chance) / 2
        return finding.kind == "overfit" and knows_most

    def _wants_calmer_weights(
        self, trials: Sequence[FrozenTrial], trial: FrozenTrial, values: NDArray[np.float64]
    ) -> bool:
        if self.target is None or not self.inherits or not _is_free(trial, RATE):
            return False
        if trial.user_attrs.get("kind") == SETTLE or len(values) < 2:
            return False
        best = float(values.max())
        number = trial.user_attrs.get("parent")
        if number is not None and best <= (History.accuracy(trials[number]) or 0.0):
            return False  # so near it was already: what is new has to be learnt first
        missing = self.target - best
        return (
            _planned(trial, values) - len(values) >= LEFT
            and missing > 0
            and is_near(best, self.target, averaged=trial.params.get(AVERAGING) is True)
            and missing > IN_SIGHT * slope(values[-PATIENCE:].tolist())
        )

    def _is_hopeless(
        self, trials: Sequence[FrozenTrial], trial: FrozenTrial, values: NDArray[np.float64]
    ) -> bool:
        found = [History.accuracy(each) for each in trials]
        done = [each for each in found if each is not None]
        return len(done) >= STARTUP and _stays_below(max(done) - self.margin, trial, values)


def _stays_below(limit: float, trial: FrozenTrial, values: NDArray[np.float64]) -> bool:
    planned = _planned(trial, values)
    return len(values) > PATIENCE and all(
        hope(seen, planned) < limit for seen in (values, values[:-1])
    )


def _planned(trial: FrozenTrial, values: NDArray[np.float64]) -> int:
    """Epochs, by what Keras was told where the script's text does not tell."""
    *_, last = trial.user_attrs.get("curves") or [{}]
    told = max(trial.params.get(PLANNED, 0), last.get("epochs", 0))
    return max(int(told), len(values))


def _is_free(trial: FrozenTrial, name: str) -> bool:
    return name in trial.params and name not in trial.user_attrs.get("held", {})


def _has_one_rate(epochs: Sequence[Epoch]) -> bool:
    return len({each.learning_rate for each in epochs} - {None}) <= 1


def _was_just_slowed(epochs: Sequence[Epoch]) -> bool:
    """Whether a rate that had stayed was changed in the last ``PATIENCE`` epochs: what smaller
    steps bring does not show at once. One that changes with each epoch says nothing of its end."""
    rates = [each.learning_rate for each in epochs]
    changed = [i for i in range(2, len(rates)) if rates[i] != rates[i - 1] == rates[i - 2]]
    return bool(changed) and len(rates) - changed[-1] < PATIENCE


def _is_at_rung(values: NDArray[np.float64]) -> bool:
    return len(values) > 0 and len(values) % EPOCHS == 0


def _fits_often(first: FrozenTrial) -> bool:
    """Whether the script as pushed has called ``fit`` more than once."""
    return len({each["fit"] for each in first.user_attrs.get("curves", [])}) > 1


def _is_flat(values: NDArray[np.float64]) -> bool:
    if len(values) <= PATIENCE or values[:-PATIENCE].max() < values[-PATIENCE:].max():
        return False
    falls = slope(values[-PATIENCE:].tolist()) <= 1e-9  # without the best, which may be luck
    return falls and float(np.ptp(values)) > STUCK


def hope(values: NDArray[np.float64], planned: int) -> float:
    """The highest accuracy to be hoped for from ``values`` by epoch ``planned``."""
    epochs = np.arange(1.0, len(values) + 1)
    ends, scatters = [], []
    for exponent in EXPONENTS:
        terms = np.column_stack([np.ones_like(epochs), -(epochs**-exponent)])
        (level, fall), *_ = np.linalg.lstsq(terms, values, rcond=None)
        scatters.append(float(np.std(values - terms @ (level, fall))))
        ends.append(float(level - fall * planned**-exponent))
    best_fit = int(np.argmin(scatters))
    recent = values[-PATIENCE:]
    gain = max(0.0, slope(recent.tolist()))
    by_slope = float(recent.mean()) + gain * (planned - len(values) + (PATIENCE - 1) / 2)
    return max(float(values.max()), ends[best_fit] + 2 * scatters[best_fit], by_slope)
