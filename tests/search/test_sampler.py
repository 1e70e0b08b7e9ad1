"""The sampler on studies whose trainings are functions."""

import math
import random
import statistics

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.samplers import RandomSampler
from optuna.storages import RDBStorage

from jobs.search.payoff import Attempt, Payoff
from jobs.search.sampler import Exhausted
from tests.search.campaign import (
    FALLING_LOSS,
    OVERFIT,
    RISING,
    START,
    UNDERFIT,
    Campaign,
    distribution_of,
    epochs,
)


def surface(values, rng=None):
    """Validation accuracy that a small network with these values ends at, 0 to 1."""
    level = 0.62
    level += 0.05 * min(values.get("blocks", 2) - 2, 2)
    varied = str(values.get("augmentation", "none")).removesuffix("-unmirrored")
    level += {"none": 0.0, "light": 0.02, "medium": 0.04, "strong": 0.03}[varied]
    level += 0.03 - 0.3 * abs(values.get("dropout1.rate", 0.0) - 0.3) / 3
    level -= 0.04 * abs(math.log10(values.get("optimizer.learning_rate", 1e-3) / 1e-3))
    level += 0.01 * math.log2(values.get("conv2.filters", 32) / 32)
    level += 0.05 * (1 - math.exp(-values.get("fit.epochs", 5) / 8))
    return level + (rng.gauss(0, 0.005) if rng else 0.0)


def trained():
    def train(values, trial):
        rng = random.Random(trial.number)
        end, count = surface(values, rng), max(4, min(int(values.get("fit.epochs", 5)), 12))
        loose = 0.15 if values.get("augmentation", "none") == "none" else 0.03
        validation = [end - 0.1 * 0.5**step for step in range(count)]
        return epochs([each + loose for each in validation], validation)

    return train


SLOW = epochs([0.56, 0.64, 0.67, 0.69, 0.72], [0.58, 0.67, 0.69, 0.70, 0.73])
VARIED = {**START, "augmentation": "medium", "dropout1.rate": 0.3}
BOTH = {
    "blocks": 4,
    "conv3.filters": 64,
    "conv4.filters": 128,
    "batch_norm": True,
    "augmentation": "medium",
    "dropout1.rate": 0.3,
    "fit.epochs": 8,
}


def test_a_widening_gap_is_answered_by_a_block_and_regularisation_with_the_numbers_in_the_reason():
    campaign = Campaign(lambda values, trial: OVERFIT)
    campaign.step()
    second = campaign.step()
    assert second.user_attrs["kind"] == "deeper-regularised"
    assert second.user_attrs["tweak"] == BOTH
    assert "0.9" in second.user_attrs["sentence"]
    assert "normalised outputs" in second.user_attrs["sentence"]


def test_batches_of_few_images_are_not_normalised():
    few = Campaign(lambda values, trial: OVERFIT, start=START | {"fit.batch_size": 4}).steps(2)[1]
    assert few.user_attrs["tweak"] == {k: v for k, v in BOTH.items() if k != "batch_norm"}
    assert "normalised" not in few.user_attrs["sentence"]


def test_a_gap_is_answered_by_regularisation_where_no_block_can_be_added():
    campaign = Campaign(lambda values, trial: OVERFIT, held={"blocks": "held"})
    campaign.step()
    second = campaign.step()
    assert second.user_attrs["kind"] == "regularise"
    assert second.user_attrs["tweak"] == {
        "augmentation": "medium",
        "dropout1.rate": 0.3,
        "fit.epochs": 8,
    }


def test_an_overfit_network_gets_weight_decay_among_others():
    decay = "optimizer.weight_decay"
    others = ("blocks", "augmentation", "dropout1.rate", "batch_norm", "optimizer.learning_rate")
    campaign = Campaign(
        lambda values, trial: OVERFIT,
        start={**START, decay: 0.0},
        held=dict.fromkeys(others, "as it is"),
    )
    decayed = [each.user_attrs["tweak"].get(decay) for each in campaign.steps(6)[1:]]
    assert 0.01 in decayed
    campaign = Campaign(
        lambda values, trial: UNDERFIT,
        start={**START, decay: 0.1},
        held=dict.fromkeys((*START, "blocks"), "as it is"),
    )
    freed = campaign.steps(2)[1].user_attrs
    assert (freed["kind"], freed["tweak"]) == ("less-regularised", {decay: 0.01})


