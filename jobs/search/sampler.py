"""What to try next: the answer to the diagnosis that has not been tried and can be built."""

import random
import warnings
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from jobs.errors import RetuneError
from jobs.search.answers import Candidate, answers, candidates, demanded
from jobs.search.curve import CHANCE
from jobs.search.diagnosis import Diagnosis, diagnose, has_learnt
from jobs.search.history import History, curves, result, values
from jobs.search.proposal import Buildable, Proposal
from jobs.search.pruner import FLAT, HOPELESS
from jobs.search.tweaks import (
    AVERAGE,
    AVERAGING,
    BATCH,
    LEAST_BATCH,
    LONGER,
    RATE,
    SETTLE,
    Model,
    adds_layers,
)
from jobs.source.ranges import LEVELS
from jobs.source.script import Value

PROPOSAL = "retune:proposal"
PARENTS = 8
"""So many parents are looked at with the rules, best first, before TPE has its say."""
TOLD = 25
"""So many of the best trials, and of the newest, TPE is told of."""
REPAIRABLE = ("out-of-memory", "diverged", "too-slow")


class Exhausted(RetuneError):  # noqa: N818
    """Nothing that has not been tried can be built."""


class RetuneSampler(BaseSampler):
    """Picks a parent and a tweak by rules from its curves; Optuna's TPE where they are at an end.

    ``target``: validation accuracy (0 to 1) wanted. ``buildable`` says why a tweak of a trial
    cannot be built, or None. ``chance`` is the accuracy of a network that has learnt nothing,
    ``validation_images`` their number where it is known. ``inherits``: whether trials begin with
    their parents' weights. Everything else is read from the study's storage, and the same study,
    trial number and seed give the same proposal in any process.
    """

    def __init__(
        self,
        *,
        target: float,
        buildable: Buildable,
        chance: float = CHANCE,
        validation_images: int | None = None,
        inherits: bool = True,
        seed: int = 0,
    ) -> None:
        self.target, self.buildable, self.inherits = target, buildable, inherits
        self.chance, self.validation_images = chance, validation_images
        self.seed = seed

    # Optuna's interface ----------------------------------------------------------------------

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Raises Exhausted."""
        history = History(study.get_trials(deepcopy=False), self.validation_images)
        if not history.readable:
            return
        study._storage.set_trial_system_attr(
            trial._trial_id, PROPOSAL, asdict(self._propose(study, trial, history))
        )

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        found = self._stored(study, trial)
        return dict(self._parent(study, found).distributions) if found else {}

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        found = self._stored(study, trial)
        if not found or not search_space:
            return {}
        wanted = {**self._parent(study, found).params, **found.tweak}
        return {
            name: wanted[name]
            for name, each in search_space.items()
            if _lies_in(wanted[name], each)
        }

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The tweak's own value where the parent has no such parameter; otherwise TPE's."""
        found = self._stored(study, trial)
        if found and param_name in found.tweak:
            value = found.tweak[param_name]
            if _lies_in(value, param_distribution):
                return value
        return self._tpe(study, trial).sample_independent(
            study, trial, param_name, param_distribution
        )

    def proposal(self, study: optuna.Study, trial: FrozenTrial) -> Proposal:
        """What was proposed for a trial. Raises KeyError where nothing was."""
        found = self._stored(study, trial)
        if found is None:
            raise KeyError(trial.number)
        return found

    def foresee(
        self, study: optuna.Study, trials: Sequence[FrozenTrial], running: int | None = None
    ) -> Proposal | None:
        """What would be proposed next if the study's trials were these. Stores nothing.

        ``running``: the number of one that could go on, so that to train it longer is always new.
        None where no script could be read so far. Raises Exhausted.
        """
        history = History(trials, self.validation_images)
        if not history.readable:
            return None
        upcoming = optuna.trial.create_trial(state=TrialState.RUNNING)
        upcoming.number = len(trials)
        return self._propose(study, upcoming, history, running)

    @staticmethod
    def _stored(study: optuna.Study, trial: FrozenTrial) -> Proposal | None:
        attrs = study._storage.get_trial_system_attrs(trial._trial_id)
        return Proposal(**attrs[PROPOSAL]) if PROPOSAL in attrs else None

    @staticmethod
    def _parent(study: optuna.Study, found: Proposal) -> FrozenTrial:
        return study.get_trials(deepcopy=False)[found.parent]

    def _number(self, study: optuna.Study, trial: FrozenTrial) -> int:
        return zlib.crc32(f"{study.study_name}/{trial.number}/{self.seed}".encode())

    def _tpe(self, study: optuna.Study, trial: FrozenTrial) -> TPESampler:
        return TPESampler(seed=self._number(study, trial), n_startup_trials=5)

    # The choice ------------------------------------------------------------------------------

    def _propose(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        history: History,
        running: int | None = None,
    ) -> Proposal:
        repair = self._repair(history)
        if repair is not None:
            return repair
        rng = random.Random(self._number(study, trial))
        for parent in history.parents[:PARENTS]:
            runs = parent.number == running
            for finding, each in self._ranked(parent, history, rng, runs):
                if (runs and each.kind == LONGER) or self._new(parent, each.tweak, history):
                    why = (
                        f"{_clause(finding)}, so trial {parent.number}, "
                        f"{history.standing(parent)}, gets {each.answer}{self._anew(parent)}."
                    )
                    return Proposal(parent.number, each.tweak, each.kind, why)
        return self._by_tpe(study, trial, history)

    def _anew(self, parent: FrozenTrial) -> str:
        learnt = has_learnt(curves(parent), self.chance, self.validation_images)
        return "" if learnt or not self.inherits else ", and begins with new weights"

    def _new(self, parent: FrozenTrial, tweak: Mapping[str, Value], history: History) -> bool:
        return not history.tried(parent, tweak) and self.buildable(parent.number, tweak) is None

    def _diagnose(self, trial: FrozenTrial) -> Diagnosis:
        return diagnose(
            curves(trial),
            chance=self.chance,
            validation_images=self.validation_images,
            failure=result(trial).get("failure"),
        )

    def _ranked(
        self, parent: FrozenTrial, history: History, rng: random.Random, runs: bool
    ) -> list[tuple[Diagnosis, Candidate]]:
        """What the target demands, then each finding's answers by what they may be expected to pay.

        Kinds that brought nothing to this parent come last.
        """
        model = self._model(values(parent), parent, history, runs=runs)
        averaged = values(parent).get(AVERAGING) is True
        finding = self._diagnose(parent)
        found = [
            (each, candidate)
            for each in (finding, *finding.also)
            for candidate in candidates(answers(each, self.target, averaged=averaged), model)
        ]
        failed = history.kinds_without_gain(parent)
        if parent.user_attrs.get("kind") == SETTLE:
            failed.add(SETTLE)  # smaller and smaller steps lead nowhere
        place = {id(candidate): number for number, (_, candidate) in enumerate(found)}

        averages = any(candidate.kind == AVERAGE for _, candidate in found)
        makers = demanded(finding, self.target, averaged=averaged)
        first = {candidate.kind for candidate in candidates(makers, model)}

        def rank(pair: tuple[Diagnosis, Candidate]) -> tuple[bool, bool, bool, float]:
            kind = pair[1].kind
            return (
                kind in failed,
                kind not in first,
                kind == SETTLE and averages,
                -history.payoff.drawn(kind, place[id(pair[1])], rng),
            )

        return sorted(found, key=rank)

    def _model(
        self,
        params: Mapping[str, Any],
        parent: FrozenTrial,
        history: History,
        held: Collection[str] = (),
        *,
        runs: bool = False,
    ) -> Model:
        held = {*parent.user_attrs.get("held", {}), *held}
        settled = parent.user_attrs.get("kind") == SETTLE
        before = history.parent(parent) if settled else None
        steps, seconds = result(parent).get("steps"), [each.seconds for each in curves(parent)]
        return Model(
            params,
            held,
            parent.distributions,
            inherits=self.inherits,
            rate_before_settling=values(before).get(RATE) if before is not None else None,
            steps=steps,
            step_seconds=median(seconds) / steps if seconds and steps else 0.0,
            trained=len(seconds) if parent.state != TrialState.COMPLETE else None,
            is_flat=result(parent).get("reason") in (FLAT, HOPELESS),
            runs=runs,
            mirrors=history.mirrors,
        )

    def _repair(self, history: History) -> Proposal | None:
        """The last trial's tweak in a safer form, where it failed for a reason that has one.

        A repair that fails as well is repaired again as long as nothing was ever measured; after
        that its parent gets another tweak.
        """
        failed = history.last
        if failed is None or history.accuracy(failed) is not None:
            return None
        finding = self._diagnose(failed)
        parent = history.parent(failed)
        if parent is None or finding.kind not in REPAIRABLE:
            return None
        if failed.user_attrs.get("kind") == "repair" and history.measured:
            return None
        wanted = failed.user_attrs.get("tweak", {})
        held = {AVERAGING} if adds_layers(wanted) else set()
        model = self._model({**values(parent), **wanted}, parent, history, held)
        for each in candidates(answers(finding, self.target), model):
            repaired = {**wanted, **each.tweak}
            if repaired.get(BATCH, LEAST_BATCH) < LEAST_BATCH:
                repaired.pop("batch_norm", None)
            tweak = {
                name: value for name, value in repaired.items() if values(parent).get(name) != value
            }
            if tweak and self._new(parent, tweak, history):
                what = _clause(finding)
                why = (
                    f"Trial {failed.number} failed, for {what[0].lower()}{what[1:]}, so its tweak "
                    f"of trial {parent.number} is tried once more with {each.answer}."
                )
                return Proposal(parent.number, tweak, "repair", why)
        return None

    def _by_tpe(self, study: optuna.Study, trial: FrozenTrial, history: History) -> Proposal:
        """One value of a good trial's search space, as Optuna's TPE would have it."""
        tpe, told = self._tpe(study, trial), _digest(study, history)
        rng = random.Random(self._number(study, trial))
        for parent in history.parents:
            held = parent.user_attrs.get("held", {})
            space = [each for each in parent.distributions.items() if each[0] not in held]
            rng.shuffle(space)
            for name, distribution in space:
                now = parent.params[name]
                for value, whose in _near(now, distribution, tpe, told, trial, name):
                    if value in LEVELS[1:] and not history.mirrors:
                        continue
                    if value != now and self._new(parent, {name: value}, history):
                        why = (
                            f"The rules have nothing left to say, so trial {parent.number}, "
                            f"{history.standing(parent)}, gets {name} = {value}, {whose}."
                        )
                        return Proposal(parent.number, {name: value}, f"tpe:{name}", why)
        raise Exhausted("Nothing that has not been tried yet can be built from this script.")


