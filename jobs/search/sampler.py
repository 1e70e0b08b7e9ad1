"""What to try next: the answer to the diagnosis that has not been tried and can be built."""

import random
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from jobs.environment.spool import Epoch
from jobs.errors import RetuneError
from jobs.search.diagnosis import Diagnosis, diagnose
from jobs.search.proposal import Buildable, Proposal
from jobs.search.tweaks import ANSWERS, Candidate, Model, candidates
from jobs.source.script import Value

PROPOSAL = "retune:proposal"
SECOND_CHANCE = 3
"""So many children without a gain, and a trial is no parent any more while others promise more."""


class Exhausted(RetuneError):  # noqa: N818
    """Nothing that has not been tried can be built."""


class RetuneSampler(BaseSampler):
    """Picks a parent and a tweak by rules from its curves; Optuna's TPE where they are at an end.

    ``buildable`` says why a tweak of a trial cannot be built, or None. ``classes`` and
    ``validation_images`` are those of the data set where they are known. The same study and trial
    number give the same proposal.
    """

    def __init__(
        self,
        *,
        target: float,
        buildable: Buildable,
        classes: int | None = None,
        validation_images: int | None = None,
        seed: int = 0,
    ) -> None:
        self.target, self.buildable = target, buildable
        self.classes, self.validation_images = classes, validation_images
        self.seed = seed
        self._tpe = TPESampler(seed=seed, n_startup_trials=5)

    # Optuna's interface ----------------------------------------------------------------------

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Raises Exhausted."""
        done = [each for each in study.get_trials(deepcopy=False) if each.state.is_finished()]
        if not any(each.params for each in done):
            return
        proposal = self._propose(study, trial, done)
        study._storage.set_trial_system_attr(
            trial._trial_id,
            PROPOSAL,
            {
                "parent": proposal.parent,
                "tweak": dict(proposal.tweak),
                "kind": proposal.kind,
                "sentence": proposal.sentence,
            },
        )

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        found = self._stored(study, trial)
        return dict(study.trials[found.parent].distributions) if found else {}

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        found = self._stored(study, trial)
        if not found or not search_space:
            return {}
        values = {**study.trials[found.parent].params, **found.tweak}
        return {
            name: values[name]
            for name, each in search_space.items()
            if each._contains(each.to_internal_repr(values[name]))
        }

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def proposal(self, study: optuna.Study, trial: FrozenTrial) -> Proposal:
        """What was proposed for a trial. Raises KeyError where nothing was."""
        found = self._stored(study, trial)
        if found is None:
            raise KeyError(trial.number)
        return found

    @staticmethod
    def _stored(study: optuna.Study, trial: FrozenTrial) -> Proposal | None:
        attrs = study._storage.get_trial_system_attrs(trial._trial_id)
        return Proposal(**attrs[PROPOSAL]) if PROPOSAL in attrs else None

    # The choice ------------------------------------------------------------------------------

    def _propose(
        self, study: optuna.Study, trial: FrozenTrial, done: list[FrozenTrial]
    ) -> Proposal:
        tried = {_key(each.params) for each in done}
        tried |= {
            _key({**_params(done, each), **each.user_attrs.get("tweak", {})}) for each in done
        }
        for parent in self._parents(done):
            finding = self._diagnose(parent)
            for each in self._ranked(finding, parent, done):
                child = {**parent.params, **each.tweak}
                if _key(child) in tried or self.buildable(parent.number, each.tweak) is not None:
                    continue
                return Proposal(
                    parent.number, each.tweak, each.kind, f"{finding.sentence} {each.answer}"
                )
        return self._by_tpe(study, trial, done, tried)

    def _parents(self, done: list[FrozenTrial]) -> Iterator[FrozenTrial]:
        """The best trial first; one whose children brought nothing goes behind the others."""
        usable = [each for each in done if each.params and _accuracy(each) is not None]
        if not usable:
            yield from (each for each in done if each.params)
            return
        usable.sort(key=lambda each: (-(_accuracy(each) or 0.0), each.number))
        fruitless = {each.number: self._fruitless(each, done) for each in usable}
        usable.sort(key=lambda each: fruitless[each.number] >= SECOND_CHANCE)
        yield from usable

    @staticmethod
    def _fruitless(parent: FrozenTrial, done: list[FrozenTrial]) -> int:
        return sum(
            each.user_attrs.get("parent") == parent.number
            and (_accuracy(each) or 0.0) <= (_accuracy(parent) or 0.0)
            for each in done
        )

    def _diagnose(self, trial: FrozenTrial) -> Diagnosis:
        result = trial.user_attrs.get("result") or {}
        return diagnose(
            [Epoch.from_mapping(each) for each in trial.user_attrs.get("curves", [])],
            classes=self.classes,
            validation_images=self.validation_images,
            failure=result.get("failure") if trial.state == TrialState.FAIL else None,
        )

    @staticmethod
    def _ranked(
        finding: Diagnosis, parent: FrozenTrial, done: list[FrozenTrial]
    ) -> list[Candidate]:
        """Answers to the finding in their order; kinds that failed with this parent come last."""
        failed = {
            each.user_attrs.get("kind")
            for each in done
            if each.user_attrs.get("parent") == parent.number
        }
        found = list(candidates(ANSWERS[finding.kind], Model(parent.params)))
        return sorted(found, key=lambda each: each.kind in failed)

    def _by_tpe(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        done: list[FrozenTrial],
        tried: set[str],
    ) -> Proposal:
        """Values of the best trial's search space as Optuna's TPE would have them."""
        parent = next(iter(self._parents(done)))
        rng = random.Random(zlib.crc32(f"{study.study_name}/{trial.number}/{self.seed}".encode()))
        names = [
            name
            for name, each in parent.distributions.items()
            if isinstance(each, FloatDistribution | IntDistribution)
            and name not in parent.user_attrs.get("held", {})
        ]
        for _ in range(50):
            if not names:
                break
            name = rng.choice(names)
            value = self._tpe.sample_independent(study, trial, name, parent.distributions[name])
            tweak = {name: value}
            if value == parent.params[name] or _key({**parent.params, **tweak}) in tried:
                continue
            if self.buildable(parent.number, tweak) is None:
                return Proposal(
                    parent.number, tweak, "model", "The rules are at an end: as TPE would have it."
                )
        raise Exhausted("Nothing that has not been tried yet can be built from this script.")


def _accuracy(trial: FrozenTrial) -> float | None:
    result = trial.user_attrs.get("result") or {}
    value = result.get("objective")
    return trial.value if trial.state == TrialState.COMPLETE else value


def _params(done: list[FrozenTrial], trial: FrozenTrial) -> dict[str, Value]:
    number = trial.user_attrs.get("parent")
    return next((dict(each.params) for each in done if each.number == number), {})


def _key(params: Mapping[str, Any]) -> str:
    return repr(sorted(params.items()))
