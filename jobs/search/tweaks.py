"""The tweaks that answer a diagnosis, in the order in which they are worth trying."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.search.diagnosis import Kind
from jobs.source.script import Value

LEVELS = ("none", "light", "medium", "strong")
Tweaked = dict[str, Value]


@dataclass(frozen=True)
class Candidate:
    """A tweak of one kind, and in a few words what it is to do."""

    kind: str
    tweak: Tweaked
    answer: str


class Model:
    """The parent's hyperparameters; a tweak that its script does not offer is empty."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def names(self, pattern: str) -> list[str]:
        found = [name for name in self.params if re.fullmatch(pattern, name)]
        return sorted(found, key=lambda name: int(re.sub(r"\D", "", name) or 0))

    def epochs(self, least: int) -> Tweaked:
        now = self.params.get("fit.epochs")
        return {"fit.epochs": least} if isinstance(now, int) and now < least else {}

    def longer(self) -> Tweaked:
        now = self.params.get("fit.epochs")
        return {"fit.epochs": min(100, max(now + 3, round(now * 1.6)))} if now else {}

    def augmented(self) -> Tweaked:
        now = self.params.get("augmentation")
        if now not in LEVELS[:-1]:
            return {}
        step = 2 if now == "none" else 1
        return {"augmentation": LEVELS[LEVELS.index(now) + step]}

    def dropped(self) -> Tweaked:
        names = self.names(r"dropout\d+\.rate")
        if not names or self.params[names[-1]] >= 0.5:
            return {}
        return {names[-1]: 0.3 if self.params[names[-1]] < 0.3 else 0.5}

    def deeper(self) -> Tweaked:
        filters = self.names(r"conv\d+\.filters")
        if "blocks" not in self.params or not filters:
            return {}
        wide = int(min(256, 2 * self.params[filters[-1]]))
        return {"blocks": self.params["blocks"] + 1, f"conv{len(filters) + 1}.filters": wide}

    def wider(self) -> Tweaked:
        filters = self.names(r"conv\d+\.filters")
        return {filters[-1]: int(2 * self.params[filters[-1]])} if filters else {}

    def larger_kernel(self) -> Tweaked:
        kernels = self.names(r"conv\d+\.kernel_size")
        return {kernels[0]: 5} if kernels and self.params[kernels[0]] == 3 else {}

    def normalised(self) -> Tweaked:
        return {"batch_norm": True} if self.params.get("batch_norm") is False else {}

    def smaller_dense(self) -> Tweaked:
        units = self.names(r"dense\d+\.units")
        return {units[0]: int(self.params[units[0]] // 2)} if units else {}

    def larger_dense(self) -> Tweaked:
        units = self.names(r"dense\d+\.units")
        return {units[0]: int(self.params[units[0]] * 2)} if units else {}

    def rate(self, factor: float) -> Tweaked:
        now = self.params.get("optimizer.learning_rate")
        return {"optimizer.learning_rate": float(f"{now * factor:.2g}")} if now else {}

    def batch(self, factor: float) -> Tweaked:
        now = self.params.get("fit.batch_size")
        return {"fit.batch_size": max(1, int(now * factor))} if now else {}


def _regularise(model: Model) -> Tweaked:
    first = {**model.augmented(), **model.dropped()}
    return {**first, **model.epochs(8)} if first else {}


def _shorten(model: Model) -> Tweaked:
    now = model.params.get("fit.epochs", 1)
    return {"fit.epochs": now // 2} if now > 1 else {}


Maker = tuple[str, Callable[[Model], Tweaked], str]
_LONGER: Maker = ("longer", lambda m: m.longer(), "Train longer.")
_REGULARISE: Maker = ("regularise", _regularise, "Show it varied images and drop units.")
_AUGMENT: Maker = ("augment", lambda m: m.augmented(), "Vary the images more.")
_DEEPER: Maker = ("deeper", lambda m: m.deeper(), "One more block sees larger shapes.")
_WIDER: Maker = ("wider", lambda m: m.wider(), "More filters in the last block.")
_KERNEL: Maker = ("kernel", lambda m: m.larger_kernel(), "A larger first kernel.")
_NORMALISE: Maker = ("normalise", lambda m: m.normalised(), "Normalise each block's output.")
_SMALLER: Maker = ("smaller-dense", lambda m: m.smaller_dense(), "A smaller dense layer.")
_LARGER: Maker = ("larger-dense", lambda m: m.larger_dense(), "A larger dense layer.")
_SLOWER: Maker = ("slower", lambda m: m.rate(0.3), "Smaller steps.")
_FASTER: Maker = ("faster", lambda m: m.rate(3.0), "Larger steps.")
_CALM: Maker = ("calm", lambda m: m.rate(0.1), "A tenth of the learning rate.")
_HALVE: Maker = ("halve-batch", lambda m: m.batch(0.5), "Half the batch.")
_SHORTEN: Maker = ("shorten", _shorten, "Half the epochs.")

_GROW = (_DEEPER, _WIDER, _NORMALISE, _KERNEL, _LARGER)
ANSWERS: Mapping[Kind, Sequence[Maker]] = {
    "out-of-memory": (_HALVE, _SMALLER),
    "diverged": (_CALM, _SLOWER, _NORMALISE),
    "too-slow": (_SHORTEN, _SMALLER),
    "failed": (_SLOWER, _HALVE),
    "chance": (_SLOWER, _FASTER, _NORMALISE, *_GROW),
    "overfit": (_REGULARISE, _DEEPER, _AUGMENT, _NORMALISE, _SMALLER, _SLOWER, _WIDER),
    "jumping": (_SLOWER, _REGULARISE, _DEEPER, _NORMALISE, _LONGER),
    "rising": (_LONGER, _DEEPER, _REGULARISE, _WIDER, _SLOWER),
    "underfit": (_DEEPER, _WIDER, _NORMALISE, _FASTER, _LONGER, _LARGER, _KERNEL),
    "converged": (_DEEPER, _REGULARISE, _WIDER, _SLOWER, _NORMALISE, _LONGER, _KERNEL),
}


def candidates(makers: Sequence[Maker], model: Model) -> Iterator[Candidate]:
    """The makers' tweaks that this script offers."""
    for kind, make, answer in makers:
        tweak = make(model)
        if tweak:
            yield Candidate(kind, tweak, answer)
