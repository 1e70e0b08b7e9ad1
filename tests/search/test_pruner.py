"""The pruner ends what is hopeless, and nothing for one epoch's sake."""

import optuna
import pytest
from optuna.trial import TrialState

from jobs.search.proposal import Proposal
from jobs.search.pruner import NEAR_TARGET, OUT_OF_REACH, OUTBID, RetunePruner

optuna.logging.set_verbosity(optuna.logging.WARNING)


def verdict(values, planned=10, done=(0.7, 0.8), fits=(1,), kind="wider", state=None, rates=()):
    study = optuna.create_study(direction="maximize")
    for each in done:
        finished = study.ask()
        finished.set_user_attr("curves", [{"fit": fit} for fit in fits])
        finished.set_user_attr("result", {"objective": each})
        if state is None:
            study.tell(finished, each)
        else:
            study.tell(finished, state=state)
    trial = study.ask()
    trial.set_user_attr("kind", kind)
    trial.suggest_int("fit.epochs", planned, planned)
    curves = [
        {"epoch": number, "epochs": planned, "fit": 1, "seconds": 1.0, "logs": {}}
        | {"val_accuracy": value, "learning_rate": rate}
        for number, (value, rate) in enumerate(zip(values, rates, strict=False), 1)
    ]
    if curves:
        trial.set_user_attr("curves", curves)
    for step, value in enumerate(values, 1):
        trial.report(value, step)
    return RetunePruner().prune(study, study.trials[-1])


def test_a_flat_low_curve_is_ended():
    assert verdict([0.6, 0.61, 0.6, 0.61, 0.605, 0.61])


@pytest.mark.parametrize("done", [(), (0.9,)])
def test_nothing_is_hopeless_beside_less_than_two_trials(done):
    assert not verdict([0.5, 0.51, 0.52, 0.525, 0.53, 0.53, 0.535, 0.54], done=done)


def as_pushed(values, planned=25, lead=0.2, said=True, images=1000, rates=(None,), **named):
    study = optuna.create_study(direction="maximize")
    trial = study.ask()
    if said:
        trial.suggest_int("fit.epochs", planned, planned)
    curves = [
        {"epoch": number, "epochs": planned, "fit": 1, "seconds": 1.0, "logs": {}}
        | {"accuracy": value + lead * number / len(values), "val_accuracy": value}
        | {"learning_rate": rates[-1] if number > len(values) - 2 else rates[0]}
        for number, value in enumerate(values, 1)
    ]
    trial.set_user_attr("curves", curves)
    for step, value in enumerate(values, 1):
        trial.report(value, step)
    given = {"target": 0.8, "ends_first": True, "validation_images": images, **named}
    return RetunePruner(**given).reason(study, study.trials[-1])


BY_HEART = [0.62, 0.66, 0.70, 0.71, 0.715, 0.71, 0.72, 0.715, 0.715]


@pytest.mark.parametrize("said", [True, False])
def test_the_script_as_pushed_is_ended_where_it_learns_by_heart_far_below_the_target(said):
    assert as_pushed(BY_HEART, said=said) == OUT_OF_REACH


@pytest.mark.parametrize(
    "case",
    [
        {"lead": 0.05},
        {"target": 0.735},
        {"target": None},
        {"images": 30},
        {"planned": 12},
        {"ends_first": False},
    ],
)
def test_the_script_as_pushed_trains_on_where_there_is_a_doubt(case):
    assert as_pushed(BY_HEART, **case) is None


def test_what_smaller_steps_of_its_own_bring_the_script_as_pushed_is_seen():
    assert as_pushed(BY_HEART, rates=(1e-3,)) == OUT_OF_REACH
    assert as_pushed(BY_HEART, rates=(1e-3, 5e-4)) is None


@pytest.mark.parametrize(
    "values",
    [
        [0.62, 0.66, 0.68, 0.70, 0.715, 0.725],
        [0.50, 0.50, 0.515, 0.50, 0.505, 0.50, 0.51],
        BY_HEART[:4],
    ],
)
def test_the_script_as_pushed_is_given_time_to_begin(values):
    assert as_pushed(values) is None