def test_what_has_paid_does_not_keep_an_overfit_network_from_varied_images():
    def train(values, trial):
        if values.get("blocks", 0) == 2:
            return UNDERFIT
        return epochs(
            [each.accuracy for each in OVERFIT], [each.val_accuracy + 0.05 for each in OVERFIT]
        )

    trials = Campaign(train).steps(3)
    assert trials[1].user_attrs["kind"] == "deeper"
    assert trials[1].value > trials[0].value
    assert trials[2].user_attrs["tweak"]["augmentation"] == "medium"


def test_from_scratch_a_changed_network_is_given_more_epochs():
    campaign = Campaign(lambda values, trial: OVERFIT, inherits=False)
    campaign.step()
    assert campaign.step().user_attrs["tweak"] == {**BOTH, "fit.epochs": 15}


def test_a_rise_that_leads_to_no_target_is_answered_by_two_blocks():
    campaign = Campaign(lambda values, trial: SLOW, target=0.95)
    campaign.step()
    second = campaign.step()
    assert second.user_attrs["kind"] == "deeper"
    assert second.user_attrs["tweak"]["blocks"] == 4


def test_a_rise_that_leads_to_no_target_is_answered_by_width_where_no_block_can_be_added():
    campaign = Campaign(lambda values, trial: SLOW, target=0.95, held={"blocks": "held"})
    second = campaign.steps(2)[1]
    assert second.user_attrs["kind"] == "wider"
    assert second.user_attrs["tweak"] == {"conv2.filters": 64}


def test_near_the_target_the_steps_are_made_smaller():
    near = epochs([0.7, 0.8, 0.85, 0.86, 0.87, 0.87], [0.7, 0.8, 0.87, 0.885, 0.88, 0.885])
    campaign = Campaign(lambda values, trial: near)
    campaign.step()
    second = campaign.step()
    assert second.user_attrs["kind"] == "settle"
    assert second.user_attrs["tweak"] == {"optimizer.learning_rate": 3e-4, "fit.epochs": 8}


def test_smaller_steps_are_not_made_smaller_again():
    near = [0.7, 0.8, 0.85, 0.86, 0.87, 0.87]

    def gains(values, trial):
        return epochs(near, [0.7, 0.8, 0.87, 0.885, 0.88, 0.886 + 0.002 * trial.number])

    campaign = Campaign(gains)
    campaign.step()
    assert campaign.step().user_attrs["kind"] == "settle"
    third = campaign.step()
    assert third.user_attrs["parent"] == 1
    assert third.user_attrs["kind"] != "settle"


def test_a_rise_is_answered_by_more_epochs():
    campaign = Campaign(lambda values, trial: RISING, start=VARIED)
    campaign.step()
    assert campaign.step().user_attrs["tweak"] == {"fit.epochs": 8}


@pytest.mark.parametrize("seed", range(6))
def test_a_rise_that_leads_to_the_target_is_gone_on_with_whatever_has_paid(seed):
    def train(values, trial):
        higher = [each.val_accuracy + 0.02 * trial.number for each in RISING]
        return epochs([each + 0.01 for each in higher], higher)

    trials = Campaign(train, start=VARIED, target=0.85, seed=seed).steps(4)
    assert {each.user_attrs["kind"] for each in trials[1:]} == {"longer"}


def test_a_low_flat_curve_is_answered_by_a_block_with_its_filters():
    campaign = Campaign(lambda values, trial: UNDERFIT)
    campaign.step()
    tweak = campaign.step().user_attrs["tweak"]
    assert tweak == {"blocks": 3, "conv3.filters": 64, "batch_norm": True, "fit.epochs": 8}


def test_never_the_same_twice_and_never_what_cannot_be_built():
    def buildable(parent, tweak):
        deep = tweak.get("blocks", 0) > 3
        return "four blocks do not fit" if deep or "batch_norm" in tweak else None

    campaign = Campaign(trained(), buildable=buildable)
    trials = campaign.steps(80)
    seen = [repr(sorted(each.params.items())) for each in trials]
    assert len(set(seen)) == len(seen)
    for each in trials[1:]:
        tweak = each.user_attrs["tweak"]
        parent = trials[each.user_attrs["parent"]]
        assert tweak
        assert buildable(parent.number, tweak) is None
        assert all(parent.params.get(name) != value for name, value in tweak.items())
        assert each.user_attrs["sentence"].endswith(".")


@pytest.mark.parametrize("name", ["blocks", "augmentation", "fit.epochs", "dropout1.rate"])
def test_what_is_held_is_left_alone_and_the_rest_of_the_answer_is_kept(name):
    campaign = Campaign(lambda values, trial: OVERFIT, held={name: "the pusher says so"})
    for each in campaign.steps(12)[1:]:
        assert name not in each.user_attrs["tweak"]


