"""Which kinds of tweak paid in a study so far."""

import math
import random
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

STRENGTH = 4.0
"""So many trials is the rules' own order worth, against the study's record."""
HIGHEST, STEP = 0.6, 0.04
"""Expected payoff of a rule's first answer, and what each place further down takes off."""


@dataclass(frozen=True)
class Attempt:
    """What a tweak of a kind brought: ``gain`` in accuracy over the parent, in ``seconds``.

    ``gain`` is None where the trial failed.
    """

    kind: str
    gain: float | None
    seconds: float


class Payoff:
    """A Bayesian bandit over kinds of tweak.

    An attempt pays between 0 and 1: how sure its gain is more than noise (normal distribution of
    the difference of two accuracies with standard error ``error``), times how quick it was
    against the study's median. Each kind's payoff has a Beta prior whose mean falls with the
    place that the rules give it. The first answers' priors are optimistic, so what has not been
    tried comes before what failed (Sutton, Barto, "Reinforcement Learning", 2nd edition 2018,
    section 2.6).
    """

    def __init__(self, attempts: Iterable[Attempt], error: float) -> None:
        attempts = list(attempts)
        times = [each.seconds for each in attempts if each.seconds > 0]
        usual = statistics.median(times) if times else 1.0
        self.paid: dict[str, list[float]] = defaultdict(list)
        for each in attempts:
            sure = 0.0 if each.gain is None else math.erf(max(0.0, each.gain) / (2 * error))
            quick = min(1.0, math.sqrt(usual / each.seconds)) if each.seconds > 0 else 1.0
            self.paid[each.kind].append(sure * quick)

    def expected(self, kind: str, place: int) -> float:
        """Mean of the posterior; ``place`` counts from 0 in the rules' order."""
        prior = max(0.05, HIGHEST - STEP * place)
        paid = self.paid.get(kind, [])
        return (STRENGTH * prior + sum(paid)) / (STRENGTH + len(paid))

    def drawn(self, kind: str, place: int, rng: random.Random) -> float:
        """A draw from the posterior of a kind with a record; of others, the prior's mean.

        Thompson sampling (Russo, Van Roy, Kazerouni, Osband, Wen, "A Tutorial on Thompson
        Sampling", 2018, section 3). Kinds without a record are not drawn, because the rules'
        order among them is meant.
        """
        mean = self.expected(kind, place)
        paid = self.paid.get(kind)
        if not paid:
            return mean
        weight = STRENGTH + len(paid)
        return rng.betavariate(weight * mean, weight * (1 - mean))