def test_a_gap_is_not_by_heart_while_most_training_images_are_told_wrongly():
    behind = [0.308, 0.316, 0.341, 0.344, 0.343, 0.368]
    assert as_pushed(behind, planned=40, chance=0.2) is None
    assert as_pushed(behind, planned=40, chance=0.2, lead=0.3) == OUT_OF_REACH


def test_epochs_that_nothing_comes_of_are_left_out():
    assert verdict([0.70, 0.75, 0.79, 0.78, 0.785, 0.78, 0.775], done=(0.7,))
    assert not verdict([0.70, 0.75, 0.79, 0.76, 0.77, 0.78, 0.785], done=(0.7,))


def test_one_lucky_epoch_ends_nothing():
    assert not verdict([0.70, 0.79, 0.75, 0.755, 0.752, 0.758], done=(0.7,))
    assert verdict([0.70, 0.79, 0.76, 0.755, 0.752, 0.75], done=(0.7,))


def test_a_curve_that_still_climbs_goes_on():
    assert not verdict([0.5, 0.55, 0.6, 0.64, 0.68, 0.71])


def test_a_few_epochs_end_nothing():
    assert not verdict([0.5, 0.5, 0.5, 0.5])


def test_one_bad_epoch_ends_nothing():
    good = [0.72, 0.75, 0.77, 0.785, 0.79]
    assert not verdict([*good, 0.5])
    assert not verdict([*good[:2], 0.5, *good[2:]])


def test_near_the_best_goes_on():
    assert not verdict([0.7, 0.75, 0.78, 0.79, 0.79, 0.79])


FLAT = [0.70, 0.75, 0.79, 0.78, 0.785, 0.78, 0.775]


def test_a_script_that_fits_in_two_phases_trains_to_its_end():
    assert verdict(FLAT)
    assert not verdict(FLAT, fits=(1, 2))


def test_a_confirmation_trains_to_its_end():
    assert not verdict(FLAT, kind="confirm")


@pytest.mark.parametrize("level", [0.5, 0.625, 0.7])
def test_a_curve_that_has_not_begun_to_learn_goes_on(level):
    assert not verdict([level] * 4 + [level - 0.001, level], done=(0.6,))


def test_the_best_may_be_a_trial_that_was_ended_early():
    low = [0.6, 0.61, 0.6, 0.61, 0.605, 0.615]
    assert verdict(low, state=TrialState.PRUNED)
    assert not verdict(low, done=(0.6, 0.6), state=TrialState.PRUNED)


def settled(
    values,
    planned=9,
    target=0.8,
    kind="deeper",
    number=1,
    held=(),
    before=0.7,
    averages=False,
    **named,
):
    study = optuna.create_study(direction="maximize")
    for _ in range(number):
        finished = study.ask()
        finished.set_user_attr("curves", [{"fit": 1}])
        study.tell(finished, before)
    trial = study.ask()
    trial.set_user_attr("kind", kind)
    trial.set_user_attr("parent", number - 1 if number else None)
    trial.set_user_attr("held", dict.fromkeys(held, "held"))
    trial.suggest_int("fit.epochs", planned, planned)
    trial.suggest_float("optimizer.learning_rate", 1e-5, 1e-1)
    trial.suggest_categorical("optimizer.use_ema", [averages])
    for step, value in enumerate(values, 1):
        trial.report(value, step)
    pruner = RetunePruner(target=target, **named)
    return pruner.reason(study, study.trials[-1])


NEAR = [0.73, 0.765, 0.76, 0.779, 0.772]


def test_near_the_target_noise_is_answered_by_smaller_steps():
    assert settled(NEAR) == NEAR_TARGET


def test_a_curve_that_leads_to_the_target_is_left_alone():
    assert settled([0.74, 0.756, 0.778]) is None


