"""The record: an Optuna study and what hangs on it. The only door to the storage."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    check_distribution_compatibility,
)
from optuna.exceptions import (
    DuplicatedStudyError,
    StorageInternalError,
    UpdateFinishedTrialError,
)
from optuna.storages import RDBStorage, get_storage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from jobs.environment.spool import Epoch, Result
from jobs.errors import RetuneError
from jobs.search.curve import CHANCE
from jobs.search.history import curves
from jobs.search.proposal import CONFIRM, Proposal
from jobs.search.space import distribution
from jobs.source.script import Reading, Value
from jobs.transaction import at_once

optuna.logging.set_verbosity(optuna.logging.WARNING)

StudyState = Literal["running", "waiting", "paused", "finished"]
Outcome = Literal["reached", "budget", "failures", "not-a-cnn", "error", "stopped"]


@dataclass(frozen=True)
class TrialView:
    """A trial as pages, mails and tables show it.

    Accuracies are 0 to 1, times in seconds. ``words``: the tweak in words; ``why``: why it was
    chosen; ``diagnosis``: what its curves said. ``inherited``: share of the parameters.
    """

    number: int
    state: Literal["running", "complete", "pruned", "failed"]
    parent: int | None
    commit: str | None
    tweak: Mapping[str, Value]
    words: str
    kind: str
    why: str
    diagnosis: str
    params: Mapping[str, Value]
    epochs: tuple[Epoch, ...]
    result: Result | None
    relaunches: tuple[str, ...]
    started: datetime | None
    ended: datetime | None

    @property
    def confirms(self) -> bool:
        """Whether it is the winner trained once more, from scratch."""
        return self.kind == CONFIRM

    @property
    def objective(self) -> float | None:
        return self.result.objective if self.result else None

    @property
    def seconds(self) -> float:
        """Wall time in and outside ``fit``."""
        if self.result is None:
            return sum(each.seconds for each in self.epochs)
        return self.result.seconds_in_fit + self.result.seconds_outside_fit


@dataclass(frozen=True)
class StudyView:
    """A study as pages, mails and tables show it. ``reason`` is the sentence it ended with."""

    name: str
    state: StudyState
    outcome: Outcome | None
    reason: str
    branch: str
    commit: str
    author: str
    subject: str
    script: str | None
    dataset: str | None
    environment: str
    target: float
    max_trials: int
    max_hours: float
    started: float
    ended: float | None
    recipients: tuple[str, ...]
    notes: tuple[str, ...]
    trials: tuple[TrialView, ...]

    @property
    def best(self) -> TrialView | None:
        """The trial with the highest objective, the earliest among equals; no confirmation."""
        done = [each for each in self.trials if each.objective is not None and not each.confirms]
        return max(done, key=lambda each: (each.objective or 0.0, -each.number), default=None)

    @property
    def confirmation(self) -> TrialView | None:
        """The best trial's model trained from scratch, where that was wanted and has ended."""
        ended = [each for each in self.trials if each.confirms and each.result is not None]
        return ended[-1] if ended else None

    @property
    def winner(self) -> TrialView | None:
        """The best trial, where it reached the target."""
        return self.best if self.outcome == "reached" else None

    @property
    def seconds(self) -> float:
        return (self.ended or time.time()) - self.started


class Record:
    """All studies in one Optuna storage.

    Of trials that have ended, which Optuna lets nobody change any more, each is read once.

    Raises RetuneError where the storage cannot be opened; its password is never shown.
    """

    def __init__(self, url: str) -> None:
        shown = make_url(url).render_as_string(hide_password=True)
        arguments = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
        try:
            self.database = RDBStorage(url, engine_kwargs=arguments)
        except (SQLAlchemyError, StorageInternalError, ImportError, RuntimeError) as error:
            cause = error.__cause__ or error
            raise RetuneError(
                f"The storage {shown} cannot be opened ({str(cause).splitlines()[0][:200]}); "
                "start the database or correct RETUNE_STORAGE."
            ) from error
        self.storage = get_storage(self.database)

    def names(self) -> list[str]:
        return [each.study_name for each in self.storage.get_all_studies()]

    def create(self, name: str, facts: Mapping[str, Any]) -> "Study":
        """A new running study. One of that name is left as it is, but for one without any facts:
        of that, somebody could record no more than the name."""
        try:
            identifier = self.storage.create_new_study([StudyDirection.MAXIMIZE], name)
        except DuplicatedStudyError:
            identifier = self.storage.get_study_id_from_name(name)
        study = Study(self, name, identifier)
        if study.get("state") is None:
            study.record({**facts, "started": time.time(), "state": "running"})
        return study

    def open(self, name: str) -> "Study":
        """Raises RetuneError where there is no such study."""
        try:
            return Study(self, name, self.storage.get_study_id_from_name(name))
        except KeyError as error:
            known = ", ".join(sorted(self.names())[-5:]) or "none yet"
            raise RetuneError(
                f"There is no study {name}; the studies recorded are: {known}."
            ) from error

    def studies(self) -> list["Study"]:
        """All studies, oldest first."""
        return [
            Study(self, each.study_name, each._study_id) for each in self.storage.get_all_studies()
        ]