@pytest.mark.parametrize("seed", range(12))
def test_any_part_of_the_hyperparameters_will_do(seed):
    rng = random.Random(seed)
    start = {name: value for name, value in START.items() if rng.random() < 0.4}
    start["optimizer.learning_rate"] = 1e-3
    campaign = Campaign(trained(), start=start)
    for each in campaign.steps(10)[1:]:
        added = set(each.user_attrs["tweak"]) - set(start)
        assert all(name.startswith("conv") for name in added)


@pytest.mark.parametrize(
    ("failure", "name"),
    [("out-of-memory", "fit.batch_size"), ("nan", "optimizer.learning_rate")],
)
def test_a_first_trial_that_fails_is_answered_by_its_safe_tweak(failure, name):
    campaign = Campaign(lambda values, trial: failure if trial.number == 0 else RISING)
    campaign.step()
    second = campaign.step()
    assert set(second.user_attrs["tweak"]) == {name}
    assert second.params[name] < START[name]


def test_a_tweak_that_runs_out_of_memory_is_tried_once_more_with_half_the_batch():
    def train(values, trial):
        return "out-of-memory" if values["blocks"] > 2 else UNDERFIT

    campaign = Campaign(train)
    trials = campaign.steps(4)
    assert trials[1].params["blocks"] == 3
    assert trials[2].user_attrs["parent"] == 0
    assert trials[2].params["blocks"] == 3
    assert trials[2].params["fit.batch_size"] == 16
    assert trials[3].user_attrs["kind"] != "repair"


def test_failed_trials_are_no_parents_while_another_is_there():
    campaign = Campaign(lambda values, trial: "script-error" if trial.number in (2, 4) else OVERFIT)
    assert not {each.user_attrs.get("parent") for each in campaign.steps(10)} & {2, 4}


def test_another_process_and_another_storage_propose_the_same(tmp_path):
    storage = RDBStorage(f"sqlite:///{tmp_path}/one.db")
    found = [
        [each.user_attrs.get("tweak") for each in Campaign(trained(), storage=place).steps(4)]
        for place in (storage, None)
    ]
    assert found[0] == found[1]


def test_kinds_that_paid_come_forward():
    payoff = Payoff([Attempt("wider", 0.08, 10.0), Attempt("deeper", -0.01, 10.0)] * 3, error=0.01)
    assert payoff.expected("wider", 5) > payoff.expected("normalise", 0)
    assert payoff.expected("normalise", 5) > payoff.expected("deeper", 0)
    slow = Payoff([Attempt("wider", 0.08, 100.0), Attempt("deeper", 0.08, 10.0)], error=0.01)
    assert slow.expected("deeper", 0) > slow.expected("wider", 0)


def test_draws_follow_the_record_and_leave_the_order_of_what_has_none():
    payoff = Payoff([Attempt("wider", 0.08, 10.0), Attempt("deeper", -0.01, 10.0)] * 3, error=0.01)
    rng = random.Random(0)
    draws = [(payoff.drawn("wider", 3, rng), payoff.drawn("deeper", 0, rng)) for _ in range(200)]
    assert sum(wider > deeper for wider, deeper in draws) > 150
    assert len(set(draws)) == 200
    untried = [payoff.drawn("longer", place, rng) for place in range(10)]
    assert untried == sorted(untried, reverse=True)


def test_a_parent_without_luck_gives_way():
    def train(values, trial):
        return OVERFIT if trial.number in (0, 1) else UNDERFIT

    parents = [each.user_attrs.get("parent") for each in Campaign(train).steps(12)[2:]]
    assert len(set(parents)) > 1


def test_says_when_nothing_is_left():
    campaign = Campaign(
        lambda values, trial: OVERFIT, buildable=lambda parent, tweak: "this script is locked"
    )
    campaign.step()
    with pytest.raises(Exhausted, match="can be built"):
        campaign.step()


def test_says_when_the_last_value_has_been_tried():
    campaign = Campaign(lambda values, trial: UNDERFIT, start={"batch_norm": False})
    campaign.steps(2)
    with pytest.raises(Exhausted, match="not been tried"):
        campaign.step()


def test_no_value_lies_beyond_its_range():
    start = {**START, "conv2.filters": 1024, "dense1.units": 1024, "blocks": 6, "fit.epochs": 100}
    trials = Campaign(trained(), start=start).steps(40)
    for each in trials[1:]:
        for name, value in each.user_attrs["tweak"].items():
            known = distribution_of(name)
            assert known._contains(known.to_internal_repr(value)), (name, value)


