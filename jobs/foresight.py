"""Tweaks made once, and before they are asked for: while a script comes to its end.

Rewriting a script, reading what it became and committing it stood between two trainings. So the
choice is made as if no more would come: beside a trial's last planned epoch, and once more while
its script is busy with what it does after ``fit``. It is made anew when the result is there, and
where it is the same, what it needs is done. What is made is kept in the study's folder, for jobs
that run in processes of their own.
"""

import copy
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import Timeout
from optuna.trial import FrozenTrial, TrialState
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from jobs.context import Context
from jobs.environment.spool import Result
from jobs.files import write_whole
from jobs.repository import Repository
from jobs.search.history import curves, result
from jobs.search.proposal import Proposal
from jobs.search.sampler import RetuneSampler
from jobs.source import detect
from jobs.source.rewrite import CannotRewrite, rewrite
from jobs.source.script import Reading, Tweak
from jobs.study import Study, Trial, measured_with
from jobs.trial_commit import TrialCommit, planned_commit

Files = dict[str, bytes]
MOST = 64
"""So many are remembered, the newest ones."""
MOST_KEPT = 4
"""So many are kept in the study's folder."""
LOCK_SECONDS = 0.5
"""Whoever fetches holds the mirror, and a training is not to wait for a remote."""


@dataclass(config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
class Prepared:
    """What a tweak of a trial makes: changed files, how the script reads then, and its commit."""

    files: Files
    reading: Reading | None = None
    message: str | None = None
    commit: str | None = None


_PREPARED = TypeAdapter(Prepared)


class TweakedScripts:
    """The tweaks of a study that were made, and how their scripts read.

    ``sources``: the folder with the checkouts of the trials. ``folder``: where those that were made
    ahead are kept. ``facts``: the study's; ``script``, ``hold`` and ``allow`` are the same for all
    of its trials.
    """

    def __init__(self, sources: Path, folder: Path, facts: Mapping[str, Any]) -> None:
        self._sources, self._folder, self._script = sources, folder, facts["script"]
        self._wishes = {name: facts.get(name, []) for name in ("hold", "allow")}
        self._known: dict[str, Prepared] = {}

    def files(self, parent: int, tweak: Tweak) -> Files:
        """The files of a trial that a tweak of it changes. Raises CannotRewrite."""
        return self._prepared(parent, tweak).files

    def _prepared(self, parent: int, tweak: Tweak) -> Prepared:
        if (found := self._remembered(parent, tweak)) is None:
            root = self._sources / str(parent)
            found = Prepared(rewrite(root, self._script, tweak, **self._wishes))
            self._known[_key(parent, tweak)] = found
            for old in list(self._known)[:-MOST]:
                del self._known[old]
        return found

    def impossible(self, parent: int, tweak: Tweak) -> str | None:
        """Why the tweaked script could not be built, or None where it could."""
        try:
            self.files(parent, tweak)
        except CannotRewrite as error:
            return str(error)
        return None

    def reading(self, parent: int | None, tweak: Tweak, trial: int) -> Reading | None:
        """How a trial's script reads, where that is known: only if the tweak is what it has.

        A branch that an earlier study left on the remote may hold another one.
        """
        found = None if parent is None else self._remembered(parent, tweak)
        if found is None or found.reading is None:
            return None
        root = self._sources / str(trial)
        try:
            same = all((root / path).read_bytes() == text for path, text in found.files.items())
        except OSError:
            return None
        return found.reading if same else None

    def commit(self, parent: int, tweak: Tweak, message: str) -> str | None:
        """The commit of a tweak that was made ahead with this message."""
        found = self._remembered(parent, tweak)
        return found.commit if found is not None and found.message == message else None

    def prepare(
        self, parent: int, tweak: Tweak, repository: Repository, planned: TrialCommit
    ) -> None:
        """Read the tweaked script and commit it, for whoever asks. Raises RetuneError."""
        root, found = self._sources / str(parent), self._prepared(parent, tweak)
        if found.message == planned.message:
            return
        if found.reading is None:
            found.reading = detect.read(root, self._script, **self._wishes, changed=found.files)
        try:
            with suppress(Timeout):
                found.commit = repository.make_commit(
                    planned.parent, found.files, planned.message, wait=LOCK_SECONDS
                )
                found.message = planned.message
        finally:
            self._keep(parent, tweak, found)

    def _keep(self, parent: int, tweak: Tweak, found: Prepared) -> None:
        write_whole(self._place(parent, tweak), _PREPARED.dump_json(found))
        kept = sorted(self._folder.glob("*.json"), key=lambda each: each.stat().st_mtime)
        for old in kept[:-MOST_KEPT]:
            old.unlink(missing_ok=True)

    def _remembered(self, parent: int, tweak: Tweak) -> Prepared | None:
        key = _key(parent, tweak)
        if key not in self._known:
            with suppress(OSError, ValidationError):
                kept = self._place(parent, tweak).read_bytes()
                self._known[key] = _PREPARED.validate_json(kept)
        return self._known.get(key)

    def _place(self, parent: int, tweak: Tweak) -> Path:
        """For this text of the parent's script: a study of the same name may have had another."""
        script = (self._sources / str(parent) / self._script).read_bytes()
        name = hashlib.sha256(_key(parent, tweak).encode() + script).hexdigest()
        return self._folder / f"{name[:24]}.json"


def tweaked_scripts(context: Context, study: Study) -> TweakedScripts:
    """Those of this process. The script is known once job 2 has read trial 0."""
    if study.name not in context.tweaked_scripts:
        sources, folder = context.source(study.name, 0).parent, context.folder(study.name)
        found = TweakedScripts(sources, folder / "foreseen", study.facts())
        context.tweaked_scripts[study.name] = found
    known: TweakedScripts = context.tweaked_scripts[study.name]
    return known


def make_sampler(context: Context, study: Study) -> RetuneSampler:
    facts = study.facts()
    return RetuneSampler(
        target=facts["target"],
        buildable=tweaked_scripts(context, study).impossible,
        **measured_with(facts),
        inherits=facts.get("inherit", True),
    )


def foresee(
    context: Context, study: Study, trial: Trial, state: TrialState, reason: str | None = None
) -> None:
    """Make the tweak that follows a trial if it ends with the epochs it has, as ``state``.

    ``reason``: why it is ended before its last one.

    Its commit is in no branch yet, and nothing is recorded. What goes wrong, whatever it is, shows
    where the tweak is needed.
    """
    with suppress(Exception):
        _foresee(context, study, trial, state, reason)


def _foresee(
    context: Context, study: Study, trial: Trial, state: TrialState, reason: str | None
) -> None:
    chosen = _would_follow(context, study, trial.number, state, reason=reason)
    if chosen is not None:
        planned = planned_commit(study, len(study.frozen()), chosen)
        scripts = tweaked_scripts(context, study)
        scripts.prepare(chosen.parent, chosen.tweak, context.repository, planned)


def would_follow(context: Context, study: Study, trial: FrozenTrial) -> Proposal | None:
    """What would be proposed if a trial that could go on ended now.

    None where nothing would, or where that cannot be told: no trial is ended for it.
    """
    with suppress(Exception):
        return _would_follow(context, study, trial.number, TrialState.PRUNED, trial.number)
    return None


def _would_follow(
    context: Context,
    study: Study,
    trial: int,
    state: TrialState,
    going_on: int | None = None,
    reason: str | None = None,
) -> Proposal | None:
    trials, facts = study.frozen(), study.facts()
    running = trials[trial]
    ended = _ended(running, state, _steps(trials, running), reason)
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


def _ended(
    trial: FrozenTrial, state: TrialState, steps: int | None, reason: str | None
) -> FrozenTrial | None:
    """A running trial as if it had ended now; None where it has no accuracy."""
    finished = curves(trial)
    epochs = [each for each in finished if each.fit == finished[-1].fit]
    accuracies = [each.val_accuracy for each in epochs if each.val_accuracy is not None]
    if not accuracies:
        return None
    seconds = sum(each.seconds for each in epochs)
    end = Result("complete", max(accuracies), steps=steps, seconds_in_fit=seconds, reason=reason)
    found = copy.copy(trial)
    found.user_attrs = {**trial.user_attrs, "result": asdict(end)}
    found.state = state
    if state == TrialState.COMPLETE:
        found.value = end.objective
    return found


def _key(parent: int, tweak: Tweak) -> str:
    return json.dumps([parent, tweak], sort_keys=True)
