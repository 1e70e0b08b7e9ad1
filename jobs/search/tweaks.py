"""Tweaks of one model, each of which may not apply: what is larger, calmer, varied more …"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution

from jobs.search.space import fitted
from jobs.source.evaluate.names import LEARNING_RATES
from jobs.source.ranges import LEVELS, UNMIRRORED_LEVELS
from jobs.source.script import Value

MOST_EPOCHS, EPOCHS, FRESH_EPOCHS = 30, 8, 15
"""Epochs of one trial at the most, and those that a changed network is given at the least: with its
parent's weights, and from scratch."""
FAR, VERY_FAR = 10, 30
"""Factors from the usual learning rate at which it is not approached, but taken: where nothing is
learnt, and whatever is learnt."""
RATE, LEAST_RATE, MOST_RATE = "optimizer.learning_rate", 1e-5, 1e-1
AVERAGING, DECAY = "optimizer.use_ema", "optimizer.weight_decay"
SCHEDULE = "fit.reduce_lr_on_plateau"
LEAST_STEPS = 30
"""Steps of the optimizer in an epoch from which on the averages of the last hundred (Keras' default
momentum is 0.99) are some three epochs behind at the most."""
LEAST_FRESH_STEPS = 60
"""The same where layers are new, which change quickly."""
LEAST_BATCH = 8
"""Images in a batch from which on its statistics are good enough to normalise with."""
BATCH, SMALL_BATCH = "fit.batch_size", 16
FEW_STEPS, LONG_STEP = 150, 0.02
"""Steps in an epoch up to which smaller batches teach new layers more in the same time, and the
seconds from which on a step takes its time from its images. With half of 32 in a batch, validation
came 0.02 further in eight epochs of some 90 such steps, which took a fifteenth longer
(``tests/benchmarks/results``)."""
LONGER, AVERAGE, SETTLE = "longer", "average", "settle"
"""The kinds of tweak that go on from the parent's weights: as it did, or with calmer ones, averaged
or moved by smaller steps."""
Tweaked = dict[str, Value]