def test_works_as_any_optuna_sampler():
    campaign = Campaign(lambda values, trial: UNDERFIT)
    campaign.step()
    trial = campaign.study.ask()
    assert trial.suggest_int("blocks", 1, 6) == 3
    assert trial.suggest_int("conv3.filters", 8, 1024, log=True) == 64
    assert trial.suggest_int("dense1.units", 8, 1024, log=True) == 128
    assert 0.0 <= trial.suggest_float("unknown", 0.0, 1.0) <= 1.0
    campaign.study.tell(trial, 0.7)


def test_climbs_a_response_surface_faster_than_random_search():
    space = {name: distribution_of(name) for name in START}
    space["blocks"], space["fit.epochs"] = IntDistribution(1, 4), IntDistribution(1, 30)

    def random_search(seed):
        study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed=seed))
        study.enqueue_trial(START)
        for number in range(12):
            trial = study.ask(space)
            study.tell(trial, surface(trial.params, random.Random(number)))
        return study.best_value

    ours = [
        max(each.value for each in Campaign(trained(), name=f"s-{seed}", seed=seed).steps(12))
        for seed in range(5)
    ]
    assert statistics.median(ours) > statistics.median(map(random_search, range(40))) + 0.02


def test_a_study_without_a_finished_trial_gets_no_proposal():
    campaign = Campaign(lambda values, trial: RISING)
    trial = campaign.study.ask()
    with pytest.raises(KeyError):
        campaign.sampler.proposal(campaign.study, campaign.study.trials[0])
    assert isinstance(trial, optuna.Trial)


def test_what_follows_smaller_steps_takes_larger_ones_again():
    near = [0.7, 0.8, 0.85, 0.86, 0.87, 0.87]

    def gains(values, trial):
        return epochs(near, [0.7, 0.8, 0.87, 0.885, 0.88, 0.886 + 0.002 * trial.number])

    trials = Campaign(gains).steps(3)
    assert trials[1].user_attrs["kind"] == "settle"
    assert trials[1].params["optimizer.learning_rate"] == 3e-4
    assert trials[2].user_attrs["parent"] == 1
    assert trials[2].params["optimizer.learning_rate"] == 1e-3
    assert "larger steps again" in trials[2].user_attrs["sentence"]


PLAIN = {**START, "optimizer.use_ema": False}


def test_averaged_weights_come_with_the_first_tweak_and_stay():
    trials = Campaign(lambda values, trial: OVERFIT, start=PLAIN, steps=87).steps(5)
    assert trials[1].user_attrs["tweak"] == {**BOTH, "optimizer.use_ema": True}
    assert "averaged weights" in trials[1].user_attrs["sentence"]
    assert all(each.params["optimizer.use_ema"] for each in trials[1:])
    few = Campaign(lambda values, trial: OVERFIT, start=PLAIN, steps=12).steps(5)
    assert not any(each.params["optimizer.use_ema"] for each in few)


def test_new_layers_are_learnt_before_averages_of_few_steps_an_epoch():
    start = PLAIN | {"fit.batch_size": 16}
    trials = Campaign(lambda values, trial: OVERFIT, start=start, steps=40).steps(5)
    assert trials[1].user_attrs["tweak"] == BOTH
    tweaks = [each.user_attrs["tweak"] for each in trials[1:]]
    begins = next(i for i, each in enumerate(tweaks) if not {"blocks", "batch_norm"} & each.keys())
    assert tweaks[begins]["optimizer.use_ema"] is True
    for each in trials:
        parent = each.user_attrs.get("parent")
        if parent is not None and trials[parent].params["optimizer.use_ema"]:
            assert each.params["optimizer.use_ema"] is True


@pytest.mark.parametrize(("second", "parent"), [(0.84, 0), (0.8986, 1)])
def test_near_the_target_weights_are_averaged_and_then_steps_made_smaller(second, parent):
    """Of the first trial where averages brought nothing, or of the one that has them."""
    best = [0.885, second, 0.88]

    def curve(values, trial):
        reached = best[trial.number]
        train = [0.7, 0.8, 0.85, 0.86, 0.87, 0.87]
        below = reached - 0.005
        return epochs(train, [0.7, 0.8, below, reached, below, reached])

    trials = Campaign(curve, start=PLAIN, steps=87).steps(3)
    assert trials[1].user_attrs["kind"] == "average"
    assert trials[1].user_attrs["tweak"] == {"optimizer.use_ema": True, "fit.epochs": 8}
    assert trials[2].user_attrs["kind"] == "settle"
    assert trials[2].user_attrs["parent"] == parent
    assert trials[2].params["optimizer.learning_rate"] == 3e-4
    assert trials[2].params["optimizer.use_ema"] is True


