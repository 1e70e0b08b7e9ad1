"""The pictures of a study: what they mark, and that any study gives one."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jobs.pictures import accuracy_by_trial, curves_floor, draw_accuracy, draw_curves
from jobs.study import StudyView, TrialView
from tests.jobs import views

BEST, FAILED, VALIDATION, TRAINING = "#15803d", "#b91c1c", "#2563eb", "#b0b8c1"


def colours(png: bytes) -> set[str]:
    picture = Image.open(BytesIO(png)).convert("RGB")
    found: list[Any] = picture.getcolors(2**24) or []
    return {"#" + bytes(colour).hex() for _, colour in found}


def curves_of(trial: TrialView, folder: Path) -> bytes:
    draw_curves(trial, folder / "curves.png", target=0.8, floor=0.4)
    return (folder / "curves.png").read_bytes()


def test_the_best_and_the_failed_are_marked() -> None:
    assert {BEST, FAILED, VALIDATION} <= colours(accuracy_by_trial(views.reached()))
    assert FAILED not in colours(accuracy_by_trial(views.study(views.trial(0), views.trial(1))))


@pytest.mark.parametrize(
    "view",
    [
        views.study(),
        views.study(views.trial(0, None)),
        views.study(views.failed(0, "The loss became NaN.", epochs=views.curve(float("nan")))),
        views.study(views.trial(0, 1.0), target=1.0),
        views.study(views.trial(0, 0.0), target=0.01),
        views.study(views.trial(3, 0.7, parent=2)),
        views.long_study(),
    ],
    ids=["no trials", "running", "only NaN", "the top", "the bottom", "parent gone", "thirty"],
)
def test_any_study_has_a_picture(view: StudyView) -> None:
    assert Image.open(BytesIO(accuracy_by_trial(view))).format == "PNG"


def test_curves_show_training_and_validation(tmp_path: Path) -> None:
    assert {VALIDATION, TRAINING} <= colours(curves_of(views.trial(0, 0.7), tmp_path))


def test_one_epoch_is_a_point(tmp_path: Path) -> None:
    single = views.trial(0, 0.7, epochs=views.curve(0.7, 1))
    assert VALIDATION in colours(curves_of(single, tmp_path))


def test_epochs_of_nan_leave_the_curves_empty(tmp_path: Path) -> None:
    broken = views.trial(0, 0.7, epochs=views.curve(float("nan"), 3))
    assert not {VALIDATION, TRAINING} & colours(curves_of(broken, tmp_path))


def test_all_curves_start_below_the_lowest_value() -> None:
    view = views.study(views.trial(0, 0.7), views.trial(1, 0.5))
    lowest = min(e.val_accuracy or 0.0 for t in view.trials for e in t.epochs)
    assert 0 <= curves_floor(view) < lowest
    assert curves_floor(views.study(target=0.01)) == 0


def test_the_same_is_not_drawn_again_and_a_half_file_is(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.png"
    draw_accuracy(views.reached(), path)
    first, number = path.read_bytes(), path.stat().st_ino
    draw_accuracy(views.reached(), path)
    assert path.stat().st_ino == number
    path.write_bytes(first[:20])
    draw_accuracy(views.reached(), path)
    assert path.read_bytes() == first
