"""The record, on a real storage."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import event

from jobs.environment.spool import Epoch, Result
from jobs.errors import RetuneError
from jobs.search.proposal import Proposal
from jobs.source.script import Choices, Hyperparameter, Range, Reading
from jobs.study import Record, Study, Trial

FACTS = {"branch": "main", "commit": "1" * 40, "target": 0.8, "max_trials": 5, "max_hours": 1.0}


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(f"sqlite:///{tmp_path}/retune.sqlite3")


@pytest.fixture
def study(record: Record) -> Study:
    return record.create("main-1111111", FACTS)


def reading(**values: int | float | str | bool) -> Reading:
    spaces = {
        "conv1.kernel_size": Choices((1, 3, 5)),
        "augmentation": Choices(("none", "light")),
        "optimizer.learning_rate": Range(1e-5, 1e-1, log=True),
        "conv1.filters": Range(8, 128, integer=True),
    }
    found = tuple(Hyperparameter(name, value, spaces[name], None) for name, value in values.items())
    return Reading("cnn.py", "cnn", (), True, "fit", hyperparameters=found)


def epoch(number: int, accuracy: float) -> Epoch:
    return Epoch(number, 3, 1, 1.0, {"val_accuracy": accuracy}, val_accuracy=accuracy)


def test_a_study_is_created_once(record: Record, study: Study) -> None:
    before = study.facts()
    again = record.create(study.name, {**FACTS, "target": 0.9})
    assert again.identifier == study.identifier
    assert again.facts() == before


def test_a_study_of_which_no_more_than_the_name_was_recorded_is_made_whole(record: Record) -> None:
    record.storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "main-2222222")
    assert record.create("main-2222222", FACTS).running
    assert record.open("main-2222222").get("branch") == "main"


def test_unknown_study_and_trial_are_named(record: Record, study: Study) -> None:
    with pytest.raises(RetuneError, match="no study other; the studies recorded are: main-1111111"):
        record.open("other")
    with pytest.raises(RetuneError, match="has no trial 3; it has 0"):
        study.trial(3)


def test_first_trial_is_made_once(study: Study) -> None:
    assert study.add_first_trial("1" * 40).number == study.add_first_trial("1" * 40).number == 0


def test_trial_is_recorded_where_optuna_keeps_it(study: Study) -> None:
    trial = study.add_first_trial("1" * 40)
    values = {"conv1.filters": 32, "conv1.kernel_size": 3, "augmentation": "none"}
    trial.record_reading(reading(**values), {})
    for step, accuracy in enumerate((0.5, 0.7, 0.6), start=1):
        trial.record_epoch(epoch(step, accuracy), step)
        trial.record_epoch(epoch(step, 0.0), step)  # a known step is left alone
    trial.finish(Result("complete", objective=0.7, seconds_in_fit=3.0), TrialState.COMPLETE)
    trial.finish(Result("failed", reason="late"), TrialState.FAIL)  # the first end holds
    frozen = study.optuna_study().trials[0]
    assert frozen.params == values
    assert frozen.intermediate_values == {1: 0.5, 2: 0.7, 3: 0.6}
    assert frozen.value == 0.7
    view = study.view()
    assert view.best is not None
    assert view.best.number == 0
    assert [each.val_accuracy for each in view.trials[0].epochs] == [0.5, 0.7, 0.6]
    assert view.trials[0].words == "as pushed"


def test_the_first_end_of_a_trial_holds_where_two_meet(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = study.add_first_trial("1" * 40)
    trial.finish(Result("complete", objective=0.7), TrialState.COMPLETE)
    monkeypatch.setattr(Trial, "finished", False)  # as it was when the second one asked
    trial.finish(Result("stopped", reason="late"), TrialState.FAIL, {"diagnosis": "late"})
    view = trial.view()
    assert (view.state, view.objective, view.diagnosis) == ("complete", 0.7, "")


def test_ranges_may_change_from_trial_to_trial(study: Study) -> None:
    first = study.add_first_trial("1" * 40)
    first.record_reading(reading(**{"conv1.filters": 32, "conv1.kernel_size": 3}), {})
    first.finish(Result("complete", objective=0.5), TrialState.COMPLETE)
    second = study.ask(0, optuna.samplers.RandomSampler(seed=1))
    second.record_reading(reading(**{"conv1.filters": 500, "conv1.kernel_size": 1}), {})
    assert second.frozen().params == {"conv1.filters": 500, "conv1.kernel_size": 1}


def test_the_trial_after_a_trial_is_asked_once(study: Study) -> None:
    study.add_first_trial("1" * 40)
    sampler = optuna.samplers.RandomSampler(seed=1)
    assert study.ask(0, sampler).number == study.ask(0, sampler).number == 1


def test_what_another_process_records_is_seen(tmp_path: Path, study: Study) -> None:
    other = Record(f"sqlite:///{tmp_path}/retune.sqlite3").open(study.name)
    mine = study.add_first_trial("1" * 40)
    theirs = other.trial(0)
    for step, accuracy in enumerate((0.5, 0.7), start=1):
        theirs.record_epoch(epoch(step, accuracy), step)
        assert mine.frozen().intermediate_values[step] == accuracy
    theirs.finish(Result("complete", objective=0.7), TrialState.COMPLETE, {"diagnosis": "Flat."})
    assert mine.finished
    other.ask(0, None).set("commit", "2" * 40)
    assert [each.diagnosis for each in study.view().trials] == ["Flat.", ""]
    other.trial(1).finish(Result("failed", reason="late"), TrialState.FAIL)
    assert [each.state for each in study.view().trials] == ["complete", "failed"]


def test_trials_that_have_ended_are_read_once(record: Record, study: Study) -> None:
    asked: list[str] = []
    event.listen(
        record.database.engine,
        "before_cursor_execute",
        lambda *arguments: asked.append(arguments[2]),
    )

    def statements() -> int:
        asked.clear()
        study.frozen()
        return len(asked)

    study.add_first_trial("1" * 40).finish(Result("complete", objective=0.7), TrialState.COMPLETE)
    study.frozen()
    with_one = statements()
    for number in range(1, 20):
        made = study.ask(number - 1, None)
        made.record_reading(reading(**{"conv1.filters": 32, "conv1.kernel_size": 3}), {})
        made.finish(Result("complete", objective=0.7), TrialState.COMPLETE)
    study.frozen()
    assert statements() == with_one
    assert len(study.frozen()) == 20


def test_a_trial_without_a_commit_is_not_shown(study: Study) -> None:
    study.add_first_trial("1" * 40)
    made = study.ask(0, optuna.samplers.RandomSampler(seed=1))
    assert [each.number for each in study.view().trials] == [0]
    proposal = Proposal(0, {"conv1.filters": 64}, "capacity", "More.")
    made.record_proposal(proposal, "filters 64", "2" * 40)
    shown = study.view().trials[1]
    assert (shown.parent, shown.words, shown.why, shown.kind) == (
        0,
        "filters 64",
        "More.",
        "capacity",
    )


def test_the_first_end_of_a_study_holds(study: Study) -> None:
    study.finish("reached", "Trial 3 did it.")
    study.finish("stopped", "Too late.")
    view = study.view()
    assert (view.state, view.outcome, view.reason) == ("finished", "reached", "Trial 3 did it.")


def test_storage_that_cannot_be_opened_hides_its_password() -> None:
    with pytest.raises(RetuneError, match=r"storage postgresql.*cannot be opened") as caught:
        Record("postgresql+psycopg://me:s3cret@127.0.0.1:1/retune")
    assert "s3cret" not in str(caught.value)