@pytest.mark.parametrize(
    ("lead", "augmentation", "kind"),
    [
        *((0.0, "medium", "average"), (0.05, "medium", "average")),
        *((0.14, "medium", "regularise"), (0.0, "none", "regularise")),
    ],
)
def test_a_gap_is_answered_by_averages_before_more_regularisation(lead, augmentation, kind):
    train = [0.625, 0.666, 0.716, 0.722, 0.734, 0.752, 0.771, 0.772]  # as measured
    train = [each + lead * number / 7 for number, each in enumerate(train)]
    curve = epochs(train, [0.667, 0.705, 0.695, 0.731, 0.724, 0.724, 0.746, 0.747])
    start = {**PLAIN, "augmentation": augmentation, "batch_norm": True, "fit.epochs": 8}
    trials = Campaign(lambda values, trial: curve, start=start, steps=87).steps(2)
    assert "above validation" in trials[1].user_attrs["sentence"]
    assert kind in trials[1].user_attrs["kind"]
    if kind == "average":
        assert trials[1].user_attrs["tweak"] == {"optimizer.use_ema": True}


NOISY = epochs(
    [0.29, 0.38, 0.42, 0.45, 0.47, 0.485, 0.49, 0.5],
    [0.390, 0.411, 0.438, 0.439, 0.446, 0.391, 0.458, 0.493],
)
NOISY_LOSS = epochs(
    [0.610, 0.674, 0.693, 0.718, 0.737, 0.752, 0.767, 0.778],
    [0.673, 0.667, 0.660, 0.697, 0.746, 0.699, 0.721, 0.699],
    val_loss=[0.631, 0.622, 0.752, 0.619, 0.536, 0.665, 0.593, 0.593],
)
"""As measured, both."""


@pytest.mark.parametrize(
    ("noisy", "sentence"),
    [(NOISY, "above validation, and that grows"), (NOISY_LOSS, "validation loss has risen")],
)
def test_a_gap_that_is_the_noise_of_validation_is_answered_by_averages(noisy, sentence):
    start = {**PLAIN, "augmentation": "medium", "batch_norm": True, "fit.epochs": 8}
    campaign = Campaign(lambda values, trial: noisy, start=start, steps=79, target=0.9, chance=0.1)
    second = campaign.steps(2)[1]
    assert sentence in second.user_attrs["sentence"]
    assert second.user_attrs["tweak"] == {"optimizer.use_ema": True}


def test_averaged_weights_whose_loss_still_falls_are_trained_on():
    start = {**VARIED, "optimizer.use_ema": True, "fit.epochs": 8}
    second = Campaign(lambda *_: FALLING_LOSS, start=start, target=0.8).steps(2)[1]
    assert second.user_attrs["tweak"] == {"fit.epochs": 12}


@pytest.mark.parametrize("seed", range(6))
def test_where_weights_cannot_be_averaged_such_a_gap_is_answered_by_smaller_steps(seed):
    start = {**VARIED, "batch_norm": True, "fit.epochs": 8}
    held = {"blocks": "held"}
    second = Campaign(lambda *_: NOISY_LOSS, start=start, held=held, seed=seed).steps(2)[1]
    assert second.user_attrs["kind"] == "settle"
    assert second.user_attrs["tweak"] == {"optimizer.learning_rate": 3e-4}


def test_a_collapse_of_validation_is_no_noise():
    """The best epoch is no measure of it."""
    train = [0.70, 0.73, 0.76, 0.78, 0.79, 0.80, 0.80, 0.81]
    falls = epochs(train, [0.72, 0.76, 0.79, 0.72, 0.64, 0.62, 0.60, 0.61])
    start = {**VARIED, "batch_norm": True, "fit.epochs": 8}
    second = Campaign(lambda *_: falls, start=start).steps(2)[1]
    assert "0.193 above validation" in second.user_attrs["sentence"]
    assert second.user_attrs["kind"] != "settle"


@pytest.mark.parametrize("seed", range(10))
def test_width_does_not_come_first_where_a_block_can_be_added(seed):

    def train(values, trial):
        gained = 0.002 * trial.number
        return epochs([e.accuracy + gained for e in SLOW], [e.val_accuracy + gained for e in SLOW])

    trials = Campaign(train, start=VARIED, target=0.95, seed=seed).steps(3)
    assert "wider" not in {each.user_attrs["kind"] for each in trials[1:]}


