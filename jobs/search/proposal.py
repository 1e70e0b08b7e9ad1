"""What a sampler hands to job 4: the parent, the tweak, and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jobs.source.script import Value

Buildable = Callable[[int, Mapping[str, Value]], str | None]
"""(parent trial, tweak) -> why the tweaked script could not be built, or None where it could."""


CONFIRM = "confirm"
"""The kind of a trial that trains the winner once more, from scratch."""


@dataclass(frozen=True)
class Proposal:
    """What to try next.

    ``parent``: number of the trial to tweak. ``tweak``: hyperparameter -> new value, structure
    included, values that change only. ``kind``: the kind of tweak (``capacity``, ``regularise``,
    ``longer``, ``learning-rate`` …), from which the sampler learns what paid. ``sentence``: why,
    for the mail, the page and the commit message.
    """

    parent: int
    tweak: Mapping[str, Value]
    kind: str
    sentence: str
