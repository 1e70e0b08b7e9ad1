"""A script's search ranges as Optuna distributions."""

import itertools

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from jobs.source.script import Choices, Space, Value


def distribution(space: Space, value: Value) -> BaseDistribution:
    """The Optuna distribution of a search range, widened where it leaves out ``value``.

    Evenly spaced integers become an IntDistribution, because Optuna lets a range change from
    trial to trial (as the shapes of a growing model demand) but not a set of categories.
    """
    if isinstance(space, Choices):
        return _of_choices(space.options, value)
    if not isinstance(value, int | float):
        raise ValueError(f"{value!r} does not lie in a range of numbers")
    low, high = min(space.low, value), max(space.high, value)
    if space.integer:
        step = 1 if space.log or space.step is None else int(space.step)
        if any((edge - low) % step for edge in (value, high)):
            step = 1
        return IntDistribution(int(low), int(high), log=space.log, step=step)
    spacing = None if space.log else space.step
    if spacing is not None and abs(round((value - low) / spacing) * spacing - (value - low)) > 1e-9:
        spacing = None
    return FloatDistribution(float(low), float(high), log=space.log, step=spacing)


def fitted(value: Value, distribution: BaseDistribution) -> Value | None:
    """The nearest value that lies in a distribution; None where categories leave it out."""
    if isinstance(distribution, CategoricalDistribution):
        return value if value in distribution.choices else None
    if not isinstance(distribution, IntDistribution | FloatDistribution):
        return value
    if isinstance(value, str):
        return None
    within = min(max(value, distribution.low), distribution.high)
    if distribution.step:
        places = round((within - distribution.low) / distribution.step)
        within = distribution.low + places * distribution.step
    return int(within) if isinstance(distribution, IntDistribution) else round(within, 12)


def _of_choices(options: tuple[Value, ...], value: Value) -> BaseDistribution:
    numbers = sorted({each for each in (*options, value) if type(each) is int})
    if len(numbers) == len({*options, value}) > 1:
        steps = {after - before for before, after in itertools.pairwise(numbers)}
        step = steps.pop() if len(steps) == 1 else 1
        return IntDistribution(numbers[0], numbers[-1], step=step)
    return CategoricalDistribution(options if value in options else (*options, value))