def test_averaged_weights_are_trained_on_where_the_target_is_two_epochs_of_learning_away():
    train = [0.514, 0.53, 0.545, 0.56, 0.575, 0.588, 0.60, 0.61]
    calm = epochs(train, [0.531, 0.543, 0.554, 0.555, 0.576, 0.571, 0.560, 0.591])  # as measured
    start = {**START, "augmentation": "medium", "optimizer.use_ema": True, "fit.epochs": 8}

    def kind(target):
        campaign = Campaign(lambda values, trial: calm, start=start, target=target, chance=0.1)
        return campaign.steps(2)[1].user_attrs["kind"]

    assert kind(0.6) == "longer"
    assert kind(0.7) != "longer"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("target", "varied", "blocks", "kind"),
    [
        (0.7, "medium", 2, "longer"),
        (0.9, "medium", 2, "deeper"),
        (0.9, "medium", 4, "longer"),
        (0.9, "none", 2, "deeper-regularised"),
        (0.9, "none", 4, "regularise"),
    ],
)
def test_averaged_weights_of_varied_images_are_trained_on_before_a_small_gap_is_answered(
    target, varied, blocks, kind, seed
):
    train = [0.539, 0.601, 0.631, 0.653, 0.673, 0.699, 0.718, 0.712]  # as measured, on flowers
    opens = epochs(train, [0.471, 0.586, 0.608, 0.643, 0.660, 0.653, 0.670, 0.663])
    start = {**START, "augmentation": varied, "optimizer.use_ema": True, "fit.epochs": 8}
    campaign = Campaign(
        lambda values, trial: opens,
        start={**start, "blocks": blocks},
        target=target,
        chance=0.2,
        images=1122,
        held={} if blocks == 2 else {"blocks": "no room"},
        seed=seed,
    )
    assert campaign.steps(2)[1].user_attrs["kind"] == kind


@pytest.mark.parametrize("seed", range(6))
def test_images_are_varied_before_a_block_that_has_paid_is_added_again(seed):
    train = [0.539, 0.601, 0.631, 0.653, 0.673, 0.699, 0.718, 0.712]
    opens = [0.471, 0.586, 0.608, 0.643, 0.660, 0.653, 0.670, 0.663]

    def curves(values, trial):
        rising = epochs([0.36, 0.44, 0.47, 0.49, 0.52], [0.38, 0.47, 0.49, 0.50, 0.53])
        return rising if trial.number == 0 else epochs(train, opens)

    start = {**START, "optimizer.use_ema": False}
    campaign = Campaign(curves, start=start, chance=0.2, images=1122, steps=90, seed=seed)
    _, deeper, second = campaign.steps(3)
    assert deeper.user_attrs["kind"] == "deeper"
    assert deeper.params["optimizer.use_ema"]
    assert second.params["augmentation"] == "medium"


@pytest.mark.parametrize(
    ("planned", "done", "epochs_"), [(40, 8, 12), (24, 16, 25), (40, 30, None)]
)
def test_a_trial_that_was_ended_early_can_be_trained_longer_than_it_was(planned, done, epochs_):
    validation = [0.4 + 0.015 * each for each in range(done)]
    rising = epochs([each + 0.002 for each in validation], validation)
    campaign = Campaign(
        lambda values, trial: rising,
        start={**VARIED, "fit.epochs": planned},
        target=validation[-1] + 0.05,
        chance=0.2,
        ended=True,
    )
    tweak = campaign.steps(2)[1].user_attrs["tweak"]
    assert tweak.get("fit.epochs") == epochs_


@pytest.mark.parametrize("done", [16, 24, 32])
def test_a_steady_rise_is_gone_on_with_as_long_as_is_planned(done):
    validation = [0.4 + 0.012 * each for each in range(done)]
    rising = epochs([each + 0.002 for each in validation], validation)
    campaign = Campaign(
        lambda values, trial: rising,
        start={**VARIED, "fit.epochs": 40},
        target=validation[-1] + 0.05,
        chance=0.2,
    )
    trials = campaign.steps(1)
    assert campaign.sampler.foresee(campaign.study, trials, running=0).kind == "longer"


def test_averaged_weights_that_rise_are_trained_on_right_below_the_target_as_well():
    train = [0.61, 0.674, 0.71, 0.735, 0.744, 0.764, 0.767, 0.777]
    calm = epochs(train, [0.623, 0.692, 0.709, 0.761, 0.758, 0.778, 0.781, 0.7997])  # as measured
    start = {**VARIED, "optimizer.use_ema": True, "fit.epochs": 8}
    second = Campaign(lambda *_: calm, start=start, target=0.8).steps(2)[1]
    assert second.user_attrs["tweak"] == {"fit.epochs": 12}


