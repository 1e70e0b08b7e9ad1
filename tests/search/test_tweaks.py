"""Every answer lies in the ranges, changes something, and leaves alone what is held."""

import random

import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution

from jobs.search.answers import ANSWERS, candidates
from jobs.search.tweaks import AVERAGING, RATE, Model
from jobs.source.ranges import AUGMENTATION
from tests.search.campaign import START, distribution_of

MAKERS = [maker for answers in ANSWERS.values() for maker in answers]
DISTRIBUTIONS = {name: distribution_of(name) for name in START}


def tweaks(params, held=(), distributions=DISTRIBUTIONS):
    """Kind -> the first tweak of that kind."""
    found = {}
    for each in candidates(MAKERS, Model(params, held, distributions)):
        found.setdefault(each.kind, each.tweak)
    return found


def edge(name, rng):
    """A value at an end of the range of ``name``."""
    known = DISTRIBUTIONS[name]
    if isinstance(known, CategoricalDistribution):
        return rng.choice([known.choices[0], known.choices[-1]])
    return rng.choice([known.low, known.high])


@pytest.mark.parametrize("seed", range(20))
def test_at_the_ends_of_the_ranges_nothing_leads_beyond_them(seed):
    rng = random.Random(seed)
    params = {name: edge(name, rng) for name in START}
    for tweak in tweaks(params).values():
        for name, value in tweak.items():
            assert value != params.get(name)
            known = distribution_of(name)
            assert known._contains(known.to_internal_repr(value)), (name, value)


@pytest.mark.parametrize("held", START)
def test_no_answer_names_what_is_held(held):
    found = tweaks({**START, "optimizer.name": "sgd"}, {held})
    assert found
    assert not any(held in tweak for tweak in found.values())


def test_the_filters_of_a_further_block_are_left_alone_where_they_are_held():
    held = {"conv3.filters", "conv4.filters", "batch_norm"}
    assert tweaks(START, held)["deeper"] == {"blocks": 4, "fit.epochs": 8}


def test_filters_are_doubled_up_to_the_bound_and_no_further():
    narrow = {**DISTRIBUTIONS, "conv2.filters": IntDistribution(8, 48, log=True)}
    assert tweaks(START, distributions=narrow)["wider"] == {"conv2.filters": 48}
    assert "wider" not in tweaks({**START, "conv2.filters": 48}, distributions=narrow)


def test_no_filters_nor_epochs_come_with_a_block_that_cannot_be_added():
    full = {**DISTRIBUTIONS, "blocks": IntDistribution(1, 2)}
    assert "deeper" not in tweaks(START, distributions=full)


def test_half_of_a_pair_is_kept_where_the_other_has_no_room():
    fixed = {**DISTRIBUTIONS, "augmentation": CategoricalDistribution(["none"])}
    found = tweaks(START, distributions=fixed)
    assert found["regularise"] == {"dropout1.rate": 0.3, "fit.epochs": 8}
    assert "augment" not in found


def test_longer_stays_moderate_because_a_child_goes_on_from_its_parent():
    assert tweaks(START)["longer"] == {"fit.epochs": 8}
    assert tweaks({**START, "fit.epochs": 28})["longer"] == {"fit.epochs": 30}
    assert "longer" not in tweaks({**START, "fit.epochs": 30})


def averaging(steps=87, held=(), inherits=True, **params):
    """The tweaks that average the weights, and those that do not."""
    start = {**START, AVERAGING: False, **params}
    model = Model(start, held, DISTRIBUTIONS, steps=steps, inherits=inherits)
    found = [each.tweak for each in candidates(MAKERS, model)]
    return [t for t in found if AVERAGING in t], [t for t in found if AVERAGING not in t]


def has_new_layers(tweak):
    return not tweak.keys().isdisjoint(("blocks", "batch_norm"))


def test_new_layers_want_more_steps_an_epoch_than_known_weights():
    averaged, others = averaging(steps=40)
    assert averaged
    assert others
    assert not any(map(has_new_layers, averaged))
    assert all(map(has_new_layers, others))
    averaged, others = averaging()
    assert any(map(has_new_layers, averaged))
    assert others == []


def test_where_nothing_is_inherited_averaged_weights_come_with_any_tweak():
    averaged, others = averaging(steps=40, inherits=False)
    assert any(map(has_new_layers, averaged))
    assert others == []


def test_a_network_that_averages_is_not_asked_to_again():
    assert averaging(**{AVERAGING: True})[0] == []


@pytest.mark.parametrize("steps", [None, 10])
def test_averages_that_would_lag_or_might_are_left_out(steps):
    assert averaging(steps)[0] == []


def test_a_script_that_holds_its_optimizer_keeps_its_weights():
    assert averaging(held={AVERAGING})[0] == []


def test_the_words_say_what_averaging_is_for():
    model = Model({**START, AVERAGING: False}, (), DISTRIBUTIONS, steps=87)
    for each in candidates(MAKERS, model):
        assert ("average" in each.answer) is (AVERAGING in each.tweak)


@pytest.mark.parametrize(
    ("params", "known", "tweak"),
    [
        ({AVERAGING: False}, {"steps": 87}, {AVERAGING: True, "fit.epochs": 8}),
        ({AVERAGING: True}, {"steps": 87}, {}),
        ({AVERAGING: False}, {"steps": 10}, {}),
        ({AVERAGING: False}, {"steps": 87, "inherits": False}, {}),
    ],
)
def test_averages_go_on_from_the_weights_where_they_may(params, known, tweak):
    assert Model({**START, **params}, (), DISTRIBUTIONS, **known).averaging() == tweak


def test_averages_take_no_larger_steps_beside_them():
    params = {**START, AVERAGING: False, RATE: 3e-4}
    model = Model(params, (), DISTRIBUTIONS, steps=87, rate_before_settling=1e-3)
    (found,) = candidates([("average", Model.averaging, "")], model)
    assert found.tweak == {AVERAGING: True, "fit.epochs": 8}


def varied(now, **known):
    """What more varied and less varied images are, from a level."""
    levels = CategoricalDistribution(AUGMENTATION)
    model = Model({"augmentation": now}, (), {"augmentation": levels}, **known)
    return model.augmented().get("augmentation"), model.less_augmented().get("augmentation")


@pytest.mark.parametrize(
    ("now", "more", "less"),
    [
        ("none", "medium-unmirrored", None),
        ("light-unmirrored", "medium-unmirrored", "none"),
        ("medium-unmirrored", "strong-unmirrored", "light-unmirrored"),
        ("strong-unmirrored", None, "medium-unmirrored"),
    ],
)
def test_what_is_another_thing_in_the_mirror_is_not_mirrored(now, more, less):
    assert varied(now, mirrors=False) == (more, less)


def test_a_script_that_mirrors_its_images_goes_on_to_do_so_and_one_that_does_not_neither():
    assert varied("medium", mirrors=False) == ("strong", "light")
    assert varied("medium-unmirrored", mirrors=True) == ("strong-unmirrored", "light-unmirrored")
    assert varied("none", mirrors=True) == ("medium", None)


def test_the_words_say_why_nothing_is_mirrored():
    known = {**DISTRIBUTIONS, "augmentation": CategoricalDistribution(AUGMENTATION)}
    for mirrors in (True, False):
        model = Model(START, (), known, mirrors=mirrors)
        for each in candidates(MAKERS, model):
            expected = not mirrors and "augmentation" in each.tweak
            assert ("none of them mirrored" in each.answer) is expected