def test_far_from_the_target_steps_stay_as_they_are():
    assert settled(NEAR, target=0.9) is None
    assert settled([0.2, 0.26, 0.25, 0.26, 0.255], target=0.4) is None


@pytest.mark.parametrize(
    "case",
    [
        {"kind": "settle"},
        {"kind": "confirm"},
        {"number": 0},
        {"planned": 6},
        {"inherits": False},
        {"held": ["optimizer.learning_rate"]},
    ],
)
def test_what_cannot_go_on_with_smaller_steps_trains_on(case):
    assert settled(NEAR, **case) is None


def test_averaged_weights_leave_little_to_smaller_steps():
    assert settled(NEAR, averages=True) is None
    assert settled([0.793, 0.795, 0.792, 0.796, 0.793], planned=12, averages=True) is None
    flat = [0.797, 0.798, 0.797, 0.798, 0.797]
    assert settled(flat, planned=12, averages=True) == NEAR_TARGET


def test_a_child_of_a_network_near_the_target_learns_what_is_new_first():
    assert settled(NEAR, before=0.785) is None
    assert settled([*NEAR, 0.786, 0.781], before=0.785) == NEAR_TARGET


SLOW = [0.50, 0.51, 0.525, 0.53, 0.54, 0.545, 0.55, 0.56]
DEEPER = Proposal(1, {"blocks": 3}, "deeper", "")
EPOCH = {"epoch": 1, "epochs": 40, "fit": 1, "seconds": 1.0, "logs": {}}


def at_rung(chosen, values=SLOW, planned=40, number=1, held=(), asked=None, kind="wider", rates=()):
    """``asked`` takes the numbers of the trials after which something was asked to follow."""
    study = optuna.create_study(direction="maximize")
    for _ in range(number):
        study.tell(study.ask(), 0.45)
    trial = study.ask()
    trial.set_user_attr("kind", kind)
    trial.set_user_attr("held", dict.fromkeys(held, "held"))
    trial.set_user_attr("curves", [{**EPOCH, "learning_rate": each} for each in rates])
    trial.suggest_int("fit.epochs", planned, planned)
    for step, value in enumerate(values, 1):
        trial.report(value, step)

    def follows(running):
        if asked is not None:
            asked.append(running.number)
        return chosen

    pruner = RetunePruner(target=0.9, follows=follows)
    return pruner.reason(study, study.trials[-1])


@pytest.mark.parametrize("parent", [0, 1])
def test_a_long_trial_ends_at_a_rung_where_something_else_would_follow(parent):
    assert at_rung(Proposal(parent, {"blocks": 3}, "deeper", "")) == OUTBID
    longer = Proposal(parent, {"fit.epochs": 12}, "longer", "")
    assert at_rung(longer) == (None if parent == 1 else OUTBID)
    assert at_rung(longer, [*SLOW, *(each + 0.1 for each in SLOW)]) == at_rung(longer)


def test_a_long_trial_goes_on_where_nothing_would_follow():
    assert at_rung(None) is None


@pytest.mark.parametrize(
    "case",
    [
        {"values": SLOW[:-1]},
        {"values": [*SLOW, 0.57]},
        {"planned": 15},
        {"number": 0},
        {"held": ["fit.epochs"]},
        {"rates": [1e-3, 5e-4]},
        {"kind": "confirm"},
    ],
)
def test_what_follows_is_asked_at_rungs_alone(case):
    asked = []
    assert at_rung(DEEPER, asked=asked, **case) is None
    assert asked == []


@pytest.mark.parametrize(
    ("rates", "ends"),
    [
        ([1e-3] * 7, True),
        ([1e-3] * 6 + [3e-4], False),
        ([1e-3] * 4 + [3e-4] * 3, False),
        ([1e-3] * 3 + [3e-4] * 4, True),
        ([1e-3 * 0.9**each for each in range(7)], True),
    ],
    ids=["one", "just slower", "slower for three epochs", "for four", "slower with each"],
)
def test_what_smaller_steps_bring_is_waited_for(rates, ends):
    assert verdict(FLAT, rates=rates) is ends