def test_averaged_weights_near_the_target_leave_smaller_steps_for_the_very_end():
    near = [0.7, 0.8, 0.85, 0.86, 0.87, 0.87]

    def kinds(best):
        curve = epochs(near, [0.7, 0.8, 0.86, best, 0.87, best])
        averaged = {**START, "optimizer.use_ema": True}
        trials = Campaign(lambda values, trial: curve, start=averaged, steps=87).steps(2)
        return trials[1].user_attrs["kind"]

    assert kinds(0.897) != "settle"
    assert kinds(0.899) == "settle"


@pytest.mark.parametrize(
    ("cost", "level"),
    [(None, "medium"), (-0.02, "medium"), (0.04, "medium"), (0.3, "medium-unmirrored")],
)
def test_images_are_mirrored_unless_that_was_seen_to_make_others_of_them(cost, level):
    campaign = Campaign(lambda values, trial: OVERFIT, mirroring=cost)
    _, second = campaign.steps(2)
    assert second.params["augmentation"] == level
    assert ("none of them mirrored" in second.user_attrs["sentence"]) is (level != "medium")


def test_where_the_rules_are_at_an_end_nothing_is_mirrored_either():
    start = {"augmentation": "none"}
    campaign = Campaign(lambda values, trial: UNDERFIT, start=start, mirroring=0.3)
    seen = [each.params["augmentation"] for each in campaign.steps(4)]
    with pytest.raises(Exhausted):
        campaign.step()
    assert sorted(seen) == ["light-unmirrored", "medium-unmirrored", "none", "strong-unmirrored"]


CRAWLS = epochs(
    [0.5, 0.51, 0.52, 0.53, 0.54], [0.5, 0.51, 0.5, 0.52, 0.51], [0.7, 0.69, 0.68, 0.675, 0.67]
)


@pytest.mark.parametrize(
    ("name", "rate", "kind"),
    [
        ("adam", 1e-4, "faster"),
        ("adam", 1e-3, "deeper"),
        ("sgd", 1e-3, "faster"),
        ("sgd", 1e-2, "optimizer"),
    ],
)
def test_larger_steps_come_first_where_they_are_smaller_than_usual(name, rate, kind):
    start = START | {"optimizer.name": name, "optimizer.learning_rate": rate}
    second = Campaign(lambda values, trial: CRAWLS, start=start).steps(2)[1]
    assert "hardly come down" in second.user_attrs["sentence"]
    assert second.user_attrs["kind"] == kind
    assert kind != "optimizer" or second.params["optimizer.learning_rate"] == 1e-3


AHEAD = epochs([0.525, 0.6, 0.645, 0.682, 0.733], [0.5, 0.584, 0.65, 0.66, 0.704])
"""As seen: trained for eight epochs more, validation came to 0.719 and training to 0.905."""


@pytest.mark.parametrize(
    ("changed", "target", "kind"),
    [
        ({}, 0.8, "deeper-regularised"),
        ({}, 0.76, "longer"),
        ({"augmentation": "medium", "dropout1.rate": 0.3}, 0.8, "longer"),
        ({"augmentation": "medium", "dropout1.rate": 0.3}, 0.95, "deeper"),
    ],
)
def test_a_rise_behind_training_on_images_as_they_are_is_trusted_for_two_epochs_only(
    changed, target, kind
):
    campaign = Campaign(lambda values, trial: AHEAD, start=START | changed, target=target)
    second = campaign.steps(2)[1]
    assert "still rising" in second.user_attrs["sentence"]
    assert second.user_attrs["kind"] == kind


def test_a_rise_on_images_as_they_are_is_not_trusted_where_training_leads_by_the_epoch_s_end():
    """As seen: seven epochs more of the same left validation at 0.8, and training at 0.98."""
    train = [0.581, 0.675, 0.710, 0.760, 0.809]
    even = epochs(train, [0.657, 0.695, 0.640, 0.763, 0.780])
    second = Campaign(lambda values, trial: even, target=0.9).steps(2)[1]
    assert "still rising" in second.user_attrs["sentence"]
    assert second.user_attrs["tweak"] == BOTH


def test_a_repair_by_half_the_batch_leaves_too_small_ones_as_they_are():
    def train(values, trial):
        return "out-of-memory" if values["batch_norm"] else OVERFIT

    third = Campaign(train, start=START | {"fit.batch_size": 8}).steps(3)[2]
    assert third.user_attrs["kind"] == "repair"
    assert third.params["fit.batch_size"] == 4
    assert third.params["batch_norm"] is False


