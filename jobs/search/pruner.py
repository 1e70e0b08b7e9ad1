"""Ends a trial early that would not come near the best one."""

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

PATIENCE, STARTUP = 4, 2
EXPONENTS = (0.25, 0.5, 1.0, 2.0)


class RetunePruner(optuna.pruners.BasePruner):
    """Prunes where even a hopeful continuation of the curve stays below the best trial.

    The curve is continued to the last planned epoch in two ways, by a power law
    a - b * epoch^-c (one of the curve models of Domhan, Springenberg, Hutter 2015) and by the
    slope of the last ``PATIENCE`` epochs; the higher one counts, plus twice the scatter around
    the power law. Conservative: never the first trials, never before ``PATIENCE`` epochs, and only
    where both the last two verdicts, with and without the newest epoch, say so, so that a single
    noisy epoch ends nothing. ``margin``: accuracy (0 to 1) below the best that is still let go on.
    """

    def __init__(self, margin: float = 0.02) -> None:
        self.margin = margin

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        steps = sorted(trial.intermediate_values)
        values = np.array([trial.intermediate_values[step] for step in steps])
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(values) <= PATIENCE or len(done) < STARTUP:
            return False
        limit = max(each.value for each in done if each.value is not None) - self.margin
        planned = max(int(trial.params.get("fit.epochs", 0)), len(values))
        return all(hope(seen, planned) < limit for seen in (values, values[:-1]))


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
    gain = max(0.0, float(np.polyfit(epochs[-PATIENCE:], recent, 1)[0]))
    by_slope = float(recent.mean()) + gain * (planned - len(values) + (PATIENCE - 1) / 2)
    return max(float(values.max()), ends[best_fit] + 2 * scatters[best_fit], by_slope)
