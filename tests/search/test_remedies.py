"""What somebody who knows networks would do first: for rates far off, dead units, much that holds
a network back, scripts that are too large, and what was tried."""

import pytest

from jobs.search.diagnosis import has_learnt
from jobs.search.history import History
from jobs.search.pruner import FLAT, OUTBID
from jobs.search.tweaks import RATE, Model
from tests.search.campaign import OVERFIT, RISING, START, UNDERFIT, Campaign, epochs

DEAD = epochs([0.5, 0.49, 0.51, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5, 0.5], loss=[0.7] * 5)
CRAWLING = epochs(
    [0.5, 0.505, 0.51, 0.515, 0.52], [0.5] * 5, loss=[0.6931, 0.693, 0.6928, 0.6926, 0.6924]
)


@pytest.mark.parametrize(("rate", "curve"), [(0.1, DEAD), (1e-5, DEAD), (1e-5, CRAWLING)])
def test_a_rate_far_from_the_usual_one_is_not_approached_but_left(rate, curve):
    campaign = Campaign(lambda values, trial: curve, start=START | {RATE: rate})
    second = campaign.steps(2)[1]
    assert second.params[RATE] == 1e-3
    assert second.user_attrs["sentence"].endswith(", and begins with new weights.")


def test_a_rate_that_is_a_little_off_is_approached():
    second = Campaign(lambda values, trial: DEAD, start=START | {RATE: 0.005}).steps(2)[1]
    assert second.params[RATE] == 0.0015


@pytest.mark.parametrize("curve", [RISING, UNDERFIT])
def test_tiny_steps_that_teach_something_become_usual_ones_first(curve):
    second = Campaign(lambda values, trial: curve, start=START | {RATE: 1e-5}).steps(2)[1]
    assert second.user_attrs["kind"] == "usual-rate"
    assert second.params[RATE] == 1e-3
    assert "new weights" not in second.user_attrs["sentence"]
    other = Campaign(lambda values, trial: curve, start=START | {RATE: 1e-4}).steps(2)[1]
    assert other.user_attrs["kind"] != "usual-rate"


@pytest.mark.parametrize(
    ("rate", "factor", "wanted"),
    [(5.0, 0.1, 0.1), (1.0, 0.3, 0.1), (1e-6, 3.0, 1e-5), (0.1, 3.0, None), (1e-5, 0.3, None)],
)
def test_a_rate_out_of_bounds_comes_back_to_them(rate, factor, wanted):
    assert Model({RATE: rate}).rate(factor) == ({} if wanted is None else {RATE: wanted})


def test_another_optimizer_does_not_keep_a_rate_that_is_far_off():
    for rate, wanted in ((1e-6, 1e-3), (0.1, 1e-3)):
        model = Model({"optimizer.name": "sgd", RATE: rate})
        assert model.adaptive() == {"optimizer.name": "adam", RATE: wanted}
    assert Model({"optimizer.name": "sgd", RATE: 5e-4}).adaptive() == {"optimizer.name": "adam"}


@pytest.mark.parametrize(
    ("train", "validation", "chance", "learnt"),
    [
        ([0.5, 0.51], [0.5, 0.5], 0.5, False),
        ([0.5, 0.51], [0.5, 0.58], 0.5, True),
        ([0.5, 0.7], [0.5, 0.5], 0.5, True),
        ([0.09, 0.11], [0.1, 0.1], 0.1, False),
        ([0.7, 0.71], [0.72, 0.72], 0.72, False),
        ([], [], 0.5, False),
    ],
)
def test_a_network_has_learnt_what_is_no_accident(train, validation, chance, learnt):
    assert has_learnt(epochs(train, validation), chance, 600) is learnt


def test_what_learns_is_inherited_and_nothing_else_is_said():
    for each in Campaign(lambda values, trial: OVERFIT).steps(4)[1:]:
        assert "new weights" not in each.user_attrs["sentence"]


