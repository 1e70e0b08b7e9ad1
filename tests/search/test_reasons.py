"""Why a tweak is tried: one sentence that names what was seen, whose turn it is, and the answer."""

import re

import pytest

from tests.search.campaign import OVERFIT, RISING, START, UNDERFIT, Campaign, epochs


def reason(trial):
    return trial.user_attrs["sentence"]


@pytest.mark.parametrize("curves", [OVERFIT, RISING, UNDERFIT, "nan", "out-of-memory"])
def test_each_choice_is_explained_in_one_sentence(curves):
    def train(values, trial):
        return curves if trial.number % 3 == 0 else UNDERFIT

    for each in Campaign(train, start={**START, "optimizer.use_ema": False}, steps=87).steps(30)[
        1:
    ]:
        sentence = reason(each)
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert not re.search(r"[.!?;]\s", sentence), sentence
        assert re.search(rf"\btrial {each.user_attrs['parent']}\b", sentence), sentence


def test_the_best_trial_is_called_so_with_what_its_curves_say_and_what_it_gets():
    second = Campaign(lambda values, trial: UNDERFIT).steps(2)[1]
    assert reason(second) == (
        "Training accuracy 0.662 and validation accuracy 0.652 are close together and flat, so "
        "trial 0, the best so far, gets one more block, which sees larger shapes, along with "
        "normalised outputs, which make what is new quicker to learn."
    )


def test_a_second_chance_is_called_one():
    def train(values, trial):
        return OVERFIT if trial.number in (0, 1) else UNDERFIT

    trials = Campaign(train).steps(12)
    best = max(trials, key=lambda each: each.value).number
    others = [each for each in trials[2:] if each.user_attrs["parent"] not in (0, 1)]
    assert others
    assert f"as tweaks of trial {best}, the best so far, brought nothing" in reason(others[0])


def test_a_trial_that_rose_is_preferred_to_one_that_did_not():
    flat = epochs([0.7, 0.73, 0.73, 0.73, 0.73], [0.7, 0.73, 0.73, 0.73, 0.73])
    still = epochs([0.55, 0.6, 0.65, 0.69, 0.725], [0.54, 0.6, 0.64, 0.68, 0.725])
    third = Campaign(lambda values, trial: still if trial.number else flat).steps(3)[2]
    assert third.user_attrs["parent"] == 1
    said = "trial 1, which still rose and was not gone on from, unlike trial 0, the best, gets"
    assert said in reason(third)


def test_what_failed_is_said_where_it_is_repaired():
    def train(values, trial):
        return "out-of-memory" if values["blocks"] > 2 else UNDERFIT

    third = Campaign(train).steps(3)[2]
    assert reason(third) == (
        "Trial 1 failed, for it needed more memory than the environment has, so its tweak of "
        "trial 0 is tried once more with half the batch."
    )


def test_a_script_that_failed_as_pushed_is_called_that():
    def train(values, trial):
        return UNDERFIT if trial.number else "nan"

    second = Campaign(train).steps(2)[1]
    assert "trial 0, the script as pushed, gets a tenth of the learning rate, and begins" in reason(
        second
    )
