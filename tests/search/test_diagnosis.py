"""Each finding on the curve that textbooks draw for it."""

import random
from dataclasses import replace

import pytest

from jobs.environment.spool import Epoch
from jobs.search.diagnosis import diagnose
from tests.search.campaign import FALLING_LOSS, OVERFIT, RISING, epochs

CURVES = {
    "overfit": OVERFIT,
    "rising": RISING,
    "underfit": epochs([0.6, 0.65, 0.66, 0.66, 0.66], [0.6, 0.65, 0.655, 0.65, 0.65]),
    "chance": epochs([0.5, 0.51, 0.5, 0.51], [0.5, 0.49, 0.51, 0.5], [0.693] * 4, [0.693] * 4),
    "crawling": epochs(
        [0.55, 0.56, 0.57, 0.58, 0.585],
        [0.56, 0.57, 0.57, 0.58, 0.58],
        [0.69, 0.686, 0.682, 0.678, 0.674],
    ),
    "jumping": epochs(
        [0.7] * 7,
        [0.7, 0.55, 0.71, 0.54, 0.7, 0.56, 0.7],
        val_loss=[0.6, 1.4, 0.6, 1.5, 0.6, 1.3, 0.6],
    ),
    "diverged": epochs([0.6, 0.5, 0.5, 0.5], [0.6, 0.5, 0.5, 0.5], [0.6, 0.7, 9.0, 40.0]),
    "converged": epochs([0.7, 0.8, 0.85, 0.86, 0.86, 0.86], [0.7, 0.78, 0.79, 0.79, 0.79, 0.79]),
}


@pytest.mark.parametrize("kind", CURVES)
def test_names_what_the_curve_shows(kind):
    assert diagnose(CURVES[kind], validation_images=1000).kind == kind


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        ("out-of-memory", "out-of-memory"),
        ("nan", "diverged"),
        ("time-limit", "too-slow"),
        ("script-error", "failed"),
    ],
)
def test_a_failure_weighs_more_than_the_curve(failure, kind):
    assert diagnose(CURVES["rising"], failure=failure).kind == kind


def test_no_epoch_is_a_finding_too():
    assert diagnose([]).kind == "failed"
    assert diagnose(epochs([0.6], [0.6])[:0]).kind == "failed"


def test_a_small_validation_set_is_called_noise_where_a_large_one_has_settled():
    assert diagnose(CURVES["converged"], validation_images=100).kind == "noise"


def test_the_same_rise_counts_with_many_images_and_not_with_few():
    curve = epochs([0.7, 0.705, 0.71, 0.715, 0.72], [0.70, 0.705, 0.71, 0.715, 0.72])
    assert diagnose(curve, validation_images=5000).kind == "rising"
    assert diagnose(curve, validation_images=100).kind != "rising"


def test_a_large_gap_is_named_before_the_rise_and_both_are_told():
    found = diagnose(
        epochs([0.6, 0.7, 0.8, 0.88, 0.93], [0.6, 0.64, 0.67, 0.7, 0.73]), validation_images=1000
    )
    assert found.kind == "overfit"
    assert [each.kind for each in found.also] == ["rising"]
    assert "0.9" in found.sentence


def test_only_the_last_fit_is_judged():
    both = CURVES["overfit"] + [
        Epoch.from_mapping({**vars(each), "fit": 2}) for each in CURVES["rising"]
    ]
    assert diagnose(both, validation_images=1000).kind == "rising"


def test_a_training_that_goes_on_weighs_more_than_a_dip_of_validation():
    curve = epochs(
        [0.622, 0.672, 0.698, 0.713, 0.715, 0.729], [0.645, 0.685, 0.692, 0.712, 0.717, 0.677]
    )
    assert diagnose(curve, validation_images=594).kind == "rising"


def test_a_lead_of_training_that_grows_is_told_from_one_that_stays():
    validation = [0.60, 0.63, 0.66, 0.69, 0.72]
    grows = epochs([0.60, 0.64, 0.68, 0.73, 0.77], validation)
    stays = epochs([0.64, 0.67, 0.70, 0.73, 0.76], validation)
    assert diagnose(grows, validation_images=1000).kind == "opening"
    assert diagnose(stays, validation_images=1000).kind == "rising"


def test_one_outlying_epoch_does_not_turn_a_rise_into_anything_else():
    kinds = []
    for place in range(1, 5):
        values = [0.5, 0.54, 0.58, 0.62, 0.66, 0.70, 0.74, 0.78]
        values[place] -= 0.05
        found = diagnose(epochs([each + 0.02 for each in values], values), validation_images=1000)
        kinds.append(found.kind)
    assert kinds == ["rising"] * 4


def test_noise_around_a_flat_curve_is_seldom_taken_for_a_rise():
    rng = random.Random(1)
    found = []
    for _ in range(200):
        values = [sum(rng.random() < 0.7 for _ in range(600)) / 600 for _ in range(8)]
        found.append(
            diagnose(epochs([0.72] * 8, values, val_loss=[0.6] * 8), validation_images=600)
        )
    assert sum(each.kind == "rising" for each in found) < 40


def test_a_loss_that_is_not_finite_is_divergence():
    curve = epochs([0.6, 0.5], [0.6, 0.5], [0.6, float("nan")])
    assert diagnose(curve).kind == "diverged"


def test_an_epoch_without_training_accuracy_is_judged_by_the_rest():
    curve = [Epoch.from_mapping({**vars(each), "accuracy": None}) for each in CURVES["rising"]]
    assert diagnose(curve, validation_images=1000).kind == "rising"


