"""One run of one trial in its process: what the hooks share."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from trainer.failures import Ending, TrialEnd
from trainer.spool import Epoch, Request, Trial
from trainer.state import Fit, State


class Session:
    """``age`` is how many seconds the trial had run before this process."""

    def __init__(self, trial: Trial, request: Request, trials: Path, age: float) -> None:
        self.trial = trial
        self.request = request
        self.trials = trials
        self.state = State.read(trial)
        self.state.count_lost_time(age)
        self.state.inside_fit = False
        self.state.runs += 1
        self.ended: TrialEnd | None = None
        self.give_up: Callable[[], NoReturn] = self._no_way_out
        self._earlier = max(age, self.state.seconds)
        self._started = time.monotonic()
        self._entered = 0.0
        self._calls = 0

    def _no_way_out(self) -> NoReturn:
        raise RuntimeError("The session has not begun.")

    @property
    def age(self) -> float:
        return self._earlier + time.monotonic() - self._started

    @property
    def fit_number(self) -> int:
        """Which call of ``fit`` is running or was the last to run, from 1; 0 before the first."""
        return self._calls

    @property
    def fit(self) -> Fit:
        return self.state.fits[self._calls - 1]

    def save(self) -> None:
        """Write the state; the epochs in it have happened from here on."""
        now = self.age
        if self.state.inside_fit:
            self.state.seconds_in_fit += now - self._entered
            self._entered = now
        self.state.seconds = now
        self.state.write(self.trial)
        self.trial.write_progress(self.state.epochs())

    def enter_fit(self) -> Fit:
        self._calls += 1
        if len(self.state.fits) < self._calls:
            self.state.fits.append(Fit())
        self.state.inside_fit = True
        self._entered = self.age
        self.save()
        return self.fit

    def leave_fit(self) -> None:
        self.save()
        self.state.inside_fit = False
        self.save()

    def record(self, epoch: Epoch, checkpoint: str, ended: bool) -> None:
        self.fit.epochs.append(epoch)
        self.fit.checkpoint = checkpoint
        self.fit.ended = ended
        self.save()

    def check_stop(self) -> None:
        """End the script where somebody asked for it, or where it was ended before."""
        if self.ended is not None:
            # It has caught what ended it, and would go on for ever.
            self.give_up()
        if self.trial.stop_is_asked:
            self.end(Ending("stopped", None, self.trial.stop_reason() or "Stopped."))

    def end(self, ending: Ending) -> None:
        """End the script, even one that catches everything: its next ``fit`` ends its process."""
        self.ended = TrialEnd(ending)
        raise self.ended
