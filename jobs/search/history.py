"""What a study's trials say together: who is a promising parent, what was tried, what paid."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from jobs.environment.spool import Epoch
from jobs.search.curve import accuracy_error, slope
from jobs.search.payoff import Attempt, Payoff
from jobs.source.script import Value

LEAST_COST = 0.08
"""Accuracy lost on mirrored images from which on a mirror is taken to change what they show."""


class History:
    """The finished trials of a study. ``images``: validation images, where they are known."""

    def __init__(self, trials: Sequence[FrozenTrial], images: int | None) -> None:
        self._done = {each.number: each for each in trials if each.state.is_finished()}
        self.readable = [each for each in self._done.values() if values(each)]
        self.last = self.readable[-1] if self.readable else None
        self._children: dict[int, list[FrozenTrial]] = defaultdict(list)
        self._tried = set()
        for each in self.readable:
            parent = self.parent(each)
            self._tried.add(_key(values(each)))
            if parent is not None:
                self._children[parent.number].append(each)
        for each in trials:  # also what is under way, or failed before its script was read
            parent = self.parent(each)
            if parent is not None:
                tweak = each.user_attrs.get("tweak", {})
                self._tried.add(_key({**values(parent), **tweak}))
        best = max((self.accuracy(each) or 0.0 for each in self.readable), default=0.0)
        self.error = accuracy_error(best, images)
        self.payoff = Payoff(self._attempts(), self.error)

    @staticmethod
    def accuracy(trial: FrozenTrial) -> float | None:
        """The objective (0 to 1) of a trial that did not fail."""
        if trial.state == TrialState.COMPLETE:
            return trial.value
        if trial.state != TrialState.PRUNED:
            return None
        value = result(trial).get("objective")
        return value if value is None else float(value)

    @cached_property
    def _read(self) -> list[dict[str, Any]]:
        return [values(each) for each in self.readable]

    def parent(self, trial: FrozenTrial) -> FrozenTrial | None:
        number = trial.user_attrs.get("parent")
        return None if number is None else self._done.get(number)

    @cached_property
    def parents(self) -> list[FrozenTrial]:
        """Trials to tweak, the most promising first.

        A trial promises its accuracy, and what its slope would bring in a few epochs, at most
        twice the standard error, until a child has gone on from it. Every child without a gain
        after the first takes off one standard error, so that others get their second chance.
        Failed trials are no parents, unless nothing else is there.
        """
        if not self.measured:
            return self.readable[:1]
        return sorted(self.measured, key=lambda each: (-self._promise(each), each.number))

    @cached_property
    def measured(self) -> list[FrozenTrial]:
        """Those that have an accuracy and did not fail, in their order."""
        return [each for each in self.readable if self.accuracy(each) is not None]

    def _promise(self, trial: FrozenTrial) -> float:
        steps = sorted(trial.intermediate_values)[-4:]
        children = self._children[trial.number]
        rising = 0 if children else 2 * slope([trial.intermediate_values[step] for step in steps])
        fruitless = sum(not self._gained(each, trial) for each in children)
        return (
            (self.accuracy(trial) or 0.0)
            + min(max(0.0, rising), 2 * self.error)
            - self.error * max(0, fruitless - 1)
        )

    def standing(self, parent: FrozenTrial) -> str:
        """Why it is a trial's turn to be tweaked: words that follow its name."""
        best = max(self.measured, key=lambda each: self.accuracy(each) or 0.0, default=None)
        if best is None:
            return "the script as pushed"
        if self.accuracy(parent) == self.accuracy(best):
            return "the best so far"
        if self._promise(parent) < self._promise(best):
            return f"as the rules have nothing new for trial {best.number}"
        if (self.accuracy(parent) or 0.0) < self._promise(best):
            return (
                f"which still rose and was not gone on from, unlike trial {best.number}, the best"
            )
        return f"as tweaks of trial {best.number}, the best so far, brought nothing"

    def _gained(self, child: FrozenTrial, parent: FrozenTrial) -> bool:
        return (self.accuracy(child) or 0.0) > (self.accuracy(parent) or 0.0)

    def kinds_without_gain(self, parent: FrozenTrial) -> set[str]:
        return {
            str(each.user_attrs.get("kind"))
            for each in self._children[parent.number]
            if not self._gained(each, parent)
        }

    def tried(self, parent: FrozenTrial, tweak: Mapping[str, Value]) -> bool:
        wanted = {**values(parent), **tweak}
        return _key(wanted) in self._tried or (
            "blocks" in tweak and any(_agree(wanted, each) for each in self._read)
        )

    @cached_property
    def mirrors(self) -> bool:
        """Whether images may be mirrored, for all that is known.

        They may not where the best trial that was measured knew its validation images clearly worse
        in the mirror. A network that has seen things from both sides does not; digits, letters and
        signs are others there (Shorten, Khoshgoftaar, "A survey on Image Data Augmentation for Deep
        Learning", 2019, on the safety of an augmentation).
        """
        costs = self._mirroring
        return not costs or costs[max(costs)] <= max(LEAST_COST, 3 * self.error)

    def knows_mirrors(self, chance: float) -> bool:
        """Whether a trial was measured that told most of its images apart: half the way from
        chance to all of them. What it says of them in the mirror is no accident."""
        return max(self._mirroring, default=0.0) >= (1 + chance) / 2

    @cached_property
    def _mirroring(self) -> dict[float, float]:
        """Accuracy of each trial that was measured -> accuracy lost on mirrored images."""
        return {
            self.accuracy(each) or 0.0: cost
            for each in self.readable
            if (cost := result(each).get("mirroring")) is not None
        }

    def _attempts(self) -> list[Attempt]:
        found = []
        for number, children in self._children.items():
            before = self.accuracy(self._done[number])
            for each in children:
                after = self.accuracy(each)
                gain = after - before if after is not None and before is not None else None
                wall = ("seconds_in_fit", "seconds_outside_fit")
                seconds = float(sum(result(each).get(name, 0.0) for name in wall))
                found.append(Attempt(str(each.user_attrs.get("kind")), gain, seconds))
        return found


def values(trial: FrozenTrial) -> dict[str, Any]:
    """The script's values: Optuna's parameters, and those that Optuna could not take."""
    return {**trial.params, **trial.user_attrs.get("values", {})}


def curves(trial: FrozenTrial) -> list[Epoch]:
    """The trial's finished epochs, as they were recorded."""
    return [Epoch.from_mapping(each) for each in trial.user_attrs.get("curves", [])]


def result(trial: FrozenTrial) -> Mapping[str, Any]:
    """How the trial ended, as it was recorded; empty while it is under way."""
    return trial.user_attrs.get("result") or {}


def _agree(wanted: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether a script with other blocks is one that is known, for all that can be told.

    Before it is made, the names of a new block's layers are missing, and those of one that goes are
    still there.
    """
    if known.get("blocks") != wanted["blocks"]:
        return False  # nearly all of them, and quickly
    return all(
        known[name] == value if name in known else name.startswith("conv")
        for name, value in wanted.items()
    ) and all(name in wanted or name.startswith("conv") for name in known)


def _key(params: Mapping[str, Any]) -> str:
    return repr(sorted(params.items()))