class Model:
    """The parent's hyperparameters that may change; a tweak that does not apply is empty.

    ``params``: name -> value. ``held``: names that the script or the pusher holds.
    ``distributions``: name -> range that its values have to lie in, where there is one.
    ``inherits``: whether a child begins with the weights of this model.
    ``rate_before_settling``: that of the model whose steps were made smaller to get this one.
    ``steps``: of the optimizer in an epoch, where they are known, and ``step_seconds``: how long
    each takes. ``trained``: the epochs that it has had, where it was ended before those that it had
    planned, and ``is_flat`` whether that was because they brought nothing any more.
    ``mirrors``: whether its images may be shown in the mirror.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        held: Collection[str] = (),
        distributions: Mapping[str, BaseDistribution] | None = None,
        *,
        inherits: bool = True,
        rate_before_settling: float | None = None,
        steps: int | None = None,
        step_seconds: float = 0.0,
        trained: int | None = None,
        is_flat: bool = False,
        runs: bool = False,
        mirrors: bool = True,
    ) -> None:
        self.inherits, self._rate_before, self._steps = inherits, rate_before_settling, steps
        self._step_seconds, self._trained, self._runs = step_seconds, trained, runs
        self._mirrors, self._is_flat = mirrors, is_flat
        self.params = {name: value for name, value in params.items() if name not in held}
        self._all, self._held = params, held
        self._distributions = distributions or {}

    def allowed(self, tweak: Tweaked) -> Tweaked:
        """What of a tweak changes something within the ranges and is not held.

        Filters or epochs for a block that cannot be added are no tweak of their own.
        """
        found: Tweaked = {}
        for name, wanted in tweak.items():
            known = self._distributions.get(name)
            value = wanted if known is None else fitted(wanted, known)
            if name not in self._held and value is not None and value != self._all.get(name):
                found[name] = value
        if "blocks" in tweak and "blocks" not in found:
            return {}
        return {} if found.keys() == {"fit.epochs"} != tweak.keys() else found

    def names(self, pattern: str) -> list[str]:
        return _numbered(self.params, pattern)

    def longer(self) -> Tweaked:
        """Half as many again, which are *further* ones where a child goes on from its parent's
        weights; from scratch twice as many, of which the second half is new."""
        planned = self.params.get("fit.epochs")
        if not planned or (self._is_flat and not self._runs):
            return {}
        now = self._trained or int(planned)
        if now >= MOST_EPOCHS and not self._runs:
            return {}
        more = round(now * 1.5) if self.inherits else 2 * now
        wanted = min(MOST_EPOCHS, max(now + 3, more))
        # Of a trial that was ended early that may be what it had planned.
        return {"fit.epochs": wanted + (wanted == planned)}

    def shorter(self) -> Tweaked:
        """Half as many, or as many as there was time for."""
        now = self.params.get("fit.epochs", 1)
        return {"fit.epochs": min(now // 2, self._trained or now)} if now > 1 else {}

    def epochs(self) -> Tweaked:
        """Those that changed weights need at the least."""
        now = self.params.get("fit.epochs")
        least = EPOCHS if self.inherits else FRESH_EPOCHS
        return {"fit.epochs": least} if now and now < least else {}

    def augmented(self) -> Tweaked:
        now, levels = self.params.get("augmentation"), self._levels()
        if now not in levels[:-1]:
            return {}
        step = 2 if now == "none" else 1
        return {"augmentation": levels[levels.index(now) + step]}

    def less_augmented(self) -> Tweaked:
        now, levels = self.params.get("augmentation"), self._levels()
        return {"augmentation": levels[levels.index(now) - 1]} if now in levels[1:] else {}

    def _levels(self) -> Sequence[str]:
        """Those with mirrored images or those without: as the script has it, if it has either."""
        now = self.params.get("augmentation")
        has_none = now in UNMIRRORED_LEVELS[1:] or (now == "none" and not self._mirrors)
        return UNMIRRORED_LEVELS if has_none else LEVELS

    def leaves_unmirrored(self, tweak: Tweaked) -> bool:
        """Whether a tweak begins to vary the images, but not by mirroring them."""
        begins = self.params.get("augmentation") == "none"
        return begins and tweak.get("augmentation") in UNMIRRORED_LEVELS[1:]

    def dropped(self) -> Tweaked:
        names = self.names(r"dropout\d+\.rate")
        if not names or self.params[names[-1]] >= 0.5:
            return {}
        return {names[-1]: 0.3 if self.params[names[-1]] < 0.3 else 0.5}

    def less_dropped(self) -> Tweaked:
        names = [each for each in self.names(r"dropout\d+\.rate") if self.params[each] > 0]
        return {names[-1]: float(round(self.params[names[-1]] / 2, 1))} if names else {}

    def decayed(self) -> Tweaked:
        """Weights that shrink in each step by a share of the learning rate (Loshchilov, Hutter,
        "Decoupled Weight Decay Regularization", 2019)."""
        now = self.params.get(DECAY)
        return {} if now is None or now >= 0.1 else {DECAY: 0.01 if now < 0.01 else 0.1}

    def less_decayed(self) -> Tweaked:
        now = self.params.get(DECAY)
        return {DECAY: 0.01 if now > 0.01 else 0.0} if now else {}

    def deeper(self, count: int = 1) -> Tweaked:
        """So many blocks more, each twice as wide as the one before it (Simonyan, Zisserman 2015),
        and the epochs that their weights need.

        What follows them has to be learnt anew, which normalised outputs make quicker (Ioffe,
        Szegedy, "Batch Normalization", 2015), so that those begin here as well.
        """
        filters = _numbered(self._all, r"conv\d+\.filters")
        if "blocks" not in self.params:
            return {}
        more: Tweaked = {"blocks": self.params["blocks"] + count}
        if not _reaches(self._distributions.get("blocks"), more["blocks"]):
            return {}
        if filters:
            last = self._all[filters[-1]]
            number = int(filters[-1].split(".")[0].removeprefix("conv"))
            for each in range(number + 1, number + count + 1):
                last = int(max(last, min(256, 2 * last)))
                more[f"conv{each}.filters"] = last
        return {**more, **self.normalised(), **self.epochs()}

    def deeper_alone(self) -> Tweaked:
        return {"blocks": self.params["blocks"] + 1} if "blocks" in self.params else {}

    def wider(self) -> Tweaked:
        filters = self.names(r"conv\d+\.filters")
        return {filters[-1]: int(2 * self.params[filters[-1]])} if filters else {}

    def wider_where_deepest(self) -> Tweaked:
        """Where the images bear no further block, or none may be added."""
        deeper = self.allowed(self.deeper()) or self.allowed(self.deeper_alone())
        return {} if deeper else self.wider()

    def narrower(self) -> Tweaked:
        filters = self.names(r"conv\d+\.filters")
        widest = max(filters, key=lambda name: self.params[name], default=None)
        if widest is None or self.params[widest] < 16:
            return {}
        return {widest: int(self.params[widest] // 2)}

    def larger_kernel(self) -> Tweaked:
        kernels = self.names(r"conv\d+\.kernel_size")
        return {kernels[0]: 5} if kernels and self.params[kernels[0]] == 3 else {}

    def normalised(self) -> Tweaked:
        """Unless batches are too small to tell their mean and variance (Wu, He, "Group
        Normalization", 2018, figure 1)."""
        batch = self._all.get(BATCH, LEAST_BATCH)
        if self.params.get("batch_norm") is not False or batch < LEAST_BATCH:
            return {}
        return {"batch_norm": True, **self.epochs()}

    def smaller_dense(self) -> Tweaked:
        units = self.names(r"dense\d+\.units")
        if not units or self.params[units[0]] < 32:
            return {}
        return {units[0]: int(self.params[units[0]] // 2)}

    def larger_dense(self) -> Tweaked:
        units = self.names(r"dense\d+\.units")
        return {units[0]: int(self.params[units[0]] * 2)} if units else {}

    def rate(self, factor: float) -> Tweaked:
        now = self.params.get(RATE)
        if not now:
            return {}
        # A script's own may lie outside of the bounds: it moves to the nearer one at the least.
        wanted = min(now * factor, MOST_RATE) if factor < 1 else max(now * factor, LEAST_RATE)
        return {RATE: float(f"{wanted:.2g}")} if LEAST_RATE <= wanted <= MOST_RATE else {}

    def raised_rate(self) -> Tweaked:
        """Where it is below the usual one: to it, where it is far below."""
        below = self._below_usual
        return self.rate(below if below >= FAR else 3.0) if below > 1 else {}

    def lowered_rate(self) -> Tweaked:
        """Where it is above the usual one: to it, where it is far above."""
        below = self._below_usual
        return self.rate(below if below <= 1 / FAR else 0.3) if below < 1 else {}

    def usual_rate(self) -> Tweaked:
        """Where steps are so small that what they teach in an epoch says nothing."""
        return self.raised_rate() if self._below_usual >= VERY_FAR else {}

    @property
    def _below_usual(self) -> float:
        """By what factor the learning rate is below the usual one; 1 where there is none."""
        usual = self._usual_rate
        return float(f"{usual / (self.params.get(RATE) or usual):.3g}")

    @property
    def _usual_rate(self) -> float:
        return LEARNING_RATES.get(self._all.get("optimizer.name", ""), LEARNING_RATES["adam"])

    def scheduled(self) -> Tweaked:
        """Steps that are made smaller where validation stops improving (Bengio 2012, section 3.1.1,
        on schedules that adapt). That takes epochs to be seen, and others to be of use."""
        longer = self.epochs()
        enough = longer or self._all.get("fit.epochs", 0) >= EPOCHS
        return {SCHEDULE: True, **longer} if enough and self.params.get(SCHEDULE) is False else {}

    def scheduled_faster(self) -> Tweaked:
        """Steps that may be much too large for the end, but not for the beginning."""
        faster, scheduled = self.rate(10.0), self.scheduled()
        return {**faster, **scheduled} if faster and scheduled else {}

    def adaptive(self) -> Tweaked:
        if self.params.get("optimizer.name") != "sgd":
            return {}
        usual = LEARNING_RATES["adam"]
        now = self.params.get(RATE, usual)
        is_off = now > usual or now <= usual / FAR
        return {"optimizer.name": "adam", **({RATE: usual} if is_off else {})}

    def half_batch(self) -> Tweaked:
        now = self.params.get(BATCH)
        return {BATCH: int(now // 2)} if now and now > 1 else {}

    def regularised(self) -> Tweaked:
        first = {**self.augmented(), **self.dropped()}
        return {**first, **self.epochs()} if first else {}

    def deeper_regularised(self, count: int) -> Tweaked:
        """Both at once: each changes what the dense part sees, so that it is learnt anew once."""
        deeper, first = self.deeper(count), self.first_regularised()
        return {**deeper, **first} if deeper and first else {}

    def regularised_by(self, tweak: Tweaked) -> str:
        """What of a tweak keeps a network from learning by heart, in words."""
        words = []
        if "augmentation" in tweak:
            begins = self.params.get("augmentation") == "none"
            words.append("varied images" if begins else "images that are varied more")
        for name in tweak:
            if name.startswith("dropout"):
                words.append("more dropped units" if self.params.get(name) else "dropped units")
        return " and ".join(words)

    @property
    def more_epochs(self) -> str:
        return f"more epochs than the {self._trained} it had" if self._trained else "more epochs"

    def first_regularised(self) -> Tweaked:
        """Of a model whose images are not varied yet."""
        return self.regularised() if self.params.get("augmentation", "none") == "none" else {}

    def settled(self) -> Tweaked:
        """Smaller steps from where the weights are; of no use without them."""
        slower = self.rate(0.3) if self.inherits else {}
        return {**slower, **self.epochs()} if slower else {}

    def averaging(self) -> Tweaked:
        """Averages of the weights, from where they are."""
        begun = self.averaged({}) if self.inherits else {}
        return {**begun, **self.epochs()} if begun else {}

    def settled_instead(self) -> Tweaked:
        """Smaller steps where weights cannot be averaged."""
        return {} if self.averaging() else self.settled()

    @property
    def varies(self) -> bool:
        """Whether images are varied already, or nothing here can vary them."""
        return self.params.get("augmentation") != "none"

    def unsettled(self, tweak: Tweaked) -> Tweaked:
        """A tweak with the learning rate from before the steps were made smaller.

        What is new has to be learnt, and what is known has to leave the place where it settled
        (Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017).
        """
        if self._rate_before is None or RATE in tweak:
            return tweak
        return {**tweak, **self.allowed({RATE: self._rate_before})}

    def averaged(self, tweak: Tweaked) -> Tweaked:
        """A tweak with averaged weights besides.

        They cost nothing, and take the noise of the steps out of the weights, and out of what
        validation says of them (Izmailov, Podoprikhin, Garipov, Vetrov, Wilson, "Averaging Weights
        Leads to Wider Optima and Better Generalization", 2018). Of a child with new
        layers they begin after its first epoch, and have to have caught up within a few.
        """
        least = LEAST_FRESH_STEPS if self.inherits and adds_layers(tweak) else LEAST_STEPS
        batch = self.params.get(BATCH)
        more = batch // tweak[BATCH] if batch and BATCH in tweak else 1
        known = self.params.get(AVERAGING) is False and more * (self._steps or 0) >= least
        return {**tweak, AVERAGING: True} if known else tweak

    def in_more_steps(self, tweak: Tweaked) -> Tweaked:
        """A tweak that adds blocks, with smaller batches besides where an epoch has few steps.

        What is new learns by the number of its steps, as long as they are few (Masters, Luschi,
        "Revisiting Small Batch Training for Deep Neural Networks", 2018). Where a step's length is
        not that of its images, as on most GPUs, twice the steps would take twice the time.
        """
        batch, steps = self.params.get(BATCH), self._steps
        if "blocks" not in tweak or not batch or not steps or self._step_seconds < LONG_STEP:
            return tweak
        while steps < FEW_STEPS and batch >= 2 * SMALL_BATCH:
            batch, steps = batch // 2, 2 * steps
        return {**tweak, **self.allowed({BATCH: batch})}

    def freed_of_much(self) -> Tweaked:
        """Of regularisation that is strong enough to keep a network from learning."""
        is_much = (
            str(self.params.get("augmentation")).startswith("strong")
            or any(self.params[each] >= 0.5 for each in self.names(r"dropout\d+\.rate"))
            or self.params.get(DECAY, 0.0) >= 0.1
        )
        return self.freed() if is_much else {}

    def freed(self) -> Tweaked:
        return {**self.less_augmented(), **self.less_dropped(), **self.less_decayed()}


def adds_layers(tweak: Collection[str]) -> bool:
    """Whether a tweak adds layers with weights."""
    return "blocks" in tweak or "batch_norm" in tweak


def _numbered(params: Mapping[str, Any], pattern: str) -> list[str]:
    found = [name for name in params if re.fullmatch(pattern, name)]
    return sorted(found, key=lambda name: int(re.sub(r"\D", "", name) or 0))


def _reaches(known: BaseDistribution | None, value: Value) -> bool:
    return known is None or fitted(value, known) == value
