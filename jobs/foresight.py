"""Tweaks made once, and before they are asked for: while a script comes to its end.

Where the jobs run in one process, rewriting a script and reading what it became stood between two
trainings. So the choice is made as if no more would come: beside a trial's last planned epoch, and
once more while its script is busy with what it does after ``fit``. It is made anew when the result
is there, and where it is the same, what it needs is done.
"""

import copy
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from jobs.context import Context
from jobs.environment.spool import Result
from jobs.search.history import curves, result
from jobs.search.proposal import Proposal
from jobs.search.sampler import RetuneSampler
from jobs.source import detect
from jobs.source.rewrite import CannotRewrite, rewrite
from jobs.source.script import Reading, Tweak
from jobs.study import Study, Trial, measured_with

Files = dict[str, bytes]
MOST = 64
"""So many are remembered, the newest ones."""


class TweakedScripts:
    """The tweaks of a study that this process has made, and how their scripts read.

    ``sources``: the folder with the checkouts of the trials. ``facts``: the study's; ``script``,
    ``hold`` and ``allow`` are the same for all of its trials.
    """

    def __init__(self, sources: Path, facts: Mapping[str, Any]) -> None:
        self._sources, self._script = sources, facts["script"]
        self._wishes = {name: facts.get(name, []) for name in ("hold", "allow")}
        self._files: dict[str, Files] = {}
        self._readings: dict[str, Reading] = {}

    def files(self, parent: int, tweak: Tweak) -> Files:
        """The files of a trial that a tweak of it changes. Raises CannotRewrite."""
        key = _key(parent, tweak)
        if key not in self._files:
            root = self._sources / str(parent)
            _keep(self._files, key, rewrite(root, self._script, tweak, **self._wishes))
        return self._files[key]

    def impossible(self, parent: int, tweak: Tweak) -> str | None:
        """Why the tweaked script could not be built, or None where it could."""
        try:
            self.files(parent, tweak)
        except CannotRewrite as error:
            return str(error)
        return None

    def read(self, parent: int, tweak: Tweak) -> None:
        """Read the tweaked script for whoever asks for its ``reading``. Raises RetuneError."""
        key, root = _key(parent, tweak), self._sources / str(parent)
        if key not in self._readings:
            changed = self.files(parent, tweak)
            reading = detect.read(root, self._script, **self._wishes, changed=changed)
            _keep(self._readings, key, reading)

    def reading(self, parent: int | None, tweak: Tweak, trial: int) -> Reading | None:
        """How a trial's script reads, where that is known: only if the tweak is what it has.

        A branch that an earlier study left on the remote may hold another one.
        """
        if parent is None or (found := self._readings.get(_key(parent, tweak))) is None:
            return None
        root = self._sources / str(trial)
        try:
            files = self.files(parent, tweak).items()
            same = all((root / path).read_bytes() == content for path, content in files)
        except OSError:
            return None
        return found if same else None


def tweaked_scripts(context: Context, study: Study) -> TweakedScripts:
    """Those of this process. The script is known once job 2 has read trial 0."""
    if study.name not in context.tweaked_scripts:
        sources = context.source(study.name, 0).parent
        context.tweaked_scripts[study.name] = TweakedScripts(sources, study.facts())
    found: TweakedScripts = context.tweaked_scripts[study.name]
    return found


def make_sampler(context: Context, study: Study) -> RetuneSampler:
    facts = study.facts()
    return RetuneSampler(
        target=facts["target"],
        buildable=tweaked_scripts(context, study).impossible,
        **measured_with(facts),
        inherits=facts.get("inherit", True),
    )


def foresee(context: Context, study: Study, trial: Trial, state: TrialState) -> None:
    """Make the tweak that follows a trial if it ends with the epochs it has, as ``state``.

    Nothing is recorded. What goes wrong, whatever it is, shows where the tweak is needed.
    """
    with suppress(Exception):
        _foresee(context, study, trial, state)


def _foresee(context: Context, study: Study, trial: Trial, state: TrialState) -> None:
    chosen = _would_follow(context, study, trial.number, state)
    if chosen is not None:
        tweaked_scripts(context, study).read(chosen.parent, chosen.tweak)


def would_follow(context: Context, study: Study, trial: FrozenTrial) -> Proposal | None:
    """What would be proposed if a trial that could go on ended now.

    None where nothing would, or where that cannot be told: no trial is ended for it.
    """
    with suppress(Exception):
        return _would_follow(context, study, trial.number, TrialState.PRUNED, trial.number)
    return None


def _would_follow(
    context: Context, study: Study, trial: int, state: TrialState, going_on: int | None = None
) -> Proposal | None:
    trials, facts = study.frozen(), study.facts()
    running = trials[trial]
    ended = _ended(running, state, _steps(trials, running))
    if ended is None or len(trials) >= facts["max_trials"]:
        return None
    trials = [*trials[:trial], ended, *trials[trial + 1 :]]
    if any((result(each).get("objective") or 0.0) >= facts["target"] for each in trials):
        return None
    return make_sampler(context, study).foresee(study.optuna_study(), trials, going_on)


def _steps(trials: list[FrozenTrial], trial: FrozenTrial) -> int | None:
    """In an epoch, which only a result tells: as many as the parent took."""
    parent = trial.user_attrs.get("parent")
    steps: int | None = None if parent is None else result(trials[parent]).get("steps")
    return steps


def _ended(trial: FrozenTrial, state: TrialState, steps: int | None) -> FrozenTrial | None:
    """A running trial as if it had ended now; None where it has no accuracy."""
    finished = curves(trial)
    epochs = [each for each in finished if each.fit == finished[-1].fit]
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
