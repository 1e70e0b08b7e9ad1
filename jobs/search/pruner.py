"""Ends a trial early that would not come near the best one."""

import optuna
from optuna.trial import FrozenTrial, TrialState

PATIENCE, STARTUP = 4, 2


class RetunePruner(optuna.pruners.BasePruner):
    """Prunes where the last epochs, taken on with their own slope, stay far below the best trial.

    Conservative: never the first trials, never before ``PATIENCE`` epochs, never for one epoch.
    """

    def __init__(self, margin: float = 0.03) -> None:
        self.margin = margin

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        values = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(values) < PATIENCE or len(done) < STARTUP:
            return False
        best = max(each.value for each in done if each.value is not None)
        recent = values[-PATIENCE:]
        gain = max(0.0, (recent[-1] - recent[0]) / (PATIENCE - 1))
        planned = int(trial.params.get("fit.epochs", len(values)))
        hoped = max(recent) + gain * max(0, planned - len(values))
        return hoped < best - self.margin and max(values) < best - self.margin