def measured_with(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a study's accuracies are judged by, under the names that ``jobs.search`` has for it."""
    return {
        "chance": facts.get("chance") or CHANCE,
        "validation_images": facts.get("validation_images"),
    }


class Study:
    """One tuning campaign in the storage."""

    def __init__(self, record: Record, name: str, identifier: int) -> None:
        self.name, self.identifier = name, identifier
        self.storage, self._record = record.storage, record

    # Facts about the study -----------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        return self.storage.get_study_user_attrs(self.identifier)

    def get(self, key: str, default: Any = None) -> Any:
        return self.facts().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.storage.set_study_user_attr(self.identifier, key, value)

    def record(self, facts: Mapping[str, Any]) -> None:
        """Set several facts: all of them, or none."""
        with at_once(self._record.database) as storage:
            for key, value in facts.items():
                storage.set_study_user_attr(self.identifier, key, value)

    def learn(self, result: Result) -> None:
        """Record what only training shows of the data, where it is not known otherwise."""
        facts, found = self.facts(), dict[str, Any]()
        if facts.get("chance") is None and result.classes:
            found["chance"] = 1 / result.classes
        if result.validation_images and facts.get("validation_images") != result.validation_images:
            found["validation_images"] = result.validation_images
        if found:
            self.record(found)

    @property
    def running(self) -> bool:
        return bool(self.get("state") == "running")

    def finish(self, outcome: Outcome, reason: str) -> None:
        """End the study. The first end holds; a second call changes nothing."""
        if self.get("state") == "finished":
            return
        end = {"outcome": outcome, "reason": reason, "ended": time.time()}
        self.record({**end, "state": "finished"})

    # Trials ----------------------------------------------------------------------------------

    def optuna_study(
        self,
        sampler: optuna.samplers.BaseSampler | None = None,
        pruner: optuna.pruners.BasePruner | None = None,
    ) -> optuna.Study:
        return optuna.load_study(
            study_name=self.name, storage=self.storage, sampler=sampler, pruner=pruner
        )

    def frozen(self) -> list[FrozenTrial]:
        return self.storage.get_all_trials(self.identifier, deepcopy=False)

    def trial(self, number: int) -> "Trial":
        """Raises RetuneError where there is no such trial."""
        try:
            identifier = self.storage.get_trial_id_from_study_id_trial_number(
                self.identifier, number
            )
        except KeyError as error:
            raise RetuneError(
                f"Study {self.name} has no trial {number}; it has {len(self.frozen())}."
            ) from error
        return Trial(self._record, number, identifier)

    def add_first_trial(self, commit: str) -> "Trial":
        """Trial 0, the script as pushed. Run twice, it is made once."""
        if self.frozen():
            return self.trial(0)
        identifier = self.storage.create_new_trial(self.identifier)
        number = self.storage.get_trial_number_from_id(identifier)
        trial = Trial(self._record, number, identifier)
        trial.set("commit", commit)
        return trial

    def ask(self, after: int, sampler: optuna.samplers.BaseSampler | None) -> "Trial":
        """The trial that follows trial ``after``; asked twice, the same one.

        Without a sampler it is an empty one, for a proposal that needs none.
        """
        for each in self.frozen():
            if each.user_attrs.get("after") == after:
                return self.trial(each.number)
        if sampler is None:
            made = self.storage.create_new_trial(self.identifier)
            trial = self.trial(self.storage.get_trial_number_from_id(made))
        else:
            try:
                trial = self.trial(self.optuna_study(sampler=sampler).ask().number)
            except RetuneError:
                self._drop_unmade_trials()
                raise
        trial.set("after", after)
        return trial

    def _drop_unmade_trials(self) -> None:
        """Optuna makes a trial before it asks the sampler; one that got no tweak is none."""
        for each in self.frozen():
            if not each.state.is_finished() and "commit" not in each.user_attrs:
                self.storage.set_trial_state_values(each._trial_id, TrialState.FAIL)

    def view(self) -> StudyView:
        facts = self.facts()
        return StudyView(
            name=self.name,
            state=facts.get("state", "running"),
            outcome=facts.get("outcome"),
            reason=facts.get("reason", ""),
            branch=facts.get("branch", ""),
            commit=facts.get("commit", ""),
            author=facts.get("author", ""),
            subject=facts.get("subject", ""),
            script=facts.get("script"),
            dataset=facts.get("dataset"),
            environment=facts.get("environment", ""),
            target=facts.get("target", 0.8),
            max_trials=facts.get("max_trials", 0),
            max_hours=facts.get("max_hours", 0.0),
            started=facts.get("started", 0.0),
            ended=facts.get("ended"),
            recipients=tuple(facts.get("recipients", ())),
            notes=tuple(facts.get("notes", ())),
            trials=tuple(view(each) for each in self.frozen() if "commit" in each.user_attrs),
        )


class Trial:
    """One training of one version of the model script, in the storage."""

    def __init__(self, record: Record, number: int, identifier: int) -> None:
        self.number, self.identifier = number, identifier
        self.storage, self._database = record.storage, record.database

    def frozen(self) -> FrozenTrial:
        return self.storage.get_trial(self.identifier)

    def view(self) -> TrialView:
        return view(self.frozen())

    @property
    def finished(self) -> bool:
        return bool(self.frozen().state.is_finished())

    def get(self, key: str, default: Any = None) -> Any:
        return self.frozen().user_attrs.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.storage.set_trial_user_attr(self.identifier, key, value)

    @contextmanager
    def _unless_ended(self) -> Iterator[RDBStorage]:
        """Changes of which none is made where somebody has ended the trial meanwhile."""
        with suppress(UpdateFinishedTrialError), at_once(self._database) as storage:
            yield storage

    def record_proposal(self, proposal: Proposal, words: str, commit: str) -> None:
        """What is tried, why, in words, and the commit that holds it: all of it, or none."""
        with self._unless_ended() as storage:
            for key, value in {**asdict(proposal), "words": words, "commit": commit}.items():
                known_as = {"sentence": "why"}.get(key, key)
                storage.set_trial_user_attr(self.identifier, known_as, value)

    def record_reading(self, reading: Reading, known: Mapping[str, BaseDistribution]) -> None:
        """Record the script's hyperparameters as Optuna parameters, with all values and holds.

        ``known``: distributions that earlier trials of the study gave to the same names. Optuna
        refuses other categories for a known name, so the known ones are kept where they fit.
        """
        recorded = set(self.frozen().params)
        held = {each.name: each.held for each in reading.hyperparameters if each.held}
        with self._unless_ended() as storage:
            for each in reading.hyperparameters:
                if each.name in recorded:
                    continue
                chosen = distribution(each.space, each.value)
                before = known.get(each.name)
                if isinstance(before, CategoricalDistribution) and each.value in before.choices:
                    chosen = before
                try:
                    if before is not None:
                        check_distribution_compatibility(before, chosen)
                    internal = chosen.to_internal_repr(each.value)
                except ValueError:
                    # What the study has not seen so: the script and the commit still say it.
                    continue
                storage.set_trial_param(self.identifier, each.name, internal, chosen)
                recorded.add(each.name)
            storage.set_trial_user_attr(self.identifier, "held", held)
            storage.set_trial_user_attr(self.identifier, "values", reading.values())

    def record_epoch(self, epoch: Epoch, step: int) -> None:
        """Record one epoch; ``step`` counts from 1 over the trial. A known step is left alone."""
        recorded = self.frozen()
        if step in recorded.intermediate_values:
            return
        curves = [*recorded.user_attrs.get("curves", [])[: step - 1], asdict(epoch)]
        with self._unless_ended() as storage:
            storage.set_trial_user_attr(self.identifier, "curves", curves)
            if epoch.val_accuracy is not None:
                storage.set_trial_intermediate_value(self.identifier, step, epoch.val_accuracy)

    def record_curves(self, epochs: list[Epoch]) -> None:
        """Make the record hold exactly these epochs' curves."""
        curves = [asdict(each) for each in epochs]
        if self.get("curves", []) != curves:
            with self._unless_ended() as storage:
                storage.set_trial_user_attr(self.identifier, "curves", curves)

    def finish(
        self, result: Result, state: TrialState, facts: Mapping[str, Any] | None = None
    ) -> None:
        """Record how the trial ended, and what else is known of it. The first end holds."""
        if self.finished:
            return
        values = [result.objective] if state == TrialState.COMPLETE else None
        if values == [None]:
            raise ValueError("a complete trial has an objective")
        with self._unless_ended() as storage:
            # The result first: who else ends this trial now waits there, and holds nothing.
            for key, value in {"result": asdict(result), **(facts or {})}.items():
                storage.set_trial_user_attr(self.identifier, key, value)
            storage.set_trial_state_values(self.identifier, state, values)  # type: ignore[arg-type]


def view(frozen: FrozenTrial) -> TrialView:
    """A trial of the storage as plain values."""
    attrs = frozen.user_attrs
    states: dict[TrialState, Literal["running", "complete", "pruned", "failed"]] = {
        TrialState.COMPLETE: "complete",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "failed",
    }
    result = attrs.get("result")
    return TrialView(
        number=frozen.number,
        state=states.get(frozen.state, "running"),
        parent=attrs.get("parent"),
        commit=attrs.get("commit"),
        tweak=attrs.get("tweak", {}),
        words=attrs.get("words", "as pushed" if frozen.number == 0 else ""),
        kind=attrs.get("kind", ""),
        why=attrs.get("why", ""),
        diagnosis=attrs.get("diagnosis", ""),
        params=dict(frozen.params),
        epochs=tuple(curves(frozen)),
        result=Result.from_mapping(result) if result else None,
        relaunches=tuple(attrs.get("relaunches", ())),
        started=frozen.datetime_start,
        ended=frozen.datetime_complete,
    )


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn a storage that went away into one sentence."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = str(error.__cause__ or error).splitlines()[0][:200]
        raise RetuneError(
            f"The storage did not answer ({cause}); see that the database runs and try again."
        ) from error
