"""The pruner ends what is hopeless, and nothing for one epoch's sake."""

import optuna
import pytest

from jobs.search.pruner import RetunePruner

optuna.logging.set_verbosity(optuna.logging.WARNING)


def verdict(values, planned=10, done=(0.7, 0.8)):
    study = optuna.create_study(direction="maximize")
    for each in done:
        study.tell(study.ask(), each)
    trial = study.ask()
    trial.suggest_int("fit.epochs", planned, planned)
    for step, value in enumerate(values, 1):
        trial.report(value, step)
    return RetunePruner().prune(study, study.trials[-1])


def test_a_flat_low_curve_is_ended():
    assert verdict([0.6, 0.61, 0.6, 0.61, 0.605, 0.61])


@pytest.mark.parametrize("done", [(), (0.9,)])
def test_the_first_trials_are_never_ended(done):
    assert not verdict([0.6] * 8, done=done)


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
