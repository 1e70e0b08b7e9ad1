"""Tweaks made once, and before they are asked for: while a script is still at its end.

Where the jobs run in one process, rewriting a script and reading what it became stood between two
trainings. Once a trial's last planned epoch is over, its script is busy for a while with what it
does after ``fit``. In that time the choice is made as if no more would come. It is made anew when
the result is there, and where it is the same, what it needs is done.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from jobs.context import Context
from jobs.environment.spool import Epoch, Result
from jobs.errors import RetuneError
from jobs.search.history import result
from jobs.search.sampler import RetuneSampler
from jobs.source import detect
from jobs.source.rewrite import CannotRewrite, rewrite
from jobs.source.script import Reading, Tweak
from jobs.study import Study, Trial

Files = dict[str, bytes]
MOST = 64
"""So many tweaks are remembered, the newest ones."""


class Tweaks:
    """The tweaks of a study that this process has made, and those that it found impossible.

    ``sources``: the folder with the checkouts of the trials. ``facts``: the study's; ``script``,
    ``hold`` and ``allow`` are the same for all of its trials.
    """

    def __init__(self, sources: Path, facts: Mapping[str, Any]) -> None:
        self._sources, self._script = sources, facts["script"]
        self._wishes = {name: facts.get(name, []) for name in ("hold", "allow")}
        self._made: dict[str, Files | CannotRewrite] = {}
        self._read: dict[str, Reading] = {}

    def files(self, parent: int, tweak: Tweak) -> Files:
        """The files of a trial that a tweak of it changes. Raises CannotRewrite."""
        key = _key(parent, tweak)
        if key not in self._made:
            _keep(self._made, key, self._rewritten(parent, tweak))
        found = self._made[key]
        if isinstance(found, CannotRewrite):
            raise found
        return found

    def _rewritten(self, parent: int, tweak: Tweak) -> Files | CannotRewrite:
        try:
            return rewrite(self._sources / str(parent), self._script, tweak, **self._wishes)
        except CannotRewrite as error:
            return error

    def impossible(self, parent: int, tweak: Tweak) -> str | None:
        """Why the tweaked script could not be built, or None where it could."""
        try:
            self.files(parent, tweak)
        except CannotRewrite as error:
            return str(error)
        return None

    def read(self, parent: int, tweak: Tweak) -> None:
        """Read the tweaked script for whoever asks for its ``reading``. Raises RetuneError."""
        changed = self.files(parent, tweak)
        root = self._sources / str(parent)
        reading = detect.read(root, self._script, **self._wishes, changed=changed)
        _keep(self._read, _key(parent, tweak), reading)

    def reading(self, parent: int | None, tweak: Tweak) -> Reading | None:
        """How the tweaked script reads, where that is known."""
        return None if parent is None else self._read.get(_key(parent, tweak))


def tweaks(context: Context, study: Study) -> Tweaks:
    """Those of this process. The script is known once job 2 has read trial 0."""
    if study.name not in context.tweaks:
        sources = context.source(study.name, 0).parent
        context.tweaks[study.name] = Tweaks(sources, study.facts())
    found: Tweaks = context.tweaks[study.name]
    return found


def make_sampler(context: Context, study: Study) -> RetuneSampler:
    facts = study.facts()
    return RetuneSampler(
        target=facts["target"],
        buildable=tweaks(context, study).impossible,
        classes=facts.get("classes"),
        validation_images=facts.get("validation_images"),
        inherits=facts.get("inherit", True),
    )


def foresee(context: Context, study: Study, trial: Trial, state: TrialState) -> None:
    """Make the tweak that follows a trial if it ends with the epochs it has, as ``state``.

    Nothing is recorded, and what goes wrong shows where the tweak is needed.
    """
    trials = study.frozen()
    ended = _ended(trials[trial.number], state, _steps(trials, trial))
    if ended is None or result(ended)["objective"] >= study.get("target"):
        return
    trials = [*trials[: trial.number], ended, *trials[trial.number + 1 :]]
    try:
        chosen = make_sampler(context, study).foresee(study.optuna_study(), trials)
        if chosen is not None:
            tweaks(context, study).read(chosen.parent, chosen.tweak)
    except RetuneError:
        return


def _steps(trials: list[FrozenTrial], trial: Trial) -> int | None:
    """In an epoch, which only a result tells: as many as the parent took."""
    parent = trial.get("parent")
    steps: int | None = None if parent is None else result(trials[parent]).get("steps")
    return steps


def _ended(trial: FrozenTrial, state: TrialState, steps: int | None) -> FrozenTrial | None:
    """A running trial as if it had ended now; None where it has no accuracy."""
    epochs = [Epoch.from_mapping(each) for each in trial.user_attrs.get("curves", [])]
    accuracies = [each.val_accuracy for each in epochs if each.val_accuracy is not None]
    if not accuracies:
        return None
    seconds = sum(each.seconds for each in epochs)
    end = Result("complete", max(accuracies), steps=steps, seconds_in_fit=seconds)
    found = copy.copy(trial)
    found.user_attrs = {**trial.user_attrs, "result": asdict(end)}
    found.state = state
    if state == TrialState.COMPLETE:
        found.value = end.objective
    return found


def _key(parent: int, tweak: Tweak) -> str:
    return json.dumps([parent, tweak], sort_keys=True)


def _keep(known: dict[str, Any], key: str, value: Any) -> None:
    known[key] = value
    for old in list(known)[:-MOST]:
        del known[old]
