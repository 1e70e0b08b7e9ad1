"""Search ranges as Optuna distributions, and values that have to lie in them."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from jobs.search.space import distribution, fitted
from jobs.source.script import Choices, Range


@pytest.mark.parametrize(
    ("space", "value", "expected"),
    [
        (Range(8, 512, integer=True, log=True), 32, IntDistribution(8, 512, log=True)),
        (Range(8, 512, integer=True, log=True), 1024, IntDistribution(8, 1024, log=True)),
        (Range(8, 64, integer=True, step=8), 24, IntDistribution(8, 64, step=8)),
        (Range(8, 64, integer=True, step=8), 20, IntDistribution(8, 64)),
        (Range(0.0, 0.7, step=0.05), 0.3, FloatDistribution(0.0, 0.7, step=0.05)),
        (Range(0.0, 0.7, step=0.05), 0.33, FloatDistribution(0.0, 0.7)),
        (Range(1e-5, 0.1, log=True), 1e-6, FloatDistribution(1e-6, 0.1, log=True)),
        (Choices((1, 3, 5, 7)), 3, IntDistribution(1, 7, step=2)),
        (Choices((1, 3, 5, 7)), 4, IntDistribution(1, 7)),
        (Choices((False, True)), False, CategoricalDistribution((False, True))),
        (Choices(("adam", "sgd")), "lion", CategoricalDistribution(("adam", "sgd", "lion"))),
    ],
)
def test_a_range_holds_the_value_that_the_script_has(space, value, expected):
    found = distribution(space, value)
    assert found == expected
    assert found._contains(found.to_internal_repr(value))


def test_a_word_lies_in_no_range_of_numbers():
    with pytest.raises(ValueError, match="'same'"):
        distribution(Range(1, 5, integer=True), "same")


@pytest.mark.parametrize(
    ("value", "known", "expected"),
    [
        (1024, IntDistribution(8, 512, log=True), 512),
        (4, IntDistribution(8, 512, log=True), 8),
        (5, IntDistribution(1, 7, step=2), 5),
        (0.5, FloatDistribution(0.0, 0.7, step=0.05), 0.5),
        (0.33, FloatDistribution(0.0, 0.7, step=0.05), 0.35),
        (0.3, FloatDistribution(1e-5, 0.1, log=True), 0.1),
        ("strong", CategoricalDistribution(("none", "light")), None),
        ("light", CategoricalDistribution(("none", "light")), "light"),
        ("light", IntDistribution(1, 5), None),
    ],
)
def test_the_nearest_value_in_range_is_taken(value, known, expected):
    found = fitted(value, known)
    assert found == expected
    assert type(found) is type(expected)
    if found is not None:
        assert known._contains(known.to_internal_repr(found))
