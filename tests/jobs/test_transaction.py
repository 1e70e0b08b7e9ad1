"""Changes that belong together, on a real storage."""

from pathlib import Path

import pytest
from optuna.distributions import IntDistribution
from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from jobs.transaction import at_once


@pytest.fixture
def storage(tmp_path: Path) -> RDBStorage:
    return RDBStorage(f"sqlite:///{tmp_path}/retune.sqlite3")


@pytest.fixture
def study(storage: RDBStorage) -> int:
    return storage.create_new_study([StudyDirection.MAXIMIZE], "main-1111111")


def test_changes_appear_together(storage: RDBStorage, study: int) -> None:
    with at_once(storage) as together:
        together.set_study_user_attr(study, "outcome", "reached")
        together.set_study_user_attr(study, "state", "finished")
        assert storage.get_study_user_attrs(study) == {}
        assert together.get_study_user_attrs(study) == {"outcome": "reached", "state": "finished"}
    assert storage.get_study_user_attrs(study) == {"outcome": "reached", "state": "finished"}


def test_an_error_leaves_nothing_behind(storage: RDBStorage, study: int) -> None:
    def change() -> None:
        with at_once(storage) as together:
            together.set_study_user_attr(study, "outcome", "reached")
            together.create_new_study([StudyDirection.MAXIMIZE], "main-1111111")

    with pytest.raises(DuplicatedStudyError):
        change()
    assert storage.get_study_user_attrs(study) == {}
    storage.set_study_user_attr(study, "outcome", "stopped")
    assert storage.get_study_user_attrs(study) == {"outcome": "stopped"}


@pytest.mark.parametrize("more", [{}, {"state": "finished"}])
def test_a_change_that_met_anothers_is_not_lost_silently(
    storage: RDBStorage, study: int, more: dict[str, str]
) -> None:
    trial = storage.create_new_trial(study)
    size = IntDistribution(1, 9)
    storage.set_trial_param(trial, "conv1.filters", 3, size)

    def change() -> None:
        with at_once(storage) as together:
            together.set_study_user_attr(study, "outcome", "reached")
            together.set_trial_param(trial, "conv1.filters", 4, size)
            for key, value in more.items():
                together.set_study_user_attr(study, key, value)

    with pytest.raises(StorageInternalError):
        change()
    assert storage.get_study_user_attrs(study) == {}