def test_a_network_held_back_by_much_is_freed_first():
    held = START | {"augmentation": "strong", "dropout1.rate": 0.7}
    curve = epochs([0.55, 0.58, 0.6, 0.6, 0.605, 0.6], [0.6, 0.62, 0.63, 0.625, 0.63, 0.625])
    second = Campaign(lambda values, trial: curve, start=held).steps(2)[1]
    assert second.user_attrs["kind"] == "less-regularised"
    assert second.params["dropout1.rate"] < 0.7
    mild = START | {"augmentation": "light", "dropout1.rate": 0.2}
    other = Campaign(lambda values, trial: curve, start=mild).steps(2)[1]
    assert other.user_attrs["kind"] != "less-regularised"


@pytest.mark.parametrize(("reason", "goes_on"), [(FLAT, False), (OUTBID, True)])
def test_what_was_ended_as_flat_is_not_trained_on(reason, goes_on):
    start = {"fit.epochs": 20, "blocks": 2}
    trials = Campaign(lambda values, trial: UNDERFIT, start=start, ended=reason).steps(6)
    kinds = [each.user_attrs["kind"] for each in trials[1:]]
    assert ("longer" in kinds) is goes_on


def test_what_was_ended_gets_more_epochs_than_it_had():
    start = {"fit.epochs": 20}
    second = Campaign(lambda values, trial: RISING, start=start, ended=OUTBID).steps(2)[1]
    assert "gets more epochs than the 5 it had" in second.user_attrs["sentence"]


def test_what_is_varied_already_is_said_to_be_varied_more():
    varied = START | {"augmentation": "light", "dropout1.rate": 0.3, "blocks": 2}
    trials = Campaign(lambda values, trial: OVERFIT, start=varied).steps(8)
    regularised = [each for each in trials[1:] if each.user_attrs["kind"] == "regularise"]
    assert regularised
    for each in regularised:
        tweak, said = each.user_attrs["tweak"], each.user_attrs["sentence"]
        assert ("images that are varied more" in said) == ("augmentation" in tweak)
        assert ("more dropped units" in said) == ("dropout1.rate" in tweak)
        assert "gets varied images" not in said


def test_blocks_and_another_value_are_the_same_in_either_order():
    """A new block's kernel has a name only once its script is read."""
    campaign = Campaign(lambda values, trial: OVERFIT)
    first = campaign.step()
    block = {"blocks": 3, "conv3.filters": 64}
    ready = dict(first.params) | block | {"conv3.kernel_size": 3, RATE: 3e-4}
    known = campaign.study.get_trials()[0]
    known.number, known.params = 1, ready
    slower = campaign.study.get_trials()[0]
    slower.number, slower.params = 2, dict(first.params) | {RATE: 3e-4}
    history = History([first, known, slower], 600)
    assert history.tried(slower, block)
    assert history.tried(slower, {"blocks": 3})
    assert not history.tried(slower, {**block, "conv3.filters": 128})
    assert not history.tried(first, block)
    shrunk = {"blocks": 2, RATE: 3e-4}
    deeper = campaign.study.get_trials()[0]
    deeper.number, deeper.params = 3, dict(ready) | {RATE: 1e-3}
    assert History([first, slower, deeper], 600).tried(deeper, shrunk)


def test_a_script_that_is_too_large_is_halved_until_it_fits():
    def train(values, trial):
        return "out-of-memory" if values["fit.batch_size"] > 8 else OVERFIT

    start = {"fit.batch_size": 128, "fit.epochs": 5}
    trials = Campaign(train, start=start).steps(5)
    assert [each.params["fit.batch_size"] for each in trials] == [128, 64, 32, 16, 8]


def test_epochs_for_which_there_is_no_time_are_left_out():
    model = Model({"fit.epochs": 50}, trained=3)
    assert model.shorter() == {"fit.epochs": 3}
    assert Model({"fit.epochs": 50}).shorter() == {"fit.epochs": 25}