def test_a_repair_of_new_layers_does_not_average_their_first_weights():
    def train(values, trial):
        return "out-of-memory" if values["blocks"] > 2 else OVERFIT

    start = PLAIN | {"fit.batch_size": 16}
    third = Campaign(train, start=start, steps=40).steps(3)[2]
    assert third.user_attrs["kind"] == "repair"
    assert third.params["fit.batch_size"] == 8
    assert third.params["optimizer.use_ema"] is False


@pytest.mark.parametrize(
    ("batch", "steps", "seconds", "wanted"),
    [
        *[(32, 87, 4.0, 16), (64, 43, 4.0, 16), (48, 60, 4.0, 24), (32, 40, 4.0, 16)],
        *[(256, 11, 4.0, 16), (32, 160, 9.0, 32), (32, 87, 0.9, 32), (24, 87, 4.0, 24)],
        (32, None, 4.0, 32),
    ],
    ids=str,
)
def test_new_blocks_learn_in_more_steps_where_an_epoch_has_few(batch, steps, seconds, wanted):
    curve = epochs([0.5, 0.6, 0.7, 0.8], [0.5, 0.6, 0.65, 0.65], seconds=seconds)
    start = PLAIN | {"fit.batch_size": batch}
    second = Campaign(lambda values, trial: curve, start=start, steps=steps).steps(2)[1]
    assert "blocks" in second.user_attrs["tweak"]
    assert second.params["fit.batch_size"] == wanted
    why = second.user_attrs["sentence"]
    assert ("smaller batches, which make more steps of an epoch" in why) == (wanted != batch)


def test_what_adds_no_blocks_leaves_the_batches_as_they_are():
    curve = epochs([0.5, 0.6, 0.7, 0.8], [0.5, 0.6, 0.65, 0.65], seconds=4.0)
    held = {"blocks": "it is held in retune.toml"}
    second = Campaign(lambda values, trial: curve, start=PLAIN, steps=87, held=held).steps(2)[1]
    assert second.params["fit.batch_size"] == 32


SCHEDULE = "fit.reduce_lr_on_plateau"


def test_jumping_steps_are_made_smaller_and_then_by_a_schedule():
    jumping = epochs(
        [0.6, 0.62, 0.6, 0.63, 0.61, 0.63, 0.62, 0.63],
        [0.6, 0.55, 0.61, 0.54, 0.62, 0.55, 0.61, 0.56],
        val_loss=[0.7, 1.2, 0.6, 1.3, 0.65, 1.25, 0.6, 1.2],
    )
    start = START | {SCHEDULE: False}
    trials = Campaign(lambda values, trial: jumping, start=start).steps(3)
    assert [each.user_attrs["kind"] for each in trials[1:]] == ["slower", "schedule"]
    # The fifth epoch of five would be the first one with smaller steps.
    assert trials[2].user_attrs["tweak"] == {SCHEDULE: True, "fit.epochs": 8}


def test_no_schedule_comes_where_its_epochs_may_not():
    start = {"optimizer.learning_rate": 1e-3, SCHEDULE: False, "fit.epochs": 4}
    campaign = Campaign(
        lambda values, trial: CRAWLS, start=start, held={"fit.epochs": "the pusher says so"}
    )
    kinds = {each.user_attrs["kind"] for each in campaign.steps(4)[1:]}
    assert "schedule" not in kinds


def test_crawling_steps_are_made_much_larger_only_with_a_schedule():
    held = dict.fromkeys(("blocks", "batch_norm"), "as it is")
    start = START | {SCHEDULE: False}
    trials = Campaign(lambda values, trial: CRAWLS, start=start, held=held).steps(3)
    rate, parent = "optimizer.learning_rate", trials[2].user_attrs["parent"]
    assert trials[1].user_attrs["tweak"] == {rate: 3e-3}
    faster = 10 * trials[parent].params[rate]
    assert trials[2].user_attrs["tweak"] == {rate: faster, SCHEDULE: True, "fit.epochs": 8}


def test_noise_is_answered_by_what_takes_it_out_and_then_by_what_may_bring_much():
    flat = epochs([0.75] * 6, [0.62, 0.71, 0.66, 0.7, 0.64, 0.69])
    campaign = Campaign(lambda values, trial: flat, start=PLAIN, steps=87, images=100)
    trials = campaign.steps(3)
    assert "100 validation images" in trials[1].user_attrs["sentence"]
    assert trials[1].user_attrs["kind"] == "average"
    assert trials[2].user_attrs["kind"] == "deeper"
    assert trials[2].user_attrs["tweak"]["blocks"] == 4