def _digest(study: optuna.Study, history: History) -> optuna.Study:
    """The best and the newest trials alone, so that TPE takes no longer as the study grows.

    TPE divides the trials into a few good ones and the rest (Bergstra, Bardenet, Bengio, Kégl,
    "Algorithms for Hyper-Parameter Optimization", 2011, section 4); of both, these are a sample.
    """
    best = sorted(history.measured, key=lambda each: -(history.accuracy(each) or 0.0))[:TOLD]
    chosen = {each.number: each for each in (*best, *history.measured[-TOLD:])}
    digest = optuna.create_study(direction=study.direction)
    digest.add_trials(
        [
            optuna.trial.create_trial(
                value=history.accuracy(each),
                params=each.params,
                distributions=each.distributions,
            )
            for _, each in sorted(chosen.items())
        ]
    )
    return digest


_BY_TPE, _BESIDE = "as Optuna's TPE would have it", "a value beside its own"


def _near(
    now: Any,
    distribution: BaseDistribution,
    tpe: TPESampler,
    study: optuna.Study,
    trial: FrozenTrial,
    name: str,
) -> Iterator[tuple[Any, str]]:
    """TPE's value, then the neighbours of the present one, each with whose it is.

    Blocks grow and shrink one by one.
    """
    if name != "blocks":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            drawn = tpe.sample_independent(study, trial, name, distribution)
        if isinstance(distribution, FloatDistribution):
            # In a script, no more digits than can be told apart.
            drawn = min(max(float(f"{drawn:.2g}"), distribution.low), distribution.high)
        yield drawn, _BY_TPE
    if isinstance(distribution, CategoricalDistribution):
        yield from ((each, _BESIDE) for each in distribution.choices)
        return
    if not isinstance(distribution, IntDistribution | FloatDistribution):
        return
    step = distribution.step or (1 if isinstance(distribution, IntDistribution) else None)
    factors = (now * 2, now / 2) if distribution.log or step is None else (now + step, now - step)
    for value in factors:
        near = int(value) if isinstance(distribution, IntDistribution) else float(value)
        if distribution.low <= near <= distribution.high:
            yield near, _BESIDE


def _clause(finding: Diagnosis) -> str:
    return finding.sentence.removesuffix(".")


def _lies_in(value: Any, distribution: BaseDistribution) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:
        return False
