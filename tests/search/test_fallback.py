"""Optuna's TPE has its say where the rules have none left."""

import math

import pytest

from tests.search.campaign import Campaign, distribution_of, epochs

WIDTH = "dense1.units"


def measured(accuracy):
    return epochs([accuracy] * 5, [accuracy] * 5)


def by_tpe(trials):
    return [each for each in trials if "Optuna's TPE" in each.user_attrs.get("sentence", "")]


@pytest.mark.parametrize("best", [40, 100, 600])
def test_its_values_follow_what_was_measured(best):
    low, high = distribution_of(WIDTH).low, distribution_of(WIDTH).high

    def train(values, trial):
        return measured(0.8 - 0.1 * abs(math.log2(values[WIDTH] / best)))

    proposed = []
    for seed in range(4):
        trials = Campaign(train, start={WIDTH: 128}, seed=seed, target=0.99).steps(40)
        proposed += [each.params[WIDTH] for each in by_tpe(trials)[6:]]
    near = sum(best / 2 <= each <= best * 2 for each in proposed) / len(proposed)
    drawn_at_random = 2 * math.log(2) / math.log(high / low)
    assert len(proposed) > 20
    assert near > 1.5 * drawn_at_random


def test_the_reason_names_the_value_and_whose_it_is():
    start = {WIDTH: 128}
    found = by_tpe(Campaign(lambda values, trial: measured(0.7), start=start).steps(12))
    assert found
    for each in found:
        value, parent = each.params[WIDTH], each.user_attrs["parent"]
        said = each.user_attrs["sentence"]
        assert said.startswith(f"The rules have nothing left to say, so trial {parent}, ")
        assert said.endswith(f"gets {WIDTH} = {value}, as Optuna's TPE would have it.")
        assert each.user_attrs["kind"] == f"tpe:{WIDTH}"
        known = distribution_of(WIDTH)
        assert known._contains(known.to_internal_repr(value))


def test_where_its_value_was_tried_those_beside_the_present_one_are_looked_at():
    start = {"conv1.kernel_size": 3, "optimizer.name": "adam"}
    trials = Campaign(lambda values, trial: measured(0.7), start=start).steps(8)
    assert len({tuple(sorted(each.params.items())) for each in trials}) == 8
    assert any("a value beside its own" in each.user_attrs["sentence"] for each in trials[1:])
