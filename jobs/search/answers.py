"""The tweaks that answer a diagnosis, in the order in which they are worth trying."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobs.search.diagnosis import LARGE_GAP, SLIGHT_GAP, SMALL_GAP, Diagnosis, Kind
from jobs.search.tweaks import AVERAGE, AVERAGING, LONGER, SETTLE, Model, Tweaked


@dataclass(frozen=True)
class Candidate:
    """A tweak of one kind, and what it gives to the parent: words that follow "gets"."""

    kind: str
    tweak: Tweaked
    answer: str


Maker = tuple[str, Callable[[Model], Tweaked], str]
"""A kind of tweak, what makes one of a model, and the words for it, some of which only the tweak
gives."""
_LONGER: Maker = (LONGER, Model.longer, "{more_epochs}")
_REGULARISED = "{regularised}"
_REGULARISE: Maker = ("regularise", Model.regularised, _REGULARISED)
_LARGER_STEPS = "larger steps again, until the target is near"
_AVERAGED = "averaged weights, which are calmer than those of the last step"
_MORE_STEPS = "smaller batches, which make more steps of an epoch"
_QUICKER = "normalised outputs, which make what is new quicker to learn"
_UNMIRRORED = ", none of them mirrored, as validation images were told apart worse so"
_VARIED = f"{_REGULARISED}, which keep it from learning by heart"
_BOTH: Sequence[Maker] = (
    (
        "deeper-regularised",
        lambda m: m.deeper_regularised(2),
        f"two more blocks, which see larger shapes and leave the dense part less, and {_VARIED}",
    ),
    (
        "deeper-regularised",
        lambda m: m.deeper_regularised(1),
        f"one more block, which sees larger shapes and leaves the dense part less, and {_VARIED}",
    ),
)
_VARY: Maker = ("regularise", Model.first_regularised, _REGULARISE[2])
_SETTLE: Maker = (SETTLE, Model.settled, "smaller steps from here")
_AVERAGE: Maker = (
    AVERAGE,
    Model.averaging,
    "averages from here, as the noise of the steps counts near the target",
)
_CALMED: Maker = (AVERAGE, Model.averaging, "averages, which change less from epoch to epoch")
_AUGMENT: Maker = ("augment", Model.augmented, "images that are varied more")
_DROP: Maker = ("dropout", Model.dropped, "more dropped units")
_DECAY: Maker = ("weight-decay", Model.decayed, "weights that shrink a little in each step")
_DEEPER: Maker = ("deeper", Model.deeper, "one more block, which sees larger shapes")
_TWO_DEEPER: Maker = ("deeper", lambda m: m.deeper(2), "two more blocks, which see larger shapes")
_ALONE: Maker = ("deeper", Model.deeper_alone, "one more block like the last one")
_WIDER: Maker = ("wider", Model.wider, "more filters in the last block")
_WIDEN: Maker = ("wider", Model.wider_where_deepest, _WIDER[2])
_NARROWER: Maker = ("narrower", Model.narrower, "fewer filters in the widest block")
_KERNEL: Maker = ("kernel", Model.larger_kernel, "a larger first kernel")
_NORMALISE: Maker = ("normalise", Model.normalised, "each block's output normalised")
_SMALLER: Maker = ("smaller-dense", Model.smaller_dense, "a smaller dense layer")
_LARGER: Maker = ("larger-dense", Model.larger_dense, "a larger dense layer")
_FREE: Maker = ("less-regularised", Model.freed, "less regularisation")
_FREE_OF_MUCH: Maker = ("less-regularised", Model.freed_of_much, "less regularisation")
_USUAL: Maker = (
    "usual-rate",
    Model.usual_rate,
    "the usual learning rate, as its steps are far smaller",
)
_SLOWER: Maker = ("slower", lambda m: m.rate(0.3), "smaller steps")
_FASTER: Maker = ("faster", lambda m: m.rate(3.0), "larger steps")
_SCHEDULE: Maker = (
    "schedule",
    Model.scheduled,
    "steps that are made smaller where validation stops improving",
)
_SCHEDULE_FASTER: Maker = (
    "schedule",
    Model.scheduled_faster,
    "much larger steps, which are made smaller where validation stops improving",
)
_LOWER: Maker = ("slower", Model.lowered_rate, "smaller steps")
_RAISE: Maker = ("faster", Model.raised_rate, "larger steps")
_CALM: Maker = ("calm", lambda m: m.rate(0.1), "a tenth of the learning rate")
_ADAPT: Maker = ("optimizer", Model.adaptive, "steps of a size of their own for each weight")
_HALVE: Maker = ("halve-batch", Model.half_batch, "half the batch")
_SHORTEN: Maker = ("shorten", Model.shorter, "half the epochs")


def _of_varied(maker: Maker) -> Maker:
    """The same of a model whose images are varied already."""
    kind, make, answer = maker
    return kind, lambda model: make(model) if model.varies else {}, answer


_CLOSE: Maker = _of_varied(
    (AVERAGE, Model.averaging, "averages, which close a gap without making learning slower")
)
_CLOSE_BY_STEPS: Maker = _of_varied(
    (
        SETTLE,
        Model.settled_instead,
        "smaller steps from here, as training hardly leads the best epoch",
    )
)
_LEARN_ON: Maker = _of_varied(
    (LONGER, Model.longer, "{more_epochs}, as calm weights still learn from varied images")
)
_GROW_FIRST = (_of_varied(_DEEPER), _of_varied(_ALONE), _LEARN_ON)
_GROW = (_DEEPER, _ALONE, _WIDER, _NORMALISE, _KERNEL, _LARGER)
_SETTLED = (
    *(_DEEPER, _ALONE, _REGULARISE, _WIDER, _SLOWER),
    *(_SCHEDULE, _NORMALISE, _LONGER, _KERNEL, _LARGER),
)
_TRAINED = ("overfit", "opening", "jumping", "rising", "underfit", "noise", "converged")
ANSWERS: Mapping[Kind, Sequence[Maker]] = {
    "out-of-memory": (_HALVE, _NARROWER, _SMALLER),
    "diverged": (_CALM, _SLOWER, _NORMALISE),
    "too-slow": (_SHORTEN, _NARROWER, _SMALLER),
    "failed": (_SLOWER, _HALVE),
    # A usual learning rate is seldom what keeps a network from learning: here, and for "crawling".
    "chance": (
        *(_LOWER, _RAISE, _ADAPT, _TWO_DEEPER, _DEEPER, _NORMALISE),
        *(_SLOWER, _FASTER, *_GROW),
    ),
    "overfit": (
        *(*_BOTH, _REGULARISE, _DEEPER, _ALONE, _AUGMENT, _DROP, _DECAY),
        *(_NORMALISE, _SMALLER, _SLOWER, _WIDER, _LONGER),
    ),
    "opening": (*_BOTH, _REGULARISE, _DEEPER, _ALONE),
    "jumping": (_SLOWER, _SCHEDULE, _REGULARISE, _DEEPER, _ALONE, _NORMALISE, _LONGER),
    "crawling": (
        *(_RAISE, _ADAPT, _TWO_DEEPER, _DEEPER, _NORMALISE),
        *(_FASTER, _SCHEDULE_FASTER, _LONGER, *_GROW),
    ),
    "rising": (_LONGER, _DEEPER, _ALONE, _NORMALISE, _WIDER, _SLOWER),
    "underfit": (
        _FREE_OF_MUCH,
        *_GROW[:3],
        _NORMALISE,
        _FASTER,
        _LONGER,
        _LARGER,
        _KERNEL,
        _FREE,
        _SLOWER,
    ),
    # What small steps bring is lost in it: first what takes it out, then what may bring much.
    "noise": (
        *(_CALMED, _TWO_DEEPER, _DEEPER, _ALONE, _REGULARISE),
        *(_WIDER, _NORMALISE, _LARGER, _LONGER, _SLOWER),
    ),
    "converged": _SETTLED,
}
AHEAD, AHEAD_OF_VALIDATION = 5, 2
"""So many epochs a rise is trusted to go on; and where training is ahead of validation."""
SETTLING, NEAREST, LEFT_BY_AVERAGES = 0.16, 0.04, 0.1
"""The share of the errors, and the accuracy at the most, that calmer weights are hoped to bring,
and how much of that is left where weights are averaged, by what was measured
(``tests/benchmarks/results``)."""


def answers(finding: Diagnosis, target: float, *, averaged: bool = False) -> Sequence[Maker]:
    """The answers to a finding, for an accuracy that is wanted (0 to 1).

    ``averaged``: whether it is of a model whose weights are averaged.
    """
    return (*demanded(finding, target, averaged=averaged), *ANSWERS[finding.kind])


def demanded(finding: Diagnosis, target: float, *, averaged: bool = False) -> Sequence[Maker]:
    """The answers that the distance to the target asks for, whatever has paid before.

    A network that learns its images by heart, and sees each of them as it is, is shown varied ones
    before anything else is tried (Shorten, Khoshgoftaar, "A survey on Image Data Augmentation for
    Deep Learning", 2019). Near the target the noise of the steps is taken out of the weights: they
    are averaged, or moved by smaller steps where they are averaged already (Polyak, Juditsky,
    "Acceleration of Stochastic Approximation by Averaging", 1992; Bengio 2012, section 3.1).
    Images that are varied already are not varied more before weights have been averaged, unless
    training leads far: averages cost nothing, and regularisation makes learning slower. Smaller
    steps come first only where training leads by no more than they bring. Averaged weights from
    which the target is two epochs of learning away are trained on, and so are those of varied
    images before a small gap of theirs is answered: to regularise them more made learning slower
    by more than it closed (``tests/benchmarks/results``). A rise that leads to the target
    within a few epochs is given them. One that does not is answered by a deeper network, which
    rises as well, since it goes on from the same weights; by two blocks at once, because the dense
    part after them has to be learnt anew each time; by a wider one where the images bear no further
    block. Where training is ahead on images as they are, a rise soon ends.
    """
    if finding.kind not in _TRAINED:
        return ()
    best = finding.evidence["best"]
    near, missing = is_near(best, target, averaged=averaged), target - best
    slope, gap = finding.evidence["slope"], finding.evidence["gap"]
    found: list[Maker] = [_USUAL] if finding.kind in ("rising", "opening", "underfit") else []
    rises = finding.kind in ("opening", "rising")
    if rises and averaged and missing <= AHEAD_OF_VALIDATION * slope:
        found.append(_LONGER)  # calm weights follow the training with a delay
    if finding.kind in ("overfit", "opening"):
        # Seen from the best epoch: the mean of noisy ones makes a gap of their noise.
        lead = finding.evidence.get("train", math.inf) - best
        if not averaged and lead < LARGE_GAP:
            found.append(_CLOSE)
        if not averaged and lead < _hoped(best) and gap < LARGE_GAP:
            found.append(_CLOSE_BY_STEPS)
        # A new block has much to learn anew, which near the target only costs time.
        found += [_VARY] if near else [*_BOTH, _VARY]
    if near:
        found += [_AVERAGE, _SETTLE]
    elif finding.kind == "rising":
        # What training says is the mean over an epoch: at its end it is half a slope ahead of that.
        lead = gap + finding.evidence["train_slope"] / 2
        if lead > SLIGHT_GAP and missing > AHEAD_OF_VALIDATION * slope:
            found += _BOTH
        deeper = [_TWO_DEEPER, _DEEPER, _ALONE, _WIDEN]
        found += [_LONGER] if missing <= AHEAD * slope else deeper
    elif finding.kind == "opening" and averaged and gap < SMALL_GAP:
        found += [_LEARN_ON] if missing <= AHEAD * slope else _GROW_FIRST
    return found


def is_near(best: float, target: float, *, averaged: bool = False) -> bool:
    """Whether calmer weights may lead from an accuracy to the target (both 0 to 1)."""
    hoped = _hoped(best)
    return target - best < (LEFT_BY_AVERAGES * hoped if averaged else hoped)


def _hoped(best: float) -> float:
    """What calmer weights may bring to an accuracy."""
    return min(NEAREST, SETTLING * (1 - best))


def candidates(makers: Sequence[Maker], model: Model) -> Iterator[Candidate]:
    """The makers' tweaks that this script offers, none twice."""
    seen: list[Tweaked] = []
    for kind, make, answer in makers:
        tweak = model.allowed(make(model))
        if tweak and tweak not in seen:
            seen.append(tweak)
            unsettled = tweak if kind == AVERAGE else model.unsettled(tweak)
            stepped = model.in_more_steps(unsettled)
            whole = model.averaged(stepped)
            besides = [
                *([_LARGER_STEPS] if unsettled != tweak else []),
                *([_QUICKER] if "blocks" in tweak and "batch_norm" in tweak else []),
                *([_MORE_STEPS] if stepped != unsettled else []),
                *([_AVERAGED] if AVERAGING in whole and kind != AVERAGE else []),
            ]
            mirrored = _UNMIRRORED if model.leaves_unmirrored(tweak) else ""
            along = f", along with {' and '.join(besides)}" if besides else ""
            said = answer.format(
                regularised=model.regularised_by(tweak), more_epochs=model.more_epochs
            )
            yield Candidate(kind, whole, f"{said}{mirrored}{along}")
