"""The JUnit file: a case a trial, failures with their reasons, XML whatever the texts hold."""

from pathlib import Path
from xml.etree import ElementTree

from jobs.environment.spool import Result
from jobs.junit import write_junit
from jobs.study import StudyView
from tests.jobs import views


def suite(view: StudyView, folder: Path) -> ElementTree.Element:
    write_junit(view, folder / "junit.xml")
    return ElementTree.parse(folder / "junit.xml").getroot()


def test_each_finished_trial_is_a_case(tmp_path: Path) -> None:
    found = suite(views.study(*views.reached().trials, views.trial(4, None)), tmp_path)
    assert [each.get("name") for each in found] == [
        "trial 0: as pushed",
        "trial 1: fit.epochs 6 to 9",
        "trial 2: dropout 0.3 added before dense1",
        "trial 3: optimizer.learning_rate 0.001 to 0.0004",
    ]
    assert (found.get("tests"), found.get("failures"), found.get("skipped")) == ("4", "1", "0")
    assert [each.get("time") for each in found] == ["16.600", "2.000", "16.600", "16.600"]


def test_only_a_failed_training_is_a_failure(tmp_path: Path) -> None:
    below = suite(views.study(views.trial(0, 0.1)), tmp_path)
    assert below.find("testcase/failure") is None
    broken = suite(views.study(views.failed(0, "The script ended with <KeyError>.")), tmp_path)
    failure = broken.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == failure.text == "The script ended with <KeyError>."


def test_a_stopped_trial_is_skipped(tmp_path: Path) -> None:
    stopped = views.trial(0, None, state="failed", result=Result("stopped", reason="A newer push."))
    found = suite(views.study(stopped), tmp_path)
    assert (found.get("failures"), found.get("skipped")) == ("0", "1")
    assert found.find("testcase/skipped") is not None


def test_any_text_gives_xml(tmp_path: Path) -> None:
    odd = "\x1b[31m\udce9\ufffe\x00"
    found = suite(views.study(views.failed(0, odd, words=odd), branch=f"v1.2/{odd}"), tmp_path)
    assert found[0].get("classname", "").startswith("retune.v1_2/")
    assert "\ufffd" in found[0].get("name", "")


def test_a_study_without_trials_has_a_file(tmp_path: Path) -> None:
    assert suite(views.study(), tmp_path).get("tests") == "0"