def test_a_child_that_goes_on_from_a_good_fit_does_not_crawl():
    """Accuracies as measured on photographs, after regularisation with inherited weights."""
    curve = epochs(
        [0.667, 0.684, 0.708, 0.703, 0.717, 0.724, 0.723, 0.729],
        [0.668, 0.699, 0.675, 0.726, 0.715, 0.747, 0.724, 0.739],
        [0.60, 0.59, 0.575, 0.565, 0.56, 0.55, 0.545, 0.54],
    )
    assert diagnose(curve, validation_images=594).kind == "underfit"


PHOTOGRAPHS = epochs(
    [0.566, 0.671, 0.728, 0.764, 0.796, 0.835, 0.856, 0.865, 0.889, 0.905, 0.913, 0.912],
    [0.584, 0.620, 0.694, 0.704, 0.690, 0.702, 0.663, 0.677, 0.699, 0.726, 0.690, 0.705],
    [0.687, 0.607, 0.541, 0.488, 0.436, 0.379, 0.333, 0.305, 0.269, 0.225, 0.209, 0.210],
    [0.670, 0.648, 0.603, 0.591, 0.591, 0.589, 0.692, 0.730, 0.693, 0.677, 0.743, 0.753],
)
"""Two blocks on photographs of cats and dogs, as measured with 594 validation images."""


@pytest.mark.parametrize(
    ("seen", "kind"),
    [(3, "opening"), (4, "opening"), (5, "overfit"), (8, "overfit"), (12, "overfit")],
)
def test_a_measured_curve_opens_until_it_flattens_and_overfits_from_then_on(seen, kind):
    found = diagnose(PHOTOGRAPHS[:seen], validation_images=594)
    assert found.kind == kind
    if kind == "overfit":
        assert "rising" not in [each.kind for each in found.also]


def test_flat_below_training_is_no_underfit():
    train = [0.795, 0.804, 0.813, 0.804, 0.818, 0.815, 0.817]
    validation = [0.766, 0.773, 0.773, 0.769, 0.778, 0.772, 0.770]
    found = diagnose(epochs(train, validation), validation_images=600)
    assert found.kind == "converged"
    assert "0.043 below training" in found.sentence


def test_a_wide_gap_below_a_slight_rise_is_told_before_the_rise():
    """As measured: the next training, without varied images, took the gap from 0.12 to 0.17."""
    curve = epochs([0.579, 0.693, 0.744, 0.775, 0.816], [0.611, 0.668, 0.662, 0.675, 0.685])
    found = diagnose(curve, validation_images=594)
    assert (found.kind, found.also[0].kind) == ("opening", "rising")


def test_a_calm_rise_is_seen_where_a_noisy_one_of_its_size_is_not():
    train = [0.707, 0.739, 0.738, 0.742, 0.758, 0.754]
    calm = epochs(train, [0.726, 0.724, 0.736, 0.742, 0.746, 0.754])  # as measured, averaged
    noisy = epochs(train, [0.726, 0.724, 0.751, 0.727, 0.746, 0.754])
    assert diagnose(calm, validation_images=594).kind == "rising"
    assert diagnose(noisy, validation_images=594).kind != "rising"


@pytest.mark.parametrize(
    ("val_loss", "kind"),
    [
        ([0.46, 0.45, 0.46, 0.62, 0.46], "underfit"),
        ([0.46, 0.45, 0.46, 0.46, 0.62], "underfit"),
        ([0.46, 0.45, 0.48, 0.51, 0.55], "overfit"),
    ],
)
def test_one_epoch_of_a_large_loss_is_no_overfitting(val_loss, kind):
    curves = epochs([0.78] * 5, [0.79, 0.78, 0.77, 0.78, 0.79], [0.45] * 5, val_loss)
    assert diagnose(curves, validation_images=600).kind == kind


def test_a_validation_loss_that_falls_says_that_an_accuracy_in_its_noise_still_rises():
    found = diagnose(FALLING_LOSS, validation_images=594)
    assert (found.kind, "loss was still falling" in found.sentence) == ("rising", True)
    # And one that comes and goes.
    flat = [0.480, 0.471, 0.450, 0.462, 0.435, 0.451, 0.444, 0.448]
    stays = [replace(each, val_loss=loss) for each, loss in zip(FALLING_LOSS, flat, strict=True)]
    assert diagnose(stays, validation_images=594).kind == "underfit"


def test_a_rise_of_training_alone_is_none_where_validation_has_been_best_long_ago():
    """As measured: seven epochs more of it brought 0.015."""
    train = [0.502, 0.514, 0.511, 0.538, 0.545, 0.559]
    validation = [0.525, 0.549, 0.545, 0.544, 0.539, 0.546]
    found = diagnose(epochs(train, validation), chance=0.1, validation_images=800)
    assert (found.kind, "validation was best at epoch 2" in found.sentence) == ("underfit", True)
    found = diagnose(epochs(train[:5], validation[:5]), chance=0.1, validation_images=800)
    assert "Training accuracy still rises" in found.sentence


def test_beside_a_frequent_class_what_learns_or_learns_by_heart_is_not_called_chance():
    by_heart = epochs([0.91, 0.94, 0.96, 0.98, 0.99, 0.99], [0.90, 0.905, 0.90, 0.90, 0.895, 0.90])
    assert diagnose(by_heart, chance=0.9, validation_images=600).kind == "overfit"
    weighted = epochs([0.70, 0.76, 0.80, 0.85, 0.87, 0.90], [0.68, 0.73, 0.77, 0.80, 0.82, 0.85])
    assert diagnose(weighted, chance=0.9, validation_images=600).kind in ("opening", "rising")
    always = epochs([0.90, 0.9, 0.9, 0.9, 0.9], [0.9, 0.9, 0.9, 0.9, 0.9])
    assert diagnose(always, chance=0.9, validation_images=600).kind == "chance"
